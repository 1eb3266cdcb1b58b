#include "limits.h"

#include "check.h"

enum { DAY_MS = 86400000 };

static const char *const names[LIMIT_END] = {
	[LIMIT_COLUMN] = "player_column",
	[LIMIT_OPEN] = "player_open",
	[LIMIT_DAY_STAKE] = "day_stake",
	[LIMIT_DAY_LOSS] = "day_loss",
	[LIMIT_COOL_OFF] = "cool_off",
	[LIMIT_EXCLUSION] = "self_exclusion",
};

const char *limit_name(enum limit l)
{
	CHECK(l >= LIMIT_COLUMN && l < LIMIT_END);
	return names[l];
}

void limits_init(struct limits *l)
{
	*l = (struct limits){ .cool_off_ms = 0 };
	for (int i = LIMIT_COLUMN; i < LIMIT_CAPS_END; i++)
		l->caps[i].now = LIMIT_NONE;
}

struct limit_cap limits_cap(const struct limits *l, enum limit limit, int64_t now_ms)
{
	CHECK(limit >= LIMIT_COLUMN && limit < LIMIT_CAPS_END);
	struct limit_cap c = l->caps[limit];
	if (c.next_ms != 0 && now_ms >= c.next_ms)
		c = (struct limit_cap){ .now = c.next };
	return c;
}

static int ask_cap(const struct limits *l, enum limit limit, int64_t value, int64_t now_ms, struct limit_change *ret)
{
	const struct limit_cap c = limits_cap(l, limit, now_ms);
	if (value < 0)
		return LIMITS_E_RANGE;
	if (value == (c.next_ms != 0 ? c.next : c.now))
		return LIMITS_SAME;
	*ret = (struct limit_change){ limit, value, now_ms, value > c.now ? now_ms + LIMITS_RAISE_MS : now_ms };
	return 0;
}

static int ask_pause(enum limit limit, int64_t lasts_until, int64_t until_ms, int64_t now_ms, struct limit_change *ret)
{
	const bool cool_off = limit == LIMIT_COOL_OFF;
	int64_t least = cool_off ? LIMITS_COOL_OFF_MIN_MS : LIMITS_EXCLUSION_MIN_MS;
	int64_t most = cool_off ? LIMITS_COOL_OFF_MAX_MS : LIMITS_EXCLUSION_MAX_MS;
	if (until_ms < now_ms + least || until_ms > now_ms + most)
		return LIMITS_E_RANGE;
	if (until_ms <= lasts_until)
		return LIMITS_SAME;
	*ret = (struct limit_change){ limit, until_ms, now_ms, now_ms };
	return 0;
}

int limits_ask(const struct limits *l, enum limit limit, int64_t value, int64_t now_ms, struct limit_change *ret)
{
	if (limit < LIMIT_CAPS_END)
		return ask_cap(l, limit, value, now_ms, ret);
	return ask_pause(limit, limit == LIMIT_COOL_OFF ? l->cool_off_ms : l->exclusion_ms, value, now_ms, ret);
}

bool limits_lawful(const struct limits *l, const struct limit_change *c)
{
	struct limit_change made;
	return c->limit >= LIMIT_COLUMN && c->limit < LIMIT_END && limits_ask(l, c->limit, c->value, c->at_ms, &made) == 0 &&
		made.from_ms == c->from_ms;
}

void limits_take(struct limits *l, const struct limit_change *c)
{
	if (c->limit == LIMIT_COOL_OFF) {
		l->cool_off_ms = c->value;
	} else if (c->limit == LIMIT_EXCLUSION) {
		l->exclusion_ms = c->value;
	} else {
		struct limit_cap cap = limits_cap(l, c->limit, c->at_ms);
		if (c->from_ms > c->at_ms)
			cap = (struct limit_cap){ .now = cap.now, .next = c->value, .next_ms = c->from_ms };
		else
			cap = (struct limit_cap){ .now = c->value };
		l->caps[c->limit] = cap;
	}
}

int64_t limits_excluded_until(const struct limits *l, int64_t now_ms)
{
	return l->exclusion_ms > now_ms ? l->exclusion_ms : 0;
}

int64_t limits_paused_until(const struct limits *l, int64_t now_ms)
{
	int64_t until = l->cool_off_ms > l->exclusion_ms ? l->cool_off_ms : l->exclusion_ms;
	return until > now_ms ? until : 0;
}

int64_t limits_day_ms(int64_t now_ms)
{
	return now_ms - now_ms % DAY_MS;
}
