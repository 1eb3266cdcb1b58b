/* ops_store.h - what a daemon that writes books tells of its store, under the same names in each. Service floor, on ops and store. */
#ifndef TAP_OPS_STORE_H
#define TAP_OPS_STORE_H

#include "ops.h"
#include "store.h"

/* The mean of a commit or of a wait for the gate over a time is the quotient of two rates; the longest are since the start. */
void ops_store(struct buf *out, const struct store_stats *st, int64_t wal_bytes, bool disk_full);

#endif
