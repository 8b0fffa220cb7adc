/* recipes.c: the list of a program's recipes.
 *
 *	u8 version, then per recipe: u64 signature, u32 size, the recipe (recipe.c)
 */
#include "cache/recipes.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/base.h"

#define LIST_VERSION 1
#define COMMAND_MAX 4096

typedef struct item { uint64_t signature; const uint8_t *data; uint32_t size; } item;

/* ---- whose ---------------------------------------------------------------------------------- */

/* The arguments of this process, each ended by a zero; as many bytes as fit. */
static size_t read_command(char command[COMMAND_MAX])
{
	const int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, command, COMMAND_MAX - 1);

	if (fd >= 0)
		close(fd);
	n = MAX(n, 0);
	command[n] = '\0';
	return (size_t)n;
}

/* A file by its full name, whatever the present folder is; anything else as it is. */
static void put_name(buf *to, const char *name)
{
	char *full = realpath(name, NULL);
	const char *put = full ? full : name;

	buf_put(to, put, strlen(put) + 1);
	free(full);
}

static buf pretended;

void recipes_pretend(char *const *command)
{
	put_name(&pretended, command[0]);
	for (unsigned k = 1; command[k]; k++) {
		put_name(&pretended, command[k]);
		if (*command[k] != '-')
			break;
	}
}

void recipes_program(buf *to)
{
	char command[COMMAND_MAX];
	const size_t n = read_command(command);

	if (pretended.size) {
		buf_put(to, pretended.data, pretended.size);
		return;
	}
	put_name(to, "/proc/self/exe");
	for (size_t k = strlen(command) + 1; k < n; k += strlen(command + k) + 1) {
		put_name(to, command + k);
		if (command[k] != '-')
			break;
	}
}

/* ---- the list ------------------------------------------------------------------------------- */

void recipes_read(recipes *r, cache_bytes value)
{
	*r = (recipes){ .at = { .data = value.data, .size = value.size }, .left = RECIPES_MAX };
	if (reader_u8(&r->at) != LIST_VERSION)
		r->left = 0;
}

void recipes_open(recipes *r, cache *c, cache_bytes program)
{
	buf file = { 0 };

	cache_get(c, CACHE_RECIPES, program, &file);
	recipes_read(r, (cache_bytes){ file.data, file.size });
	r->file = file;
}

void recipes_close(recipes *r)
{
	buf_fini(&r->file);
}

static bool next_item(recipes *r, item *to)
{
	if (!r->left || r->at.pos == r->at.size)
		return false;
	r->left--;
	to->signature = reader_u64(&r->at);
	to->size = reader_u32(&r->at);
	to->data = reader_bytes(&r->at, to->size);
	return !r->at.cut;
}

recipe *recipes_next(recipes *r)
{
	recipe *found = NULL;
	item at;

	while (!found && next_item(r, &at))
		recipe_decode(at.data, at.size, &found);
	return found;
}

bool recipes_are_sound(cache_bytes value)
{
	recipe *found;
	bool sound;
	recipes r;
	item at;

	recipes_read(&r, value);
	sound = r.left;
	while (sound && r.at.pos < r.at.size) {
		sound = next_item(&r, &at) && !recipe_decode(at.data, at.size, &found);
		if (sound)
			recipe_free(found);
	}
	return sound;
}

static void put_item(buf *to, uint64_t signature, const void *data, size_t size)
{
	buf_put_u64(to, signature);
	buf_put_u32(to, (uint32_t)size);
	buf_put(to, data, size);
}

/* The list with `first`, if not NULL, in front and without what has that signature. True if that is
 * any change. */
static bool rewrite(cache *c, cache_bytes program, uint64_t signature, const buf *first, buf *to)
{
	bool changed = first;
	unsigned count = 0;
	recipes old;
	item at;

	recipes_open(&old, c, program);
	buf_put_u8(to, LIST_VERSION);
	if (first) {
		put_item(to, signature, first->data, first->size);
		count++;
	}
	while (next_item(&old, &at)) {
		if (at.signature == signature)
			changed = true;
		else if (count++ < RECIPES_MAX && to->size + at.size <= RECIPES_BYTES)
			put_item(to, at.signature, at.data, at.size);
	}
	recipes_close(&old);
	return changed;
}

static bool change(cache *c, cache_bytes program, uint64_t signature, const buf *first)
{
	buf list = { 0 };
	const bool changed = rewrite(c, program, signature, first, &list);
	const bool kept = changed &&
		cache_put(c, CACHE_RECIPES, program, (cache_bytes){ list.data, list.size });

	buf_fini(&list);
	return kept;
}

bool recipes_keep(cache *c, cache_bytes program, const region *r, const recipe_run *runs,
	unsigned count)
{
	buf first = { 0 };
	bool kept;

	if (!c || r->n > RECIPE_OPS)
		return false;
	recipe_encode(r, runs, MIN(count, RECIPE_RUNS), &first);
	kept = first.size <= RECIPES_BYTES && change(c, program, r->signature, &first);
	buf_fini(&first);
	return kept;
}

bool recipes_forget(cache *c, cache_bytes program, uint64_t signature)
{
	return c && change(c, program, signature, NULL);
}
