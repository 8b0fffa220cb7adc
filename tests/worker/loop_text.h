/* loop_text.h: loops written as text, played eagerly and with hot paths, and what they read
 * compared.
 *
 * A step is a text in which $n is the id of the n-th value of this step, @n that of the step before
 * and t1 .. t9 are values of the program. */
#ifndef WORKER_LOOP_TEXT_H
#define WORKER_LOOP_TEXT_H

#include "check.h"
#include <ctype.h>
#include "base/flags.h"
#include "embed/embed.h"
#include "play.h"

#define STEPS_MAX 160
#define STRIDE 20                /* ids of a step */

/* What the loops begin with, and each of their steps. */
#define SETUP \
	"t1 = full float32 1.0 [4,4]\n" \
	"t2 = arange float32 1.0, 1.0 [4]\n" \
	"t3 = full int64 6 [2]\n" \
	"t102 = full float32 0.5 [4,4]\n" \
	"t105 = full float32 0.5 [4]\n"
#define HEAD \
	"$0 = mul @2, 0.5\n$1 = add $0, t1\n"

typedef struct program {
	const char *setup;
	const char *(*step)(unsigned k);
	unsigned steps;
} program;

/* What was read, in order. */
typedef struct reads { play plays[STEPS_MAX + 1]; unsigned n; hot_stats stats; } reads;

static inline void set(flag f, bool on)
{
	assert_int_equal(flag_set(f, on ? "1" : "0"), GT_OK);
}

static inline char *number(char *to, const char **from, unsigned base)
{
	return to + sprintf(to, "t%u", base + (unsigned)strtoul(*from, (char **)from, 10));
}

static inline void write_step(char *to, const char *s, unsigned k)
{
	while (*s) {
		const char c = *s++;

		if (c == '$' && isdigit((unsigned char)*s))
			to = number(to, &s, 100 + k * STRIDE);
		else if (c == '@' && isdigit((unsigned char)*s))
			to = number(to, &s, 100 + k * STRIDE - STRIDE);
		else
			*to++ = c;
	}
	*to = '\0';
}

static inline void run(const program *p, bool hot, reads *to)
{
	static char text[8192];
	worker_stats s;
	struct link *l;

	set(FLAG_GT_QUIET, true);
	set(FLAG_GT_AUTO_COMPILE, hot);
	set(FLAG_GT_COMPILE_SYNC, true);
	memset(to, 0, sizeof *to);
	assert_int_equal(embed_open(&l), GT_OK);
	to->plays[to->n++] = play_text(l, p->setup);
	for (unsigned k = 1; k <= p->steps; k++) {
		write_step(text, p->step(k), k);
		to->plays[to->n++] = play_text(l, text);
	}
	assert_int_equal(l->ops->sync(l, NULL), GT_OK);
	for (unsigned k = 0; k < to->n; k++)
		for (size_t j = 0; j < to->plays[k].n; j++)
			play_wait(&to->plays[k], j);
	assert_int_equal(embed_stats(l, &s), GT_OK);
	to->stats = s.hot;
	l->ops->close(l);
}

static inline bool same(const answer *a, const answer *b)
{
	if (a->state != b->state)
		return false;
	if (a->state == ANSWER_FAILED)
		return a->why->code == b->why->code && a->why->site == b->why->site &&
			!strcmp(a->why->text, b->why->text);
	return a->m.dtype == b->m.dtype && meta_count(&a->m) == meta_count(&b->m) &&
		!memcmp(a->data, b->data,
			(size_t)meta_count(&a->m) * dtype_size((gt_dtype)a->m.dtype));
}

static unsigned failed;          /* answers of the last comparison that were failures */

static inline hot_stats compare(const program *p)
{
	static reads eager, hot;

	run(p, false, &eager);
	run(p, true, &hot);
	failed = 0;
	for (unsigned k = 0; k < eager.n; k++) {
		assert_int_equal(eager.plays[k].n, hot.plays[k].n);
		for (size_t j = 0; j < eager.plays[k].n; j++) {
			const answer *a = eager.plays[k].answers[j];

			if (!same(a, hot.plays[k].answers[j]))
				fail_msg("step %u: read %zu differs", k, j);
			failed += a->state == ANSWER_FAILED;
		}
		play_end(&eager.plays[k]);
		play_end(&hot.plays[k]);
	}
	return hot.stats;
}

#endif
