/* Volatility found again from walks, its bounds, its gaps; how uneven it is; and the jump stop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>

#include "attr.h"
#include "quote_jump.h"
#include "quote_touch.h"
#include "quote_vol.h"

static double normal(void)
{
	double u = (rand() + 1.0) / ((double) RAND_MAX + 2), v = rand() / ((double) RAND_MAX + 1);
	return sqrt(-2 * log(u)) * cos(2 * M_PI * v);
}

/* A walk at ten ticks a second; each five seconds its volatility is `sigma`, or with chance `rest` nothing. */
static struct quote_state walk(double sigma, double rest, int ticks)
{
	struct quote_vol v;
	double log_p = log(1e9), now = sigma; /* so high that rounding to cents adds nothing */
	quote_vol_init(&v, 0.5, 0.001, 400);
	for (int i = 0; i < ticks; i++) {
		quote_vol_tick(&v, &(struct tick){ 1000 + 100 * i, (int64_t) exp(log_p) });
		if (i % 50 == 0)
			now = rand() / ((double) RAND_MAX + 1) < rest ? 0 : sigma;
		log_p += now * sqrt(0.1 / QUOTE_YEAR_S) * normal();
	}
	return quote_vol_state(&v);
}

static void volatility_is_found_again(void **state)
{
	(void) state;
	srand(5);
	for (double sigma = 0.25; sigma < 1.1; sigma += 0.4) {
		struct quote_state s = walk(sigma, 0, 20000);
		static const double within[QUOTE_VOLS] = { 0.5, 0.3, 0.2, 0.15 };
		for (int i = 0; i < QUOTE_VOLS; i++)
			if (fabs((double) s.vol_ppm[i] / 1e6 / sigma - 1) > within[i])
				fail_msg("half life %d s: %lld, not %g", quote_half_lives_s[i], (long long) s.vol_ppm[i], sigma);
	}
}

static void unevenness_is_nothing_for_a_steady_walk_and_grows_with_stillness(void **state)
{
	(void) state;
	srand(6);
	assert_in_range(walk(0.5, 0, 20000).uneven_ppm, 0, 120000);
	/* a part q of rest leaves E|r| / sqrt(E r^2) at sqrt(1 - q) of a steady walk's: -ln(1 - q); windows that meet both soften it */
	int64_t half = walk(0.5, 0.5, 40000).uneven_ppm, most = walk(0.5, 0.9, 40000).uneven_ppm;
	assert_in_range(half, 200000, 900000);
	assert_in_range(most, 1000000, 2800000);
}

/* A Brownian path that is seen ten times a second reaches 2 - 1.46 sqrt(0.1 / 5); one that jumps reaches as far as it gets. */
static void reach_tells_a_walk_from_jumps(void **state)
{
	(void) state;
	struct quote_vol v;
	srand(7);
	struct quote_state walks = walk(0.5, 0, 20000), rests = walk(0.5, 0.9, 40000);
	assert_in_range(walks.reach_ppm, 1720000, 1860000);
	assert_in_range(walks.idle_ppm, 0, 30000);
	assert_in_range(rests.idle_ppm, 400000, 950000);
	quote_vol_init(&v, 0.5, 0.01, 3);
	for (int i = 0; i < 40000; i++)
		quote_vol_tick(&v, &(struct tick){ 1000 + 100 * (int64_t) i, 9743000 + i / 200 % 2 * 5000 }); /* each twenty seconds */
	struct quote_state jumps = quote_vol_state(&v);
	assert_in_range(jumps.reach_ppm, QUOTE_REACH_MIN, 1010000);
	assert_in_range(jumps.idle_ppm, 720000, 780000); /* five of twenty windows meet the jump */
	quote_vol_init(&v, 0.5, 0.01, 3);
	for (int i = 0; i < 100000; i++)
		quote_vol_tick(&v, &(struct tick){ 1000 + 1000 * (int64_t) i, 9743000 });
	struct quote_state stands = quote_vol_state(&v);
	assert_in_range(stands.reach_ppm, QUOTE_REACH_MIN, QUOTE_REACH_MAX);
	assert_in_range(stands.idle_ppm, 999000, 1000000);
}

/* n ticks of one price, a second apart, from t on. */
static int64_t stand(struct quote_vol *v, int64_t t_ms, int64_t p, int n)
{
	for (int i = 0; i < n; i++)
		quote_vol_tick(v, &(struct tick){ t_ms += 1000, p });
	return t_ms;
}

static void volatility_has_bounds_and_forgets_gaps(void **state)
{
	(void) state;
	struct quote_vol v;
	quote_vol_init(&v, 0.5, 0.2, 2.0);
	for (int i = 0; i < QUOTE_VOLS; i++)
		assert_int_equal(quote_vol_state(&v).vol_ppm[i], 500000);
	assert_int_equal(quote_vol_state(&v).uneven_ppm, 0);
	int64_t t = 1000;
	for (int i = 0; i < 49; i++, t += 100)
		quote_vol_tick(&v, &(struct tick){ t, 9743000 });
	assert_int_equal(v.samples, 0); /* five seconds are not over */
	/* a jump across a gap is no return */
	t = stand(&v, t + 3100, 8000000, 5);
	assert_int_equal(v.samples, 0);
	assert_int_equal(quote_vol_state(&v).vol_ppm[0], 500000);
	/* the first sample of a still price weighs one in twenty-one, and so on */
	t = stand(&v, t, 8000000, 1);
	assert_int_equal(v.samples, 1);
	assert_int_equal(quote_vol_state(&v).vol_ppm[3], llround(5e5 * sqrt(20.0 / 21)));
	t = stand(&v, t, 8000000, 600);
	assert_int_equal(quote_vol_state(&v).vol_ppm[0], 200000); /* the floor */
	stand(&v, t, 9500000, 1);
	for (int i = 0; i < QUOTE_VOLS; i++)
		assert_int_equal(quote_vol_state(&v).vol_ppm[i], 2000000); /* the ceiling */
	assert_int_equal(v.at[v.n_at - 1].t.p_cents, 9500000);
	/* a clock that steps back begins anew */
	quote_vol_tick(&v, &(struct tick){ 500, 9743000 });
	assert_int_equal(v.n_at, 1);
}

static void half_lives_are_half_lives(void **state)
{
	(void) state;
	struct quote_vol v;
	quote_vol_init(&v, 0.5, 1e-9, 9);
	int64_t t = stand(&v, 1000, 8000000, 2000); /* so long that each sample weighs by its half life alone */
	for (int i = 0; i < QUOTE_VOLS; i++)
		v.var_per_s[i] = 1;
	stand(&v, t, 8000000, 60);
	for (int i = 0; i < QUOTE_VOLS; i++)
		if (fabs(v.var_per_s[i] - exp2(-60.0 / quote_half_lives_s[i])) > 1e-9)
			fail_msg("half life %d s: %g after a minute", quote_half_lives_s[i], v.var_per_s[i]);
}

static const struct quote_jump_rules jump_rules = { .window_ms = 1000, .sigmas = 10, .least_bp = 8, .calm_ms = 2000 };

/* At 50 % a year ten deviations of a second are 8.9 bp. */
static bool tick(struct quote_jump *j, int64_t t_ms, double bp)
{
	return quote_jump_tick(j, &(struct tick){ t_ms, llround(1e7 * (1 + bp / 1e4)) }, 500000);
}

static void a_jump_stops_and_calm_ends_it(void **state)
{
	(void) state;
	struct quote_jump j;
	quote_jump_init(&j, &jump_rules);
	int64_t t = 1000;
	for (int i = 0; i < 100; i++)
		assert_false(tick(&j, t += 100, i % 2 ? 4 : -4)); /* 8 bp to and fro is no jump */
	assert_false(tick(&j, t += 2000, 30)); /* nor is one across a gap longer than the window: who could have bet on it? */
	assert_true(tick(&j, t += 100, 39.5));
	assert_int_equal(j.stops, 1);
	/* within the window the move is still seen; after it, calm has to last */
	int64_t stopped_for = 0;
	while (tick(&j, t += 100, 39.5))
		stopped_for += 100;
	assert_int_equal(stopped_for, 900 + 2000 - 100);
	assert_int_equal(j.stops, 1);
}

/* Swings between half of a jump and a whole one begin no stop, and end none. */
static void a_stop_has_hysteresis(void **state)
{
	(void) state;
	struct quote_jump j;
	quote_jump_init(&j, &jump_rules);
	int64_t t = 1000;
	for (int i = 0; i < 300; i++)
		assert_false(tick(&j, t += 100, i % 10 < 5 ? 6 : 0));
	assert_true(tick(&j, t += 100, 15));
	for (int i = 0; i < 300; i++)
		assert_true(tick(&j, t += 100, i % 10 < 5 ? 6 : 0));
	/* the last swing was 500 ms ago and is seen for 500 ms more */
	for (int i = 0; i < 24; i++)
		assert_true(tick(&j, t += 100, 0));
	assert_false(tick(&j, t += 100, 0));
	assert_int_equal(j.stops, 1);
}

static void a_jump_is_measured_by_the_volatility_too(void **state)
{
	(void) state;
	struct quote_jump j;
	quote_jump_init(&j, &jump_rules);
	assert_false(quote_jump_tick(&j, &(struct tick){ 1000, 10000000 }, 3000000));
	assert_false(quote_jump_tick(&j, &(struct tick){ 1100, 10050000 }, 3000000)); /* 50 bp are 9.4 deviations of 300 % */
	assert_true(quote_jump_tick(&j, &(struct tick){ 1200, 10060000 }, 3000000));
	/* falls count as rises do; in a dead market the least move counts */
	quote_jump_init(&j, &jump_rules);
	assert_false(quote_jump_tick(&j, &(struct tick){ 1000, 10000000 }, 30000));
	assert_false(quote_jump_tick(&j, &(struct tick){ 1100, 9992500 }, 30000));
	assert_true(quote_jump_tick(&j, &(struct tick){ 1200, 9991900 }, 30000));
	/* never, when it is switched off; and more ticks than the ring holds are no harm */
	struct quote_jump_rules off = { .window_ms = 1000, .sigmas = 0, .least_bp = 1, .calm_ms = 0 };
	quote_jump_init(&j, &off);
	assert_false(quote_jump_tick(&j, &(struct tick){ 1000, 10000000 }, 1));
	assert_false(quote_jump_tick(&j, &(struct tick){ 1001, 20000000 }, 1));
	quote_jump_init(&j, &jump_rules);
	for (int i = 0; i < 5000; i++)
		assert_false(quote_jump_tick(&j, &(struct tick){ 1000 + i, 10000000 + i % 3 }, 500000));
	assert_in_range(j.n, 1, QUOTE_JUMP_TICKS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(volatility_is_found_again),
		cmocka_unit_test(unevenness_is_nothing_for_a_steady_walk_and_grows_with_stillness),
		cmocka_unit_test(reach_tells_a_walk_from_jumps),
		cmocka_unit_test(volatility_has_bounds_and_forgets_gaps),
		cmocka_unit_test(half_lives_are_half_lives),
		cmocka_unit_test(a_jump_stops_and_calm_ends_it),
		cmocka_unit_test(a_stop_has_hysteresis),
		cmocka_unit_test(a_jump_is_measured_by_the_volatility_too),
	};
	return cmocka_run_group_tests_name("quote_vol", tests, NULL, NULL);
}
