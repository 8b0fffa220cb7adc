/* fake.h: a link that writes down what a client sends, as text, and watches over it: ids are
 * assigned once and used only while they live. Fetches are answered with zeros, or wait, or fail.
 */
#ifndef FAKE_H
#define FAKE_H

#include "try.h"

#include "base/buf.h"
#include "base/mem.h"
#include "client/client.h"
#include "ir/text.h"

#define FAKE_IDS 100000

typedef struct fake {
	struct link link;
	buf text;                /* what was sent since fake_expect */
	int flushes, closes;
	size_t last_n;           /* instructions of the last flush */
	uint64_t last_cost;
	size_t live;             /* values made and not freed */
	uint8_t state[FAKE_IDS]; /* by id: 0 unused, 1 live, 2 freed */
	gt_err refuse;           /* what flush returns */
	bool hold;               /* leave fetches unanswered */
	bool polls;              /* flushes call the interrupt, as when they wait for room */
	failure *why;            /* what fetches say */
	answer *pending[16];
	int npending;
} fake;

static inline void fake_use(fake *f, const ins *i)
{
	for (unsigned k = 0; k < i->nin; k++) {
		const uint64_t id = ins_in(i)[k];

		if (ins_kind(i, k) || (i->op == OP_fetch && !id))     /* a fetch of nothing */
			continue;
		if (id >= FAKE_IDS || f->state[id] != 1)
			fail_msg("%s uses t%llu, which does not live", op_rows[i->op].name,
				(unsigned long long)id);
		if (i->op == OP_free) {
			f->state[id] = 2;
			f->live--;
		}
	}
	if (!i->out)
		return;
	assert_true(i->out < FAKE_IDS);
	assert_int_equal(f->state[i->out], 0);
	f->state[i->out] = 1;
	f->live++;
}

static inline void fake_answer(fake *f, answer *a)
{
	static const int64_t zeros[TRY_MAX];
	meta m = { .dtype = GT_FLOAT32 };

	if (f->hold) {
		assert_true(f->npending < (int)COUNT(f->pending));
		f->pending[f->npending++] = a;
	} else if (f->why) {
		failure_hold(f->why);
		answer_fail(a, f->why);
	} else {
		answer_give(a, &m, zeros, NULL, NULL);
	}
}

static inline gt_err fake_flush(struct link *l, const uint64_t *records, size_t words, size_t n,
		uint64_t cost)
{
	fake *f = (fake *)l;
	const uint64_t *end = records + words;

	if (f->polls && l->interrupt.poll)
		l->interrupt.poll(l->interrupt.ctx);
	f->flushes++;
	f->last_n = n;
	f->last_cost = cost;
	while (records < end) {
		const ins *i = (const ins *)records;

		assert_int_equal(ins_check(i, (size_t)(end - records)), GT_OK);
		records += i->words;
		n--;
		if (i->op == OP_fetch) {
			buf_printf(&f->text, "fetch t%llu\n", (unsigned long long)ins_in(i)[0]);
			fake_use(f, i);
			fake_answer(f, (answer *)(uintptr_t)ins_opd(i)[0]);
			continue;
		}
		text_put(&f->text, i, NULL);
		fake_use(f, i);
		if (ins_blob(i))
			blob_drop(ins_blob(i));
	}
	assert_int_equal(n, 0);
	return f->refuse ? fail(f->refuse, "refused") : GT_OK;
}

static inline gt_err fake_sync(struct link *l, const interrupt *in)
{
	(void)l, (void)in;
	return GT_OK;
}

static inline gt_err fake_wait(struct link *l, answer *a, const interrupt *in)
{
	(void)l;
	return answer_pending(a) && in->poll && in->poll(in->ctx) ? fail(GT_EINTERRUPT,
		"interrupted")
	                                                          : GT_OK;
}

static inline void fake_close(struct link *l)
{
	fake *f = (fake *)l;

	f->closes++;
	while (f->npending)
		answer_cancel(f->pending[--f->npending]);
	link_drop(l);
}

static inline void fake_free(struct link *l)
{
	fake *f = (fake *)l;

	buf_fini(&f->text);
	mem_free(f);
}

static inline fake *fake_of(gt_client *gt) { return (fake *)gt->link; }

static inline gt_client *fake_open(const gt_options *o)
{
	static const link_ops ops = { .flush = fake_flush, .wait = fake_wait, .sync = fake_sync,
		.close = fake_close, .free = fake_free };
	fake *f = mem_zero(sizeof *f);

	f->link.ops = &ops;
	f->link.refs = 1;
	gt_clear_error();
	return client_new(&f->link, o);
}

/* What was sent since the last time is exactly this text (sites left out). */
static inline void fake_expect(gt_client *gt, const char *want, const char *file, int line)
{
	fake *f = fake_of(gt);
	const char *at;
	char *to;

	WORKS(gt_flush(gt));
	/* " @ 3" at the end of a line is its site. */
	to = (char *)f->text.data;
	for (at = buf_text(&f->text), to = (char *)f->text.data; *at; ) {
		if (!strncmp(at, " @ ", 3) || (*at == ' ' && strspn(at, " ") > 1))
			at += strcspn(at, "\n");
		else
			*to++ = *at++;
	}
	*to = 0;
	if (strcmp((char *)f->text.data, want))
		fail_msg("%s:%d: sent\n%s\nexpected\n%s", file, line, (char *)f->text.data, want);
	f->text.size = 0;
}
#define SENDS(gt, text) fake_expect(gt, text, __FILE__, __LINE__)

static inline int fake_setup(void **state)
{
	*state = fake_open(NULL);
	return 0;
}
#define FAKE(test) cmocka_unit_test_setup_teardown(test, fake_setup, try_close)

#endif
