/* grad.h: what a gradient sees, and what it may do.
 *
 * A gradient is written with the public macros (GT_HERE is the place of the forward call, so that
 * an error in a backward pass names the line it belongs to), and what it makes belongs to a frame
 * that ends with it. Being ordinary instructions, gradients can be recorded (create_graph). Each
 * input that wants one is given its share:
 *
 *	void grad_mul(grad *g)
 *	{
 *		if (grad_wants(g, 0))
 *			grad_give(g, 0, gt_mul(g->dy, grad_in(g, 1)));
 *		...
 */
#ifndef CLIENT_GRAD_H
#define CLIENT_GRAD_H

#include "client/client.h"

#undef GT_HERE
#define GT_HERE (g->site)

/* Gradients of slices that are a tensor together, in their order along the axis; n = 1: of one. */
#define GRAD_SLICES_MAX 16
typedef struct grad_slices {
	int n, axis;
	gt_tensor *dy[GRAD_SLICES_MAX];
} grad_slices;

typedef struct grad {
	struct pass *pass;
	node *n;
	const gt_site *site;     /* of the forward instruction */
	gt_tensor *dy;           /* gradient of the result */
	const grad_slices *slices;       /* of which it is the last one's */
} grad;

typedef void gradient(grad *g);

/* What a gradient uses: elements of inputs, of the result. */
enum { X0 = 1, X1 = 2, X2 = 4, Y = 8 };
#define GRAD_USES 3              /* inputs behind these are never used */

typedef struct grad_row {
	gradient *run;           /* NULL: none */
	uint8_t use[GRAD_USES];  /* by the gradient of input k */
} grad_row;

#define GRADIENT(name, use0, use1, use2) \
	gradient grad_##name;            \
	extern const grad_row grad_row_##name;
#include "client/grad.def"
extern const grad_row grad_row_none;

extern const grad_row *const grad_rows[OP_CODES];   /* by op code; NULL: not in use */

/* Whether input k wants a gradient in this pass. */
bool grad_wants(const grad *g, int k);

/* Input k of the instruction; of tensors only those that grad.def says are used. */
gt_arg     grad_in(grad *g, int k);
/* The same where it is known to be a tensor; the result. */
gt_tensor *grad_x(grad *g, int k);
gt_tensor *grad_y(grad *g);
/* Shape and dtype of tensor input k, used or not. */
const meta *grad_meta(const grad *g, int k);

/* The node behind input k, if the gradient is wanted there and nothing but this instruction can
 * contribute to it: nobody else used or holds the input. NULL otherwise. Its gradient may then be
 * made in one with this one. */
const node *grad_alone(const grad *g, int k);

/* As grad_give where grad_alone found a node, with a d of another shape that the node's gradient
 * knows how to read (grad_pass), or with that of the node's own input 0 (grad_skip). */
void grad_pass(grad *g, int k, gt_tensor *d);
void grad_skip(grad *g, int k, gt_tensor *d);

/* d is input k's gradient, still to be summed over dims that were broadcast; unless it is g->dy it
 * is not looked at again (takes). NULL is an error that the pass reports. Where nobody wants it,
 * nothing happens. */
void grad_give(grad *g, int k, gt_tensor *d);

/* ---- what several gradients need; results belong to the frame -------------------------------- */

gt_tensor *grad_zeros(grad *g, int k);                            /* like input k */
gt_tensor *grad_as(grad *g, gt_tensor *x, const meta *to);    /* the same elements, shape of `to` */
gt_tensor *grad_broadcast(grad *g, gt_tensor *x, const meta *to);
gt_tensor *grad_sum_to(grad *g, gt_tensor *x, const meta *to);    /* the opposite */
gt_tensor *grad_transpose(grad *g, gt_tensor *x);                 /* of the last two dims */

#endif
