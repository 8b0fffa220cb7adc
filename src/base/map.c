/* map.c: the id map and the interner, both open addressing with linear probing. */
#include "base/map.h"

#include "base/base.h"
#include "base/mem.h"

#define IDMAP_FIRST 32
#define GROUP 16u                             /* keys that stay together */
#define SCATTER UINT64_C(0x9E3779B97F4A7C15)  /* 2^64 / golden ratio: spreads groups */

/* Where the search for `key` begins: its group is hashed, its place in the group is its own. */
static size_t home(const idmap *m, uint64_t key)
{
	uint64_t group = ((key / GROUP) * SCATTER) >> m->shift;

	return (size_t)((group & ~(uint64_t)(GROUP - 1)) | (key & (GROUP - 1)));
}

/* The slot that holds `key`, or the empty one where it would go. The load stays at or below one
 * half, so there is always an empty one. */
static size_t find(const idmap *m, uint64_t key)
{
	size_t i = home(m, key);

	while (m->slots[i].key && m->slots[i].key != key)
		i = (i + 1) & (m->capacity - 1);
	return i;
}

void *idmap_get(const idmap *m, uint64_t key)
{
	/* An empty slot's value is NULL. */
	return m->capacity ? m->slots[find(m, key)].value : NULL;
}

static void grow(idmap *m)
{
	idmap old = *m;

	m->capacity = old.capacity ? old.capacity * 2 : IDMAP_FIRST;
	m->shift = 64 - (unsigned)__builtin_ctzll(m->capacity);
	m->slots = mem_lines(m->capacity * sizeof *m->slots);
	for (size_t i = 0; i < old.capacity; i++)
		if (old.slots[i].key)
			m->slots[find(m, old.slots[i].key)] = old.slots[i];
	mem_free(old.slots);
}

void idmap_put(idmap *m, uint64_t key, void *value)
{
	size_t i;

	assert(key);
	if (m->count * 2 >= m->capacity)
		grow(m);
	i = find(m, key);
	m->count += !m->slots[i].key;
	m->slots[i] = (idmap_slot){ key, value };
}

/* Close the gap at i: each later member of the run moves up unless its home lies behind the gap,
 * where a search that starts at home would no longer meet it. */
static void close_gap(idmap *m, size_t i)
{
	size_t mask = m->capacity - 1;

	for (size_t j = (i + 1) & mask; m->slots[j].key; j = (j + 1) & mask) {
		size_t from_home = (j - home(m, m->slots[j].key)) & mask, from_gap = (j - i) & mask;

		if (from_home < from_gap)
			continue;
		m->slots[i] = m->slots[j];
		i = j;
	}
	m->slots[i] = (idmap_slot){ 0 };
}

void *idmap_take(idmap *m, uint64_t key)
{
	size_t i = m->capacity ? find(m, key) : 0;
	void *value;

	if (!m->capacity || !m->slots[i].key)
		return NULL;
	value = m->slots[i].value;
	close_gap(m, i);
	m->count--;
	return value;
}

void idmap_fini(idmap *m)
{
	mem_free(m->slots);
	*m = (idmap){ 0 };
}

size_t idmap_next(const idmap *m, size_t i)
{
	for (; i < m->capacity; i++)
		if (m->slots[i].key)
			return i + 1;
	return 0;
}

/* The table holds numbers plus one, 0 is empty; entries keep the hash so that growing reads no
 * text. */
struct interner {
	struct entry { const char *s; size_t n; uint64_t hash; } *entries;
	uint32_t count, room;
	uint32_t *table;
	size_t capacity;
	arena text;
};

/* FNV-1a, 64 bit. */
static uint64_t hash(const char *s, size_t n)
{
	uint64_t h = UINT64_C(0xCBF29CE484222325);

	for (size_t i = 0; i < n; i++)
		h = (h ^ (uint8_t)s[i]) * UINT64_C(0x100000001B3);
	return h;
}

interner *interner_new(void)
{
	return mem_zero(sizeof(interner));
}

void interner_free(interner *in)
{
	if (!in)
		return;
	mem_free(in->entries);
	mem_free(in->table);
	arena_fini(&in->text);
	mem_free(in);
}

static void grow_table(interner *in)
{
	size_t mask;

	in->capacity = in->capacity ? in->capacity * 2 : 64;
	mask = in->capacity - 1;
	mem_free(in->table);
	in->table = mem_zero(in->capacity * sizeof *in->table);
	for (uint32_t e = 0; e < in->count; e++) {
		size_t i = in->entries[e].hash & mask;

		while (in->table[i])
			i = (i + 1) & mask;
		in->table[i] = e + 1;
	}
}

uint32_t interner_put(interner *in, const char *s, size_t n)
{
	uint64_t h = hash(s, n);
	size_t i;

	if ((size_t)in->count * 2 >= in->capacity)
		grow_table(in);
	for (i = h & (in->capacity - 1); in->table[i]; i = (i + 1) & (in->capacity - 1)) {
		const struct entry *e = &in->entries[in->table[i] - 1];

		if (e->hash == h && e->n == n && !memcmp(e->s, s, n))
			return in->table[i] - 1;
	}
	VEC_ROOM(in->entries, in->count, in->room);
	in->entries[in->count] = (struct entry){ arena_string(&in->text, s, n), n, h };
	in->table[i] = ++in->count;
	return in->count - 1;
}

const char *interner_get(const interner *in, uint32_t number)
{
	return number < in->count ? in->entries[number].s : NULL;
}
