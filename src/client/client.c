/* client.c: a client from its beginning to its end.
 *
 * A manual client outlives gt_close as far as its undropped handles need: they lie in its memory,
 * and any thread may still drop them. The last one takes the memory along.
 */
#include "client/client.h"

#include <pthread.h>
#include <stdlib.h>
#include "base/flags.h"
#include "base/mem.h"

/* ---- forks ----------------------------------------------------------------------------------- */

static uint32_t forks;   /* how often this process is a child's child; atomic */

static void count_fork(void)
{
	__atomic_fetch_add(&forks, 1, __ATOMIC_RELAXED);
}

static void watch_forks(void)
{
	pthread_atfork(NULL, NULL, count_fork);
}

gt_err client_check_fork(const gt_client *gt)
{
	if (LIKELY(gt->forks == __atomic_load_n(&forks, __ATOMIC_RELAXED)))
		return GT_OK;
	return fail(GT_EFORK, "this process was forked after GT started, and the child has no "
		"worker behind this client; open a new client in the child");
}

/* ---- beginning and end ----------------------------------------------------------------------- */

gt_client *client_new(struct link *l, const gt_options *o)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	gt_client *gt = mem_zero(sizeof *gt);

	pthread_once(&once, watch_forks);
	gt->link = l;
	gt->words = mem_alloc(BATCH_WORDS * sizeof *gt->words);
	gt->manual = o && o->manual;
	gt->recording = true;
	gt->debug = flag_int(FLAG_GT_DEBUG_CLIENT) != 0;
	gt->pieces = flag_int(FLAG_GT_COMPILE) != 0;
	gt->next_id = gt->next_seq = 1;
	gt->forks = __atomic_load_n(&forks, __ATOMIC_RELAXED);
	gt->sites = sites_new();
	gt->signals = signals_new();
	return gt;
}

static void free_client(gt_client *gt)
{
	slab_fini(&gt->slab);
	mem_free(gt);
}

/* Back on the list, in front of what came meanwhile. */
static void put_back(gt_client *gt, gt_tensor *first)
{
	gt_tensor *last = first, *head = __atomic_load_n(&gt->dropped, __ATOMIC_RELAXED);

	while (last->next)
		last = last->next;
	do
		last->next = head;
	while (!__atomic_compare_exchange_n(&gt->dropped, &head, first, true, __ATOMIC_ACQ_REL,
		__ATOMIC_RELAXED));
}

bool client_drain(gt_client *gt)
{
	gt_tensor *x = __atomic_exchange_n(&gt->dropped, NULL, __ATOMIC_ACQUIRE);

	gt->interrupted = false;
	while (x && !gt->interrupted) {
		gt_tensor *next = x->next;

		tensor_free(x);
		x = next;
	}
	if (x)
		put_back(gt, x);
	if (UNLIKELY(gt->interrupted))
		fail(GT_EINTERRUPT, "interrupted while waiting");
	return !gt->interrupted;
}

/* From here on gt_drop counts down instead of leaving handles to us; gt_close itself counts as
 * one. */
static void stop_draining(gt_client *gt)
{
	gt_tensor *none;

	do {
		client_drain(gt);
		none = NULL;
		__atomic_store_n(&gt->closed_handles, (uint32_t)gt->handles + 1, __ATOMIC_RELAXED);
	} while (!__atomic_compare_exchange_n(&gt->dropped, &none, CLIENT_NO_MORE, false,
		__ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
}

void client_drop_closed(gt_client *gt, uint32_t handles)
{
	if (__atomic_sub_fetch(&gt->closed_handles, handles, __ATOMIC_ACQ_REL) == 0)
		free_client(gt);
}

static void close_link(gt_client *gt)
{
	/* In a forked child the threads behind the link do not exist: nobody would answer. */
	if (!client_check_fork(gt))
		gt->link->ops->close(gt->link);
	else
		gt_clear_error();
	gt->link = NULL;
}

void gt_close(gt_client *gt)
{
	if (!gt)
		return;
	if (gt->state == CLIENT_BUSY) {
		client_refuse(gt);
		return;
	}
	gt->state = CLIENT_CLOSED;   /* from here on nothing is sent: the session's end frees all */
	stop_draining(gt);
	stream_discard(gt);
	mem_free(gt->words);
	close_link(gt);
	read_forget_all(gt);
	sites_drop(gt->sites);
	signals_free(gt->signals);
	mem_free(gt->owned);
	client_drop_closed(gt, gt->manual ? 1 : gt->closed_handles);
}

bool client_refuse(const gt_client *gt)
{
	if (gt->state == CLIENT_BUSY)
		fail(GT_ESTATE, "called from inside the interrupt callback of a call that waits");
	else
		fail(GT_ECLOSED, "the client of this tensor was closed");
	return false;
}

/* ---- small services -------------------------------------------------------------------------- */

gt_err gt_flush(gt_client *gt)
{
	gt_err e;

	if (!client_ready(gt, "gt_flush"))
		return gt_last_error_code();
	return (e = signal_issue_pause(gt)) ? e : stream_flush_now(gt);
}

gt_err gt_sync(gt_client *gt)
{
	gt_err e;

	if (!client_ready(gt, "gt_sync"))
		return gt_last_error_code();
	if ((e = signal_issue_pause(gt)) || (e = stream_flush_awaited(gt)))
		return e;
	gt->state = CLIENT_BUSY;
	e = gt->link->ops->sync(gt->link, &gt->link->interrupt);
	gt->state = CLIENT_OPEN;
	return e;
}

void gt_manual_seed(gt_client *gt, uint64_t seed)
{
	if (!gt)
		return;
	gt->seed = seed;
	gt->draw = 0;
}

void gt_set_interrupt(gt_client *gt, int (*poll)(void *ctx), void *ctx)
{
	if (gt && gt->state != CLIENT_CLOSED)
		gt->link->interrupt = (interrupt){ poll, ctx };
}

const char *gt_version(void)
{
	return GT_VERSION;
}
