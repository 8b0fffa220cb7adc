/* object.h: machine code as LLVM writes it, made an image. Knows nothing of LLVM. */
#ifndef CODEGEN_OBJECT_H
#define CODEGEN_OBJECT_H

#include "base/buf.h"
#include "base/cpu.h"
#include "base/error.h"

#define OBJECT_ENTRY "kernel"   /* name of the function */

/* Append an image of a relocatable ELF object of x86-64, 8-byte aligned. GT_EINTERNAL, and nothing
 * appended, if it is none or has what an image cannot have. */
gt_err object_image(const void *data, size_t size, cpu_isa isa, buf *to);

#endif
