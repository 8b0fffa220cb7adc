/* history.c: the rings behind history.h. */
#include "hotpath/history.h"

#include <sys/mman.h>
#include "base/mem.h"

#define PAGE  4096u
#define SLICE (8 * PAGE)

static uint64_t words_room(const history *h) { return h->room * HISTORY_WORDS; }

void history_init(history *h, uint64_t room)
{
	assert(room * HISTORY_WORDS >= 4 * RECORD_WORDS_MAX && !(room & (room - 1)));
	*h = (history){ .room = room };
	h->token = mem_alloc(room * sizeof(*h->token));
	h->at = mem_alloc(room * sizeof(*h->at));
	h->words = mem_alloc(words_room(h) * sizeof(*h->words));
}

void history_fini(history *h)
{
	mem_free(h->token);
	mem_free(h->at);
	mem_free(h->words);
}

/* The pages that are all its own. Should the system not want them they go with the rest. */
bool history_give_back(history *h, uint64_t n)
{
	const uintptr_t begin = ALIGN_UP((uintptr_t)h->words, (uintptr_t)PAGE) + n * SLICE;
	const uintptr_t end = (uintptr_t)(h->words + words_room(h)) & ~(uintptr_t)(PAGE - 1);

	if (begin >= end)
		return false;
	madvise((void *)begin, MIN(end - begin, SLICE), MADV_DONTNEED);
	return true;
}

/* Word where a record of that length goes: it stays in one piece. */
static uint64_t place(const history *h, unsigned words)
{
	const uint64_t rest = words_room(h) - (h->end & (words_room(h) - 1));

	return rest < words ? h->end + rest : h->end;
}

static record *put(history *h, const record *r)
{
	const uint64_t at = place(h, r->words);
	record *to;

	while (h->first < h->next &&
			at + r->words - h->at[h->first & (h->room - 1)] > words_room(h))
		h->first++;
	if (at != h->end)        /* what was skipped says so */
		h->words[h->end & (words_room(h) - 1)] = RECORD_PAD;
	h->end = at + r->words;
	to = (record *)(h->words + (at & (words_room(h) - 1)));
	memcpy(to, r, r->words * sizeof(uint64_t));
	return to;
}

void history_push_op(history *h, const record *r, uint64_t token)
{
	const uint64_t n = h->next;

	if (n - h->first == h->room)
		h->first++;
	put(h, r);
	h->token[n & (h->room - 1)] = token;
	h->at[n & (h->room - 1)] = h->end - r->words;
	h->next++;
}

/* Events before the first op belong to nothing. */
void history_push_event(history *h, const record *r)
{
	if (h->next > h->first)
		put(h, r);
}

const record *history_event(const history *h, uint64_t n, uint64_t *word)
{
	const uint64_t end = n + 1 < h->next ? h->at[(n + 1) & (h->room - 1)] : h->end;
	const record *r;

	if (*word >= end)
		return NULL;
	r = history_record(h, *word);
	if (r->op == RECORD_PAD) {
		*word = ALIGN_UP(*word + 1, words_room(h));
		if (*word >= end)
			return NULL;
		r = history_record(h, *word);
	}
	*word += r->words;
	return r;
}

void history_copy(history *h, const history *from, uint64_t n)
{
	const record *e;

	history_push_op(h, history_op(from, n), history_token(from, n));
	for (uint64_t w = history_events(from, n); (e = history_event(from, n, &w));)
		history_push_event(h, e);
}
