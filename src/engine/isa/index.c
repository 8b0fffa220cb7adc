/* index.c: fast rows of indexing.
 *
 * Indices are checked before anything is written, then every kernel is a loop over rows: a slice
 * that is contiguous on both sides is a memcpy or a vector loop. Additions are made in the order
 * of the index, by one thread: what meets in one place must be added in one order.
 */
#include "engine/index.h"

#include "engine/arith.h"
#include "engine/isa/tiles.h"
#include "engine/reference.h"

#define CHUNK_BYTES (128 * 1024)

static int64_t product(const int64_t *dims, int from, int end)
{
	int64_t n = 1;

	for (int d = from; d < end; d++)
		n *= dims[d];
	return n;
}

/* Element n of a checked index tensor, as a place. */
static int64_t place(const view *indices, int64_t n, int64_t size)
{
	const void *p = indices->contiguous ? reference_out(indices, n) :
		reference_meets(indices, &indices->m, n);

	return index_place(indices->m.dtype, p, size);
}

/* Whether the dims of `v` from `d` on lie in memory as one contiguous run. */
static bool is_run(const view *v, int d)
{
	int64_t stride = 1;

	for (int k = v->m.rank - 1; k >= d; k--) {
		if (v->m.dims[k] != 1 && v->strides[k] != stride)
			return false;
		stride *= v->m.dims[k];
	}
	return true;
}

/* The offset of element n of the first `dims` dims of `v`, in elements. */
static int64_t outer_offset(const view *v, int dims, int64_t n)
{
	int64_t offset = 0;

	for (int d = dims - 1; d >= 0; d--) {
		offset += n % v->m.dims[d] * v->strides[d];
		n /= v->m.dims[d];
	}
	return offset;
}

/* The constant sizes become single moves. */
static void move_slice(void *to, const void *from, size_t bytes)
{
	if (bytes == 4)
		memcpy(to, from, 4);
	else if (bytes == 8)
		memcpy(to, from, 8);
	else
		memcpy(to, from, bytes);
}

/* All of `v` to contiguous memory. */
static void copy_view(const kcall *c, const view *v, void *to)
{
	tile_move m = { .rank = v->m.rank, .size = dtype_size(v->m.dtype),
		.to = to, .from = v->data };

	memcpy(m.dims, v->m.dims, sizeof(m.dims));
	memcpy(m.from_strides, v->strides, sizeof(m.from_strides));
	shape_contiguous(&v->m, m.to_strides);
	ISA(walk_copy)(&m, c->engine->pool);
}

/* The result begins as the first input, and may lie in its memory already (engine/index.h). */
static void copy_base(const kcall *c)
{
	if (c->in[0]->data != c->out->data)
		copy_view(c, c->in[0], c->out->data);
}

/* ---- index_select: out[outer, j, inner] = x[outer, index[j], inner]. ---- */

typedef struct selection {
	const view *x, *indices;
	char *out;
	int axis;
	int64_t picks, size;           /* elements of the index tensor, of the axis */
	int64_t slice;                 /* bytes of an inner part */
	int64_t slices, chunk;         /* outer * picks, and how many a thread takes at once */
} selection;

static void select_chunk(void *ctx, int64_t k)
{
	const selection *s = ctx;
	int64_t element = (int64_t)dtype_size(s->x->m.dtype);
	int64_t step = s->x->strides[s->axis] * element;
	int64_t n = k * s->chunk, end = MIN(n + s->chunk, s->slices), pick = n % s->picks;

	for (const char *from = NULL; n < end; n++, pick = pick + 1 == s->picks ? 0 : pick + 1) {
		if (!from || pick == 0)
			from = (const char *)s->x->data +
				outer_offset(s->x, s->axis, n / s->picks) * element;
		move_slice(s->out + n * s->slice, from + place(s->indices, pick, s->size) * step,
			(size_t)s->slice);
	}
}

static gt_err select_slices(const kcall *c)
{
	const view *x = c->in[0];
	selection s = { .x = x, .indices = c->in[1], .out = c->out->data, .axis = c->i->attr.axis };

	s.size = x->m.dims[s.axis];
	s.picks = meta_count(&s.indices->m);
	s.slice = product(x->m.dims, s.axis + 1, x->m.rank) * (int64_t)dtype_size(x->m.dtype);
	s.slices = product(x->m.dims, 0, s.axis) * s.picks;
	s.chunk = pool_worth(c->engine->pool, 2 * s.slices * s.slice) ?
		MAX(CHUNK_BYTES / s.slice, 1) : s.slices;
	pool_run(c->engine->pool, (s.slices + s.chunk - 1) / s.chunk, select_chunk, &s);
	return GT_OK;
}

/* One pick at a time, outer and inner dims at once: for inputs whose slices are scattered. */
static gt_err select_scattered(const kcall *c)
{
	const view *x = c->in[0], *indices = c->in[1];
	int axis = c->i->attr.axis;
	int64_t element = (int64_t)dtype_size(x->m.dtype), picks = meta_count(&indices->m);
	tile_move m = { .rank = x->m.rank, .size = dtype_size(x->m.dtype) };
	meta shape;

	meta_copy(&shape, &x->m);
	shape.dims[axis] = picks;
	shape_contiguous(&shape, m.to_strides);
	memcpy(m.dims, x->m.dims, sizeof(m.dims));
	memcpy(m.from_strides, x->strides, sizeof(m.from_strides));
	m.dims[axis] = 1;
	for (int64_t k = 0; k < picks; k++) {
		int64_t from = place(indices, k, x->m.dims[axis]) * x->strides[axis];

		m.to = (char *)c->out->data + k * m.to_strides[axis] * element;
		m.from = (const char *)x->data + from * element;
		ISA(walk_copy)(&m, c->engine->pool);
	}
	return GT_OK;
}

static gt_err index_select(const kcall *c)
{
	const view *x = c->in[0];
	int axis = c->i->attr.axis;

	if (index_check(c, c->in[1], x->m.dims[axis]))
		return GT_EINDEX;
	if (!meta_count(&c->out->m))
		return GT_OK;
	return is_run(x, axis + 1) ? select_slices(c) : select_scattered(c);
}

/* ---- gather and scatter_add: an index for every element, in rows along the last dim. ---- */

/* Where row n of the index tensor is in a tensor of the same rank, the axis left to the indices. */
static int64_t row_offset(const view *v, const meta *indices, int axis, int64_t n)
{
	int64_t offset = 0;

	for (int d = indices->rank - 2; d >= 0; d--) {
		if (d != axis)
			offset += n % indices->dims[d] * v->strides[d];
		n /= indices->dims[d];
	}
	return offset;
}

/* From one element of the row to the next, the axis left to the indices. */
static int64_t row_step(const view *v, int axis)
{
	return axis == v->m.rank - 1 ? 0 : v->strides[v->m.rank - 1];
}

#define DEFINE_GATHER(bytes, type)                                                       \
	static void gather_##bytes(const kcall *c, int64_t rows, int64_t cols)           \
	{                                                                                \
		const view *x = c->in[0], *indices = c->in[1];                           \
		int axis = c->i->attr.axis;                                              \
		int64_t size = x->m.dims[axis], stride = x->strides[axis];               \
		int64_t step = row_step(x, axis);                                        \
		type *out = c->out->data;                                                \
                                                                                         \
		for (int64_t r = 0; r < rows; r++, out += cols) {                        \
			const type *from = (const type *)x->data +                       \
				row_offset(x, &indices->m, axis, r);                     \
                                                                                         \
			for (int64_t k = 0; k < cols; k++)                               \
				out[k] = from[k * step +                                 \
					place(indices, r * cols + k, size) * stride];    \
		}                                                                        \
	}
DEFINE_GATHER(1, uint8_t)
DEFINE_GATHER(4, uint32_t)
DEFINE_GATHER(8, uint64_t)

static gt_err gather(const kcall *c)
{
	const meta *m = &c->out->m;
	int64_t count = meta_count(m), cols = m->dims[m->rank - 1];

	if (index_check(c, c->in[1], c->in[0]->m.dims[c->i->attr.axis]))
		return GT_EINDEX;
	if (!count)
		return GT_OK;
	if (dtype_size(m->dtype) == 4)
		gather_4(c, count / cols, cols);
	else if (dtype_size(m->dtype) == 8)
		gather_8(c, count / cols, cols);
	else
		gather_1(c, count / cols, cols);
	return GT_OK;
}

#define DEFINE_SCATTER(d, type, unused)                                                  \
	static void scatter_##d(const kcall *c, int64_t rows, int64_t cols)              \
	{                                                                                \
		const view *out = c->out, *indices = c->in[1], *source = c->in[2];       \
		int axis = c->i->attr.axis, last = out->m.rank - 1;                      \
		int64_t size = out->m.dims[axis], stride = out->strides[axis];           \
		int64_t step = row_step(out, axis), from_step = source->strides[last];   \
                                                                                         \
		for (int64_t r = 0; r < rows; r++) {                                     \
			type *to = (type *)out->data + row_offset(out, &indices->m, axis, r); \
			const type *from = (const type *)source->data +                  \
				row_offset(source, &indices->m, -1, r);                  \
                                                                                         \
			for (int64_t k = 0; k < cols; k++) {                             \
				type *at = to + k * step +                               \
					place(indices, r * cols + k, size) * stride;     \
                                                                                         \
				*at = arith_add_##d(*at, from[k * from_step]);           \
			}                                                                \
		}                                                                        \
	}
EACH_NUMBER(DEFINE_SCATTER, )

static gt_err scatter_add(const kcall *c)
{
#define SCATTER(d, type, unused) [GT_##d] = scatter_##d,
	static void (*const scatters[])(const kcall *, int64_t, int64_t) = {
		EACH_NUMBER(SCATTER, )
	};
	const meta *m = &c->in[1]->m;
	int64_t count = meta_count(m), cols = m->dims[m->rank - 1];

	if (index_check(c, c->in[1], c->out->m.dims[c->i->attr.axis]))
		return GT_EINDEX;
	copy_base(c);
	if (count)
		scatters[c->out->m.dtype](c, count / cols, cols);
	return GT_OK;
}

/* ---- index_add and index_set: out[outer, index[j], inner] += source[outer, j, inner]. ---- */

typedef void put_slice(void *to, const void *from, int64_t n);

#define DEFINE_ADD(d, type, unused)                                                      \
	static void add_slice_##d(void *to, const void *from, int64_t n)                 \
	{                                                                                \
		type *restrict sum = to;                                                 \
		const type *x = from;                                                    \
                                                                                         \
		for (int64_t k = 0; k < n; k++)                                          \
			sum[k] = arith_add_##d(sum[k], x[k]);                            \
	}
EACH_NUMBER(DEFINE_ADD, )

#define DEFINE_SET(bytes)                                                                \
	static void set_slice_##bytes(void *to, const void *from, int64_t n)             \
	{                                                                                \
		memcpy(to, from, (size_t)n * bytes);                                     \
	}
DEFINE_SET(1)
DEFINE_SET(4)
DEFINE_SET(8)

static void put_picks(const kcall *c, const view *source, put_slice *put)
{
	const view *out = c->out, *indices = c->in[1];
	int axis = c->i->attr.axis;
	int64_t element = (int64_t)dtype_size(out->m.dtype), size = out->m.dims[axis];
	int64_t outer = product(out->m.dims, 0, axis), picks = meta_count(&indices->m);
	int64_t inner = product(out->m.dims, axis + 1, out->m.rank);

	for (int64_t n = 0; n < outer; n++) {
		char *to = (char *)out->data + n * size * inner * element;
		const char *from = (const char *)source->data +
			outer_offset(source, axis, n) * element;

		for (int64_t k = 0; k < picks; k++, from += source->strides[axis] * element)
			put(to + place(indices, k, size) * inner * element, from, inner);
	}
}

/* The same tensor in new, contiguous memory, which the caller drops; NULL if there is none. */
static storage *make_contiguous(const kcall *c, const view *v, view *out)
{
	storage *memory = storage_new(c->engine->memory,
		(size_t)meta_count(&v->m) * dtype_size(v->m.dtype));

	if (!memory)
		return NULL;
	*out = (view){ .data = memory->data, .m = v->m, .contiguous = true };
	shape_contiguous(&v->m, out->strides);
	copy_view(c, v, memory->data);
	return memory;
}

static gt_err put_slices(const kcall *c, put_slice *put)
{
	const view *source = c->in[2];
	int axis = c->i->attr.axis;
	storage *memory;
	view compact;

	if (index_check(c, c->in[1], c->out->m.dims[axis]))
		return GT_EINDEX;
	copy_base(c);
	if (is_run(source, axis + 1)) {
		put_picks(c, source, put);
		return GT_OK;
	}
	if (!(memory = make_contiguous(c, source, &compact)))
		return engine_reference[c->i->op](c);
	put_picks(c, &compact, put);
	storage_drop(memory);
	return GT_OK;
}

static gt_err index_add(const kcall *c)
{
#define ADD(d, type, unused) [GT_##d] = add_slice_##d,
	static put_slice *const adds[] = { EACH_NUMBER(ADD, ) };

	return put_slices(c, adds[c->out->m.dtype]);
}

static gt_err index_set(const kcall *c)
{
	static put_slice *const sets[] = {
		[1] = set_slice_1, [4] = set_slice_4, [8] = set_slice_8
	};

	return put_slices(c, sets[dtype_size(c->out->m.dtype)]);
}

/* ---- one_hot. ---- */

static gt_err one_hot(const kcall *c)
{
	const view *indices = c->in[0];
	int64_t size = c->out->m.dims[c->out->m.rank - 1], count = meta_count(&indices->m);
	int64_t *out = c->out->data;

	if (index_check(c, indices, size))
		return GT_EINDEX;
	memset(out, 0, (size_t)(count * size) * sizeof(*out));
	for (int64_t n = 0; n < count; n++)
		out[n * size + place(indices, n, size)] = 1;
	return GT_OK;
}

void ISA(index_rows)(kernel **table)
{
	table[OP_gather] = gather;
	table[OP_scatter_add] = scatter_add;
	table[OP_index_select] = index_select;
	table[OP_index_add] = index_add;
	table[OP_index_set] = index_set;
	table[OP_one_hot] = one_hot;
}
