/* engine.c: opening an engine, scalars on their way into a kernel, and what an instruction
 * costs. */
#include "engine/engine.h"

#include "base/cpu.h"
#include "base/mem.h"
#include "engine/arith.h"
#include "engine/rows.h"

/* ---- The table of kernels. ---- */

typedef void rows(kernel **table);

#define ROWS_PLAIN(file) file##_rows,
#define ROWS_BASE(file) file##_rows_base,
#define ROWS_AVX2(file) file##_rows_avx2,
#define ROWS_AVX512(file) file##_rows_avx512,
static rows *const plain_rows[] = { ROWS_FILES(ROWS_PLAIN) NULL };
static rows *const isa_rows[ISA_COUNT][16] = {
	[ISA_BASE] = { ROWS_ISA_FILES(ROWS_BASE) NULL },
	[ISA_AVX2] = { ROWS_ISA_FILES(ROWS_AVX2) NULL },
	[ISA_AVX512] = { ROWS_ISA_FILES(ROWS_AVX512) NULL },
};

void engine_rows(kernel **table, cpu_isa level)
{
	memcpy(table, engine_reference, sizeof(engine_reference));
	for (rows *const *r = plain_rows; *r; r++)
		(*r)(table);
	for (rows *const *r = isa_rows[level]; *r; r++)
		(*r)(table);
}

gt_err engine_open(engine_backend backend, int threads, uint64_t memory_limit, engine **out)
{
	engine *e = mem_zero(sizeof(*e));

	if (backend == ENGINE_CPU)
		engine_rows(e->kernels, cpu_isa_level());
	else
		memcpy(e->kernels, engine_reference, sizeof(engine_reference));
	e->name = backend == ENGINE_CPU ? "cpu" : "reference";
	e->pool = pool_new(threads);
	e->memory = allocator_new(memory_limit);
	*out = e;
	return GT_OK;
}

void engine_close(engine *e)
{
	if (!e)
		return;
	pool_free(e->pool);
	allocator_free(e->memory);
	mem_free(e);
}

/* ---- Scalars. ---- */

static void convert_float(double x, gt_dtype dtype, void *to)
{
	switch (dtype) {
#define CASE(d, type, unused) case GT_##d: *(type *)to = arith_cast_FLOAT64_##d(x); break;
	EACH_DTYPE(CASE, )
#undef CASE
	default:
		assert(!"a scalar is converted to a dtype");
	}
}

static void convert_int(int64_t x, gt_dtype dtype, void *to)
{
	switch (dtype) {
#define CASE(d, type, unused) case GT_##d: *(type *)to = arith_cast_INT64_##d(x); break;
	EACH_DTYPE(CASE, )
#undef CASE
	default:
		assert(!"a scalar is converted to a dtype");
	}
}

void engine_scalar(dtype_kind kind, scalar s, gt_dtype dtype, void *to)
{
	if (kind == KIND_FLOAT)
		convert_float(s.f, dtype, to);
	else
		convert_int(s.i, dtype, to);
}

/* arange computes in float64 as soon as a float takes part, so that 0.1 * 30 is rounded once. */
static gt_dtype arange_dtype(const ins *i, const meta *out)
{
	bool floats = dtype_kind_of(out->dtype) == KIND_FLOAT ||
		INS_KIND(i->kinds, 0) == KIND_FLOAT || INS_KIND(i->kinds, 1) == KIND_FLOAT;

	return floats ? GT_FLOAT64 : GT_INT64;
}

gt_dtype engine_scalar_dtype(const ins *i, int k, const meta *const *in, const meta *out)
{
	switch (i->op) {
	case OP_where:
		return k == 0 ? GT_BOOL : (gt_dtype)out->dtype;
	case OP_arange:
		return arange_dtype(i, out);
	case OP_randint:
		return GT_INT64;
	}
	for (int n = 0; n < i->nin; n++)
		if (in[n])
			return (gt_dtype)in[n]->dtype;
	return (gt_dtype)out->dtype;
}
