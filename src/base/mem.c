/* mem.c: allocation that ends the process, allocation that may fail, and the arena.
 *
 * The arena is a list of blocks, newest first, each twice the size of the one before; a reset keeps
 * the largest, so a batch that is decoded again and again stops calling malloc.
 */
#include "base/mem.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <sys/mman.h>
#include "base/base.h"
#include "base/flags.h"

#define ARENA_FIRST 4096
#define ARENA_LARGEST (1u << 20)
#define ARENA_ALIGN 16

/* How many failing-capable allocations are left until one fails; the flag is read at the first. */
#define FUSE_UNREAD INT64_MIN
static _Atomic int64_t fuse = FUSE_UNREAD;

void mem_die(size_t size)
{
	fprintf(stderr, "gt: out of memory for %zu bytes of its own bookkeeping\n", size);
	abort();
}

static void *or_die(void *p, size_t size)
{
	if (UNLIKELY(!p))
		mem_die(size);
	return p;
}

void *mem_alloc(size_t size)
{
	return or_die(malloc(size ? size : 1), size);
}

void *mem_zero(size_t size)
{
	return or_die(calloc(1, size ? size : 1), size);
}

void *mem_lines(size_t size)
{
	size_t whole = ALIGN_UP(MAX(size, (size_t)1), (size_t)CACHE_LINE);

	if (whole < size)
		mem_die(size);
	return memset(or_die(aligned_alloc(CACHE_LINE, whole), size), 0, whole);
}

void *mem_grow(void *p, size_t size)
{
	return or_die(realloc(p, size ? size : 1), size);
}

void mem_free(void *p)
{
	free(p);
}

void mem_provide(void *p, size_t size)
{
#ifdef MADV_POPULATE_WRITE
	const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
	const uintptr_t from = ALIGN_UP((uintptr_t)p, page);
	const uintptr_t to = ((uintptr_t)p + size) & ~(page - 1);

	if (to > from)
		madvise((void *)from, to - from, MADV_POPULATE_WRITE);
#else
	(void)p;
	(void)size;
#endif
}

char *mem_string(const char *s)
{
	return or_die(strdup(s), strlen(s) + 1);
}

bool mem_fails(void)
{
	int64_t left = atomic_load_explicit(&fuse, memory_order_relaxed);

	if (UNLIKELY(left == FUSE_UNREAD)) {
		/* Only one thread's reading counts: a second one must not light the fuse again. */
		if (atomic_compare_exchange_strong(&fuse, &left, flag_int(FLAG_GT_FAIL_ALLOC)))
			left = atomic_load(&fuse);
	}
	return UNLIKELY(left > 0) && atomic_fetch_sub(&fuse, 1) == 1;
}

void mem_fail_nth(uint64_t n)
{
	atomic_store(&fuse, (int64_t)MIN(n, (uint64_t)INT64_MAX));
}

void *mem_try(size_t size)
{
	return mem_fails() ? NULL : malloc(size ? size : 1);
}

struct arena_block {
	struct arena_block *older;
	size_t size;
	_Alignas(ARENA_ALIGN) char data[];
};

static void push_block(arena *a, size_t need)
{
	size_t size = a->block ? MIN(a->block->size * 2, (size_t)ARENA_LARGEST) : ARENA_FIRST;
	struct arena_block *b;

	size = MAX(size, need);
	if (size > SIZE_MAX - sizeof *b)
		mem_die(need);
	b = mem_alloc(sizeof *b + size);
	b->older = a->block;
	b->size = size;
	a->block = b;
	a->used = 0;
}

void *arena_alloc(arena *a, size_t size)
{
	size_t whole = ALIGN_UP(size, (size_t)ARENA_ALIGN);

	if (whole < size)
		mem_die(size);
	if (!a->block || whole > a->block->size - a->used)
		push_block(a, whole);
	a->used += whole;
	return a->block->data + a->used - whole;
}

char *arena_string(arena *a, const char *s, size_t n)
{
	char *copy = arena_alloc(a, n + 1);

	memcpy(copy, s, n);
	copy[n] = '\0';
	return copy;
}

/* Frees all blocks but `kept`. */
static void free_blocks(arena *a, struct arena_block *kept)
{
	struct arena_block *b = a->block, *older;

	for (; b; b = older) {
		older = b->older;
		if (b != kept)
			mem_free(b);
	}
	if (kept)
		kept->older = NULL;
	a->block = kept;
	a->used = 0;
}

void arena_reset(arena *a)
{
	struct arena_block *largest = a->block;

	for (struct arena_block *b = a->block; b; b = b->older)
		if (b->size > largest->size)
			largest = b;
	free_blocks(a, largest);
}

void arena_fini(arena *a)
{
	free_blocks(a, NULL);
}
