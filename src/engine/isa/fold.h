/* fold.h: blocks of the reduction tree for one type, vectorised. Included once per type with
 *
 *   W      the C type (float, double, int64_t)
 *   DTYPE  its name in arith.h's functions
 *   TAG    what the names defined here end in
 *   INDEX  a signed integer of the same size, for positions in a block
 *
 * Everything takes the join as a constant, so each combination becomes a loop of its own. Four
 * sequences run side by side, because one alone waits four cycles for each addition.
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
				lanes[q][k] = NAME(join)(how, lanes[q][k],
						NAME(term)(how, p[q][i + k], centre[q]));
	for (int q = 0; q < 4; q++) {
		for (int k = 0; i + k < n; k++)
			lanes[q][k] = NAME(join)(how, lanes[q][k],
					NAME(term)(how, p[q][i + k], centre[q]));
		for (int half = TREE_LANES / 2; half > 0; half /= 2)
			NAME(join_all)(how, lanes[q], lanes[q] + half, half);
		out[q] = lanes[q][0];
	}
}
#endif

/* results[r] = the block's result for row r of x; rows are `step` apart and n <= TREE_BLOCK long.
 * centre[r] is subtracted for FOLD_SQUARES, otherwise not looked at. */
INLINE void NAME(rows)(const int how, const W *x, int64_t step, int64_t rows, int64_t n,
		const W *centre, W *results)
{
	for (int64_t r = 0; r < rows; r += 4) {
		int64_t last = rows - 1 - r, to[4] = {0, MIN(1, last), MIN(2, last), MIN(3, last)};
		const W *p[4];
		W c[4] = {0}, four[4];

		for (int q = 0; q < 4; q++) {
			p[q] = x + (r + to[q]) * step;
			if (how == FOLD_SQUARES)
				c[q] = centre[r + to[q]];
		}
		NAME(four)(how, p, c, n, four);
		for (int q = 0; q < 4; q++)
			results[r + to[q]] = four[q];
	}
}

/* Columns: `lanes` holds TREE_LANES rows of w results. Add n rows of w elements, `step` apart, the
 * first to lane `lane`. */
INLINE void NAME(add_rows)(const int how, W *restrict lanes, int64_t lane, const W *restrict x,
		int64_t step, int64_t n, int64_t w)
{
	int64_t i = 0;

	if (lane == 0 && step == w)
		for (; i + TREE_LANES <= n; i += TREE_LANES)
			NAME(join_all)(how, lanes, x + i * w, TREE_LANES * w);
	for (; i < n; i++)
		NAME(join_all)(how, lanes + (lane + i) % TREE_LANES * w, x + i * step, w);
}

/* ---- Where the extreme is; `how` is FOLD_MAX or FOLD_MIN. ---- */

/* Is a a better extreme than b? Equal ones are not; NaN is better than anything else. */
INLINE bool NAME(better)(const int how, W a, W b)
{
	return (how == FOLD_MAX ? a > b : a < b) || (ARITH(isnan)(a) && !ARITH(isnan)(b));
}

/* The first of n elements that is v, or NaN if v is; there is one. A block is looked through as a
 * whole first, because a loop that may end early is not vectorised. */
INLINE int64_t NAME(find)(const W *x, int64_t n, W v)
{
	const bool nan = ARITH(isnan)(v);
	int64_t i = 0;

	for (; i + 64 <= n; i += 64) {
		int found = 0;
		for (int k = 0; k < 64; k++)
			found |= (x[i + k] == v) | (ARITH(isnan)(x[i + k]) & nan);
		if (found)
			break;
	}
	while (!(x[i] == v || (nan && ARITH(isnan)(x[i]))))
		i++;
	return i;
}

/* Rows of at most TREE_BLOCK elements: value and position of each one's extreme. */
INLINE void NAME(extremes)(const int how, const W *x, int64_t step, int64_t rows, int64_t n,
		W *values, INDEX *at)
{
	NAME(rows)(how, x, step, rows, n, NULL, values);
	for (int64_t r = 0; r < rows; r++)
		at[r] = (INDEX)NAME(find)(x + r * step, n, values[r]);
}

/* Columns: values[j] and at[j] hold the extreme so far of column j and its position; add rows of w
 * elements, whose positions are first, first + 1, ... */
INLINE void NAME(extremes_of_columns)(const int how, const W *x, int64_t step, int64_t rows,
		int64_t w, int64_t first, W *restrict values, INDEX *restrict at)
{
	for (int64_t i = 0; i < rows; i++, x += step)
		for (int64_t j = 0; j < w; j++) {
			bool take = NAME(better)(how, x[j], values[j]);
			values[j] = take ? x[j] : values[j];
			at[j] = take ? (INDEX)(first + i) : at[j];
		}
}

#undef NAME
#undef ARITH
