/* signal.c: named parts of the program, and parts that are compiled: enter and leave, begin and end
 * instructions, and the names in force.
 *
 * Names are interned, numbered from 1; a node remembers the number of the signal under which its
 * gradient runs. A name may be configured to be compiled: then a part that is compiled begins and
 * ends with each part of that name, those of gradients as well.
 */
#include "client/client.h"

#include "base/map.h"
#include "base/mem.h"

#define NESTING_MAX 64

struct signals {
	interner *names;
	uint32_t depth;
	uint32_t current[NESTING_MAX];    /* numbers, outermost first */
	uint32_t backward[NESTING_MAX];   /* what gt_client.backward was before each */
	bool begun[NESTING_MAX];          /* with each a compiled part began */
	uint8_t *wishes;                  /* by number - 1: 0, or 1 + the mode of gt_compile_begin */
	size_t known, room;
	uint32_t parts;                   /* gt_compile_begin without its end */
};

struct signals *signals_new(void)
{
	struct signals *s = mem_zero(sizeof *s);

	s->names = interner_new();
	return s;
}

void signals_free(struct signals *s)
{
	interner_free(s->names);
	mem_free(s->wishes);
	mem_free(s);
}

/* The number of a name; 0 with the error set. */
static uint32_t number_of(struct signals *s, const char *name)
{
	const size_t n = name ? strnlen(name, INS_NAME_MAX + 1) : 0;

	if (n && n <= INS_NAME_MAX)
		return interner_put(s->names, name, n) + 1;
	if (n)
		fail(GT_EINVAL, "signal: the name '%.32s...' has more than %d bytes", name,
			INS_NAME_MAX);
	else
		fail(GT_EINVAL, "signal: expected a name of 1 to %d bytes, got none", INS_NAME_MAX);
	return 0;
}

static const char *name_of(const struct signals *s, uint32_t number)
{
	return interner_get(s->names, number - 1);
}

static gt_err issue(gt_client *gt, const ins_room *room)
{
	memcpy(stream_room(gt), room->words, room->head.words * sizeof *room->words);
	return stream_commit(gt, 10);
}

static gt_err issue_plain(gt_client *gt, unsigned code)
{
	ins_room room;

	ins_init(&room, code, 0);
	return issue(gt, &room);
}

static gt_err issue_begin(gt_client *gt, uint64_t mode)
{
	ins_room room;

	ins_init(&room, OP_begin, 0);
	ins_put_operand(&room.head, (int64_t)mode);
	return issue(gt, &room);
}

static unsigned wish_of(const struct signals *s, uint32_t number)
{
	return number <= s->known ? s->wishes[number - 1] : 0;
}

bool signal_begins(const gt_client *gt, uint32_t number)
{
	return wish_of(gt->signals, number);
}

gt_err signal_issue_enter(gt_client *gt, uint32_t number)
{
	const char *name = name_of(gt->signals, number);
	const unsigned wish = wish_of(gt->signals, number);
	ins_room room;
	gt_err e;

	ins_init(&room, OP_enter, 0);
	ins_put_name(&room.head, name, strlen(name));
	e = issue(gt, &room);
	return e || !wish ? e : issue_begin(gt, wish - 1);
}

gt_err signal_issue_leave(gt_client *gt, bool begun)
{
	gt_err e = begun ? issue_plain(gt, OP_end) : GT_OK;

	return e ? e : issue_plain(gt, OP_leave);
}

static gt_err enter(gt_client *gt, uint32_t number, uint32_t backward)
{
	struct signals *s = gt->signals;

	if (s->depth == NESTING_MAX)
		return fail(GT_ELIMIT, "signal: '%s' would be nested deeper than %d; is a leave "
			"missing?",
			name_of(s, number), NESTING_MAX);
	s->backward[s->depth] = gt->backward;
	s->begun[s->depth] = signal_begins(gt, number);
	s->current[s->depth++] = number;
	gt->backward = backward;
	return signal_issue_enter(gt, number);
}

gt_err gt_enter(gt_client *gt, const char *name)
{
	uint32_t number;

	if (!client_ready(gt, "gt_enter") || !(number = number_of(gt->signals, name)))
		return gt_last_error_code();
	return enter(gt, number, gt->backward);
}

gt_err gt_enter_with(gt_client *gt, const char *name, const char *backward)
{
	uint32_t number, gradients;

	if (!backward)
		return gt_enter(gt, name);
	if (!client_ready(gt, "gt_enter") || !(number = number_of(gt->signals, name)) ||
	    !(gradients = number_of(gt->signals, backward)))
		return gt_last_error_code();
	return enter(gt, number, gradients);
}

gt_err gt_leave(gt_client *gt)
{
	struct signals *s;

	if (!client_ready(gt, "gt_leave"))
		return gt_last_error_code();
	s = gt->signals;
	if (!s->depth)
		return fail(GT_ESTATE, "signal: leave without an enter");
	gt->backward = s->backward[--s->depth];
	return signal_issue_leave(gt, s->begun[s->depth]);
}

const char *gt_signal_current(const gt_client *gt)
{
	if (!gt || gt->state == CLIENT_CLOSED || !gt->signals->depth)
		return NULL;
	return name_of(gt->signals, gt->signals->current[gt->signals->depth - 1]);
}

/* ---- parts that are compiled ----------------------------------------------------------------- */

#define MODE(name, text) ", GT_COMPILE_" #name " (" text ")"
#define MODES GT_COMPILE_MODES(MODE)

static gt_err check_mode(gt_compile_mode mode)
{
	if (mode >= GT_COMPILE_OFF && mode < GT_COMPILE_MODE_COUNT)
		return GT_OK;
	return fail(GT_EINVAL, "compile: there is no mode %d; there are 0 (not compiled)" MODES,
		(int)mode);
}

gt_err gt_compile_begin(gt_client *gt, gt_compile_mode mode)
{
	gt_err e;

	if (!client_ready(gt, "gt_compile_begin"))
		return gt_last_error_code();
	if ((e = check_mode(mode)))
		return e;
	if (gt->signals->parts == NESTING_MAX)
		return fail(GT_ELIMIT, "compile: parts would be nested deeper than %d; is an end "
			"missing?", NESTING_MAX);
	gt->signals->parts++;
	return issue_begin(gt, mode);
}

gt_err gt_compile_end(gt_client *gt)
{
	if (!client_ready(gt, "gt_compile_end"))
		return gt_last_error_code();
	if (!gt->signals->parts)
		return fail(GT_ESTATE, "compile: end without a begin");
	gt->signals->parts--;
	return issue_plain(gt, OP_end);
}

static bool is_in_part(const struct signals *s)
{
	for (uint32_t k = 0; k < s->depth; k++)
		if (s->begun[k])
			return true;
	return s->parts;
}

gt_err signal_issue_pause(gt_client *gt)
{
	return LIKELY(!gt->pieces) || is_in_part(gt->signals) ? GT_OK : issue_plain(gt, OP_end);
}

static gt_err set_wish(gt_client *gt, const char *name, unsigned wish)
{
	struct signals *s = gt->signals;
	const uint32_t number = number_of(s, name);

	if (!number)
		return gt_last_error_code();
	while (s->known < number) {
		VEC_ROOM(s->wishes, s->known, s->room);
		s->wishes[s->known++] = 0;
	}
	s->wishes[number - 1] = (uint8_t)wish;
	return GT_OK;
}

gt_err gt_signal_compile(gt_client *gt, const char *name, gt_compile_mode mode)
{
	gt_err e;

	if (!client_ready(gt, "gt_signal_compile"))
		return gt_last_error_code();
	return (e = check_mode(mode)) ? e : set_wish(gt, name, 1 + (unsigned)mode);
}

gt_err gt_signal_forget(gt_client *gt, const char *name)
{
	if (!client_ready(gt, "gt_signal_forget"))
		return gt_last_error_code();
	return set_wish(gt, name, 0);
}
