/* dump.c: appends text to a file, and gives up politely.
 *
 * Each put is one write, so that a dump is complete up to the last flush when the process dies.
 */
#include "dispatcher/dump.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/log.h"
#include "base/mem.h"
#include "ir/op.h"
#include "ir/text.h"

struct dump {
	int fd;                          /* -1 after it failed */
	buf text;
	char *path;
};

static void give_up(dump *d, const char *what, int error)
{
	log_line("%s %s: %s; the stream is not dumped any more", what, d->path, strerror(error));
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
}

/* The directory is made if only it is missing, not those around it. */
static int create(const char *directory, const char *path)
{
	const int how = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, fd = open(path, how, 0644);

	if (fd >= 0 || errno != ENOENT || mkdir(directory, 0777))
		return fd;
	return open(path, how, 0644);
}

dump *dump_open(const char *directory, uint32_t session)
{
	dump *d = mem_zero(sizeof *d);
	buf path = { 0 };

	buf_printf(&path, "%s/%d.%u.gts", directory, (int)getpid(), session);
	d->path = mem_string(buf_text(&path));
	buf_fini(&path);
	d->fd = create(directory, d->path);
	if (d->fd < 0) {
		give_up(d, "cannot create", errno);
		dump_close(d);
		return NULL;
	}
	return d;
}

static int write_all(int fd, const uint8_t *p, size_t n)
{
	while (n) {
		ssize_t done = write(fd, p, n);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done ? errno : ENOSPC;
		p += done;
		n -= (size_t)done;
	}
	return 0;
}

void dump_put(dump *d, const uint64_t *records, size_t n)
{
	int error;

	if (d->fd < 0)
		return;
	d->text.size = 0;
	for (; n; n--) {
		const ins *i = (const ins *)records;

		if (i->op != OP_fetch || ins_in(i)[0])   /* waiting is nothing that text could say */
			text_put(&d->text, i, NULL);
		records += i->words;
	}
	error = write_all(d->fd, d->text.data, d->text.size);
	if (error)
		give_up(d, "cannot write", error);
}

void dump_close(dump *d)
{
	if (!d)
		return;
	if (d->fd >= 0)
		close(d->fd);
	buf_fini(&d->text);
	mem_free(d->path);
	mem_free(d);
}
