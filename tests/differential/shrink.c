/* shrink.c: cut a stream down while it still goes wrong.
 *
 * Programs repeat, so what makes them go wrong mostly does as well: whole runs go first, then
 * statements in all runs at once, then stretches of single instructions, each again and again until
 * nothing more can go. Every trial is a process of its own: some of them crash or hang.
 */
#include "differential/shrink.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "base/mem.h"

#define TRIAL_SECONDS 20
#define SHRINK_SECONDS 60

static void read_all(int from, buf *to)
{
	char text[1024];
	ssize_t n;

	while ((n = read(from, text, sizeof text)) > 0)
		buf_printf(to, "%.*s", (int)n, text);
	close(from);
}

static _Noreturn void child(const stream *s, const manner *how, mode m, int to)
{
	buf why = { 0 };
	bool same;

	alarm(TRIAL_SECONDS);
	same = duel(s, NULL, how, m, NULL, &why);
	if (!same && write(to, why.data, why.size) < 0)
		same = false;
	_exit(same ? 0 : 1);
}

verdict shrink_try(const stream *s, const manner *how, mode m, buf *why)
{
	buf text = { 0 };
	int ends[2], status;
	pid_t pid;

	if (pipe(ends) || (pid = fork()) < 0)
		abort();
	if (!pid)
		child(s, how, m, ends[1]);
	close(ends[1]);
	read_all(ends[0], why ? why : &text);
	buf_fini(&text);
	while (waitpid(pid, &status, 0) < 0)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) < 2)
		return WEXITSTATUS(status) ? VERDICT_DIFFERENT : VERDICT_SAME;
	return VERDICT_CRASH;
}

/* ---- passes ---------------------------------------------------------------------------------- */

typedef struct shrinker {
	stream s;
	const manner *how;
	mode m;
	verdict wanted;
	time_t until;
} shrinker;

/* Keep what is left without drop[] if that still goes wrong. */
static bool try_without(shrinker *h, const bool *drop)
{
	stream left = stream_without(&h->s, drop);

	if (left.count < h->s.count && left.count && time(NULL) < h->until &&
	    shrink_try(&left, h->how, h->m, NULL) == h->wanted) {
		stream_fini(&h->s);
		h->s = left;
		return true;
	}
	stream_fini(&left);
	return false;
}

typedef uint32_t key(const tag *t, size_t k);
static uint32_t key_run(const tag *t, size_t k) { (void)k; return t->run; }
static uint32_t key_statement(const tag *t, size_t k) { (void)k; return t->statement; }
static uint32_t key_place(const tag *t, size_t k) { (void)t; return (uint32_t)k; }

static uint32_t largest(const stream *s, key *of)
{
	uint32_t most = 0;

	for (size_t k = 0; k < s->count; k++)
		if (of(&s->tags[k], k) > most)
			most = of(&s->tags[k], k);
	return most;
}

/* Drop stretches of keys, long ones first. */
static bool pass(shrinker *h, key *of)
{
	bool any = false;

	for (uint32_t n = largest(&h->s, of) / 2 + 1; n; n /= 2)
		for (uint32_t first = 0; first <= largest(&h->s, of); ) {
			bool *drop = mem_zero(h->s.count + 1);

			for (size_t k = 0; k < h->s.count; k++) {
				const uint32_t at = of(&h->s.tags[k], k);

				drop[k] = at >= first && at < first + n;
			}
			/* What was dropped by its place leaves others in that place. */
			if (try_without(h, drop))
				any = true, first += of == key_place ? 0 : n;
			else
				first += n;
			mem_free(drop);
		}
	return any;
}

/* Every kind of pass once; false if none of them dropped anything. */
static bool pass_all(shrinker *h)
{
	bool any = pass(h, key_run);

	any |= pass(h, key_statement);
	any |= pass(h, key_place);
	return any;
}

stream shrink(const stream *s, const manner *how, mode m, verdict wanted)
{
	bool *none = mem_zero(s->count);
	shrinker h = { stream_without(s, none), how, m, wanted, time(NULL) + SHRINK_SECONDS };

	mem_free(none);
	while (time(NULL) < h.until && pass_all(&h))
		;
	return h.s;
}
