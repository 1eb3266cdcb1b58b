/* ingest.h - the daemon: the venues' newest books become ten official ticks a second, and those the quote grid.
 * Two threads: the feed listens to the venues (feed.h); the daemon's own turn samples them at each boundary of TAP_TICK_MS of the wall
 * clock and publishes (publish.h).
 * Several may run, one speaks: who starts listens first, and begins when no tick was published for INGEST_GUARD_MS; whose tick is refused
 * because another's stands there listens again. So one that is restarted or killed leaves a gap of less than half a second (ADR 32). */
#ifndef INGEST_INGEST_H
#define INGEST_INGEST_H

#include <stdbool.h>

#include "buf.h"
#include "ops.h"
#include "settings.h"

enum { INGEST_GUARD_MS = 300 };

int ingest_start(const struct settings *s);
int ingest_turn(void);
void ingest_stop(void);

void ingest_health(struct ops_health *h, void *u);
bool ingest_ready(void *u);
void ingest_metrics(struct buf *out, void *u);

#endif
