/* blas.c: see blas.h. */
#include "engine/blas.h"

#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include "base/base.h"
#include "base/error.h"

#define LIBRARY "libopenblas.so.0"
#define PACKAGE "libopenblas0"

/* From the C interface of BLAS. */
enum { ROW_MAJOR = 101, NO_TRANSPOSE = 111, TRANSPOSE = 112 };

typedef void dgemm(int order, int ta, int tb, int m, int n, int k, double alpha, const double *a,
		int lda, const double *b, int ldb, double beta, double *c, int ldc);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic bool loaded;
static dgemm *run_dgemm;

/* The library starts a thread for each core that its loader may use: let the loader have one for a
 * moment. Unlike OPENBLAS_NUM_THREADS this touches nothing that other threads of the process could
 * be looking at. */
static void *open_library(void)
{
	cpu_set_t cores, one;
	bool pinned = sched_getaffinity(0, sizeof cores, &cores) == 0;
	void *library;

	CPU_ZERO(&one);
	CPU_SET(MAX(sched_getcpu(), 0), &one);
	pinned = pinned && sched_setaffinity(0, sizeof one, &one) == 0;
	library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (pinned)
		sched_setaffinity(0, sizeof cores, &cores);
	return library;
}

static gt_err load_locked(void)
{
	void *library = open_library();
	void (*set_threads)(int);

	if (!library)
		return fail(GT_EUNSUPPORTED, "matrix products of float64 need OpenBLAS: "
				"install the package %s (%s)", PACKAGE, dlerror());
	run_dgemm = (dgemm *)dlsym(library, "cblas_dgemm");
	set_threads = (void (*)(int))dlsym(library, "openblas_set_num_threads");
	if (!run_dgemm || !set_threads) {
		dlclose(library);
		return fail(GT_EUNSUPPORTED, "%s lacks cblas_dgemm or "
				"openblas_set_num_threads: is it OpenBLAS 0.3? "
				"Install the package %s", LIBRARY, PACKAGE);
	}
	set_threads(1);   /* it may have been loaded before, by NumPy for instance */
	atomic_store_explicit(&loaded, true, memory_order_release);
	return GT_OK;
}

gt_err blas_load(void)
{
	gt_err e = GT_OK;

	if (atomic_load_explicit(&loaded, memory_order_acquire))
		return GT_OK;
	pthread_mutex_lock(&lock);
	if (!atomic_load_explicit(&loaded, memory_order_relaxed))
		e = load_locked();
	pthread_mutex_unlock(&lock);
	return e;
}

static int flag_of(blas_matrix x)
{
	return x.transposed ? TRANSPOSE : NO_TRANSPOSE;
}

/* beta = 0: what `out` holds is not read, so NaN in fresh memory does no harm. */
void blas_gemm_f64(int64_t m, int64_t n, int64_t k, blas_matrix a, blas_matrix b, double *out,
		int64_t out_row)
{
	run_dgemm(ROW_MAJOR, flag_of(a), flag_of(b), (int)m, (int)n, (int)k, 1, a.data, (int)a.ld,
			b.data, (int)b.ld, 0, out, (int)out_row);
}
