/* compile_text.c: what compiling made, as text: for who asks for a kernel, and for GT_DUMP. */
#include "worker/compile.h"

#include <stdio.h>
#include <unistd.h>
#include "base/error.h"
#include "base/flags.h"
#include "base/mem.h"
#include "cache/plugin.h"
#include "worker/fused.h"
#include "worker/transcript.h"

gt_err code_texts(const fused_code *c, buf *ir, buf *assembly)
{
	const codegen *generator;
	buf made = { 0 };
	gt_err e = plugin_open(&generator);

	if (!e && (e = generator->compile(c->g, &c->options, &made, ir, assembly)))
		fail(e, "%s", generator->error());
	buf_fini(&made);
	return e;
}

void code_print(const char *name, buf *to)
{
	const fused_code *c = code_named(name);
	buf ir = { 0 }, assembly = { 0 };

	if (!c) {
		buf_printf(to, "there is no kernel called '%s'; there are:\n", name);
		code_names(to);
		return;
	}
	buf_printf(to, "%s\n", c->name);
	group_print(c->g, to);
	if (code_texts(c, &ir, &assembly))
		buf_printf(to, "%s\n", gt_last_error());
	else
		buf_printf(to, "\n%s\n%s", buf_text(&ir), buf_text(&assembly));
	buf_fini(&ir);
	buf_fini(&assembly);
}

/* ---- GT_DUMP --------------------------------------------------------------------------------- */

/* A folder that did not take one of them is left alone: there are many, and one message will do. */
static void save(const char *name, const char *ending, const buf *text)
{
	static _Atomic bool over;
	char full[GROUP_NAME_MAX + 32], *path;

	if (atomic_load(&over))
		return;
	snprintf(full, sizeof full, "%d.%s", (int)getpid(), name);
	path = transcript_save(flag_text(FLAG_GT_DUMP), full, ending, text,
		"; no regions and kernels are dumped any more");
	if (!path)
		atomic_store(&over, true);
	mem_free(path);
}

/* Once a process. */
static void dump_code(fused_code *c)
{
	buf ir = { 0 }, assembly = { 0 };

	if (!c->run || atomic_exchange(&c->dumped, true))
		return;
	buf_printf(&ir, "; %s\n", c->name);
	buf_printf(&assembly, "# %s\n", c->name);
	if (!code_texts(c, &ir, &assembly)) {
		save(c->name, "ll", &ir);
		save(c->name, "s", &assembly);
	}
	buf_fini(&ir);
	buf_fini(&assembly);
}

/* The region, then what became of it. */
static void put_plan(const fused_plan *p, buf *to)
{
	char name[REGION_NAME_MAX];

	buf_printf(to, "%s\n", region_name(p->r->signature, p->n, name));
	region_print(p->r, to);
	fused_print(p, to);
}

void compile_dump(const job *j)
{
	const fused_plan *p = j->made;
	char name[32];
	buf text = { 0 };

	snprintf(name, sizeof name, "%012llx", (unsigned long long)p->r->signature);
	transcript_region(p->r, j->run, j->live_ins, &text);
	save(name, "gts", &text);
	text.size = 0;
	put_plan(p, &text);
	save(name, "txt", &text);
	buf_fini(&text);
	for (uint32_t k = 0; k < p->f->steps.count; k++)
		if (p->steps[k].code)
			dump_code(p->steps[k].code);
}
