/* test_fuse_random.c: random programs of all kinds of rows over random shapes, sizes 0 and 1 among
 * them, with random fates of their values: as fusions and op by op the same bits, at the end and
 * wherever the run is left; no two values in one place at one time.
 *
 * FUSE_SEED=n begins at program n, FUSE_RUNS=n tries that many, FUSE_SHOW=1 prints the fusions.
 */
#include "region/fuse_program.h"

#define RUNS     (SANITIZED ? 800 : 2500)
#define COMPILED 25               /* every so many-th is run by machine code, too */

static int64_t below(int64_t n) { return (int64_t)(trial_random() % (uint64_t)n); }
static bool chance(int64_t of) { return !below(of); }

/* ---- values to choose from ---- */

static val any(program *p)
{
	if (p->n && !chance(4))
		return (val)(p->n - 1 - (uint32_t)below(MIN(p->n, 6)));
	return -1 - (val)below(p->live_count);
}

static const meta *meta_of(const program *p, val v) { return &program_view(p, v)->m; }

static val fresh(program *p, gt_dtype d, int rank, const int64_t *dims)
{
	return program_live(p, d, rank, dims, (layout)below(LAYOUTS));
}

/* A value that broadcasts with v and has its dtype: an earlier one or a new live-in. */
static val partner(program *p, val v)
{
	const meta m = *meta_of(p, v);
	int64_t dims[GT_RANK_MAX];
	int cut;

	for (int k = 0; k < 8; k++) {
		const val u = any(p);
		meta out;

		if (meta_of(p, u)->dtype == m.dtype &&
			!shape_broadcast("add", &m, meta_of(p, u), &out) && meta_count(&out) < 4000)
			return u;
	}
	if (p->live_count == PROGRAM_LIVE)
		return v;
	cut = (int)below(m.rank + 1);
	for (int k = cut; k < m.rank; k++)
		dims[k - cut] = chance(3) ? 1 : m.dims[k];
	return fresh(p, (gt_dtype)m.dtype, m.rank - cut, dims);
}

static dtype_kind kind_of(const program *p, val v)
{
	return dtype_kind_of((gt_dtype)meta_of(p, v)->dtype);
}

/* v, or v made a float. */
static val number(program *p, val v)
{
	return kind_of(p, v) == KIND_FLOAT ? v : cast(p, v, GT_FLOAT32);
}

static unsigned pick(const uint8_t *codes, int count)
{
	return codes[below(count)];
}
#define PICK(...) \
	pick((const uint8_t[]){ __VA_ARGS__ }, (int)COUNT(((const uint8_t[]){ __VA_ARGS__ })))

/* ---- one op each ---- */

static void put_unary(program *p)
{
	const val v = any(p);

	if (kind_of(p, v) == KIND_FLOAT)
		op1(p, PICK(OP_neg, OP_abs, OP_sign, OP_square, OP_reciprocal, OP_sqrt, OP_exp,
			OP_log, OP_tanh, OP_sigmoid, OP_relu, OP_gelu, OP_floor, OP_isnan,
			OP_clone, OP_sin), v);
	else if (kind_of(p, v) == KIND_INT)
		op1(p, PICK(OP_neg, OP_abs, OP_square, OP_relu, OP_not, OP_clone), v);
	else
		op1(p, PICK(OP_not, OP_clone, OP_isfinite), v);
}

static unsigned binary_code(dtype_kind kind)
{
	if (kind == KIND_FLOAT)
		return PICK(OP_add, OP_sub, OP_mul, OP_div, OP_minimum, OP_maximum, OP_lt, OP_eq,
			OP_pow, OP_mod);
	return kind == KIND_INT ? PICK(OP_add, OP_sub, OP_mul, OP_minimum, OP_ge, OP_xor, OP_and) :
		PICK(OP_add, OP_mul, OP_or, OP_xor, OP_ne);
}

static void put_binary(program *p)
{
	const val a = any(p);
	const unsigned code = binary_code(kind_of(p, a));
	room r;

	if (!chance(3)) {
		const val b = partner(p, a);

		op2(p, code, chance(2) ? a : b, chance(2) ? b : a);
		return;
	}
	program_begin(&r, code);
	if (chance(4)) {
		program_int(&r, kind_of(p, a) == KIND_BOOL ? 1 : below(5));
		if (kind_of(p, a) == KIND_BOOL) {
			op1(p, OP_not, a);
			return;
		}
		program_in(&r, a);
	} else {
		program_in(&r, a);
		if (kind_of(p, a) == KIND_FLOAT)
			program_scalar(&r, trial_number());
		else if (kind_of(p, a) == KIND_INT)
			program_int(&r, below(7) - 3);
		else
			program_in(&r, a);
	}
	program_put(p, &r);
}

static void put_choice(program *p)
{
	const val a = any(p), b = partner(p, a);
	val c = partner(p, a);
	meta out;
	room r;

	if (shape_broadcast("where", meta_of(p, a), meta_of(p, b), &out) || chance(3)) {
		program_begin(&r, OP_clamp);
		program_in(&r, number(p, a));
		program_scalar(&r, -0.5);
		program_scalar(&r, 0.5);
		program_put(p, &r);
		return;
	}
	c = chance(2) ? op2(p, OP_eq, a, b) : cast(p, a, GT_BOOL);
	program_begin(&r, OP_where);
	program_in(&r, c);
	program_in(&r, a);
	program_in(&r, b);
	program_put(p, &r);
}

static void put_cast(program *p)
{
	cast(p, any(p), (gt_dtype)(1 + below(GT_DTYPE_COUNT - 1)));
}

static unsigned random_axes(const meta *m)
{
	const unsigned all = (1u << m->rank) - 1;

	return chance(3) ? all : chance(2) && m->rank ? 1u << below(m->rank) :
		(unsigned)below(all + 1);
}

static void put_reduce(program *p)
{
	val v = any(p);
	const meta *m = meta_of(p, v);
	const unsigned axes = random_axes(m);
	bool empty = false;

	for (int k = 0; k < m->rank; k++)
		empty |= (axes >> k & 1) && !m->dims[k];
	if (chance(2)) {
		v = number(p, v);
		reduce(p, empty ? OP_mean : PICK(OP_mean, OP_mean, OP_var, OP_logsumexp), v, axes,
			chance(2));
	} else {
		reduce(p, empty ? PICK(OP_sum, OP_prod, OP_any, OP_all) :
			PICK(OP_sum, OP_sum, OP_prod, OP_max, OP_min, OP_any, OP_all), v, axes,
			chance(2));
	}
}

static void put_normal(program *p)
{
	const val v = number(p, any(p));
	const int rank = meta_of(p, v)->rank;

	if (!rank)
		return;
	if (chance(3))
		normalize(p, v, ((1u << rank) - 1) & ~((1u << below(rank)) - 1));
	else
		along(p, chance(2) ? OP_softmax : OP_log_softmax, v, (unsigned)below(rank));
}

/* ---- views ---- */

static void put_reshape(program *p, val v)
{
	const meta m = *meta_of(p, v);
	int64_t dims[GT_RANK_MAX], rest = meta_count(&m);
	int rank = 0;

	if (!rest)
		return;
	while (rank < 3 && rest > 1) {
		int64_t d = 1 + below(6);

		while (rest % d)
			d--;
		dims[rank++] = d;
		rest /= d;
	}
	if (rest > 1 || chance(4))
		dims[rank++] = rest;
	if (chance(4) && m.rank < 6) {   /* the same with another 1 */
		rank = m.rank + 1;
		dims[0] = 1;
		for (int k = 0; k < m.rank; k++)
			dims[k + 1] = m.dims[k];
	}
	shaped(p, OP_reshape, v, rank, dims);
}

static void put_permute(program *p, val v)
{
	const int rank = meta_of(p, v)->rank;
	int perm[GT_RANK_MAX];

	for (int k = 0; k < rank; k++) {
		const int other = (int)below(k + 1);

		perm[k] = perm[other];
		perm[other] = k;
	}
	permute(p, v, rank, perm);
}

static void put_expand(program *p, val v)
{
	const meta m = *meta_of(p, v);
	int64_t dims[GT_RANK_MAX];

	if (m.rank > 4 || meta_count(&m) > 300)
		return;
	dims[0] = 1 + below(3);
	for (int k = 0; k < m.rank; k++)
		dims[k + 1] = m.dims[k] == 1 ? 1 + below(5) : m.dims[k];
	shaped(p, OP_expand, v, m.rank + 1, dims);
}

static void put_slice(program *p, val v)
{
	const meta m = *meta_of(p, v);
	room r;

	program_begin(&r, OP_slice);
	program_in(&r, v);
	for (int k = 0; k < m.rank; k++) {
		const int64_t step = 1 + below(2), count = below((m.dims[k] + step - 1) / step + 1);
		const int64_t span = count ? (count - 1) * step + 1 : 0;
		const int64_t first = below(m.dims[k] - span + 1);
		const bool back = count && chance(4);

		ins_put_operand(r.i, back ? first + span - 1 : first);
		ins_put_operand(r.i, count);
		ins_put_operand(r.i, back ? -step : step);
	}
	program_put(p, &r);
}

static void put_view(program *p)
{
	const val v = any(p);

	switch (below(4)) {
	case 0:
		put_reshape(p, v);
		break;
	case 1:
		put_permute(p, v);
		break;
	case 2:
		put_expand(p, v);
		break;
	default:
		put_slice(p, v);
	}
}

/* ---- what stays a call ---- */

static void put_matmul(program *p)
{
	val a = number(p, any(p)), b;
	int64_t dims[2];

	if (meta_of(p, a)->rank < 2)
		return;
	dims[0] = meta_of(p, a)->dims[meta_of(p, a)->rank - 1];
	dims[1] = chance(2) ? 16 + below(8) : chance(8) ? 260 : 1 + below(6);
	b = p->live_count < PROGRAM_LIVE ? fresh(p, (gt_dtype)meta_of(p, a)->dtype, 2, dims) :
		transpose(p, a);
	if (chance(3))
		b = transpose(p, a);
	a = op2(p, OP_matmul, a, b);
	if (chance(3))
		op2(p, PICK(OP_add, OP_mul, OP_lt), a, partner(p, a));
	else if (chance(2))
		op1(p, PICK(OP_relu, OP_neg, OP_gelu), a);
}

static void put_create(program *p)
{
	const meta *m = meta_of(p, any(p));
	room r;

	if (!chance(3)) {
		full(p, chance(3) ? GT_INT64 : GT_FLOAT32, trial_number(), m->rank, m->dims);
		return;
	}
	program_begin(&r, PICK(OP_rand, OP_rand, OP_randn, OP_randint, OP_arange));
	r.i->attr.dtype = chance(2) ? GT_FLOAT32 : r.i->op == OP_rand || r.i->op == OP_randn ?
		GT_FLOAT64 : chance(2) ? GT_INT32 : GT_INT64;
	if (r.i->op == OP_randint || r.i->op == OP_arange) {
		program_int(&r, below(9) - 4);
		program_int(&r, 5 + below(9));
	}
	if (r.i->op == OP_arange) {
		ins_put_operand(r.i, m->rank ? m->dims[m->rank - 1] : 3);
		program_put(p, &r);
		return;
	}
	ins_put_operand(r.i, 7);
	ins_put_operand(r.i, below(1000));
	for (int k = 0; k < m->rank; k++)
		ins_put_operand(r.i, m->dims[k]);
	program_put(p, &r);
}

static val put_indices(program *p, bool narrow, int rank, const int64_t *dims, int64_t n)
{
	const val at = program_live(p, narrow ? GT_INT32 : GT_INT64, rank, dims, PLAIN);
	void *to = program_view(p, at)->data;

	for (int64_t k = 0; k < meta_count(meta_of(p, at)); k++)
		if (narrow)
			((int32_t *)to)[k] = (int32_t)(below(2 * n) - n);
		else
			((int64_t *)to)[k] = below(2 * n) - n;
	return at;
}

/* Slices along an axis, a gather, or one-hot vectors. */
static void put_select(program *p)
{
	const val v = any(p);
	const int rank = (int)below(3);
	int64_t dims[GT_RANK_MAX] = { 1 + below(6), 1 + below(4) };
	meta m;
	room r;

	meta_copy(&m, meta_of(p, v));
	if (!m.rank || m.rank > 4 || !meta_count(&m) || meta_count(&m) > 1000 ||
		p->live_count >= PROGRAM_LIVE - 1)
		return;
	if (chance(4)) {
		const val at = put_indices(p, chance(2), rank, dims, m.dims[0]);

		program_begin(&r, OP_one_hot);
		program_in(&r, at);
		ins_put_operand(r.i, m.dims[0]);
		program_put(p, &r);
		return;
	}
	program_begin(&r, chance(2) ? OP_gather : OP_index_select);
	r.i->attr.axis = (uint8_t)below(m.rank);
	program_in(&r, v);
	if (r.i->op == OP_gather) {
		memcpy(dims, m.dims, sizeof dims);
		dims[r.i->attr.axis] = 1 + below(9);
	}
	program_in(&r, put_indices(p, false, r.i->op == OP_gather ? m.rank : rank, dims,
			m.dims[r.i->attr.axis]));
	program_put(p, &r);
}

/* Picks one element of each row along an axis, and adds something at the same places. */
static void put_pick(program *p)
{
	const val v = any(p);
	meta m;
	unsigned axis;
	int64_t n;
	val at, y;
	room r;

	meta_copy(&m, meta_of(p, v));
	if (!m.rank || !meta_count(&m) || m.dtype == GT_BOOL || p->live_count >= PROGRAM_LIVE - 1)
		return;
	axis = (unsigned)below(m.rank);
	n = m.dims[axis];
	m.dims[axis] = 1;
	at = program_live(p, GT_INT64, m.rank, m.dims, PLAIN);
	for (int64_t k = 0; k < meta_count(&m); k++)
		((int64_t *)program_view(p, at)->data)[k] = below(2 * n) - n;
	program_begin(&r, OP_gather);
	r.i->attr.axis = (uint8_t)axis;
	program_in(&r, v);
	program_in(&r, at);
	y = program_put(p, &r);
	program_begin(&r, OP_scatter_add);
	r.i->attr.axis = (uint8_t)axis;
	program_in(&r, v);
	program_in(&r, at);
	program_in(&r, y);
	program_put(p, &r);
}

static void put_index(program *p)
{
	const val v = any(p);
	const meta *m = meta_of(p, v);
	room r;

	if (!m->rank)
		return;
	if (chance(2)) {
		program_begin(&r, OP_cat);
		r.i->attr.axis = (uint8_t)below(m->rank);
		program_in(&r, v);
		program_in(&r, v);
	} else if (m->rank > 1) {
		program_begin(&r, chance(2) ? OP_tril : OP_triu);
		program_in(&r, v);
		ins_put_operand(r.i, below(3) - 1);
	} else {
		return;
	}
	if (meta_count(m) < 1000)
		program_put(p, &r);
}

static void put_op(program *p)
{
	static void (*const makers[])(program *p) = { put_unary, put_unary, put_unary, put_binary,
		put_binary, put_binary, put_binary, put_binary, put_choice, put_cast, put_reduce,
		put_reduce, put_normal, put_view, put_view, put_matmul, put_matmul, put_create,
		put_create, put_index, put_pick, put_select, put_select };

	makers[below(COUNT(makers))](p);
}

/* ---- fates ---- */

static void set_fates(program *p)
{
	for (uint32_t k = 0; k < p->n; k++) {
		region_op *o = &p->ops[k];
		const uint32_t last = o->last_use == REGION_NEVER ? k : o->last_use;

		o->read = chance(20);
		o->live_out = o->read || chance(10) || k + 1 == p->n;
		o->freed = chance(8) ? REGION_NEVER : chance(8) ? p->n + (uint32_t)below(p->n) :
			chance(3) ? last + (uint32_t)below(p->n - last) : last;
	}
}

static program *random_program(const engine *e, uint64_t seed)
{
	char *what = mem_alloc(40);
	program *p;
	const int ops = 3 + (int)below(40);

	snprintf(what, 40, "program %llu", (unsigned long long)seed);
	p = program_new(e, what);
	for (int k = 0; k < 4; k++) {
		int64_t dims[4];
		const int rank = (int)below(4) + (k < 2);

		for (int d = 0; d < rank; d++)
			dims[d] = chance(12) ? 0 : chance(6) ? 1 : chance(20) ? 130 : 2 + below(6);
		fresh(p, k ? (gt_dtype)(1 + below(GT_DTYPE_COUNT - 1)) : GT_FLOAT32, MIN(rank, 4),
			dims);
	}
	while (p->n < (uint32_t)ops)
		put_op(p);
	set_fates(p);
	program_end(p);
	p->small = chance(2) ? FUSE_SMALL : 0;
	p->taste = (fuse_taste)below(FUSE_TASTES);
	return p;
}

/* ---- what must hold ---- */

static bool meet(const fusion *f, const fuse_value *a, const fuse_value *b)
{
	for (int round = -1; round <= 1; round++) {
		const int64_t shift = round * (int64_t)f->ops;
		const int64_t from = (int64_t)f->steps.at[b->step].launch + shift;

		if (from <= (int64_t)a->until &&
			(int64_t)f->steps.at[a->step].launch <= (int64_t)b->until + shift)
			return true;
	}
	return false;
}

static void check_arena(const program *p, const fusion *f)
{
	for (uint32_t a = 0; a < f->values.count; a++) {
		const fuse_value *x = &f->values.at[a];
		const uint64_t size = (uint64_t)meta_count(&x->m) *
			dtype_size((gt_dtype)x->m.dtype);

		if (x->where != FUSE_ARENA)
			continue;
		assert_true(x->at % 64 == 0 && x->at + size <= f->arena_size);
		for (uint32_t b = 0; b < a; b++) {
			const fuse_value *y = &f->values.at[b];
			const uint64_t other = (uint64_t)meta_count(&y->m) *
				dtype_size((gt_dtype)y->m.dtype);

			if (y->where == FUSE_ARENA && x->at < y->at + other &&
				y->at < x->at + size && meet(f, x, y)) {
				program_show(f);
				fail_msg("%s: values %u and %u share memory", p->what, a, b);
			}
		}
	}
}

static void check_program(uint64_t seed, uint64_t *kernels, uint64_t *ops_fused,
	uint64_t *products)
{
	program *p;
	fusion *f, *alone;

	trial_state = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15);
	for (int k = 0; k < 8; k++)
		trial_random();
	p = random_program(trial_reference, seed);
	f = program_fuse(p, false);
	alone = program_fuse(p, true);
	if (getenv("FUSE_SHOW"))
		program_show(f);
	program_check(p, f);
	program_check(p, alone);
	check_arena(p, f);
	program_leave(p, f, (uint32_t)below(p->n));
	program_leave(p, f, (uint32_t)below(p->n));
	if (seed % COMPILED == 0 && !plugin_open(&program_generator))
		program_check(p, f);
	program_generator = NULL;
	program_vary(p);
	for (uint32_t k = 0; k < p->n; k++)
		assert_true(fusion_fits(f, k, p->run[k]));
	program_check(p, f);
	for (uint32_t k = 0; k < f->steps.count; k++)
		if (f->steps.at[k].kind <= STEP_PRODUCT) {
			++*kernels;
			*ops_fused += f->steps.at[k].members_count;
			*products += f->steps.at[k].kind == STEP_PRODUCT;
		}
	fusion_free(f);
	fusion_free(alone);
	mem_free((char *)p->what);
	program_free(p);
}

static void test_random(void **state)
{
	const char *seed = getenv("FUSE_SEED"), *runs = getenv("FUSE_RUNS");
	const uint64_t first = seed ? strtoull(seed, NULL, 10) : 0;
	const uint64_t count = runs ? strtoull(runs, NULL, 10) : seed ? 1 : RUNS;
	uint64_t kernels = 0, fused = 0, products = 0;

	(void)state;
	for (uint64_t k = first; k < first + count; k++)
		check_program(k, &kernels, &fused, &products);
	print_message("%llu programs, %llu kernels of %llu ops, %llu behind products\n",
		(unsigned long long)count, (unsigned long long)kernels, (unsigned long long)fused,
		(unsigned long long)products);
	if (!seed)
		assert_true(kernels > count && fused > 2 * kernels && products > count / 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_random) };

	int failed = cmocka_run_group_tests_name("fuse_random", tests, trial_open, trial_close_all);

	program_codes_free();
	return failed;
}
