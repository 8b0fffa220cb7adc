/* invent.c: make up a program: its state, its statements, its schedule. */
#include "differential/maker.h"

/* ---- modules --------------------------------------------------------------------------------- */

static const struct { make *make; unsigned weight; } makers[] = {
	{ make_create, 10 }, { make_unary, 22 }, { make_binary, 26 }, { make_compare, 4 },
	{ make_where, 4 }, { make_clamp, 3 }, { make_reduce, 10 }, { make_argmax, 2 },
	{ make_normal, 5 }, { make_matmul, 14 }, { make_view, 10 }, { make_slice_set, 2 },
	{ make_cat, 3 }, { make_triangle, 1 }, { make_index, 6 }, { make_cast, 3 },
	{ make_int, 4 }, { make_update, 8 }, { make_layers, 3 }, { make_alias, 3 },
};

void make_any(maker *mk)
{
	unsigned sum = 0, k = 0;
	int at;

	for (size_t j = 0; j < COUNT(makers); j++)
		sum += makers[j].weight;
	at = dice_range(&mk->d, 0, (int)sum - 1);
	while (at >= (int)makers[k].weight)
		at -= (int)makers[k++].weight;
	makers[k].make(mk);
}

static bool uses(const statement *s, int reg)
{
	for (int k = 0; k < s->nin; k++)
		if (s->in[k] == reg)
			return true;
	return false;
}

static void find_last_uses(module *m)
{
	for (int k = 0; k < m->count; k++) {
		statement *s = &m->list[k];

		s->last_use = k;
		for (int j = k + 1; s->dst >= 0 && j < m->count; j++) {
			if (uses(&m->list[j], s->dst))
				s->last_use = j;
			if (m->list[j].dst != s->dst || m->list[j].when != WHEN_ALWAYS)
				continue;
			if (s->last_use == j)    /* what takes its name ends it */
				s->last_use = -1;
			break;
		}
	}
}

/* Where the ways part, names that are bound by then are there for either. */
static void bind_common(maker *mk, const module *m, int count)
{
	for (int k = 0; k < count; k++) {
		const statement *s = &m->list[k];

		if (s->dst < STATES_MAX)
			continue;
		mk->bound[s->dst] = s->when == WHEN_ALWAYS && s->life != LIFE_USE;
		mk->types[s->dst] = s->t;
	}
}

static void invent_module(maker *mk, module *m, int length)
{
	mk->m = m;
	m->first_reg = mk->next_reg = STATES_MAX + (int)(m - mk->p->modules) * MODULE_REGS;
	m->signals = dice_chance(&mk->d, 20);
	m->marks = dice_chance(&mk->d, 85) ? 0 : dice_range(&mk->d, 1, 2);
	memset(mk->bound, 0, sizeof mk->bound);
	for (int r = 0; r < mk->p->state_count; r++) {
		mk->bound[r] = true;
		mk->types[r] = mk->p->states[r];
	}
	if (mk->p->schedule == RUN_DETOUR) {
		m->signals = false;
		m->marks = 0;
		bind_common(mk, mk->p->modules, m == mk->p->modules ? 0 : mk->p->fork);
	}
	make_create(mk);
	while (m->count < length && m->count < STATEMENTS_MAX - 40) {
		make_any(mk);
		if (dice_chance(&mk->d, mk->noise))
			make_noise(mk);
		if (dice_chance(&mk->d, mk->reads))
			make_read(mk);
	}
	if (dice_chance(&mk->d, 60))
		make_updates(mk);
	if (!maker_full(mk) && dice_chance(&mk->d, 50))
		make_read(mk);
}

static void add_inner(maker *mk)
{
	module *m = &mk->p->modules[0];
	const int at = dice_range(&mk->d, 0, m->count);

	memmove(m->list + at + 1, m->list + at, (size_t)(m->count - at) * sizeof *m->list);
	m->list[at] = (statement){ .op = DO_INNER, .dst = -1 };
	m->count++;
}

/* ---- programs -------------------------------------------------------------------------------- */

static void invent_sizes(maker *mk)
{
	program *p = mk->p;

	for (int s = SYM_BATCH; s < SYM_COUNT; s++)
		p->sizes[s] = dice_range(&mk->d, 1, 8);
	if (dice_chance(&mk->d, 15))
		p->sizes[dice_range(&mk->d, SYM_BATCH, SYM_E)] = dice_range(&mk->d, 17, 60);
	/* Beyond a block of a reduction's tree (ir/tree.h). */
	if (dice_chance(&mk->d, 3))
		p->sizes[SYM_D] = dice_range(&mk->d, 64, 80);
	if (p->large) {
		p->sizes[SYM_BATCH] = dice_range(&mk->d, 300, 540);
		p->sizes[SYM_D] = dice_range(&mk->d, 450, 540);
	}
	p->sizes[SYM_TWO] = 2;
}

static void invent_states(maker *mk)
{
	program *p = mk->p;

	p->state_count = dice_range(&mk->d, 2, p->state_count_max);
	for (int k = 0; k < p->state_count; k++) {
		type *t = &p->states[k];

		do {
			*t = maker_type(mk, k ? maker_float(mk) : GT_FLOAT32);
			if (k == 0 || dice_chance(&mk->d, 35))
				*t = (type){ .dtype = GT_FLOAT32, .rank = 2,
					.dims = { SYM_D, SYM_D } };
		} while (p->batches != BATCH_FIXED && (dim_has(t->dims[0], SYM_BATCH) ||
			dim_has(t->dims[1], SYM_BATCH) || dim_has(t->dims[2], SYM_BATCH)));
	}
}

void program_invent(program *p, uint64_t seed, bool large)
{
	static const unsigned noises[] = { 0, 0, 0, 2, 6, 20 };
	maker mk = { .d = { seed * 0x2545f4914f6cdd1d + 1 }, .p = p };
	dice *d = &mk.d;
	int length;

	*p = (program){ .seed = seed, .large = large, .state_count_max = STATES_MAX };
	p->schedule = dice_chance(d, 50) ? RUN_ONE :
		(schedule)dice_range(d, RUN_ALTERNATE, SCHEDULES - 1);
	p->batches = dice_chance(d, 55) ? BATCH_FIXED :
		(batches)dice_range(d, BATCH_PARTIAL, BATCH_MODES - 1);
	p->count = p->schedule == RUN_ONE ? 1 : p->schedule == RUN_BRANCH ? dice_range(d, 2, 3) : 2;
	p->runs = dice_range(d, 15, 40);
	p->every = dice_range(d, 2, 9);
	p->inner = dice_range(d, 1, 5);
	p->inner_varies = dice_chance(d, 30);
	p->ends_early = dice_chance(d, 50);
	p->errs = dice_chance(d, 12);
	p->id_step = dice_chance(d, 80) ? 1 : (unsigned)dice_range(d, 1, 40);
	mk.noise = noises[dice_range(d, 0, COUNT(noises) - 1)];
	mk.reads = dice_chance(d, 60) ? 2 : 12;
	mk.long_lived = dice_chance(d, 50);
	length = dice_chance(d, 85) ? 24 : 90;
	/* Few run long enough for a plan to be judged, fewer until a loop is settled. */
	if (large) {
		p->runs = dice_range(d, 7, 12);
	} else if (seed % 300 == 33) {
		p->runs = dice_range(d, 5000, 8000);
		p->state_count_max = 3;
		length = 8;
	} else if (seed % 25 == 8) {
		p->runs = dice_range(d, 150, 400);
		length = 24;
	}
	invent_sizes(&mk);
	invent_states(&mk);
	for (int k = 0; k < p->count; k++) {
		invent_module(&mk, &p->modules[k], dice_range(d, 2, length));
		if (!k)
			p->fork = dice_range(d, 0, p->modules[0].count - 1);
	}
	if (p->schedule == RUN_NESTED)
		add_inner(&mk);
	for (int k = 0; k < p->count; k++)
		find_last_uses(&p->modules[k]);
}
