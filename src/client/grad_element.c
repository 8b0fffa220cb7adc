/* grad_element.c: gradients of what works element by element. y is the result, dy its gradient. */
#include "client/grad.h"

#include <math.h>

#define X grad_x(g, 0)
#define A grad_in(g, 0)
#define B grad_in(g, 1)
#define C grad_in(g, 2)
#define RESULT grad_y(g)

void grad_neg(grad *g)        { grad_give(g, 0, gt_neg(g->dy)); }
void grad_abs(grad *g)        { grad_give(g, 0, gt_mul(g->dy, gt_sign(X))); }
void grad_zero(grad *g)       { grad_give(g, 0, gt_zeros_like(g->dy)); }
void grad_exp(grad *g)        { grad_give(g, 0, gt_mul(g->dy, RESULT)); }
void grad_expm1(grad *g)      { grad_give(g, 0, gt_mul(g->dy, gt_add(RESULT, 1))); }
void grad_log(grad *g)        { grad_give(g, 0, gt_div(g->dy, X)); }
void grad_log1p(grad *g)      { grad_give(g, 0, gt_div(g->dy, gt_add(X, 1))); }
void grad_sin(grad *g)        { grad_give(g, 0, gt_mul(g->dy, gt_cos(X))); }
void grad_cos(grad *g)        { grad_give(g, 0, gt_mul(g->dy, gt_neg(gt_sin(X)))); }
void grad_softplus(grad *g)   { grad_give(g, 0, gt_mul(g->dy, gt_sigmoid(X))); }
void grad_sqrt(grad *g)       { grad_give(g, 0, gt_div(g->dy, gt_mul(RESULT, 2))); }

void grad_square(grad *g)     /* 2 x */
{
	grad_give(g, 0, gt_mul(g->dy, gt_mul(X, 2)));
}

void grad_reciprocal(grad *g) /* -y^2 */
{
	grad_give(g, 0, gt_mul(g->dy, gt_neg(gt_square(RESULT))));
}

void grad_rsqrt(grad *g)      /* -y^3 / 2 */
{
	gt_tensor *y = RESULT;

	grad_give(g, 0, gt_mul(g->dy, gt_mul(gt_mul(gt_square(y), y), -0.5)));
}

void grad_tanh(grad *g)       /* 1 - y^2 */
{
	grad_give(g, 0, gt_mul(g->dy, gt_sub(1, gt_square(RESULT))));
}

void grad_sigmoid(grad *g)    /* y (1 - y) */
{
	gt_tensor *y = RESULT;

	grad_give(g, 0, gt_mul(g->dy, gt_mul(y, gt_sub(1, y))));
}

void grad_relu(grad *g)       /* 1 where y > 0; 0 at 0 */
{
	grad_give(g, 0, gt_where(gt_gt(RESULT, 0), g->dy, 0));
}

void grad_gelu(grad *g)       /* Phi(x) + x phi(x): the normal distribution and its density */
{
	gt_tensor *x = X;
	gt_tensor *cdf = gt_mul(gt_add(gt_erf(gt_mul(x, M_SQRT1_2)), 1), 0.5);
	gt_tensor *pdf = gt_mul(gt_exp(gt_mul(gt_square(x), -0.5)), M_2_SQRTPI * M_SQRT1_2 / 2);

	grad_give(g, 0, gt_mul(g->dy, gt_add(cdf, gt_mul(x, pdf))));
}

void grad_silu(grad *g)       /* s (1 + x (1 - s)), s = sigmoid(x) */
{
	gt_tensor *x = X, *s = gt_sigmoid(x);

	grad_give(g, 0, gt_mul(g->dy, gt_mul(s, gt_add(gt_mul(x, gt_sub(1, s)), 1))));
}

void grad_erf(grad *g)        /* 2 / sqrt(pi) exp(-x^2) */
{
	grad_give(g, 0, gt_mul(g->dy, gt_mul(gt_exp(gt_neg(gt_square(X))), M_2_SQRTPI)));
}

/* ---- two inputs ------------------------------------------------------------------------------ */

void grad_add(grad *g)
{
	grad_give(g, 0, g->dy);
	grad_give(g, 1, g->dy);
}

void grad_sub(grad *g)
{
	grad_give(g, 0, g->dy);
	if (grad_wants(g, 1))
		grad_give(g, 1, gt_neg(g->dy));
}

void grad_mul(grad *g)
{
	if (grad_wants(g, 0))
		grad_give(g, 0, gt_mul(g->dy, B));
	if (grad_wants(g, 1))
		grad_give(g, 1, gt_mul(g->dy, A));
}

void grad_div(grad *g)        /* dy / b, -dy y / b */
{
	if (grad_wants(g, 0))
		grad_give(g, 0, gt_div(g->dy, B));
	if (grad_wants(g, 1))
		grad_give(g, 1, gt_neg(gt_mul(g->dy, gt_div(RESULT, B))));
}

void grad_mod(grad *g)        /* a - floor(a / b) b */
{
	grad_give(g, 0, g->dy);
	if (grad_wants(g, 1))
		grad_give(g, 1, gt_neg(gt_mul(g->dy, gt_floordiv(A, B))));
}

/* b a^(b - 1), and 0 where b is 0 whatever a is. */
static gt_tensor *pow_base(grad *g)
{
	const gt_arg b = B;
	gt_tensor *d;

	if (b.kind != GT_ARG_TENSOR) {
		const double e = b.kind == GT_ARG_FLOAT ? b.f : (double)b.i;

		return e == 0 ? gt_zeros_like(g->dy) : gt_mul(g->dy, gt_mul(gt_pow(A, e - 1), e));
	}
	d = gt_mul(g->dy, gt_mul(b, gt_pow(A, gt_sub(b, 1))));
	return gt_where(gt_eq(b, 0), 0, d);
}

/* y log a, and 0 where a is 0 and b is not negative: a^b is constant there. */
static gt_tensor *pow_exponent(grad *g)
{
	const gt_arg a = A;
	gt_tensor *d;

	if (a.kind != GT_ARG_TENSOR) {
		const double base = a.kind == GT_ARG_FLOAT ? a.f : (double)a.i;

		d = gt_mul(g->dy, gt_mul(RESULT, log(base)));
		return base == 0 ? gt_where(gt_ge(B, 0), 0, d) : d;
	}
	d = gt_mul(g->dy, gt_mul(RESULT, gt_log(a.t)));
	return gt_where(gt_and(gt_eq(a, 0), gt_ge(B, 0)), 0, d);
}

void grad_pow(grad *g)
{
	if (grad_wants(g, 0))
		grad_give(g, 0, pow_base(g));
	if (grad_wants(g, 1))
		grad_give(g, 1, pow_exponent(g));
}

/* The share of input k: all where it was chosen, half where both are equal, none where `lost`. */
static void give_chosen(grad *g, int k, gt_tensor *lost)
{
	gt_tensor *half = gt_where(gt_eq(A, B), gt_mul(g->dy, 0.5), g->dy);

	grad_give(g, k, gt_where(lost, 0, half));
}

void grad_minimum(grad *g)
{
	if (grad_wants(g, 0))
		give_chosen(g, 0, gt_gt(A, B));
	if (grad_wants(g, 1))
		give_chosen(g, 1, gt_lt(A, B));
}

void grad_maximum(grad *g)
{
	if (grad_wants(g, 0))
		give_chosen(g, 0, gt_lt(A, B));
	if (grad_wants(g, 1))
		give_chosen(g, 1, gt_gt(A, B));
}

/* ---- three inputs ---------------------------------------------------------------------------- */

void grad_where(grad *g)
{
	if (grad_wants(g, 1))
		grad_give(g, 1, gt_where(A, g->dy, 0));
	if (grad_wants(g, 2))
		grad_give(g, 2, gt_where(A, 0, g->dy));
}

/* min(max(x, low), high): x on [low, high], the ends included; else the bound that holds it, which
 * is high where they are the wrong way round. */
void grad_clamp(grad *g)
{
	const gt_arg x = A, low = B, high = C;

	if (grad_wants(g, 0))
		grad_give(g, 0, gt_where(gt_and(gt_ge(x, low), gt_le(x, high)), g->dy, 0));
	if (grad_wants(g, 1))
		grad_give(g, 1, gt_where(gt_and(gt_lt(x, low), gt_le(low, high)), g->dy, 0));
	if (grad_wants(g, 2))
		grad_give(g, 2, gt_where(gt_or(gt_gt(x, high), gt_gt(low, high)), g->dy, 0));
}
