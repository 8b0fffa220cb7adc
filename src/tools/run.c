/* run.c: `gt run FILE.gts`, a text stream executed on an embedded worker; `gt explain FILE.gts`,
 * what becomes of its loops.
 *
 * The stream goes through the same link as a client's. What its fetches read is printed as upload
 * instructions: exact, and a stream again. A value that failed is reported and the rest goes on.
 * An instruction for which the stream names no site is known by its own line in the file.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include "base/base.h"
#include "base/error.h"
#include "base/flags.h"
#include "base/map.h"
#include "embed/embed.h"
#include "ir/batch.h"
#include "ir/text.h"
#include "tools/tools.h"
#include "worker/compile.h"

#define AT_ONCE 256                      /* instructions handed over before answers are awaited */
#define NAMED_SITES (UINT32_C(1) << 31)  /* numbers from here on are ours, below are the file's */

static const interrupt never = { NULL, NULL };

typedef struct request { answer *a; uint64_t id; } request;

typedef struct run {
	const char *name;
	bool mute;                       /* what is read is not printed */
	const explain_wish *wish;        /* what is to be said of its loops; NULL: nothing */
	FILE *file;
	struct link *link;
	interner *places;                /* "file:line", by number */
	batch batch;
	request requests[AT_ONCE];
	size_t pending;
	int status;
} run;

static uint32_t name_site(run *r, const char *file, size_t n, uint32_t row)
{
	buf text = { 0 };
	uint32_t number;

	buf_printf(&text, "%.*s:%u", (int)n, file, row);
	number = interner_put(r->places, buf_text(&text), text.size);
	buf_fini(&text);
	return NAMED_SITES + number;
}

static uint32_t number_of(void *ctx, const char *file, size_t n, uint32_t row)
{
	return name_site(ctx, file, n, row);
}

static size_t read_file(void *ctx, char *to, size_t n)
{
	return fread(to, 1, n, ((run *)ctx)->file);
}

/* The value as the upload that would make it. */
static void print_value(uint64_t id, const answer *a)
{
	blob data = { .refs = 1, .data = (void *)(uintptr_t)a->data,
		.size = (size_t)meta_count(&a->m) * dtype_size((gt_dtype)a->m.dtype) };
	ins_room room;
	ins *i = ins_init(&room, OP_upload, id);
	buf text = { 0 };

	i->attr.dtype = a->m.dtype;
	ins_put_operand(i, (int64_t)(intptr_t)&data);
	for (int k = 0; k < a->m.rank; k++)
		ins_put_operand(i, a->m.dims[k]);
	text_put(&text, i, NULL);
	fwrite(text.data, 1, text.size, stdout);
	buf_fini(&text);
}

static void report(run *r, uint64_t id, const failure *why)
{
	const char *place = why->site < NAMED_SITES ? NULL
		: interner_get(r->places, why->site - NAMED_SITES);

	if (place)
		tool_fail(EXIT_WRONG, "%s: t%" PRIu64 ": %s", place, id, why->text);
	else
		tool_fail(EXIT_WRONG, "site %u: t%" PRIu64 ": %s", why->site, id, why->text);
	r->status = EXIT_WRONG;
}

static void settle(run *r, const request *q)
{
	if (r->link->ops->wait(r->link, q->a, &never)) {
		r->status = tool_fail(EXIT_WRONG, "t%" PRIu64 ": %s", q->id, gt_last_error());
	} else if (atomic_load(&q->a->state) == ANSWER_READY) {
		if (!r->mute)
			print_value(q->id, q->a);
	} else if (atomic_load(&q->a->state) == ANSWER_FAILED) {
		report(r, q->id, q->a->why);
	} else {
		r->status = tool_fail(EXIT_WRONG, "t%" PRIu64 ": the read was cancelled", q->id);
	}
	answer_drop(q->a);
}

/* Hand over what was collected, then print what it reads. */
static gt_err flush(run *r)
{
	gt_err e = GT_OK;

	if (r->batch.count)
		e = r->link->ops->flush(r->link, r->batch.words, r->batch.used, r->batch.count, 0);
	/* The link has the references that the records carry: forget the records, drop nothing. */
	r->batch.used = r->batch.count = 0;
	for (size_t k = 0; k < r->pending; k++)
		settle(r, &r->requests[k]);
	r->pending = 0;
	return e;
}

static void push(run *r, ins *i, unsigned row)
{
	if (!i->site)
		i->site = name_site(r, r->name, strlen(r->name), row);
	if (i->op == OP_fetch) {
		request *q = &r->requests[r->pending++];

		*q = (request){ answer_new(), ins_in(i)[0] };
		((int64_t *)(uintptr_t)ins_opd(i))[0] = (int64_t)(intptr_t)q->a;
	}
	batch_push(&r->batch, i);
}

static bool complain(run *r)
{
	r->status = tool_fail(EXIT_WRONG, "%s", gt_last_error());
	return true;
}

/* Read up to AT_ONCE instructions; *end after the last. A mistake in the text is an error behind
 * whatever could be read before it. */
static gt_err collect(run *r, text_reader *t, bool *end)
{
	ins_room room;

	while (r->batch.count < AT_ONCE) {
		if (text_get(t, &room, end))
			return fail(GT_ESYNTAX, "%s:%s", r->name, gt_last_error());
		if (*end)
			break;
		push(r, &room.head, t->word_line);
	}
	return GT_OK;
}

/* What stands before a mistake is executed all the same, as when the stream comes in pieces; and
 * what nobody reads, since a close would cancel it. */
static void execute(run *r)
{
	const text_sites sites = { .number = number_of, .ctx = r };
	text_reader t;
	bool end = false, stop = false;

	text_open(&t, read_file, r, &sites);
	while (!end && !stop) {
		stop = collect(r, &t, &end) ? complain(r) : false;
		if (flush(r))
			stop = complain(r);
	}
	if (r->link->ops->sync(r->link, &never))
		complain(r);
}

/* ---- what became of its loops ---------------------------------------------------------------- */

/* As the stream has it where that is a number. */
static bool print_site(void *ctx, uint32_t site, char *text, size_t size)
{
	const char *place = site < NAMED_SITES ? NULL
		: interner_get(((run *)ctx)->places, site - NAMED_SITES);

	if (place)
		snprintf(text, size, "%s", place);
	else
		snprintf(text, size, "@ %u", site);
	return true;
}

static void explain(run *r)
{
	const explain_wish wish = { { print_site, r }, r->wish->full, r->wish->kernel };
	buf text = { 0 };

	if (embed_explain(r->link, &wish, &text))
		complain(r);
	fputs(buf_text(&text), stdout);
	buf_fini(&text);
	if (wish.kernel && !code_named(wish.kernel))     /* as the text says */
		r->status = EXIT_WRONG;
}

gt_err run_hot(void)
{
	static const flag on[] = { FLAG_GT_AUTO_COMPILE, FLAG_GT_COMPILE_SYNC, FLAG_GT_QUIET };
	gt_err e = flags_load();

	for (size_t k = 0; k < COUNT(on) && !e; k++)
		e = flag_set(on[k], "1");
	return e;
}

/* ---- files ----------------------------------------------------------------------------------- */

static int run_stream(run *r)
{
	if (flags_load() || embed_open(&r->link))
		return tool_fail(EXIT_WRONG, "%s", gt_last_error());
	r->places = interner_new();
	execute(r);
	if (r->wish)
		explain(r);
	if (ferror(r->file))
		r->status = tool_fail(EXIT_WRONG, "%s: %s", r->name, strerror(errno));
	r->link->ops->close(r->link);
	interner_free(r->places);
	batch_fini(&r->batch);
	return r->status;
}

static int run_path(run *r, const char *path)
{
	int status;

	r->file = stdin;
	r->name = strcmp(path, "-") ? path : "standard input";
	if (r->name == path && !(r->file = fopen(path, "re")))
		return tool_fail(EXIT_WRONG, "%s: %s", path, strerror(errno));
	status = run_stream(r);
	fclose(r->file);
	return status;
}

int run_file(const char *path, bool prints)
{
	run r = { .mute = !prints };

	return run_path(&r, path);
}

int run_command(int argc, char **argv)
{
	return argc == 2 ? run_file(argv[1], true) : tool_usage(argv[0]);
}

int explain_command(int argc, char **argv)
{
	explain_wish wish = { .full = false };
	run r = { .mute = true, .wish = &wish };
	int k = 1;

	for (; k < argc - 1; k++)
		if (!strcmp(argv[k], "--full"))
			wish.full = true;
		else if (!strcmp(argv[k], "--kernel"))
			wish.kernel = argv[++k];
		else
			break;
	if (k != argc - 1)
		return tool_usage(argv[0]);
	if (run_hot())
		return tool_fail(EXIT_WRONG, "%s", gt_last_error());
	return run_path(&r, argv[k]);
}
