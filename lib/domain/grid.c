#include "grid.h"

#include <inttypes.h>
#include <stdio.h>

#include "check.h"

/* A start beyond this many seconds has no id (48 bits of milliseconds) and could overflow when scaled to ms. */
#define T0_MAX_S (((int64_t) 1 << 48) / 1000)

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

/* Reads the digits at *at, up to the end or the first other character. */
static bool read_number(int64_t *ret, const char *text, size_t len, size_t *at)
{
	size_t start = *at;
	int64_t v = 0;
	for (; *at < len && text[*at] >= '0' && text[*at] <= '9'; ++*at) {
		if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, text[*at] - '0', &v))
			return false;
	}
	if (*at == start || (text[start] == '0' && *at - start > 1))
		return false;
	*ret = v;
	return true;
}

static bool skip_underscore(const char *text, size_t len, size_t *at)
{
	if (*at >= len || text[*at] != '_')
		return false;
	++*at;
	return true;
}

bool cell_parse(struct cell *ret, const char *text, size_t len, const struct grid_rules *rules)
{
	struct cell c;
	size_t at = 0;
	int64_t high;

	if (!read_number(&c.t0_s, text, len, &at) || !skip_underscore(text, len, &at) ||
			!read_number(&c.low_cents, text, len, &at) || !skip_underscore(text, len, &at) ||
			!read_number(&c.high_cents, text, len, &at) || at != len)
		return false;
	if (c.t0_s > T0_MAX_S || c.t0_s % rules->column_s != 0 || c.low_cents % rules->row_cents != 0)
		return false;
	if (__builtin_add_overflow(c.low_cents, rules->row_cents, &high) || c.high_cents != high)
		return false;
	*ret = c;
	return true;
}

void cell_format(char out[CELL_TEXT_SIZE], const struct cell *cell)
{
	int n = snprintf(out, CELL_TEXT_SIZE, "%" PRId64 "_%" PRId64 "_%" PRId64, cell->t0_s, cell->low_cents,
			cell->high_cents);
	CHECK(n > 0 && n < CELL_TEXT_SIZE);
}

bool cell_eq(const struct cell *a, const struct cell *b)
{
	return a->t0_s == b->t0_s && a->low_cents == b->low_cents && a->high_cents == b->high_cents;
}

int64_t column_of_ms(const struct grid_rules *rules, int64_t now_ms)
{
	return floor_div(now_ms, rules->column_s * 1000) * rules->column_s;
}

int64_t column_first_placeable(const struct grid_rules *rules, int64_t now_ms)
{
	return column_of_ms(rules, now_ms) + 2 * rules->column_s;
}

enum column_state column_placeable(const struct grid_rules *rules, int64_t t0_s, int64_t now_ms)
{
	int64_t first = column_first_placeable(rules, now_ms);
	if (t0_s < first)
		return COLUMN_CLOSED;
	if (t0_s > first + (rules->columns - 1) * rules->column_s)
		return COLUMN_BEYOND;
	return COLUMN_PLACEABLE;
}

/* The multiple of H that brings the middle of the rows nearest to the price: with an odd count the price stands in the middle
 * row, with an even one within half a row of the middle bound. */
int64_t grid_lowest(const struct grid_rules *rules, int64_t p_cents)
{
	int64_t h = rules->row_cents;
	int64_t low = floor_div(2 * p_cents - (rules->rows - 1) * h, 2 * h) * h;
	return low > 0 ? low : 0;
}

enum grid_find grid_rate(const struct quote_grid *g, const struct cell *cell, struct rate *ret)
{
	int column = 0;
	while (column < g->columns && g->t0_s[column] != cell->t0_s)
		column++;
	if (column == g->columns)
		return GRID_NO_COLUMN;
	if (cell->low_cents < g->low_cents || (cell->low_cents - g->low_cents) % g->row_cents != 0 ||
			cell->high_cents - cell->low_cents != g->row_cents)
		return GRID_NO_ROW;
	int64_t row = (cell->low_cents - g->low_cents) / g->row_cents;
	if (row >= g->rows)
		return GRID_NO_ROW;
	ret->e4 = g->rates[column][row];
	return GRID_FOUND;
}
