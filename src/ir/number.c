/* number.c: exact numbers in text. */
#include "ir/number.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define NAN32 UINT32_C(0x7fc00000)
#define NAN64 UINT64_C(0x7ff8000000000000)

/* With every category, newlocale gives the C library's own constant object: nothing to free. */
locale_t number_enter(void)
{
	return uselocale(newlocale(LC_ALL_MASK, "C", (locale_t)0));
}

void number_leave(locale_t previous)
{
	uselocale(previous);
}

/* ---- writing ---- */

static void put_text(buf *to, const char *s)
{
	buf_put(to, s, strlen(s));
}

static void put_f64(buf *to, double v, bool show)
{
	char text[NUMBER_TEXT_MAX];
	uint64_t bits;

	memcpy(&bits, &v, sizeof bits);
	if (v != v) {
		put_text(to, "nan");
		if (bits != NAN64)
			buf_printf(to, ":%#llx", (unsigned long long)bits);
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	put_text(to, text);
	if (show && !strpbrk(text, ".en"))   /* neither 1.5 nor 1e5 nor inf */
		put_text(to, ".0");
}

static void put_f32(buf *to, float v)
{
	char text[NUMBER_TEXT_MAX];
	uint32_t bits;

	memcpy(&bits, &v, sizeof bits);
	if (v != v) {
		put_text(to, "nan");
		if (bits != NAN32)
			buf_printf(to, ":%#x", bits);
		return;
	}
	for (int digits = 6; digits <= 9; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, (double)v);
		if (strtof(text, NULL) == v)
			break;
	}
	put_text(to, text);
}

void number_put_scalar(buf *to, dtype_kind kind, scalar value)
{
	if (kind == KIND_FLOAT)
		put_f64(to, value.f, true);
	else if (kind == KIND_INT)
		buf_printf(to, "%lld", (long long)value.i);
	else
		put_text(to, value.i ? "true" : "false");
}

void number_put_element(buf *to, gt_dtype d, const void *p)
{
	union { float f32; double f64; int32_t i32; int64_t i64; uint8_t b; } v;

	memcpy(&v, p, dtype_size(d));
	switch (d) {
	case GT_FLOAT32:
		put_f32(to, v.f32);
		break;
	case GT_FLOAT64:
		put_f64(to, v.f64, false);
		break;
	case GT_INT32:
		buf_printf(to, "%d", v.i32);
		break;
	case GT_INT64:
		buf_printf(to, "%lld", (long long)v.i64);
		break;
	default:
		put_text(to, v.b ? "true" : "false");
	}
}

/* ---- reading ---- */

/* Whether only digits follow an optional sign: what tells an int from a float. */
static bool is_int(const char *word)
{
	const char *digits = word + (*word == '-' || *word == '+');

	return *digits && !digits[strspn(digits, "0123456789")];
}

const char *number_get_int(const char *word, int64_t min, int64_t max, int64_t *value)
{
	if (!is_int(word))
		return "an integer";
	errno = 0;
	*value = strtoll(word, NULL, 10);
	return errno || *value < min || *value > max ? "an integer within its range" : NULL;
}

const char *number_get_unsigned(const char *word, uint64_t max, uint64_t *value)
{
	if (!is_int(word) || *word == '-')
		return "an integer that is not negative";
	errno = 0;
	*value = strtoull(word, NULL, 10);
	return errno || *value > max ? "an integer within its range" : NULL;
}

/* "nan" or "nan:0x7fc00001": the bits, which must be those of a NaN of that size. */
static bool get_nan(const char *word, uint64_t usual, uint64_t infinity, uint64_t all,
	uint64_t *bits)
{
	char *end;

	*bits = usual;
	if (!strcmp(word, "nan"))
		return true;
	if (strncmp(word, "nan:0x", 6))
		return false;
	errno = 0;
	*bits = strtoull(word + 4, &end, 16);
	return !errno && !*end && end > word + 6 && *bits <= all && (*bits & all >> 1) > infinity;
}

/* Only words that begin as numbers do go to strtod, which would take "infinity" and more; and no
 * spaces. */
static bool begins_number(const char *word)
{
	const char *digits = word + (*word == '-' || *word == '+');

	return (*digits >= '0' && *digits <= '9') || *digits == '.' || !strcmp(digits, "inf");
}

static const char *get_f64(const char *word, double *v)
{
	uint64_t bits;
	char *end;

	if (get_nan(word, NAN64, UINT64_C(0x7ff0000000000000), UINT64_MAX, &bits)) {
		memcpy(v, &bits, sizeof bits);
		return NULL;
	}
	if (!begins_number(word))
		return "a float";
	*v = strtod(word, &end);
	if (*end)
		return "a float";
	return __builtin_isinf(*v) && !strstr(word, "inf") ? "a float that float64 can hold" : NULL;
}

static const char *get_f32(const char *word, float *v)
{
	uint64_t bits;
	uint32_t low;
	char *end;

	if (get_nan(word, NAN32, UINT32_C(0x7f800000), UINT32_MAX, &bits)) {
		low = (uint32_t)bits;
		memcpy(v, &low, sizeof low);
		return NULL;
	}
	if (!begins_number(word))
		return "a float";
	*v = strtof(word, &end);
	if (*end)
		return "a float";
	return __builtin_isinf(*v) && !strstr(word, "inf") ? "a float that float32 can hold" : NULL;
}

static const char *get_bool(const char *word, bool *v)
{
	*v = !strcmp(word, "true");
	return *v || !strcmp(word, "false") ? NULL : "true or false";
}

const char *number_get_scalar(const char *word, dtype_kind *kind, scalar *value)
{
	bool b;

	if (!get_bool(word, &b)) {
		*kind = KIND_BOOL;
		value->i = b;
		return NULL;
	}
	if (is_int(word)) {
		*kind = KIND_INT;
		return number_get_int(word, INT64_MIN, INT64_MAX, &value->i);
	}
	*kind = KIND_FLOAT;
	return get_f64(word, &value->f) ? "a number, true or false" : NULL;
}

const char *number_get_element(const char *word, gt_dtype d, void *p)
{
	union { float f32; double f64; int32_t i32; int64_t i64; uint8_t b; } v;
	const char *why;
	int64_t n = 0;
	bool b;

	switch (d) {
	case GT_FLOAT32:
		why = get_f32(word, &v.f32);
		break;
	case GT_FLOAT64:
		why = get_f64(word, &v.f64);
		break;
	case GT_INT32:
		why = number_get_int(word, INT32_MIN, INT32_MAX, &n);
		v.i32 = (int32_t)n;
		break;
	case GT_INT64:
		why = number_get_int(word, INT64_MIN, INT64_MAX, &v.i64);
		break;
	default:
		why = get_bool(word, &b);
		v.b = b;
	}
	if (!why)
		memcpy(p, &v, dtype_size(d));
	return why;
}
