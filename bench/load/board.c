#include "board.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "http.h"
#include "json.h"
#include "rate.h"

enum { FIRST_PLACEABLE = 2 }; /* columns behind the current one */

static bool int_of(const struct json_value *v, int64_t *ret)
{
	return v && json_int(v, ret);
}

/* The last column is left out: right after the clock's turn it is the server's a moment later than ours. */
static void take_column(struct board *b, const struct json_value *rates, int column)
{
	int row = 0;
	if (column + 1 >= b->columns)
		return;
	for (const struct json_value *v = json_first(rates); v && b->n < BOARD_CELLS_MAX; v = json_next(v), row++) {
		int64_t rate;
		if (int_of(v, &rate) && rate >= RATE_LEAST && row < GRID_ROWS_MAX)
			b->cells[b->n++] = (struct board_cell){ column, row, rate };
	}
}

static int parse(struct board *b, const char *text)
{
	_cleanup_(json_freep) struct json *j = NULL;
	const char *why;
	if (json_parse(&j, text, strlen(text), &why) != 0)
		return err_say(-EPROTO, "the grid is no JSON: %s", why);
	const struct json_value *g = json_root(j), *rows = json_get(g, "rows"), *constants = json_get(g, "constants");
	if (!int_of(json_get(rows, "low"), &b->low) || !int_of(json_get(rows, "height"), &b->height) ||
			!int_of(json_get(constants, "column_seconds"), &b->column_s) ||
			!int_of(json_get(constants, "grid_columns"), &b->columns))
		return err_say(-EPROTO, "the grid lacks its rows or constants");
	int column = 0;
	for (const struct json_value *v = json_first(json_get(g, "rates")); v; v = json_next(v))
		take_column(b, v, column++);
	return b->n > 0 ? 0 : err_say(-EAGAIN, "no cell is open");
}

/* A cell closes when the price comes near as well as when it goes away: those in between stay open longest. */
static int64_t unsure(const struct board_cell *c)
{
	const int64_t between = 2 * RATE_ONE;
	return c->rate > between ? c->rate * RATE_ONE / between : between * RATE_ONE / c->rate;
}

static int by_sureness(const void *a, const void *b)
{
	int64_t x = unsure(a), y = unsure(b);
	return (x > y) - (x < y);
}

int board_read(struct board *ret, const char *api)
{
	static char text[HTTP_REPLY_MAX];
	unsigned status;
	*ret = (struct board){ 0 };
	int r = http_once(api, "GET /api/v1/grid HTTP/1.1\r\nHost: bench\r\n\r\n", 5000, &status, text, sizeof text);
	if (r < 0)
		return err_trace(r);
	if (status != 200)
		return err_say(-EPROTO, "grid: status %u %.200s", status, text);
	r = parse(ret, text);
	if (r == 0)
		qsort(ret->cells, ret->n, sizeof ret->cells[0], by_sureness);
	return err_trace(r);
}

static int64_t first_placeable(const struct board *b, int64_t s)
{
	return (s / b->column_s + FIRST_PLACEABLE) * b->column_s;
}

int64_t board_column(const struct board *b, int64_t at_s, int64_t behind)
{
	return first_placeable(b, at_s) + behind * b->column_s;
}

bool board_deal(const struct board *b, const struct deal *d, struct hand *hand, struct cell *ret)
{
	int64_t base = first_placeable(b, d->base_s), from = first_placeable(b, d->early_s), least = first_placeable(b, d->late_s);
	size_t sure = b->n / 3 + 1; /* players begin at different cells, so that one batch spreads over many */
	for (size_t i = 0; i < b->n; i++) {
		const struct board_cell *c = &b->cells[i < sure ? (d->player + d->round + i) % sure : i];
		int64_t t0 = from + c->column * b->column_s, ahead = (t0 - base) / b->column_s;
		uint64_t bit = UINT64_C(1) << c->row;
		if (t0 < least || (d->only_s && t0 != d->only_s) || ahead >= BOARD_AHEAD_MAX || (hand && hand->rows[ahead] & bit))
			continue;
		if (hand)
			hand->rows[ahead] |= bit;
		int64_t low = b->low + c->row * b->height;
		*ret = (struct cell){ t0, low, low + b->height };
		return true;
	}
	return false;
}
