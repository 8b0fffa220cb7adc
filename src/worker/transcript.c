/* transcript.c: instructions under new numbers, and tensors as the instructions that make them. */
#include "worker/transcript.h"

#include <errno.h>
#include <fcntl.h>
#include <gt/gt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/flags.h"
#include "base/log.h"
#include "base/mem.h"
#include "ir/text.h"

#define ROUNDS 4                 /* once to be seen, once to be copied down, twice compiled */
#define FILES_MAX 1000           /* of one name */

/* ---- lines ----------------------------------------------------------------------------------- */

static void put_mark(unsigned code, buf *to)
{
	ins_room room;
	ins *i = ins_init(&room, code, 0);

	if (code == OP_begin)
		ins_put_operand(i, GT_COMPILE_DEFAULT);
	text_put(to, i, NULL);
}

static void put_control(unsigned code, uint64_t id, buf *to)
{
	ins_room room;
	ins *i = ins_init(&room, code, 0);

	ins_put_input(i, id);
	if (code == OP_fetch)
		ins_put_operand(i, 0);
	text_put(to, i, NULL);
}

/* `i` with other inputs (scalars are left alone) and another result. */
static void put_ins(const ins *i, const uint64_t *in, uint64_t out, buf *to)
{
	ins_room room;

	memcpy(&room, i, i->words * sizeof(uint64_t));
	room.head.out = out;
	room.head.site = 0;
	for (unsigned k = 0; k < i->nin; k++)
		if (!ins_kind(i, k))
			room.head.tail[k] = in[k];
	text_put(to, &room.head, NULL);
}

/* ---- tensors --------------------------------------------------------------------------------- */

static void put_sizes(ins *i, const meta *m)
{
	for (int d = 0; d < m->rank; d++)
		ins_put_operand(i, m->dims[d]);
}

static void put_made_up(uint64_t id, const meta *m, buf *to)
{
	const bool floats = dtype_kind_of((gt_dtype)m->dtype) == KIND_FLOAT;
	ins_room room;
	ins *i = ins_init(&room, floats ? OP_randn : OP_full, id);

	i->attr.dtype = m->dtype;
	if (floats) {
		ins_put_operand(i, 1);
		ins_put_operand(i, (int64_t)id);
	} else {
		ins_put_scalar(i, KIND_INT, (scalar){ .i = 0 });
	}
	put_sizes(i, m);
	text_put(to, i, NULL);
}

static size_t bytes_of(const meta *m)
{
	return (size_t)meta_count(m) * dtype_size((gt_dtype)m->dtype);
}

/* Element k in logical order. */
static const char *element(const view *v, int64_t k)
{
	int64_t offset = 0;

	for (int d = v->m.rank; d--; k /= v->m.dims[d])
		offset += k % v->m.dims[d] * v->strides[d];
	return (const char *)v->data + offset * (int64_t)dtype_size((gt_dtype)v->m.dtype);
}

static void put_data(uint64_t id, const view *v, buf *to)
{
	const size_t size = dtype_size((gt_dtype)v->m.dtype);
	blob *b = blob_new(bytes_of(&v->m));
	ins_room room;
	ins *i;

	if (!b) {
		put_made_up(id, &v->m, to);
		return;
	}
	for (int64_t k = 0; k < meta_count(&v->m); k++)
		memcpy((char *)b->data + (size_t)k * size, element(v, k), size);
	i = ins_init(&room, OP_upload, id);
	i->attr.dtype = v->m.dtype;
	ins_put_operand(i, (int64_t)(intptr_t)b);
	put_sizes(i, &v->m);
	text_put(to, i, NULL);
	blob_drop(b);
}

/* ---- a region -------------------------------------------------------------------------------- */

typedef struct player {
	const region *r;
	const ins *const *run;
	uint32_t round;
	buf *to;
} player;

/* Live-ins come first, then each round's results. */
static uint64_t id_of(const player *p, uint32_t round, uint32_t at)
{
	return (uint64_t)p->r->live_ins_count + (uint64_t)round * p->r->n + at + 1;
}

static uint64_t input_of(const player *p, int32_t in)
{
	uint32_t m;

	if (in >= 0)
		return id_of(p, p->round, (uint32_t)in);
	m = REGION_LIVE_IN(in);
	if (!p->round || p->r->live_ins[m].carried == REGION_NEVER)
		return m + 1;
	return id_of(p, p->round - 1, p->r->live_ins[m].carried);
}

static void put_op(const player *p, uint32_t k)
{
	const region_op *o = &p->r->ops[k];
	const ins *i = p->run[k];
	uint64_t in[INS_INPUTS_MAX];
	meta m = { .dtype = i->attr.dtype };

	if (o->op == OP_upload) {        /* of which only the sizes are known */
		for (unsigned d = 1; d < i->nopd; d++)
			m.dims[m.rank++] = ins_opd(i)[d];
		put_made_up(id_of(p, p->round, k), &m, p->to);
		return;
	}
	for (unsigned n = 0; n < o->nin; n++)
		if (p->r->inputs[o->first + n] != REGION_SCALAR)
			in[n] = input_of(p, p->r->inputs[o->first + n]);
	put_ins(i, in, id_of(p, p->round, k), p->to);
}

/* What is freed behind op k: of this round, and late ones of the one before. */
static void put_frees(const player *p, uint32_t k)
{
	for (uint32_t n = 0; n < p->r->n; n++) {
		const uint32_t freed = p->r->ops[n].freed;

		if (freed == k)
			put_control(OP_free, id_of(p, p->round, n), p->to);
		else if (p->round && freed == k + p->r->n)
			put_control(OP_free, id_of(p, p->round - 1, n), p->to);
	}
}

static void put_round(const player *p)
{
	put_mark(OP_begin, p->to);
	for (uint32_t k = 0; k < p->r->n; k++) {
		put_op(p, k);
		if (p->r->ops[k].read && p->round + 1 == ROUNDS)
			put_control(OP_fetch, id_of(p, p->round, k), p->to);
		put_frees(p, k);
	}
	put_mark(OP_end, p->to);
}

static void put_head(const char *what, buf *to)
{
	buf_printf(to, "# %s, %d times over.\n# GT_CHECK=1 GT_COMPILE_SYNC=1 gt run compiles it and "
		"compares.\n", what, ROUNDS);
}

void transcript_region(const region *r, const ins *const *run, const view *live_ins, buf *to)
{
	player p = { r, run, 0, to };
	char name[REGION_NAME_MAX];

	put_head(region_name(r->signature, r->n, name), to);
	for (uint32_t m = 0; m < r->live_ins_count; m++)
		put_made_up(m + 1, &live_ins[m].m, to);
	for (; p.round < ROUNDS; p.round++)
		put_round(&p);
	p.round--;
	for (uint32_t k = 0; k < r->n; k++)
		if (!r->ops[k].read && (r->ops[k].freed == REGION_NEVER || r->ops[k].freed >= r->n))
			put_control(OP_fetch, id_of(&p, p.round, k), to);
}

/* ---- a step ---------------------------------------------------------------------------------- */

typedef struct picker {
	const fused_run *f;
	uint32_t *rows, count;           /* those that compute the step's results, inputs first */
	bool *has;                       /* by value: a row is listed, or its tensor is written */
	size_t bytes;                    /* of data written */
	buf *to;
} picker;

static bool is_there(void *ctx, uint32_t slot)
{
	const picker *p = ctx;

	return p->has[slot] || p->f->slots[slot].state & SLOT_PRESENT;
}

static void put_input(picker *p, uint32_t slot)
{
	view v;

	if (p->has[slot])
		return;
	p->has[slot] = true;
	fused_view(p->f, slot, &v);
	p->bytes += bytes_of(&v.m);
	if (p->bytes > TRANSCRIPT_DATA_MAX || !v.data)
		put_made_up(slot + 1, &v.m, p->to);
	else
		put_data(slot + 1, &v, p->to);
}

/* Mark the rows first: what is no row is an input. */
static void list_rows(picker *p, const fused_step *st)
{
	const fusion *f = p->f->p->f;

	for (uint32_t k = 0; k < st->out_count; k++) {
		const uint32_t before = p->count;

		p->count += fusion_slice(f, st->out[k], is_there, p, p->rows + before);
		for (uint32_t n = before; n < p->count; n++)
			p->has[p->rows[n]] = true;
	}
}

static void put_inputs(picker *p)
{
	const fusion *f = p->f->p->f;

	for (uint32_t n = 0; n < p->count; n++) {
		const ins *row = f->values.at[p->rows[n]].row;

		for (unsigned k = 0; k < row->nin; k++)
			if (!ins_kind(row, k))
				put_input(p, (uint32_t)(ins_in(row)[k] - 1));
	}
}

static void put_rows(const picker *p, uint64_t round)
{
	const fusion *f = p->f->p->f;
	const uint64_t own = round * f->values.count;
	uint64_t in[INS_INPUTS_MAX];

	for (uint32_t n = 0; n < p->count; n++) {
		const uint32_t v = p->rows[n];
		const ins *row = f->values.at[v].row;

		for (unsigned k = 0; k < row->nin; k++) {
			bool made = false;

			for (uint32_t j = 0; j < n && !ins_kind(row, k); j++)
				made |= p->rows[j] + 1 == ins_in(row)[k];
			in[k] = ins_in(row)[k] + (made ? own : 0);
		}
		put_ins(fusion_row(f, v, p->f->run), in, v + 1 + own, p->to);
	}
}

/* What nobody outside of the step reads goes as it would there. */
static void put_step_frees(const picker *p, const fused_step *st, uint64_t round)
{
	for (uint32_t n = 0; n < p->count; n++) {
		bool out = false;

		for (uint32_t k = 0; k < st->out_count; k++)
			out |= st->out[k] == p->rows[n];
		if (!out)
			put_control(OP_free, p->rows[n] + 1 + round * p->f->p->f->values.count,
				p->to);
	}
}

void transcript_step(const fused_run *f, const fused_step *st, buf *to)
{
	const fusion *whole = f->p->f;
	picker p = { .f = f, .to = to };

	p.rows = mem_alloc((whole->order.count + 1) * (st->out_count + 1) * sizeof *p.rows);
	p.has = mem_zero(whole->values.count + 1);
	list_rows(&p, st);
	put_head(st->code->name, to);
	put_inputs(&p);
	for (uint64_t round = 1; round <= ROUNDS; round++) {
		put_mark(OP_begin, to);
		put_rows(&p, round);
		put_step_frees(&p, st, round);
		put_mark(OP_end, to);
	}
	for (uint32_t k = 0; k < st->out_count; k++)
		put_control(OP_fetch, st->out[k] + 1 + ROUNDS * (uint64_t)whole->values.count, to);
	mem_free(p.rows);
	mem_free(p.has);
}

/* ---- files ----------------------------------------------------------------------------------- */

/* A new file of that name, which is then in `path`; -1 with errno set. */
static int create(const char *directory, const char *name, const char *ending, buf *path)
{
	int fd = -1;

	for (int k = 1; fd < 0 && k < FILES_MAX; k++) {
		path->size = 0;
		buf_printf(path, "%s/%s", directory, name);
		if (k > 1)
			buf_printf(path, ".%d", k);
		buf_printf(path, ".%s", ending);
		fd = open(buf_text(path), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0 && errno == ENOENT && !mkdir(directory, 0777))
			k--;
		else if (fd < 0 && errno != EEXIST)
			break;
	}
	return fd;
}

static bool write_all(int fd, const buf *text)
{
	for (size_t at = 0; at < text->size;) {
		const ssize_t n = write(fd, text->data + at, text->size - at);

		if (n < 0 && errno != EINTR)
			return false;
		at += n > 0 ? (size_t)n : 0;
	}
	return true;
}

char *transcript_save(const char *directory, const char *name, const char *ending, const buf *text,
	const char *then)
{
	buf path = { 0 };
	const int fd = create(directory, name, ending, &path);
	const bool done = fd >= 0 && write_all(fd, text);
	char *kept = NULL;

	if (done)
		kept = mem_string(buf_text(&path));
	else
		log_line("cannot write %s: %s%s", buf_text(&path), strerror(errno), then);
	if (fd >= 0)
		close(fd);
	buf_fini(&path);
	return kept;
}

char *transcript_keep(const fused_run *f, const fused_step *st)
{
	const char *folder = flag_text(FLAG_GT_DUMP), *temporary = getenv("TMPDIR");
	char name[GROUP_NAME_MAX + 32], *path;
	buf text = { 0 };

	if (!*folder)
		folder = temporary && *temporary ? temporary : "/tmp";
	snprintf(name, sizeof name, "gt-wrong-%d-%s", (int)getpid(), st->code->name);
	transcript_step(f, st, &text);
	path = transcript_save(folder, name, "gts", &text, "");
	buf_fini(&text);
	return path;
}
