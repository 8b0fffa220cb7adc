/* fault.c: what a failed instruction says: what was wrong, with which inputs, inside which signal;
 * and when memory is short, who has it.
 */
#include "worker/leap.h"

#include <stdio.h>
#include "base/buf.h"
#include "base/error.h"
#include "base/flags.h"

#define HOLDERS 3
#define META_TEXT 160

static void put_signal(buf *to, const tenant *t)
{
	const char *path = signals_path(&t->signals);

	if (*path)
		buf_printf(to, "; in signal '%s'", path);
}

static failure *finish(tenant *t, const ins *i, gt_err code, buf *text)
{
	failure *f;

	put_signal(text, t);
	f = failure_new(code, i->site, buf_text(text));
	buf_fini(text);
	counter_add(&t->worker->faults, 1);
	return f;
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void put_bytes(buf *to, uint64_t bytes)
{
	static const char *const units[] = { "B", "KB", "MB", "GB", "TB" };
	double n = (double)bytes;
	size_t u = 0;

	for (; n >= 1024 && u + 1 < COUNT(units); u++)
		n /= 1024;
	buf_printf(to, u ? "%.1f %s" : "%.0f %s", n, units[u]);
}

typedef struct holder { const value *v; uint32_t session; } holder;

/* Keep the largest HOLDERS storages, largest first; views of one that is there already do not count
 * again. */
static void consider(holder *top, const value *v, uint32_t session)
{
	size_t k = HOLDERS;

	for (size_t j = 0; j < HOLDERS; j++)
		if (top[j].v && top[j].v->s == v->s)
			return;
	while (k && (!top[k - 1].v || top[k - 1].v->s->size < v->s->size))
		k--;
	if (k == HOLDERS)
		return;
	memmove(top + k + 1, top + k, (HOLDERS - 1 - k) * sizeof *top);
	top[k] = (holder){ v, session };
}

static void find_holders(const worker *w, holder *top)
{
	for (size_t n = 0; n < w->count; n++) {
		tenant *t = w->tenants[n];
		const idmap *ids = &t->store.ids;

		leap_file_all(t);
		for (size_t k = 0; (k = idmap_next(ids, k));) {
			const value *v = ids->slots[k - 1].value;

			if (v->s)
				consider(top, v, t->session);
		}
	}
}

static void put_holders(buf *to, const worker *w)
{
	holder top[HOLDERS] = { 0 };
	char shape[META_TEXT];

	find_holders(w, top);
	for (size_t k = 0; k < HOLDERS && top[k].v; k++) {
		const value *v = top[k].v;

		buf_printf(to, "%s%s %s ", k ? ", " : "; largest: ", op_rows[v->op].name,
			meta_text(&v->v.m, shape, sizeof shape));
		put_bytes(to, v->s->size);
		buf_printf(to, " (client c%u)", top[k].session);
	}
}

/* Who has the memory that is missing. */
static void put_memory(buf *to, const worker *w)
{
	allocator_stats stats;

	allocator_get_stats(w->engine->memory, &stats);
	buf_printf(to, ": limit ");
	put_bytes(to, stats.limit);
	buf_printf(to, " (GT_MEMORY), ");
	put_bytes(to, stats.live);
	buf_printf(to, " in use");
	put_holders(to, w);
}

/* ---- failures -------------------------------------------------------------------------------- */

failure *fault_new(tenant *t, const ins *i, const meta *const *in)
{
	const char *separator = "; inputs ";
	char shape[META_TEXT];
	buf text = { 0 };

	buf_printf(&text, "%s", gt_last_error());
	if (gt_last_error_code() == GT_EMEMORY)
		put_memory(&text, t->worker);
	for (unsigned k = 0; in && k < i->nin; k++) {
		if (!in[k])
			continue;
		buf_printf(&text, "%s%s", separator, meta_text(in[k], shape, sizeof shape));
		separator = ", ";
	}
	return finish(t, i, gt_last_error_code(), &text);
}

failure *fault_memory(tenant *t, const ins *i, const meta *wanted)
{
	char shape[META_TEXT];
	buf text = { 0 };

	buf_printf(&text, "%s: no memory for %s (", op_rows[i->op].name,
		meta_text(wanted, shape, sizeof shape));
	put_bytes(&text, (uint64_t)meta_count(wanted) * dtype_size((gt_dtype)wanted->dtype));
	buf_printf(&text, ")");
	put_memory(&text, t->worker);
	return finish(t, i, GT_EMEMORY, &text);
}
