/* open.c: the public way in: a client on an embedded link. */
#include <stdio.h>
#include <gt/stats.h>
#include "client/client.h"
#include "embed/embed.h"
#include "embed/system.h"

gt_client *gt_open(const gt_options *options)
{
	struct link *l;

	return embed_open(&l) ? NULL : client_new(l, options);
}

static void put_hot(const hot_stats *s, gt_worker_stats *out)
{
	out->hotpath.total_batches = s->batches;
	out->hotpath.hot_batches_executed = s->hot_batches;
	out->hotpath.unique_patterns = s->patterns;
	out->hotpath.hot_paths = s->hot_paths;
	out->hotpath.hot_threshold = s->threshold;
	out->hotpath.total_instructions = s->ops;
	out->hotpath.hot_instructions = s->replayed;
	out->hotpath.coverage = s->ops ? (double)s->replayed / (double)s->ops : 0;
	out->hotpath.matches = s->matches;
	out->hotpath.passengers = s->passengers;
	out->hotpath.exits = s->exits;
	out->hotpath.demotions = s->demotions;
	out->hotpath.blacklisted = s->blacklisted;
	out->hotpath.sequences = s->top_count;
	for (unsigned k = 0; k < s->top_count; k++)
		out->hotpath.top_sequences[k] = (gt_sequence){ s->top[k].signature, s->top[k].runs,
			s->top[k].n, s->top[k].hot };
}

static void put_compilation(const hot_stats *s, gt_worker_stats *out)
{
	const uint64_t misses = s->loaded + s->compiles, all = s->hits + misses;

	out->compilation.cache_size = s->codes;
	out->compilation.cache_hits = s->hits;
	out->compilation.cache_misses = misses;
	out->compilation.hit_rate = all ? (double)s->hits / (double)all : 0;
	out->compilation.persistent_hits = s->loaded;
	out->compilation.compiles = s->compiles;
	out->compilation.failures = s->failures;
	out->compilation.recompiles = s->recompiles;
	out->compilation.demotions = s->fused_demotions;
	out->compilation.blacklisted = s->fused_blacklisted;
	out->compilation.compile_seconds = (double)s->compile_ns / 1e9;
	out->compilation.kernels = s->kernels;
	out->compilation.launches_saved = s->launches_saved;
	out->compilation.bytes_saved = s->bytes_saved;
}

gt_err gt_set_workers(int n)
{
	return system_set_workers(n);
}

gt_err gt_compile_wait(gt_client *gt)
{
	gt_err e = gt_sync(gt);

	if (e)
		return e;
	gt->state = CLIENT_BUSY;
	e = embed_compile_wait(gt->link);
	gt->state = CLIENT_OPEN;
	return e;
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
		.worker = s.number, .instructions = s.instructions,
		.products = s.products, .faults = s.faults,
		.tensors = s.tensors, .bytes = s.bytes, .bytes_max = s.bytes_max,
		.operations = { .total = s.operations, .eager = s.operations - s.hot.compiled,
			.compiled = s.hot.compiled },
	};
	put_hot(&s.hot, out);
	put_compilation(&s.hot, out);
	return GT_OK;
}

static bool name_site(void *ctx, uint32_t site, char *text, size_t size)
{
	const gt_client *gt = ctx;
	const gt_site *s = sites_get(gt->sites, site);

	if (s)
		snprintf(text, size, "%s:%d %s", s->file, s->line, s->function ? s->function : "");
	return s;
}

size_t gt_explain_with(gt_client *gt, char *text, size_t size, gt_explain_options options)
{
	const explain_wish wish = { { name_site, gt }, options.full, options.kernel };
	buf to = { 0 };
	size_t n = 0;

	if (client_ready(gt, "gt_explain") && !gt_sync(gt) &&
			!embed_explain(gt->link, &wish, &to)) {
		n = to.size;
		if (size)
			snprintf(text, size, "%s", buf_text(&to));
	}
	buf_fini(&to);
	return n;
}
