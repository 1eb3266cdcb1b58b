/* announce.h - tells players of their decided bets, after the commit, without ever holding settlement up.
 * One thread, one bus, one bounded queue. While Redis is away events wait here; when the queue is full the oldest go, and
 * players see the gap by seq. An event may be published twice when an answer of Redis was lost: seq makes that harmless.
 * Thread: announcer_put and announcer_stats from any. */
#ifndef TAP_RESOLVER_ANNOUNCE_H
#define TAP_RESOLVER_ANNOUNCE_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "bus.h"
#include "settle.h"

enum { ANNOUNCE_MAX = 65536, ANNOUNCE_BATCH = 256, ANNOUNCE_RETRY_MS = 200, ANNOUNCE_DRAIN_MS = 1000 };

struct announcer;
MUST_CHECK int announcer_start(struct announcer **ret, const struct bus_conf *bus);
void announcer_put(struct announcer *a, const struct settled_bet *bet);
/* Gives what waits ANNOUNCE_DRAIN_MS to go out, then ends the thread. */
struct announcer *announcer_stop(struct announcer *a);

struct announcer_stats {
	uint64_t told, dropped;
	int64_t waiting;
	bool up; /* the last trip to Redis went well */
};
void announcer_stats(struct announcer *a, struct announcer_stats *ret);

#endif
