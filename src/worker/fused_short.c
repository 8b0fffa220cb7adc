/* fused_short.c: kernels on rows of a few columns.
 *
 * A vector takes neighbours of one row only, so a row of ten columns costs as much as one of
 * sixteen. Elementwise kernels do not care where a row ends: if rows lie close together, several
 * are called as one long row. What is the same for all rows (a bias) has to be as long then, and is
 * repeated in a buffer. */
#include "worker/fused_step.h"

#define LONG 256                 /* columns of a long row, about */
#define BUFFER_BYTES 8192
#define VECTOR 16                /* columns of the widest */

/* Joining rows costs some 30 ns, and saves what is left of each row's last vector: by measurement,
 * 128 rows of 10 columns take 0.6 of the time. Of what is drawn it saves beginning anew in each row,
 * some 50 ns: 16 rows of 10 columns take 0.35 of the time. */
enum { ROWS = 24, ROWS_DRAWN = 4 };

typedef struct buffer {
	size_t used;
	_Alignas(CACHE_LINE) char bytes[BUFFER_BYTES];
} buffer;

int64_t code_short_rows(const group *g)
{
	int64_t rows = g->mode == GROUP_ELEMENT ? ROWS : 0;

	for (unsigned k = 0; k < g->nodes_count && rows; k++)
		if (g->nodes[k].what == NODE_DRAW)
			rows = ROWS_DRAWN;
	return rows;
}

static bool is_close(const kernel_call *c, const group_arg *a, const kernel_arg *at)
{
	return a->access == ACCESS_RUN && !a->fixed &&
		at->row == c->cols * (int64_t)dtype_size((gt_dtype)a->dtype);
}

static bool is_repeated(const group_arg *a)
{
	return a->fixed && !a->out && a->access == ACCESS_RUN && !a->counts && !a->picked;
}

static bool is_one_value(const group_arg *a)
{
	return a->fixed && !a->out && a->access == ACCESS_SAME;
}

/* How many rows make a long one: whole vectors if possible, all if nothing has to be repeated. 0:
 * rows cannot be joined. */
static int64_t rows_joined(const group *g, const kernel_call *c)
{
	const int64_t even = VECTOR / MIN(c->cols & -c->cols, VECTOR);
	bool repeats = false;

	for (unsigned k = 0; k < g->args_count; k++) {
		const group_arg *a = &g->args[k];

		if (!is_close(c, a, &c->args[k]) && !is_repeated(a) && !is_one_value(a))
			return 0;
		repeats = repeats || is_repeated(a);
	}
	return repeats ? MIN(c->rows, MAX(LONG / c->cols / even, 1) * even) : c->rows;
}

/* So many copies of `size` bytes behind one another; NULL: there is no room. */
static void *repeat(buffer *b, const void *from, size_t size, int64_t times)
{
	const size_t all = size * (size_t)times;
	char *to = b->bytes + b->used;
	size_t done = size;

	if (all > BUFFER_BYTES - b->used)
		return NULL;
	b->used += ALIGN_UP(all, CACHE_LINE);
	b->used = MIN(b->used, BUFFER_BYTES);
	memcpy(to, from, size);
	for (; done < all; done += MIN(done, all - done))
		memcpy(to + done, to, MIN(done, all - done));
	return to;
}

static bool join(const group *g, const kernel_call *c, int64_t rows, buffer *b, kernel_arg *args)
{
	for (unsigned k = 0; k < g->args_count; k++) {
		const size_t size = (size_t)c->cols * dtype_size((gt_dtype)g->args[k].dtype);

		args[k] = c->args[k];
		args[k].row *= rows;
		if (is_repeated(&g->args[k]) &&
			!(args[k].data = repeat(b, args[k].data, size, rows)))
			return false;
	}
	return true;
}

bool fused_short_run(const fused_code *code, const kernel_call *c)
{
	const int64_t joined = rows_joined(code->g, c);
	const int64_t whole = joined ? c->rows / joined : 0;
	kernel_arg args[GROUP_ARGS];
	kernel_call long_rows = *c;
	buffer b;

	b.used = 0;
	if (joined < 2 || !join(code->g, c, joined, &b, args))
		return false;
	long_rows.args = args;
	long_rows.rows = whole;
	long_rows.cols = joined * c->cols;
	fused_kernel_run(code, &long_rows);
	long_rows.rows = 1;
	long_rows.cols = (c->rows - whole * joined) * c->cols;
	for (unsigned k = 0; k < code->g->args_count; k++)
		args[k].data = (char *)args[k].data + whole * args[k].row;
	if (long_rows.cols)
		fused_kernel_run(code, &long_rows);
	return true;
}
