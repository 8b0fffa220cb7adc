/* evict.c: how much there is, and what goes when it is too much.
 *
 * Looking at every file takes time that grows with the cache, so the sum is kept in a file of its
 * own, `usage`, to which every writer adds. It is an estimate: a process killed at the wrong moment
 * or two at the same moment may leave it wrong. So it is made anew from the files whenever it
 * exceeds the limit, and after EVICT_PUTS entries in any case. Whoever finds it locked does not
 * wait.
 */
#include "cache/evict.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>
#include "base/base.h"
#include "base/mem.h"
#include "cache/folder.h"

#define EVICT_PUTS 4096
#define EVICT_SPARE 8                    /* an eighth of the limit is made free at a time */
#define REST_SECONDS 3600                /* a file being written is younger */
#define DISK_BLOCK 4096
#define USAGE_NAME "usage"
#define USAGE_MAGIC UINT64_C(0x3145474153555447)        /* "GTUSAGE1" */

typedef struct usage { uint64_t magic, bytes, puts; } usage;

static uint64_t on_disk(uint64_t size)
{
	return ALIGN_UP(size, (uint64_t)DISK_BLOCK);
}

static void list_file(evict_list *list, const char *name, cache_kind kind, const struct stat *st)
{
	evict_file *f;

	VEC_ROOM(list->files, list->count, list->room);
	f = &list->files[list->count++];
	strcpy(f->name, name);   /* entry_is_name: it fits */
	f->kind = kind;
	f->used = (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
	f->size = on_disk((uint64_t)st->st_size);
}

static void look_at(int folder, const char *name, evict_list *list)
{
	const bool rest = folder_is_rest(name);
	cache_kind kind;
	struct stat st;

	if (!rest && !entry_is_name(name, &kind))
		return;
	if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW))
		return;
	if (!rest)
		list_file(list, name, kind, &st);
	else if (time(NULL) - st.st_mtime > REST_SECONDS)
		unlinkat(folder, name, 0);
}

static int compare(const void *a, const void *b)
{
	const evict_file *x = a, *y = b;

	if (x->used != y->used)
		return x->used < y->used ? -1 : 1;
	return strcmp(x->name, y->name);
}

bool evict_scan(int folder, evict_list *list)
{
	const int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);

	*list = (evict_list){ 0 };
	if (!d) {
		if (copy >= 0)
			close(copy);
		return false;
	}
	for (struct dirent *e; (e = readdir(d)); )
		look_at(folder, e->d_name, list);
	closedir(d);
	if (list->count)
		qsort(list->files, list->count, sizeof *list->files, compare);
	return true;
}

void evict_fini(evict_list *list)
{
	mem_free(list->files);
}

/* Count anew; where it is too much, remove until there is some room again. */
static uint64_t recount(int folder, uint64_t limit, usage *u)
{
	uint64_t gone = 0, most = limit;
	evict_list list;

	*u = (usage){ .magic = USAGE_MAGIC };
	evict_scan(folder, &list);
	for (size_t k = 0; k < list.count; k++)
		u->bytes += list.files[k].size;
	for (size_t k = 0; k < list.count && u->bytes > most; k++) {
		most = limit - limit / EVICT_SPARE;
		if (unlinkat(folder, list.files[k].name, 0))
			continue;
		u->bytes -= list.files[k].size;
		gone++;
	}
	evict_fini(&list);
	return gone;
}

/* Add to the sum; false if it has to be made anew. */
static bool add(usage *u, uint64_t size, uint64_t limit)
{
	return u->magic == USAGE_MAGIC && u->puts++ < EVICT_PUTS &&
		!__builtin_add_overflow(u->bytes, on_disk(size), &u->bytes) && u->bytes <= limit;
}

uint64_t evict_account(int folder, uint64_t size, uint64_t limit)
{
	usage u = { 0 };
	uint64_t gone = 0;
	struct stat st;
	int file;

	if (folder_open_file(folder, USAGE_NAME, O_RDWR | O_CREAT, UINT64_MAX, &file, &st))
		return 0;
	if (!flock(file, LOCK_EX | LOCK_NB)) {
		if (pread(file, &u, sizeof u, 0) != sizeof u || !add(&u, size, limit))
			gone = recount(folder, limit, &u);
		/* A sum that cannot be kept must not stay as it was. */
		if (pwrite(file, &u, sizeof u, 0) != sizeof u)
			unlinkat(folder, USAGE_NAME, 0);
	}
	close(file);
	return gone;
}
