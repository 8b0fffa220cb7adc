/* plugin.c: the code generator is looked for where GT itself lies. */
#include "cache/plugin.h"

#include <cache/libdir.h>
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include "base/base.h"
#include "base/error.h"

#define FILE_NAME "libgt_codegen.so"

static pthread_once_t once = PTHREAD_ONCE_INIT;
static const codegen *found;
static char reason[ERROR_TEXT_MAX / 2];

/* The folder of the object that this code is in; false where nobody knows. A program is asked of
 * the kernel: the loader has its first argument, which names a file of whatever folder is the
 * current one if PATH led to the program, and code shall not come from there. */
static bool own_folder(char *path, size_t size)
{
	struct link_map *map = NULL;
	Dl_info me;
	char *slash;
	ssize_t n;

	if (!dladdr1((const void *)(uintptr_t)plugin_open, &me, (void **)&map, RTLD_DL_LINKMAP))
		return false;
	if (map->l_name[0]) {
		snprintf(path, size, "%s", map->l_name);
	} else {
		n = readlink("/proc/self/exe", path, size - 1);
		path[n < 0 ? 0 : n] = 0;
	}
	slash = strrchr(path, '/');
	if (slash)
		*slash = 0;
	return slash != NULL;
}

/* False where there is no such file; otherwise it is the one, for good or bad. */
static bool take(const char *path)
{
	const codegen *c;
	void *object;

	if (access(path, F_OK))
		return false;
	object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!object) {
		snprintf(reason, sizeof reason, "%s", dlerror());
		return true;
	}
	c = dlsym(object, CODEGEN_SYMBOL);
	if (c && c->version == CODEGEN_VERSION)
		found = c;
	else
		snprintf(reason, sizeof reason, "%.400s is of another version", path);
	return true;
}

/* Behind the slashes: as installed, in the build folder, from its programs, from installed ones. */
static void look(void)
{
	static const char *const places[] = { "", "/src/codegen", "/../src/codegen",
		"/../../src/codegen", "/../lib" };
	char folder[2048], path[4096];
	const bool known = own_folder(folder, sizeof folder);

	for (size_t k = 0; known && k < COUNT(places); k++) {
		snprintf(path, sizeof path, "%s%s/" FILE_NAME, folder, places[k]);
		if (take(path))
			return;
	}
	if (!take(GT_LIBDIR "/" FILE_NAME))
		snprintf(reason, sizeof reason, FILE_NAME " is neither beside GT in %.200s nor in "
			GT_LIBDIR, known ? folder : "a folder unknown");
}

gt_err plugin_open(const codegen **out)
{
	pthread_once(&once, look);
	*out = found;
	return found ? GT_OK : fail(GT_EUNSUPPORTED,
		"no code generator, so nothing is compiled: %s; "
		"install LLVM 16 or newer and build GT with -Dllvm=enabled", reason);
}

/* ---- exit ------------------------------------------------------------------------------------ */

/* glibc's: what runs before all handlers of exit, those too that LLVM registers as it compiles. */
extern int __cxa_thread_atexit_impl(void (*f)(void *), void *arg, void *object);
extern void *__dso_handle;

static void look_nowhere(void)
{
	snprintf(reason, sizeof reason, "the process exits");
}

static void leave(void *unused)
{
	(void)unused;
	pthread_once(&once, look_nowhere);
	if (found)
		found->leave();
}

void plugin_watch_exit(void)
{
	static _Atomic pid_t watched;    /* a child process has a first thread of its own */

	if (gettid() == getpid() && atomic_exchange(&watched, getpid()) != getpid())
		__cxa_thread_atexit_impl(leave, NULL, &__dso_handle);
}
