/* retell.h - what an earlier life of the resolver had committed and could not say any more.
 * For each player whose newest event is a decision of the last RETELL_MS, and whose seq in Redis stands before the book's, that
 * decision is told: with the account's seq, so that a client that missed more than one sees the gap and asks. Where Redis knows
 * no seq it was emptied, and nobody waits. Once, after the start. */
#ifndef TAP_RESOLVER_RETELL_H
#define TAP_RESOLVER_RETELL_H

#include <stdint.h>

#include "attr.h"
#include "bus.h"
#include "settings.h"
#include "settle.h"
#include "week.h"

enum { RETELL_MS = 60000, RETELL_BETS_MAX = 50000 };

/* 0, with the number told; <0: Redis or the book could not be asked, try again. reader: a READ week. */
MUST_CHECK int retell(struct week *reader, struct bus *bus, const struct settings *s, int64_t now_ms, settled_cb *cb, void *u,
		size_t *ret_told);

#endif
