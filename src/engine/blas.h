/* blas.h: OpenBLAS, loaded at the first product of float64.
 *
 * Loading costs about 2 ms (relocation and start-up), and most programs never need it. Its own
 * threads are off: GT cuts products itself. This sets the thread count for everybody in the process
 * who uses the same library.
 */
#ifndef ENGINE_BLAS_H
#define ENGINE_BLAS_H

#include <stdbool.h>
#include <stdint.h>
#include <gt/error.h>

/* A matrix as BLAS wants it: rows of `ld` elements, or, if `transposed`, columns of `ld`
 * elements. */
typedef struct blas_matrix {
	const void *data;
	int64_t ld;
	bool transposed;
} blas_matrix;

/* Load the library. GT_EUNSUPPORTED names the package if it is not there.
 * Thread safe; later calls cost one atomic read. */
gt_err blas_load(void);

/* out[m,n] = a[m,k] * b[k,n], rows of `out_row` elements; m, n, k > 0. Needs a successful
 * blas_load. Safe from several threads at once. Sizes and strides are at most BLAS_SIZE_MAX. */
void blas_gemm_f64(int64_t m, int64_t n, int64_t k, blas_matrix a, blas_matrix b, double *out,
		int64_t out_row);

/* Debian's library counts in 32 bits. */
#define BLAS_SIZE_MAX INT32_MAX

#endif
