/* embed.h: dispatcher and workers inside this process.
 *
 * There is one system a process: the first session starts it, the last one's close stops it and
 * frees everything. Nothing is open to the outside.
 */
#ifndef EMBED_EMBED_H
#define EMBED_EMBED_H

#include "link/link.h"
#include "worker/worker.h"

/* A new session of the process's own system. */
gt_err embed_open(struct link **out);
/* What the session's worker has done. GT_ESTATE if the link is of another kind. */
gt_err embed_stats(struct link *l, worker_stats *out);
/* Wait until what its worker has given to the compiler is compiled. GT_ESTATE as above,
 * GT_EINTERRUPT by the link's interrupt. */
gt_err embed_compile_wait(struct link *l);
/* What there is to say of its hot paths. Everything flushed has run. GT_ESTATE as above. */
gt_err embed_explain(struct link *l, const explain_wish *wish, buf *to);

#endif
