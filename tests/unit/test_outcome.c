/* Outcomes: both bounds belong to the cell; what each outcome pays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "attr.h"
#include "outcome.h"

static enum outcome of(int64_t path_low, int64_t path_high, bool is_void)
{
	struct path p = { .low_cents = path_low, .high_cents = path_high, .is_void = is_void };
	return outcome_of(&p, &(struct cell){ 1000, 2000, 4000 });
}

static void touching_a_bound_wins(void **state)
{
	(void) state;
	assert_int_equal(of(1000, 1999, false), OUTCOME_LOST);
	assert_int_equal(of(1000, 2000, false), OUTCOME_WON);
	assert_int_equal(of(4000, 5000, false), OUTCOME_WON);
	assert_int_equal(of(4001, 5000, false), OUTCOME_LOST);
	assert_int_equal(of(2500, 2500, false), OUTCOME_WON);
	assert_int_equal(of(1000, 5000, false), OUTCOME_WON); /* swept across */
	assert_int_equal(of(2500, 2500, true), OUTCOME_VOID);
	assert_int_equal(of(0, 0, true), OUTCOME_VOID);
}

/* By the words of the header, the long way: the path up to a tick is cut and judged as a path of its own. */
static size_t first_that_wins(const struct tick *ticks, size_t n, const struct cell *cell)
{
	for (size_t i = 0; i < n; i++) {
		struct path p = path_cut(ticks, i + 1, 5, 5, INT64_MAX);
		if (outcome_of(&p, cell) == OUTCOME_WON)
			return i;
	}
	return n;
}

static void the_deciding_tick_is_the_first_that_touches(void **state)
{
	(void) state;
	static const struct cell cell = { 5, 2000, 4000 };
	static const struct { int64_t p[4]; size_t want; } rows[] = {
		{ { 2500, 100, 200, 300 }, 0 },     /* the anchor itself */
		{ { 1999, 1500, 2000, 5000 }, 2 },  /* a bound is the cell's */
		{ { 1999, 4001, 3000, 3000 }, 1 },  /* the line that leads to it crosses */
		{ { 5000, 4500, 100, 3000 }, 2 },   /* from above */
		{ { 1000, 1999, 1500, 1 }, 4 },     /* never */
		{ { 4001, 9000, 5000, 4001 }, 4 },
	};
	struct tick ticks[4];
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t k = 0; k < 4; k++)
			ticks[k] = (struct tick){ 4900 + 200 * (int64_t) k, rows[i].p[k] };
		struct path p = path_cut(ticks, 4, 5, 5, INT64_MAX);
		assert_int_equal(outcome_touch(&p, &cell), rows[i].want);
		assert_int_equal(first_that_wins(ticks, 4, &cell), rows[i].want);
	}
	struct path none = path_cut(ticks, 0, 5, 5, 3000);
	assert_int_equal(outcome_touch(&none, &cell), 0);
}

static void a_path_has_a_deciding_tick_just_when_it_wins(void **state)
{
	(void) state;
	uint64_t seed = 7;
	struct tick ticks[50];
	size_t won = 0;
	for (int round = 0; round < 3000; round++) {
		int64_t at = 9742000;
		for (size_t i = 0; i < ARRAY_LEN(ticks); i++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			at += (int64_t) (seed >> 33) % 1201 - 600;
			ticks[i] = (struct tick){ 4950 + 100 * (int64_t) i, at };
		}
		struct cell cell = { 5, 9742000 + 2000 * (round % 9 - 4), 9744000 + 2000 * (round % 9 - 4) };
		struct path p = path_cut(ticks, ARRAY_LEN(ticks), 5, 5, 3000);
		size_t touch = outcome_touch(&p, &cell);
		assert_int_equal(touch, first_that_wins(ticks, p.n, &cell));
		assert_int_equal(touch < p.n, outcome_of(&p, &cell) == OUTCOME_WON);
		won += touch < p.n;
	}
	assert_in_range(won, 500, 2500); /* both kinds were met */
}

static void payouts_floor_and_never_wrap(void **state)
{
	(void) state;
	struct money m = money_of(7);
	assert_true(outcome_payout(&m, OUTCOME_WON, money_of(1000001), (struct rate){ 23500 }));
	assert_int_equal(m.micros, 2350002);
	assert_true(outcome_payout(&m, OUTCOME_LOST, money_of(1000001), (struct rate){ 23500 }));
	assert_int_equal(m.micros, 0);
	assert_true(outcome_payout(&m, OUTCOME_VOID, money_of(1000001), (struct rate){ 23500 }));
	assert_int_equal(m.micros, 1000001);
	assert_false(outcome_payout(&m, OUTCOME_WON, money_of(INT64_MAX), (struct rate){ 10001 }));
	assert_int_equal(m.micros, 1000001);
	assert_true(outcome_payout(&m, OUTCOME_LOST, money_of(INT64_MAX), (struct rate){ 200000 }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(touching_a_bound_wins),
		cmocka_unit_test(the_deciding_tick_is_the_first_that_touches),
		cmocka_unit_test(a_path_has_a_deciding_tick_just_when_it_wins),
		cmocka_unit_test(payouts_floor_and_never_wrap),
	};
	return cmocka_run_group_tests_name("outcome", tests, NULL, NULL);
}
