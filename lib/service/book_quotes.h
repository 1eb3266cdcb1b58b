/* book_quotes.h - what the rates of this week's bets were made from. Service floor, on store and quote_log.
 * A row for each quote that priced a bet, written in that bet's transaction: a bet on disk has its quote on disk, as long as its file
 * lives. A bet of a week's first moment may have its quote in the file before. Units, thread, results: as ledger.h. */
#ifndef TAP_BOOK_QUOTES_H
#define TAP_BOOK_QUOTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "quote_log.h"
#include "store.h"

/* bytes: a record of that one quote. A quote that is there already stays. */
MUST_CHECK int book_put_quote(struct store *db, int64_t quote_id, int64_t t_ms, const void *bytes, size_t n);

/* Those with t in [from_ms, to_ms], oldest first; cb false ends. -EBADMSG for a row that is no record. */
typedef bool book_quote_cb(void *u, const struct quote_made *made);
MUST_CHECK int book_quotes(struct store *db, int64_t from_ms, int64_t to_ms, book_quote_cb *cb, void *u);

#endif
