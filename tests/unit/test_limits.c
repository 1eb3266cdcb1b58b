/* A player's own limits against a plain model: a list of moments from which a cap holds.
 * TAP_LIMITS_STEPS: steps for each seed. TAP_LIMITS_SEED: the only seed. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "limits.h"

enum { HOUR_MS = 3600000, DAY_MS = 86400000, SEEDS = 200, MOMENTS_MAX = 4096 };
static const int64_t NOW_MS = INT64_C(1771234565123);

static int ask(struct limits *l, enum limit limit, int64_t value, int64_t now_ms)
{
	struct limit_change c;
	int r = limits_ask(l, limit, value, now_ms, &c);
	if (r == 0) {
		assert_true(limits_lawful(l, &c));
		limits_take(l, &c);
	}
	return r;
}

static void lowering_holds_at_once_raising_after_a_day(void **state)
{
	(void) state;
	struct limits l;
	limits_init(&l);
	assert_true(limits_cap(&l, LIMIT_OPEN, NOW_MS).now == LIMIT_NONE);
	assert_int_equal(ask(&l, LIMIT_OPEN, LIMIT_NONE, NOW_MS), LIMITS_SAME);
	assert_int_equal(ask(&l, LIMIT_OPEN, 100, NOW_MS), 0);
	assert_int_equal(limits_cap(&l, LIMIT_OPEN, NOW_MS).now, 100);
	assert_true(limits_cap(&l, LIMIT_COLUMN, NOW_MS).now == LIMIT_NONE);

	assert_int_equal(ask(&l, LIMIT_OPEN, 200, NOW_MS + 1), 0);
	struct limit_cap c = limits_cap(&l, LIMIT_OPEN, NOW_MS + DAY_MS);
	assert_int_equal(c.now, 100);
	assert_int_equal(c.next, 200);
	assert_int_equal(c.next_ms, NOW_MS + 1 + DAY_MS);
	assert_int_equal(ask(&l, LIMIT_OPEN, 200, NOW_MS + 2), LIMITS_SAME); /* and its time stays */
	c = limits_cap(&l, LIMIT_OPEN, NOW_MS + 1 + DAY_MS);
	assert_int_equal(c.now, 200);
	assert_int_equal(c.next_ms, 0);
}

static void a_raise_is_withdrawn_before_its_time(void **state)
{
	(void) state;
	static const int64_t instead[] = { 100 /* as it is */, 50, 150 };
	static const int64_t then[] = { 100, 50, 100 };
	for (size_t i = 0; i < 3; i++) {
		struct limits l;
		limits_init(&l);
		assert_int_equal(ask(&l, LIMIT_DAY_LOSS, 100, NOW_MS), 0);
		assert_int_equal(ask(&l, LIMIT_DAY_LOSS, LIMIT_NONE, NOW_MS), 0);
		assert_int_equal(ask(&l, LIMIT_DAY_LOSS, instead[i], NOW_MS + HOUR_MS), 0);
		assert_int_equal(limits_cap(&l, LIMIT_DAY_LOSS, NOW_MS + DAY_MS).now, then[i]);
		assert_int_equal(limits_cap(&l, LIMIT_DAY_LOSS, NOW_MS + DAY_MS + HOUR_MS).now, instead[i]);
	}
}

static void pauses_are_never_shortened(void **state)
{
	(void) state;
	struct limits l;
	limits_init(&l);
	assert_int_equal(limits_paused_until(&l, NOW_MS), 0);
	assert_int_equal(ask(&l, LIMIT_COOL_OFF, NOW_MS + HOUR_MS - 1, NOW_MS), LIMITS_E_RANGE);
	assert_int_equal(ask(&l, LIMIT_COOL_OFF, NOW_MS + 42 * INT64_C(86400000) + 1, NOW_MS), LIMITS_E_RANGE);
	assert_int_equal(ask(&l, LIMIT_COOL_OFF, NOW_MS + 5 * HOUR_MS, NOW_MS), 0);
	assert_int_equal(ask(&l, LIMIT_COOL_OFF, NOW_MS + 2 * HOUR_MS, NOW_MS), LIMITS_SAME);
	assert_true(limits_paused_until(&l, NOW_MS) == NOW_MS + 5 * HOUR_MS);
	assert_int_equal(limits_paused_until(&l, NOW_MS + 5 * HOUR_MS), 0);
	assert_int_equal(limits_excluded_until(&l, NOW_MS), 0);

	assert_int_equal(ask(&l, LIMIT_EXCLUSION, NOW_MS + LIMITS_EXCLUSION_MIN_MS - 1, NOW_MS), LIMITS_E_RANGE);
	assert_int_equal(ask(&l, LIMIT_EXCLUSION, NOW_MS + LIMITS_EXCLUSION_MAX_MS + 1, NOW_MS), LIMITS_E_RANGE);
	assert_int_equal(ask(&l, LIMIT_EXCLUSION, NOW_MS + 2 * LIMITS_EXCLUSION_MIN_MS, NOW_MS), 0);
	assert_int_equal(ask(&l, LIMIT_EXCLUSION, NOW_MS + LIMITS_EXCLUSION_MIN_MS, NOW_MS), LIMITS_SAME);
	assert_true(limits_excluded_until(&l, NOW_MS) == NOW_MS + 2 * LIMITS_EXCLUSION_MIN_MS);
	assert_int_equal(ask(&l, LIMIT_COLUMN, -1, NOW_MS), LIMITS_E_RANGE);
}

static void what_could_not_be_asked_for_is_unlawful(void **state)
{
	(void) state;
	struct limits l;
	limits_init(&l);
	const struct limit_change wrong[] = {
		{ LIMIT_OPEN, LIMIT_NONE, NOW_MS, NOW_MS },           /* as it is already */
		{ LIMIT_OPEN, 5, NOW_MS, NOW_MS + 1 },                /* a lowering that waits */
		{ LIMIT_OPEN, -5, NOW_MS, NOW_MS },
		{ LIMIT_EXCLUSION, NOW_MS + DAY_MS, NOW_MS, NOW_MS }, /* too short */
		{ (enum limit) 0, 5, NOW_MS, NOW_MS }, { LIMIT_END, 5, NOW_MS, NOW_MS },
	};
	for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
		assert_false(limits_lawful(&l, &wrong[i]));
	limits_take(&l, &(struct limit_change){ LIMIT_OPEN, 5, NOW_MS, NOW_MS });
	assert_false(limits_lawful(&l, &(struct limit_change){ LIMIT_OPEN, 6, NOW_MS, NOW_MS })); /* a raise at once */
}

/* The model: from when on which cap holds, in the order of the moments; a later word strikes out what was to come. */
struct model {
	struct {
		int64_t from_ms, cap;
	} moments[MOMENTS_MAX];
	size_t n;
};

static int64_t model_cap(const struct model *m, int64_t now_ms)
{
	int64_t cap = LIMIT_NONE;
	for (size_t i = 0; i < m->n && m->moments[i].from_ms <= now_ms; i++)
		cap = m->moments[i].cap;
	return cap;
}

static void model_ask(struct model *m, int64_t cap, int64_t now_ms)
{
	int64_t now = model_cap(m, now_ms);
	bool waits = m->n > 0 && m->moments[m->n - 1].from_ms > now_ms;
	if (waits && m->moments[m->n - 1].cap == cap)
		return;
	if (waits)
		m->n--;
	if (cap == now)
		return;
	assert_true(m->n < MOMENTS_MAX);
	m->moments[m->n].from_ms = cap < now ? now_ms : now_ms + DAY_MS;
	m->moments[m->n++].cap = cap;
}

static uint64_t seed;

static uint64_t draw(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

static struct model models[LIMIT_CAPS_END];

static void one_step(struct limits *l, int64_t *now_ms, int64_t *cool_off_ms, int64_t *exclusion_ms)
{
	static const int64_t leaps[] = { 0, 1, HOUR_MS, DAY_MS - 1, DAY_MS, DAY_MS + 1 };
	*now_ms += leaps[draw(6)] + (int64_t) draw(3) * HOUR_MS;
	enum limit limit = (enum limit) (1 + draw(LIMIT_END - 1));
	if (limit < LIMIT_CAPS_END) {
		int64_t cap = draw(5) == 0 ? LIMIT_NONE : (int64_t) draw(6) * 1000000;
		model_ask(&models[limit], cap, *now_ms);
		assert_in_range(ask(l, limit, cap, *now_ms), 0, LIMITS_SAME);
	} else {
		int64_t *until = limit == LIMIT_COOL_OFF ? cool_off_ms : exclusion_ms;
		int64_t asked = *now_ms + (int64_t) draw(2000) * (limit == LIMIT_COOL_OFF ? HOUR_MS : DAY_MS);
		bool in_range = limit == LIMIT_COOL_OFF ?
				asked >= *now_ms + HOUR_MS && asked <= *now_ms + 1008 * INT64_C(3600000) :
				asked >= *now_ms + 180 * INT64_C(86400000) && asked <= *now_ms + 1830 * INT64_C(86400000);
		if (in_range && asked > *until)
			*until = asked;
		assert_int_equal(ask(l, limit, asked, *now_ms) == LIMITS_E_RANGE, !in_range);
	}
}

static void compare(const struct limits *l, int64_t now_ms, int64_t cool_off_ms, int64_t exclusion_ms)
{
	int64_t later = cool_off_ms > exclusion_ms ? cool_off_ms : exclusion_ms;
	for (int ahead = 0; ahead < 3; ahead++) { /* what was asked for is seen today as it will be tomorrow */
		int64_t at = now_ms + ahead * (int64_t) HOUR_MS * 12;
		for (int i = LIMIT_COLUMN; i < LIMIT_CAPS_END; i++)
			if (limits_cap(l, (enum limit) i, at).now != model_cap(&models[i], at))
				fail_msg("%s: %" PRId64 ", not %" PRId64, limit_name((enum limit) i), limits_cap(l, (enum limit) i, at).now,
						model_cap(&models[i], at));
	}
	assert_true(limits_paused_until(l, now_ms) == (later > now_ms ? later : 0));
	assert_true(limits_excluded_until(l, now_ms) == (exclusion_ms > now_ms ? exclusion_ms : 0));
}

static void the_fold_is_the_model(void **state)
{
	(void) state;
	const char *steps_text = getenv("TAP_LIMITS_STEPS"), *only = getenv("TAP_LIMITS_SEED");
	int steps = steps_text ? atoi(steps_text) : 400;
	for (uint64_t first = only ? strtoull(only, NULL, 10) : 1, n = only ? 1 : SEEDS; n > 0; n--, first++) {
		struct limits l;
		int64_t now_ms = NOW_MS, cool_off_ms = 0, exclusion_ms = 0;
		seed = first * UINT64_C(0x9e3779b97f4a7c15);
		limits_init(&l);
		memset(models, 0, sizeof models);
		for (int i = 0; i < steps; i++) {
			one_step(&l, &now_ms, &cool_off_ms, &exclusion_ms);
			compare(&l, now_ms, cool_off_ms, exclusion_ms);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lowering_holds_at_once_raising_after_a_day),
		cmocka_unit_test(a_raise_is_withdrawn_before_its_time),
		cmocka_unit_test(pauses_are_never_shortened),
		cmocka_unit_test(what_could_not_be_asked_for_is_unlawful),
		cmocka_unit_test(the_fold_is_the_model),
	};
	return cmocka_run_group_tests_name("limits", tests, NULL, NULL);
}
