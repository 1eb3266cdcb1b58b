/* Ticks: what a sequence may be, and finding a moment in one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "tick.h"

static void sequences_rise_strictly_and_are_positive(void **state)
{
	(void) state;
	const struct tick good[] = { { 0, 1 }, { 1, 5 }, { 100, 5 } };
	const struct tick same_time[] = { { 100, 5 }, { 100, 5 } };
	const struct tick back[] = { { 100, 5 }, { 99, 5 } };
	const struct tick zero[] = { { 100, 5 }, { 101, 0 } };
	const struct tick before_epoch[] = { { -1, 5 } };
	assert_true(ticks_valid(good, 3));
	assert_true(ticks_valid(good, 0));
	assert_false(ticks_valid(same_time, 2));
	assert_false(ticks_valid(back, 2));
	assert_false(ticks_valid(zero, 2));
	assert_false(ticks_valid(before_epoch, 1));
}

static void finds_the_first_at_or_after(void **state)
{
	(void) state;
	struct tick t[64];
	for (size_t n = 0; n <= 64; n++) {
		for (size_t i = 0; i < n; i++)
			t[i] = (struct tick){ (int64_t) (10 * i + 10), 1 };
		for (int64_t at = 0; at <= 660; at++) {
			size_t want = 0;
			while (want < n && t[want].t_ms < at)
				want++;
			assert_int_equal(ticks_find(t, n, at), want);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sequences_rise_strictly_and_are_positive),
		cmocka_unit_test(finds_the_first_at_or_after),
	};
	return cmocka_run_group_tests_name("tick", tests, NULL, NULL);
}
