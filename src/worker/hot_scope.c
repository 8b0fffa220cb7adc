/* hot_scope.c: parts that the program asks to be compiled, or to be left alone. */
#include "worker/hot.h"

#include "base/flags.h"

void hot_scope(tenant *t, const ins *i)
{
	const bool begins = i->op == OP_begin;
	const bool wanted = begins && ins_opd(i)[0] != 0;

	/* Whoever asks is looked after, also where nobody looks for loops. */
	if (!t->hot && wanted)
		hot_begin(t, (uint64_t)flag_int(FLAG_GT_HOTPATH_THRESHOLD));
	if (!t->hot)
		return;
	if (begins)
		hot_rest_never(t->hot);
	if (!begins && !t->hot->recorder.compiled && !t->hot->recorder.excluded)
		recorder_flush(&t->hot->recorder);       /* the client waits */
	else if (begins)
		recorder_enter(&t->hot->recorder, i, wanted ? SCOPE_COMPILE : SCOPE_EXCLUDE);
	else
		recorder_control(&t->hot->recorder, i);
	if (!begins && t->hot->sync)     /* so that the second run is replayed from its first op */
		hot_mine_in_place(t->hot);
}
