/* cache.c: getting and putting, and what is said and counted about it. */
#include "cache/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>
#include "base/base.h"
#include "base/error.h"
#include "base/flags.h"
#include "base/log.h"
#include "base/mem.h"
#include "cache/entry.h"
#include "cache/evict.h"
#include "cache/folder.h"

/* An entry that takes more of the limit would drive out too much. */
#define SHARE 4

typedef _Atomic uint64_t count;
typedef enum saying { SAY_FOLDER, SAY_READ, SAY_WRITE, SAYINGS } saying;

struct cache {
	char *directory;
	uint64_t limit;
	pthread_mutex_t lock;    /* of whoever opens the directory */
	_Atomic int folder;      /* -1: not open; once open, the number stays */
	atomic_bool refused;     /* the directory is not to be trusted */
	atomic_bool stopped;     /* writing failed once */
	atomic_flag said[SAYINGS];
	count hits[CACHE_KINDS], misses[CACHE_KINDS];
	count damaged, puts, lost, evicted, bytes_read, bytes_written;
};

static void add(count *c, uint64_t n)
{
	atomic_fetch_add_explicit(c, n, memory_order_relaxed);
}

static void say(cache *c, saying what, const char *name, const char *why)
{
	static const char *const then[SAYINGS] = {
		[SAY_FOLDER] = "it is not used",
		[SAY_READ] = "what it would have held is made anew",
		[SAY_WRITE] = "nothing more is kept by this process",
	};

	if (!flag_int(FLAG_GT_DEBUG_COMPILE) || atomic_flag_test_and_set(&c->said[what]))
		return;
	log_line("code cache: %s%s%s: %s; %s", c->directory, *name ? "/" : "", name, why,
		then[what]);
}

cache *cache_open(const char *directory, uint64_t limit)
{
	cache *c = mem_zero(sizeof *c);

	c->directory = mem_string(directory);
	c->limit = limit;
	pthread_mutex_init(&c->lock, NULL);
	c->folder = -1;
	for (int k = 0; k < SAYINGS; k++)
		atomic_flag_clear(&c->said[k]);
	return c;
}

void cache_close(cache *c)
{
	if (!c)
		return;
	if (c->folder >= 0)
		close(c->folder);
	pthread_mutex_destroy(&c->lock);
	mem_free(c->directory);
	mem_free(c);
}

const char *cache_directory(const cache *c)
{
	return c->directory;
}

/* Open it, or, where it was removed meanwhile, the one that is now in its place: under the same
 * number, which other threads may be using. */
static const char *reopen(cache *c, bool make)
{
	int fd;
	const char *why = folder_open(c->directory, make, &fd);

	if (why)
		return why;
	if (c->folder < 0) {
		c->folder = fd;
		return NULL;
	}
	why = dup3(fd, c->folder, O_CLOEXEC) < 0 ? "cannot be opened again" : NULL;
	close(fd);
	return why;
}

/* The directory, -1 if there is none to be used. */
static int folder(cache *c, bool make)
{
	const char *why = NULL;

	if (c->folder >= 0 || atomic_load(&c->refused))
		return atomic_load(&c->refused) ? -1 : c->folder;
	pthread_mutex_lock(&c->lock);
	if (c->folder < 0)
		why = reopen(c, make);
	pthread_mutex_unlock(&c->lock);
	/* One that is not there yet may come; one that cannot even be made is refused. */
	if (why && (*why || make)) {
		atomic_store(&c->refused, true);
		say(c, SAY_FOLDER, "", *why ? why : "cannot be made");
	}
	return why ? -1 : c->folder;
}

/* ---- get ---- */

/* Why the file does not have the value; NULL: it has. */
static const char *find(const buf *file, cache_kind kind, cache_bytes key, entry *e)
{
	const char *wrong = entry_decode(file->data, file->size, e);

	if (!wrong && (e->kind != kind || !entry_same(e->key, key)))
		wrong = "is of another key with the same hash";
	return wrong;
}

static bool get(cache *c, cache_kind kind, cache_bytes key, buf *value)
{
	const int fd = folder(c, false);
	char name[ENTRY_NAME_MAX];
	buf file = { 0 };
	const char *why;
	entry e;

	if (fd < 0)
		return false;
	why = folder_read(fd, entry_name(kind, key, name), CACHE_FILE_MAX, &file);
	if (!why)
		why = find(&file, kind, key, &e);
	if (!why) {
		buf_put(value, e.value.data, e.value.size);
		add(&c->bytes_read, e.value.size);
	} else if (*why) {
		add(&c->damaged, 1);
		say(c, SAY_READ, name, why);
	}
	buf_fini(&file);
	return !why;
}

bool cache_get(cache *c, cache_kind kind, cache_bytes key, buf *value)
{
	const bool hit = c && get(c, kind, key, value);

	if (c)
		add(hit ? &c->hits[kind] : &c->misses[kind], 1);
	return hit;
}

/* ---- put ---- */

static const char *write_file(cache *c, const char *name, const buf *file)
{
	int fd = folder(c, true);
	const char *why = fd < 0 ? "there is no directory" : folder_write(fd, name, file->data,
		file->size);

	if (fd < 0 || !why || *why)
		return why;
	/* The directory went away while it was open: make it once more. */
	pthread_mutex_lock(&c->lock);
	why = reopen(c, true);
	pthread_mutex_unlock(&c->lock);
	return why ? why : folder_write(fd, name, file->data, file->size);
}

static bool put(cache *c, const entry *e)
{
	char name[ENTRY_NAME_MAX];
	buf file = { 0 };
	const char *why;

	entry_encode(e, &file);
	why = write_file(c, entry_name(e->kind, e->key, name), &file);
	if (!why)
		add(&c->evicted, evict_account(c->folder, file.size, c->limit));
	else if (!atomic_exchange(&c->stopped, true) && !atomic_load(&c->refused))
		say(c, SAY_WRITE, name, *why ? why : "the directory is gone");
	buf_fini(&file);
	return !why;
}

bool cache_put(cache *c, cache_kind kind, cache_bytes key, cache_bytes value)
{
	const entry e = { kind, key, value };
	const uint64_t most = c ? MIN(c->limit / SHARE, CACHE_VALUE_MAX) : 0;

	if (!c)
		return false;
	if (key.size > most || value.size > most - key.size || atomic_load(&c->stopped) ||
	    !put(c, &e)) {
		add(&c->lost, 1);
		return false;
	}
	add(&c->puts, 1);
	add(&c->bytes_written, value.size);
	return true;
}

void cache_stats_of(const cache *c, cache_stats *s)
{
	*s = (cache_stats){ 0 };
	if (!c)
		return;
	for (int k = 0; k < CACHE_KINDS; k++) {
		s->hits[k] = c->hits[k];
		s->misses[k] = c->misses[k];
	}
	s->damaged = c->damaged;
	s->puts = c->puts;
	s->lost = c->lost;
	s->evicted = c->evicted;
	s->bytes_read = c->bytes_read;
	s->bytes_written = c->bytes_written;
}

/* ---- for people ---- */

static void show(int fd, const evict_file *f, void (*each)(void *ctx, const cache_file *f),
	void *ctx)
{
	cache_file shown = { .name = f->name, .kind = f->kind, .size = f->size,
		.used = f->used / 1000000000 };
	char name[ENTRY_NAME_MAX];
	buf file = { 0 };
	entry e;

	shown.wrong = folder_peek(fd, f->name, CACHE_FILE_MAX, &file);
	if (!shown.wrong)
		shown.wrong = entry_decode(file.data, file.size, &e);
	if (!shown.wrong && strcmp(entry_name(e.kind, e.key, name), f->name))
		shown.wrong = "its name is that of another key";
	if (!shown.wrong) {
		shown.key = e.key;
		shown.value = e.value;
	}
	if (!shown.wrong || *shown.wrong)
		each(ctx, &shown);
	buf_fini(&file);
}

gt_err cache_each(cache *c, void (*each)(void *ctx, const cache_file *f), void *ctx)
{
	evict_list list;
	const char *why;
	int fd;

	why = folder_open(c->directory, false, &fd);
	if (why)
		return *why ? fail(GT_EIO, "%s: %s", c->directory, why) : GT_OK;
	if (!evict_scan(fd, &list)) {
		close(fd);
		return fail(GT_EIO, "%s: %s", c->directory, strerrordesc_np(errno));
	}
	for (size_t k = 0; k < list.count; k++)
		show(fd, &list.files[k], each, ctx);
	evict_fini(&list);
	close(fd);
	return GT_OK;
}

gt_err cache_remove(cache *c, const char *name)
{
	gt_err e = GT_OK;
	cache_kind kind;
	const char *why;
	int fd;

	if (!entry_is_name(name, &kind))
		return fail(GT_EIO, "%s: not the name of an entry", name);
	why = folder_open(c->directory, false, &fd);
	if (why)
		return fail(GT_EIO, "%s: %s", c->directory, *why ? why : strerrordesc_np(ENOENT));
	if (unlinkat(fd, name, 0))
		e = fail(GT_EIO, "%s/%s: %s", c->directory, name, strerrordesc_np(errno));
	close(fd);
	return e;
}
