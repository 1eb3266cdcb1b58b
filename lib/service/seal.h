/* seal.h - one running sum over the rows that the ledger's chain does not speak of: accounts, columns and how far their settlement
 * is, withdrawals, external ids, what players forbade themselves and their session keys, the book's page, the heads of the
 * operators' log. Private to ledger*.c, book*.c, limits_book*.c, session_keys.c, week*.c, withdraw*.c.
 * A row counts as SHA-256(kind || type and bytes of each column), and the sum is over all rows, modulo 2^256: it is made up row by row, in
 *   any order, whatever the table's size.
 * A seal also names the rows that its commit changed, and to what: so each commit can be told, and made again, by itself.
 * Always true at every commit: the newest row of `seals` holds the sum of what is in the file; each seal's hash is SHA-256(hash of
 *   the seal before || id || chain id || that commit's hash || sum || length and bytes of changed, if there are any), so a seal that
 *   is changed, or missing among others, is found.
 *   Row 0 bears the last hash of the week before. A commit that changes no such row writes none: a bet never does.
 * A file that was brought here from an older version is sealed by its next commit of such a kind (row 0 then says chain -1).
 * Units, thread, results: as ledger.h. */
#ifndef TAP_SEAL_H
#define TAP_SEAL_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "buf.h"
#include "hash.h"
#include "store.h"
#include "varint.h"

enum seal_kind { /* hashed: never renumber */
	SEAL_ACCOUNT = 1,
	SEAL_COLUMN = 2,
	SEAL_SETTLING = 3,
	SEAL_WITHDRAWAL = 4,
	SEAL_PAGE = 5,
	SEAL_ANCHOR = 6,
	SEAL_EXTERNAL = 7,
	SEAL_LIMIT = 8,
	SEAL_KEY = 9,
	SEAL_KINDS
};

struct seal_sum {
	uint64_t part[4]; /* least first */
};

/* Around each change of such a row, in its transaction: out before it, unless it is new; after it in, or gone. */
MUST_CHECK int seal_out(struct store *db, enum seal_kind kind, int64_t key);
MUST_CHECK int seal_in(struct store *db, enum seal_kind kind, int64_t key);
MUST_CHECK int seal_gone(struct store *db, enum seal_kind kind, int64_t key);

/* One row that a commit changed, and what of it moves in its life: an account's suspended; a settlement's after_low, after_user,
 * open_bets (0: it is gone); a withdrawal's status, decided_at; the page's settled_until. Nothing else of a sealed row changes. */
enum { SEAL_VALUES = 3 };
struct seal_change {
	enum seal_kind kind;
	int64_t key, values[SEAL_VALUES];
};
/* The next of a seal's `changed`. False: it is no such list. */
MUST_CHECK bool seal_read_change(struct varint_reader *in, struct seal_change *ret);

/* The open transaction's, kept by ledger_tx. */
struct seal_tx {
	bool begun, whole; /* whole: nothing was sealed yet, the commit sums up everything */
	int64_t id;
	struct seal_sum sum;
	struct hash before;
	struct buf changed; /* a list of seal_change: kind, key, values as varints */
};
/* From here on the commit seals. */
MUST_CHECK int seal_begin(struct store *db, struct seal_tx *tx);
/* Before the commit, after the chain. */
MUST_CHECK int seal_close(struct store *db, struct seal_tx *tx);

/* The kind's columns of one row that is there, in the order in which they are sealed; to be reset. */
MUST_CHECK int seal_row(struct store *db, enum seal_kind kind, int64_t key, struct stmt **ret);

/* A week's first seal, made up by whoever fills the file. */
MUST_CHECK int seal_add(struct store *db, struct seal_sum *sum, enum seal_kind kind, int64_t key, bool out);
MUST_CHECK int seal_add_row(struct seal_sum *sum, enum seal_kind kind, struct stmt *row); /* a row with the kind's columns */
MUST_CHECK int seal_add_all(struct store *db, struct seal_sum *sum, enum seal_kind kind);
MUST_CHECK int seal_first(struct store *db, const struct hash *week_before, const struct seal_sum *sum);
/* The first and the last hash, for comparing a week with its neighbours. *ret_known false: a migration began the seals anew, and
 * this hash follows nothing, or no commit sealed since. */
MUST_CHECK int seal_start(struct store *db, struct hash *ret, bool *ret_known);
MUST_CHECK int seal_end(struct store *db, struct hash *ret, bool *ret_known);

/* 0, or 1 with the finding. */
struct seal_audit {
	int64_t seals;
	char finding[256];
};
MUST_CHECK int seal_audit(struct store *db, struct seal_audit *ret);

#endif
