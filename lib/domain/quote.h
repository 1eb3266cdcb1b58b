/* quote.h - the rate of a cell, and the grid of them. Domain floor, pure. Thread: any.
 * Floating point stays in here: what goes in and what leaves are integers, so that a grid can be made again from what was written
 * down of it (quote_log), and money never meets a double. */
#ifndef TAP_QUOTE_H
#define TAP_QUOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "grid.h"
#include "quote_layer.h"
#include "quote_touch.h"
#include "quote_vol.h"

struct quote_rules {
	struct grid_rules grid;
	int64_t margin_bp;   /* 500 */
	int64_t max_rate_e4; /* 200000 */
	int64_t min_p_ppm;   /* 40000 */
	int64_t tick_ms;     /* 100 */
};

/* rate = floor(10000 * (1 - margin) / p), 0 when closed: p below the least, or the rate under 10100; at most max_rate. */
int32_t quote_rate(const struct quote_rules *rules, double p);

/* The house's exposure lowers a rate in so many steps, the last of which is a fifth off; what is full is closed. */
enum { QUOTE_SKEW_STEPS = 64, QUOTE_SKEW_CLOSED = 255 };

/* All that the rates of a grid follow from, but for the layer's coefficients, which it names. */
struct quote_made {
	struct quote_rules rules;
	uint8_t layer[LAYER_ID_SIZE];
	int64_t quote_id, t_ms, p_cents;
	struct quote_state state;
	bool stopped; /* by the jump stop: every cell is closed */
	uint8_t skew[GRID_COLUMNS_MAX][GRID_ROWS_MAX]; /* steps, or QUOTE_SKEW_CLOSED */
};

/* The grid of *made. The layer is the one that it names. */
void quote_fill(struct quote_grid *ret, const struct quote_made *made, const struct quote_layer *layer);

/* One cell of that grid, told in full: rate = unskewed less floor(unskewed * skew / QUOTE_SKEW_WHOLE), or 0 when it is closed. */
enum { QUOTE_SKEW_WHOLE = 5 * QUOTE_SKEW_STEPS };
struct quote_cell {
	int64_t touch_ppb;    /* the probability of a touch, rounded: what the rate is made from is not */
	int32_t unskewed_e4;
	uint8_t skew;         /* steps, or QUOTE_SKEW_CLOSED */
	int32_t rate_e4;
};
/* False when the grid has no such cell. */
MUST_CHECK bool quote_cell(struct quote_cell *ret, const struct quote_made *made, const struct quote_layer *layer, const struct cell *cell);

/* A rate at which the least stake would take all of `room`; INT32_MAX for more than that. */
int32_t quote_room(struct money room, struct money least_stake);

/* Skews the rates of *g, filled from *made, down by what the house has taken already, and notes in made->skew how. room: for its
 * cells, as rates, what quote_room says of the room that is left; empty_e4: the same with no bets. A cell that could not pay the
 * least stake is closed. Cells that room does not know stay. quote_fill of the *made that results gives *g again. */
void quote_skew(struct quote_grid *g, struct quote_made *made, const struct quote_grid *room, int32_t empty_e4);

#endif
