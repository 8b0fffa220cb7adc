/* image.h: machine code of one group as bytes that any process can map and run.
 *
 * An image is a head and a piece of code with its constants; nothing in it needs an address, and
 * the rest of the program is reached through kernel_call. It can be written to a file as it is.
 * What an image does is not checked here: whoever takes one from outside must know where it comes
 * from.
 */
#ifndef CACHE_IMAGE_H
#define CACHE_IMAGE_H

#include "base/buf.h"
#include "base/cpu.h"
#include "base/error.h"
#include "group/kernel.h"

#define IMAGE_MAGIC   0x3149544cu   /* "GTI1" as the bytes lie */
#define IMAGE_VERSION 1
#define IMAGE_MAX     (64u << 20)

typedef struct image_head {
	uint32_t magic, version;
	uint32_t isa;            /* cpu_isa that the code needs */
	uint32_t helpers;        /* HELPER_COUNT when it was made: their numbers are in the code */
	uint32_t entry, size;    /* in bytes; the code follows the head */
} image_head;

/* Append an image of that code. */
void image_put(buf *to, const void *code, uint32_t size, uint32_t entry, cpu_isa isa);

/* Code that can run. */
typedef struct image { kernel_fn *run; void *pages; size_t size; } image;

/* Map an image for execution. The memory is never writable and executable at once. GT_EPROTO: no
 * image, or not for this version or machine; GT_EMEMORY, GT_EIO. `data` is not needed
 * afterwards. */
gt_err image_map(const void *data, size_t size, image *to);
void   image_unmap(image *m);

#endif
