#include "breaker.h"

#include <string.h>

static const char *const names[] = {
	[FEED_HEALTHY] = "healthy",
	[FEED_DEGRADED] = "degraded",
	[FEED_CRITICAL] = "critical",
};

void breaker_init(struct breaker *b, const struct breaker_rules *rules, int64_t mono_ms)
{
	*b = (struct breaker){
		.rules = *rules,
		.feed = FEED_CRITICAL,
		.override = BREAKER_AUTO,
		.override_until_ms = INT64_MAX,
		.silent = true,
		.last_tick_ms = mono_ms,
		.clean_from_ms = mono_ms,
	};
}

void breaker_adopt(struct breaker *b, enum feed_state feed, int64_t mono_ms)
{
	b->feed = feed;
	b->seen_tick = true; /* so that the next tick is not the first ever, which would heal */
	b->silent = feed == FEED_CRITICAL;
	b->last_tick_ms = mono_ms;
	b->clean_from_ms = mono_ms;
}

enum feed_state feed_next(enum feed_state state, enum feed_event event)
{
	static const enum feed_state next[FEED_STATES][FEED_EVENTS] = {
		[FEED_HEALTHY] = { [FEED_FIRST_TICK] = FEED_HEALTHY, [FEED_TICK] = FEED_HEALTHY, [FEED_CLEAN_TICK] = FEED_HEALTHY,
			[FEED_GAP] = FEED_DEGRADED, [FEED_SILENCE] = FEED_CRITICAL },
		[FEED_DEGRADED] = { [FEED_FIRST_TICK] = FEED_HEALTHY, [FEED_TICK] = FEED_DEGRADED, [FEED_CLEAN_TICK] = FEED_HEALTHY,
			[FEED_GAP] = FEED_DEGRADED, [FEED_SILENCE] = FEED_CRITICAL },
		[FEED_CRITICAL] = { [FEED_FIRST_TICK] = FEED_HEALTHY, [FEED_TICK] = FEED_CRITICAL, [FEED_CLEAN_TICK] = FEED_HEALTHY,
			[FEED_GAP] = FEED_CRITICAL, [FEED_SILENCE] = FEED_CRITICAL },
	};
	return next[state][event];
}

/* What the silence until now means; never makes the feed better. */
static void grow_silent(struct breaker *b, int64_t mono_ms)
{
	int64_t silence_ms = mono_ms - b->last_tick_ms;
	if (!b->seen_tick || silence_ms <= b->rules.degraded_ms)
		return;
	bool silent = silence_ms > b->rules.critical_ms;
	b->feed = feed_next(b->feed, silent ? FEED_SILENCE : FEED_GAP);
	b->silent |= silent;
}

static void take_tick(struct breaker *b, int64_t mono_ms)
{
	grow_silent(b, mono_ms);
	bool first = !b->seen_tick;
	if (first || b->silent || mono_ms - b->last_tick_ms > b->rules.degraded_ms)
		b->clean_from_ms = mono_ms;
	b->seen_tick = true;
	b->silent = false;
	b->last_tick_ms = mono_ms;
	bool clean = mono_ms - b->clean_from_ms >= b->rules.heal_ms;
	b->feed = feed_next(b->feed, first ? FEED_FIRST_TICK : clean ? FEED_CLEAN_TICK : FEED_TICK);
}

static void end_override(struct breaker *b, int64_t mono_ms)
{
	if (mono_ms >= b->override_until_ms)
		b->override = BREAKER_AUTO;
}

static bool differs(const struct breaker *b, enum feed_state feed, bool betting)
{
	return b->feed != feed || breaker_betting(b) != betting;
}

bool breaker_tick(struct breaker *b, int64_t mono_ms)
{
	enum feed_state feed = b->feed;
	bool betting = breaker_betting(b);
	end_override(b, mono_ms);
	take_tick(b, mono_ms);
	return differs(b, feed, betting);
}

bool breaker_time(struct breaker *b, int64_t mono_ms)
{
	enum feed_state feed = b->feed;
	bool betting = breaker_betting(b);
	end_override(b, mono_ms);
	grow_silent(b, mono_ms);
	return differs(b, feed, betting);
}

bool breaker_set_override_until(struct breaker *b, enum breaker_override o, int64_t mono_ms)
{
	bool betting = breaker_betting(b);
	b->override = o;
	b->override_until_ms = mono_ms;
	return breaker_betting(b) != betting;
}

bool breaker_set_override(struct breaker *b, enum breaker_override o)
{
	return breaker_set_override_until(b, o, INT64_MAX);
}

bool breaker_betting(const struct breaker *b)
{
	static const bool betting[][FEED_STATES] = {
		[BREAKER_AUTO] = { [FEED_HEALTHY] = true, [FEED_DEGRADED] = true },
		[BREAKER_OPEN] = { false },
		[BREAKER_CLOSED] = { [FEED_HEALTHY] = true, [FEED_DEGRADED] = true, [FEED_CRITICAL] = true },
	};
	return betting[b->override][b->feed] && !b->silent;
}

const char *feed_state_name(enum feed_state s)
{
	return names[s];
}

bool feed_state_parse(enum feed_state *ret, const char *name)
{
	for (enum feed_state s = FEED_HEALTHY; s <= FEED_CRITICAL; s++) {
		if (strcmp(names[s], name) == 0) {
			*ret = s;
			return true;
		}
	}
	return false;
}
