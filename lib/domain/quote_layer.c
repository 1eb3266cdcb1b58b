#include "quote_layer.h"

#include <math.h>

#include "quote_touch.h"

#define AHEAD_S 30.0

static const double node_at[LAYER_NODES] = { -2.8569700138728056, -1.3556261799742659, 0, 1.3556261799742659,
	2.8569700138728056 };
static const double node_weight[LAYER_NODES] = { 0.011257411327720688, 0.22207592200561266, 0.53333333333333333,
	0.22207592200561266, 0.011257411327720688 };

static double of_e6(int64_t e6)
{
	return (double) e6 / 1e6;
}

struct layer_mix layer_mix_of(const struct quote_layer *l, const struct quote_state *state, double ahead_s)
{
	struct layer_mix mix;
	double fades = pow(AHEAD_S / ahead_s, of_e6(l->fade_e6)), uneven = of_e6(state->uneven_ppm);
	double spread2 = fmin((of_e6(l->even_e6) + of_e6(l->rough_e6) * uneven) * fades, LAYER_SPREAD_MAX);
	double log_sigma = of_e6(l->scale_e6) - of_e6(l->lean_e6) * spread2;
	for (int i = 0; i < QUOTE_VOLS; i++)
		log_sigma += of_e6(l->blend_e6[i]) * log(of_e6(state->vol_ppm[i]));
	for (int k = 0; k < LAYER_NODES; k++)
		mix.sigma[k] = exp(log_sigma + sqrt(spread2) * node_at[k]);
	mix.still = fmin(of_e6(l->still_e6) * uneven * fades, LAYER_STILL_MAX);
	return mix;
}

double layer_touch(const struct layer_mix *mix, double s, double low, double high, double t1_s, double t2_s, double tick_s)
{
	double p = 0;
	for (int k = 0; k < LAYER_NODES; k++)
		p += node_weight[k] * touch_probability_ticks(s, mix->sigma[k], low, high, t1_s, t2_s, tick_s);
	return mix->still * (low <= s && s <= high) + (1 - mix->still) * p;
}
