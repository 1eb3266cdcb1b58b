/* grid.h - columns of time, rows of price, and the rates published for them. Domain floor, pure; clocks are passed in.
 * A column is [t0, t0 + W) in whole seconds, t0 a multiple of W. A row is [low, low + H] in cents, low a multiple of H; both
 * bounds belong to the cell. Thread: any. */
#ifndef TAP_GRID_H
#define TAP_GRID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "rate.h"

enum { GRID_COLUMNS_MAX = 24, GRID_ROWS_MAX = 64, CELL_TEXT_SIZE = 64 };

struct grid_rules {
	int64_t column_s;  /* W */
	int64_t row_cents; /* H */
	int columns;       /* N placeable */
	int rows;
};

struct cell {
	int64_t t0_s;
	int64_t low_cents;
	int64_t high_cents;
};

/* `<t0>_<low>_<high>`: decimal, no sign, no leading zeros, aligned, high = low + H, low >= 0. False for anything else. */
MUST_CHECK bool cell_parse(struct cell *ret, const char *text, size_t len, const struct grid_rules *rules);
void cell_format(char out[CELL_TEXT_SIZE], const struct cell *cell);
bool cell_eq(const struct cell *a, const struct cell *b);

/* Start of the column that holds the moment. */
int64_t column_of_ms(const struct grid_rules *rules, int64_t now_ms);

enum column_state {
	COLUMN_CLOSED,    /* past, current or next: too late */
	COLUMN_PLACEABLE, /* c + 2W .. c + (N + 1)W */
	COLUMN_BEYOND     /* further than the grid reaches */
};
enum column_state column_placeable(const struct grid_rules *rules, int64_t t0_s, int64_t now_ms);
int64_t column_first_placeable(const struct grid_rules *rules, int64_t now_ms); /* c + 2W */

/* Low bound of the lowest of `rows` rows centred on the price, at least 0. */
int64_t grid_lowest(const struct grid_rules *rules, int64_t p_cents);

/* A published grid: rates[i][j] is column i's row j, row 0 the lowest. */
struct quote_grid {
	int64_t quote_id; /* grows */
	int64_t t_ms;     /* the server's clock at publication; the quote's life counts from here */
	int columns, rows;
	int64_t t0_s[GRID_COLUMNS_MAX];
	int64_t low_cents, row_cents;
	int32_t rates[GRID_COLUMNS_MAX][GRID_ROWS_MAX]; /* 1e-4; 0: closed */
};

enum grid_find {
	GRID_FOUND,
	GRID_NO_COLUMN,
	GRID_NO_ROW /* beyond the newest grid's rows */
};
enum grid_find grid_rate(const struct quote_grid *g, const struct cell *cell, struct rate *ret);

#endif
