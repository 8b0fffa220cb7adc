/* compose.h: what composite rows mean, in primitive rows.
 *
 * The kernel of a composite gives the bits of this decomposition; a compiler sees the decomposition
 * instead. Every operation below is the row of that name: rounded to the dtype of x, sums and
 * maxima by the tree of tree.h, scalars (n, correction, eps) converted to the dtype of x first. `k`
 * marks reductions that keep their dims.
 *
 *	mean(x)            div(sum(x), n)                          n = number of reduced elements
 *	var(x, c)          m = div(sum k(x), n), q = square(sub(x, m)),
 *	                   div(sum(q), max(n - c, 0)), the divisor in float64, then converted
 *	logsumexp(x)       m = max k(x), h = where(isfinite(m), m, 0),
 *	                   r = add(log(sum k(exp(sub(x, h)))), h), reshaped if dims go;
 *	                   of no elements: -inf
 *	softmax(x)         e = exp(sub(x, max k(x))), div(e, sum k(e))
 *	log_softmax(x)     z = sub(x, max k(x)), sub(z, log(sum k(exp(z))))
 *	layer_norm(x, eps) m = div(sum k(x), n), d = sub(x, m), v = div(sum k(square(d)), n),
 *	                   div(d, sqrt(add(v, eps)))
 *
 * What follows from it: mean and var of nothing are NaN, var of n <= correction is NaN or inf;
 * logsumexp of -inf only is -inf, with an inf it is inf; a softmax row of -inf only, or with an
 * inf, is NaN, as in PyTorch. softmax, log_softmax and layer_norm of a tensor without elements are
 * that shape again.
 */
#ifndef IR_COMPOSE_H
#define IR_COMPOSE_H

#include <gt/error.h>
#include "ir/ins.h"

typedef struct composer {
	uint64_t (*fresh)(void *ctx);              /* an id not used before */
	gt_err (*emit)(void *ctx, const ins *i);   /* in order; the record is borrowed */
	void *ctx;
} composer;

/* Emit the decomposition of `i`, a KIND_COMPOSITE instruction that shape_infer accepted with these
 * inputs. The last one makes i->out; the other results have fresh ids and no other users: the
 * caller frees them as it likes. All carry the site of `i`. Fails only if emit fails. */
gt_err compose(const ins *i, const meta *const *in, const composer *to);

#endif
