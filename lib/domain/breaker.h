/* breaker.h - the price feed's health as a state machine, and whether bets are taken. Domain floor, pure; clock passed in.
 * HEALTHY -> DEGRADED after 3 s without a tick -> CRITICAL after 10 s (betting stops). Back to HEALTHY, from either, only
 * after 30 s of ticks without a gap over 3 s. The first tick ever makes it HEALTHY. The operator's override changes betting
 * alone: OPEN stops it, CLOSED allows it (but not while there is no tick at all for 10 s), AUTO follows the feed.
 * Thread: one owner, or the caller's lock. */
#ifndef TAP_BREAKER_H
#define TAP_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

enum feed_state { FEED_HEALTHY = 0, FEED_DEGRADED = 1, FEED_CRITICAL = 2 };
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
	bool seen_tick;
	bool silent;           /* no tick for critical_ms, or none yet: even an override cannot allow bets */
	int64_t last_tick_ms;  /* monotonic */
	int64_t clean_from_ms; /* start of the present run without a gap */
};

/* Before the first tick the feed is CRITICAL. */
void breaker_init(struct breaker *b, const struct breaker_rules *rules, int64_t mono_ms);
/* Starts from what another process knows, so that a restart does not heal a sick feed. */
void breaker_adopt(struct breaker *b, enum feed_state feed, int64_t mono_ms);
/* Each returns true when feed or betting changed. */
bool breaker_tick(struct breaker *b, int64_t mono_ms);
bool breaker_time(struct breaker *b, int64_t mono_ms);
bool breaker_set_override(struct breaker *b, enum breaker_override o);
bool breaker_betting(const struct breaker *b);
const char *feed_state_name(enum feed_state s); /* "healthy", "degraded", "critical" */
bool feed_state_parse(enum feed_state *ret, const char *name);

#endif
