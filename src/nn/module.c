/* module.c: a tree of modules with named parameters, buffers and children. */
#include "nn/nn.h"

#include <stdio.h>
#include <string.h>

typedef struct entry {
	char *name;
	gt_tensor *x;            /* a parameter or a buffer, kept; or NULL and */
	gt_module *child;
	bool is_parameter;
} entry;

struct gt_module {
	gt_client *gt;
	const char *kind;
	gt_forward_fn *forward;
	bool training;
	bool compiles;           /* each forward pass is a compiled part, */
	gt_compile_mode mode;    /* .. of this mode */
	entry *entries;
	size_t count, room;
	void *data;
};

gt_module *gt_module_new(gt_client *gt, const char *kind, gt_forward_fn *forward, size_t extra)
{
	gt_module *m;

	if (!gt)
		return NULL;
	m = mem_zero(sizeof *m);
	*m = (gt_module){ .gt = gt, .kind = kind, .forward = forward, .training = true };
	m->data = mem_zero(extra ? extra : 1);
	return m;
}

void gt_module_free(gt_module *m)
{
	if (!m)
		return;
	for (size_t k = 0; k < m->count; k++) {
		gt_drop(m->entries[k].x);
		gt_module_free(m->entries[k].child);
		mem_free(m->entries[k].name);
	}
	mem_free(m->entries);
	mem_free(m->data);
	mem_free(m);
}

void *gt_module_data(gt_module *m) { return m ? m->data : NULL; }
const char *gt_module_kind(const gt_module *m) { return m ? m->kind : NULL; }
gt_client *gt_module_client(const gt_module *m) { return m ? m->gt : NULL; }
bool gt_module_training(const gt_module *m) { return m && m->training; }

/* ---- building -------------------------------------------------------------------------------- */

static entry *find(const gt_module *m, const char *name, size_t n)
{
	for (size_t k = 0; k < m->count; k++)
		if (strlen(m->entries[k].name) == n && !memcmp(m->entries[k].name, name, n))
			return &m->entries[k];
	return NULL;
}

static gt_err check_name(const gt_module *m, const char *name)
{
	if (!name || !*name || strchr(name, '.'))
		return fail(GT_EINVAL, "%s: '%s' is no name for a part of a module: "
			"expected some text without dots", m->kind, name ? name : "(null)");
	if (find(m, name, strlen(name)))
		return fail(GT_EINVAL, "%s: there is a '%s' already; choose another name",
			m->kind, name);
	return GT_OK;
}

static void append(gt_module *m, const char *name, entry e)
{
	VEC_ROOM(m->entries, m->count, m->room);
	e.name = mem_string(name);
	m->entries[m->count++] = e;
}

/* A NULL came: of a chain that failed, whose error stays, or without one. */
static gt_err missing(const char *what)
{
	gt_err e = gt_last_error_code();

	return e ? e : fail(GT_EINVAL, "expected %s, got NULL", what);
}

static gt_err add_tensor(gt_module *m, const char *name, gt_tensor *x, bool is_parameter)
{
	gt_err e;

	if (!m || !x)
		return missing("a module and a tensor");
	if ((e = check_name(m, name)))
		return e;
	if (is_parameter && (e = gt_set_requires_grad(x, true)))
		return e;
	append(m, name, (entry){ .x = gt_keep(x), .is_parameter = is_parameter });
	return GT_OK;
}

gt_err gt_module_add_parameter(gt_module *m, const char *name, gt_tensor *x)
{
	return add_tensor(m, name, x, true);
}

gt_err gt_module_add_buffer(gt_module *m, const char *name, gt_tensor *x)
{
	return add_tensor(m, name, x, false);
}

gt_err gt_module_add(gt_module *m, const char *name, gt_module *child)
{
	gt_err e = GT_OK;

	if (!m || !child)
		e = missing("two modules");
	else
		e = check_name(m, name);
	if (e)
		gt_module_free(child);
	else
		append(m, name, (entry){ .child = child });
	return e;
}

/* ---- finding --------------------------------------------------------------------------------- */

static gt_err report_missing(const gt_module *m, const char *path)
{
	char has[256] = "nothing";
	size_t n = 0;

	for (size_t k = 0; k < m->count && n < sizeof has; k++)
		n += (size_t)snprintf(has + n, sizeof has - n, k ? ", %s" : "%s",
			m->entries[k].name);
	return fail(GT_EINVAL, "%s: no '%s' here; it has %s", m->kind, path, has);
}

/* The entry at a dotted path; sets the error if there is none. */
static entry *walk(gt_module *m, const char *path)
{
	if (!m || !path) {
		missing("a module and a path");
		return NULL;
	}
	for (;;) {
		const size_t n = strcspn(path, ".");
		entry *e = find(m, path, n);

		if (!e || (path[n] && !e->child)) {
			report_missing(m, path);
			return NULL;
		}
		if (!path[n])
			return e;
		m = e->child;
		path += n + 1;
	}
}

gt_tensor *gt_module_tensor(gt_module *m, const char *path)
{
	entry *e = walk(m, path);

	if (e && !e->x)
		fail(GT_EINVAL, "'%s' is a module, not a tensor", path);
	return e ? e->x : NULL;
}

gt_module *gt_module_child(gt_module *m, const char *path)
{
	entry *e = walk(m, path);

	if (e && !e->child)
		fail(GT_EINVAL, "'%s' is a tensor, not a module", path);
	return e ? e->child : NULL;
}

gt_err gt_module_load(gt_module *m, const char *path, gt_tensor *value)
{
	gt_tensor *x = value ? gt_module_tensor(m, path) : NULL;
	gt_shape have, want;
	bool recording;
	gt_err e;

	if (!x)
		return gt_last_error_code();
	have = gt_shape_of(value);
	want = gt_shape_of(x);
	if (have.rank != want.rank ||
	    memcmp(have.dims, want.dims, (size_t)want.rank * sizeof *want.dims))
		return fail(GT_ESHAPE, "'%s' has %lld elements in %d dims, the value %lld in %d: "
			"shapes must be equal", path, (long long)gt_count(x), want.rank,
			(long long)gt_count(value), have.rank);
	recording = gt_grad_mode(m->gt, false);
	e = gt_copy(x, value);
	gt_grad_mode(m->gt, recording);
	return e;
}

/* ---- all of them ----------------------------------------------------------------------------- */

typedef struct visit { gt_state_fn *each; void *ctx; char *path; size_t room; } visit;

/* Put a name behind the first n bytes of the path; how long that makes it. */
static size_t put_name(visit *v, size_t n, const char *name)
{
	const size_t dot = n != 0, size = strlen(name), end = n + dot + size;

	if (end >= v->room)
		v->path = mem_grow(v->path, v->room = 2 * (end + 1));
	memcpy(v->path + n, ".", dot);
	memcpy(v->path + n + dot, name, size + 1);
	return end;
}

static void visit_below(visit *v, gt_module *m, size_t n)
{
	for (size_t k = 0; k < m->count; k++) {
		const entry *e = &m->entries[k];
		const size_t end = put_name(v, n, e->name);

		if (e->child)
			visit_below(v, e->child, end);
		else
			v->each(v->ctx, v->path, e->x, e->is_parameter);
	}
}

void gt_module_state(gt_module *m, gt_state_fn *each, void *ctx)
{
	visit v = { .each = each, .ctx = ctx };

	if (m)
		visit_below(&v, m, 0);
	mem_free(v.path);
}

typedef struct gather { gt_tensor **out; int n, room; } gather;

static void gather_one(void *ctx, const char *path, gt_tensor *x, bool is_parameter)
{
	gather *g = ctx;

	(void)path;
	if (is_parameter && g->n++ < g->room)
		g->out[g->n - 1] = x;
}

int gt_module_parameters(gt_module *m, gt_tensor **out, int room)
{
	gather g = { .out = out, .room = room };

	gt_module_state(m, gather_one, &g);
	return g.n;
}

void gt_module_apply(gt_module *m, void (*each)(void *ctx, gt_module *m), void *ctx)
{
	if (!m)
		return;
	for (size_t k = 0; k < m->count; k++)
		gt_module_apply(m->entries[k].child, each, ctx);
	each(ctx, m);
}

static void set_training(void *ctx, gt_module *m) { m->training = *(bool *)ctx; }

void gt_module_train(gt_module *m, bool on) { gt_module_apply(m, set_training, &on); }

gt_tensor *gt_forward_at(const gt_site *site, gt_module *m, gt_tensor *x)
{
	gt_tensor *y;

	if (!m || !x) {
		missing("a module and a tensor");
		return NULL;
	}
	if (!m->compiles)
		return m->forward(site, m, x);
	if (gt_compile_begin(m->gt, m->mode))
		return NULL;
	y = m->forward(site, m, x);
	return gt_compile_end(m->gt) ? NULL : y;
}

gt_err gt_compile(gt_module *m, gt_compile_mode mode)
{
	if (!m)
		return missing("a module");
	if (mode < GT_COMPILE_OFF || mode > GT_COMPILE_MAX_AUTOTUNE)
		return fail(GT_EINVAL, "compile: there is no mode %d", (int)mode);
	m->compiles = true;
	m->mode = mode;
	return GT_OK;
}

gt_module *module_at(gt_module *m, size_t k) { return k < m->count ? m->entries[k].child : NULL; }
gt_tensor *tensor_at(gt_module *m, size_t k) { return k < m->count ? m->entries[k].x : NULL; }
