/* open.c: the public way in: a client on an embedded link. */
#include <gt/stats.h>
#include "client/client.h"
#include "embed/embed.h"

gt_client *gt_open(const gt_options *options)
{
	struct link *l;

	return embed_open(&l) ? NULL : client_new(l, options);
}

gt_err gt_stats(gt_client *gt, gt_worker_stats *out)
{
	worker_stats s;
	gt_err e;

	if (!client_ready(gt, "gt_stats"))
		return gt_last_error_code();
	if ((e = embed_stats(gt->link, &s)))
		return e;
	*out = (gt_worker_stats){
		.instructions = s.instructions, .products = s.products, .faults = s.faults,
		.tensors = s.tensors, .bytes = s.bytes, .bytes_max = s.bytes_max,
	};
	return GT_OK;
}
