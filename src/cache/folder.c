/* folder.c: directories and files that only this user can have written. */
#include "cache/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>
#include "base/base.h"
#include "base/clock.h"
#include "base/mem.h"

#define REST_PREFIX ".new-"
#define REST_MAX 32
#define REST_TRIES 8
/* Writing a file's time is a write to the disk: one a minute is near enough to tell what was used
 * last among thousands. */
#define NOTE_SECONDS 60

static const char *reason(void)
{
	return errno == ENOENT ? FOLDER_ABSENT : strerrordesc_np(errno);
}

/* What makes a thing ours alone. */
static const char *check_owner(const struct stat *st)
{
	if (st->st_uid != geteuid())
		return "belongs to another user";
	if (st->st_mode & (S_IWGRP | S_IWOTH))
		return "others may write to it";
	return NULL;
}

/* mkdir -p; `path` is changed and changed back. */
static void make_all(char *path)
{
	for (char *p = path + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		mkdir(path, S_IRWXU);
		*p = '/';
	}
	mkdir(path, S_IRWXU);
}

static int open_directory(char *path, bool make)
{
	const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = open(path, flags);

	if (fd >= 0 || errno != ENOENT || !make)
		return fd;
	make_all(path);
	return open(path, flags);
}

const char *folder_open(const char *path, bool make, int *folder)
{
	char *copy = mem_string(path);
	const char *why = NULL;
	struct stat st;
	size_t n = strlen(copy);

	/* With a slash behind it, O_NOFOLLOW would follow. */
	while (n > 1 && copy[n - 1] == '/')
		copy[--n] = '\0';
	*folder = open_directory(copy, make);
	if (*folder < 0)
		why = errno == ENOTDIR || errno == ELOOP ? "is no directory, or a link to one" :
			reason();
	else if (fstat(*folder, &st))
		why = reason();
	else
		why = check_owner(&st);
	if (why && *folder >= 0)
		close(*folder);
	mem_free(copy);
	return why;
}

const char *folder_open_file(int folder, const char *name, int flags, uint64_t limit, int *file,
	struct stat *st)
{
	const char *why = NULL;

	/* Not to wait: somebody may have put a pipe there. */
	*file = openat(folder, name, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
	if (*file < 0)
		return errno == ELOOP ? "is a symbolic link" : reason();
	if (fstat(*file, st))
		why = reason();
	else if (!S_ISREG(st->st_mode))
		why = "is no regular file";
	else if (!(why = check_owner(st)) && (uint64_t)st->st_size > limit)
		why = "is larger than any entry";
	if (why)
		close(*file);
	return why;
}

/* The time of the last change is the time of the last use: that of the last access is switched off
 * on many disks. */
static void note_use(int file, const struct stat *st)
{
	const struct timespec now[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_nsec = UTIME_NOW } };
	const time_t age = time(NULL) - st->st_mtime;

	if (age < -NOTE_SECONDS || age > NOTE_SECONDS)
		futimens(file, now);
}

static const char *read_all(int file, uint8_t *to, size_t size)
{
	while (size) {
		const ssize_t n = read(file, to, size);

		if (n < 0 && errno != EINTR)
			return reason();
		if (!n)
			return "cut short";
		to += n > 0 ? n : 0;
		size -= n > 0 ? (size_t)n : 0;
	}
	return NULL;
}

static const char *read_file(int folder, const char *name, uint64_t limit, bool use, buf *to)
{
	struct stat st;
	int file;
	const char *why = folder_open_file(folder, name, O_RDONLY, limit, &file, &st);
	uint8_t *data;

	if (why)
		return why;
	data = mem_try((size_t)st.st_size + 1);
	why = data ? read_all(file, data, (size_t)st.st_size) : "no memory to read it";
	if (!why) {
		buf_put(to, data, (size_t)st.st_size);
		if (use)
			note_use(file, &st);
	}
	mem_free(data);
	close(file);
	return why;
}

const char *folder_read(int folder, const char *name, uint64_t limit, buf *to)
{
	return read_file(folder, name, limit, true, to);
}

const char *folder_peek(int folder, const char *name, uint64_t limit, buf *to)
{
	return read_file(folder, name, limit, false, to);
}

/* ---- writing ---- */

/* Past the limit on file sizes the kernel sends a signal that would end the program: while we
 * write, it waits, and is taken away before it can arrive. */
static void hold_signal(sigset_t *previous)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGXFSZ);
	pthread_sigmask(SIG_BLOCK, &set, previous);
}

static void drop_signal(const sigset_t *previous)
{
	const struct timespec at_once = { 0 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGXFSZ);
	if (!sigismember(previous, SIGXFSZ))
		while (sigtimedwait(&set, NULL, &at_once) > 0)
			;
	pthread_sigmask(SIG_SETMASK, previous, NULL);
}

static const char *write_all(int file, const uint8_t *data, size_t size)
{
	while (size) {
		const ssize_t n = write(file, data, size);

		if (n < 0 && errno != EINTR)
			return reason();
		data += n > 0 ? n : 0;
		size -= n > 0 ? (size_t)n : 0;
	}
	return NULL;
}

/* A file of a name that nobody else has. */
static const char *open_rest(int folder, char name[REST_MAX], int *file)
{
	for (int k = 0; k < REST_TRIES; k++) {
		uint64_t random;

		if (getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random)
			random = clock_ns() << 20 ^ (uint64_t)getpid();
		snprintf(name, REST_MAX, REST_PREFIX "%016" PRIx64, random);
		*file = openat(folder, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			0600);
		if (*file >= 0)
			return NULL;
		if (errno != EEXIST)
			return reason();
	}
	return "no free name for a new file";
}

bool folder_is_rest(const char *name)
{
	return !strncmp(name, REST_PREFIX, sizeof REST_PREFIX - 1);
}

const char *folder_write(int folder, const char *name, const void *data, size_t size)
{
	char rest[REST_MAX];
	sigset_t previous;
	const char *why;
	int file;

	if ((why = open_rest(folder, rest, &file)))
		return why;
	hold_signal(&previous);
	why = write_all(file, data, size);
	drop_signal(&previous);
	/* Some file systems tell only here that there was no room. */
	if (close(file) && !why)
		why = reason();
	if (!why && renameat(folder, rest, folder, name))
		why = reason();
	if (why)
		unlinkat(folder, rest, 0);
	return why;
}
