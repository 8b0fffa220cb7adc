/* folder.h: the cache's directory: opened with care, its files read and written whole.
 *
 * Everything goes through the descriptor of a directory that was looked at once, and no symbolic
 * link is followed: what a name means cannot change behind the check. Functions that say `why`
 * return NULL if all went well, else a text.
 */
#ifndef CACHE_FOLDER_H
#define CACHE_FOLDER_H

#include <sys/stat.h>
#include "base/buf.h"

#define FOLDER_ABSENT ""                 /* a `why`: it is just not there */

/* Open the directory; `make` it, and those above it, if it is not there. It has to be a directory,
 * no link, this user's, writable to nobody else. */
const char *folder_open(const char *path, bool make, int *folder);

/* Open a file of the folder that is the same kind of trustworthy and at most `limit` bytes long. */
const char *folder_open_file(int folder, const char *name, int flags, uint64_t limit, int *file,
	struct stat *st);
/* Append a whole file. Note that it was used now, if the last note is not recent; peek does not. */
const char *folder_read(int folder, const char *name, uint64_t limit, buf *to);
const char *folder_peek(int folder, const char *name, uint64_t limit, buf *to);
/* Make or replace the file at one stroke: never is half of it seen. The disk may still lose it in
 * a power failure: readers check. */
const char *folder_write(int folder, const char *name, const void *data, size_t size);

/* Whether a name is of what folder_write leaves behind when its process is killed. */
bool folder_is_rest(const char *name);

#endif
