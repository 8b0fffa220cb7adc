/* composite_rows.h: composites over contiguous rows for one floating-point type. Included by
 * composite.c once per type with W, DTYPE and TAG as for fold.h, and with tree_sum_<TAG> and
 * tree_max_<TAG>, the trees of that type.
 *
 * Each step below is one primitive of the decomposition in ir/compose.h and rounds as that does. A
 * piece is a few rows that fit the cache; the passes over it are fused only where no rounding is
 * lost.
 */

#define NAME(name) PASTE(PASTE(name, _), TAG)
#define ARITH(name) PASTE(PASTE(arith_, name), PASTE(_, DTYPE))

#ifndef ROWS_ELSEWHERE
static void NAME(sub_row)(W *out, const W *x, W a, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		out[i] = x[i] - a;
}

static void NAME(sub_twice_row)(W *out, const W *x, W a, W b, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		out[i] = (x[i] - a) - b;
}

static void NAME(div_row)(W *out, const W *x, W a, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		out[i] = x[i] / a;
}

/* x / a where x is in [0, 1] and a >= 1, or NaN. */
static void NAME(share_row)(W *out, const W *x, W a, int64_t n)
{
	NAME(div_row)(out, x, a, n);
}

static void NAME(normalise_row)(W *out, const W *x, W mean, W deviation, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		out[i] = (x[i] - mean) / deviation;
}
#endif

static void NAME(exp_row)(W *out, const W *x, W a, int64_t n)
{
	FUN_LOOP
	for (int64_t i = 0; i < n; i++)
		out[i] = ARITH(exp)(x[i] - a);
}

/* out = exp(x - away[r]) in row r; rows of out are contiguous. Of short rows the loop over exp
 * would see little but its rest: they go through it together. */
static void NAME(exp_rows)(W *out, const W *x, int64_t step, int64_t rows, int64_t n, const W *away)
{
	for (int64_t r = 0; r < rows; r++)
		if (n >= LONG_ROW)
			NAME(exp_row)(out + r * n, x + r * step, away[r], n);
		else
			NAME(sub_row)(out + r * n, x + r * step, away[r], n);
	if (n < LONG_ROW)
		NAME(exp_row)(out, out, 0, rows * n);
}

/* The tree over one row of more than one block; `how` is FOLD_SUM, FOLD_MAX or FOLD_SQUARES. */
INLINE W NAME(fold_long)(const int how, const W *x, W centre, int64_t n)
{
	const W centres[4] = {centre, centre, centre, centre};
	NAME(tree_sum) sums = {0};
	NAME(tree_max) most = {0};
	W results[4];

	for (int64_t at = 0; at < n; ) {
		int64_t size = MIN(TREE_BLOCK, n - at), blocks = MIN(4, (n - at) / size);

		NAME(rows)(how, x + at, TREE_BLOCK, blocks, size, centres, results);
		for (int64_t q = 0; q < blocks; q++, at += size)
			if (how == FOLD_MAX)
				PASTE(NAME(tree_max), _push)(&most, results[q]);
			else
				PASTE(NAME(tree_sum), _push)(&sums, results[q]);
	}
	if (how == FOLD_MAX)
		return PASTE(NAME(tree_max), _result)(&most);
	return PASTE(NAME(tree_sum), _result)(&sums);
}

/* results[r] = the tree over row r, of any length. */
INLINE void NAME(fold_rows)(const int how, const W *x, int64_t step, int64_t rows, int64_t n,
		const W *centre, W *results)
{
	if (n <= TREE_BLOCK)
		NAME(rows)(how, x, step, rows, n, centre, results);
	else
		for (int64_t r = 0; r < rows; r++)
			results[r] = NAME(fold_long)(how, x + r * step,
					how == FOLD_SQUARES ? centre[r] : 0, n);
}

static void NAME(max_rows)(const W *x, int64_t step, int64_t rows, int64_t n, W *results)
{
	NAME(fold_rows)(FOLD_MAX, x, step, rows, n, NULL, results);
}

static void NAME(sum_rows)(const W *x, int64_t step, int64_t rows, int64_t n, W *results)
{
	NAME(fold_rows)(FOLD_SUM, x, step, rows, n, NULL, results);
}

static void NAME(squares_of_rows)(const W *x, int64_t step, int64_t rows, int64_t n,
		const W *centre, W *results)
{
	NAME(fold_rows)(FOLD_SQUARES, x, step, rows, n, centre, results);
}

/* results[r] = sum of exp(x[i] - away[r]) over row r. */
static void NAME(sum_exp_rows)(const W *x, int64_t step, int64_t rows, int64_t n, const W *away,
		W *results)
{
	_Alignas(64) W buffer[PIECE_ELEMENTS];
	NAME(tree_sum) sums = {0};

	if (n <= TREE_BLOCK) {
		NAME(exp_rows)(buffer, x, step, rows, n, away);
		NAME(sum_rows)(buffer, n, rows, n, results);
		return;
	}
	for (int64_t at = 0; at < n; at += PIECE_ELEMENTS) {
		int64_t size = MIN(PIECE_ELEMENTS, n - at);
		W blocks[PIECE_ELEMENTS / TREE_BLOCK];
		int64_t whole = size / TREE_BLOCK, rest = size % TREE_BLOCK;

		NAME(exp_row)(buffer, x + at, away[0], size);
		NAME(sum_rows)(buffer, TREE_BLOCK, whole, TREE_BLOCK, blocks);
		if (rest > 0)
			NAME(sum_rows)(buffer + whole * TREE_BLOCK, 0, 1, rest, &blocks[whole]);
		for (int64_t b = 0; b < whole + (rest > 0); b++)
			PASTE(NAME(tree_sum), _push)(&sums, blocks[b]);
	}
	results[0] = PASTE(NAME(tree_sum), _result)(&sums);
}

static void NAME(log_all)(W *x, int64_t n)
{
	FUN_LOOP
	for (int64_t i = 0; i < n; i++)
		x[i] = ARITH(log)(x[i]);
}

/* ---- The composites: `rows` rows of x, `step` apart, to contiguous rows or numbers. ---- */

static void NAME(softmax)(const piece *p)
{
	const W *x = p->x;
	W *out = p->out, value[PIECE_ROWS];

	NAME(max_rows)(x, p->step, p->rows, p->n, value);
	NAME(exp_rows)(out, x, p->step, p->rows, p->n, value);
	NAME(sum_rows)(out, p->n, p->rows, p->n, value);
	for (int64_t r = 0; r < p->rows; r++)
		NAME(share_row)(out + r * p->n, out + r * p->n, value[r], p->n);
}

static void NAME(log_softmax)(const piece *p)
{
	const W *x = p->x;
	W *out = p->out, most[PIECE_ROWS], value[PIECE_ROWS];

	NAME(max_rows)(x, p->step, p->rows, p->n, most);
	NAME(sum_exp_rows)(x, p->step, p->rows, p->n, most, value);
	NAME(log_all)(value, p->rows);
	for (int64_t r = 0; r < p->rows; r++)
		NAME(sub_twice_row)(out + r * p->n, x + r * p->step, most[r], value[r], p->n);
}

static void NAME(logsumexp)(const piece *p)
{
	W *out = p->out, away[PIECE_ROWS];

	NAME(max_rows)(p->x, p->step, p->rows, p->n, away);
	for (int64_t r = 0; r < p->rows; r++)
		away[r] = away[r] - away[r] == 0 ? away[r] : 0;   /* finite */
	NAME(sum_exp_rows)(p->x, p->step, p->rows, p->n, away, out);
	NAME(log_all)(out, p->rows);
	for (int64_t r = 0; r < p->rows; r++)
		out[r] = out[r] + away[r];
}

/* value[r] = mean of row r. */
static void NAME(mean_rows)(const piece *p, W *value)
{
	NAME(sum_rows)(p->x, p->step, p->rows, p->n, value);
	for (int64_t r = 0; r < p->rows; r++)
		value[r] = value[r] / (W)(double)p->n;
}

static void NAME(var)(const piece *p)
{
	W *out = p->out, mean[PIECE_ROWS];

	NAME(mean_rows)(p, mean);
	NAME(squares_of_rows)(p->x, p->step, p->rows, p->n, mean, out);
	for (int64_t r = 0; r < p->rows; r++)
		out[r] = out[r] / (W)p->number;
}

static void NAME(layer_norm)(const piece *p)
{
	const W *x = p->x;
	W *out = p->out, mean[PIECE_ROWS], value[PIECE_ROWS];

	NAME(mean_rows)(p, mean);
	NAME(squares_of_rows)(x, p->step, p->rows, p->n, mean, value);
	for (int64_t r = 0; r < p->rows; r++)
		value[r] = ARITH(sqrt)(value[r] / (W)(double)p->n + (W)p->number);
	for (int64_t r = 0; r < p->rows; r++)
		NAME(normalise_row)(out + r * p->n, x + r * p->step, mean[r], value[r], p->n);
}

#undef NAME
#undef ARITH
