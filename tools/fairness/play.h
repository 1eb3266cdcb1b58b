/* play.h - plays the grid over recorded ticks exactly as the product would: the same volatility, layer, jump stop, rates, path and
 * outcome, the same modules. Each cell of each grid is shown once, with what became of it. */
#ifndef FAIRNESS_PLAY_H
#define FAIRNESS_PLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "outcome.h"
#include "quote.h"
#include "quote_jump.h"
#include "tick.h"

struct play_rules {
	struct quote_rules quote;
	struct quote_jump_rules jump;
	int64_t quote_ms, quote_ttl_ms, max_gap_ms;
	int64_t from_ms, to_ms; /* grids of [from, to) in the ticks' time; ticks before them only teach the volatility */
	double vol_start, vol_floor, vol_ceiling;
};

struct play_cell {
	const struct quote_made *made;
	int column, row;
	int64_t low_cents;
	double t1_s;
	double p, plain_p;      /* the model's probability, and the plain formula's */
	int32_t rate, plain_rate;
	double plain_sigma;     /* per sqrt(year) */
	bool stopped;
	enum outcome outcome;
};
typedef void play_cb(void *u, const struct play_cell *cell);

struct play_counts {
	int64_t grids, stale, stopped; /* made; not made for want of a fresh tick; closed by the jump stop */
	int64_t columns, void_columns;
};

/* The plain formula: one volatility, the exponential mean of squared 1 s returns over a half life of 60 s. */
void play(const struct play_rules *rules, const struct quote_layer *layer, const struct tick *ticks, size_t n,
		play_cb *cb, void *u, struct play_counts *ret);

#endif
