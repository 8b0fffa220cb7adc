/* key.c: what the code of a group depends on. */
#include "cache/key.h"

#include <cache/digest.h>
#include <cache/libdir.h>
#include <pthread.h>
#include "base/base.h"

/* The floating-point control register in which kernels run (base/cpu.h), and what the generator is
 * told: a change of either needs another text. */
#define FLOATS "nearest, denormals, no contraction"

static void put_bytes(buf *to, const void *data, size_t size)
{
	buf_put_u32(to, (uint32_t)size);
	buf_put(to, data, size);
}

static void put_text(buf *to, const char *text)
{
	put_bytes(to, text, strlen(text));
}

/* What is the same for all keys of a process. Asked once: inside a virtual machine a question to
 * the processor costs as much as reading an entry. */
static buf fixed;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_fixed(void)
{
	char machine[MACHINE_NAME_MAX];
	buf features = { 0 };

	machine_describe(machine, &features);
	buf_put_u32(&fixed, CODEGEN_VERSION);
	put_text(&fixed, GT_DIGEST);
	put_text(&fixed, GT_LLVM);
	put_text(&fixed, machine);
	put_text(&fixed, FLOATS);
	put_bytes(&fixed, features.data, features.size);
	buf_fini(&features);
}

void key_put(buf *to, cache_bytes code, const codegen_options *o)
{
	pthread_once(&once, make_fixed);
	buf_put(to, fixed.data, fixed.size);
	buf_put_u8(to, (uint8_t)o->isa);
	buf_put_u8(to, (uint8_t)o->rest);
	buf_put_u8(to, o->unroll);
	buf_put_u32(to, (uint32_t)o->level);
	put_bytes(to, code.data, code.size);
}

bool key_is_ours(cache_bytes bytes)
{
	pthread_once(&once, make_fixed);
	return bytes.size > fixed.size && !memcmp(bytes.data, fixed.data, fixed.size);
}

static cache_bytes get_bytes(reader *r)
{
	const uint32_t size = reader_u32(r);

	return (cache_bytes){ reader_bytes(r, size), size };
}

static bool get_text(reader *r, char *text, size_t room)
{
	const cache_bytes b = get_bytes(r);

	if (r->cut || b.size >= room)
		return false;
	memcpy(text, b.data, b.size);
	text[b.size] = '\0';
	return true;
}

bool key_get(cache_bytes bytes, key *k)
{
	reader r = { .data = bytes.data, .size = bytes.size };
	char floats[64];

	k->version = reader_u32(&r);
	if (!get_text(&r, k->generator, sizeof k->generator) ||
	    !get_text(&r, k->llvm, sizeof k->llvm) ||
	    !get_text(&r, k->machine, sizeof k->machine) || !get_text(&r, floats, sizeof floats))
		return false;
	k->features = get_bytes(&r);
	k->isa = reader_u8(&r);
	k->rest = reader_u8(&r);
	k->unroll = reader_u8(&r);
	k->level = (int32_t)reader_u32(&r);
	k->group = get_bytes(&r);
	return !r.cut && r.pos == r.size;
}
