/* breaker.h - the price feed's health as a state machine, and whether bets are taken. Domain floor, pure; clock passed in.
 *
 * Feed (rows: the state; columns: what happens), as breaker.c holds it and test_breaker.c checks it, cell by cell:
 *
 *              first tick | tick after a gap, | tick that ends 30 s | silence of | silence of
 *              ever       | or within 30 s    | without a gap       | over 3 s   | over 10 s
 *   HEALTHY    HEALTHY    | HEALTHY           | HEALTHY             | DEGRADED   | CRITICAL
 *   DEGRADED   HEALTHY    | DEGRADED          | HEALTHY             | DEGRADED   | CRITICAL
 *   CRITICAL   HEALTHY    | CRITICAL          | HEALTHY             | CRITICAL   | CRITICAL
 *
 * So a feed gets worse at once and better only by thirty seconds without a gap: it cannot flap. It begins CRITICAL. A gap is a silence of
 * over 3 s; each starts the thirty seconds anew, also one that only the next tick tells of.
 *
 * Betting (rows: the operator's override, which has an end):
 *
 *              HEALTHY | DEGRADED | CRITICAL | no tick for 10 s, or none yet
 *   AUTO       yes     | yes      | no       | no
 *   OPEN       no      | no       | no       | no
 *   CLOSED     yes     | yes      | yes      | no
 *
 * Thread: one owner, or the caller's lock. */
#ifndef TAP_BREAKER_H
#define TAP_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

enum feed_state { FEED_HEALTHY = 0, FEED_DEGRADED = 1, FEED_CRITICAL = 2 };
enum { FEED_STATES = 3 };
enum feed_event { FEED_FIRST_TICK, FEED_TICK, FEED_CLEAN_TICK, FEED_GAP, FEED_SILENCE, FEED_EVENTS };
enum breaker_override { BREAKER_AUTO = 0, BREAKER_OPEN = 1, BREAKER_CLOSED = 2 };

struct breaker_rules {
	int64_t degraded_ms; /* 3000: TAP_MAX_TICK_GAP_MS */
	int64_t critical_ms; /* 10000 */
	int64_t heal_ms;     /* 30000 */
};

struct breaker {
	struct breaker_rules rules;
	enum feed_state feed;
	enum breaker_override override;
	int64_t override_until_ms; /* monotonic: from then on it is AUTO */
	bool seen_tick;
	bool silent;           /* no tick for critical_ms, or none yet: even an override cannot allow bets */
	int64_t last_tick_ms;  /* monotonic */
	int64_t clean_from_ms; /* start of the present run without a gap */
};

/* Before the first tick the feed is CRITICAL. */
void breaker_init(struct breaker *b, const struct breaker_rules *rules, int64_t mono_ms);
/* Starts from what another process knows, so that a restart does not heal a sick feed. */
void breaker_adopt(struct breaker *b, enum feed_state feed, int64_t mono_ms);
/* The table above. */
enum feed_state feed_next(enum feed_state state, enum feed_event event);
/* Each returns true when feed or betting changed. Time lets an override end. */
bool breaker_tick(struct breaker *b, int64_t mono_ms);
bool breaker_time(struct breaker *b, int64_t mono_ms);
/* For ever, or until then. */
bool breaker_set_override(struct breaker *b, enum breaker_override o);
bool breaker_set_override_until(struct breaker *b, enum breaker_override o, int64_t mono_ms);
bool breaker_betting(const struct breaker *b);
const char *feed_state_name(enum feed_state s); /* "healthy", "degraded", "critical" */
bool feed_state_parse(enum feed_state *ret, const char *name);

#endif
