/* test_fun_types.c: fun.def read by a consumer that is not C arithmetic, as the compiler of hot
 * paths is.
 *
 * Every type is a struct of its own here and every operation a function call, so a body that uses
 * an operator, leaves a constant untyped or mixes types does not compile; and what comes out must
 * be what the kernels compute, bit for bit.
 */
#include "check.h"

#include "base/base.h"
#include "engine/fun.h"

typedef struct t_f { float v; } t_f;
typedef struct t_d { double v; } t_d;
typedef struct t_i { uint32_t v; } t_i;
typedef struct t_l { uint64_t v; } t_l;
typedef struct t_m { bool v; } t_m;
typedef struct t_pair { t_f first, second; } t_pair;

#define OPERATION2(name, to, from, expression)                                               \
	static inline to name(from x, from y)                                                \
	{                                                                                    \
		from##_raw a = x.v, b = y.v;                                                 \
		return (to){ expression };                                                   \
	}
#define OPERATION1(name, to, from, expression)                                               \
	static inline to name(from x)                                                        \
	{                                                                                    \
		from##_raw a = x.v;                                                          \
		return (to){ expression };                                                   \
	}
#define CHOICE(name, type) \
	static inline type name(t_m m, type a, type b) { return m.v ? a : b; }
#define SHIFT(name, type, expression)                                                        \
	static inline type name(type x, unsigned by)                                         \
	{                                                                                    \
		type##_raw a = x.v;                                                          \
		return (type){ expression };                                                 \
	}

typedef float t_f_raw;
typedef double t_d_raw;
typedef uint32_t t_i_raw;
typedef uint64_t t_l_raw;
typedef bool t_m_raw;

OPERATION2(ADD, t_f, t_f, a + b)
OPERATION2(SUB, t_f, t_f, a - b)
OPERATION2(MUL, t_f, t_f, a * b)
OPERATION2(DIV, t_f, t_f, a / b)
OPERATION1(SQRT, t_f, t_f, sqrtf(a))
OPERATION1(NEG, t_f, t_f, -a)
OPERATION1(ABS, t_f, t_f, fabsf(a))
OPERATION2(DADD, t_d, t_d, a + b)
OPERATION2(DSUB, t_d, t_d, a - b)
OPERATION2(DMUL, t_d, t_d, a * b)
OPERATION2(DDIV, t_d, t_d, a / b)
OPERATION1(DABS, t_d, t_d, fabs(a))
OPERATION2(IADD, t_i, t_i, a + b)
OPERATION2(ISUB, t_i, t_i, a - b)
OPERATION2(IAND, t_i, t_i, a & b)
OPERATION2(IOR, t_i, t_i, a | b)
OPERATION2(IXOR, t_i, t_i, a ^ b)
OPERATION2(LADD, t_l, t_l, a + b)
OPERATION2(LAND, t_l, t_l, a & b)
OPERATION2(LXOR, t_l, t_l, a ^ b)
OPERATION2(LT, t_m, t_f, a < b)
OPERATION2(LE, t_m, t_f, a <= b)
OPERATION2(EQ, t_m, t_f, a == b)
OPERATION2(DLT, t_m, t_d, a < b)
OPERATION2(DEQ, t_m, t_d, a == b)
OPERATION2(ILT, t_m, t_i, (int32_t)a < (int32_t)b)
OPERATION2(IEQ, t_m, t_i, a == b)
OPERATION2(AND, t_m, t_m, a && b)
OPERATION2(OR, t_m, t_m, a || b)
OPERATION1(NOT, t_m, t_m, !a)
OPERATION1(I2F, t_f, t_i, (float)(int32_t)a)
OPERATION1(I2D, t_d, t_i, (double)(int32_t)a)
OPERATION1(F2D, t_d, t_f, a)
OPERATION1(D2F, t_f, t_d, (float)a)
OPERATION1(AS_F, t_f, t_i, fun_as_f(a))
OPERATION1(AS_I, t_i, t_f, fun_as_i(a))
OPERATION1(AS_D, t_d, t_l, fun_as_d(a))
OPERATION1(AS_L, t_l, t_d, fun_as_l(a))
SHIFT(ISHL, t_i, a << by)
SHIFT(ISHR, t_i, a >> by)
SHIFT(ISAR, t_i, (uint32_t)((int32_t)a >> by))
SHIFT(LSHL, t_l, a << by)
CHOICE(SEL, t_f)
CHOICE(DSEL, t_d)
CHOICE(ISEL, t_i)

static inline t_f FMA(t_f a, t_f b, t_f c) { return (t_f){ fmaf(a.v, b.v, c.v) }; }

#define FUN1(name, ulp, f64) static t_f typed_##name(t_f x) {
#define FUN1_IN(name, ulp, limit, f64) static t_f typed_##name(t_f x) {
#define FUN2(name, ulp, f64) static t_f typed_##name(t_f x, t_f y) {
#define FUN_PAIR(name) static t_pair typed_##name(t_i x, t_i y) {
#define HELP1(name) static t_f typed_##name(t_f x) {
#define HELP2(name) static t_f typed_##name(t_f x, t_f y) {
#define HELP1_D(name) static t_d typed_##name(t_d x) {
#define HELP1_FD(name) static t_d typed_##name(t_f x) {
#define CALL1(name, a) typed_##name(a)
#define CALL2(name, a, b) typed_##name(a, b)
#define LET_F(name, value) const t_f name = value;
#define LET_D(name, value) const t_d name = value;
#define LET_I(name, value) const t_i name = value;
#define LET_L(name, value) const t_l name = value;
#define LET_M(name, value) const t_m name = value;
#define RET(value) return value;
#define RET2(a, b) return (t_pair){ a, b };
#define END }
#define F(c) ((t_f){ c })
#define D(c) ((t_d){ c })
#define I(c) ((t_i){ c })
#define L(c) ((t_l){ c })
#define INF ((t_f){ INFINITY })
#define NOT_A_NUMBER ((t_f){ NAN })
#include "ir/fun.def"

static void check_same(const char *name, float x, float got, float want)
{
	if (fun_as_i(got) != fun_as_i(want) && !(isnan(got) && isnan(want)))
		fail_msg("%s(%a) is %a, kernels say %a", name, x, got, want);
}

static void test_functions(void **state)
{
	(void)state;
	for (uint64_t bits = 0; bits < 1ull << 32; bits += 99991) {
		float x = fun_as_f((uint32_t)bits);
#define FUN1(name, ulp, f64) check_same(#name, x, typed_##name((t_f){ x }).v, fun_##name(x));
#define FUN1_IN(name, ulp, limit, f64) \
		if (!(fabsf(x) > (limit)))  \
			check_same(#name, x, typed_##name((t_f){ x }).v, fun_near_##name(x));
#define FUN2(name, ulp, f64)                                             \
		check_same(#name, x, typed_##name((t_f){ x }, (t_f){ 1.75f }).v, \
		           fun_##name(x, 1.75f));
#include "ir/fun.def"
	}
}

static void test_pairs(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 100000; i++) {
		t_i x = { i * 0x9e3779b9u }, y = { i * 0xbb67ae85u };
		t_pair got = typed_normal(x, y);
		fun_pair want = fun_normal(x.v, y.v);

		check_same("normal, first", (float)i, got.first.v, want.first);
		check_same("normal, second", (float)i, got.second.v, want.second);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_functions),
		cmocka_unit_test(test_pairs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
