/* lab_programs.c: the laboratory's programs. */
#include "tools/lab.h"

#include "base/base.h"
#include "ir/op.h"

#define BATCH 4
#define WIDTH 8

enum { NAME_X, NAME_H, NAME_LOSS, NAME_STATE };

static uint64_t param(const lab *l, unsigned p) { return l->params[p]; }

static void sgd(lab *l, unsigned first, unsigned end)
{
	for (unsigned p = first; p < end; p++)
		if (lab_grad(l, p))
			lab_update(l, p, lab_bin(l, OP_sub, param(l, p),
				lab_scalar(l, OP_mul, lab_grad(l, p), 0.01)));
}

/* Weight and bias; returns the weight's number, the bias is the next. */
static unsigned dense_param(lab *l, int64_t in, int64_t out)
{
	const unsigned w = lab_param(l, in, out);

	lab_param(l, 0, out);
	return w;
}

static uint64_t dense(lab *l, uint64_t x, unsigned w)
{
	return lab_bin(l, OP_add, lab_bin(l, OP_matmul, x, param(l, w)), param(l, w + 1));
}

static uint64_t squared_error(lab *l, uint64_t pred, uint64_t y)
{
	return lab_sum(l, OP_mean, lab_un(l, OP_square, lab_bin(l, OP_sub, pred, y)), 3, false);
}

/* ---- a chain of dense layers ---- */

static void setup_chain(lab *l, unsigned layers)
{
	for (unsigned k = 0; k < layers; k++)
		dense_param(l, WIDTH, WIDTH);
}

static uint64_t chain(lab *l, uint64_t x, unsigned first, unsigned layers)
{
	uint64_t h = x;

	for (unsigned k = 0; k < layers; k++) {
		h = dense(l, h, first + 2 * k);
		if (k + 1 < layers)
			h = lab_un(l, OP_relu, h);
		if (k == layers / 2)
			h = lab_noise(l, 1, h);
	}
	return h;
}

static void train_chain(lab *l, unsigned layers, int64_t batch)
{
	const uint64_t x = lab_upload(l, batch, WIDTH), y = lab_upload(l, batch, WIDTH);
	uint64_t h, loss;

	lab_name(l, NAME_X, x);
	h = chain(l, lab_noise(l, 0, x), 0, layers);
	lab_name(l, NAME_H, h);
	loss = squared_error(l, h, y);
	lab_name(l, NAME_LOSS, loss);
	lab_backward(l, loss);
	sgd(l, 0, 2 * layers);
	lab_noise(l, 2, loss);
}

static void setup_mlp(lab *l) { setup_chain(l, 3); }
static void step_mlp(lab *l, unsigned k)
{
	train_chain(l, 3, BATCH);
	if (k % 10 == 9)
		lab_fetch(l, l->names[NAME_LOSS]);
}

static void setup_deep(lab *l) { setup_chain(l, 200); }
static void step_deep(lab *l, unsigned k)
{
	(void)k;
	train_chain(l, 200, BATCH);
}

static void setup_huge(lab *l) { setup_chain(l, 1000); }
static void step_huge(lab *l, unsigned k)
{
	(void)k;
	train_chain(l, 1000, BATCH);
}

static void setup_giant(lab *l) { setup_chain(l, 2140); }
static void step_giant(lab *l, unsigned k)
{
	(void)k;
	train_chain(l, 2140, BATCH);
}

static void setup_vast(lab *l) { setup_chain(l, 4280); }
static void step_vast(lab *l, unsigned k)
{
	(void)k;
	train_chain(l, 4280, BATCH);
}

static void step_batches(lab *l, unsigned k)     /* every step of another size */
{
	train_chain(l, 3, 2 + k % 7);
}

/* ---- transformer ---- */

#define BLOCKS 4
static void setup_transformer(lab *l)
{
	for (unsigned k = 0; k < BLOCKS; k++)
		for (unsigned j = 0; j < 6; j++)
			lab_param(l, WIDTH, WIDTH);
}

static uint64_t attention(lab *l, uint64_t x, unsigned w)
{
	const uint64_t q = lab_bin(l, OP_matmul, x, param(l, w));
	const uint64_t k = lab_bin(l, OP_matmul, x, param(l, w + 1));
	const uint64_t v = lab_bin(l, OP_matmul, x, param(l, w + 2));
	const uint64_t s = lab_bin(l, OP_matmul, q, lab_transpose(l, k));
	const uint64_t p = lab_softmax(l, lab_scalar(l, OP_mul, s, 0.35));

	return lab_bin(l, OP_matmul, lab_bin(l, OP_matmul, p, v), param(l, w + 3));
}

static uint64_t block(lab *l, uint64_t x, unsigned w)
{
	uint64_t h = lab_bin(l, OP_add, x, attention(l, x, w));
	uint64_t f = lab_un(l, OP_tanh, lab_bin(l, OP_matmul, h, param(l, w + 4)));

	return lab_bin(l, OP_add, h, lab_bin(l, OP_matmul, f, param(l, w + 5)));
}

static uint64_t transform(lab *l, int64_t length)
{
	uint64_t h = lab_upload(l, length, WIDTH);

	for (unsigned k = 0; k < BLOCKS; k++)
		h = block(l, h, 6 * k);
	return h;
}

static void train_transformer(lab *l, int64_t length)
{
	const uint64_t h = transform(l, length), y = lab_upload(l, length, WIDTH);

	lab_name(l, NAME_LOSS, squared_error(l, h, y));
	lab_backward(l, l->names[NAME_LOSS]);
	sgd(l, 0, 6 * BLOCKS);
}

static void step_transformer(lab *l, unsigned k) { (void)k; train_transformer(l, BATCH); }
static void step_growing(lab *l, unsigned k) { train_transformer(l, 2 + k); }

/* ---- Adam over many parameters ---- */

#define ADAM_LAYERS 24
static void setup_adam(lab *l)
{
	setup_chain(l, ADAM_LAYERS);
	for (unsigned k = 0; k < 2 * 2 * ADAM_LAYERS; k++) {
		const bool matrix = k / 2 % 2 == 0;
		const uint64_t s = lab_upload(l, matrix ? WIDTH : 0, WIDTH);

		lab_name(l, NAME_STATE + k, s);
	}
}

static uint64_t mix_in(lab *l, uint64_t state, double keep, uint64_t g)
{
	return lab_bin(l, OP_add, lab_scalar(l, OP_mul, state, keep),
		lab_scalar(l, OP_mul, g, 1.0 - keep));
}

static void adam(lab *l, unsigned p)
{
	const unsigned m = NAME_STATE + 2 * p;
	const uint64_t g = lab_grad(l, p);
	uint64_t down, step;

	lab_name(l, m, mix_in(l, l->names[m], 0.9, g));
	lab_name(l, m + 1, mix_in(l, l->names[m + 1], 0.999, lab_un(l, OP_square, g)));
	down = lab_scalar(l, OP_add, lab_un(l, OP_sqrt, l->names[m + 1]), 1e-8);
	step = lab_bin(l, OP_div, l->names[m], down);
	lab_update(l, p, lab_bin(l, OP_sub, param(l, p), lab_scalar(l, OP_mul, step, 0.001)));
}

static void step_adam(lab *l, unsigned k)
{
	const uint64_t x = lab_upload(l, BATCH, WIDTH), y = lab_upload(l, BATCH, WIDTH);

	(void)k;
	lab_name(l, NAME_LOSS, squared_error(l, chain(l, x, 0, ADAM_LAYERS), y));
	lab_backward(l, l->names[NAME_LOSS]);
	for (unsigned p = 0; p < l->param_count; p++)
		adam(l, p);
}

/* ---- dropout ---- */

static void step_dropout(lab *l, unsigned k)
{
	const uint64_t x = lab_upload(l, BATCH, WIDTH), y = lab_upload(l, BATCH, WIDTH);
	uint64_t h = lab_un(l, OP_relu, dense(l, x, 0));

	(void)k;
	h = lab_bin(l, OP_mul, h, lab_randn(l, BATCH, WIDTH));
	h = lab_un(l, OP_relu, dense(l, h, 2));
	h = lab_bin(l, OP_mul, h, lab_randn(l, BATCH, WIDTH));
	lab_name(l, NAME_LOSS, squared_error(l, dense(l, h, 4), y));
	lab_backward(l, l->names[NAME_LOSS]);
	sgd(l, 0, 6);
}

/* ---- an unrolled recurrent net ---- */

static void setup_recurrent(lab *l)
{
	lab_param(l, WIDTH, WIDTH);
	dense_param(l, WIDTH, WIDTH);
}

static void step_recurrent(lab *l, unsigned k)
{
	const uint64_t x = lab_upload(l, BATCH, WIDTH), y = lab_upload(l, BATCH, WIDTH);
	uint64_t h = x;

	(void)k;
	for (unsigned t = 0; t < 30; t++)
		h = lab_un(l, OP_tanh, lab_bin(l, OP_add, lab_bin(l, OP_matmul, h, param(l, 0)),
			dense(l, x, 1)));
	lab_name(l, NAME_LOSS, squared_error(l, h, y));
	lab_backward(l, l->names[NAME_LOSS]);
	sgd(l, 0, 3);
}

/* ---- two nets against each other ---- */

static void setup_gan(lab *l) { setup_chain(l, 5); }
static void step_gan(lab *l, unsigned k)
{
	uint64_t made, judged;

	(void)k;
	for (unsigned turn = 0; turn < 2; turn++) {
		lab_forward(l);
		made = chain(l, lab_randn(l, BATCH, WIDTH), 0, 3);
		judged = lab_un(l, OP_sigmoid, chain(l, made, 6, 2));
		lab_name(l, NAME_LOSS, lab_sum(l, turn ? OP_mean : OP_sum, judged, 3, false));
		lab_backward(l, l->names[NAME_LOSS]);
		sgd(l, turn ? 0 : 6, turn ? 6 : 10);
		for (unsigned p = 0; p < l->param_count; p++)
			l->values[param(l, p)].grad = 0;
	}
}

/* ---- gradient accumulation: four backward passes, one update ---- */

static void step_accumulate(lab *l, unsigned k)
{
	(void)k;
	for (unsigned part = 0; part < 4; part++) {
		uint64_t x, y;

		lab_forward(l);
		x = lab_upload(l, BATCH, WIDTH);
		y = lab_upload(l, BATCH, WIDTH);
		lab_name(l, NAME_LOSS, squared_error(l, chain(l, x, 0, 3), y));
		lab_backward(l, l->names[NAME_LOSS]);
	}
	sgd(l, 0, 6);
}

/* ---- evaluation every tenth step ---- */

static void step_evaluate(lab *l, unsigned k)
{
	train_chain(l, 3, BATCH);
	if (k % 10 == 9) {
		const uint64_t h = chain(l, lab_upload(l, 2 * BATCH, WIDTH), 0, 3);

		lab_fetch(l, lab_sum(l, OP_argmax, h, 2, false));
	}
}

static void step_validate(lab *l, unsigned k)    /* evaluated as it is trained, without gradients */
{
	uint64_t h;

	(void)k;
	train_chain(l, 3, BATCH);
	if (lab_random(l) % 10)
		return;
	lab_name(l, NAME_X, lab_upload(l, BATCH, WIDTH));
	h = lab_upload(l, BATCH, WIDTH);
	lab_fetch(l, squared_error(l, chain(l, l->names[NAME_X], 0, 3), h));
}

/* ---- branches that are taken now and then ---- */

static void step_rare(lab *l, unsigned k)        /* a layer is left out */
{
	const bool rare = lab_random(l) % 16 == 0;
	const uint64_t x = lab_upload(l, BATCH, WIDTH), y = lab_upload(l, BATCH, WIDTH);
	uint64_t h = lab_un(l, OP_relu, dense(l, x, 0));

	(void)k;
	if (!rare)
		h = lab_un(l, OP_relu, dense(l, h, 2));
	h = dense(l, h, 4);
	lab_name(l, NAME_LOSS, squared_error(l, h, y));
	lab_backward(l, l->names[NAME_LOSS]);
	sgd(l, 0, 6);
}

static void step_clip(lab *l, unsigned k)        /* gradients are too large */
{
	const bool clips = lab_random(l) % 8 == 0;
	const uint64_t x = lab_upload(l, BATCH, WIDTH), y = lab_upload(l, BATCH, WIDTH);

	(void)k;
	lab_name(l, NAME_LOSS, squared_error(l, chain(l, x, 0, 3), y));
	lab_backward(l, l->names[NAME_LOSS]);
	for (unsigned p = 0; p < 6 && clips; p++)
		l->values[param(l, p)].grad = lab_scalar(l, OP_mul, lab_grad(l, p), 0.1);
	sgd(l, 0, 6);
}

/* ---- without state: fresh inputs every time ---- */

static void setup_nothing(lab *l) { (void)l; }
static void step_stateless(lab *l, unsigned k)
{
	const uint64_t a = lab_randn(l, WIDTH, WIDTH), b = lab_randn(l, WIDTH, WIDTH);
	const uint64_t c = lab_un(l, OP_relu, lab_bin(l, OP_matmul, a, b));

	lab_name(l, NAME_H, lab_sum(l, OP_sum, lab_bin(l, OP_add, c, a), 3, false));
	if (k % 25 == 24)
		lab_fetch(l, l->names[NAME_H]);
}

static void step_tiny(lab *l, unsigned k)        /* a period of three */
{
	uint64_t a = l->names[NAME_H] ? l->names[NAME_H] : lab_upload(l, WIDTH, WIDTH);

	(void)k;
	a = lab_un(l, OP_tanh, lab_scalar(l, OP_mul, lab_scalar(l, OP_add, a, 1.0), 0.5));
	lab_name(l, NAME_H, a);
}

/* ---- two models that share nothing, interleaved at random ---- */

#define PAIR_OPS 24
static void setup_pair(lab *l)
{
	for (unsigned k = 0; k < 2; k++)
		lab_name(l, NAME_STATE + k, lab_bin(l, OP_matmul, lab_upload(l, WIDTH, WIDTH),
			lab_upload(l, WIDTH, WIDTH)));
}

/* Op j of model m, a chain with a second strand so that wiring counts. */
static void pair_op(lab *l, unsigned m, unsigned j)
{
	static const uint16_t first[] = { OP_tanh, OP_neg, OP_relu, OP_square, OP_abs, OP_sigmoid };
	static const uint16_t second[] = { OP_exp, OP_sin, OP_sqrt, OP_cos };
	const unsigned name = NAME_STATE + m;
	const uint64_t h = l->names[name];
	const unsigned code = m ? second[j % COUNT(second)] : first[j % COUNT(first)];

	if (j % 5 == 4)
		lab_name(l, name, lab_bin(l, j % 2 ? OP_add : OP_matmul, h, h));
	else
		lab_name(l, name, lab_un(l, code, h));
}

static void step_pair(lab *l, unsigned k)
{
	unsigned done[2] = { 0, 0 };
	const unsigned length[2] = { PAIR_OPS, PAIR_OPS - 5 };

	(void)k;
	while (done[0] < length[0] || done[1] < length[1]) {
		unsigned m = lab_random(l) >> 20 & 1;

		m = done[m] < length[m] ? m : !m;
		pair_op(l, m, done[m]++);
	}
}

/* ---- branches: A B A A B in no fixed order ---- */

static void setup_branchy(lab *l) { setup_chain(l, 5); }
static void step_branchy(lab *l, unsigned k)
{
	const bool other = lab_random(l) % 5 < 2;
	const uint64_t x = lab_upload(l, BATCH, WIDTH), y = lab_upload(l, BATCH, WIDTH);
	const uint64_t h = other ? lab_un(l, OP_tanh, chain(l, x, 6, 2)) : chain(l, x, 0, 3);

	(void)k;
	lab_name(l, NAME_LOSS, squared_error(l, h, y));
	lab_backward(l, l->names[NAME_LOSS]);
	sgd(l, other ? 6 : 0, other ? 10 : 6);
}

/* ---- no repeats at all ---- */

static void setup_random(lab *l)
{
	for (unsigned k = 0; k < 64; k++)
		lab_name(l, k, lab_upload(l, WIDTH, WIDTH));
}

static void step_random(lab *l, unsigned k)
{
	static const uint16_t unary[] = { OP_tanh, OP_neg, OP_relu, OP_square, OP_exp, OP_sin,
		OP_cos, OP_abs, OP_sigmoid, OP_floor };
	static const uint16_t binary[] = { OP_add, OP_sub, OP_mul, OP_maximum, OP_matmul };

	(void)k;
	for (unsigned j = 0; j < 100; j++) {
		const uint64_t r = lab_random(l);
		const uint64_t a = l->names[r & 63], b = l->names[r >> 6 & 63];
		const uint64_t out = r >> 12 & 1 ? lab_un(l, unary[(r >> 16) % COUNT(unary)], a) :
			lab_bin(l, binary[(r >> 16) % COUNT(binary)], a, b);

		lab_name(l, r >> 32 & 63, out);
	}
}

const lab_program lab_programs[] = {
	{ "mlp", "three dense layers, squared error, SGD, a read every tenth step", 98, false,
		setup_mlp, step_mlp },
	{ "deep", "200 equal layers", 98, false, setup_deep, step_deep },
	{ "huge", "1000 equal layers: a step of 14,000 ops", 98, true, setup_huge, step_huge },
	{ "giant", "2140 equal layers: a step of 30,000 ops", 98, true, setup_giant, step_giant },
	{ "vast", "4280 equal layers: a step of 60,000 ops", 98, true, setup_vast, step_vast },
	{ "transformer", "four blocks of attention", 98, false,
		setup_transformer, step_transformer },
	{ "adam", "24 layers, Adam", 98, false, setup_adam, step_adam },
	{ "dropout", "random masks inside", 98, false, setup_mlp, step_dropout },
	{ "recurrent", "30 equal time steps, unrolled", 98, false, setup_recurrent, step_recurrent },
	{ "gan", "two nets in turns", 98, false, setup_gan, step_gan },
	{ "accumulate", "four backward passes, one update", 98, false, setup_mlp, step_accumulate },
	{ "evaluate", "an evaluation every tenth step", 95, false, setup_mlp, step_evaluate },
	{ "validate", "the loss of other data now and then", 85, false, setup_mlp,
		step_validate },
	{ "rare", "a layer is left out now and then", 85, false, setup_mlp, step_rare },
	{ "clip", "gradients are clipped now and then", 85, false, setup_mlp, step_clip },
	{ "stateless", "fresh inputs every time", 98, false, setup_nothing, step_stateless },
	{ "tiny", "a period of three", 98, false, setup_nothing, step_tiny },
	{ "pair", "two models interleaved at random", 90, false, setup_pair, step_pair },
	{ "branchy", "two kinds of steps in no fixed order", 0, false, setup_branchy, step_branchy },
	{ "batches", "another batch size every step", 98, false, setup_mlp, step_batches },
	{ "growing", "a sequence that grows every step", 98, false, setup_transformer, step_growing },
	{ "random", "nothing repeats", 0, false, setup_random, step_random },
};
const unsigned lab_program_count = COUNT(lab_programs);

const lab_program *lab_find(const char *name)
{
	for (unsigned k = 0; k < lab_program_count; k++)
		if (!strcmp(lab_programs[k].name, name))
			return &lab_programs[k];
	return NULL;
}
