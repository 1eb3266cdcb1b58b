/* resolver.h - decides columns: due -> path from history and what was heard -> settle -> announce.
 * Always true: a column is decided once, in rising order, not before our clock has passed its end, and not before no tick can join
 *   it any more: a tick at its end or later was heard (ticks rise, and a tick is heard only once it is recorded), or, when the feed
 *   is silent, both clocks (ours and Redis') have passed its end by the grace. While Redis cannot be read a column waits up to
 *   TAP_RESOLVE_WAIT_MS after its end; then what was heard decides, which without ticks is void. Announcing never holds
 *   settlement up.
 * Thread: resolver_step has one owner; resolver_stats from any. Clocks are passed in. */
#ifndef TAP_RESOLVER_H
#define TAP_RESOLVER_H

#include <stdbool.h>
#include <stdint.h>

#include "announce.h"
#include "attr.h"
#include "bus.h"
#include "heard.h"
#include "ops.h"
#include "settings.h"
#include "store.h"

struct resolver;
struct resolver_clock {
	int64_t wall_ms, mono_ms;
};

enum resolver_did {
	RESOLVER_IDLE = 0, /* nothing is due */
	RESOLVER_DECIDED,
	RESOLVER_WAITING   /* a column is due, but Redis or the disk lets it wait */
};

MUST_CHECK int resolver_open(struct resolver **ret, const struct settings *s, const struct bus_conf *bus,
		struct resolver_clock now);
struct resolver *resolver_close(struct resolver *r);

/* Decides at most one column: enum resolver_did, with the time after which to come again; or <0: the daemon must exit. */
MUST_CHECK int resolver_step(struct resolver *r, struct resolver_clock now, int64_t *ret_wait_ms);
/* What lies between two steps: until a tick says that the next column has ended, at most so long. */
void resolver_wait(struct resolver *r, int64_t wait_ms);
/* Moves the write-ahead log into the book, when nobody else does (the api is down). */
MUST_CHECK int resolver_checkpoint(struct resolver *r);

/* For tests: what the subscription feeds. */
struct heard *resolver_heard(struct resolver *r);

struct resolver_stats {
	uint64_t columns_settled, columns_void, columns_unread; /* unread: decided without Redis' history */
	uint64_t won, lost, refunded;
	struct money stakes, payouts, refunds; /* of decided bets */
	int64_t open_bets;
	struct money open_stake;
	int64_t last_t0_s;   /* newest decided; 0: none since the start */
	int64_t behind_ms;   /* how long the oldest ripe column has waited */
	bool history_up, disk_full;
	struct heard_stats heard;
	struct announcer_stats announced;
	struct store_stats store;
	int64_t wal_bytes;
};
void resolver_stats(struct resolver *r, struct resolver_stats *ret);
struct ops_histogram *resolver_lag(struct resolver *r); /* from a column's end to its commit */

#endif
