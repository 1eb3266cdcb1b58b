/* Outcomes: both bounds belong to the cell; what each outcome pays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

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
		cmocka_unit_test(payouts_floor_and_never_wrap),
	};
	return cmocka_run_group_tests_name("outcome", tests, NULL, NULL);
}
