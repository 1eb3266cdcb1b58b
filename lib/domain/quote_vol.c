#include "quote.h"

#include <math.h>

enum { SAMPLE_MS = 1000, FORGET_MS = 3000 };

void quote_vol_init(struct quote_vol *v, double start_annual, double half_life_s, double floor_annual, double ceiling_annual)
{
	*v = (struct quote_vol){
		.half_life_s = half_life_s,
		.floor = floor_annual,
		.ceiling = ceiling_annual,
		.var_per_s = start_annual * start_annual / QUOTE_YEAR_S,
	};
}

void quote_vol_tick(struct quote_vol *v, const struct tick *t)
{
	int64_t gap_ms = t->t_ms - v->last_ms;
	bool usable = v->last_cents > 0 && gap_ms >= 0 && gap_ms <= FORGET_MS;
	if (usable && gap_ms < SAMPLE_MS)
		return;
	if (usable) {
		double seconds = (double) gap_ms / 1000;
		double r = log((double) t->p_cents / (double) v->last_cents);
		double weight = 1 - exp2(-seconds / v->half_life_s);
		v->var_per_s += weight * (r * r / seconds - v->var_per_s);
		v->samples++;
	}
	v->last_ms = t->t_ms;
	v->last_cents = t->p_cents;
}

double quote_vol_annual(const struct quote_vol *v)
{
	return fmin(fmax(sqrt(v->var_per_s * QUOTE_YEAR_S), v->floor), v->ceiling);
}
