/* nearest.c: edit distance (optimal string alignment) with three rows of the table in memory. */
#include "base/nearest.h"

#include <ctype.h>
#include <limits.h>
#include "base/base.h"

static bool same(char a, char b)
{
	return tolower((unsigned char)a) == tolower((unsigned char)b);
}

unsigned nearest_edits(const char *a, const char *b)
{
	unsigned rows[3][NEAREST_MAX + 1], *before = rows[0], *above = rows[1], *row = rows[2];
	size_t m = strnlen(a, NEAREST_MAX), n = strnlen(b, NEAREST_MAX);

	for (size_t j = 0; j <= n; j++)
		row[j] = (unsigned)j;
	for (size_t i = 1; i <= m; i++) {
		unsigned *oldest = before;

		before = above;
		above = row;
		row = oldest;
		row[0] = (unsigned)i;
		for (size_t j = 1; j <= n; j++) {
			unsigned replace = above[j - 1] + !same(a[i - 1], b[j - 1]);

			row[j] = MIN(replace, MIN(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && same(a[i - 1], b[j - 2]) && same(a[i - 2], b[j - 1]))
				row[j] = MIN(row[j], before[j - 2] + 1);
		}
	}
	return row[n];
}

const char *nearest_name(const char *s, const char *const *names, size_t n)
{
	unsigned best = UINT_MAX;
	const char *name = NULL;

	for (size_t i = 0; i < n; i++) {
		unsigned edits = nearest_edits(s, names[i]);

		if (edits < best) {
			best = edits;
			name = names[i];
		}
	}
	return name;
}

const char *nearest_likely(const char *s, const char *const *names, size_t n)
{
	const char *name = nearest_name(s, names, n);

	return name && nearest_edits(s, name) * 2 <= strlen(name) ? name : NULL;
}
