/* signal.c: named parts of the program: enter and leave instructions, and the names in force.
 *
 * Names are interned, numbered from 1; a node remembers the number of the signal under which its
 * gradient runs.
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

gt_err signal_issue(gt_client *gt, uint32_t number)
{
	ins_room room;

	ins_init(&room, number ? OP_enter : OP_leave, 0);
	if (number) {
		const char *name = name_of(gt->signals, number);

		ins_put_name(&room.head, name, strlen(name));
	}
	memcpy(stream_room(gt), room.words, room.head.words * sizeof *room.words);
	return stream_commit(gt, 10);
}

static gt_err enter(gt_client *gt, uint32_t number, uint32_t backward)
{
	struct signals *s = gt->signals;

	if (s->depth == NESTING_MAX)
		return fail(GT_ELIMIT, "signal: '%s' would be nested deeper than %d; is a leave "
			"missing?",
			name_of(s, number), NESTING_MAX);
	s->backward[s->depth] = gt->backward;
	s->current[s->depth++] = number;
	gt->backward = backward;
	return signal_issue(gt, number);
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
	return signal_issue(gt, 0);
}

const char *gt_signal_current(const gt_client *gt)
{
	if (!gt || gt->state == CLIENT_CLOSED || !gt->signals->depth)
		return NULL;
	return name_of(gt->signals, gt->signals->current[gt->signals->depth - 1]);
}
