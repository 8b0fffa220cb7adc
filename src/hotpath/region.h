/* region.h: one period of a loop as a canonical list of ops: no ids, no sizes, no positions.
 *
 * Made by the miner, read by whoever matches the stream against it. Op i of a stream matches when
 * the facts of its desc are equal (region_same_desc) and every input is what the list says: the
 * result of op j of the same run, or live-in m, whatever value that is bound to on first sight.
 */
#ifndef HOTPATH_REGION_H
#define HOTPATH_REGION_H

#include "base/buf.h"
#include "hotpath/record.h"

#define REGION_NEVER  UINT32_MAX
#define REGION_PERIOD_MAX 65536u          /* ops of a loop, at most */
#define REGION_SCALAR INT32_MAX
/* An input: >= 0 op of the region, REGION_SCALAR, else live-in number REGION_LIVE_IN(input). */
#define REGION_LIVE_IN(input) ((uint32_t)~(input))

typedef struct region_op {
	uint16_t op, kinds;
	uint8_t  nin, nopd;
	bool     live_out;       /* used behind the run's end, by ops outside, or read */
	bool     read;           /* a fetch was seen */
	uint32_t site;           /* as seen */
	uint32_t size;           /* of the result as seen, in RECORD_UNITs */
	uint32_t first;          /* its inputs are region.inputs[first .. first + nin - 1] */
	uint32_t last_use;       /* last op of the run that uses the result; REGION_NEVER */
	uint32_t freed;          /* its free came behind that op, those of the next run counted on
	                            from n; REGION_NEVER if none was seen by then */
	uint64_t attr, metas, token;
} region_op;

/* A value from outside. `carried` is the op of the previous run that makes it; REGION_NEVER for
 * what never changes and for fresh data. */
typedef struct region_live_in { uint32_t first_use, carried; } region_live_in;

/* Why a region begins where it does. */
typedef enum cut_why { CUT_BYTES, CUT_READ, CUT_FRESH, CUT_SCOPE, CUT_SIDE } cut_why;

typedef struct region {
	uint64_t signature;      /* 48 bits: of ops and wiring, nothing else */
	uint32_t n, inputs_count, live_ins_count;
	region_op *ops;
	int32_t *inputs;
	region_live_in *live_ins;
	uint64_t cut_bytes;      /* alive across the cut: what is handed from run to run */
	cut_why cut_why;
	bool cut_unique;         /* the first 8 tokens occur once in the region */
	bool noisy;              /* foreign ops were seen between its ops */
	uint8_t mode;            /* gt_compile_mode that the program asked for; 0: none */
} region;

/* Where runs leave a region: which one, by its signature, and the op that was expected there. */
typedef struct side_place { uint64_t of; uint32_t at; } side_place;
#define SIDE_OPS_MAX 16384       /* behind it: more is no side, the program has gone elsewhere */

/* What a miner says about a region, see miner.h. */
typedef enum proposal_what {
	PROPOSAL_HOT, PROPOSAL_REPLACED, PROPOSAL_RETIRED, PROPOSAL_SETTLED, PROPOSAL_UNSETTLED
} proposal_what;

void region_free(region *r);             /* NULL is fine */
uint64_t region_signature(const region *r);
bool region_same_desc(const region_op *a, const record *b);
/* Input number `at` of inputs[] is not always what the list says: any value may come there. It
 * becomes a live-in, the last one, whose number is returned. */
uint32_t region_widen(region *r, uint32_t at);
void region_share(region *r, uint32_t at, uint32_t m);   /* the same, with live-in m for it */
/* Then, once: live-ins in the order of their first use again, and all that follows from it. */
void region_widened(region *r);
const char *cut_why_text(cut_why why);
/* "Stream(dc8f1674664d:9ops)" into text[REGION_NAME_MAX]; returns text. */
#define REGION_NAME_MAX 40
const char *region_name(uint64_t signature, uint32_t n, char *text);
/* One op a line: "%3 = matmul in0, %1    # live-out, freed behind %7". */
void region_print(const region *r, buf *to);
void region_print_op(const region *r, uint32_t i, buf *to);      /* without the line's end */

#endif
