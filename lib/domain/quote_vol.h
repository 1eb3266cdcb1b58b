/* quote_vol.h - what the ticks say of the volatility. Domain floor, pure state. Thread: one owner.
 * Each second the return of the last five seconds counts: longer than the venues' noise, short enough to be many. Four
 * exponential means of its square, over half lives of 20, 60, 180 and 600 s, say how much the price moves now and how much it used
 * to; the mean of its absolute value beside the slowest says how unevenly: for normal returns of one volatility
 * E|r| / sqrt(E r^2) is sqrt(2 / pi), and it falls as the volatility varies or the price stands still between jumps.
 * Two more say how it moves, over the slowest half life. Reach is the mean range of the five seconds beside the mean of |r|: 2 for a
 * Brownian path, less when it is seen each tick, down to 1 for a price that jumps once; idle is how often five seconds changed nothing.
 * What leaves is integers, so that it can be written down and a rate be made from it again. */
#ifndef TAP_QUOTE_VOL_H
#define TAP_QUOTE_VOL_H

#include <stdint.h>

#include "tick.h"

enum { QUOTE_VOLS = 4, QUOTE_RETURN_S = 5, QUOTE_UNEVEN_MAX = 4000000, QUOTE_VOL_MAX = 1000000000, QUOTE_REACH_MIN = 1000000,
	QUOTE_REACH_MAX = 4000000 };
extern const int quote_half_lives_s[QUOTE_VOLS];

struct quote_state {
	int64_t vol_ppm[QUOTE_VOLS]; /* 1e-6 per sqrt(year), each between floor and ceiling */
	int64_t uneven_ppm;          /* -2 ln(sqrt(pi / 2) E|r| / sqrt(E r^2)), 0 to QUOTE_UNEVEN_MAX */
	int64_t reach_ppm;           /* QUOTE_REACH_MIN to QUOTE_REACH_MAX; 0 in what was logged before it was measured, then idle is too */
	int64_t idle_ppm;            /* 0 to 1000000 */
};

struct quote_vol {
	double floor, ceiling;             /* per sqrt(year) */
	double var_per_s[QUOTE_VOLS];
	double abs_per_root_s, range_per_root_s, idle; /* over the slowest half life */
	struct quote_sample {
		struct tick t;
		int64_t low_cents, high_cents; /* of the ticks since the sample before, its own included */
	} at[QUOTE_RETURN_S + 1]; /* the newest samples, oldest first */
	int64_t low_cents, high_cents; /* of the ticks since the newest sample; low 0: none */
	int n_at;
	int64_t samples;
};

/* The start counts as much as 20 seconds of ticks. */
void quote_vol_init(struct quote_vol *v, double start_annual, double floor_annual, double ceiling_annual);
/* Takes every tick; uses one about each second, forgets across a gap over 3 s. */
void quote_vol_tick(struct quote_vol *v, const struct tick *t);
struct quote_state quote_vol_state(const struct quote_vol *v);

#endif
