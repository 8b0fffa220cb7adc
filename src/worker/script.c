/* script.c: scripts learnt, and compared with what came. */
#include "worker/script.h"

#include <immintrin.h>

#include "base/mem.h"
#include "ir/shape.h"

#define WORDS_MAX   (1u << 22)   /* of a run; what is longer has no script */
#define PATIENCE    2            /* runs, after a try in vain; doubles */
#define DOUBLINGS   7
#define BARELY      8            /* ops behind which a run broke off that was none */
#define LANES       8
#define BLOCK       (4 * LANES)  /* words that are looked at together */

/* ---- learning -------------------------------------------------------------------------------- */

void script_init(script *s, uint32_t n)
{
	*s = (script){ .n = n };
}

static void drop_draft(script *s)
{
	mem_free(s->draft);
	s->draft = NULL;
	s->draft_words = s->draft_room = s->draft_parts = 0;
}

static void drop_tables(script *s)
{
	mem_free(s->then);
	mem_free(s->moves);
	mem_free(s->keep);
	mem_free(s->marks);
	mem_free(s->parts);
	mem_free(s->ops);
	mem_free(s->results);
	s->results = NULL;
	s->then = s->moves = s->keep = NULL;
	s->marks = NULL;
	s->parts = NULL;
	s->ops = NULL;
	s->words = s->count = 0;
}

void script_fini(script *s)
{
	drop_draft(s);
	drop_tables(s);
}

/* It was a guess that the region begins there: that says nothing of its runs. */
static bool was_guess(const script *s)
{
	return s->state == SCRIPT_DRAFT && s->next <= MIN(BARELY, s->n / 4);
}

void script_give_up(script *s)
{
	if (s->state != SCRIPT_DRAFT && s->state != SCRIPT_TEST)
		return;
	if (!was_guess(s))
		s->patience = (uint64_t)PATIENCE << MIN(s->tries++, DOUBLINGS);
	drop_draft(s);
	drop_tables(s);
	s->state = SCRIPT_IDLE;
}

void script_forget(script *s)
{
	s->state = SCRIPT_TEST;
	script_give_up(s);
}

static void open_draft(script *s)
{
	drop_draft(s);
	drop_tables(s);
	s->state = SCRIPT_DRAFT;
	s->next = 0;
}

/* What was copied down is a run: see whether the next one is like it. */
static void open_test(script *s)
{
	const uint32_t words = s->draft_words + BLOCK, parts = s->draft_parts + 1;

	s->state = SCRIPT_TEST;
	s->then = mem_alloc(words * sizeof *s->then);
	s->moves = mem_alloc(words * sizeof *s->moves);
	s->keep = mem_alloc(words * sizeof *s->keep);
	s->marks = mem_zero(2 * (words / LANES + 1));
	s->parts = mem_alloc(parts * sizeof *s->parts);
	s->ops = mem_alloc((s->n + 1) * sizeof *s->ops);
	s->results = mem_alloc(s->n * sizeof *s->results);
	s->next = 0;
}

static void put_end(script *s)
{
	for (uint32_t k = 0; k < s->words; k++) {
		s->marks[k / LANES * 2] |= (uint8_t)((s->moves[k] & 1) << k % LANES);
		s->marks[k / LANES * 2 + 1] |= (uint8_t)((s->keep[k] & 1) << k % LANES);
	}
	s->parts[s->count] = (script_part){ .at = s->words, .op = SCRIPT_NEVER,
		.freed = SCRIPT_NEVER, .kind = PART_LOOSE };
	s->ops[s->n] = s->count;
}

bool script_begin(script *s, bool follows)
{
	if (s->state == SCRIPT_IDLE) {
		if (s->patience) {
			s->patience--;
			return false;
		}
		open_draft(s);
	} else if (!follows || s->next < s->n) {
		script_give_up(s);
	} else if (s->state == SCRIPT_DRAFT) {
		open_test(s);
	} else if (s->words == s->draft_words) {
		put_end(s);
		drop_draft(s);
		s->tries = 0;
		s->learnt++;
		s->state = SCRIPT_READY;
	} else {
		script_give_up(s);
	}
	return s->state == SCRIPT_DRAFT || s->state == SCRIPT_TEST;
}

static bool put_draft(script *s, const ins *i)
{
	if (s->draft_words + i->words > WORDS_MAX)
		return false;
	if (s->draft_words + i->words > s->draft_room) {
		s->draft_room = MAX(2 * s->draft_room, 1024u);
		s->draft = mem_grow(s->draft, s->draft_room * sizeof *s->draft);
	}
	if (!s->draft_words)
		s->draft_first = i->out;
	ins_copy(s->draft + s->draft_words, i);
	s->draft_words += i->words;
	s->draft_parts++;
	return true;
}

/* ---- what kind of words? --------------------------------------------------------------------- */

/* An id; false if it neither stays nor moves. */
static bool put_id(script *s, uint32_t at, uint64_t before, uint64_t now)
{
	const bool stays = before == now;

	s->keep[at] = UINT64_MAX;
	s->moves[at] = stays ? 0 : UINT64_MAX;
	s->then[at] = stays ? now : now - s->first;
	return stays || now - before == s->first - s->draft_first;
}

static bool put_plain(script *s, uint32_t at, uint64_t before, uint64_t now)
{
	s->keep[at] = UINT64_MAX;
	s->moves[at] = 0;
	s->then[at] = now;
	return before == now;
}

static void put_anything(script *s, uint32_t at)
{
	s->keep[at] = s->moves[at] = s->then[at] = 0;
}

/* Operand n of both: the first index of a slice, another one in each run. */
static bool is_slid(const ins *before, const ins *i, unsigned n)
{
	return shape_slice_begins(i, n - i->nin) && before->tail[n] != i->tail[n];
}

/* Seeds, draw numbers and data come first among the operands; what else there is are sizes, bounds
 * and names. */
static bool put_operands(script *s, uint32_t at, const ins *before, const ins *i)
{
	const char *letter = op_rows[i->op].operands;
	bool fits = true;

	for (unsigned k = 0; k < i->nopd; k++) {
		const unsigned n = i->nin + k;

		if (letter && (*letter == 'u' || *letter == 'b')) {
			put_anything(s, at + n);
			letter++;
			continue;
		}
		letter = NULL;
		if (is_slid(before, i, n)) {
			put_anything(s, at + n);
			s->parts[s->count].slides = true;
			continue;
		}
		fits &= put_plain(s, at + n, before->tail[n], i->tail[n]);
	}
	return fits;
}

static bool put_words(script *s, const ins *before, const ins *i)
{
	const uint32_t at = s->words, tail = at + INS_HEAD_WORDS;
	const uint64_t *was = (const uint64_t *)(const void *)before;
	const uint64_t *is = (const uint64_t *)(const void *)i;
	bool fits = put_plain(s, at, was[0], is[0]);

	fits &= put_plain(s, at + 2, was[2], is[2]);
	put_anything(s, at + 1);         /* the place in the program */
	fits &= i->out ? put_id(s, at + 3, before->out, i->out) && before->out != i->out :
		put_plain(s, at + 3, before->out, 0);
	for (unsigned k = 0; k < i->nin; k++)
		if (ins_kind(i, k))
			put_anything(s, tail + k);
		else
			fits &= put_id(s, tail + k, before->tail[k], i->tail[k]);
	return put_operands(s, tail, before, i) && fits;
}

/* ---- parts ----------------------------------------------------------------------------------- */

/* The op of this run that made the value which the free's word names; SCRIPT_NEVER: none. Results
 * are in order. */
static uint32_t find_op(const script *s, uint32_t word)
{
	uint32_t low = 0, high = s->next;

	if (!s->moves[word])
		return SCRIPT_NEVER;
	while (low < high) {
		const uint32_t mid = (low + high) / 2;

		if ((int64_t)s->results[mid] < (int64_t)s->then[word])
			low = mid + 1;
		else
			high = mid;
	}
	return low < s->next && s->results[low] == s->then[word] ? low : SCRIPT_NEVER;
}

static void put_free(script *s, script_part *to)
{
	script_part *of;

	to->kind = PART_FREE;
	to->op = find_op(s, to->at + INS_HEAD_WORDS);
	if (to->op == SCRIPT_NEVER)
		return;
	of = &s->parts[s->ops[to->op]];
	if (of->freed == SCRIPT_NEVER)
		of->freed = s->count;
	else
		to->op = SCRIPT_NEVER;   /* once more: it frees nothing */
}

/* Results that do not come in the order of their ids are none of a loop's. */
static bool put_op(script *s, script_part *to, uint32_t at)
{
	const uint64_t result = s->then[to->at + 3];

	if (at != s->next || (at && (int64_t)result <= (int64_t)s->results[at - 1]))
		return false;
	to->op = at;
	s->results[at] = result;
	s->ops[s->next++] = s->count;
	return true;
}

static void loosen(script *s, script_part *to)
{
	to->kind = PART_LOOSE;
	s->keep[to->at] = UINT64_MAX;
	s->moves[to->at] = 0;
	s->then[to->at] = 0;             /* no instruction has that head */
}

static bool put_part(script *s, const ins *before, const ins *i, uint32_t at)
{
	script_part *to = &s->parts[s->count];
	bool fits;

	*to = (script_part){ .at = s->words, .op = SCRIPT_NEVER, .freed = SCRIPT_NEVER,
		.product = op_rows[i->op].kind == KIND_PRODUCT };
	fits = put_words(s, before, i);
	if (at != SCRIPT_NEVER && !put_op(s, to, at))
		return false;
	if (i->op == OP_free)
		put_free(s, to);
	else if (i->op == OP_enter || i->op == OP_leave)
		to->kind = PART_SIGNAL;
	if (!fits || (at == SCRIPT_NEVER && to->kind == PART_OP))
		loosen(s, to);
	s->count++;
	s->words += i->words;
	return true;
}

static bool put_test(script *s, const ins *i, uint32_t at)
{
	const ins *before = (const ins *)(s->draft + s->words);

	if (s->words >= s->draft_words || before->words != i->words || before->op != i->op ||
			before->nin != i->nin)
		return false;
	if (!s->words)
		s->first = i->out;
	return put_part(s, before, i, at);
}

bool script_note(script *s, const ins *i, uint32_t at)
{
	bool noted;

	if (s->state == SCRIPT_DRAFT) {
		noted = at == SCRIPT_NEVER || at == s->next++;
		noted = noted && put_draft(s, i);
	} else {
		noted = put_test(s, i, at);
	}
	if (!noted)
		script_give_up(s);
	return noted;
}

/* ---- comparing ------------------------------------------------------------------------------- */

typedef uint64_t lanes __attribute__((vector_size(LANES * sizeof(uint64_t)), aligned(8),
	may_alias));

static inline __attribute__((always_inline)) void add_differing(lanes *all, const uint64_t *now,
	const uint64_t *then, const uint64_t *moves, const uint64_t *keep, uint64_t base)
{
	const lanes by = { base, base, base, base, base, base, base, base };

	*all |= (*(const lanes *)now - *(const lanes *)then - (*(const lanes *)moves & by)) &
		*(const lanes *)keep;
}

static inline __attribute__((always_inline)) uint32_t same_blocks(const script *s, uint32_t from,
	uint32_t n, const uint64_t *now, uint64_t base)
{
	const uint64_t *then = s->then + from, *moves = s->moves + from, *keep = s->keep + from;
	uint32_t k = 0;

	for (; k + BLOCK <= n; k += BLOCK) {
		lanes all = { 0 };

		for (uint32_t j = k; j < k + BLOCK; j += LANES)
			add_differing(&all, now + j, then + j, moves + j, keep + j, base);
		if (all[0] | all[1] | all[2] | all[3] | all[4] | all[5] | all[6] | all[7])
			break;
	}
	for (; k < n; k++)
		if ((now[k] - then[k] - (moves[k] & base)) & keep[k])
			break;
	return k;
}

static __attribute__((target("avx2"))) uint32_t same_avx2(const script *s, uint32_t from,
	uint32_t n, const uint64_t *now, uint64_t base)
{
	return same_blocks(s, from, n, now, base);
}

/* Words at `then`, a multiple of LANES, with their marks. */
typedef struct place {
	const uint64_t *now, *then;
	const uint8_t *marks;
} place;

/* Those of `here` that differ. */
static inline __attribute__((always_inline, target("avx512f"))) uint32_t differing(place p,
	__m512i base, uint32_t here)
{
	const __m512i is = _mm512_maskz_loadu_epi64((__mmask8)here, p.now);
	const __m512i by = _mm512_sub_epi64(is, _mm512_loadu_si512(p.then));
	const __m512i rest = _mm512_mask_sub_epi64(by, p.marks[0], by, base);

	return _mm512_mask_test_epi64_mask((__mmask8)(p.marks[1] & here), rest, rest);
}

static inline place next_place(place p)
{
	return (place){ p.now + LANES, p.then + LANES, p.marks + 2 };
}

/* Marks are masks here, a bit a word: two thirds of the memory need not be fetched. */
static __attribute__((target("avx512f"))) uint32_t same_avx512(const script *s, uint32_t from,
	uint32_t n, const uint64_t *now, uint64_t base)
{
	const uint32_t skip = from % LANES, end = skip + n;
	const __m512i all = _mm512_set1_epi64((int64_t)base);
	place p = { now - skip, s->then + (from - skip), s->marks + (from - skip) / LANES * 2 };
	uint32_t at = 0, here = 0xffu << skip, odd;

	for (; at + LANES <= end; at += LANES, p = next_place(p), here = 0xff)
		if (UNLIKELY(odd = differing(p, all, here & 0xff)))
			return at + (uint32_t)__builtin_ctz(odd) - skip;
	odd = differing(p, all, here & ((1u << (end - at)) - 1));
	return odd ? at + (uint32_t)__builtin_ctz(odd) - skip : n;
}

uint32_t script_same(const script *s, uint32_t from, uint32_t n, const uint64_t *now, uint64_t base)
{
	if (__builtin_cpu_supports("avx512f"))
		return same_avx512(s, from, n, now, base);
	return __builtin_cpu_supports("avx2") ? same_avx2(s, from, n, now, base) :
		same_blocks(s, from, n, now, base);
}

bool script_is(const script *s, uint32_t part, const ins *i, uint64_t base)
{
	const uint32_t at = s->parts[part].at;

	return s->parts[part + 1].at - at == i->words &&
		script_same(s, at, i->words, (const uint64_t *)(const void *)i, base) == i->words;
}

uint32_t script_part_of(const script *s, uint32_t at)
{
	uint32_t low = 0, high = s->count;

	while (low < high) {             /* parts[low].at <= at < parts[high + 1].at */
		const uint32_t mid = (low + high + 1) / 2;

		if (s->parts[mid].at <= at)
			low = mid;
		else
			high = mid - 1;
	}
	return low;
}
