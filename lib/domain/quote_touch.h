/* quote_touch.h - the touch probability of a cell in closed form. Domain floor, pure. Thread: any.
 * Model: driftless Brownian log price: where it is at t1, then first passage to the nearer bound, with Owen's T function. The
 * tick shift moves both bounds inward by 0.5826 * sigma * sqrt(tick) (Broadie, Glasserman, Kou 1997).
 * Over all rows of height H the sum is 1 + E[range of the column] / H, whenever the column begins. */
#ifndef TAP_QUOTE_TOUCH_H
#define TAP_QUOTE_TOUCH_H

#define QUOTE_YEAR_S       31536000.0
#define QUOTE_ROOT_HALF_PI 1.25331413731550025121 /* E|x| of a normal x is 1 / this */

/* Shift of a bound for a path that is seen at ticks alone, in standard deviations of one tick: -zeta(1/2) / sqrt(2 pi). */
#define TOUCH_TICK_SHIFT 0.5826

/* Owen's T(h, a), error about 1e-14. */
double owens_t(double h, double a);

/* Probability that the path starting at s touches [low, high] during [t1, t2] seconds from now, watched continuously.
 * sigma per sqrt(year); prices in one unit, positive; 0 <= t1 < t2. */
double touch_probability(double s, double sigma_annual, double low, double high, double t1_s, double t2_s);

/* The same for a path watched each tick_s seconds: bounds shifted inward, to the middle where they would cross. */
double touch_probability_ticks(double s, double sigma_annual, double low, double high, double t1_s, double t2_s,
		double tick_s);

#endif
