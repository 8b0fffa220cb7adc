/* pool.h: the compute pool. A loop is cut into chunks that threads claim by an atomic counter.
 *
 * The caller works too. Which thread runs which chunk is not fixed, so chunks must not depend on
 * each other and results must not depend on the number of threads: cut work by its size, never by
 * pool_threads.
 */
#ifndef ENGINE_POOL_H
#define ENGINE_POOL_H

#include <stdbool.h>
#include <stdint.h>

typedef struct pool pool;

/* `threads` counts the caller: 1 makes a pool that never starts a thread. Threads start at the
 * first pool_run that needs them. */
pool *pool_new(int threads);
void  pool_free(pool *p);
int   pool_threads(const pool *p);

/* Call body(ctx, k) for k = 0 .. chunks-1, in any order, on any thread of the pool; returns when
 * all are done. One call at a time per pool (the executor's role sees to that); not re-entrant. */
void pool_run(pool *p, int64_t chunks, void (*body)(void *ctx, int64_t k), void *ctx);

/* The same for chunks that follow each other in memory. Every other call begins with the last one:
 * of more than a cache holds, it holds the end, where the next call that reads it had better begin.
 * 8 MiB that are read again and again take 0.83 of the time. */
void pool_sweep(pool *p, int64_t chunks, void (*body)(void *ctx, int64_t k), void *ctx);

/* That much is worth sweeping, by one thread, too: the caches of a core hold some 1 to 2 MiB. */
#define POOL_SWEEP_BYTES (1024 * 1024)

/* Work below this many bytes touched (or an equal amount of arithmetic) is not worth waking a
 * thread. */
#define POOL_GRAIN_BYTES (256 * 1024)

/* Whether work on that many bytes (or an equal amount of arithmetic) should be cut into chunks at
 * all. Threads that sleep cost the caller a system call, so they are left alone until there is
 * four times as much to do. */
bool pool_worth(const pool *p, int64_t bytes);

#endif
