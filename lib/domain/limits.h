/* limits.h - what a player forbids himself: caps of his own, a cool-off, a self-exclusion. Domain floor, pure, the clock passed in.
 * A player's limits are the fold of his changes in their order, so that what is written down is the changes alone.
 * Always true: what binds tighter holds at once; what binds less holds LIMITS_RAISE_MS after it was asked for, and any later change
 *   of the same cap takes its place; a cool-off or an exclusion never ends earlier than was said once.
 * Units: micro-USD; ms. A day is one of UTC. Thread: any. */
#ifndef TAP_LIMITS_H
#define TAP_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"

enum limit { /* stored: never renumber */
	LIMIT_COLUMN = 1,    /* the stakes in one column */
	LIMIT_OPEN = 2,      /* all open stakes */
	LIMIT_DAY_STAKE = 3, /* the stakes of a day, less what void columns gave back */
	LIMIT_DAY_LOSS = 4,  /* the stakes of a day, less all that was paid or given back on it */
	LIMIT_COOL_OFF = 5,
	LIMIT_EXCLUSION = 6,
	LIMIT_END,
	LIMIT_CAPS_END = LIMIT_COOL_OFF
};
const char *limit_name(enum limit l); /* "player_column", ... */

#define LIMIT_NONE INT64_MAX /* no cap of his own */
#define LIMITS_RAISE_MS INT64_C(86400000)
#define LIMITS_COOL_OFF_MIN_MS INT64_C(3600000)
#define LIMITS_COOL_OFF_MAX_MS (42 * INT64_C(86400000))
#define LIMITS_EXCLUSION_MIN_MS (180 * INT64_C(86400000))
#define LIMITS_EXCLUSION_MAX_MS (1830 * INT64_C(86400000))

struct limit_change {
	enum limit limit;
	int64_t value;   /* a cap, LIMIT_NONE for none; or until when */
	int64_t at_ms;   /* asked for */
	int64_t from_ms; /* holds from */
};

struct limit_cap {
	int64_t now, next;
	int64_t next_ms; /* when `next` takes the place of `now`; 0: nothing waits */
};

struct limits {
	struct limit_cap caps[LIMIT_CAPS_END];
	int64_t cool_off_ms, exclusion_ms; /* until when; 0: never asked for */
};

void limits_init(struct limits *l); /* no change yet */
/* What is to be written down when this is asked for at now_ms. LIMITS_SAME: nothing, it is so already, or a pause lasts longer
 * than what is asked; LIMITS_E_RANGE: not a value that the limit may have. */
enum { LIMITS_SAME = 1, LIMITS_E_RANGE };
MUST_CHECK int limits_ask(const struct limits *l, enum limit limit, int64_t value, int64_t now_ms, struct limit_change *ret);
/* The change is what limits_ask makes of it at its own time. */
MUST_CHECK bool limits_lawful(const struct limits *l, const struct limit_change *c);
void limits_take(struct limits *l, const struct limit_change *c);

/* The cap as it is at that time, with what waits then. */
struct limit_cap limits_cap(const struct limits *l, enum limit limit, int64_t now_ms);
/* Until when no bet is taken; 0: bets are taken. */
int64_t limits_paused_until(const struct limits *l, int64_t now_ms);
int64_t limits_excluded_until(const struct limits *l, int64_t now_ms);
int64_t limits_day_ms(int64_t now_ms); /* when its day began */

#endif
