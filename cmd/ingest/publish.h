/* publish.h - what ingest makes official: ticks, quote grids, the feed's state. Over one bus, by one thread; publish_view from any.
 * Always true: a tick is published only when it is recorded, and never late: what Redis did not take at its moment is lost, and the gap
 * stays a gap. A grid goes out only while the tick it was priced from is younger than a quote lives. */
#ifndef INGEST_PUBLISH_H
#define INGEST_PUBLISH_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "breaker.h"
#include "bus.h"
#include "ops.h"
#include "pricing.h"
#include "settings.h"
#include "tick.h"

struct publish_view {
	bool redis_up;
	enum feed_state feed;
	bool betting;
	enum breaker_override override;
	struct tick last;
	int64_t last_mono_ms; /* 0: no tick yet */
	struct pricing_view pricing;
	uint64_t ticks, refused, lost, grids, changes;
	uint64_t unlogged;    /* records of the quotes' log that Redis refused */
};

struct publish;
MUST_CHECK int publish_open(struct publish **ret, const struct settings *s, const struct bus_conf *bus);
struct publish *publish_close(struct publish *p);

/* Weather (Redis) is counted and logged once, not returned. */
/* False: another's tick stands there already, or our clock is off. */
MUST_CHECK bool publish_tick(struct publish *p, const struct tick *t);
void publish_grid(struct publish *p, int64_t now_ms);
/* Instead of all that, while another ingest publishes: keeps up with its ticks, so that what comes next goes on where that one ends. */
void publish_follow(struct publish *p);
/* To be called each turn: lets time pass for the breaker, tells the state on change and each second. */
void publish_state(struct publish *p);
/* What a venue's tether was worth, kept over a restart of ours. recall: 0 with the basis, or 0 in it when there is none; <0 while Redis
 * is away. */
MUST_CHECK int publish_recall_basis(struct publish *p, const char *venue, int64_t *ret_e9);
void publish_keep_basis(struct publish *p, const char *venue, int64_t basis_e9);
/* The operator's word, as it was heard; it ends at until_ms (monotonic), INT64_MAX: when he says so. */
void publish_override(struct publish *p, enum breaker_override o, int64_t until_ms);

void publish_view(struct publish *p, struct publish_view *ret);
struct ops_histogram *publish_grid_seconds(struct publish *p);

#endif
