/* mem.h: allocation that can be made to fail (GT_FAIL_ALLOC), and the arena.
 *
 * Control structures (handles, nodes, maps) are small: running out of memory for one ends the
 * process with a message through mem_die, as in most systems programs. Memory for tensors never
 * goes through here but through the worker's allocator, where exhaustion is an ordinary error of
 * one instruction.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *mem_alloc(size_t size);                    /* like malloc, never NULL */
void *mem_zero(size_t size);                     /* like calloc, never NULL */
void *mem_lines(size_t size);                    /* as mem_zero, starts on a cache line */
void *mem_grow(void *p, size_t size);            /* like realloc, never NULL */
void  mem_free(void *p);
/* Have the system provide the pages that are all of these bytes': writing there will not stop at a
 * fault. What is there stays. Any thread; where the system cannot (before Linux 5.14) nothing happens. */
void  mem_provide(void *p, size_t size);
char *mem_string(const char *s);                 /* like strdup, never NULL */

/* Say on stderr that `size` bytes could not be had, and abort. */
void mem_die(size_t size) __attribute__((noreturn, cold));

/* Like malloc for sizes that come from outside: NULL when there is no memory (or GT_FAIL_ALLOC says
 * so). */
void *mem_try(size_t size);

/* Count one allocation that is allowed to fail; true if it is the one which GT_FAIL_ALLOC picked.
 * mem_try asks by itself; the worker's allocator asks here. Thread safe. */
bool mem_fails(void);

/* Tests: the n-th such allocation from now fails, 0 = none does. Replaces what GT_FAIL_ALLOC
 * said. */
void mem_fail_nth(uint64_t n);

/* Doubling vector helper: make room for one more element of `size` bytes. */
#define VEC_ROOM(array, n, capacity)                                                             \
	do {                                                                                     \
		if ((n) == (capacity)) {                                                         \
			(capacity) = (capacity) ? (capacity) * 2 : 8;                            \
			(array) = mem_grow((array), (size_t)(capacity) * sizeof(*(array)));      \
		}                                                                                \
	} while (0)

/* Arena: many allocations, one reset. */
typedef struct arena {
	struct arena_block *block;   /* newest first */
	size_t used;                 /* bytes used in the newest block */
} arena;

void *arena_alloc(arena *a, size_t size);        /* 16-byte aligned, not cleared */
char *arena_string(arena *a, const char *s, size_t n);
void  arena_reset(arena *a);                     /* keeps one block */
void  arena_fini(arena *a);

#endif
