/* one_tenant.h: a worker with one tenant, seen from inside, that is fed .gts text. */
#ifndef WORKER_ONE_TENANT_H
#define WORKER_ONE_TENANT_H

#include "base/buf.h"
#include "base/flags.h"
#include "play_line.h"
#include "worker/hot.h"

static worker *w;
static tenant *t;

static inline void set(flag f, const char *to)
{
	assert_int_equal(flag_set(f, to), GT_OK);
}

static inline void admit_tenant(uint64_t threshold, bool compiles)
{
	const worker_options o = { .threads = 1, .memory = 1 << 26, .runahead = 4096,
		.threshold = threshold, .compiles = compiles };

	assert_int_equal(worker_new(&o, &w), GT_OK);
	t = worker_admit(w, 0);
}

static inline void dismiss_tenant(void)
{
	assert_true(line_close(tenant_line(t)));
	tenant_free(t);
	worker_free(w);
}

/* Looking for loops in place, and fusing them; the groups are interpreted. */
static inline void admit_fused(uint64_t threshold)
{
	set(FLAG_GT_QUIET, "1");
	set(FLAG_GT_COMPILE_SYNC, "1");
	set(FLAG_GT_CACHE_DIR, "");
	set(FLAG_GT_HOTPATH_TIER, "2");
	set(FLAG_GT_HOTPATH_CODE, "interpreted");
	admit_tenant(threshold, false);
}

/* Of a test: its end. */
static inline int close_tenant(void **state)
{
	(void)state;
	dismiss_tenant();
	set(FLAG_GT_CHECK, "0");
	return 0;
}

static inline play run_text(const char *text)
{
	return play_line(tenant_line(t), text);
}

/* `text` with `k` in the place of each %. */
static inline play run_numbered(const char *text, unsigned k)
{
	buf b = { 0 };
	play p;

	for (const char *at = text; *at; at++)
		if (*at == '%')
			buf_printf(&b, "%u", k);
		else
			buf_put_u8(&b, (uint8_t)*at);
	p = run_text(buf_text(&b));
	buf_fini(&b);
	return p;
}

#endif
