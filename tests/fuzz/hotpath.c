/* hotpath.c: any bytes as a little program of instructions and loops over them, recorded, mined and
 * matched. What a miner hands out occurs twice in the stream, op by op and wire by wire; what a
 * matcher takes for a run is one; memory stays bounded.
 *
 * The first three bytes choose threshold, shortest region, what is looked for, and when the miner
 * works. Then each byte is an instruction on eight registers (a second byte names them), or the
 * repetition of the bytes before it, or what goes on between instructions. A register that is
 * written again frees what was in it.
 */
#include "require.h"

#include "base/mem.h"
#include "hotpath/loop.h"
#include "hotpath/match.h"
#include "hotpath/miner.h"
#include "ir/op.h"
#include "ir/shape.h"

#define OPS_MAX      1500u
#define REGISTERS    8u
#define REGIONS_MAX  16u
#define TRIES_MAX    30000u      /* of a search for runs with foreign ops in them */
#define BYTES_MAX    ((size_t)24 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef union slot { record head; uint64_t words[RECORD_HEAD_WORDS + 2]; } slot;

/* A region that was handed out, and a run of it under way. */
typedef struct known {
	region *r;
	pattern p;
	match m;
	uint64_t *at;            /* ops of the stream that the run took */
} known;

typedef struct machine {
	const uint8_t *data;
	size_t size;
	unsigned depth;          /* of repetitions */
	uint64_t id[REGISTERS], last_id;
	meta metas[REGISTERS];
	slot *ops;               /* all that came */
	uint64_t count;
	recorder ring, once;
	miner *miner;
	size_t steps;            /* of mining after each instruction */
	known regions[REGIONS_MAX];
	unsigned region_count;
	uint64_t *run;           /* ops of a run that is looked for */
	unsigned tries;
} machine;

/* ---- what a run is -------------------------------------------------------------------------- */

static const record *op_at(const machine *x, uint64_t n)
{
	return &x->ops[n].head;
}

/* What the run's live-in `in` is bound to: what its first use has there. */
static uint64_t bound_to(const machine *x, const region *r, const uint64_t *run, int32_t in)
{
	const uint32_t i = r->live_ins[REGION_LIVE_IN(in)].first_use;

	for (unsigned k = 0; k < r->ops[i].nin; k++)
		if (r->inputs[r->ops[i].first + k] == in)
			return op_at(x, run[i])->in[k];
	abort();
}

/* Whether stream op run[i] can be the region's op i after run[0 .. i - 1]. */
static bool fits(const machine *x, const region *r, const uint64_t *run, uint32_t i)
{
	const region_op *o = &r->ops[i];
	const record *s = op_at(x, run[i]);

	if (!region_same_desc(o, s))
		return false;
	for (unsigned k = 0; k < o->nin; k++) {
		const int32_t in = r->inputs[o->first + k];

		if (in == REGION_SCALAR)
			continue;
		if (s->in[k] != (in >= 0 ? op_at(x, run[in])->out : bound_to(x, r, run, in)))
			return false;
	}
	return true;
}

/* The ops from region op i on, behind those of the run so far, foreign ones between: by trial. */
static bool search(machine *x, const region *r, uint32_t i)
{
	const uint64_t after = x->run[i - 1] + 1;
	const uint64_t most = MIN(x->count, after + LOOP_FOREIGN_MAX + 1);

	if (i == r->n)
		return true;
	for (x->run[i] = after; x->run[i] < most && x->tries; x->run[i]++, x->tries--)
		if (fits(x, r, x->run, i) && search(x, r, i + 1))
			return true;
	return !x->tries;
}

static void check_occurs(machine *x, const region *r, unsigned times)
{
	unsigned found = 0;

	x->tries = TRIES_MAX;
	for (uint64_t from = 0; from < x->count && found < times && x->tries; from++) {
		x->run[0] = from;
		found += fits(x, r, x->run, 0) && search(x, r, 1);
	}
	REQUIRE(found == times || !x->tries);
}

static void check_sound(const region *r)
{
	uint32_t seen = 0;

	REQUIRE(r->n && r->signature == region_signature(r));
	for (uint32_t i = 0; i < r->n; i++)
		for (unsigned k = 0; k < r->ops[i].nin; k++) {
			const int32_t in = r->inputs[r->ops[i].first + k];

			if (in == REGION_SCALAR)
				continue;
			REQUIRE(in >= 0 ? (uint32_t)in < i : REGION_LIVE_IN(in) <= seen);
			seen += in < 0 && REGION_LIVE_IN(in) == seen;
		}
	REQUIRE(seen == r->live_ins_count);
}

/* ---- mining and matching -------------------------------------------------------------------- */

static void keep(machine *x, const proposal *p)
{
	known *k = &x->regions[x->region_count];
	region *r = p->region;

	check_sound(r);
	REQUIRE(r->n == p->n && r->signature == p->signature);
	check_occurs(x, r, p->scope ? (unsigned)MIN(p->runs, 2) : 2);
	if (x->region_count == REGIONS_MAX) {
		region_free(r);
		return;
	}
	x->region_count++;
	k->r = r;
	pattern_init(&k->p, r);
	match_init(&k->m, &k->p);
	k->at = mem_alloc(r->n * sizeof *k->at);
}

static void mine(machine *x, size_t steps)
{
	miner_stats s;
	proposal p;

	miner_run(x->miner, &x->ring, steps);
	while (miner_next(x->miner, &p)) {
		REQUIRE((p.what == PROPOSAL_HOT) == (p.region != NULL));
		if (p.region)
			keep(x, &p);
	}
	miner_stats_of(x->miner, &s);
	REQUIRE(s.covered <= s.ops && s.hot_covered <= s.covered && s.bytes <= BYTES_MAX);
}

/* The run that the match has taken is one, if it was all told from its beginning. */
static void check_run(const machine *x, const known *k)
{
	for (uint32_t i = 0; i < k->r->n; i++)
		REQUIRE(fits(x, k->r, k->at, i));
}

static void follow_run(machine *x, known *k, const ins *i)
{
	const record *r = op_at(x, x->count - 1);

	if (!match_wired(&k->m, i) || !match_fits(&k->m, r->metas)) {
		if (match_miss(&k->m) == MATCH_EXIT)
			match_leave(&k->m);
		return;
	}
	k->at[k->m.at] = x->count - 1;
	if (match_take(&k->m, i->out))
		check_run(x, k);
}

/* ---- the machine ---------------------------------------------------------------------------- */

/* What the recorder makes of an instruction, kept. */
static void note(machine *x, const ins *i, const meta *const *in, const meta *out)
{
	const record *r;

	recorder_op(&x->once, i, in, out);
	r = recorder_peek(&x->once);
	REQUIRE(r->words <= COUNT(x->ops->words));
	memcpy(&x->ops[x->count++], r, r->words * sizeof(uint64_t));
	recorder_pop(&x->once, r);
}

static void control(machine *x, unsigned code, uint64_t id)
{
	ins_room room;
	ins *i = ins_init(&room, code, 0);

	if (id)
		ins_put_input(i, id);
	recorder_control(&x->ring, i);
}

static void enter(machine *x, scope_wish wish)
{
	ins_room room;

	recorder_enter(&x->ring, ins_init(&room, OP_enter, 0), wish);
}

static void bind(machine *x, unsigned to, uint64_t id, const meta *m)
{
	if (x->id[to])
		control(x, OP_free, x->id[to]);
	x->id[to] = id;
	meta_copy(&x->metas[to], m);
}

static void issue(machine *x, const ins *i, const meta *const *in, unsigned to)
{
	meta out;

	if (shape_infer(i, in, &out) || x->count == OPS_MAX)
		return;
	note(x, i, in, &out);
	recorder_op(&x->ring, i, in, &out);
	for (unsigned k = 0; k < x->region_count; k++)
		follow_run(x, &x->regions[k], i);
	bind(x, to, i->out, &out);
	mine(x, x->steps);
}

static void make_op(machine *x, uint8_t what, uint8_t where)
{
	static const uint16_t codes[] = { OP_add, OP_sub, OP_mul, OP_matmul, OP_maximum, OP_tanh,
		OP_neg, OP_relu, OP_square, OP_exp, OP_abs, OP_sigmoid, OP_sign, OP_sum };
	const unsigned a = where & 7, b = where >> 3 & 7, to = (where >> 6) | (what >> 4 & 4);
	const unsigned code = codes[(what & 15) % COUNT(codes)];
	const meta *in[2] = { &x->metas[a], &x->metas[b] };
	ins_room room;
	ins *i = ins_init(&room, code, ++x->last_id);

	ins_put_input(i, x->id[a]);
	if (op_rows[code].nin == 2 && what & 16) {
		ins_put_scalar(i, KIND_FLOAT, (scalar){ .f = where });
		in[1] = NULL;
	} else if (op_rows[code].nin == 2) {
		ins_put_input(i, x->id[b]);
	}
	if (code == OP_sum)
		i->attr.axes = (uint8_t)((1u << x->metas[a].rank) - 1);
	issue(x, i, in, to);
}

static void make_data(machine *x, unsigned to)
{
	ins_room room;
	ins *i = ins_init(&room, OP_randn, ++x->last_id);

	i->attr.dtype = GT_FLOAT32;
	ins_put_operand(i, 7);
	ins_put_operand(i, (int64_t)x->last_id);
	ins_put_operand(i, 2);
	ins_put_operand(i, 2);
	issue(x, i, NULL, to);
}

/* A plan for a known region says that it ran; or for one that nobody knows. */
static void replay(machine *x, unsigned k)
{
	const region *r = k < x->region_count ? x->regions[k].r : NULL;

	recorder_replay(&x->ring, r ? r->signature : k, r ? r->n : 4);
}

static void between(machine *x, uint8_t what)
{
	switch (what & 7) {
	case 0:
		control(x, OP_fetch, x->id[what >> 3 & 7]);
		break;
	case 1:
		replay(x, what >> 3 & 7);
		break;
	case 2:
		enter(x, (scope_wish)((what >> 3 & 7) % 3));
		break;
	case 3:
		control(x, OP_leave, 0);
		break;
	case 4:
		mine(x, what & 8 ? 100000 : 0);
		recorder_flush(&x->ring);
		break;
	default:
		make_data(x, what >> 3 & 7);
	}
}

/* The bytes [from, to). */
static void run(machine *x, size_t from, size_t to)
{
	for (size_t p = from; p < to && x->count < OPS_MAX; p++) {
		const uint8_t what = x->data[p], next = p + 1 < to ? x->data[p + 1] : 0;

		if (what < 128) {
			make_op(x, what, next);
			p++;
		} else if (what < 192) {
			between(x, what & 63);
		} else if (p > from && x->depth < 2) {
			const size_t length = MIN(next % 64u + 1, p - from);

			x->depth++;
			for (unsigned k = what & 63; k-- && x->count < OPS_MAX;)
				run(x, p - length, p);
			x->depth--;
			p++;
		}
	}
}

static void open_machine(machine *x, const uint8_t *data, size_t size)
{
	const miner_options o = { .threshold = 1 + data[0] % 5u, .min_seq = 1 + data[1] % 8u,
		.window = 64, .scopes_only = data[1] >> 6 == 1, .everything = data[1] >> 7 };

	*x = (machine){ .data = data, .size = size, .steps = data[2] };
	x->ops = mem_alloc(OPS_MAX * sizeof *x->ops);
	x->run = mem_alloc((OPS_MAX + 1) * sizeof *x->run);
	recorder_init(&x->ring, 8 * RECORD_CHUNK_MIN << data[2] % 5u);
	recorder_init(&x->once, 8 * RECORD_CHUNK_MIN);
	x->miner = miner_new(&o);
}

static void close_machine(machine *x)
{
	for (unsigned k = 0; k < x->region_count; k++) {
		match_fini(&x->regions[k].m);
		pattern_fini(&x->regions[k].p);
		region_free(x->regions[k].r);
		mem_free(x->regions[k].at);
	}
	miner_free(x->miner);
	recorder_fini(&x->ring);
	recorder_fini(&x->once);
	mem_free(x->ops);
	mem_free(x->run);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static _Alignas(CACHE_LINE) machine x;

	if (size < 3)
		return 0;
	open_machine(&x, data, size);
	for (unsigned k = 0; k < REGISTERS; k++)
		make_data(&x, k);
	run(&x, 3, size);
	mine(&x, 1000000);
	close_machine(&x);
	return 0;
}
