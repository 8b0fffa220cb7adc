/* test_token.c: what tokens tell apart and what they do not; the table stays bounded. */
#include "check.h"
#include <string.h>
#include "hotpath/token.h"

/* Two streams are compared token by token; ids of the second are renamed. */
typedef struct side { tokens t; uint64_t base, factor, last; } side;

static void begin(side *s, uint64_t base, uint64_t factor)
{
	tokens_init(&s->t);
	s->base = base;
	s->factor = factor;
}

static uint64_t id(const side *s, uint64_t name) { return s->base + name * s->factor; }

static record *head(record_room *room, unsigned code, uint64_t bits, unsigned nin)
{
	memset(room, 0, sizeof(*room));
	room->head.op = (uint16_t)code;
	room->head.words = (uint16_t)(RECORD_HEAD_WORDS + nin);
	room->head.nin = (uint8_t)nin;
	room->head.attr = bits;
	return &room->head;
}

static uint64_t token_of(side *s, record *r)
{
	sig *made;

	return s->last = tokens_op(&s->t, r, &made);
}

static uint64_t leaf(side *s, uint64_t out)
{
	record_room room;
	record *r = head(&room, OP_upload, GT_FLOAT32, 0);

	r->out = id(s, out);
	return token_of(s, r);
}

static uint64_t bin(side *s, unsigned code, uint64_t a, uint64_t b, uint64_t out)
{
	record_room room;
	record *r = head(&room, code, 0, 2);

	r->out = id(s, out);
	r->in[0] = id(s, a);
	r->in[1] = id(s, b);
	return token_of(s, r);
}

static void leaves(side *s)
{
	for (uint64_t k = 1; k <= 4; k++)
		leaf(s, k);
}

static void begin_two(side *a, side *b)
{
	begin(a, 0, 1);
	begin(b, 0, 1);
	leaves(a);
	leaves(b);
}

static void end_two(side *a, side *b)
{
	tokens_fini(&a->t);
	tokens_fini(&b->t);
}

/* a = f(b, c), then e = g(a, d) or e = g(b, c). */
static void test_wiring(void **state)
{
	side a, b;

	(void)state;
	begin_two(&a, &b);
	assert_int_equal(bin(&a, OP_mul, 1, 2, 5), bin(&b, OP_mul, 1, 2, 5));
	assert_int_not_equal(bin(&a, OP_add, 5, 3, 6), bin(&b, OP_add, 1, 2, 6));
	end_two(&a, &b);
}

static void test_order(void **state)
{
	side a, b;

	(void)state;
	begin_two(&a, &b);
	bin(&a, OP_mul, 1, 2, 5);
	bin(&b, OP_mul, 1, 2, 5);
	assert_int_not_equal(bin(&a, OP_sub, 5, 3, 6), bin(&b, OP_sub, 3, 5, 6));
	end_two(&a, &b);
}

static void test_alias(void **state)
{
	side a, b;

	(void)state;
	begin_two(&a, &b);
	assert_int_not_equal(bin(&a, OP_mul, 1, 1, 5), bin(&b, OP_mul, 1, 2, 5));
	end_two(&a, &b);
}

/* Two ops deep: what made the inputs' inputs shows, what made theirs does not. */
static void test_depth(void **state)
{
	side a, b;

	(void)state;
	begin_two(&a, &b);
	bin(&a, OP_mul, 1, 2, 5);
	bin(&b, OP_sub, 1, 2, 5);
	assert_int_not_equal(bin(&a, OP_add, 5, 3, 6), bin(&b, OP_add, 5, 3, 6));
	assert_int_not_equal(bin(&a, OP_add, 6, 3, 7), bin(&b, OP_add, 6, 3, 7));
	assert_int_equal(bin(&a, OP_add, 7, 3, 8), bin(&b, OP_add, 7, 3, 8));
	end_two(&a, &b);
}

static void test_renaming(void **state)
{
	side a, b;

	(void)state;
	begin(&a, 0, 1);
	begin(&b, 123456789, 977);
	leaves(&a);
	leaves(&b);
	for (uint64_t k = 5; k < 200; k++) {
		const unsigned code = k % 3 ? OP_add : OP_matmul;

		assert_int_equal(bin(&a, code, k - 1 - k % 4, k - 2, k),
			bin(&b, code, k - 1 - k % 4, k - 2, k));
	}
	end_two(&a, &b);
}

static void mutate(record *r, unsigned what)
{
	switch (what) {
	case 1: r->op = OP_sub; break;
	case 2: r->attr = 1; break;
	case 3: r->metas ^= 1; break;            /* dtype */
	case 4: r->metas ^= 0x10; break;         /* rank */
	case 5: r->metas ^= 0x100; break;        /* broadcasting */
	case 6: r->nopd = 1; break;
	case 7: r->kinds = KIND_INT << 2; break;
	}
}

/* Facts of the desc make a difference; sizes, sites and scalar values do not. */
static void test_desc(void **state)
{
	uint64_t tokens_seen[8];

	(void)state;
	for (unsigned what = 0; what < 8; what++) {
		record_room room;
		record *r = head(&room, OP_add, 0, 2);
		side s;

		begin(&s, 0, 1);
		leaves(&s);
		r->in[0] = r->in[1] = 1;
		r->in[1] += what != 7;
		r->out = 9;
		r->metas = 0x2222;
		mutate(r, what);
		tokens_seen[what] = token_of(&s, r);
		for (unsigned k = 0; k < what; k++)
			assert_int_not_equal(tokens_seen[k], tokens_seen[what]);
		r->size = 77;
		r->site = 5;
		r->out = 10;
		if (what == 7)
			r->in[1] = 99;
		assert_int_equal(token_of(&s, r), tokens_seen[what]);
		tokens_fini(&s.t);
	}
}

/* Frees remove; without any the table forgets before it grows beyond its limit. */
static void test_bounded(void **state)
{
	side s;

	(void)state;
	begin(&s, 0, 1);
	for (uint64_t k = 1; k < 100000; k++) {
		leaf(&s, k);
		if (k > 10)
			tokens_free(&s.t, k - 10);
	}
	assert_int_equal(s.t.count, 10);
	assert_true(s.t.capacity <= 256);
	for (uint64_t k = 1; k < 3 * TOKEN_VALUES_MAX; k++)
		leaf(&s, 1000000 + k);
	assert_true(s.t.count <= TOKEN_VALUES_MAX);
	assert_true(s.t.capacity <= 2 * TOKEN_VALUES_MAX);
	tokens_fini(&s.t);
}

/* Deletion moves what follows: everything that lives is found, nothing else. */
static void test_table(void **state)
{
	enum { N = 5000 };
	static bool lives[N];
	uint64_t random = 1;
	side s;

	(void)state;
	begin(&s, 1, 3);
	for (unsigned round = 0; round < 20 * N; round++) {
		const uint64_t k = (random = random * 6364136223846793005u + 1442695040888963407u) >>
			33;

		if (lives[k % N])
			tokens_free(&s.t, id(&s, k % N));
		else
			leaf(&s, k % N);
		lives[k % N] = !lives[k % N];
	}
	for (uint64_t k = 0; k < N; k++)
		assert_int_equal(tokens_find(&s.t, id(&s, k)) != NULL, lives[k]);
	tokens_fini(&s.t);
}

/* The metas' eight bytes: broadcasting by either side and the same sizes are different. */
static void test_metas(void **state)
{
	const meta full = { GT_FLOAT32, 2, { 4, 5 } }, row = { GT_FLOAT32, 2, { 1, 5 } };
	const meta rank1 = { GT_FLOAT32, 1, { 5 } }, wide = { GT_FLOAT64, 2, { 4, 5 } };
	const meta *const shapes[] = { &full, &row, &rank1, &wide, NULL };
	uint64_t seen[COUNT(shapes)];

	(void)state;
	for (unsigned k = 0; k < COUNT(shapes); k++) {
		const meta *const in[] = { &full, shapes[k] };

		seen[k] = record_metas(KIND_ELEMENT, 2, in, &full);
		for (unsigned j = 0; j < k; j++)
			assert_int_not_equal(seen[j], seen[k]);
	}
}

/* Other sizes with the same broadcasting: the same. */
static void test_sizes(void **state)
{
	const meta a = { GT_FLOAT32, 2, { 4, 5 } }, b = { GT_FLOAT32, 2, { 1, 5 } };
	const meta c = { GT_FLOAT32, 2, { 9, 2 } }, d = { GT_FLOAT32, 2, { 1, 2 } };
	const meta *const first[] = { &a, &b }, *const second[] = { &c, &d };

	(void)state;
	assert_int_equal(record_metas(KIND_ELEMENT, 2, first, &a),
		record_metas(KIND_ELEMENT, 2, second, &c));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wiring), cmocka_unit_test(test_order),
		cmocka_unit_test(test_alias), cmocka_unit_test(test_depth),
		cmocka_unit_test(test_renaming), cmocka_unit_test(test_desc),
		cmocka_unit_test(test_bounded), cmocka_unit_test(test_table),
		cmocka_unit_test(test_metas), cmocka_unit_test(test_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
