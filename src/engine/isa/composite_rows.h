/* composite_rows.h: composites over contiguous rows for one floating-point type. Included by composite.c once per
 * type with W, DTYPE and TAG as for fold.h, and with tree_sum_<TAG> and tree_max_<TAG>, the trees of that type.
 *
 * Each step below is one primitive of the decomposition in ir/compose.h and rounds as that does. A piece is a few
 * rows that fit the cache; the passes over it are fused only where no rounding is lost.
 */

#define NAME(name) PASTE(PASTE(name, _), TAG)
#define ARITH(name) PASTE(PASTE(arith_, name), PASTE(_, DTYPE))

/* out[i] = exp(x[i]); out may be x. */
static void NAME(exp_all)(W *out, const W *x, int64_t n)
{
	FUN_LOOP
	for (int64_t i = 0; i < n; i++)
		out[i] = ARITH(exp)(x[i]);
}

#ifndef ROWS_ELSEWHERE
static void NAME(sub_row)(W *out, const W *x, W a, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		out[i] = x[i] - a;
}

static void NAME(div_row)(W *out, const W *x, W a, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		out[i] = x[i] / a;
}

static void NAME(normalise_row)(W *out, const W *x, W mean, W deviation, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		out[i] = (x[i] - mean) / deviation;
}
#endif

/* The tree over one row of more than one block; `how` is FOLD_SUM, FOLD_MAX or FOLD_SQUARES. */
INLINE W NAME(fold_long)(const int how, const W *x, W centre, int64_t n)
{
	const W centres[4] = {centre, centre, centre, centre};
	NAME(tree_sum) sums = {0};
	NAME(tree_max) most = {0};
	W results[4];

	for (int64_t at = 0; at < n; ) {
		bool four = n - at >= 4 * TREE_BLOCK;
		int64_t size = MIN(TREE_BLOCK, n - at), step = four ? TREE_BLOCK : 0;
		const W *p[4] = {x + at, x + at + step, x + at + 2 * step, x + at + 3 * step};

		NAME(four)(how, p, centres, size, results);
		for (int q = 0; q < (four ? 4 : 1); q++, at += size)
			if (how == FOLD_MAX)
				PASTE(NAME(tree_max), _push)(&most, results[q]);
			else
				PASTE(NAME(tree_sum), _push)(&sums, results[q]);
	}
	return how == FOLD_MAX ? PASTE(NAME(tree_max), _result)(&most) : PASTE(NAME(tree_sum), _result)(&sums);
}

/* results[r] = the tree over row r; centre[r] is subtracted for FOLD_SQUARES, otherwise not looked at. */
INLINE void NAME(fold_rows)(const int how, const W *x, int64_t step, int64_t rows, int64_t n,
		const W *centre, W *results)
{
	for (int64_t r = 0; n > TREE_BLOCK && r < rows; r++)
		results[r] = NAME(fold_long)(how, x + r * step, how == FOLD_SQUARES ? centre[r] : 0, n);
	for (int64_t r = 0; n <= TREE_BLOCK && r < rows; r += 4) {
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
			results[r + to[q]] = four[to[q]];
	}
}

static void NAME(max_rows)(const W *x, int64_t step, int64_t rows, int64_t n, W *results)
{
	NAME(fold_rows)(FOLD_MAX, x, step, rows, n, NULL, results);
}

static void NAME(sum_rows)(const W *x, int64_t step, int64_t rows, int64_t n, W *results)
{
	NAME(fold_rows)(FOLD_SUM, x, step, rows, n, NULL, results);
}

static void NAME(squares_of_rows)(const W *x, int64_t step, int64_t rows, int64_t n, const W *centre, W *results)
{
	NAME(fold_rows)(FOLD_SQUARES, x, step, rows, n, centre, results);
}

/* results[r] = sum of exp(x[i] - away[r]) over row r. */
static void NAME(sum_exp_rows)(const W *x, int64_t step, int64_t rows, int64_t n, const W *away, W *results)
{
	_Alignas(64) W buffer[PIECE_ELEMENTS];
	NAME(tree_sum) sums = {0};

	if (n <= TREE_BLOCK) {
		for (int64_t r = 0; r < rows; r++)
			NAME(sub_row)(buffer + r * n, x + r * step, away[r], n);
		NAME(exp_all)(buffer, buffer, rows * n);
		NAME(sum_rows)(buffer, n, rows, n, results);
		return;
	}
	for (int64_t at = 0; at < n; at += PIECE_ELEMENTS) {
		int64_t size = MIN(PIECE_ELEMENTS, n - at);
		W blocks[PIECE_ELEMENTS / TREE_BLOCK];
		int64_t whole = size / TREE_BLOCK, rest = size % TREE_BLOCK;

		NAME(sub_row)(buffer, x + at, away[0], size);
		NAME(exp_all)(buffer, buffer, size);
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
	for (int64_t r = 0; r < p->rows; r++)
		NAME(sub_row)(out + r * p->n, x + r * p->step, value[r], p->n);
	NAME(exp_all)(out, out, p->rows * p->n);
	NAME(sum_rows)(out, p->n, p->rows, p->n, value);
	for (int64_t r = 0; r < p->rows; r++)
		NAME(div_row)(out + r * p->n, out + r * p->n, value[r], p->n);
}

static void NAME(log_softmax)(const piece *p)
{
	const W *x = p->x;
	W *out = p->out, most[PIECE_ROWS], value[PIECE_ROWS];

	NAME(max_rows)(x, p->step, p->rows, p->n, most);
	NAME(sum_exp_rows)(x, p->step, p->rows, p->n, most, value);
	NAME(log_all)(value, p->rows);
	for (int64_t r = 0; r < p->rows; r++) {
		NAME(sub_row)(out + r * p->n, x + r * p->step, most[r], p->n);
		NAME(sub_row)(out + r * p->n, out + r * p->n, value[r], p->n);
	}
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
