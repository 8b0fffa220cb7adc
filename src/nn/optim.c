/* optim.c: SGD, Adam, AdamW and clipping: a few instructions a parameter, formulas at gt/nn.h.
 *
 * The scalars of a step (learning rate, bias corrections) are operands of instructions: changing
 * them changes no instruction's form.
 */
#include "nn/nn.h"

#include <math.h>

typedef struct slot {
	gt_tensor *w;            /* kept */
	gt_tensor *m, *v;        /* first (or momentum) and second moment; kept; NULL at first */
} slot;

typedef void rule(gt_optim *o, slot *s, gt_tensor *g, const gt_site *site);

struct gt_optim {
	gt_client *gt;
	rule *update;
	gt_sgd_options sgd;
	gt_adam_options adam;
	bool decoupled;          /* AdamW's weight decay */
	double *lr;
	int64_t steps;
	int n;
	slot slots[];
};

/* ---- arithmetic with a place ----------------------------------------------------------------- */

static gt_tensor *add(const gt_site *site, gt_tensor *a, gt_tensor *b)
{
	return gt_add_at(site, gt_arg_tensor(a), gt_arg_tensor(b));
}

static gt_tensor *scale(const gt_site *site, gt_tensor *a, double by)
{
	return gt_mul_at(site, gt_arg_tensor(a), gt_arg_float(by));
}

/* a + by * b */
static gt_tensor *add_scaled(const gt_site *site, gt_tensor *a, double by, gt_tensor *b)
{
	return add(site, a, scale(site, b, by));
}

static void replace(gt_tensor **state, gt_tensor *x)
{
	gt_drop(*state);
	*state = gt_keep(x);
}

/* ---- rules ----------------------------------------------------------------------------------- */

static void sgd_update(gt_optim *o, slot *s, gt_tensor *g, const gt_site *site)
{
	const gt_sgd_options *p = &o->sgd;

	if (p->weight_decay != 0)
		g = add_scaled(site, g, p->weight_decay, s->w);
	if (p->momentum != 0) {
		gt_tensor *b = !s->m ? gt_clone_at(site, g)
			: add_scaled(site, scale(site, s->m, p->momentum), 1 - p->dampening, g);

		replace(&s->m, b);
		g = p->nesterov ? add_scaled(site, g, p->momentum, b) : b;
	}
	gt_update_at(site, s->w, "sub", gt_arg_tensor(scale(site, g, p->lr)));
}

static void adam_update(gt_optim *o, slot *s, gt_tensor *g, const gt_site *site)
{
	const gt_adam_options *p = &o->adam;
	const double correction1 = 1 - pow(p->beta1, (double)o->steps);
	const double correction2 = 1 - pow(p->beta2, (double)o->steps);
	gt_tensor *m, *v, *root;

	if (p->weight_decay != 0 && o->decoupled)
		gt_update_at(site, s->w, "mul", gt_arg_float(1 - p->lr * p->weight_decay));
	else if (p->weight_decay != 0)
		g = add_scaled(site, g, p->weight_decay, s->w);
	m = scale(site, g, 1 - p->beta1);
	v = scale(site, gt_square_at(site, g), 1 - p->beta2);
	replace(&s->m, s->m ? add(site, scale(site, s->m, p->beta1), m) : m);
	replace(&s->v, s->v ? add(site, scale(site, s->v, p->beta2), v) : v);
	root = gt_sqrt_at(site, s->v);
	root = scale(site, root, 1 / sqrt(correction2));
	root = gt_add_at(site, gt_arg_tensor(root), gt_arg_float(p->eps));
	gt_update_at(site, s->w, "sub", gt_arg_tensor(gt_div_at(site,
		gt_arg_tensor(scale(site, s->m, p->lr / correction1)), gt_arg_tensor(root))));
}

/* ---- making ---------------------------------------------------------------------------------- */

static gt_optim *make(gt_tensor *const *list, int n, rule *update)
{
	gt_optim *o;

	if (n < 1) {
		fail(GT_EINVAL, "an optimiser needs at least one parameter, got %d", n);
		return NULL;
	}
	for (int k = 0; k < n; k++) {
		if (!list[k])
			return NULL;
		if (!gt_is_leaf(list[k]) || !gt_needs_grad(list[k])) {
			fail(GT_EINVAL, "parameter %d is not a leaf that requires a gradient: "
				"optimisers update leaves (gt_requires_grad)", k);
			return NULL;
		}
	}
	o = mem_zero(sizeof *o + (size_t)n * sizeof *o->slots);
	o->gt = gt_client_of(list[0]);
	o->update = update;
	o->n = n;
	for (int k = 0; k < n; k++)
		o->slots[k].w = list[k];
	return o;
}

gt_optim *gt_sgd_of(gt_tensor *const *list, int n, gt_sgd_options options)
{
	gt_optim *o;

	if (options.lr < 0 ||
	    (options.nesterov && (options.momentum <= 0 || options.dampening != 0))) {
		fail(GT_EINVAL, "SGD: expected lr >= 0, and for nesterov a momentum and no "
			"dampening; got lr %g, momentum %g, dampening %g", options.lr, options.momentum,
			options.dampening);
		return NULL;
	}
	if (!(o = make(list, n, sgd_update)))
		return NULL;
	o->sgd = options;
	o->lr = &o->sgd.lr;
	return o;
}

static gt_optim *adam_of(gt_tensor *const *list, int n, gt_adam_options options, bool decoupled)
{
	gt_optim *o;

	if (options.lr < 0 || options.eps < 0 || !(options.beta1 >= 0 && options.beta1 < 1) ||
	    !(options.beta2 >= 0 && options.beta2 < 1)) {
		fail(GT_EINVAL, "Adam: expected lr and eps >= 0, betas in [0, 1); got lr %g, "
			"eps %g, betas %g and %g", options.lr, options.eps, options.beta1, options.beta2);
		return NULL;
	}
	if (!(o = make(list, n, adam_update)))
		return NULL;
	o->adam = options;
	o->decoupled = decoupled;
	o->lr = &o->adam.lr;
	return o;
}

gt_optim *gt_adam_of(gt_tensor *const *list, int n, gt_adam_options options)
{
	return adam_of(list, n, options, false);
}

gt_optim *gt_adamw_of(gt_tensor *const *list, int n, gt_adam_options options)
{
	return adam_of(list, n, options, true);
}

/* All parameters of m, in memory of the caller's to free. */
static gt_tensor **list_of(gt_module *m, int *n)
{
	gt_tensor **list;

	*n = gt_module_parameters(m, NULL, 0);
	list = mem_zero((size_t)(*n ? *n : 1) * sizeof *list);
	gt_module_parameters(m, list, *n);
	return list;
}

#define FOR_MODULE(name, options_type)                              \
gt_optim *name##_with(gt_module *m, options_type options)           \
{                                                                   \
	gt_tensor **list;                                           \
	gt_optim *o;                                                \
	int n;                                                      \
                                                                    \
	if (!m)                                                     \
		return NULL;                                        \
	list = list_of(m, &n);                                      \
	o = name##_of(list, n, options);                            \
	mem_free(list);                                             \
	return o;                                                   \
}
FOR_MODULE(gt_sgd, gt_sgd_options)
FOR_MODULE(gt_adam, gt_adam_options)
FOR_MODULE(gt_adamw, gt_adam_options)

void gt_optim_free(gt_optim *o)
{
	if (!o)
		return;
	for (int k = 0; k < o->n; k++) {
		gt_drop(o->slots[k].m);
		gt_drop(o->slots[k].v);
	}
	mem_free(o);
}

/* ---- using ----------------------------------------------------------------------------------- */

double gt_optim_lr(const gt_optim *o) { return o ? *o->lr : NAN; }

void gt_optim_set_lr(gt_optim *o, double lr)
{
	if (o)
		*o->lr = lr;
}

void gt_zero_grad(gt_optim *o)
{
	for (int k = 0; o && k < o->n; k++)
		gt_set_grad(o->slots[k].w, NULL);
}

gt_err gt_step_at(const gt_site *site, gt_optim *o)
{
	gt_scope *s;
	bool recording;

	if (!o)
		return gt_last_error_code();
	gt_clear_error();
	if (!(s = gt_scope_begin(o->gt)))
		return gt_last_error_code();
	recording = gt_grad_mode(o->gt, false);
	o->steps++;
	for (int k = 0; k < o->n; k++) {
		gt_tensor *g = gt_grad(o->slots[k].w);

		if (g)
			o->update(o, &o->slots[k], g, site);
	}
	gt_grad_mode(o->gt, recording);
	gt_scope_end(s);
	return gt_last_error_code();
}

gt_tensor *gt_clip_grad_norm_at(const gt_site *site, gt_tensor *const *list, int n, double max_norm)
{
	gt_tensor *total = NULL, *norm, *by;
	bool recording;

	if (n < 1 || !list[0])
		return NULL;
	recording = gt_grad_mode(gt_client_of(list[0]), false);
	for (int k = 0; k < n; k++) {
		gt_tensor *g = gt_grad(list[k]), *squares;

		if (!g)
			continue;
		squares = gt_sum_at(site, gt_square_at(site, g), GT_REDUCE());
		total = total ? add(site, total, squares) : squares;
	}
	norm = total ? gt_sqrt_at(site, total) : gt_zeros(gt_client_of(list[0]), GT_SHAPE());
	by = gt_add_at(site, gt_arg_tensor(norm), gt_arg_float(1e-6));
	by = gt_div_at(site, gt_arg_float(max_norm), gt_arg_tensor(by));
	by = gt_minimum_at(site, gt_arg_tensor(by), gt_arg_float(1));
	for (int k = 0; k < n; k++)
		if (gt_grad(list[k]))
			gt_update_at(site, gt_grad(list[k]), "mul", gt_arg_tensor(by));
	gt_grad_mode(gt_client_of(list[0]), recording);
	return norm;
}
