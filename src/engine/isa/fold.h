/* fold.h: blocks of the reduction tree for one type, vectorised. Included once per type with
 *
 *   W      the C type (float, double, int64_t)
 *   DTYPE  its name in arith.h's functions
 *   TAG    what the names defined here end in
 *
 * Everything takes the join as a constant, so each combination becomes a loop of its own. Four sequences run
 * side by side, because one alone waits four cycles for each addition.
 */

#define NAME(name) PASTE(PASTE(name, _), TAG)
#define ARITH(name) PASTE(PASTE(arith_, name), PASTE(_, DTYPE))

INLINE W NAME(join)(const int how, W a, W b)
{
	switch (how) {
	case FOLD_PROD: return ARITH(mul)(a, b);
	case FOLD_MAX:  return ARITH(maximum)(a, b);
	case FOLD_MIN:  return ARITH(minimum)(a, b);
	default:        return ARITH(add)(a, b);
	}
}

/* What the tree joins for element x. */
INLINE W NAME(term)(const int how, W x, W centre)
{
	if (how == FOLD_SQUARES) {
		W d = ARITH(sub)(x, centre);
		return ARITH(mul)(d, d);
	}
	return x;
}

/* a[i] = join(a[i], b[i]). */
INLINE void NAME(join_all)(const int how, W *restrict a, const W *restrict b, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		a[i] = NAME(join)(how, a[i], b[i]);
}

#ifndef FOLD_FOUR_ELSEWHERE
/* out[q] = the block's result for the n <= TREE_BLOCK elements at p[q], less centre[q] squared for
 * FOLD_SQUARES. The four may be the same. */
INLINE void NAME(four)(const int how, const W *const *p, const W *centre, int64_t n, W *out)
{
	W lanes[4][TREE_LANES], start = NAME(start)(how);
	int64_t i = 0;

	for (int q = 0; q < 4; q++)
		for (int k = 0; k < TREE_LANES; k++)
			lanes[q][k] = start;
	for (; i + TREE_LANES <= n; i += TREE_LANES)
		for (int q = 0; q < 4; q++)
			for (int k = 0; k < TREE_LANES; k++)
				lanes[q][k] = NAME(join)(how, lanes[q][k], NAME(term)(how, p[q][i + k], centre[q]));
	for (int q = 0; q < 4; q++) {
		for (int k = 0; i + k < n; k++)
			lanes[q][k] = NAME(join)(how, lanes[q][k], NAME(term)(how, p[q][i + k], centre[q]));
		for (int half = TREE_LANES / 2; half > 0; half /= 2)
			NAME(join_all)(how, lanes[q], lanes[q] + half, half);
		out[q] = lanes[q][0];
	}
}
#endif

/* Columns: `lanes` holds TREE_LANES rows of w results. Add n rows of w elements, `step` apart, the first to lane `lane`. */
INLINE void NAME(add_rows)(const int how, W *restrict lanes, int64_t lane, const W *restrict x, int64_t step,
		int64_t n, int64_t w)
{
	int64_t i = 0;

	if (lane == 0 && step == w)
		for (; i + TREE_LANES <= n; i += TREE_LANES)
			NAME(join_all)(how, lanes, x + i * w, TREE_LANES * w);
	for (; i < n; i++)
		NAME(join_all)(how, lanes + (lane + i) % TREE_LANES * w, x + i * step, w);
}

#undef NAME
#undef ARITH
