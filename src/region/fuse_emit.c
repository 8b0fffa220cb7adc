/* fuse_emit.c: units to steps: groups in group.h's form, calls, views, in the order in which they
 * may run. */
#include "region/fuse_emit.h"

#include "hotpath/mix.h"
#include "region/fuse_cost.h"

static fuse_value *value_of(const emitter *e, uint32_t v)
{
	return &e->g->f->values.at[v];
}

/* ---- nodes ---- */

uint16_t fuse_emit_node(emitter *e, group_node n)
{
	e->group->nodes[e->group->nodes_count] = n;
	return e->group->nodes_count++;
}

/* Constants that happen to be equal stay two: in another size they may differ. */
static bool same_scalar(const fuse_scalar *a, const fuse_scalar *b)
{
	return a->op != REGION_NEVER && a->op == b->op && a->input == b->input &&
		a->kind == b->kind && a->dtype == b->dtype;
}

uint16_t fuse_emit_word(emitter *e, fuse_scalar s)
{
	FUSE_PUSH(&e->g->f->scalars, s);
	return e->group->scalars_count++;
}

uint16_t fuse_emit_scalar(emitter *e, uint32_t v, unsigned k, gt_dtype dtype)
{
	fusion *f = e->g->f;
	const fuse_value *o = value_of(e, v);
	const fuse_scalar s = { .op = o->composed ? REGION_NEVER : o->op,
		.input = o->composed ? 0 : (uint8_t)k, .kind = (uint8_t)ins_kind(o->row, k),
		.dtype = (uint8_t)dtype, .bits = o->composed ? ins_in(o->row)[k] : 0 };
	uint32_t at = 0;

	while (at < e->group->scalars_count &&
		!same_scalar(&f->scalars.at[e->step->scalars + at], &s))
		at++;
	if (at == e->group->scalars_count)
		fuse_emit_word(e, s);
	return fuse_emit_node(e, (group_node){ .what = NODE_SCALAR, .dtype = (uint8_t)dtype,
		.at = (uint16_t)at });
}

uint16_t fuse_emit_constant(emitter *e, int64_t number)
{
	const uint16_t at = fuse_emit_word(e, (fuse_scalar){ .op = REGION_NEVER,
		.kind = KIND_INT, .dtype = GT_INT64, .bits = (uint64_t)number });

	return fuse_emit_node(e, (group_node){ .what = NODE_SCALAR, .dtype = GT_INT64, .at = at });
}

uint16_t fuse_emit_load(emitter *e, uint32_t at)
{
	if (!e->loaded[at]) {
		e->loaded[at] = true;
		e->loads[at] = fuse_emit_node(e, (group_node){ .what = NODE_LOAD, .at = (uint16_t)at,
			.dtype = (uint8_t)fuse_operand_dtype(e->x, &e->x->args[at]) });
	}
	return e->loads[at];
}

static gt_dtype scalar_dtype(const emitter *e, uint32_t v, unsigned k)
{
	const fuse_value *o = value_of(e, v);
	const meta *in[INS_SCALARS_MAX];

	for (unsigned j = 0; j < o->row->nin; j++)
		in[j] = ins_kind(o->row, j) ? NULL : &value_of(e, fuse_input_of(o->row, j))->m;
	return engine_scalar_dtype(o->row, (int)k, in, &o->m);
}

static uint16_t add_input(emitter *e, uint32_t slot, unsigned k)
{
	const uint32_t v = e->x->members[slot];
	fuse_source source;
	uint32_t at;
	const fuse_why why = fuse_kernel_input(e->x, slot, k, &source, &at);

	assert(!why);
	(void)why;
	switch (source) {
	case SOURCE_SCALAR:
		return fuse_emit_scalar(e, v, k, scalar_dtype(e, v, k));
	case SOURCE_FULL:
		return fuse_emit_scalar(e, at, 0, (gt_dtype)value_of(e, at)->m.dtype);
	case SOURCE_MEMBER:
		return e->nodes[at];
	default:
		return fuse_emit_load(e, at);
	}
}

static void add_member(emitter *e, uint32_t slot)
{
	const uint32_t v = e->x->members[slot];
	const ins *row = value_of(e, v)->row;
	const fuse_class class = (fuse_class)e->g->nodes[v].class;
	group_node n = { .what = class == CLASS_REDUCE ? NODE_REDUCE : NODE_OP, .op = row->op,
		.dtype = value_of(e, v)->m.dtype };

	FUSE_PUSH(&e->g->f->members, v);
	if (class == CLASS_PLACED) {
		e->nodes[slot] = fuse_place_emit(e, slot);
		return;
	}
	for (unsigned k = 0; k < row->nin && k < COUNT(n.in); k++)
		n.in[k] = add_input(e, slot, k);
	e->nodes[slot] = class == CLASS_COPY ? n.in[0] : fuse_emit_node(e, n);
}

/* ---- operands ---- */

static group_access access_of(const fuse_kernel *x, const fuse_operand *a)
{
	if (x->col < 0 || a->steps[x->col] == 1)
		return ACCESS_RUN;
	return a->steps[x->col] ? ACCESS_STEP : ACCESS_SAME;
}

/* The product of the step, though it may be read as one of another shape. */
static bool is_product(const emitter *e, const fuse_operand *a)
{
	return e->step->kind == STEP_PRODUCT && !a->out &&
		e->g->nodes[a->value].root == e->step->value;
}

/* What is added at indices, of which there is only a piece at a time: nobody else reads it. */
static bool is_source(const emitter *e, const fuse_operand *a)
{
	const fuse_node *n = &e->g->nodes[a->value];
	bool alone = e->step->kind == STEP_ADD && a->out && a->value == e->step->source && !n->pin;

	for (uint32_t k = 0; alone && k < n->users_count; k++)
		alone = e->g->nodes[e->g->users[n->users + k]].unit == e->g->nodes[a->value].unit;
	return alone;
}

static void add_arg(emitter *e, const fuse_operand *a)
{
	const fuse_kernel *x = e->x;
	const gt_dtype d = fuse_operand_dtype(x, a);
	const int64_t size = (int64_t)dtype_size(d);
	const bool nowhere = a->counts || is_source(e, a);
	fuse_arg to = { .value = nowhere ? FUSE_NONE : is_product(e, a) ? e->step->value :
		a->value };

	e->group->args[e->group->args_count++] = (group_arg){ .dtype = (uint8_t)d,
		.access = (uint8_t)access_of(x, a), .out = a->out, .counts = a->counts,
		.picked = a->picked, .fixed = x->row >= 0 && !a->steps[x->row] };
	to.row = x->row >= 0 ? a->steps[x->row] * size : 0;
	to.col = x->col >= 0 ? a->steps[x->col] * size : 0;
	for (int k = 0; k < e->step->outer_count; k++)
		to.outer[k] = a->steps[x->outer[x->outer_count - 1 - k]] * size;
	FUSE_PUSH(&e->g->f->args, to);
	if (!nowhere)
		e->g->nodes[to.value].used = true;
}

static void add_store(emitter *e, uint32_t at)
{
	const fuse_operand *a = &e->x->args[at];
	const uint32_t slot = e->g->nodes[a->value].slot;

	fuse_emit_node(e, (group_node){ .what = NODE_STORE, .dtype = value_of(e, a->value)->m.dtype,
		.in = { e->nodes[slot] }, .at = (uint16_t)at });
}

static void set_space(emitter *e)
{
	const fuse_kernel *x = e->x;

	e->step->rows = fuse_kernel_size(x, x->row);
	e->step->cols = fuse_kernel_size(x, x->col);
	e->step->outer_count = (uint8_t)x->outer_count;
	for (int k = 0; k < x->outer_count; k++)
		e->step->outer[k] = x->digits[x->outer[x->outer_count - 1 - k]];
}

/* ---- groups with equal keys are one ---- */

static uint64_t hash_key(const buf *key)
{
	uint64_t h = key->size, word;

	for (size_t k = 0; k < key->size; k += sizeof(word)) {
		word = 0;
		memcpy(&word, key->data + k, MIN(sizeof(word), key->size - k));
		h = mix(h, word);
	}
	return h;
}

static uint32_t find_group(emitter *e)
{
	fusion *f = e->g->f;
	uint32_t at;
	fuse_group *to;

	e->key.size = 0;
	group_encode(e->group, &e->key);
	at = (uint32_t)(hash_key(&e->key) >> 32) & e->table_mask;
	for (; e->table[at]; at = (at + 1) & e->table_mask) {
		to = &f->groups.at[e->table[at] - 1];
		if (to->key.size == e->key.size && !memcmp(to->key.data, e->key.data, e->key.size))
			return e->table[at] - 1;
	}
	FUSE_PUSH(&f->groups, ((fuse_group){ .g = mem_alloc(sizeof(group)) }));
	to = &f->groups.at[f->groups.count - 1];
	buf_put(&to->key, e->key.data, e->key.size);
	*to->g = *e->group;
	e->table[at] = f->groups.count;
	return f->groups.count - 1;
}

static void use_inputs(emitter *e, uint32_t v)
{
	const ins *row = value_of(e, v)->row;

	for (unsigned k = 0; k < row->nin; k++)
		if (!ins_kind(row, k))
			e->g->nodes[fuse_input_of(row, k)].used = true;
}

/* The sum, what it begins as unless that is a number, and its indices are in memory. */
static void use_sum(emitter *e, uint32_t unit)
{
	const fuse_unit *u = &e->g->units.at[unit];
	const ins *row = value_of(e, u->adds)->row;

	e->step->kind = STEP_ADD;
	e->step->value = u->adds;
	e->step->source = u->source;
	e->g->nodes[u->adds].used = true;
	e->g->nodes[fuse_input_of(row, 1)].used = true;
	if (!fusion_adds_to_full(e->g->f, e->step))
		e->g->nodes[fuse_input_of(row, 0)].used = true;
}

static void emit_kernel(emitter *e, uint32_t unit)
{
	fusion *f = e->g->f;
	group *to = e->group;
	const uint32_t product = e->g->units.at[unit].product;
	const fuse_why why = fuse_kernel_of(e->x, unit);

	assert(!why);
	(void)why;
	to->mode = e->x->reduction.mode;
	to->nodes_count = to->args_count = to->scalars_count = 0;
	memset(e->loaded, 0, sizeof e->loaded);
	*e->step = (fuse_step){ .kind = STEP_KERNEL, .args = f->args.count, .value = product,
		.scalars = f->scalars.count, .members = f->members.count };
	if (product != FUSE_NONE) {
		e->step->kind = STEP_PRODUCT;
		e->step->onto = fuse_product_place(e->x, product);
		e->step->each = (e->x->weight + e->x->args_count) * COST_VECTOR /
			(COST_LANES * COST_MULTIPLY);
		use_inputs(e, product);
	}
	if (e->g->units.at[unit].adds != FUSE_NONE)
		use_sum(e, unit);
	set_space(e);
	for (uint32_t k = 0; k < e->x->args_count; k++)
		add_arg(e, &e->x->args[k]);
	for (uint32_t s = 0; s < e->x->count; s++)
		add_member(e, s);
	for (uint32_t k = 0; k < e->x->args_count; k++)
		if (e->x->args[k].out)
			add_store(e, k);
	if (e->step->kind == STEP_ADD)
		FUSE_PUSH(&f->members, e->step->value);
	e->step->members_count = f->members.count - e->step->members;
	e->step->group = find_group(e);
}

static void emit_call(emitter *e, uint32_t v)
{
	*e->step = (fuse_step){ .kind = STEP_CALL, .value = v };
	use_inputs(e, v);
	e->g->nodes[v].used = true;
}

/* ---- order ---- */

/* Edges into units: as many as inputs of members that other units make. */
static void count_inputs(const fuse_graph *g, uint32_t *waits)
{
	for (uint32_t v = 0; v < g->f->values.count; v++) {
		const fuse_node *n = &g->nodes[v];

		if (n->unit == FUSE_NONE)
			continue;
		for (uint32_t k = 0; k < n->users_count; k++) {
			const uint32_t to = g->nodes[g->users[n->users + k]].unit;

			waits[to] += to != n->unit;
		}
	}
}

typedef struct waiting { uint32_t *waits, *queue, queued; } waiting;

static void release_users(const fuse_graph *g, uint32_t v, waiting *w)
{
	const fuse_node *n = &g->nodes[v];

	for (uint32_t k = 0; k < n->users_count; k++) {
		const uint32_t to = g->nodes[g->users[n->users + k]].unit;

		if (to != n->unit && !--w->waits[to])
			w->queue[w->queued++] = to;
	}
}

/* A unit runs: those that only waited for it are next. */
static void release(const fuse_graph *g, uint32_t u, waiting *w)
{
	const fuse_unit *from = &g->units.at[u];

	for (uint32_t v = from->members; v != FUSE_NONE; v = g->nodes[v].next)
		release_users(g, v, w);
	if (from->product != FUSE_NONE)
		release_users(g, from->product, w);
	if (from->adds != FUSE_NONE)
		release_users(g, from->adds, w);
}

/* Units such that each comes behind those it needs. Returns how many. */
static uint32_t order_units(const fuse_graph *g, uint32_t *queue)
{
	waiting w = { mem_zero((g->units.count + 1) * sizeof(*w.waits)), queue, 0 };

	count_inputs(g, w.waits);
	for (uint32_t u = 0; u < g->units.count; u++)
		if (g->units.at[u].alive && !w.waits[u])
			queue[w.queued++] = u;
	for (uint32_t at = 0; at < w.queued; at++)
		release(g, queue[at], &w);
	mem_free(w.waits);
	return w.queued;
}

/* Views that a step or somebody outside looks at, by the unit that makes what they show. */
static void list_views(emitter *e)
{
	const fuse_graph *g = e->g;

	for (uint32_t at = g->f->order.count; at-- > 0;) {
		const uint32_t v = g->f->order.at[at];
		const fuse_node *n = &g->nodes[v], *root = &g->nodes[n->root];
		uint32_t *list;

		if (!n->needed || (n->class != CLASS_VIEW && n->class != CLASS_SAME) ||
			!(n->used || n->pin) ||
			(root->class != CLASS_LIVE_IN && root->unit == FUSE_NONE))
			continue;
		list = &e->views[root->unit == FUSE_NONE ? g->units.count : root->unit];
		e->next_view[v] = *list;
		*list = v;
	}
}

typedef struct sequence { fuse_step *steps; uint32_t count; } sequence;

static void put_views(emitter *e, uint32_t list, uint32_t launch, sequence *to)
{
	for (uint32_t v = e->views[list]; v != FUSE_NONE; v = e->next_view[v])
		to->steps[to->count++] = (fuse_step){ .value = v,
			.kind = e->g->nodes[v].class == CLASS_SAME ? STEP_ALIAS : STEP_VIEW,
			.launch = MAX(launch, value_of(e, v)->op) };
}

/* By launch; those of one launch stay in order. */
static void sort_steps(fusion *f, const sequence *from)
{
	uint32_t *first = mem_zero((f->ops + 2) * sizeof(*first));

	for (uint32_t k = 0; k < from->count; k++)
		first[from->steps[k].launch + 1]++;
	for (uint32_t t = 0; t < f->ops; t++)
		first[t + 1] += first[t];
	f->steps.at = mem_alloc((from->count + 1) * sizeof(*f->steps.at));
	f->steps.count = f->steps.room = from->count;
	for (uint32_t k = 0; k < from->count; k++)
		f->steps.at[first[from->steps[k].launch]++] = from->steps[k];
	mem_free(first);
}

static void order_steps(emitter *e)
{
	const fuse_graph *g = e->g;
	const uint32_t units = g->units.count;
	uint32_t *queue = mem_alloc((units + 1) * sizeof(*queue));
	sequence all = { mem_alloc((units + g->f->order.count + 1) * sizeof(fuse_step)), 0 };
	const uint32_t count = order_units(g, queue);

	put_views(e, units, 0, &all);
	for (uint32_t k = 0; k < count; k++) {
		fuse_step *s = &e->steps[queue[k]];

		s->launch = g->units.at[queue[k]].origin;
		all.steps[all.count++] = *s;
		put_views(e, queue[k], s->launch, &all);
	}
	sort_steps(g->f, &all);
	mem_free(all.steps);
	mem_free(queue);
}

/* ---- all of it ---- */

static void emit_units(emitter *e)
{
	for (uint32_t u = 0; u < e->g->units.count; u++) {
		const fuse_unit *unit = &e->g->units.at[u];

		e->step = &e->steps[u];
		if (unit->alive && unit->call)
			emit_call(e, unit->members);
		else if (unit->alive)
			emit_kernel(e, u);
	}
}

static void begin_emit(emitter *e, fuse_graph *g)
{
	const uint32_t units = g->units.count;
	uint32_t room = 16;

	while (room < 2 * units)
		room *= 2;
	*e = (emitter){ .g = g, .x = g->trial, .group = mem_zero(sizeof(group)),
		.table = mem_zero(room * sizeof(uint32_t)), .table_mask = room - 1,
		.steps = mem_alloc((units + 1) * sizeof(fuse_step)),
		.views = mem_alloc((units + 1) * sizeof(uint32_t)),
		.next_view = mem_alloc((g->f->values.count + 1) * sizeof(uint32_t)) };
	memset(e->views, 0xff, (units + 1) * sizeof(uint32_t));
}

void fuse_emit(fuse_graph *g)
{
	emitter *e = mem_alloc(sizeof(*e));

	begin_emit(e, g);
	emit_units(e);
	fuse_place_check(g);
	for (uint32_t k = 0; k < g->f->checks.count; k++)
		g->nodes[g->f->checks.at[k].value].used = true;
	list_views(e);
	order_steps(e);
	mem_free(e->group);
	mem_free(e->table);
	mem_free(e->steps);
	mem_free(e->views);
	mem_free(e->next_view);
	buf_fini(&e->key);
	mem_free(e);
}
