/* test_hot_help.c: a miner's thread that gets no processor: the executor does what is needed. And
 * who waits for the miner holds nobody else up. */
#include "check.h"
#include <time.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/flags.h"
#include "ir/batch.h"
#include "worker/hot.h"

#define PERIOD 40
#define PATIENCE_NS UINT64_C(20000000000)

static void put(batch *b, unsigned code, uint64_t out, uint64_t x, uint64_t y)
{
	ins_room room;
	ins *i = ins_init(&room, code, out);

	if (x)
		ins_put_input(i, x);
	if (y)
		ins_put_input(i, y);
	if (code == OP_full) {
		i->attr.dtype = GT_FLOAT32;
		ins_put_scalar(i, KIND_FLOAT, (scalar){ .f = 1 });
		ins_put_operand(i, 16);
	}
	batch_push(b, i);
}

static void push(tenant *t, batch *b)
{
	line *l = tenant_line(t);
	const parcel all = { b->words, b->used, b->count, 0, false };

	assert_int_equal(line_push(l, &all, NULL), GT_OK);
	line_sync(l, NULL);
	b->count = b->used = 0;
}

/* t(k+2) = t(k+1) op t(k), free t(k). */
static void run_period(tenant *t, batch *b, uint64_t *next)
{
	static const uint16_t codes[] = { OP_add, OP_sub, OP_mul, OP_maximum };

	for (unsigned k = 0; k < PERIOD; k++, ++*next) {
		put(b, codes[(k * 2654435761u >> 16) % COUNT(codes)], *next, *next - 1, *next - 2);
		put(b, OP_free, 0, *next - 2, 0);
	}
	push(t, b);
}

static bool is_replayed(tenant *t)
{
	return t->hot && atomic_load(&t->hot->counts.replayed);
}

static void test_starved(void **state)
{
	const worker_options o = { .threads = 1, .memory = UINT64_C(1) << 30, .runahead = 1024,
		.threshold = 10 };
	const uint64_t begin = clock_ns();
	uint64_t next = 3;
	batch b = { 0 };
	worker *w;
	tenant *t;

	(void)state;
	assert_int_equal(flag_set(FLAG_GT_QUIET, "1"), GT_OK);
	assert_int_equal(worker_new(&o, &w), GT_OK);
	t = worker_admit(w, 0);
	put(&b, OP_full, 1, 0, 0);
	put(&b, OP_full, 2, 0, 0);
	push(t, &b);
	hot_miner_remove(t->hot);        /* the thread does not come by any more */
	while (!is_replayed(t) && clock_ns() < begin + PATIENCE_NS)
		run_period(t, &b, &next);
	assert_true(is_replayed(t));
	batch_fini(&b);
	line_close(tenant_line(t));
	tenant_free(t);
	worker_free(w);
}

static tenant *open_tenant(worker *w)
{
	tenant *t = worker_admit(w, 0);
	batch b = { 0 };

	put(&b, OP_full, 1, 0, 0);
	push(t, &b);
	batch_fini(&b);
	assert_non_null(t->hot);
	return t;
}

static void close_tenant(tenant *t)
{
	line_close(tenant_line(t));
	tenant_free(t);
}

static void *wait_for_compiler(void *w)
{
	assert_int_equal(worker_compile_wait(w, NULL), GT_OK);
	return w;
}

/* Somebody waits for the compiler, and for a session that is being mined: others come and go. */
static void test_sessions_come_and_go(void **state)
{
	const worker_options o = { .threads = 1, .memory = UINT64_C(1) << 30, .runahead = 1024,
		.threshold = 10 };
	struct timespec moment = { .tv_nsec = 20000000 };
	pthread_t waiter;
	worker *w;
	tenant *t;

	(void)state;
	assert_int_equal(worker_new(&o, &w), GT_OK);
	t = open_tenant(w);
	pthread_mutex_lock(&t->hot->mining);
	assert_int_equal(pthread_create(&waiter, NULL, wait_for_compiler, w), 0);
	nanosleep(&moment, NULL);
	alarm(60);
	close_tenant(open_tenant(w));
	alarm(0);
	pthread_mutex_unlock(&t->hot->mining);
	pthread_join(waiter, NULL);
	assert_true(atomic_load(&t->hot->rest.stirred));
	close_tenant(t);
	worker_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_starved), cmocka_unit_test(test_sessions_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
