/* lab.c: the laboratory's tape: instructions, gradients, frees. */
#include "tools/lab.h"

#include <stdlib.h>
#include "base/mem.h"
#include "ir/op.h"
#include "ir/shape.h"

#define NOT_NAMED UINT32_MAX

uint64_t lab_random(lab *l)
{
	uint64_t z = l->random += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* ---- values: known here by serial number, in the stream by id ---- */

static uint64_t id_of(const lab *l, uint64_t a)
{
	return (l->o->first_id ? l->o->first_id : 1) +
		(a - 1) * (l->o->id_step ? l->o->id_step : 1);
}

static uint64_t new_value(lab *l)
{
	if (l->count + 1 >= l->room) {
		l->room = l->room ? 2 * l->room : 1024;
		l->values = mem_grow(l->values, l->room * sizeof(*l->values));
	}
	l->values[++l->count] = (lab_value){ .named = NOT_NAMED };
	VEC_ROOM(l->temps, l->temp_count, l->temp_room);
	l->temps[l->temp_count++] = l->count;
	return l->count;
}

static ins *begin(ins_room *room, lab *l, unsigned code)
{
	return ins_init(room, code, id_of(l, new_value(l)));
}

/* Infer, send; a[k] is input k's value or 0 for a scalar. */
static uint64_t send(lab *l, const ins *i, const uint64_t *a)
{
	const meta *in[INS_INPUTS_MAX] = { NULL };
	lab_value *v = &l->values[l->count];

	for (unsigned k = 0; k < i->nin; k++)
		if (a[k]) {
			in[k] = &l->values[a[k]].m;
			v->wants |= l->values[a[k]].wants && !l->quiet;
		}
	if (ins_check(i, INS_WORDS_MAX) || shape_infer(i, in, &v->m))
		abort();         /* a program of the laboratory is wrong */
	l->sink(l->ctx, i, in, &v->m);
	l->ops++;
	return l->count;
}

static void send_control(lab *l, unsigned code, uint64_t a)
{
	const meta *in[1] = { &l->values[a].m };
	ins_room room;
	ins *i = ins_init(&room, code, 0);

	ins_put_input(i, id_of(l, a));
	if (code == OP_fetch)
		ins_put_operand(i, 0);
	if (code != OP_free || !l->o->no_frees)
		l->sink(l->ctx, i, in, NULL);
}

void lab_fetch(lab *l, uint64_t a)
{
	send_control(l, OP_fetch, a);
}

static void note(lab *l, unsigned code, uint64_t a, uint64_t b, uint64_t out)
{
	if (!l->values[out].wants)
		return;
	VEC_ROOM(l->tape, l->tape_count, l->tape_room);
	l->tape[l->tape_count++] = (lab_node){ (uint16_t)code, b ? 2 : 1, { a, b }, out };
}

static void put_sizes(ins *i, int64_t rows, int64_t cols)
{
	if (rows)
		ins_put_operand(i, rows);
	ins_put_operand(i, cols);
}

uint64_t lab_upload(lab *l, int64_t rows, int64_t cols)
{
	ins_room room;
	ins *i = begin(&room, l, OP_upload);
	blob *b = blob_new((size_t)(MAX(rows, 1) * cols) * sizeof(float));
	uint64_t out;

	memset(b->data, 0, b->size);
	i->attr.dtype = GT_FLOAT32;
	ins_put_operand(i, (int64_t)(intptr_t)b);
	put_sizes(i, rows, cols);
	out = send(l, i, NULL);
	blob_drop(b);
	return out;
}

uint64_t lab_randn(lab *l, int64_t rows, int64_t cols)
{
	ins_room room;
	ins *i = begin(&room, l, OP_randn);

	i->attr.dtype = GT_FLOAT32;
	ins_put_operand(i, 7);
	ins_put_operand(i, (int64_t)l->count);
	put_sizes(i, rows, cols);
	return send(l, i, NULL);
}

uint64_t lab_un(lab *l, unsigned code, uint64_t a)
{
	ins_room room;
	ins *i = begin(&room, l, code);
	uint64_t out;

	ins_put_input(i, id_of(l, a));
	out = send(l, i, &a);
	note(l, code, a, 0, out);
	return out;
}

uint64_t lab_bin(lab *l, unsigned code, uint64_t a, uint64_t b)
{
	const uint64_t in[] = { a, b };
	ins_room room;
	ins *i = begin(&room, l, code);
	uint64_t out;

	ins_put_input(i, id_of(l, a));
	ins_put_input(i, id_of(l, b));
	out = send(l, i, in);
	note(l, code, a, b, out);
	return out;
}

uint64_t lab_scalar(lab *l, unsigned code, uint64_t a, double b)
{
	const uint64_t in[] = { a, 0 };
	ins_room room;
	ins *i = begin(&room, l, code);
	uint64_t out;

	ins_put_input(i, id_of(l, a));
	ins_put_scalar(i, KIND_FLOAT, (scalar){ .f = b });
	out = send(l, i, in);
	note(l, code, a, 0, out);
	return out;
}

uint64_t lab_transpose(lab *l, uint64_t a)
{
	ins_room room;
	ins *i = begin(&room, l, OP_permute);
	uint64_t out;

	i->attr.perm[0] = 1;
	ins_put_input(i, id_of(l, a));
	out = send(l, i, &a);
	note(l, OP_permute, a, 0, out);
	return out;
}

uint64_t lab_sum(lab *l, unsigned code, uint64_t a, unsigned axes, bool keep)
{
	ins_room room;
	ins *i = begin(&room, l, code);
	uint64_t out;

	i->attr.axes = (uint8_t)axes;
	i->attr.keepdims = keep;
	ins_put_input(i, id_of(l, a));
	out = send(l, i, &a);
	note(l, code, a, 0, out);
	return out;
}

uint64_t lab_softmax(lab *l, uint64_t a)
{
	ins_room room;
	ins *i = begin(&room, l, OP_softmax);
	uint64_t out;

	i->attr.axis = 1;
	ins_put_input(i, id_of(l, a));
	out = send(l, i, &a);
	note(l, OP_softmax, a, 0, out);
	return out;
}

/* ---- names and parameters ---- */

static void bind(lab *l, uint64_t *place, uint64_t a)
{
	const uint64_t old = *place;

	*place = a;
	l->values[a].named++;
	if (old && l->values[old].named-- == 0)
		send_control(l, OP_free, old);
}

void lab_name(lab *l, unsigned name, uint64_t a)
{
	bind(l, &l->names[name], a);
}

unsigned lab_param(lab *l, int64_t rows, int64_t cols)
{
	const uint64_t a = lab_upload(l, rows, cols);

	l->values[a].wants = true;
	bind(l, &l->params[l->param_count], a);
	return l->param_count++;
}

void lab_update(lab *l, unsigned param, uint64_t to)
{
	l->values[to].wants = true;
	bind(l, &l->params[param], to);
}

/* ---- gradients ---- */

/* A gradient summed to the shape of what was broadcast. */
static uint64_t reduce_to(lab *l, uint64_t g, uint64_t a)
{
	if (l->values[a].m.rank < l->values[g].m.rank)
		return lab_sum(l, OP_sum, g, 1, false);
	return g;
}

static void add_grad(lab *l, uint64_t a, uint64_t g)
{
	if (!l->values[a].wants)
		return;
	g = reduce_to(l, g, a);
	if (l->values[a].grad)
		g = lab_bin(l, OP_add, l->values[a].grad, g);
	l->values[a].grad = g;
}

static void back_product(lab *l, const lab_node *n, uint64_t g)
{
	if (l->values[n->in[0]].wants)
		add_grad(l, n->in[0], lab_bin(l, OP_matmul, g, lab_transpose(l, n->in[1])));
	if (l->values[n->in[1]].wants)
		add_grad(l, n->in[1], lab_bin(l, OP_matmul, lab_transpose(l, n->in[0]), g));
}

static void back_softmax(lab *l, const lab_node *n, uint64_t g)
{
	const uint64_t p = lab_bin(l, OP_mul, g, n->out);
	const uint64_t s = lab_sum(l, OP_sum, p, 2, true);

	add_grad(l, n->in[0], lab_bin(l, OP_mul, n->out, lab_bin(l, OP_sub, g, s)));
}

/* Of a mean or sum: spread over the input by multiplying with ones made of it. */
static void back_mean(lab *l, const lab_node *n, uint64_t g)
{
	const uint64_t zero = lab_scalar(l, OP_mul, n->in[0], 0.0);

	add_grad(l, n->in[0], lab_bin(l, OP_add, zero, g));
}

static void back_two(lab *l, const lab_node *n, uint64_t g)
{
	switch (n->op) {
	case OP_add:
		add_grad(l, n->in[0], g);
		add_grad(l, n->in[1], g);
		break;
	case OP_sub:
		add_grad(l, n->in[0], g);
		add_grad(l, n->in[1], lab_un(l, OP_neg, g));
		break;
	case OP_mul:
		if (l->values[n->in[0]].wants)
			add_grad(l, n->in[0], lab_bin(l, OP_mul, g, n->in[1]));
		if (l->values[n->in[1]].wants)
			add_grad(l, n->in[1], lab_bin(l, OP_mul, g, n->in[0]));
		break;
	case OP_matmul:
		back_product(l, n, g);
		break;
	default:
		abort();
	}
}

static uint64_t slope(lab *l, const lab_node *n)
{
	const uint64_t square = n->op == OP_tanh ? lab_un(l, OP_square, n->out) : 0;

	switch (n->op) {
	case OP_tanh:
		return lab_un(l, OP_neg, lab_scalar(l, OP_sub, square, 1.0));
	case OP_sigmoid:
		return lab_bin(l, OP_sub, n->out, lab_un(l, OP_square, n->out));
	case OP_relu:
		return lab_un(l, OP_sign, n->out);
	case OP_square:
		return lab_scalar(l, OP_mul, n->in[0], 2.0);
	default:
		abort();
	}
}

static void back_one(lab *l, const lab_node *n, uint64_t g)
{
	switch (n->op) {
	case OP_permute:
		add_grad(l, n->in[0], lab_transpose(l, g));
		break;
	case OP_softmax:
		back_softmax(l, n, g);
		break;
	case OP_mean:
	case OP_sum:
		back_mean(l, n, g);
		break;
	case OP_mul:
	case OP_div:
	case OP_add:
	case OP_sub:             /* by a scalar */
		add_grad(l, n->in[0], lab_scalar(l, OP_mul, g, 0.5));
		break;
	default:
		add_grad(l, n->in[0], lab_bin(l, OP_mul, g, slope(l, n)));
	}
}

void lab_forward(lab *l)
{
	l->tape_count = 0;
	l->quiet = false;
}

void lab_backward(lab *l, uint64_t loss)
{
	uint64_t nodes = l->tape_count, one;

	l->quiet = true;
	one = lab_scalar(l, OP_add, lab_scalar(l, OP_mul, loss, 0.0), 1.0);
	l->values[loss].grad = one;
	while (nodes--) {
		const lab_node n = l->tape[nodes];
		const uint64_t g = l->values[n.out].grad;

		if (g && n.n == 2)
			back_two(l, &n, g);
		else if (g)
			back_one(l, &n, g);
	}
}

uint64_t lab_grad(lab *l, unsigned param)
{
	return l->values[l->params[param]].grad;
}

/* ---- noise ---- */

static uint64_t foreign(lab *l, uint64_t a)
{
	static const uint16_t codes[] = { OP_abs, OP_exp, OP_neg, OP_cos, OP_isnan, OP_sin };
	const uint64_t b = lab_un(l, codes[lab_random(l) % COUNT(codes)], a);

	if (lab_random(l) & 1)
		lab_fetch(l, lab_sum(l, OP_max, b, (1u << l->values[b].m.rank) - 1, false));
	return b;
}

uint64_t lab_noise(lab *l, unsigned place, uint64_t a)
{
	static const uint16_t codes[] = { OP_tanh, OP_sigmoid, OP_relu };
	const bool quiet = l->quiet;
	uint64_t out = a;

	if (!l->noise_now || l->noise_at != place)
		return a;
	l->quiet |= !l->o->noise_dependent;
	if (l->o->noise_dependent)
		out = lab_un(l, codes[lab_random(l) % COUNT(codes)], a);
	else
		foreign(l, a);
	l->quiet = quiet;
	return out;
}

/* ---- a run ---- */

static void free_temps(lab *l)
{
	for (uint64_t k = 0; k < l->temp_count; k++)
		if (l->values[l->temps[k]].named == NOT_NAMED)
			send_control(l, OP_free, l->temps[k]);
	l->temp_count = 0;
}

static void run_step(lab *l, unsigned k)
{
	const lab_options *o = l->o;

	l->step = k;
	l->noise_now = o->noise_every && k % o->noise_every == o->noise_every - 1;
	l->noise_at = o->noise_place < 3 ? o->noise_place : (unsigned)(lab_random(l) % 3);
	lab_forward(l);
	l->program->step(l, k);
	free_temps(l);
}

void lab_run(const lab_program *p, const lab_options *o, lab_sink *sink, void *ctx,
	uint64_t *marks)
{
	lab *l = mem_zero(sizeof(*l));

	l->o = o;
	l->program = p;
	l->sink = sink;
	l->ctx = ctx;
	l->random = o->seed;
	p->setup(l);
	for (unsigned k = 0; k < o->steps; k++) {
		if (marks)
			marks[k] = l->ops;
		run_step(l, k);
	}
	mem_free(l->values);
	mem_free(l->tape);
	mem_free(l->temps);
	mem_free(l);
}
