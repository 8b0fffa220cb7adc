/* bench_ir.c: what one instruction costs the language: shape inference, wire, text. */
#include <stdio.h>
#include <stdlib.h>
#include "base/buf.h"
#include "base/clock.h"
#include "ir/shape.h"
#include "ir/text.h"
#include "ir/wire.h"

#define TIMES  9
#define ROUNDS 20000

static int compare(const void *a, const void *b)
{
	const double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Median over TIMES of the nanoseconds of one of ROUNDS runs of the statement. */
#define MEASURE(what, ...)                                                                      \
	do {                                                                                     \
		double ns[TIMES];                                                                \
		for (int time = 0; time < TIMES; time++) {                                       \
			const uint64_t begin = clock_ns();                                       \
			for (int round = 0; round < ROUNDS; round++) {                           \
				__VA_ARGS__;                                                     \
				__asm__ volatile("" ::: "memory");                               \
			}                                                                        \
			ns[time] = (double)(clock_ns() - begin) / ROUNDS;                        \
		}                                                                                \
		qsort(ns, TIMES, sizeof *ns, compare);                                           \
		printf("%-40s %8.1f ns\n", what, ns[TIMES / 2]);                                 \
	} while (0)

static ins_room room;

static const ins *make(op code, unsigned tensors, bool scalar_too)
{
	ins *i = ins_init(&room, code, 1000003);

	for (unsigned k = 0; k < tensors; k++)
		ins_put_input(i, 1000001 + k);
	if (scalar_too)
		ins_put_scalar(i, KIND_FLOAT, (scalar){ .f = 0.1 });
	return i;
}

static void bench_shapes(void)
{
	const meta a = { .dtype = GT_FLOAT32, .rank = 2, .dims = { 32, 64 } };
	const meta b = { .dtype = GT_FLOAT32, .rank = 1, .dims = { 64 } };
	const meta w = { .dtype = GT_FLOAT32, .rank = 2, .dims = { 64, 10 } };
	const meta *const equal[] = { &a, &a }, *const bias[] = { &a, &b };
	const meta *const product[] = { &a, &w };
	const meta *const scaled[] = { &a, NULL };
	meta out;

	make(OP_add, 2, false);
	MEASURE("shape of add, equal shapes", shape_infer(&room.head, equal, &out));
	MEASURE("shape of add, broadcast", shape_infer(&room.head, bias, &out));
	make(OP_mul, 1, true);
	MEASURE("shape of mul by a scalar", shape_infer(&room.head, scaled, &out));
	make(OP_exp, 1, false);
	MEASURE("shape of exp", shape_infer(&room.head, equal, &out));
	make(OP_matmul, 2, false);
	MEASURE("shape of matmul", shape_infer(&room.head, product, &out));
	make(OP_sum, 1, false);
	room.head.attr.axes = 2;
	MEASURE("shape of sum", shape_infer(&room.head, equal, &out));
	MEASURE("check of the form of sum", ins_check(&room.head, INS_WORDS_MAX));
}

static void bench_streams(void)
{
	static text_reader t;
	batch b = { 0 }, back = { 0 };
	buf bytes = { 0 }, text = { 0 };
	bool end;

	for (int k = 0; k < 100; k++)
		batch_push(&b, make(k % 2 ? OP_add : OP_mul, 1 + k % 2, k % 2 == 0));
	MEASURE("100 instructions to wire", { bytes.size = 0; wire_put_batch(&bytes, &b); });
	MEASURE("100 instructions from wire", {
		reader r = { .data = bytes.data, .size = bytes.size };
		wire_get_batch(&r, &back);
		batch_reset(&back);
	});
	make(OP_add, 2, false);
	MEASURE("one instruction to text", { text.size = 0; text_put(&text, &room.head, NULL); });
	MEASURE("one instruction from text", {
		text_open_string(&t, (char *)text.data, text.size, NULL);
		text_get(&t, &room, &end);
	});
	batch_fini(&b);
	batch_fini(&back);
	buf_fini(&bytes);
	buf_fini(&text);
}

int main(void)
{
	bench_shapes();
	bench_streams();
	return 0;
}
