/* compile_code.c: the code of groups: the process's own, then the disk's, then the compiler's. */
#include "worker/compile.h"

#include <pthread.h>
#include <stdio.h>
#include "base/cpu.h"
#include "base/error.h"
#include "base/flags.h"
#include "base/mem.h"
#include "cache/kernels.h"
#include "cache/plugin.h"
#include "worker/perf_map.h"

#define BUCKETS 1024

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static fused_code *table[BUCKETS];
static _Atomic uint64_t count;

static uint64_t hash_of(const buf *name)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t k = 0; k < name->size; k++)
		h = (h ^ name->data[k]) * UINT64_C(0x100000001b3);
	return h ^ h >> 29;
}

static fused_code *find(const buf *name, uint64_t hash)
{
	fused_code *c = table[hash % BUCKETS];

	while (c && (c->hash != hash || c->key.size != name->size ||
			memcmp(c->key.data, name->data, name->size)))
		c = c->next;
	return c;
}

static bool interprets(void)
{
	return flag_int(FLAG_GT_HOTPATH_CODE) == 1;
}

static gt_err compile(const group *g, cache_bytes name, const codegen_options *o, image *to)
{
	const codegen *generator;
	buf made = { 0 };
	gt_err e = plugin_open(&generator);

	if (e)
		return e;
	e = generator->compile(g, o, &made, NULL, NULL);
	if (e)
		fail(e, "%s", generator->error());
	else if (!(e = image_map(made.data, made.size, to)))
		kernels_put(cache_shared(), name, o, (cache_bytes){ made.data, made.size });
	buf_fini(&made);
	return e;
}

/* By whatever is nearest. */
static gt_err make(const group *g, cache_bytes bytes, const codegen_options *o, bool compiles,
	image *to, int *from)
{

	*from = 0;
	if (interprets())
		return GT_OK;
	*from = 1;
	if (kernels_get(cache_shared(), bytes, o, to))
		return GT_OK;
	*from = 2;
	if (!compiles)
		return fail(GT_ESTATE, "its code is not kept");
	return compile(g, bytes, o, to);
}

/* Code that was not emitted in the usual way says so. */
static void set_name(fused_code *c)
{
	static const char *const rests[] = { "", "_mask", "_tail", "_short", "_even" };
	size_t n;

	group_name(c->g, c->name);
	n = strlen(c->name);
	n += (size_t)snprintf(c->name + n, sizeof c->name - n, "%s", rests[c->options.rest]);
	if (c->options.unroll)
		snprintf(c->name + n, sizeof c->name - n, "_x%d", c->options.unroll);
}

static fused_code *put(const group *g, const buf *name, uint64_t hash, const codegen_options *o,
	const image *made)
{
	fused_code *c = mem_zero(sizeof *c), *other;

	c->hash = hash;
	buf_put(&c->key, name->data, name->size);
	c->g = mem_alloc(sizeof *g);
	*c->g = *g;
	c->options = *o;
	set_name(c);
	c->image = *made;
	c->run = made->run;
	c->short_rows = code_short_rows(g);
	pthread_mutex_lock(&lock);
	other = find(name, hash);
	if (!other) {
		if (c->run)
			perf_map_put(c->image.pages, c->image.size, c->name);
		c->next = table[hash % BUCKETS];
		table[hash % BUCKETS] = c;
		atomic_fetch_add(&count, 1);
	}
	pthread_mutex_unlock(&lock);
	if (!other)
		return c;
	if (c->run)
		image_unmap(&c->image);
	buf_fini(&c->key);
	mem_free(c->g);
	mem_free(c);
	return other;
}

static fused_code *find_or_make(const group *g, const buf *name, cache_bytes like,
	const codegen_options *o, bool compiles, int *from)
{
	const uint64_t hash = hash_of(name);
	image made = { 0 };
	fused_code *c;

	pthread_mutex_lock(&lock);
	c = find(name, hash);
	pthread_mutex_unlock(&lock);
	*from = 0;
	if (c)
		return c;
	return make(g, like, o, compiles, &made, from) ? NULL : put(g, name, hash, o, &made);
}

fused_code *code_find(const group *g, const buf *like, const codegen_options *way, bool compiles,
	int *from)
{
	const codegen_options o = { .isa = cpu_isa_level(), .rest = way ? way->rest : REST_AUTO,
		.unroll = way ? way->unroll : 0 };
	buf name = { 0 };
	fused_code *c;

	buf_put(&name, like->data, like->size);
	buf_put_u8(&name, (uint8_t)o.rest);
	buf_put_u8(&name, o.unroll);
	c = find_or_make(g, &name, (cache_bytes){ like->data, like->size }, &o, compiles, from);
	buf_fini(&name);
	return c;
}

uint64_t code_count(void)
{
	return atomic_load(&count);
}

/* Codes stay for ever, so one may be looked at without the lock. */
const fused_code *code_named(const char *name)
{
	const fused_code *found = NULL;

	pthread_mutex_lock(&lock);
	for (unsigned k = 0; k < BUCKETS && !found; k++)
		for (found = table[k]; found && strcmp(found->name, name);)
			found = found->next;
	pthread_mutex_unlock(&lock);
	return found;
}

void code_names(buf *to)
{
	pthread_mutex_lock(&lock);
	for (unsigned k = 0; k < BUCKETS; k++)
		for (const fused_code *c = table[k]; c; c = c->next)
			buf_printf(to, "  %s\n", c->name);
	pthread_mutex_unlock(&lock);
}
