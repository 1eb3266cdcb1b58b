#include "quote_touch.h"

#include <math.h>
#include <stddef.h>

/* Standard deviations beyond which a cell is not reached: 2 Phi(-9) is 2e-19. */
#define OUT_OF_REACH 9.0

#define ROOT_HALF   0.70710678118654752440
#define INVERSE_TAU 0.15915494309189533577 /* 1 / (2 pi) */

static double normal_above(double x)
{
	return 0.5 * erfc(x * ROOT_HALF);
}

static double normal_below(double x)
{
	return 0.5 * erfc(-x * ROOT_HALF);
}

/* T(h, a) for 0 <= a <= 1: ten Gauss-Legendre points over [0, a] of exp(-h^2 (1 + x^2) / 2) / (1 + x^2). */
static double owens_t_small(double h, double a)
{
	static const double x[] = { 0.14887433898163121088, 0.43339539412924719080, 0.67940956829902440623,
		0.86506336668898451073, 0.97390652851717172008 };
	static const double w[] = { 0.29552422471475287017, 0.26926671930999635509, 0.21908636251598204400,
		0.14945134915058059315, 0.06667134430868813759 };
	double half = 0.5 * a, k = -0.5 * h * h, sum = 0;
	for (size_t i = 0; i < sizeof x / sizeof x[0]; i++) {
		double lo = half * (1 - x[i]), hi = half * (1 + x[i]);
		double at_lo = 1 + lo * lo, at_hi = 1 + hi * hi;
		sum += w[i] * (exp(k * at_lo) / at_lo + exp(k * at_hi) / at_hi);
	}
	return INVERSE_TAU * half * sum;
}

double owens_t(double h, double a)
{
	h = fabs(h);
	if (a < 0)
		return -owens_t(h, -a);
	if (isinf(h))
		return 0;
	if (a <= 1)
		return owens_t_small(h, a);
	/* Reflection: T(h, a) + T(ah, 1/a) = (Q(h) + Q(ah)) / 2 - Q(h) Q(ah), in upper tails so that nothing cancels. */
	double q = normal_above(h);
	if (isinf(a))
		return h > 0 ? 0.5 * q : 0.25;
	double qa = normal_above(a * h);
	return 0.5 * (q + qa) - q * qa - owens_t_small(a * h, 1 / a);
}

/* The touch probability for bounds given as log distances from the price; low may be -inf. */
static double touch_of_logs(double log_low, double log_high, double sigma_per_root_s, double t1_s, double t2_s)
{
	double s2 = sigma_per_root_s * sqrt(t2_s);
	double ka = log_low / s2, kb = log_high / s2;
	if (ka > OUT_OF_REACH || kb < -OUT_OF_REACH)
		return 0;
	double q = t1_s > 0 ? sqrt((t2_s - t1_s) / t1_s) : (double) INFINITY;
	double p = normal_below(kb) - normal_below(ka) + 2 * owens_t(ka, q) + 2 * owens_t(kb, q);
	return fmin(fmax(p, 0), 1);
}

double touch_probability(double s, double sigma_annual, double low, double high, double t1_s, double t2_s)
{
	return touch_of_logs(log(low / s), log(high / s), sigma_annual / sqrt(QUOTE_YEAR_S), t1_s, t2_s);
}

double touch_probability_ticks(double s, double sigma_annual, double low, double high, double t1_s, double t2_s,
		double tick_s)
{
	double sigma = sigma_annual / sqrt(QUOTE_YEAR_S);
	double inward = TOUCH_TICK_SHIFT * sigma * sqrt(tick_s);
	double log_low = log(low / s) + inward, log_high = log(high / s) - inward;
	if (log_low > log_high) /* a cell that is thinner than the two shifts keeps its middle */
		log_low = log_high = 0.5 * (log_low + log_high);
	return touch_of_logs(log_low, log_high, sigma, t1_s, t2_s);
}
