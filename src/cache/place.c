/* place.c: the process's own cache, where the settings say. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/flags.h"
#include "base/mem.h"
#include "cache/cache.h"

/* What the setting may begin with, as its default does. */
#define VARIABLE "$XDG_CACHE_HOME"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static cache *shared;

/* The user's folder for caches, ~/.cache unless it was moved; NULL: there is none. Relative paths
 * are to be ignored, and a program with more rights than its user does not listen to him. */
static char *home(void)
{
	const char *moved = secure_getenv("XDG_CACHE_HOME"), *user = secure_getenv("HOME");
	char *path;

	if (moved && *moved == '/')
		return mem_string(moved);
	if (!user || *user != '/' || asprintf(&path, "%s/.cache", user) < 0)
		return NULL;
	return path;
}

char *cache_place(const char *setting)
{
	const size_t n = sizeof VARIABLE - 1;
	char *base, *path;

	if (!*setting)
		return NULL;
	if (strncmp(setting, VARIABLE, n) || (setting[n] && setting[n] != '/'))
		return mem_string(setting);
	if (!(base = home()))
		return NULL;
	path = mem_alloc(strlen(base) + strlen(setting + n) + 1);
	strcpy(stpcpy(path, base), setting + n);
	mem_free(base);
	return path;
}

static void open_shared(void)
{
	char *path = cache_place(flag_text(FLAG_GT_CACHE_DIR));

	if (path)
		shared = cache_open(path, (uint64_t)flag_int(FLAG_GT_CACHE_SIZE));
	mem_free(path);
}

cache *cache_shared(void)
{
	pthread_once(&once, open_shared);
	return shared;
}
