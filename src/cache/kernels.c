/* kernels.c: compiled groups in the cache. */
#include "cache/kernels.h"

#include "base/base.h"

bool kernels_get(cache *c, cache_bytes code, const codegen_options *o, image *to)
{
	buf name = { 0 }, made = { 0 };
	bool found;

	if (!c)
		return false;
	key_put(&name, code, o);
	found = cache_get(c, CACHE_KERNEL, (cache_bytes){ name.data, name.size }, &made) &&
		!image_map(made.data, made.size, to);
	buf_fini(&name);
	buf_fini(&made);
	return found;
}

bool kernels_put(cache *c, cache_bytes code, const codegen_options *o, cache_bytes made)
{
	buf name = { 0 };
	bool kept;

	if (!c)
		return false;
	key_put(&name, code, o);
	kept = cache_put(c, CACHE_KERNEL, (cache_bytes){ name.data, name.size }, made);
	buf_fini(&name);
	return kept;
}

const char *kernels_check(cache_bytes bytes, cache_bytes value)
{
	image mapped;
	group g;
	key k;

	if (!key_get(bytes, &k))
		return "its key cannot be read";
	if (!key_is_ours(bytes) || k.isa > cpu_isa_level())
		return NULL;
	if (group_decode(k.group.data, k.group.size, &g))
		return "its group cannot be read";
	if (image_map(value.data, value.size, &mapped))
		return "its code cannot be mapped";
	image_unmap(&mapped);
	return NULL;
}
