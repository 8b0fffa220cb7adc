/* token.c: tokens and the table of signatures they are made from (open addressing, linear probing;
 * neighbouring ids share cache lines, as live ids are mostly neighbours). */
#include "hotpath/token.h"

#include "base/mem.h"
#include "hotpath/mix.h"

#define FIRST_CAPACITY 256u
#define GROUP 8u                 /* ids that stay together */
#define UNKNOWN UINT64_C(0x756e6b6e6f776e)     /* class of values nobody saw being made */
#define SCALAR  UINT64_C(0x7363616c6172)       /* their kinds are in the desc */

static void allocate(tokens *t, uint32_t capacity)
{
	t->capacity = capacity;
	t->shift = 64 - (unsigned)__builtin_ctz(capacity);
	t->count = 0;
	t->slots = mem_lines(capacity * sizeof(*t->slots));
}

void tokens_init(tokens *t)
{
	allocate(t, FIRST_CAPACITY);
}

void tokens_fini(tokens *t)
{
	mem_free(t->slots);
}

void tokens_forget(tokens *t)
{
	mem_free(t->slots);
	allocate(t, FIRST_CAPACITY);
}

static uint32_t home(const tokens *t, uint64_t id)
{
	const uint64_t group = (id / GROUP * UINT64_C(0x9e3779b97f4a7c15)) >> t->shift;

	return (uint32_t)((group & ~(uint64_t)(GROUP - 1)) | (id & (GROUP - 1)));
}

/* The slot of `id`, or the empty one where it would go. */
static uint32_t find(const tokens *t, uint64_t id)
{
	uint32_t i = home(t, id);

	while (t->slots[i].id && t->slots[i].id != id)
		i = (i + 1) & (t->capacity - 1);
	return i;
}

sig *tokens_find(const tokens *t, uint64_t id)
{
	sig *s = &t->slots[find(t, id)];

	return s->id ? s : NULL;
}

static void grow(tokens *t)
{
	const tokens old = *t;

	allocate(t, old.capacity * 2);
	for (uint32_t i = 0; i < old.capacity; i++)
		if (old.slots[i].id)
			t->slots[find(t, old.slots[i].id)] = old.slots[i];
	t->count = old.count;
	mem_free(old.slots);
}

static sig *put(tokens *t, uint64_t id)
{
	sig *s;

	if (UNLIKELY(t->count >= TOKEN_VALUES_MAX))
		tokens_forget(t);
	else if (UNLIKELY(t->count * 2 >= t->capacity))
		grow(t);
	s = &t->slots[find(t, id)];
	t->count += !s->id;
	s->id = id;
	s->graph = 0;
	return s;
}

/* Deletion without tombstones: what follows moves up unless it would pass its home. */
void tokens_free(tokens *t, uint64_t id)
{
	const uint32_t mask = t->capacity - 1;
	uint32_t hole = find(t, id);

	if (!t->slots[hole].id)
		return;
	for (uint32_t i = (hole + 1) & mask; t->slots[i].id; i = (i + 1) & mask) {
		const uint32_t away = (i - home(t, t->slots[i].id)) & mask;

		if (away >= ((i - hole) & mask)) {
			t->slots[hole] = t->slots[i];
			hole = i;
		}
	}
	t->slots[hole].id = 0;
	t->count--;
}

uint64_t token_desc(const record *r)
{
	const uint64_t head = r->op | (uint64_t)r->kinds << 16 | (uint64_t)r->nin << 32 |
		(uint64_t)r->nopd << 40;

	return mix(mix(head, r->attr), r->metas);
}

/* Position of the first input that is the same tensor as input k. */
static unsigned first_alias(const record *r, unsigned k)
{
	unsigned j = 0;

	while (r->in[j] != r->in[k] || record_scalar(r, j))
		j++;
	return j;
}

uint64_t tokens_op(tokens *t, const record *r, sig **made)
{
	uint64_t s0 = token_desc(r), s1, token, only = 0;
	bool leaf = true;
	sig *s;

	for (unsigned k = 0; k < r->nin; k++)
		if (!record_scalar(r, k) && r->nin > 1)
			s0 = mix(s0, first_alias(r, k));
	s1 = token = s0;
	for (unsigned k = 0; k < r->nin; k++) {
		const sig *in = record_scalar(r, k) ? NULL : tokens_find(t, r->in[k]);
		const uint64_t class = record_scalar(r, k) ? SCALAR : UNKNOWN;

		s1 = mix(s1, in ? in->s0 : class);
		token = mix(token, in ? in->s1 : class);
		if (!record_scalar(r, k)) {
			leaf = leaf && (!in || in->leaf) && (!only || only == r->in[k]);
			only = r->in[k];
		}
	}
	s = put(t, r->out);
	s->s0 = s0;
	s->s1 = s1;
	s->leaf = leaf;
	*made = s;
	return token;
}
