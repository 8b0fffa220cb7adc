/* compile.h: from a sample of a region to a plan that can be launched, in the background.
 *
 * The executor hands over a job: one run's instructions and live-ins. The miner's thread makes a
 * fusion of it, finds code for its groups (in the process, in the cache on the disk, else the
 * compiler's), and sends the job back with a plan. A piece of work at a time, within a budget: at
 * most a tenth of the time that has passed, and 200 ms credit. GT_COMPILE_SYNC: at once, in place.
 */
#ifndef WORKER_COMPILE_H
#define WORKER_COMPILE_H

#include <stdatomic.h>
#include "base/buf.h"
#include "cache/image.h"
#include "cache/tuned.h"
#include "engine/engine.h"
#include "group/group.h"
#include "hotpath/region.h"

struct fused_plan;
struct hot;

#define CODE_TRUSTED 2           /* runs beside eager kernels, bits compared, until code is trusted */

/* The code of a group: one a process, for ever. */
typedef struct fused_code {
	struct fused_code *next;
	uint64_t hash;
	char name[GROUP_NAME_MAX + 16];
	buf key;                         /* group_encode, and the way it is emitted */
	codegen_options options;
	group *g;
	image image;
	kernel_fn *run;                  /* NULL: the interpreter does it (GT_HOTPATH_CODE) */
	int64_t short_rows;              /* from so many rows on short ones are joined; 0: never */
	_Atomic uint32_t proved;         /* runs whose bits were right */
	_Atomic bool barred;             /* they were not */
	_Atomic bool dumped;
} fused_code;

typedef struct job {
	struct job *next;
	uint64_t signature;
	region *r;                       /* its own */
	const engine *e;
	uint64_t *words;
	const ins **run;                 /* one instruction an op, into `words` */
	view *live_ins;
	uint32_t live_ins_count;
	char *cause;                     /* why once more; NULL: the first */
	const struct fused_plan *instead;        /* it takes the place of that one; NULL: of none */
	uint8_t mode;                    /* gt_compile_mode: how */
	bool sooner;                     /* it does not wait for the budget */
	storage **held;                  /* max-autotune: the live-ins' memory, where their data is;
	                                    else NULL */

	/* What came of it. */
	struct fused_plan *made;         /* NULL: nothing, and why is in error */
	char *error;
	bool at_hand;                    /* compile_at_hand's */
	bool weighed;                    /* it is compiled only if that may pay, .. */
	bool vain;                       /* .. and it cannot: `error` says so, too */
	uint64_t ns;                     /* spent */
	uint32_t groups, done;           /* distinct ones; those that have code */
	uint32_t found, loaded, compiled;        /* kernels asked for: there, on the disk, new */

	/* Of the work. */
	struct fusion *f;
	fused_code **codes;
	uint8_t taste;                   /* fuse_taste */
	struct tuning *tuning;           /* max-autotune: under way */
	bool chosen;                     /* it is over, or not needed: */
	tuned choice;                    /* .. that; without codes: as usual */
	bool remembered;                 /* by another process */
} job;

/* The gt_compile_mode that a region is compiled in: its own, or that of GT_COMPILE_MODE. */
uint8_t job_mode(const region *r);
/* A sample of a region: Gives a job whose instructions and live-ins are to be filled in. */
job *job_new(const region *r, const engine *e);
void job_free(job *j);                   /* with all that came of it; NULL is fine */
/* Live-in m of the sample is that. */
void job_note(job *j, uint32_t m, const view *v, storage *s);

/* The executor's: hand over (Takes). */
void compile_post(struct hot *h, job *j);
/* The miner's side: a piece of work on the tenant's jobs, `mining` is held. False: there is none, or
 * the budget is spent and it need not be at once. */
bool compile_some(struct hot *h, bool at_once);
/* All of the work at once, with code that is there or on the disk: no compiler. False: some is not
 * there, and nothing was made. */
bool compile_at_hand(job *j);
/* To the executor (Takes), as if it had handed it over. */
void compile_deliver(struct hot *h, job *j);
/* The executor's: free it when there is time (Takes). That of many ops takes milliseconds. */
void compile_give_up(struct hot *h, job *j);
/* The miner's side: free what was given up. */
void compile_bury(struct hot *h);
/* Forget all jobs: nobody works on them. */
void compile_cancel(struct hot *h);
/* Whether a job is at work or waits. */
bool compile_busy(const struct hot *h);

/* compile_code.c: code for a group. `key` is group_encode's, `way` how it is emitted (rest, unroll;
 * NULL: as usual); *from says where from: 0 the process,
 * 1 the disk, 2 the compiler, if that may be asked. NULL with the thread's error. */
fused_code *code_find(const group *g, const buf *key, const codegen_options *way, bool compiles,
	int *from);

/* fused_short.c: what short_rows is. */
int64_t code_short_rows(const group *g);

/* The job has asked for code, and that is where it was from. */
void job_count(job *j, int from);
/* It was for other shapes, which needed other code. */
static inline bool job_recompiled(const job *j)
{
	return j->cause && !j->instead && j->compiled;
}
/* How many the process has. */
uint64_t code_count(void);
/* The one of that name; NULL: there is none. */
const fused_code *code_named(const char *name);
/* Append the names of all, one a line. */
void code_names(buf *to);

/* compile_tune.c: of jobs with max-autotune */

/* Look whether it was tuned before, else begin with it; gives up (false) if it is to be compiled with
 * what is at hand. */
bool tune_begin(job *j);
/* The job is grouped as j->taste says, and its code is there: measure, and go on to the next way. */
void tune_some(job *j);
void tune_end(job *j);
/* How group k is to be emitted; NULL: as usual. */
const codegen_options *tune_way(const job *j, uint32_t k, codegen_options *room);

/* compile_text.c */

/* LLVM's representation and the assembly, made anew: the error says why not. */
gt_err code_texts(const fused_code *c, buf *ir, buf *assembly);
/* The kernel of that name in full: its group and those texts; or what kernels there are. */
void code_print(const char *name, buf *to);
/* A job has made a plan: write down what it was made of and what it became (GT_DUMP). */
void compile_dump(const job *j);

#endif
