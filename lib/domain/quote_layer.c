#include "quote_layer.h"

#include <math.h>

#include "quote_touch.h"

#define AHEAD_S  30.0
#define IDLE_MAX 0.98 /* of a price that never moves the moves are unknown */

static const double node_at[LAYER_NODES] = { -2.8569700138728056, -1.3556261799742659, 0, 1.3556261799742659,
	2.8569700138728056 };
static const double node_weight[LAYER_NODES] = { 0.011257411327720688, 0.22207592200561266, 0.53333333333333333,
	0.22207592200561266, 0.011257411327720688 };

static double of_e6(int64_t e6)
{
	return (double) e6 / 1e6;
}

/* What a form makes of the state, before the coefficients that all forms share. */
struct shape {
	double uneven, still, pause_s, log_sigma;
};

static struct shape shape_of_one(const struct quote_layer *l, const struct quote_state *state, double fades)
{
	double uneven = of_e6(state->uneven_ppm);
	return (struct shape){ .uneven = uneven, .still = fmin(of_e6(l->still_e6) * uneven * fades, LAYER_STILL_MAX) };
}

/* Of a Brownian path seen each dt the range is less by 2 * 0.5826 sigma sqrt(dt), beside E|r| = sigma sqrt(2 / pi * 5 s). */
static double pause_of(const struct quote_state *state)
{
	double less = state->reach_ppm ? fmax(2 - of_e6(state->reach_ppm), 0) / (2 * TOUCH_TICK_SHIFT * QUOTE_ROOT_HALF_PI) : 0;
	return QUOTE_RETURN_S * less * less;
}

static struct shape shape_of_two(const struct quote_layer *l, const struct quote_state *state, double ahead_s)
{
	double idle = of_e6(state->idle_ppm), moves = fmax(1 - idle, 1 - IDLE_MAX);
	double still = fmin(pow(idle, of_e6(l->still_e6) * ahead_s / QUOTE_RETURN_S), LAYER_STILL_MAX);
	return (struct shape){
		.uneven = fmax(of_e6(state->uneven_ppm) + log(moves), 0),
		.still = still,
		.pause_s = of_e6(l->pause_e6) * pause_of(state),
		.log_sigma = -0.5 * log(1 - still) - of_e6(l->bounce_e6) * idle * log(ahead_s / QUOTE_RETURN_S),
	};
}

struct layer_mix layer_mix_of(const struct quote_layer *l, const struct quote_state *state, double ahead_s)
{
	struct layer_mix mix;
	double fades = pow(AHEAD_S / ahead_s, of_e6(l->fade_e6));
	struct shape shape = l->form == 2 ? shape_of_two(l, state, ahead_s) : shape_of_one(l, state, fades);
	double spread2 = fmin((of_e6(l->even_e6) + of_e6(l->rough_e6) * shape.uneven) * fades, LAYER_SPREAD_MAX);
	double log_sigma = of_e6(l->scale_e6) - of_e6(l->lean_e6) * spread2;
	for (int i = 0; i < QUOTE_VOLS; i++)
		log_sigma += of_e6(l->blend_e6[i]) * log(of_e6(state->vol_ppm[i]));
	for (int k = 0; k < LAYER_NODES; k++)
		mix.sigma[k] = exp(log_sigma + shape.log_sigma + sqrt(spread2) * node_at[k]);
	mix.still = shape.still;
	mix.pause_s = shape.pause_s;
	return mix;
}

double layer_touch(const struct layer_mix *mix, double s, double low, double high, double t1_s, double t2_s, double tick_s)
{
	double p = 0, seen_s = fmax(tick_s, mix->pause_s);
	for (int k = 0; k < LAYER_NODES; k++)
		p += node_weight[k] * touch_probability_ticks(s, mix->sigma[k], low, high, t1_s, t2_s, seen_s);
	return mix->still * (low <= s && s <= high) + (1 - mix->still) * p;
}
