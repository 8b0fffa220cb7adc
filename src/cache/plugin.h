/* plugin.h: finds and opens the code generator; knows nothing of LLVM. */
#ifndef CACHE_PLUGIN_H
#define CACHE_PLUGIN_H

#include "codegen/codegen.h"

/* The code generator, loaded by the first call (some 10 ms) and never unloaded. GT_EUNSUPPORTED
 * with the reason if there is none: libgt_codegen.so or LLVM is not installed, or it is of another
 * version. The answer stays the same for the life of the process. Any thread.
 *
 * Looked for, in this order: next to the library or extension that this function is in, in the
 * folder where libgt was installed. */
gt_err plugin_open(const codegen **out);

/* If this is the process's first thread: when it exits, that waits for whoever compiles, and nobody
 * does any more. Else LLVM's globals would go under the hands of a thread that uses them. Once is
 * enough. */
void plugin_watch_exit(void);

#endif
