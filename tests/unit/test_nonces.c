/* The set of decided nonces against a plain list: added, found, taken out, forgotten after its time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "intake_impl.h"
#include "rnd.h"

enum { VALUES = 3000, STEPS = 200000 };

static uint8_t values[VALUES][NONCE_SIZE];
static bool in_set[VALUES];

static void fill(void)
{
	for (size_t i = 0; i < VALUES; i++) {
		rnd_bytes(values[i], NONCE_SIZE);
		values[i][6] = 0x40;
		in_set[i] = false;
	}
}

static void it_is_a_set(void **state)
{
	(void) state;
	struct nonces *n;
	fill();
	assert_int_equal(nonces_new(&n, 1000, 0), 0);
	for (int step = 0; step < STEPS; step++) {
		size_t i = rnd_below(VALUES);
		if (nonces_has(n, values[i]) != in_set[i])
			fail_msg("step %d: value %zu", step, i);
		if (rnd_below(2)) {
			assert_int_equal(nonces_add(n, values[i]), 0);
			in_set[i] = true;
		} else {
			nonces_remove(n, values[i]);
			in_set[i] = false;
		}
	}
	for (size_t i = 0; i < VALUES; i++)
		assert_int_equal(nonces_has(n, values[i]), in_set[i]);
	assert_null(nonces_free(n));
}

static void a_value_is_kept_its_time_and_forgotten_after_twice_that(void **state)
{
	(void) state;
	struct nonces *n;
	fill();
	assert_int_equal(nonces_new(&n, 1000, 0), 0);
	for (int64_t t = 0; t < 10000; t += 100) {
		nonces_turn(n, t);
		size_t i = (size_t) (t / 100);
		assert_int_equal(nonces_add(n, values[i]), 0);
		for (size_t j = 0; j <= i; j++) {
			int64_t age = t - (int64_t) j * 100;
			if (age <= 1000)
				assert_true(nonces_has(n, values[j]));
			else if (age > 2000)
				assert_false(nonces_has(n, values[j]));
		}
	}
	assert_null(nonces_free(n));
}

static void it_has_a_bound(void **state)
{
	(void) state;
	struct nonces *n;
	uint8_t v[NONCE_SIZE] = { [6] = 0x40 };
	int r = 0;
	assert_int_equal(nonces_new(&n, 1000, 0), 0);
	for (int64_t i = 1; r == 0; i++) {
		assert_true(i <= NONCES_MAX + 1);
		memcpy(v + 8, &i, sizeof i);
		r = nonces_add(n, v);
	}
	assert_int_equal(r, -ENOBUFS);
	assert_false(nonces_has(n, v));
	assert_null(nonces_free(n));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_a_set),
		cmocka_unit_test(a_value_is_kept_its_time_and_forgotten_after_twice_that),
		cmocka_unit_test(it_has_a_bound),
	};
	return cmocka_run_group_tests_name("nonces", tests, NULL, NULL);
}
