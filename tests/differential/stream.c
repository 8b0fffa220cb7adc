/* stream.c: streams in memory and as files. */
#include "differential/stream.h"

#include <errno.h>
#include <stdio.h>
#include "base/error.h"
#include "base/map.h"
#include "base/mem.h"
#include "ir/op.h"
#include "ir/text.h"

void stream_add(stream *s, const ins *i, tag t)
{
	VEC_ROOM(s->tags, s->count, s->room);
	s->tags[s->count++] = t;
	batch_push(&s->code, i);
}

void stream_fini(stream *s)
{
	batch_fini(&s->code);
	mem_free(s->tags);
	*s = (stream){ .count = 0 };
}

/* ---- cutting down ---------------------------------------------------------------------------- */

static bool has_inputs(idmap *made, const ins *i)
{
	for (unsigned k = 0; k < i->nin; k++)
		if (!ins_kind(i, k) && !idmap_get(made, ins_in(i)[k]))
			return false;
	return true;
}

stream stream_without(const stream *s, const bool *drop)
{
	stream left = { .count = 0 };
	idmap made = { 0 };
	size_t k = 0;

	for (const ins *i = NULL; (i = batch_next(&s->code, i)); k++) {
		if (drop[k] || !has_inputs(&made, i))
			continue;
		if (i->out)
			idmap_put(&made, i->out, &left);
		if (ins_blob(i))
			blob_hold(ins_blob(i));
		stream_add(&left, i, s->tags[k]);
	}
	idmap_fini(&made);
	return left;
}

/* ---- files ----------------------------------------------------------------------------------- */

bool stream_write(const stream *s, const char *path, const char *head)
{
	FILE *to = fopen(path, "we");
	buf text = { 0 };
	bool done;

	if (!to)
		return false;
	buf_printf(&text, "%s", head);
	for (const ins *i = NULL; (i = batch_next(&s->code, i)); )
		text_put(&text, i, NULL);
	done = fwrite(text.data, 1, text.size, to) == text.size;
	buf_fini(&text);
	return !fclose(to) && done;
}

static size_t read_file(void *ctx, char *to, size_t n)
{
	return fread(to, 1, n, ctx);
}

gt_err stream_read(stream *s, const char *path)
{
	FILE *from = fopen(path, "re");
	text_reader t;
	ins_room room;
	bool end = false;
	gt_err e = GT_OK;

	if (!from)
		return fail(GT_ESTATE, "%s: %s", path, strerror(errno));
	text_open(&t, read_file, from, NULL);
	while (!(e = text_get(&t, &room, &end)) && !end) {
		if (!room.head.site)
			room.head.site = t.word_line;
		stream_add(s, &room.head, (tag){ t.word_line, 0 });
	}
	fclose(from);
	return e ? fail(e, "%s:%s", path, gt_last_error()) : GT_OK;
}
