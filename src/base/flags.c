/* flags.c: settings from the environment.
 *
 * Read once, all together, so that a mistake in any of them is told at the start and not when the
 * setting is first needed. A malformed value leaves the default in force; the error is repeated to
 * whoever calls flags_load, since the first caller may have thrown it away.
 */
#include "base/flags.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include "base/base.h"
#include "base/cpu.h"
#include "base/error.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/nearest.h"

extern char **environ;

static const struct row {
	const char *name;
	flag_kind kind;
	int64_t most;
	const char *preset, *doc;
} rows[] = {
#define FLAG(name, kind, most, preset, doc) { #name, FLAG_##kind, most, preset, doc },
#include "base/flags.def"
};

static const char *const expected[] = {
	[FLAG_BOOL] = "0 or 1",
	[FLAG_SIZE] = "bytes such as 500M or 2G (K, M, G, T), or 1% to 100% of the memory",
	[FLAG_TEXT] = "a text",
};

static struct value {
	_Atomic int64_t number;
	char *text;
} values[FLAG_COUNT];

static pthread_once_t once = PTHREAD_ONCE_INIT;
static atomic_bool loaded;
static struct { gt_err code; char text[ERROR_TEXT_MAX]; } first_error;

/* A whole number at s; false if there is none or it does not fit. *end is behind it. */
static bool whole(const char *s, int64_t *n, const char **end)
{
	char *stop;

	errno = 0;
	if (*s < '0' || *s > '9')
		return false;
	*n = strtoll(s, &stop, 10);
	*end = stop;
	return !errno;
}

static bool size(const char *s, int64_t *n)
{
	static const char suffixes[] = "KMGT";
	const char *end, *suffix;
	int64_t unit = 1;

	if (!whole(s, n, &end))
		return false;
	if (!strcmp(end, "%")) {
		*n = *n >= 1 && *n <= 100 ? (int64_t)(cpu_memory() / 100 * (uint64_t)*n) : -1;
		return *n >= 0;
	}
	if (*end) {
		suffix = strchr(suffixes, *end & ~0x20);
		if (!suffix || end[1])
			return false;
		unit = INT64_C(1) << (10 * (suffix - suffixes + 1));
	}
	return !__builtin_mul_overflow(*n, unit, n);
}

/* Index of s in "first|second|...". */
static bool choice(const char *s, const char *choices, int64_t *index)
{
	size_t n = strlen(s);

	*index = 0;
	for (const char *p = choices; ; p++, ++*index) {
		size_t length = strcspn(p, "|");

		if (n == length && !memcmp(s, p, n))
			return true;
		p += length;
		if (!*p)
			return false;
	}
}

static int least(const struct row *r)
{
	return r->kind == FLAG_POSITIVE;
}

static bool parse(const struct row *r, const char *s, int64_t *n)
{
	const char *end = "";

	*n = 0;
	switch (r->kind) {
	case FLAG_BOOL:
		return whole(s, n, &end) && !*end && *n <= 1;
	case FLAG_INT:
	case FLAG_POSITIVE:
		return whole(s, n, &end) && !*end && *n >= least(r) && *n <= r->most;
	case FLAG_SIZE:
		return size(s, n);
	case FLAG_CHOICE:
		return choice(s, r->preset, n);
	case FLAG_TEXT:
		return true;
	}
	return false;
}

static void assign(flag f, const char *text, size_t n, int64_t number)
{
	char *copy = mem_alloc(n + 1);

	memcpy(copy, text, n);
	copy[n] = '\0';
	mem_free(values[f].text);
	values[f].text = copy;
	atomic_store_explicit(&values[f].number, number, memory_order_relaxed);
}

static gt_err set(flag f, const char *value)
{
	const struct row *r = &rows[f];
	int64_t number;

	if (parse(r, value, &number)) {
		assign(f, value, strlen(value), number);
		return GT_OK;
	}
	if (r->kind == FLAG_CHOICE)
		return fail(GT_EINVAL, "%s='%s': expected one of %s", r->name, value, r->preset);
	if (r->kind == FLAG_INT || r->kind == FLAG_POSITIVE)
		return fail(GT_EINVAL, "%s='%s': expected a whole number, %d to %" PRId64, r->name,
			value, least(r), r->most);
	return fail(GT_EINVAL, "%s='%s': expected %s", r->name, value, expected[r->kind]);
}

static void preset(flag f)
{
	const struct row *r = &rows[f];
	size_t n = r->kind == FLAG_CHOICE ? strcspn(r->preset, "|") : strlen(r->preset);
	int64_t number = 0;
	bool known = r->kind == FLAG_CHOICE || parse(r, r->preset, &number);

	assert(known);
	(void)known;
	assign(f, r->preset, n, number);
}

/* One line per variable that looks like ours and is not. */
static void warn_unknown(const char *variable)
{
	const char *names[FLAG_COUNT];
	char name[NEAREST_MAX + 1];
	size_t n = strcspn(variable, "=");

	for (flag f = 0; f < FLAG_COUNT; f++) {
		names[f] = rows[f].name;
		if (strlen(names[f]) == n && !memcmp(names[f], variable, n))
			return;
	}
	snprintf(name, sizeof name, "%.*s", (int)MIN(n, sizeof name - 1), variable);
	log_line("unknown setting %s is ignored (did you mean %s?); `gt flags` lists all", name,
		nearest_name(name, names, FLAG_COUNT));
}

static void load(void)
{
	for (flag f = 0; f < FLAG_COUNT; f++) {
		const char *value = getenv(rows[f].name);

		preset(f);
		if (value && set(f, value) && !first_error.code) {
			first_error.code = gt_last_error_code();
			strcpy(first_error.text, gt_last_error());
		}
	}
	/* From here on this thread may read flags itself: warnings ask for GT_QUIET. */
	atomic_store(&loaded, true);
	for (char **e = environ; e && *e; e++)
		if (!strncmp(*e, "GT_", 3))
			warn_unknown(*e);
}

gt_err flags_load(void)
{
	pthread_once(&once, load);
	return first_error.code ? fail(first_error.code, "%s", first_error.text) : GT_OK;
}

static void need(void)
{
	if (UNLIKELY(!atomic_load_explicit(&loaded, memory_order_acquire)))
		pthread_once(&once, load);
}

int64_t flag_int(flag f)
{
	need();
	return atomic_load_explicit(&values[f].number, memory_order_relaxed);
}

const char *flag_text(flag f)
{
	need();
	return values[f].text;
}

gt_err flag_set(flag f, const char *value)
{
	need();
	return set(f, value);
}

void flags_print(FILE *out)
{
	need();
	for (flag f = 0; f < FLAG_COUNT; f++) {
		fprintf(out, "%-16s %-12s %s", rows[f].name, values[f].text, rows[f].doc);
		if (rows[f].kind == FLAG_CHOICE)
			fprintf(out, " (%s)", rows[f].preset);
		fputc('\n', out);
	}
}
