/* Quotes: Owen's T, the touch probability against its vectors, rates, the grid. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "attr.h"
#include "layer.h"
#include "quote.h"

static const struct quote_rules rules = {
	.grid = { .column_s = 5, .row_cents = 2000, .columns = 12, .rows = 24 },
	.margin_bp = 500, .max_rate_e4 = 200000, .min_p_ppm = 40000, .tick_ms = 100,
};

static void near(double got, double want, double within, const char *what)
{
	if (!(fabs(got - want) <= within))
		fail_msg("%s: %.15g, not %.15g", what, got, want);
}

static void owens_t_matches_its_vectors(void **state)
{
	(void) state;
	static const double at[][3] = {
		{ 0, 1, 0.125 }, { .5, .5, 0.06448860284750374 }, { 1, 2, 0.07846818699308411 },
		{ 2, .25, 0.0050681742771624145 }, { 3, 1.5, 0.0006749475615246685 }, { .1, 10, 0.22679969643349898 },
	};
	for (size_t i = 0; i < ARRAY_LEN(at); i++) {
		near(owens_t(at[i][0], at[i][1]), at[i][2], 2e-14, "T(h, a)");
		near(owens_t(-at[i][0], at[i][1]), at[i][2], 2e-14, "T is even in h");
		near(owens_t(at[i][0], -at[i][1]), -at[i][2], 2e-14, "T is odd in a");
	}
	near(owens_t(1.3, 0), 0, 0, "T(h, 0)");
	near(owens_t(1.3, INFINITY), 0.25 * erfc(1.3 / sqrt(2)), 1e-16, "T(h, inf)");
	near(owens_t(0, INFINITY), 0.25, 0, "T(0, inf)");
	near(owens_t(INFINITY, 3), 0, 0, "T(inf, a)");
	/* T(h, 1) = Phi(h) Phi(-h) / 2, where the two branches meet */
	for (double h = 0; h < 10; h += 0.01) {
		double above = 0.5 * erfc(h / sqrt(2));
		near(owens_t(h, 1), 0.5 * above * (1 - above), 2e-14, "T(h, 1)");
		near(owens_t(h, 1 + 1e-13), owens_t(h, 1), 1e-13, "the branches meet");
	}
}

/* Reads the rows of a vector file: n numbers each, the header skipped. */
static size_t read_vectors(const char *name, size_t n, double out[][12], size_t max)
{
	char path[512], line[512];
	size_t rows = 0;
	(void) snprintf(path, sizeof path, "%s/data/%s", TAP_SOURCE_DIR, name);
	FILE *f = fopen(path, "r");
	assert_non_null(f);
	assert_non_null(fgets(line, sizeof line, f));
	while (rows < max && fgets(line, sizeof line, f)) {
		char *at = line;
		for (size_t i = 0; i < n; i++, at++) {
			out[rows][i] = strtod(at, &at);
			assert_true(*at == (i + 1 < n ? ',' : '\n'));
		}
		rows++;
	}
	(void) fclose(f);
	return rows;
}

static void touches_match_the_quadrature(void **state)
{
	(void) state;
	double v[64][12];
	size_t n = read_vectors("touch_vectors.csv", 9, v, ARRAY_LEN(v));
	assert_int_equal(n, 28);
	for (size_t i = 0; i < n; i++) {
		double p = touch_probability(v[i][0], v[i][1], v[i][2], v[i][3], v[i][4], v[i][5]);
		near(p, v[i][6], 1e-9, "closed form against quadrature");
		near(p, v[i][7], 5 * v[i][8], "closed form against simulation");
	}
}

/* The shift is of first order in the standard deviation of one tick, so what it leaves over grows as a cell gets thin beside
 * that deviation. At 100 ms, which the product runs at, the vectors' cells are four deviations high and more, and the rest is
 * under 0.002 by both rules. At 1 s some are but one deviation high: there the straight line between ticks, which is the
 * game's rule, is met to 0.02, and a path of points alone is another game. */
static void ticks_match_the_simple_shift(void **state)
{
	(void) state;
	double v[64][12];
	size_t n = read_vectors("touch_discrete_vectors.csv", 12, v, ARRAY_LEN(v));
	assert_int_equal(n, 13);
	for (size_t i = 0; i < n; i++) {
		double tick_s = v[i][5];
		double p = touch_probability_ticks(100000, v[i][0], v[i][1], v[i][2], v[i][3], v[i][4], tick_s);
		near(touch_probability(100000, v[i][0], v[i][1], v[i][2], v[i][3], v[i][4]), v[i][6], 5.1e-7, "continuous");
		near(p, v[i][11], 5.1e-7, "the shift as published");
		near(p, v[i][8], tick_s < 0.5 ? 0.002 : 0.02, "line rule");
		if (tick_s < 0.5)
			near(p, v[i][7], 0.002, "point rule");
	}
}

/* Over all rows p sums to one, for the row where the path starts, and one for each row it moves into: 1 + E[range] / H, with
 * E[range] = sigma sqrt(8 W / pi), whenever the column begins. */
static void touches_sum_to_the_expected_range(void **state)
{
	(void) state;
	const double s = 9743000, h = 2000, sigma = 0.5;
	const double range = s * sigma * sqrt(8 * 5 / (M_PI * QUOTE_YEAR_S));
	for (double t1 = 0; t1 < 100; t1 += 9.7) {
		double sum = 0; /* over 64 places of the price within its row, since near columns feel it */
		for (double low = s - 1000 - 400 * h; low < s + 400 * h; low += h / 64)
			sum += touch_probability(s, sigma, low, low + h, t1, t1 + 5);
		near(sum / 64, 1 + range / h, 1e-4, "sum over rows");
	}
}

static void a_path_that_starts_in_the_cell_touches_it(void **state)
{
	(void) state;
	near(touch_probability(100, 0.5, 99, 101, 0, 5), 1, 1e-15, "inside, from now");
	near(touch_probability(100, 0.5, 100, 101, 0, 5), 1, 1e-15, "on the bound, from now");
	/* from outside, from now: the reflection principle, 2 Phi(-k) */
	double k = log(100.05 / 100) / (0.5 * sqrt(5 / QUOTE_YEAR_S));
	near(touch_probability(100, 0.5, 100.05, 101, 0, 5), erfc(k / sqrt(2)), 1e-12, "below, from now");
	near(touch_probability(100, 0.5, 99, 100 / 1.0005, 0, 5), erfc(k / sqrt(2)), 1e-12, "above, from now");
	near(touch_probability(100, 0.5, 100.05, 101, 1e-9, 5), erfc(k / sqrt(2)), 1e-5, "t1 = 0 is the limit");
	near(touch_probability(100, 0.5, 0, 1e9, 10, 15), 1, 1e-14, "everything");
	near(touch_probability(100, 0.5, 1, 2, 10, 15), 0, 1e-14, "far below");
}

static void rates_are_floors_and_close(void **state)
{
	(void) state;
	static const struct { double p; int32_t rate; } at[] = {
		{ 0.5, 19000 }, { 0.3, 31666 }, { 0.04, 200000 }, { 0.0475, 200000 }, { 0.05, 190000 }, { 0.0399999, 0 },
		{ 0.9405, 10101 }, { 0.9406, 0 }, { 0.95, 0 }, { 1, 0 }, { 0, 0 }, { -0.1, 0 }, { NAN, 0 },
	};
	for (size_t i = 0; i < ARRAY_LEN(at); i++)
		assert_int_equal(quote_rate(&rules, at[i].p), at[i].rate);
	struct quote_rules free_rules = rules;
	free_rules.min_p_ppm = 0;
	assert_int_equal(quote_rate(&free_rules, 0), 0);
	assert_int_equal(quote_rate(&free_rules, 1e-300), 200000);
}

/* The released layer, and a quote of it. */
static struct quote_layer layer;

static struct quote_made quote_at(int64_t t_ms, int64_t p_cents)
{
	struct quote_made m = { .rules = rules, .quote_id = 42, .t_ms = t_ms, .p_cents = p_cents,
		.state = { .vol_ppm = { 450000, 500000, 550000, 500000 }, .uneven_ppm = 300000 } };
	if (layer_open(&layer, "") != 0)
		fail_msg("no layer");
	memcpy(m.layer, layer.id, sizeof m.layer);
	return m;
}

static void a_grid_holds_the_placeable_columns(void **state)
{
	(void) state;
	static struct quote_grid g;
	const int64_t now = 1771234567890, p = 9743210;
	struct quote_made m = quote_at(now, p);
	quote_fill(&g, &m, &layer);
	assert_int_equal(g.quote_id, 42);
	assert_int_equal(g.t_ms, now);
	assert_int_equal(g.columns, 12);
	assert_int_equal(g.rows, 24);
	assert_int_equal(g.row_cents, 2000);
	assert_int_equal(g.low_cents, grid_lowest(&rules.grid, p));
	unsigned open = 0;
	for (int i = 0; i < g.columns; i++) {
		assert_int_equal(g.t0_s[i], 1771234575 + 5 * i);
		assert_int_equal(column_placeable(&rules.grid, g.t0_s[i], now), COLUMN_PLACEABLE);
		double t1 = (double) (g.t0_s[i] * 1000 - now) / 1000;
		struct layer_mix mix = layer_mix_of(&layer, &m.state, t1 + 2.5);
		for (int j = 0; j < g.rows; j++) {
			double low = (double) (g.low_cents + j * 2000);
			double touch = layer_touch(&mix, (double) p, low, low + 2000, t1, t1 + 5, 0.1);
			assert_int_equal(g.rates[i][j], quote_rate(&rules, touch));
			open += g.rates[i][j] != 0;
		}
	}
	assert_in_range(open, 20, 12 * 24);
	m.stopped = true;
	quote_fill(&g, &m, &layer);
	for (int i = 0; i < g.columns; i++)
		for (int j = 0; j < g.rows; j++)
			assert_int_equal(g.rates[i][j], 0);
	/* a price near zero: the lowest row begins at nothing */
	m = quote_at(now, 1500);
	quote_fill(&g, &m, &layer);
	assert_int_equal(g.low_cents, 0);
	for (int i = 0; i < g.columns; i++)
		for (int j = 0; j < g.rows; j++)
			assert_in_range(g.rates[i][j], 0, 200000);
}

/* What a player is paid on the average, were the model true, is never more than his stake. */
static void no_cell_is_worth_more_than_its_stake(void **state)
{
	(void) state;
	static struct quote_grid g;
	srand(11);
	for (int turn = 0; turn < 200; turn++) {
		struct quote_made m = quote_at(1771234560000 + rand() % 5000, 100000 + rand() % 20000000);
		for (int i = 0; i < QUOTE_VOLS; i++)
			m.state.vol_ppm[i] = 30000 + rand() % 2970000;
		m.state.uneven_ppm = rand() % QUOTE_UNEVEN_MAX;
		quote_fill(&g, &m, &layer);
		for (int i = 0; i < g.columns; i++) {
			double t1 = (double) (g.t0_s[i] * 1000 - m.t_ms) / 1000;
			struct layer_mix mix = layer_mix_of(&layer, &m.state, t1 + 2.5);
			for (int j = 0; j < g.rows; j++) {
				double low = (double) (g.low_cents + j * 2000);
				double p = layer_touch(&mix, (double) m.p_cents, low, low + 2000, t1, t1 + 5, 0.1);
				assert_true(p >= 0 && p <= 1);
				assert_true(g.rates[i][j] == 0 || p >= 0.04);
				if (p * g.rates[i][j] > 9500.000001)
					fail_msg("p %.9f at a rate of %d", p, g.rates[i][j]);
			}
		}
	}
}

static void what_the_house_took_skews_and_closes(void **state)
{
	(void) state;
	const struct money dollar = { 1000000 };
	assert_int_equal(quote_room(money_of(25000 * dollar.micros), dollar), 250000000);
	assert_int_equal(quote_room(money_of(INT64_MAX), dollar), INT32_MAX);
	assert_int_equal(quote_room(money_of(0), dollar), 0);
	struct quote_grid g = { .columns = 2, .rows = 4, .t0_s = { 10, 15 }, .low_cents = 2000, .row_cents = 2000,
		.rates = { { 20000, 20000, 20000, 0 }, { 12000, 10100, 20000, 20000 } } };
	struct quote_grid room = { .columns = 2, .rows = 3, .t0_s = { 10, 15 }, .low_cents = 2000, .row_cents = 2000,
		.rates = { { 100000, 50000, 17000, 0 }, { 19999, 50000, 0 } } };
	static struct quote_made m;
	quote_skew(&g, &m, &room, 100000);
	/* nothing, half, 53 of 64 steps; the fourth row was closed and stays; room for no stake, and what room does not know */
	const int32_t want[2][4] = { { 20000, 18000, 16688, 0 }, { 0, 0, 0, 20000 } };
	const uint8_t steps[2][4] = { { 0, 32, 53, 0 }, { 51, 32, QUOTE_SKEW_CLOSED, 0 } };
	for (int i = 0; i < 2; i++)
		for (int j = 0; j < 4; j++) {
			assert_int_equal(g.rates[i][j], want[i][j]);
			assert_int_equal(m.skew[i][j], steps[i][j]);
		}
	g.rates[0][0] = 20000;
	room.rates[0][0] = 15999; /* the least stake does not fit at the skewed rate of 16688 */
	quote_skew(&g, &m, &room, 100000);
	assert_int_equal(g.rates[0][0], 0);
	assert_int_equal(m.skew[0][0], QUOTE_SKEW_CLOSED);
}

/* The grid that was skewed is made again from what was noted of it. */
static void a_skewed_grid_is_made_again(void **state)
{
	(void) state;
	static struct quote_grid g, again, room;
	struct quote_made m = quote_at(1771234567890, 9743210);
	srand(3);
	quote_fill(&g, &m, &layer);
	room = g;
	for (int i = 0; i < g.columns; i++)
		for (int j = 0; j < g.rows; j++)
			room.rates[i][j] = rand() % 300000;
	quote_skew(&g, &m, &room, 250000);
	quote_fill(&again, &m, &layer);
	assert_memory_equal(&g, &again, sizeof g);
}

/* What is told of one cell is the grid's, for each of them and for no other. */
static void a_cell_is_told_as_the_grid_has_it(void **state)
{
	(void) state;
	static struct quote_grid g, room;
	struct quote_made m = quote_at(1771234567890, 9743210);
	struct quote_cell told;
	srand(5);
	quote_fill(&g, &m, &layer);
	room = g;
	for (int i = 0; i < g.columns; i++)
		for (int j = 0; j < g.rows; j++)
			room.rates[i][j] = rand() % 300000;
	quote_skew(&g, &m, &room, 250000);
	int64_t open = 0;
	for (int i = -1; i <= g.columns; i++)
		for (int j = -1; j <= g.rows; j++) {
			int64_t low = g.low_cents + j * g.row_cents;
			struct cell c = { g.t0_s[0] + i * 5, low, low + g.row_cents };
			bool there = i >= 0 && i < g.columns && j >= 0 && j < g.rows;
			assert_int_equal(quote_cell(&told, &m, &layer, &c), there);
			if (!there)
				continue;
			assert_int_equal(told.rate_e4, g.rates[i][j]);
			assert_int_equal(told.skew, m.skew[i][j]);
			if (told.rate_e4 == 0)
				continue;
			int64_t again = INT64_C(9500000000000) / told.touch_ppb;
			assert_true(again >= 200000 || llabs(again - told.unskewed_e4) <= 1);
			assert_int_equal(told.rate_e4, told.unskewed_e4 - told.unskewed_e4 * told.skew / QUOTE_SKEW_WHOLE);
			open++;
		}
	assert_true(open > 10);
	struct cell aside = { g.t0_s[0] + 1, g.low_cents, g.low_cents + g.row_cents }, between = { g.t0_s[0], g.low_cents + 1, g.low_cents + 2001 };
	assert_false(quote_cell(&told, &m, &layer, &aside));
	assert_false(quote_cell(&told, &m, &layer, &between));
	m.stopped = true;
	aside.t0_s = g.t0_s[0];
	assert_true(quote_cell(&told, &m, &layer, &aside));
	assert_int_equal(told.rate_e4, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(owens_t_matches_its_vectors),
		cmocka_unit_test(touches_match_the_quadrature),
		cmocka_unit_test(ticks_match_the_simple_shift),
		cmocka_unit_test(touches_sum_to_the_expected_range),
		cmocka_unit_test(a_path_that_starts_in_the_cell_touches_it),
		cmocka_unit_test(rates_are_floors_and_close),
		cmocka_unit_test(a_grid_holds_the_placeable_columns),
		cmocka_unit_test(no_cell_is_worth_more_than_its_stake),
		cmocka_unit_test(what_the_house_took_skews_and_closes),
		cmocka_unit_test(a_skewed_grid_is_made_again),
		cmocka_unit_test(a_cell_is_told_as_the_grid_has_it),
	};
	return cmocka_run_group_tests_name("quote", tests, NULL, NULL);
}
