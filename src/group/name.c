/* name.c: what people call a group: some of its ops, and a hash of all of it.
 *
 *	add_relu_3f2a91c0    mul_sub_exp_9ops_div_0b77c2d1
 */
#include "group/group.h"

#include <stdio.h>
#include <string.h>

#define SHOWN 4                  /* ops; of more the first ones and the last */

static uint32_t hash_of(const group *g)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	buf key = { 0 };

	group_encode(g, &key);
	for (size_t k = 0; k < key.size; k++)
		h = (h ^ key.data[k]) * UINT64_C(0x100000001b3);
	buf_fini(&key);
	return (uint32_t)(h ^ h >> 32);
}

/* The ops, those that follow themselves once; how many there are. */
static unsigned list_ops(const group *g, const char *names[GROUP_NODES])
{
	unsigned n = 0;

	for (unsigned k = 0; k < g->nodes_count; k++) {
		const group_node *o = &g->nodes[k];

		if (o->what != NODE_OP && o->what != NODE_REDUCE && o->what != NODE_DRAW)
			continue;
		if (!n || strcmp(names[n - 1], op_rows[o->op].name))
			names[n++] = op_rows[o->op].name;
	}
	return n;
}

const char *group_name(const group *g, char text[GROUP_NAME_MAX])
{
	const char *names[GROUP_NODES];
	const unsigned n = list_ops(g, names), first = n > SHOWN ? SHOWN - 1 : n;
	size_t at = 0;

	for (unsigned k = 0; k < first; k++)
		at += (size_t)snprintf(text + at, GROUP_NAME_MAX - at, "%s_", names[k]);
	if (first < n)
		at += (size_t)snprintf(text + at, GROUP_NAME_MAX - at, "%uops_%s_", n,
			names[n - 1]);
	snprintf(text + at, GROUP_NAME_MAX - at, "%s%08x", n ? "" : "copy_", hash_of(g));
	return text;
}
