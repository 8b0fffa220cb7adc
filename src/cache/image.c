/* image.c: bytes made executable: copied to fresh pages, which then lose the right to be
 * written. */
#include "cache/image.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/base.h"
#include "base/error.h"
#include "group/helpers.h"

void image_put(buf *to, const void *code, uint32_t size, uint32_t entry, cpu_isa isa)
{
	image_head h = { .magic = IMAGE_MAGIC, .version = IMAGE_VERSION, .isa = (uint32_t)isa,
		.helpers = HELPER_COUNT, .entry = entry, .size = size };

	buf_put(to, &h, sizeof h);
	buf_put(to, code, size);
}

static gt_err check(const void *data, size_t size, image_head *h)
{
	if (size < sizeof *h)
		return fail(GT_EPROTO, "image: %zu bytes, not even the head", size);
	memcpy(h, data, sizeof *h);
	if (h->magic != IMAGE_MAGIC || h->version != IMAGE_VERSION || h->helpers != HELPER_COUNT)
		return fail(GT_EPROTO, "image: made by another version of GT, or no image at all");
	if (h->isa > (uint32_t)cpu_isa_level())
		return fail(GT_EPROTO, "image: needs instructions of level %u, this machine has %d",
			h->isa, cpu_isa_level());
	if (h->size != size - sizeof *h || h->size > IMAGE_MAX || h->entry >= h->size)
		return fail(GT_EPROTO, "image: %zu bytes of code, the head says %u with entry %u",
			size - sizeof *h, h->size, h->entry);
	return GT_OK;
}

gt_err image_map(const void *data, size_t size, image *to)
{
	image_head h;
	gt_err e = check(data, size, &h);
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	uint8_t *pages;

	if (e)
		return e;
	to->size = ALIGN_UP((size_t)h.size, page);
	pages = mmap(NULL, to->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (pages == MAP_FAILED)
		return fail(GT_EMEMORY, "image: no %zu bytes of memory: %s", to->size,
			strerror(errno));
	memcpy(pages, (const uint8_t *)data + sizeof h, h.size);
	if (mprotect(pages, to->size, PROT_READ | PROT_EXEC)) {
		e = fail(GT_EIO, "image: this system does not let memory become executable: %s",
			strerror(errno));
		munmap(pages, to->size);
		return e;
	}
	to->pages = pages;
	to->run = (kernel_fn *)(uintptr_t)(pages + h.entry);
	return GT_OK;
}

void image_unmap(image *m)
{
	if (m->pages)
		munmap(m->pages, m->size);
	memset(m, 0, sizeof *m);
}
