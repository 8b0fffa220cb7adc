/* draw.c: a region as a picture (SVG): what is computed, in order, and how long each value lives.
 *
 * One row an op. To the right of the names each value has a lane: a bar from the op that makes it
 * down to its free, a full dot where it is made, a hollow one where it is used. A value that is
 * freed in the next run only comes in again, dashed, at the top. A lane is taken by the next value
 * whose time is free there, as memory is.
 */
#include <stdio.h>
#include "base/base.h"
#include "base/mem.h"
#include "tools/tools.h"

#define ROW     20
#define LANE    18
#define LABEL   150
#define TOP     30
#define OPS_MAX 400

#define INK    "#222"
#define CALM   "#4477aa"         /* stays inside */
#define GOES   "#ee7733"         /* live-out */
#define COMES  "#999"            /* live-in */

typedef struct picture {
	const region *r;
	bool *taken;             /* by lane and row */
	unsigned lanes;
	unsigned *lane;          /* of op 0 .. n - 1, then of the live-ins */
	int *end;                /* last row of each; n: it lives on */
} picture;

static int y_of(unsigned row) { return TOP + ROW * (int)row; }
static int x_of(unsigned lane) { return LABEL + LANE * (int)lane; }

/* ---- lanes ----------------------------------------------------------------------------------- */

static bool is_free(const picture *p, unsigned lane, uint32_t from, uint32_t to)
{
	for (uint32_t row = from; row <= to && row < p->r->n; row++)
		if (p->taken[lane * p->r->n + row])
			return false;
	return true;
}

static void take(picture *p, unsigned lane, uint32_t from, uint32_t to)
{
	for (uint32_t row = from; row <= to && row < p->r->n; row++)
		p->taken[lane * p->r->n + row] = true;
}

/* Rows from..to, and 0..again where the value of the run before is still there. */
static unsigned find_lane(picture *p, uint32_t from, uint32_t to, int again)
{
	unsigned lane = 0;

	while (!is_free(p, lane, from, to) || (again >= 0 && !is_free(p, lane, 0, (uint32_t)again)))
		lane++;
	take(p, lane, from, to);
	if (again >= 0)
		take(p, lane, 0, (uint32_t)again);
	p->lanes = MAX(p->lanes, lane + 1);
	return lane;
}

/* The row of the next run in which a value goes; -1: it goes in its own, or never. */
static int again_until(const region *r, const region_op *o)
{
	return o->freed != REGION_NEVER && o->freed >= r->n ? (int)MIN(o->freed - r->n, r->n - 1) : -1;
}

static uint32_t last_use_of(const region *r, uint32_t live_in)
{
	uint32_t last = 0;

	for (uint32_t k = 0; k < r->n; k++)
		for (unsigned j = 0; j < r->ops[k].nin; j++)
			if (r->inputs[r->ops[k].first + j] == (int32_t)~live_in)
				last = k;
	return last;
}

static void arrange(picture *p)
{
	const region *r = p->r;

	for (uint32_t k = 0; k < r->live_ins_count; k++) {
		p->end[r->n + k] = (int)last_use_of(r, k);
		p->lane[r->n + k] = find_lane(p, 0, (uint32_t)p->end[r->n + k], -1);
	}
	for (uint32_t k = 0; k < r->n; k++) {
		const region_op *o = &r->ops[k];

		p->end[k] = (int)MIN(o->freed, r->n);
		p->lane[k] = find_lane(p, k, (uint32_t)p->end[k], again_until(r, o));
	}
}

/* ---- drawing --------------------------------------------------------------------------------- */

static void draw_bar(unsigned lane, int from, int to, const char *colour, const char *style)
{
	printf("<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" stroke=\"%s\" stroke-width=\"5\"%s/>\n",
		x_of(lane), from, x_of(lane), to, colour, style);
}

static void draw_dot(unsigned lane, uint32_t row, const char *colour, bool made)
{
	printf("<circle cx=\"%d\" cy=\"%d\" r=\"4\" stroke=\"%s\" stroke-width=\"1.5\" fill=\"%s\"/>\n",
		x_of(lane), y_of(row), colour, made ? colour : "#fff");
}

static const char *colour_of(const region_op *o) { return o->live_out ? GOES : CALM; }

static void draw_bars(const picture *p)
{
	const region *r = p->r;

	for (uint32_t k = 0; k < r->live_ins_count; k++) {
		draw_bar(p->lane[r->n + k], TOP - ROW / 2, y_of((unsigned)p->end[r->n + k]), COMES, "");
		printf("<text x=\"%d\" y=\"%d\" font-size=\"8\" text-anchor=\"middle\" fill=\"%s\">"
			"in%u</text>\n", x_of(p->lane[r->n + k]), TOP - ROW / 2 - 3, COMES, k);
	}
	for (uint32_t k = 0; k < r->n; k++) {
		const region_op *o = &r->ops[k];
		const int again = again_until(r, o);

		draw_bar(p->lane[k], y_of(k), y_of((unsigned)p->end[k]), colour_of(o),
			" opacity=\"0.55\"");
		if (again >= 0)
			draw_bar(p->lane[k], TOP - ROW / 2, y_of((unsigned)again), colour_of(o),
				" opacity=\"0.55\" stroke-dasharray=\"3 3\"");
	}
}

static unsigned slot_of(const region *r, int32_t input)
{
	return input >= 0 ? (unsigned)input : r->n + REGION_LIVE_IN(input);
}

static void draw_op(const picture *p, uint32_t k)
{
	const region *r = p->r;
	const region_op *o = &r->ops[k];
	unsigned right = p->lane[k];

	for (unsigned j = 0; j < o->nin; j++)
		if (r->inputs[o->first + j] != REGION_SCALAR)
			right = MAX(right, p->lane[slot_of(r, r->inputs[o->first + j])]);
	printf("<text x=\"8\" y=\"%d\">%%%u %s</text>\n", y_of(k) + 4, k, op_rows[o->op].name);
	printf("<line x1=\"%d\" y1=\"%d\" x2=\"%d\" y2=\"%d\" stroke=\"#ccc\"/>\n", LABEL - 20, y_of(k),
		x_of(right), y_of(k));
	for (unsigned j = 0; j < o->nin; j++) {
		const int32_t in = r->inputs[o->first + j];

		if (in != REGION_SCALAR)
			draw_dot(p->lane[slot_of(r, in)], k,
				in >= 0 ? colour_of(&r->ops[in]) : COMES, false);
	}
	draw_dot(p->lane[k], k, colour_of(o), true);
}

static void draw_all(const picture *p)
{
	const region *r = p->r;
	const int width = MAX(x_of(p->lanes) + LANE, 470), height = y_of(r->n) + 2 * ROW;
	char name[REGION_NAME_MAX];

	printf("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
		"font-family=\"monospace\" font-size=\"12\" fill=\"%s\">\n"
		"<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n", width, height, INK);
	draw_bars(p);
	for (uint32_t k = 0; k < r->n; k++)
		draw_op(p, k);
	printf("<text x=\"8\" y=\"%d\">%s  <tspan fill=\"%s\">live-in</tspan>  "
		"<tspan fill=\"%s\">inside</tspan>  <tspan fill=\"%s\">live-out</tspan></text>\n"
		"</svg>\n", height - 8, region_name(r->signature, r->n, name), COMES, CALM, GOES);
}

int draw_region(const region *r)
{
	const size_t slots = r->n + r->live_ins_count;
	picture p = { .r = r };

	if (r->n > OPS_MAX)
		return tool_fail(EXIT_WRONG, "the longest loop has %u operations; up to %d can be drawn",
			r->n, OPS_MAX);
	p.taken = mem_zero(slots * r->n * sizeof *p.taken);
	p.lane = mem_zero(slots * sizeof *p.lane);
	p.end = mem_zero(slots * sizeof *p.end);
	arrange(&p);
	draw_all(&p);
	mem_free(p.taken);
	mem_free(p.lane);
	mem_free(p.end);
	return EXIT_DONE;
}
