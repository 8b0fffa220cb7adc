/* mine.c: `gt mine FILE.gts`, what a miner would find in a recorded stream, and at what cost.
 *
 * The stream is only described, never executed: shapes are inferred, each instruction is recorded
 * as an executor would do it, and a miner runs over the records. Frees and reads count as they do
 * in a worker.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "base/error.h"
#include "base/map.h"
#include "base/mem.h"
#include "hotpath/miner.h"
#include "ir/shape.h"
#include "ir/text.h"
#include "tools/tools.h"

#define RING_WORDS (1u << 16)

typedef struct mine {
	const char *name;
	FILE *file;
	bool json, svg;
	region *longest;         /* to be drawn; NULL: none */
	miner_options options;
	recorder ring;
	miner *miner;
	idmap metas;             /* of the values alive */
	uint64_t ops, nanoseconds;
	unsigned found;          /* regions printed */
} mine;

static size_t read_file(void *ctx, char *to, size_t n)
{
	return fread(to, 1, n, ((mine *)ctx)->file);
}

/* ---- what was found ------------------------------------------------------------------------- */

static void print_text(const proposal *p)
{
	const region *r = p->region;
	char name[REGION_NAME_MAX];
	buf text = { 0 };

	printf("%s hot after %" PRIu64 " ops, %" PRIu64 " runs\n",
		region_name(p->signature, p->n, name), p->at, p->runs);
	printf("  %u ops%s, %u live-ins; cut at the %s: %" PRIu64 " bytes\n", r->n,
		r->noisy ? " with foreign ones between them" : "", r->live_ins_count,
		cut_why_text(r->cut_why), r->cut_bytes);
	region_print(r, &text);
	fputs(buf_text(&text), stdout);
	buf_fini(&text);
}

static unsigned count_live_outs(const region *r)
{
	unsigned n = 0;

	for (uint32_t i = 0; i < r->n; i++)
		n += r->ops[i].live_out;
	return n;
}

static void print_json(const mine *m, const proposal *p)
{
	const region *r = p->region;

	printf("%s\n    {\"signature\": \"%012" PRIx64 "\", \"ops\": %u, \"at\": %" PRIu64
		", \"runs\": %" PRIu64 ", \"live_ins\": %u, \"live_outs\": %u, \"noisy\": %s,"
		" \"cut\": \"%s\", \"cut_bytes\": %" PRIu64 "}", m->found ? "," : "",
		p->signature, p->n, p->at, p->runs, r->live_ins_count, count_live_outs(r),
		r->noisy ? "true" : "false", cut_why_text(r->cut_why), r->cut_bytes);
}

static void print_proposals(mine *m)
{
	char name[REGION_NAME_MAX];
	proposal p;

	while (miner_next(m->miner, &p)) {
		if (p.what == PROPOSAL_HOT) {
			if (m->json)
				print_json(m, &p);
			else
				print_text(&p);
			m->found++;
		} else if (!m->json && p.what <= PROPOSAL_RETIRED) {
			printf("%s %s after %" PRIu64 " ops\n",
				region_name(p.signature, p.n, name),
				p.what == PROPOSAL_RETIRED ? "retired" : "replaced", p.at);
		}
		region_free(p.region);
	}
}

static void print_loops(mine *m)
{
	miner_loop loops[128];
	const size_t n = miner_loops(m->miner, loops, sizeof(loops) / sizeof(*loops));
	char name[REGION_NAME_MAX];

	for (size_t k = 0; k < n; k++)
		if (m->json)
			printf("%s\n    {\"signature\": \"%012" PRIx64 "\", \"ops\": %u, \"runs\": %" PRIu64
				", \"hot\": %s}", k ? "," : "", loops[k].signature, loops[k].n,
				loops[k].runs, loops[k].hot ? "true" : "false");
		else
			printf("%s: period %u, %" PRIu64 " runs%s\n",
				region_name(loops[k].signature, loops[k].n, name), loops[k].n,
				loops[k].runs, loops[k].hot ? ", hot" : "");
}

static void print_summary(mine *m)
{
	miner_stats s;
	double each, covered;

	miner_stats_of(m->miner, &s);
	each = m->ops ? (double)m->nanoseconds / (double)m->ops : 0;
	covered = m->ops ? (double)s.covered / (double)m->ops : 0;
	if (m->json) {
		printf("],\n  \"loops\": [");
		print_loops(m);
		printf("],\n  \"total_batches\": %" PRIu64 ", \"hot_batches_executed\": %" PRIu64
			", \"unique_patterns\": %" PRIu64 ", \"hot_paths\": %" PRIu64 ",\n"
			"  \"total_instructions\": %" PRIu64 ", \"covered\": %.4f,"
			" \"nanoseconds_per_op\": %.1f, \"bytes\": %zu}\n", s.runs, s.hot_runs, s.loops,
			s.hot_loops, m->ops, covered, each, s.bytes);
		return;
	}
	print_loops(m);
	printf("%" PRIu64 " ops, %.1f %% of them in loops found by then; mining %.0f ns an op, %zu KiB\n",
		m->ops, 100 * covered, each, s.bytes / 1024);
}

/* Hot loops that were not replaced or dropped again are worth a picture. */
static void keep_longest(mine *m)
{
	proposal p;

	while (miner_next(m->miner, &p)) {
		const bool hot = p.what == PROPOSAL_HOT;
		const bool gone = m->longest && p.what != PROPOSAL_HOT &&
			p.what <= PROPOSAL_RETIRED && p.signature == m->longest->signature;

		if (gone || (hot && (!m->longest || p.n > m->longest->n))) {
			region_free(m->longest);
			m->longest = p.region;
		} else {
			region_free(p.region);
		}
	}
}

static int draw(mine *m)
{
	int status;

	if (!m->longest)
		return tool_fail(EXIT_WRONG, "%s: no loop is hot; give a lower --threshold, or a "
			"longer stream", m->name);
	status = draw_region(m->longest);
	region_free(m->longest);
	return status;
}

/* ---- the stream ----------------------------------------------------------------------------- */

static void work_off(mine *m)
{
	const uint64_t begin = clock_thread_cpu_ns();

	while (miner_run(m->miner, &m->ring, 1000) == 1000)
		;
	m->nanoseconds += clock_thread_cpu_ns() - begin;
	if (m->svg)
		keep_longest(m);
	else
		print_proposals(m);
}

static void forget(mine *m, uint64_t id)
{
	mem_free(idmap_take(&m->metas, id));
}

/* What `i` makes, filed; NULL with an error if it cannot be made. */
static const meta *infer(mine *m, const ins *i, const meta **in)
{
	meta made, *out;

	for (unsigned k = 0; k < i->nin; k++) {
		in[k] = ins_kind(i, k) ? NULL : idmap_get(&m->metas, ins_in(i)[k]);
		if (!in[k] && !ins_kind(i, k)) {
			fail(GT_EPROTO, "%s: input t%" PRIu64 " is unknown or was freed",
				op_rows[i->op].name, ins_in(i)[k]);
			return NULL;
		}
	}
	if (shape_infer(i, in, &made))
		return NULL;
	forget(m, i->out);
	out = mem_alloc(sizeof(*out));
	meta_copy(out, &made);
	idmap_put(&m->metas, i->out, out);
	return out;
}

/* Record `i`; false with an error if it is not a possible one. */
static bool take(mine *m, const ins *i)
{
	const meta *in[INS_INPUTS_MAX], *out;

	if (!op_has_result(&op_rows[i->op])) {
		recorder_control(&m->ring, i);
		if (i->op == OP_free)
			forget(m, ins_in(i)[0]);
		return true;
	}
	out = infer(m, i, in);
	if (out)
		recorder_op(&m->ring, i, in, out);
	m->ops += out != NULL;
	if (ins_blob(i))
		blob_drop(ins_blob(i));
	return out != NULL;
}

static int read_stream(mine *m)
{
	text_reader t;
	ins_room room;
	bool end = false;

	text_open(&t, read_file, m, NULL);
	for (uint64_t n = 1; !end; n++) {
		if (text_get(&t, &room, &end))
			return tool_fail(EXIT_WRONG, "%s:%s", m->name, gt_last_error());
		if (!end && !take(m, &room.head))
			return tool_fail(EXIT_WRONG, "%s:%u: %s", m->name, t.word_line,
				gt_last_error());
		if (end || n % 256 == 0)
			work_off(m);
	}
	return EXIT_DONE;
}

static int run_miner(mine *m)
{
	int status;

	recorder_init(&m->ring, RING_WORDS);
	m->miner = miner_new(&m->options);
	if (m->json)
		printf("{\"threshold\": %" PRIu64 ", \"regions\": [", m->options.threshold);
	status = read_stream(m);
	if (status == EXIT_DONE && ferror(m->file))
		status = tool_fail(EXIT_WRONG, "%s: %s", m->name, strerror(errno));
	if (!m->svg)
		print_summary(m);
	else if (status == EXIT_DONE)
		status = draw(m);
	miner_free(m->miner);
	recorder_fini(&m->ring);
	for (size_t k = 0; (k = idmap_next(&m->metas, k));)
		mem_free(m->metas.slots[k - 1].value);
	idmap_fini(&m->metas);
	return status;
}

/* --threshold N, --json or --svg, and one file. */
static bool parse(mine *m, int argc, char **argv)
{
	for (int k = 1; k < argc; k++) {
		char *end = NULL;

		if (!strcmp(argv[k], "--json")) {
			m->json = true;
		} else if (!strcmp(argv[k], "--svg")) {
			m->svg = true;
		} else if (!strcmp(argv[k], "--threshold")) {
			m->options.threshold = k + 1 < argc ? strtoull(argv[++k], &end, 10) : 0;
			if (!m->options.threshold || *end)
				return false;
		} else if (m->name || (argv[k][0] == '-' && argv[k][1])) {
			return false;
		} else {
			m->name = argv[k];
		}
	}
	return m->name && !(m->json && m->svg);
}

int mine_command(int argc, char **argv)
{
	mine m = { .file = stdin, .options = MINER_OPTIONS };
	int status;

	if (!parse(&m, argc, argv))
		return tool_usage(argv[0]);
	if (!strcmp(m.name, "-"))
		m.name = "standard input";
	else if (!(m.file = fopen(m.name, "re")))
		return tool_fail(EXIT_WRONG, "%s: %s", m.name, strerror(errno));
	status = run_miner(&m);
	if (m.file != stdin)
		fclose(m.file);
	return status;
}
