/* scratch.h: a map from 64-bit keys to indices that is emptied in no time and used again. */
#ifndef HOTPATH_SCRATCH_H
#define HOTPATH_SCRATCH_H

#include "base/base.h"
#include "base/mem.h"

#define SCRATCH_NONE UINT32_MAX

typedef struct scratch_slot { uint64_t key; uint32_t value, age; } scratch_slot;
typedef struct scratch { scratch_slot *slots; uint32_t capacity, age, count; } scratch;

/* Empty, with room for n keys (more make it grow). All zero is a scratch that never began. */
static inline void scratch_begin(scratch *s, uint32_t n)
{
	uint32_t capacity = 64;

	while (capacity < 2 * n)
		capacity *= 2;
	if (capacity > s->capacity || ++s->age == 0) {
		mem_free(s->slots);
		s->slots = mem_zero(capacity * sizeof(*s->slots));
		s->capacity = capacity;
		s->age = 1;
	}
	s->count = 0;
}

static inline void scratch_fini(scratch *s)
{
	mem_free(s->slots);
}

static inline scratch_slot *scratch_find(const scratch *s, uint64_t key)
{
	uint32_t i = (uint32_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (s->capacity - 1);

	while (s->slots[i].age == s->age && s->slots[i].key != key)
		i = (i + 1) & (s->capacity - 1);
	return &s->slots[i];
}

static inline uint32_t scratch_get(const scratch *s, uint64_t key)
{
	const scratch_slot *slot = scratch_find(s, key);

	return slot->age == s->age ? slot->value : SCRATCH_NONE;
}

static inline void scratch_grow(scratch *s)
{
	const scratch old = *s;

	s->capacity *= 2;
	s->age = 1;
	s->slots = mem_zero(s->capacity * sizeof(*s->slots));
	for (uint32_t i = 0; i < old.capacity; i++)
		if (old.slots[i].age == old.age)
			*scratch_find(s, old.slots[i].key) = (scratch_slot){
				old.slots[i].key, old.slots[i].value, 1 };
	mem_free(old.slots);
}

/* Replaces. */
static inline void scratch_put(scratch *s, uint64_t key, uint32_t value)
{
	scratch_slot *slot;

	if (2 * s->count >= s->capacity)
		scratch_grow(s);
	slot = scratch_find(s, key);
	s->count += slot->age != s->age;
	*slot = (scratch_slot){ key, value, s->age };
}

#endif
