/* lab.h: the stream laboratory, synthetic training programs as instruction streams.
 *
 * Programs are written against a small tape of their own, so forward, backward and update are what
 * a client would send: valid instructions whose shapes infer, ids counted up, temporaries freed at
 * the end of a step, what the program calls by a name only when the next step binds it again.
 */
#ifndef TOOLS_LAB_H
#define TOOLS_LAB_H

#include "ir/ins.h"

/* An instruction; metas of its inputs (NULL for scalars) and of its result (NULL without one). */
typedef void lab_sink(void *ctx, const ins *i, const meta *const *in, const meta *out);

typedef struct lab_options {
	unsigned steps;
	uint64_t seed;
	uint64_t first_id;       /* ids count up from there; 0 is 1 */
	unsigned id_step;        /* by that much; 0 is 1 */
	bool no_frees;           /* they are not sent */
	unsigned noise_every;    /* foreign ops in every n-th step; 0: never */
	unsigned noise_place;    /* 0 head, 1 middle, 2 tail, 3 anywhere */
	bool noise_dependent;    /* the program goes on with their result */
} lab_options;

typedef struct lab lab;
typedef struct lab_program {
	const char *name, *doc;
	/* Per cent of the ops, the first iterations left out, that known loops should cover. */
	unsigned coverage;
	bool heavy;              /* steps so long that a few of them say enough */
	void (*setup)(lab *l);
	void (*step)(lab *l, unsigned k);
} lab_program;

extern const lab_program lab_programs[];
extern const unsigned lab_program_count;
const lab_program *lab_find(const char *name);   /* NULL if there is none */

/* Generate the stream. marks, if not NULL, gets for each step the number of ops before it. */
void lab_run(const lab_program *p, const lab_options *o, lab_sink *sink, void *ctx,
	uint64_t *marks);

/* ---- for lab_programs.c: a value is its id ---- */

#define LAB_NAMES   512
#define LAB_PARAMS  16384

typedef struct lab_node { uint16_t op; uint8_t n; uint64_t in[2], out; } lab_node;
typedef struct lab_value { uint64_t grad; uint32_t named; bool wants; meta m; } lab_value;

struct lab {
	const lab_options *o;
	const lab_program *program;
	lab_sink *sink;
	void *ctx;
	uint64_t ops, random;
	lab_value *values;               /* by serial number, from 1 */
	uint64_t count, room;
	uint64_t names[LAB_NAMES];       /* what the program's variables are bound to */
	uint64_t params[LAB_PARAMS];
	unsigned param_count;
	lab_node *tape;
	uint64_t tape_count, tape_room;
	uint64_t *temps;                 /* made since the step began */
	uint64_t temp_count, temp_room;
	unsigned step;
	bool noise_now;
	unsigned noise_at;
	bool quiet;                      /* the tape does not record */
};

uint64_t lab_random(lab *l);                     /* 64 bits */
uint64_t lab_upload(lab *l, int64_t rows, int64_t cols);   /* rows 0: rank 1 */
uint64_t lab_randn(lab *l, int64_t rows, int64_t cols);
uint64_t lab_un(lab *l, unsigned code, uint64_t a);
uint64_t lab_bin(lab *l, unsigned code, uint64_t a, uint64_t b);
uint64_t lab_scalar(lab *l, unsigned code, uint64_t a, double b);
uint64_t lab_transpose(lab *l, uint64_t a);
uint64_t lab_sum(lab *l, unsigned code, uint64_t a, unsigned axes, bool keep);
uint64_t lab_softmax(lab *l, uint64_t a);
void     lab_fetch(lab *l, uint64_t a);
unsigned lab_param(lab *l, int64_t rows, int64_t cols);    /* its number */
/* Bind a variable; what it was bound to is freed. Numbers below LAB_NAMES. */
void     lab_name(lab *l, unsigned name, uint64_t a);
/* The tape records from here on; it does from the beginning of each step. */
void     lab_forward(lab *l);
/* Gradients of `loss` with respect to all parameters, added to what is there. Ends recording. */
void     lab_backward(lab *l, uint64_t loss);
uint64_t lab_grad(lab *l, unsigned param);
void     lab_update(lab *l, unsigned param, uint64_t to);  /* the parameter's new value */
/* Where noise may come: returns what to go on with instead of `a`. */
uint64_t lab_noise(lab *l, unsigned place, uint64_t a);

#endif
