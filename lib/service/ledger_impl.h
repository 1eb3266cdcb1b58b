/* ledger_impl.h - what the files of ledger and book share: the account's hidden column, the running chain of an open
 * transaction, and the canonical bytes of a row. Private to ledger*.c, book*.c, week*.c.
 *
 * Chain: hash = SHA-256(hash of the commit before || bytes of each row, rising || in a rolled file's first commit the bytes of
 *   each bet carried over, in key order || first_row || last_row). A file's first commit follows
 *   SHA-256(book.chain_start || year || week || opened_at).
 * Bytes of a row: id, user, amount, balance_after, ref_type's number, then the reference, then prev, at. A bet's reference is
 *   t0 << 31 | low, which with the row's user and the bet itself is all that its id says; an external one is its length and its
 *   bytes. A BET row is followed by the bytes of its bet, and a user's first row of the file by wallet, created_at,
 *   opened_version. Every integer is 8 bytes, big-endian.
 * Bytes of a bet: t0, low, user, stake, rate, rate_min, placed_at, signed_at, nonce. */
#ifndef TAP_LEDGER_IMPL_H
#define TAP_LEDGER_IMPL_H

#include "book.h"
#include "hash.h"
#include "ledger.h"
#include "seal.h"

enum { LOW_BITS = 31, BET_BYTES = 8 * 8 + NONCE_SIZE };

/* What the chain takes of a bet's id: with the user it is the bet's key. False: does not fit. */
MUST_CHECK bool ledger_cell_ref(int64_t *ret, const struct cell *cell);
void ledger_cell_of_ref(struct cell *ret, int64_t ref); /* t0 and low */

struct full_account {
	struct account a;
	int64_t last_row;
	int64_t opened_version;
};
/* LEDGER_E_ABSENT. */
MUST_CHECK int ledger_load(struct store *db, int64_t user, struct full_account *ret);
void ledger_read_account(struct stmt *st, struct full_account *ret);
#define ACCOUNT_COLUMNS "id, wallet, balance, version, open_bets, open_stake, suspended, created_at, last_row, opened_version," \
		" limits_row, keys_row"

struct raw_row { /* a row as it is stored */
	int64_t id, user, amount, balance_after;
	enum ledger_ref ref_type;
	int64_t cell_ref;             /* BET, PAYOUT, REFUND */
	const char *text;             /* ref_id */
	size_t text_len;
	int64_t prev, at_ms;
};
/* The row names the bet. False: a part does not fit. */
MUST_CHECK bool ledger_name_bet(struct raw_row *row, const struct bet *bet, char ref[ULID_TEXT_SIZE]);
void chain_add_row(struct sha256 *h, const struct raw_row *row);
void chain_add_bet(struct sha256 *h, const struct bet *bet);
void chain_add_account(struct sha256 *h, const struct account *a, int64_t opened_version);
void chain_begin(struct sha256 *h, const struct hash *before);
struct hash chain_end(struct sha256 *h, int64_t first_row, int64_t last_row);

/* The running chain of the open transaction. */
struct ledger_tx {
	bool begun;
	int64_t chain_id, first_row, next_row;
	struct sha256 hash;
	struct seal_tx seal;
	struct full_account account; /* the one that was read last, at account_writes; user 0: none */
	int64_t account_writes;
	bool column_known;           /* book's: newest recorded column, read once a transaction */
	int64_t newest_column;       /* INT64_MIN: none */
};
/* Of this store; made on first use. NULL: no memory. */
struct ledger_tx *ledger_tx(struct store *db);
/* What was written since the transaction's begin, or since the last boundary, is chained and sealed as a commit would do it, and the
 * transaction goes on: for who writes again what were commits of their own. */
MUST_CHECK int ledger_boundary(struct store *db);
/* Where the chain stands: the hash that the next commit follows, and the last row it covers. */
MUST_CHECK int ledger_chain_end(struct store *db, int64_t *ret_id, int64_t *ret_last_row, struct hash *ret);
MUST_CHECK int ledger_tx_begin(struct store *db, struct ledger_tx **ret);
/* Writes the row, for an account whose new balance is known, and gathers it for the chain. bet: of a BET row, else NULL. */
MUST_CHECK int ledger_append(struct store *db, struct full_account *a, struct raw_row *row, const struct bet *bet);
MUST_CHECK int ledger_save(struct store *db, const struct full_account *a);
/* A constraint that no caller can cause is a fault of the file or of ours: <0 instead of STORE_E_CONSTRAINT. */
MUST_CHECK int ledger_must(int r, const char *what);

struct walk_row { /* a stored row read back, its text copied */
	struct raw_row raw;
	char text[LEDGER_REF_ID_MAX];
};
/* One row by its id. LEDGER_E_ABSENT. */
MUST_CHECK int ledger_row(struct store *db, int64_t row, struct walk_row *ret);
/* 0, or 1 when the columns are not what such a row may hold. */
MUST_CHECK int ledger_read_row(struct stmt *st, struct walk_row *ret);
/* Its columns as ?1 to ?8, in ROW_COLUMNS' order; its text is borrowed. */
void ledger_bind_row(struct stmt *st, const struct raw_row *row);
#define ROW_COLUMNS "id, user, amount, balance_after, ref_type, ref_id, prev, at"
/* The newest row of the user below `below` (0: the newest of all); 0 in *ret: none. */
MUST_CHECK int ledger_walk_start(struct store *db, int64_t user, int64_t below, int64_t *ret);

struct stored_bet {
	struct bet bet;
	int64_t bet_row, pay_row;
};
/* By key; high_cents is left 0. BOOK_E_ABSENT. */
MUST_CHECK int book_load(struct store *db, int64_t user, int64_t t0_s, int64_t low_cents, struct stored_bet *ret);
/* 0, or 1 when the columns are not what a bet may hold. */
MUST_CHECK int book_read_bet(struct stmt *st, struct stored_bet *ret);
#define BET_COLUMNS_OPEN "t0, low, user, stake, rate, rate_min, placed_at, signed_at, nonce, status, bet_row, pay_row, signer"
/* A bet is resolved when its column was. */
#define BET_COLUMNS BET_COLUMNS_OPEN ", (SELECT c.settled_at FROM columns c WHERE c.t0 = bets.t0)"

/* For who does not ask when: the column is not looked up for each bet. */
#define BET_COLUMNS_UNDATED BET_COLUMNS_OPEN ", 0"
MUST_CHECK int book_load_undated(struct store *db, int64_t user, int64_t t0_s, int64_t low_cents, struct stored_bet *ret);

/* What a bet is from its beginning, without its signer, as ?1 to ?9, in BET_COLUMNS' order; the nonce is borrowed. */
void book_bind_bet(struct stmt *st, const struct bet *b);
/* STORE_E_CONSTRAINT when the key is taken. */
MUST_CHECK int book_insert_bet(struct store *db, const struct bet *b, int64_t bet_row);
MUST_CHECK int book_insert_column(struct store *db, const struct column *c, const void *evidence, size_t n);

struct book_page { /* the file's own page: table book */
	int year, week;
	int64_t opened_ms;
	struct hash chain_start;
	int64_t settled_until_s;
};
MUST_CHECK int book_page(struct store *db, struct book_page *ret);
MUST_CHECK int book_put_page(struct store *db, const struct book_page *p);
/* What the file's first commit follows. */
struct hash book_page_hash(const struct book_page *p);

#endif
