/* key.h: what the code of a group depends on: equal keys, same code. */
#ifndef CACHE_KEY_H
#define CACHE_KEY_H

#include "cache/cache.h"
#include "cache/machine.h"
#include "codegen/codegen.h"

/* Append the key of a group, given as group_encode wrote it, for this machine, this build of GT and
 * these options. */
void key_put(buf *to, cache_bytes code, const codegen_options *o);

typedef struct key {
	uint32_t version;        /* CODEGEN_VERSION */
	char generator[48];      /* hash of what the generator is made of */
	char llvm[48], machine[48];
	uint8_t isa, rest, unroll;
	int32_t level;
	cache_bytes features, group;
} key;

/* Whether code under that key is of this machine and this build, whatever the group. */
bool key_is_ours(cache_bytes bytes);
/* Take it apart; false if it is none. Points into the bytes. */
bool key_get(cache_bytes bytes, key *k);

#endif
