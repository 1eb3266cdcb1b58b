/* book_ship.h - what a book gained between two commits, told as bytes, and made again from them. Service floor, on ledger, book, seal.
 * The bytes name what happened, not what it came to: who staked what on which cell, which column had which path, which account was
 * opened. Balances, payouts, chain and seals are computed again by the code that computed them first (ledger_stake, book_put_bet,
 * ledger_settle, ledger_boundary ...), and must come to the same hashes, so that a book made again is the same row by row.
 * Always true: a span begins and ends between commits; telling a span twice gives the same bytes; making it again over a book that
 *   holds part of it already (a snapshot from its middle, a try that was cut short) makes only the rest.
 * Bytes, all integers varints (u) or zigzag differences (d): units, then 0, then quotes. A unit is a commit and what was sealed until the
 *   next: u 1 + rows; u seals; each seal: u length of `changed`, those bytes (seal.h), then for each change its row's columns but the
 *   page's and a settlement's; then the rows: u type, d user, d at, and what the type needs. Columns: u type, then d, or u length
 *   and bytes.
 * Not in it: the first commit of a week that follows another, which a snapshot brings (docs/adr/0026-row-shipping.md).
 * Units, thread, results: as ledger.h. All calls need an open transaction. */
#ifndef TAP_BOOK_SHIP_H
#define TAP_BOOK_SHIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "buf.h"
#include "hash.h"
#include "settings.h"
#include "store.h"

enum { BOOK_SHIP_E_OTHER = 1, BOOK_SHIP_BYTES_MAX = 64 << 20 };

/* Between which commits. quote: the newest id that was told, bound by no hash. */
struct book_pos {
	int64_t chain, seal, quote;
	struct hash chain_hash, seal_hash;
};
MUST_CHECK int book_pos_end(struct store *db, struct book_pos *ret);
/* After a week's first commit: where telling a week begins. */
MUST_CHECK int book_pos_start(struct store *db, struct book_pos *ret);
/* The book has been there: 0, or BOOK_SHIP_E_OTHER with a sentence. */
MUST_CHECK int book_pos_check(struct store *db, const struct book_pos *pos);

struct book_span {
	int64_t rows, bets, columns, sealed, quotes;
};
/* Appends what came after `from`, until about rows_max ledger rows are told. *ret_to: where it ends; *ret_more: there is more. */
MUST_CHECK int book_tell(struct store *db, const struct book_pos *from, int64_t rows_max, struct buf *out, struct book_pos *ret_to,
		struct book_span *ret, bool *ret_more);
/* Reads the bytes without a book: 0, or -EBADMSG with the place. */
MUST_CHECK int book_span_read(const void *bytes, size_t n, struct book_span *ret);
/* Makes them again: 0 and the book stands at `to` (or beyond, when it did before). BOOK_SHIP_E_OTHER: the book is none that these
 * bytes follow, or they do not come to `to`'s hashes, with a sentence: roll back. -EBADMSG as book_span_read. */
MUST_CHECK int book_make_again(struct store *db, const struct settings *s, const struct book_pos *from, const struct book_pos *to,
		const void *bytes, size_t n);

#endif
