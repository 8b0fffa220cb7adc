/* store.c: the caching allocator behind tensors.
 *
 * Sizes are rounded up to classes, eight to a doubling (from 512 bytes on at most 12.5 % is
 * lost). Blocks up to SMALL_MAX are carved from slabs of one class, with the storage record in
 * front of the data; larger ones are mapped one by one, on huge pages from 2 MiB on, with the
 * record elsewhere. A dropped block goes to the list of its class, record and all, so that taking
 * it again is a pop. Memory returns to the system only when the limit presses, by allocator_trim,
 * or with the allocator.
 *
 * One spin lock guards everything: it is held for a few instructions, or for a system call when
 * the cache has nothing to give. `limit` covers the bytes asked for and, as far as emptying the
 * cache can help, the cache.
 */
#include "engine/store.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/mman.h>
#include "base/base.h"
#include "base/mem.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif
/* Under AddressSanitizer a dropped block, and what lies behind the bytes asked for, may not be
 * touched. */
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#define POISON(p, n) __asan_poison_memory_region((p), (n))
#define UNPOISON(p, n) __asan_unpoison_memory_region((p), (n))
#else
#define POISON(p, n) ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
#endif

#define LINE ((size_t)CACHE_LINE)
#define SMALL_MAX ((size_t)32 << 10)
#define SLAB ((size_t)256 << 10)
#define PAGE ((size_t)4096)
#define HUGE_PAGE ((size_t)2 << 20)
#define SIZE_MAX_ASKED ((size_t)1 << 46)
#define CLASSES 304                  /* class_of(SIZE_MAX_ASKED) + 1 */
#define WRAPPED CLASSES              /* foreign memory has no class */
#define DROP_MANY 32                 /* that are dropped together */

/* The first line of a slab, which is aligned to its size: a block finds its slab by masking its
 * address. */
typedef struct slab {
	struct slab *next;
	uint32_t carved;             /* blocks handed out at least once */
	uint32_t idle;               /* scratch of trimming */
} slab;

typedef struct size_class {
	storage *idle;               /* dropped blocks, linked by `ctx` */
	uint64_t count;              /* of them */
	char *fresh, *end;           /* uncarved part of the newest slab */
	slab *slabs;
} size_class;

struct allocator {
	atomic_flag locked;
	bool closed;
	uint64_t drops;              /* stats.allocations less this are held by somebody */
	allocator_stats stats;       /* `cached` is summed up when asked for */
	size_class classes[CLASSES];
};

_Static_assert(sizeof(storage) <= CACHE_LINE, "the record fits in front of the data");

static void lock(allocator *a)
{
	for (int spins = 0; atomic_flag_test_and_set_explicit(&a->locked, memory_order_acquire);)
		if (++spins < 64)
			__builtin_ia32_pause();
		else
			sched_yield();
}

static void unlock(allocator *a)
{
	atomic_flag_clear_explicit(&a->locked, memory_order_release);
}

/* Lines 1 .. 8 have a class each, then every doubling is cut in eight. */
static uint32_t class_of(size_t size)
{
	size_t last = size ? (size - 1) / LINE : 0;
	uint32_t shift = last < 8 ? 0 : 60u - (uint32_t)__builtin_clzll(last);

	return shift * 8 + (uint32_t)(last >> shift);
}

static size_t class_size(uint32_t k)
{
	return k < 8 ? (k + 1) * LINE : ((size_t)(k % 8 + 9) << (k / 8 - 1)) * LINE;
}

static bool is_small(uint32_t k)
{
	return class_size(k) <= SMALL_MAX;
}

/* `size` bytes at a multiple of `align`, both multiples of a page; NULL if the system has none. With
 * MAP_POPULATE in `how` all of it is provided at once. */
static void *map(allocator *a, size_t size, size_t align, int how)
{
	size_t extra = align > PAGE ? align : 0, head;
	char *p = mmap(NULL, size + extra, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | how, -1, 0);

	a->stats.system_calls++;
	if (p == MAP_FAILED)
		return NULL;
	head = ALIGN_UP((uintptr_t)p, align) - (uintptr_t)p;
	if (head)
		munmap(p, head);
	if (extra - head)
		munmap(p + head + size, extra - head);
	return p + head;
}

static void unmap(allocator *a, void *p, size_t size)
{
	a->stats.system_calls++;
	UNPOISON(p, size);
	munmap(p, size);
}

static size_t large_size(uint32_t k)
{
	return ALIGN_UP(class_size(k), PAGE);
}

/* A result is written as a whole: to be interrupted at each of its pages costs more than twice as
 * much as to have them at once (800 KiB: 200 us, 85). */
static storage *new_large(allocator *a, uint32_t k)
{
	size_t size = large_size(k);
	bool huge = size >= HUGE_PAGE;
	void *data = huge ? map(a, size, HUGE_PAGE, 0) : map(a, size, PAGE, MAP_POPULATE);
	storage *s;

	if (!data)
		return NULL;
	if (huge)
		madvise(data, size, MADV_HUGEPAGE);
	s = mem_zero(sizeof(*s));
	s->data = data;
	return s;
}

static bool add_slab(allocator *a, size_class *c)
{
	slab *s = map(a, SLAB, SLAB, 0);

	if (!s)
		return false;
	*s = (slab){ .next = c->slabs };
	c->slabs = s;
	c->fresh = (char *)s + LINE;
	c->end = (char *)s + SLAB;
	return true;
}

static storage *carve(allocator *a, uint32_t k)
{
	size_class *c = &a->classes[k];
	size_t block = LINE + class_size(k);
	storage *s;

	if ((size_t)(c->end - c->fresh) < block && !add_slab(a, c))
		return NULL;
	s = (storage *)c->fresh;
	c->fresh += block;
	c->slabs->carved++;
	s->data = (char *)s + LINE;
	return s;
}

static storage *fresh(allocator *a, uint32_t k)
{
	storage *s = is_small(k) ? carve(a, k) : new_large(a, k);

	if (s) {
		s->size_class = k;
		s->from = a;
		POISON(s->data, class_size(k));
	}
	return s;
}

static void free_large(allocator *a, storage *s)
{
	unmap(a, s->data, large_size(s->size_class));
	mem_free(s);
}

static slab *slab_of(storage *s)
{
	return (slab *)((uintptr_t)s & ~(SLAB - 1));
}

/* Unlink and unmap the slabs all of whose blocks are idle; trim_small has taken those off the
 * list. */
static void free_idle_slabs(allocator *a, size_class *c)
{
	for (slab **at = &c->slabs; *at;) {
		slab *s = *at;

		if (s->idle < s->carved) {
			s->idle = 0;
			at = &s->next;
			continue;
		}
		if (c->end == (char *)s + SLAB)
			c->fresh = c->end = NULL;
		*at = s->next;
		unmap(a, s, SLAB);
	}
}

static void trim_small(allocator *a, uint32_t k)
{
	size_class *c = &a->classes[k];

	for (storage *s = c->idle; s; s = s->ctx)
		slab_of(s)->idle++;
	for (storage **at = &c->idle; *at;) {
		storage *s = *at;
		slab *home = slab_of(s);

		if (home->idle < home->carved) {
			at = (storage **)&s->ctx;
			continue;
		}
		*at = s->ctx;
		c->count--;
	}
	free_idle_slabs(a, c);
}

static void trim_large(allocator *a, uint32_t k)
{
	storage *s;

	while ((s = a->classes[k].idle)) {
		a->classes[k].idle = s->ctx;
		free_large(a, s);
	}
	a->classes[k].count = 0;
}

static void trim(allocator *a)
{
	for (uint32_t k = 0; k < CLASSES; k++)
		if (is_small(k))
			trim_small(a, k);
		else
			trim_large(a, k);
}

static uint64_t cached(const allocator *a)
{
	uint64_t bytes = 0;

	for (uint32_t k = 0; k < CLASSES; k++)
		bytes += a->classes[k].count * class_size(k);
	return bytes;
}

/* The cache has no block of the class: get one from the system, at the cost of the cache if need
 * be. */
static storage *take_fresh(allocator *a, uint32_t k)
{
	storage *s;

	if (a->stats.live + cached(a) + class_size(k) > a->stats.limit)
		trim(a);
	if ((s = fresh(a, k)))
		return s;
	trim(a);
	return fresh(a, k);
}

static storage *take(allocator *a, uint32_t k)
{
	size_class *c = &a->classes[k];
	storage *s = c->idle;

	if (UNLIKELY(!s))
		return take_fresh(a, k);
	c->idle = s->ctx;
	c->count--;
	return s;
}

static void count_new(allocator *a, size_t size)
{
	a->stats.allocations++;
	a->stats.live += size;
	a->stats.live_max = MAX(a->stats.live_max, a->stats.live);
}

static bool has_room(const allocator *a, size_t size)
{
	return size <= a->stats.limit && a->stats.live <= a->stats.limit - size;
}

storage *storage_new(allocator *a, size_t size)
{
	storage *s = NULL;

	if (UNLIKELY(size > SIZE_MAX_ASKED || mem_fails()))
		return NULL;
	lock(a);
	if (LIKELY(has_room(a, size)))
		s = take(a, class_of(size));
	if (LIKELY(s))
		count_new(a, size);
	unlock(a);
	if (LIKELY(s)) {
		UNPOISON(s->data, size);
		s->size = size;
		atomic_store_explicit((_Atomic uint32_t *)&s->refs, 1, memory_order_relaxed);
	}
	return s;
}

storage *storage_wrap(allocator *a, void *data, size_t size, void (*release)(void *ctx), void *ctx)
{
	storage *s;
	bool fits;

	if (mem_fails())
		return NULL;
	lock(a);
	fits = has_room(a, size);
	if (fits)
		count_new(a, size);
	unlock(a);
	if (!fits)
		return NULL;
	s = mem_alloc(sizeof(*s));
	*s = (storage){ .data = data, .size = size, .refs = 1, .size_class = WRAPPED,
		.from = a, .release = release, .ctx = ctx };
	return s;
}

void storage_hold(storage *s)
{
	atomic_fetch_add_explicit((_Atomic uint32_t *)&s->refs, 1, memory_order_relaxed);
}

/* True if the caller's reference was the last. A count of one cannot change behind the back of
 * its only holder, which saves the locked instruction in the common case. */
static bool last_reference(storage *s)
{
	_Atomic uint32_t *refs = (_Atomic uint32_t *)&s->refs;

	return atomic_load_explicit(refs, memory_order_acquire) == 1 ||
		atomic_fetch_sub_explicit(refs, 1, memory_order_acq_rel) == 1;
}

static void destroy(allocator *a)
{
	trim(a);
	mem_free(a);
}

static bool is_unheld(const allocator *a)
{
	return a->closed && a->drops == a->stats.allocations;
}

static void count_drop(allocator *a, const storage *s)
{
	a->stats.live -= s->size;
	a->drops++;
}

static void give_back_wrapped(allocator *a, storage *s)
{
	bool last;

	lock(a);
	count_drop(a, s);
	last = is_unheld(a);
	unlock(a);
	if (s->release)
		s->release(s->ctx);
	mem_free(s);
	if (last)
		destroy(a);
}

/* Locked. */
static void put_idle(allocator *a, storage *s)
{
	uint32_t k = s->size_class;
	size_class *c = &a->classes[k];

	count_drop(a, s);
	if (UNLIKELY(a->closed && !is_small(k))) {
		free_large(a, s);
	} else {
		s->ctx = c->idle;
		c->idle = s;
		c->count++;
	}
}

static void put_back(allocator *a, storage *s)
{
	bool last;

	POISON(s->data, class_size(s->size_class));
	lock(a);
	put_idle(a, s);
	last = is_unheld(a);
	unlock(a);
	if (UNLIKELY(last))
		destroy(a);
}

void storage_drop(storage *s)
{
	if (!last_reference(s))
		return;
	if (LIKELY(s->size_class != WRAPPED))
		put_back(s->from, s);
	else
		give_back_wrapped(s->from, s);
}

void storage_drop_all(storage *const *all, unsigned n)
{
	allocator *a = n ? all[0]->from : NULL;
	storage *mine[DROP_MANY];
	unsigned count = 0;
	bool last;

	for (unsigned k = 0; k < n; k++)
		if (all[k]->size_class == WRAPPED || count == DROP_MANY)
			storage_drop(all[k]);
		else if (last_reference(all[k]))
			mine[count++] = all[k];
	if (!count)
		return;
	for (unsigned k = 0; k < count; k++)
		POISON(mine[k]->data, class_size(mine[k]->size_class));
	lock(a);
	for (unsigned k = 0; k < count; k++)
		put_idle(a, mine[k]);
	last = is_unheld(a);
	unlock(a);
	if (UNLIKELY(last))
		destroy(a);
}

allocator *allocator_new(uint64_t limit)
{
	allocator *a = mem_lines(sizeof(*a));

	a->stats.limit = limit;
	return a;
}

void allocator_free(allocator *a)
{
	bool last;

	if (!a)
		return;
	lock(a);
	trim(a);
	a->closed = true;
	last = is_unheld(a);
	unlock(a);
	if (last)
		destroy(a);
}

void allocator_trim(allocator *a)
{
	lock(a);
	trim(a);
	unlock(a);
}

void allocator_get_stats(allocator *a, allocator_stats *out)
{
	lock(a);
	*out = a->stats;
	out->cached = cached(a);
	unlock(a);
}
