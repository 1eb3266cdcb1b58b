#include "quote_vol.h"

#include <math.h>

#include "quote_touch.h"

enum { SAMPLE_MS = 1000, FORGET_MS = 3000, START_S = 20 };

#define REACH_START 1.5 /* between a walk and a jump */

const int quote_half_lives_s[QUOTE_VOLS] = { 20, 60, 180, 600 };

void quote_vol_init(struct quote_vol *v, double start_annual, double floor_annual, double ceiling_annual)
{
	*v = (struct quote_vol){ .floor = floor_annual, .ceiling = ceiling_annual };
	double var = start_annual * start_annual / QUOTE_YEAR_S;
	for (int i = 0; i < QUOTE_VOLS; i++)
		v->var_per_s[i] = var;
	v->abs_per_root_s = sqrt(var) / QUOTE_ROOT_HALF_PI;
	v->range_per_root_s = REACH_START * v->abs_per_root_s;
}

/* The weight of a sample that stands for so many seconds; in the beginning every one counts alike. */
static double weight_of(const struct quote_vol *v, int half_life_s, double seconds)
{
	return fmax(1 - exp2(-seconds / half_life_s), seconds / (START_S + (double) v->samples));
}

static double range_of(const struct quote_vol *v)
{
	int64_t low = v->at[0].t.p_cents, high = low;
	for (int i = 1; i <= QUOTE_RETURN_S; i++) {
		low = v->at[i].low_cents < low ? v->at[i].low_cents : low;
		high = v->at[i].high_cents > high ? v->at[i].high_cents : high;
	}
	return log((double) high / (double) low);
}

/* The sample's return is that since QUOTE_RETURN_S samples ago. */
static void take_return(struct quote_vol *v)
{
	const struct tick *first = &v->at[0].t, *last = &v->at[QUOTE_RETURN_S].t;
	double seconds = (double) (last->t_ms - first->t_ms) / 1000;
	double since = (double) (last->t_ms - v->at[QUOTE_RETURN_S - 1].t.t_ms) / 1000;
	double r = log((double) last->p_cents / (double) first->p_cents), weight = 0;
	v->samples++;
	for (int i = 0; i < QUOTE_VOLS; i++) {
		weight = weight_of(v, quote_half_lives_s[i], since);
		v->var_per_s[i] += weight * (r * r / seconds - v->var_per_s[i]);
	}
	v->abs_per_root_s += weight * (fabs(r) / sqrt(seconds) - v->abs_per_root_s);
	v->range_per_root_s += weight * (range_of(v) / sqrt(seconds) - v->range_per_root_s);
	v->idle += weight * ((first->p_cents == last->p_cents) - v->idle);
}

static void widen(struct quote_vol *v, int64_t p_cents)
{
	v->low_cents = v->low_cents == 0 || p_cents < v->low_cents ? p_cents : v->low_cents;
	v->high_cents = p_cents > v->high_cents ? p_cents : v->high_cents;
}

void quote_vol_tick(struct quote_vol *v, const struct tick *t)
{
	int64_t gap_ms = v->n_at ? t->t_ms - v->at[v->n_at - 1].t.t_ms : 0;
	widen(v, t->p_cents);
	if (v->n_at && gap_ms >= 0 && gap_ms < SAMPLE_MS)
		return;
	if (gap_ms < 0 || gap_ms > FORGET_MS)
		v->n_at = 0;
	if (v->n_at == QUOTE_RETURN_S + 1) {
		for (int i = 0; i < QUOTE_RETURN_S; i++)
			v->at[i] = v->at[i + 1];
		v->n_at--;
	}
	v->at[v->n_at++] = (struct quote_sample){ *t, v->low_cents, v->high_cents };
	v->low_cents = v->high_cents = 0;
	if (v->n_at == QUOTE_RETURN_S + 1)
		take_return(v);
}

struct quote_state quote_vol_state(const struct quote_vol *v)
{
	struct quote_state s;
	for (int i = 0; i < QUOTE_VOLS; i++) {
		double annual = sqrt(v->var_per_s[i] * QUOTE_YEAR_S);
		s.vol_ppm[i] = llround(fmin(fmax(annual, v->floor), v->ceiling) * 1e6);
	}
	double even = QUOTE_ROOT_HALF_PI * v->abs_per_root_s / sqrt(v->var_per_s[QUOTE_VOLS - 1]);
	double uneven = even > 0 ? fmax(-2e6 * log(even), 0) : QUOTE_UNEVEN_MAX;
	s.uneven_ppm = uneven < QUOTE_UNEVEN_MAX ? llround(uneven) : QUOTE_UNEVEN_MAX;
	double reach = v->abs_per_root_s > 0 ? 1e6 * v->range_per_root_s / v->abs_per_root_s : QUOTE_REACH_MIN;
	s.reach_ppm = llround(fmin(fmax(reach, QUOTE_REACH_MIN), QUOTE_REACH_MAX));
	s.idle_ppm = llround(fmin(fmax(v->idle, 0), 1) * 1e6);
	return s;
}
