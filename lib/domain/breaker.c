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

/* What the silence until now means; never makes the feed better. */
static void grow_silent(struct breaker *b, int64_t mono_ms)
{
	int64_t gap_ms = mono_ms - b->last_tick_ms;
	if (!b->seen_tick)
		return;
	if (gap_ms > b->rules.critical_ms) {
		b->feed = FEED_CRITICAL;
		b->silent = true;
	} else if (gap_ms > b->rules.degraded_ms && b->feed == FEED_HEALTHY) {
		b->feed = FEED_DEGRADED;
	}
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
	if (first || mono_ms - b->clean_from_ms >= b->rules.heal_ms)
		b->feed = FEED_HEALTHY;
}

static bool differs(const struct breaker *b, enum feed_state feed, bool betting)
{
	return b->feed != feed || breaker_betting(b) != betting;
}

bool breaker_tick(struct breaker *b, int64_t mono_ms)
{
	enum feed_state feed = b->feed;
	bool betting = breaker_betting(b);
	take_tick(b, mono_ms);
	return differs(b, feed, betting);
}

bool breaker_time(struct breaker *b, int64_t mono_ms)
{
	enum feed_state feed = b->feed;
	bool betting = breaker_betting(b);
	grow_silent(b, mono_ms);
	return differs(b, feed, betting);
}

bool breaker_set_override(struct breaker *b, enum breaker_override o)
{
	bool betting = breaker_betting(b);
	b->override = o;
	return breaker_betting(b) != betting;
}

bool breaker_betting(const struct breaker *b)
{
	switch (b->override) {
	case BREAKER_OPEN:
		return false;
	case BREAKER_CLOSED:
		return !b->silent;
	case BREAKER_AUTO:
		break;
	}
	return b->feed != FEED_CRITICAL;
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
