/* book_press.h - a closed book without what follows from the rest of it, for the archive; and the book made from that again. Service
 * floor, on ledger and book.
 * A pressed book is an SQLite file of its own kind, to be read with any SQLite: every table of the book as it stands but three, and in
 * their place
 *   placed     a row for each bet of the week, by the row of the ledger that took its stake: `at` ms after the bet before it; the cell
 *              and the stake in units of `pressed` (the greatest that divide them all); what it paid less than it was offered; how many
 *              seconds before it was signed; the change of its user's signer
 *   nonces     those of the bets first, first + 1 ..., counted from 0: what is random lies together, and the rest closer to its like
 *   carried    the bets that were open when the week began, as they stand
 *   others     the ledger's rows of no bet, as they stand
 *   payouts    n rows of the ledger from first_row on, at one moment: what the column's decided bets after (after_low, after_user) paid
 *   commits    how many rows each had: LEB128 numbers, those of COMMITS_EACH commits a row
 *   bets, transaction_ledger   views that say it all in the book's words, the ledger's rows to the column; of a bet its payout in
 *              place of pay_row
 * Left out: rows of the ledger for bets, their balances, their links, the chain's hashes. They are made again by ledger_append and
 * ledger_boundary, which made them first; whoever presses thaws at once, and compares book_rows of both: a book of a kind that does not
 * come back row by row is not to be kept so.
 * Memory: some bytes for each user, none for a bet. Units, thread: as ledger.h.
 * Results: 0; BOOK_PRESS_E_CANNOT with a sentence; STORE_E_FULL; <0. */
#ifndef TAP_BOOK_PRESS_H
#define TAP_BOOK_PRESS_H

#include <stdint.h>

#include "attr.h"
#include "hash.h"
#include "store.h"

enum { BOOK_PRESS_E_CANNOT = 40 };

extern const struct store_schema schema_pressed;

/* Asked often on the way, on the same thread: <0 ends it, and is answered. */
struct book_pace {
	int (*between)(void *u);
	void *u;
};
/* All stores outside a transaction. book: READ. to: WRITE, of schema_pressed, new, with a gate of nobody else's. */
MUST_CHECK int book_press(struct store *book, struct store *to, const struct book_pace *pace);
/* book: WRITE, of schema_week, new, likewise; afterwards of the version that the pressed one was. CANNOT: what was pressed is of a newer
 * release, or no such book follows from it. */
MUST_CHECK int book_thaw(struct store *pressed, struct store *book, const struct book_pace *pace);
/* SHA-256 over version and every row of every table: equal for two files that say the same. */
MUST_CHECK int book_rows(struct store *book, struct hash *ret, const struct book_pace *pace);

#endif
