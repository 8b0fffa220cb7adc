/* compile.c: from a group to an image, step by step; the exported table. */
#include "codegen/emit.h"

#include <pthread.h>
#include <stdlib.h>
#include <llvm-c/Analysis.h>
#include <llvm-c/Support.h>
#include <llvm-c/Target.h>
#include <llvm-c/TargetMachine.h>
#include <llvm/Config/llvm-config.h>
#include "base/error.h"
#include "base/mem.h"
#include "codegen/object.h"
#include "ir/tree.h"

#define TRIPLE "x86_64-unknown-linux-gnu"

static gt_err llvm_failed(const char *what, char *text)
{
	gt_err e = fail(GT_EINTERNAL, "code generator: %s: %s", what,
		text ? text : "no reason given");

	LLVMDisposeMessage(text);
	return e;
}

/* ---- The machine. ---- */

/* What cpu.h means by its levels. With a processor's name LLVM would use all that it has, and
 * images would depend on the machine rather than on the level. */
static const char *const features[ISA_COUNT] = {
	[ISA_BASE] = "",
	[ISA_AVX2] = "+avx2,+fma,+bmi,+bmi2,+f16c",
	[ISA_AVX512] = ("+avx2,+fma,+bmi,+bmi2,+f16c,+avx512f,+avx512bw,+avx512dq,+avx512vl,"
		"-prefer-256-bit"),
};

static const LLVMCodeGenOptLevel levels[] = {
	LLVMCodeGenLevelDefault, LLVMCodeGenLevelLess, LLVMCodeGenLevelAggressive,
};

/* Loop strength reduction takes a third of the time and finds nothing: the loops step by whole
 * vectors and the addressing modes do the rest. LLVM lets it be left out for the whole process
 * only. */
static void start_llvm(void)
{
	static const char *const words[] = { "gt_codegen", "-disable-lsr" };
	static bool started;

	if (started)
		return;
	LLVMInitializeX86TargetInfo();
	LLVMInitializeX86Target();
	LLVMInitializeX86TargetMC();
	LLVMInitializeX86AsmPrinter();
	LLVMParseCommandLineOptions(COUNT(words), words, NULL);
	started = true;
}

static gt_err find_machine(const codegen_options *o, LLVMTargetMachineRef *out)
{
	static LLVMTargetMachineRef machines[ISA_COUNT][COUNT(levels)];
	LLVMTargetMachineRef *m = &machines[o->isa][o->level];
	LLVMTargetRef target;
	char *text = NULL;

	if (!*m) {
		start_llvm();
		if (LLVMGetTargetFromTriple(TRIPLE, &target, &text))
			return llvm_failed("LLVM does not know " TRIPLE, text);
		*m = LLVMCreateTargetMachine(target, TRIPLE, "x86-64", features[o->isa],
			levels[o->level], LLVMRelocPIC, LLVMCodeModelSmall);
		if (!*m)
			return llvm_failed("LLVM has no machine for " TRIPLE, NULL);
	}
	*out = *m;
	return GT_OK;
}

/* ---- The module. ---- */

static void make_types(emit *e)
{
	LLVMContextRef c = e->context;

	e->i1 = LLVMInt1TypeInContext(c);
	e->i8 = LLVMInt8TypeInContext(c);
	e->i32 = LLVMInt32TypeInContext(c);
	e->i64 = LLVMInt64TypeInContext(c);
	e->f32 = LLVMFloatTypeInContext(c);
	e->f64 = LLVMDoubleTypeInContext(c);
	e->ptr = LLVMPointerTypeInContext(c, 0);
	e->element[GT_FLOAT32] = e->f32;
	e->element[GT_FLOAT64] = e->f64;
	e->element[GT_INT32] = e->i32;
	e->element[GT_INT64] = e->i64;
	e->element[GT_BOOL] = e->i1;
	emit_lanes(e, e->lanes);
}

/* Names are for those who look; leaving them out saves time. */
static void open_module(emit *e, LLVMTargetMachineRef m, bool named)
{
	LLVMTargetDataRef layout;

	e->context = LLVMContextCreate();
	LLVMContextSetDiscardValueNames(e->context, !named);
	e->module = LLVMModuleCreateWithNameInContext("group", e->context);
	e->b = LLVMCreateBuilderInContext(e->context);
	LLVMSetTarget(e->module, TRIPLE);
	layout = LLVMCreateTargetDataLayout(m);
	LLVMSetModuleDataLayout(e->module, layout);
	LLVMDisposeTargetData(layout);
	make_types(e);
}

static void close_module(emit *e)
{
	LLVMDisposeBuilder(e->b);
	LLVMDisposeModule(e->module);
	LLVMContextDispose(e->context);
}

static void add_attribute(emit *e, const char *name)
{
	unsigned kind = LLVMGetEnumAttributeKindForName(name, strlen(name));

	LLVMAddAttributeAtIndex(e->function, LLVMAttributeFunctionIndex,
		LLVMCreateEnumAttribute(e->context, kind, 0));
}

static void open_function(emit *e)
{
	type f = LLVMFunctionType(LLVMVoidTypeInContext(e->context), &e->ptr, 1, 0);
	block start;

	e->function = LLVMAddFunction(e->module, OBJECT_ENTRY, f);
	add_attribute(e, "nounwind");
	e->entry = LLVMAppendBasicBlockInContext(e->context, e->function, "entry");
	start = LLVMAppendBasicBlockInContext(e->context, e->function, "start");
	LLVMPositionBuilderAtEnd(e->b, e->entry);
	LLVMBuildBr(e->b, start);
	LLVMPositionBuilderAtEnd(e->b, start);
}

static val field(emit *e, type t, val of, size_t offset, const char *name)
{
	return LLVMBuildLoad2(e->b, t, emit_address(e, of, emit_size(e, (int64_t)offset)), name);
}

static void read_call(emit *e)
{
	val c = LLVMGetParam(e->function, 0);
	val args = field(e, e->ptr, c, offsetof(kernel_call, args), "args");

	e->args = args;
	e->rows = field(e, e->i64, c, offsetof(kernel_call, rows), "rows");
	if (group_splits(e->g) && !e->brief && !e->even) {
		e->part = LLVMBuildICmp(e->b, LLVMIntEQ, e->rows, emit_size(e, KERNEL_PART),
			"part");
		e->rows = LLVMBuildSelect(e->b, e->part, emit_size(e, 1), e->rows, "rows");
	}
	e->cols = field(e, e->i64, c, offsetof(kernel_call, cols), "cols");
	e->scalars = field(e, e->ptr, c, offsetof(kernel_call, scalars), "scalars");
	e->helpers = field(e, e->ptr, c, offsetof(kernel_call, helpers), "helpers");
	for (int k = 0; k < e->g->args_count; k++) {
		size_t at = (size_t)k * sizeof(kernel_arg);

		e->data[k] = field(e, e->ptr, args, at + offsetof(kernel_arg, data), "data");
		e->row_step[k] = field(e, e->i64, args, at + offsetof(kernel_arg, row), "row_step");
		if (e->g->args[k].access == ACCESS_STEP)
			e->col_step[k] = field(e, e->i64, args, at + offsetof(kernel_arg, col),
				"col_step");
	}
}

static gt_err verify(emit *e)
{
#ifndef NDEBUG
	char *text = NULL;

	if (LLVMVerifyModule(e->module, LLVMReturnStatusAction, &text))
		return llvm_failed("wrong code", text);
	LLVMDisposeMessage(text);
#endif
	(void)e;
	return GT_OK;
}

static gt_err make_module(emit *e)
{
	open_function(e);
	read_call(e);
	emit_rest(e);
	draw_prepare(e);
	if (e->g->mode == GROUP_COLS)
		cols_emit(e);
	else
		rows_emit(e);
	LLVMBuildRetVoid(e->b);
	return verify(e);
}

/* ---- Machine code. ---- */

static void put_ir(emit *e, buf *to)
{
	char *text = LLVMPrintModuleToString(e->module);

	buf_put(to, text, strlen(text));
	LLVMDisposeMessage(text);
}

/* Making code changes the module: the text is made of a copy. */
static gt_err put_assembly(emit *e, LLVMTargetMachineRef m, buf *to)
{
	LLVMModuleRef copy = LLVMCloneModule(e->module);
	LLVMMemoryBufferRef out = NULL;
	char *text = NULL;
	gt_err err = GT_OK;

	if (LLVMTargetMachineEmitToMemoryBuffer(m, copy, LLVMAssemblyFile, &text, &out))
		err = llvm_failed("no assembly", text);
	else
		buf_put(to, LLVMGetBufferStart(out), LLVMGetBufferSize(out));
	if (out)
		LLVMDisposeMemoryBuffer(out);
	LLVMDisposeModule(copy);
	return err;
}

static gt_err put_image(emit *e, LLVMTargetMachineRef m, buf *to)
{
	LLVMMemoryBufferRef out = NULL;
	char *text = NULL;
	gt_err err;

	if (LLVMTargetMachineEmitToMemoryBuffer(m, e->module, LLVMObjectFile, &text, &out))
		return llvm_failed("no machine code", text);
	err = object_image(LLVMGetBufferStart(out), LLVMGetBufferSize(out), e->isa, to);
	LLVMDisposeMemoryBuffer(out);
	return err;
}

/* ---- The whole. ---- */

static bool stores_columns(const emit *e)
{
	for (int k = 0; k < e->g->nodes_count; k++)
		if (e->g->nodes[k].what == NODE_STORE && e->shapes[k].cols)
			return true;
	return false;
}

/* Down columns: numbers drawn for a vector lie where it is, so all vectors of a row are of one
 * size. */
static bool may_widen(const emit *e)
{
	for (int k = 0; k < e->g->nodes_count; k++)
		if (e->g->nodes[k].what == NODE_DRAW)
			return false;
	return !e->masks;
}

/* Rows side by side in a vector, where nothing is stored along the row. Each sum waits for the one
 * before it: a body of a few steps has more to do in two rows, and takes 0.8 of the time, and so
 * does a long one. What is between has enough to do in one, which is 0.7 of the code; and a single
 * row of a single block, as most losses are, takes half of the time, as it is not computed twice.
 * Where there are several levels some have few steps. */
static int lines_of(const emit *e, int cost)
{
	enum { SOME = 9, MANY = 40 };

	return e->levels == 1 && cost >= SOME && cost < MANY ? 1 : EMIT_LINES / 2;
}

/* Floats in a register; where rows' elements are reduced, the lanes of the tree.
 *
 * A long body is a long chain of dependent steps, too long for the processor to look into the next
 * turn: two vectors at a time give it something to do (by measurement 1.2 to 1.4 times as fast). A
 * loop without masks is 1.1 times as fast as one with, and twice as much code: beyond some length
 * that costs more in compiling than it is worth, where masks are instructions. A row of a tile is
 * short, and there is much to be set up for it: 32 registers hold two vectors of less, too. */
static void choose_loops(emit *e, const codegen_options *o)
{
	enum { SOME = 30, LONG = 60, VERY_LONG = 150 };
	static const int lanes[ISA_COUNT] = { 4, 8, 16 };
	int cost = cost_vector(e);
	bool rows = e->g->mode == GROUP_ROWS;

	e->lines = rows && o->isa == ISA_AVX512 && !stores_columns(e) ? lines_of(e, cost) : 1;
	e->batch = rows && stores_columns(e) ? EMIT_LINES : e->lines;
	e->lanes = rows ? TREE_LANES * e->lines : lanes[o->isa];
	e->masks = o->rest == REST_AUTO ? o->isa == ISA_AVX512 && cost >= (rows ? LONG : VERY_LONG)
		: o->rest == REST_MASK;
	e->brief = o->rest == REST_SHORT;
	e->even = o->rest == REST_EVEN;
	if (e->brief) {
		e->lines = e->batch = o->isa == ISA_AVX512 ? EMIT_LINES / 2 : 1;
		e->lanes = TREE_LANES * e->lines;
	}
	e->wide = e->lanes;
	if (e->g->mode == GROUP_COLS && cost >= (o->isa == ISA_AVX512 ? SOME : LONG) && may_widen(e))
		e->wide *= 2;
	if (e->g->mode == GROUP_ELEMENT && cost >= LONG) {
		e->wide *= 2;
		if (e->masks)
			e->lanes = e->wide;
	}
}

/* What was chosen instead by who measures. */
static void unroll(emit *e, const codegen_options *o)
{
	static const int lanes[ISA_COUNT] = { 4, 8, 16 };

	if (!o->unroll)
		return;
	if (e->g->mode == GROUP_ELEMENT) {
		e->wide = lanes[o->isa] * o->unroll;
		e->lanes = e->masks ? e->wide : lanes[o->isa];
	} else if (e->g->mode == GROUP_COLS) {
		e->wide = may_widen(e) ? lanes[o->isa] * o->unroll : e->lanes;
	} else if (e->g->mode == GROUP_ROWS && o->isa == ISA_AVX512) {
		e->lines = o->unroll;
		e->batch = e->lines == 1 && stores_columns(e) ? EMIT_LINES : e->lines;
		e->lanes = e->wide = TREE_LANES * e->lines;
	}
}

static void start(emit *e, const group *g, const codegen_options *o)
{
	e->g = g;
	e->isa = o->isa;
	group_shapes(g, e->shapes);
	for (int k = 0; k < g->nodes_count; k++)
		e->levels = MAX(e->levels, e->shapes[k].level);
	choose_loops(e, o);
	unroll(e, o);
}

static gt_err compile_locked(const group *g, const codegen_options *o, buf *image, buf *ir,
	buf *assembly)
{
	emit *e = mem_zero(sizeof *e);
	LLVMTargetMachineRef m = NULL;
	gt_err err = find_machine(o, &m);

	if (!err) {
		start(e, g, o);
		open_module(e, m, ir || assembly);
		err = make_module(e);
		if (ir)
			put_ir(e, ir);
		if (!err && assembly)
			err = put_assembly(e, m, assembly);
		if (!err)
			err = put_image(e, m, image);
		close_module(e);
	}
	mem_free(e);
	return err;
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool exits;

static void leave(void)
{
	pthread_mutex_lock(&lock);
	exits = true;
	pthread_mutex_unlock(&lock);
}

/* Handlers run in the reverse order of their registration, and LLVM registers some when it is first
 * used. */
static void register_exit(void)
{
	atexit(leave);
}

static gt_err compile(const group *g, const codegen_options *o, buf *image, buf *ir, buf *assembly)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	gt_err e = group_check(g);

	if (e)
		return e;
	if (o->rest >= REST_SHORT && (g->mode != GROUP_ROWS || o->unroll))
		return fail(GT_EINVAL, "code generator: short rows, and even ones, are those of "
			"reductions of rows, one at a time");
	if (o->isa >= ISA_COUNT || o->rest > REST_EVEN || o->level < 0 ||
		o->level >= (int)COUNT(levels) || o->unroll == 3 || o->unroll > EMIT_LINES)
		return fail(GT_EINVAL, "code generator: level of instructions %d, rest %d, %d "
			"vectors at a time, effort %d", o->isa, o->rest, o->unroll, o->level);
	pthread_mutex_lock(&lock);
	e = exits ? fail(GT_ESTATE, "code generator: the process exits") :
		compile_locked(g, o, image, ir, assembly);
	pthread_once(&once, register_exit);
	pthread_mutex_unlock(&lock);
	return e;
}

__attribute__((visibility("default"))) extern const codegen gt_codegen;
const codegen gt_codegen = {
	.version = CODEGEN_VERSION,
	.llvm = LLVM_VERSION_STRING,
	.compile = compile,
	.error = gt_last_error,
	.leave = leave,
};
