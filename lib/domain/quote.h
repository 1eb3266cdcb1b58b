/* quote.h - volatility, the touch probability of a cell, its rate. Domain floor, pure. Floating point stays in here: what
 * leaves is an integer rate; money never meets a double.
 * Model: driftless Brownian log price: where it is at t1, then first passage to the nearer bound, in closed form with Owen's T
 * function. The tick shift moves both bounds inward by 0.5826 * sigma * sqrt(tick) (Broadie, Glasserman, Kou 1997).
 * Thread: pure functions any; struct quote_vol one owner. */
#ifndef TAP_QUOTE_H
#define TAP_QUOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "grid.h"
#include "tick.h"

#define QUOTE_YEAR_S 31536000.0

/* Owen's T(h, a), error about 1e-14. */
double owens_t(double h, double a);

/* Probability that the path starting at s touches [low, high] during [t1, t2] seconds from now, watched continuously.
 * sigma per sqrt(year); prices in one unit, positive; 0 <= t1 < t2. */
double touch_probability(double s, double sigma_annual, double low, double high, double t1_s, double t2_s);

/* The same for a path watched each tick_s seconds: bounds shifted inward, to the middle where they would cross. */
double touch_probability_ticks(double s, double sigma_annual, double low, double high, double t1_s, double t2_s,
		double tick_s);

/* EWMA of squared 1 s log returns, between a floor and a ceiling (per sqrt(year)). */
struct quote_vol {
	double half_life_s, floor, ceiling;
	double var_per_s;
	int64_t last_ms;
	int64_t last_cents;
	int64_t samples;
};

void quote_vol_init(struct quote_vol *v, double start_annual, double half_life_s, double floor_annual, double ceiling_annual);
/* Takes every tick; uses one about each second, forgets across a gap over 3 s. */
void quote_vol_tick(struct quote_vol *v, const struct tick *t);
double quote_vol_annual(const struct quote_vol *v);

struct quote_rules {
	struct grid_rules grid;
	int64_t margin_bp;   /* 500 */
	int64_t max_rate_e4; /* 200000 */
	int64_t min_p_ppm;   /* 40000 */
	int64_t tick_ms;     /* 100 */
};

/* rate = floor(10000 * (1 - margin) / p), 0 when closed: p below the least, or the rate under 10100; at most max_rate. */
int32_t quote_rate(const struct quote_rules *rules, double p);

/* A rate at which the least stake would take all of `room`; INT32_MAX for more than that. */
int32_t quote_room(struct money room, struct money least_stake);

/* Skews the rates down by what the house has taken already. room: for its cells, as rates, what quote_room says of the room that
 * is left; empty_e4: the same with no bets. Down to a fifth less where nothing is left; a cell that could not pay the least
 * stake is closed. Cells that room does not know stay. */
void quote_skew(struct quote_grid *g, const struct quote_grid *room, int32_t empty_e4);

/* Fills *ret for the moment now_ms and the price; quote_id is the caller's. */
void quote_fill(struct quote_grid *ret, const struct quote_rules *rules, int64_t quote_id, int64_t now_ms, int64_t p_cents,
		double sigma_annual);

#endif
