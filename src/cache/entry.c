/* entry.c: entries to bytes and back, and the hash behind names and checksums. */
#include "cache/entry.h"

#include <inttypes.h>
#include <stdio.h>
#define XXH_INLINE_ALL                   /* no library to be found at run time */
#include <xxhash.h>
#include "base/base.h"

#define NAME_DIGITS 32

static const char magic[8] = { 'G', 'T', 'C', 'A', 'C', 'H', 'E', ENTRY_VERSION };
static const char *const kinds[CACHE_KINDS] = { "kernel", "recipes", "tuned" };

static void hash(const void *data, size_t size, uint8_t sum[ENTRY_SUM])
{
	const XXH128_hash_t h = XXH3_128bits(data, size);

	memcpy(sum, &h.low64, 8);
	memcpy(sum + 8, &h.high64, 8);
}

void entry_encode(const entry *e, buf *to)
{
	const size_t start = to->size;
	uint8_t sum[ENTRY_SUM];

	buf_put(to, magic, sizeof magic);
	buf_put_u32(to, e->kind);
	buf_put_u32(to, (uint32_t)e->key.size);
	buf_put_u64(to, e->value.size);
	buf_put(to, e->key.data, e->key.size);
	buf_put(to, e->value.data, e->value.size);
	hash(to->data + start, to->size - start, sum);
	buf_put(to, sum, sizeof sum);
}

static const char *get_sizes(reader *r, size_t size, entry *e)
{
	uint64_t key, value;

	e->kind = reader_u32(r);
	key = reader_u32(r);
	value = reader_u64(r);
	if (e->kind >= CACHE_KINDS)
		return "unknown kind";
	if (value > size || key + value + ENTRY_HEAD + ENTRY_SUM != size)
		return "cut short, or longer than it says";
	e->key = (cache_bytes){ reader_bytes(r, key), key };
	e->value = (cache_bytes){ reader_bytes(r, value), value };
	return NULL;
}

const char *entry_decode(const void *data, size_t size, entry *e)
{
	reader r = { .data = data, .size = size };
	uint8_t sum[ENTRY_SUM];
	const char *wrong;

	if (size < ENTRY_HEAD + ENTRY_SUM)
		return "cut short";
	if (memcmp(reader_bytes(&r, sizeof magic), magic, sizeof magic - 1))
		return "not a file of this cache";
	if (r.data[sizeof magic - 1] != ENTRY_VERSION)
		return "of another version";
	if ((wrong = get_sizes(&r, size, e)))
		return wrong;
	hash(data, size - ENTRY_SUM, sum);
	return memcmp(reader_bytes(&r, ENTRY_SUM), sum, ENTRY_SUM) ? "wrong checksum" : NULL;
}

const char *entry_name(cache_kind kind, cache_bytes key, char name[ENTRY_NAME_MAX])
{
	const XXH128_hash_t h = XXH3_128bits(key.data, key.size);

	snprintf(name, ENTRY_NAME_MAX, "%016" PRIx64 "%016" PRIx64 ".%s", h.high64, h.low64,
		kinds[kind]);
	return name;
}

bool entry_is_name(const char *name, cache_kind *kind)
{
	if (strspn(name, "0123456789abcdef") != NAME_DIGITS || name[NAME_DIGITS] != '.')
		return false;
	for (unsigned k = 0; k < CACHE_KINDS; k++)
		if (!strcmp(name + NAME_DIGITS + 1, kinds[k])) {
			*kind = (cache_kind)k;
			return true;
		}
	return false;
}
