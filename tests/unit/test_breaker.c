/* The feed's health: each transition at its edge, the override, and a long run against the rules in plain words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include <stdlib.h>

#include "attr.h"
#include "breaker.h"

static const struct breaker_rules rules = { .degraded_ms = 3000, .critical_ms = 10000, .heal_ms = 30000 };

enum act { TICK, TIME, OVERRIDE, ADOPT, TICKS_UNTIL };

/* One story a run: each step says what happens, and what must hold after it. */
struct step {
	enum act act;
	int64_t at; /* ms, or the override, or the adopted state */
	bool changed;
	enum feed_state feed;
	bool betting;
};

static void play(const char *name, const struct step *steps, size_t n)
{
	struct breaker b;
	int64_t now = 0;
	breaker_init(&b, &rules, now);
	assert_int_equal(b.feed, FEED_CRITICAL);
	assert_false(breaker_betting(&b));
	for (size_t i = 0; i < n; i++) {
		bool changed = false;
		switch (steps[i].act) {
		case TICK:
			changed = breaker_tick(&b, now = steps[i].at);
			break;
		case TIME:
			changed = breaker_time(&b, now = steps[i].at);
			break;
		case OVERRIDE:
			changed = breaker_set_override(&b, (enum breaker_override) steps[i].at);
			break;
		case ADOPT:
			breaker_adopt(&b, (enum feed_state) steps[i].at, now);
			break;
		case TICKS_UNTIL: /* a second apart, quiet until the last */
			for (now += 1000; now < steps[i].at; now += 1000)
				assert_false(breaker_tick(&b, now));
			changed = breaker_tick(&b, now = steps[i].at);
			break;
		}
		if (changed != steps[i].changed || b.feed != steps[i].feed || breaker_betting(&b) != steps[i].betting)
			fail_msg("%s, step %zu: changed %d feed %d betting %d", name, i, changed, (int) b.feed,
					breaker_betting(&b));
	}
}

#define PLAY(name, ...)                                                  \
	do {                                                             \
		static const struct step steps[] = { __VA_ARGS__ };      \
		play(name, steps, ARRAY_LEN(steps));                     \
	} while (0)

static void each_transition_at_its_edge(void **state)
{
	(void) state;
	PLAY("before the first tick", { TIME, 50000, false, FEED_CRITICAL, false }, { TICK, 60000, true, FEED_HEALTHY, true });
	PLAY("silence", { TICK, 0, true, FEED_HEALTHY, true }, { TIME, 3000, false, FEED_HEALTHY, true },
			{ TIME, 3001, true, FEED_DEGRADED, true }, { TIME, 10000, false, FEED_DEGRADED, true },
			{ TIME, 10001, true, FEED_CRITICAL, false }, { TIME, 99999, false, FEED_CRITICAL, false });
	PLAY("degraded heals after 30 s", { TICK, 0, true, FEED_HEALTHY, true }, { TIME, 4000, true, FEED_DEGRADED, true },
			{ TICK, 4500, false, FEED_DEGRADED, true }, { TICKS_UNTIL, 34499, false, FEED_DEGRADED, true },
			{ TICK, 34500, true, FEED_HEALTHY, true });
	PLAY("critical heals after 30 s, and not by way of degraded", { TICK, 0, true, FEED_HEALTHY, true },
			{ TIME, 11000, true, FEED_CRITICAL, false }, { TICK, 12000, false, FEED_CRITICAL, false },
			{ TICKS_UNTIL, 41999, false, FEED_CRITICAL, false }, { TICK, 42000, true, FEED_HEALTHY, true });
	PLAY("a gap starts the 30 s anew", { TICK, 0, true, FEED_HEALTHY, true }, { TIME, 4000, true, FEED_DEGRADED, true },
			{ TICK, 4000, false, FEED_DEGRADED, true }, { TICKS_UNTIL, 30000, false, FEED_DEGRADED, true },
			{ TICK, 33000, false, FEED_DEGRADED, true }, /* just 3 s is no gap */
			{ TICK, 33900, false, FEED_DEGRADED, true }, { TICK, 36901, false, FEED_DEGRADED, true },
			{ TICKS_UNTIL, 66900, false, FEED_DEGRADED, true }, { TICK, 66901, true, FEED_HEALTHY, true });
	PLAY("a tick tells of a silence that no timer saw", { TICK, 0, true, FEED_HEALTHY, true },
			{ TICK, 3001, true, FEED_DEGRADED, true }, { TICK, 13002, true, FEED_CRITICAL, false });
	PLAY("a clock that stands or steps back", { TICK, 5000, true, FEED_HEALTHY, true },
			{ TICK, 5000, false, FEED_HEALTHY, true }, { TIME, 0, false, FEED_HEALTHY, true });
}

static void the_override_changes_betting_alone(void **state)
{
	(void) state;
	PLAY("open", { TICK, 0, true, FEED_HEALTHY, true }, { OVERRIDE, BREAKER_OPEN, true, FEED_HEALTHY, false },
			{ OVERRIDE, BREAKER_OPEN, false, FEED_HEALTHY, false }, { TIME, 4000, true, FEED_DEGRADED, false },
			{ OVERRIDE, BREAKER_AUTO, true, FEED_DEGRADED, true });
	PLAY("closed helps while the feed heals, never while it is silent", { OVERRIDE, BREAKER_CLOSED, false, FEED_CRITICAL, false },
			{ TICK, 0, true, FEED_HEALTHY, true }, { TIME, 10000, true, FEED_DEGRADED, true },
			{ TIME, 10001, true, FEED_CRITICAL, false }, { TICK, 11000, true, FEED_CRITICAL, true },
			{ TIME, 21000, false, FEED_CRITICAL, true }, { TIME, 21001, true, FEED_CRITICAL, false },
			{ TICK, 22000, true, FEED_CRITICAL, true }, { OVERRIDE, BREAKER_AUTO, true, FEED_CRITICAL, false });
}

static void a_restart_heals_nothing(void **state)
{
	(void) state;
	PLAY("critical", { ADOPT, FEED_CRITICAL, false, FEED_CRITICAL, false }, { TICK, 100, false, FEED_CRITICAL, false },
			{ TICKS_UNTIL, 30099, false, FEED_CRITICAL, false }, { TICK, 30100, true, FEED_HEALTHY, true });
	PLAY("degraded", { ADOPT, FEED_DEGRADED, false, FEED_DEGRADED, true }, { TICKS_UNTIL, 29999, false, FEED_DEGRADED, true },
			{ TICK, 30000, true, FEED_HEALTHY, true });
	PLAY("healthy", { ADOPT, FEED_HEALTHY, false, FEED_HEALTHY, true }, { TICK, 100, false, FEED_HEALTHY, true },
			{ TIME, 3101, true, FEED_DEGRADED, true });
	PLAY("an operator cannot bet on adopted silence", { ADOPT, FEED_CRITICAL, false, FEED_CRITICAL, false },
			{ OVERRIDE, BREAKER_CLOSED, false, FEED_CRITICAL, false }, { TICK, 100, true, FEED_CRITICAL, true });
}

/* The header's first table, cell by cell, and that the second holds in every state that can be. */
static void the_tables_are_what_the_header_says(void **state)
{
	(void) state;
	static const enum feed_state feed[FEED_STATES][FEED_EVENTS] = {
		{ FEED_HEALTHY, FEED_HEALTHY, FEED_HEALTHY, FEED_DEGRADED, FEED_CRITICAL },
		{ FEED_HEALTHY, FEED_DEGRADED, FEED_HEALTHY, FEED_DEGRADED, FEED_CRITICAL },
		{ FEED_HEALTHY, FEED_CRITICAL, FEED_HEALTHY, FEED_CRITICAL, FEED_CRITICAL },
	};
	static const bool betting[3][FEED_STATES + 1] = {
		[BREAKER_AUTO] = { true, true, false, false },
		[BREAKER_OPEN] = { false, false, false, false },
		[BREAKER_CLOSED] = { true, true, true, false },
	};
	for (int s = 0; s < FEED_STATES; s++)
		for (int e = 0; e < FEED_EVENTS; e++)
			assert_int_equal(feed_next((enum feed_state) s, (enum feed_event) e), feed[s][e]);
	for (int o = BREAKER_AUTO; o <= BREAKER_CLOSED; o++) {
		for (int s = 0; s <= FEED_STATES; s++) {
			struct breaker b;
			breaker_init(&b, &rules, 0);
			b.feed = s < FEED_CRITICAL ? (enum feed_state) s : FEED_CRITICAL;
			b.silent = s == FEED_STATES;
			(void) breaker_set_override(&b, (enum breaker_override) o);
			assert_int_equal(breaker_betting(&b), betting[o][s]);
		}
	}
}

static void an_override_ends_by_itself(void **state)
{
	(void) state;
	struct breaker b;
	breaker_init(&b, &rules, 0);
	assert_true(breaker_tick(&b, 0));
	assert_true(breaker_set_override_until(&b, BREAKER_OPEN, 2000));
	assert_false(breaker_time(&b, 1999));
	assert_false(breaker_betting(&b));
	assert_true(breaker_time(&b, 2000));
	assert_true(breaker_betting(&b));
	assert_int_equal(b.override, BREAKER_AUTO);
	assert_true(breaker_set_override_until(&b, BREAKER_OPEN, 2500));
	assert_true(breaker_tick(&b, 3000)); /* a tick tells the time too */
	assert_true(breaker_set_override_until(&b, BREAKER_OPEN, 4000));
	assert_false(breaker_set_override_until(&b, BREAKER_OPEN, 6000)); /* a later end */
	assert_false(breaker_tick(&b, 5000));
	assert_true(breaker_set_override(&b, BREAKER_AUTO)); /* and he may take it back */
	assert_true(breaker_set_override_until(&b, BREAKER_CLOSED, 17000) == false);
	assert_true(breaker_tick(&b, 16000)); /* critical for its gap, but bets are allowed */
	assert_int_equal(b.feed, FEED_CRITICAL);
	assert_true(breaker_betting(&b));
	assert_true(breaker_tick(&b, 17000));
	assert_false(breaker_betting(&b));
}

/* The rules again, from the whole history of ticks: no state but the ticks and whether the feed was sick. */
struct story {
	int64_t ticks[20000];
	size_t n;
	enum feed_state feed;
};

static bool clean_for_30_s(const struct story *s)
{
	size_t i = s->n - 1;
	while (i > 0 && s->ticks[i] - s->ticks[i - 1] <= rules.degraded_ms)
		i--;
	return s->ticks[s->n - 1] - s->ticks[i] >= rules.heal_ms;
}

static void retell(struct story *s, int64_t now, bool tick)
{
	int64_t silence = s->n ? now - s->ticks[s->n - 1] : 0;
	if (silence > rules.critical_ms)
		s->feed = FEED_CRITICAL;
	else if (silence > rules.degraded_ms && s->feed == FEED_HEALTHY)
		s->feed = FEED_DEGRADED;
	if (!tick)
		return;
	s->ticks[s->n++] = now;
	if (s->n == 1 || clean_for_30_s(s))
		s->feed = FEED_HEALTHY;
}

static void a_long_run_agrees_with_the_plain_words(void **state)
{
	(void) state;
	for (unsigned seed = 1; seed <= 20; seed++) {
		static struct story s;
		struct breaker b;
		int64_t now = 0;
		unsigned seen[3] = { 0 };
		srand(seed);
		s.n = 0;
		s.feed = FEED_CRITICAL;
		breaker_init(&b, &rules, now);
		while (s.n < ARRAY_LEN(s.ticks)) {
			now += rand() % 400 ? 100 : rand() % 13000;
			bool tick = rand() % 4 != 0;
			enum feed_state before = b.feed;
			bool changed = tick ? breaker_tick(&b, now) : breaker_time(&b, now);
			retell(&s, now, tick);
			assert_int_equal(b.feed, s.feed);
			assert_int_equal(changed, b.feed != before);
			assert_int_equal(breaker_betting(&b), b.feed != FEED_CRITICAL);
			seen[b.feed]++;
		}
		assert_true(seen[FEED_HEALTHY] && seen[FEED_DEGRADED] && seen[FEED_CRITICAL]);
	}
}

static void states_have_names(void **state)
{
	(void) state;
	enum feed_state s;
	for (int i = FEED_HEALTHY; i <= FEED_CRITICAL; i++) {
		assert_true(feed_state_parse(&s, feed_state_name((enum feed_state) i)));
		assert_int_equal(s, i);
	}
	assert_string_equal(feed_state_name(FEED_CRITICAL), "critical");
	assert_false(feed_state_parse(&s, "sick"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_transition_at_its_edge),
		cmocka_unit_test(the_override_changes_betting_alone),
		cmocka_unit_test(a_restart_heals_nothing),
		cmocka_unit_test(a_long_run_agrees_with_the_plain_words),
		cmocka_unit_test(the_tables_are_what_the_header_says),
		cmocka_unit_test(an_override_ends_by_itself),
		cmocka_unit_test(states_have_names),
	};
	return cmocka_run_group_tests_name("breaker", tests, NULL, NULL);
}
