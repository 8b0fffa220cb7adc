/* play_line.h: feed a piece of .gts text to a tenant's line, without a client. */
#ifndef PLAY_LINE_H
#define PLAY_LINE_H

#include "check.h"
#include "link/line.h"
#include "play.h"

/* Run the text to its end; its answers. */
static inline play play_line(line *l, const char *text)
{
	play p = { .l = NULL };
	batch b = { 0 };

	play_parse(&p, &b, text);
	assert_int_equal(line_push(l, &(parcel){ b.words, b.used, b.count, 0, false }, NULL), GT_OK);
	b.used = b.count = 0;
	batch_fini(&b);
	assert_int_equal(line_sync(l, NULL), GT_OK);
	return p;
}

#endif
