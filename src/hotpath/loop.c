/* loop.c: following a loop through the stream. */
#include "hotpath/loop.h"

#include "base/mem.h"
#include "hotpath/token.h"

static uint64_t desc_of(const region_op *o)
{
	const record r = { .op = o->op, .kinds = o->kinds, .nin = o->nin, .nopd = o->nopd,
		.attr = o->attr, .metas = o->metas };

	return token_desc(&r);
}

void loop_init(loop *l, region *r)
{
	*l = (loop){ .signature = r->signature, .n = r->n, .region = r, .noisy = r->noisy };
	l->tokens = mem_alloc(r->n * sizeof(*l->tokens));
	l->descs = mem_alloc(r->n * sizeof(*l->descs));
	l->pos = mem_alloc(r->n * sizeof(*l->pos));
	l->exact = !r->noisy;    /* the run it was made from */
	l->asked = r->noisy ? LOOP_EXACT_NOISY : LOOP_EXACT;
	for (uint32_t i = 0; i < r->n; i++) {
		const unsigned code = r->ops[i].op;

		l->tokens[i] = r->ops[i].token;
		l->descs[i] = desc_of(&r->ops[i]);
		l->fresh |= code == OP_upload || code == OP_rand || code == OP_randn ||
			code == OP_randint;
	}
	loop_lose(l);
}

void loop_fini(loop *l)
{
	mem_free(l->tokens);
	mem_free(l->descs);
	mem_free(l->pos);
	region_free(l->region);
	memset(l, 0, sizeof(*l));
}

void loop_proved(loop *l)
{
	if (!loop_proven(l))
		return;
	mem_free(l->pos);
	l->pos = NULL;
}

/* Ops told by tokens: a foreign op close to the beginning would change those behind it. */
static uint32_t told_by_token(const loop *l)
{
	return l->noisy ? 1 : BUILD_GRAM;
}

static bool accept(loop *l, uint64_t n)
{
	if (l->pos)
		l->pos[l->at] = n;
	l->foreign = 0;
	l->streak++;
	l->taken++;
	if (++l->at == l->n) {
		l->at = 0;
		l->runs++;
		l->losses = 0;
		l->done_at = n;
		l->ends[l->ended++ % LOOP_ENDS] = n;
	}
	l->expect = l->at < told_by_token(l) ? l->tokens[l->at] : l->descs[l->at];
	return true;
}

/* Fewer for short loops: what misses one of its ops shall not wait for it a whole period long. */
static uint32_t foreign_most(const loop *l)
{
	return MIN(LOOP_FOREIGN_MAX, 4 + l->n / 8);
}

bool loop_step(loop *l, uint64_t n, uint64_t token, uint64_t desc)
{
	const bool entering = l->at < BUILD_GRAM;

	if (LIKELY((l->at < told_by_token(l) ? token : desc) == l->expect))
		return accept(l, n);
	l->streak = 0;
	if (entering && token == l->tokens[0]) {
		l->at = 0;
		return accept(l, n);
	}
	if (l->at && ++l->foreign > (entering ? BUILD_GRAM : foreign_most(l))) {
		l->losses += !entering;
		loop_lose(l);
	}
	return false;
}
