/* The hash chain over the rows of each commit, and the one place where a ledger row is written. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "check.h"
#include "err.h"
#include "ledger_impl.h"

bool ledger_cell_ref(int64_t *ret, const struct cell *cell)
{
	if (cell->t0_s < 0 || cell->t0_s > UINT32_MAX || cell->low_cents < 0 || cell->low_cents >> LOW_BITS != 0)
		return false;
	*ret = cell->t0_s << LOW_BITS | cell->low_cents;
	return true;
}

void ledger_cell_of_ref(struct cell *ret, int64_t ref)
{
	*ret = (struct cell){ .t0_s = ref >> LOW_BITS, .low_cents = ref & ((INT64_C(1) << LOW_BITS) - 1) };
}

static uint8_t *put(uint8_t *at, int64_t v)
{
	be64_put(at, (uint64_t) v);
	return at + 8;
}

static bool of_a_bet(enum ledger_ref r)
{
	return r == LEDGER_BET || r == LEDGER_PAYOUT || r == LEDGER_REFUND;
}

void chain_add_row(struct sha256 *h, const struct raw_row *row)
{
	uint8_t b[8 * 8], *at = b;
	at = put(at, row->id);
	at = put(at, row->user);
	at = put(at, row->amount);
	at = put(at, row->balance_after);
	at = put(at, row->ref_type);
	at = put(at, of_a_bet(row->ref_type) ? row->cell_ref : (int64_t) row->text_len);
	at = put(at, row->prev);
	at = put(at, row->at_ms);
	sha256_add(h, b, (size_t) (at - b));
	if (!of_a_bet(row->ref_type))
		sha256_add(h, row->text, row->text_len);
}

void chain_add_bet(struct sha256 *h, const struct bet *bet)
{
	uint8_t b[BET_BYTES], *at = b;
	at = put(at, bet->cell.t0_s);
	at = put(at, bet->cell.low_cents);
	at = put(at, bet->user);
	at = put(at, bet->stake.micros);
	at = put(at, bet->rate.e4);
	at = put(at, bet->rate_min.e4);
	at = put(at, bet->placed_ms);
	at = put(at, bet->signed_s);
	memcpy(at, bet->nonce, NONCE_SIZE);
	sha256_add(h, b, sizeof b);
}

void chain_add_account(struct sha256 *h, const struct account *a, int64_t opened_version)
{
	sha256_add(h, a->wallet.b, WALLET_SIZE);
	sha256_add_be64(h, a->created_ms);
	sha256_add_be64(h, opened_version);
}

void chain_begin(struct sha256 *h, const struct hash *before)
{
	sha256_start(h);
	sha256_add(h, before->b, HASH_SIZE);
}

struct hash chain_end(struct sha256 *h, int64_t first_row, int64_t last_row)
{
	sha256_add_be64(h, first_row);
	sha256_add_be64(h, last_row);
	return sha256_end(h);
}

static int close_chain(struct ledger_tx *tx, struct store *db)
{
	if (!tx->begun)
		return 0;
	CHECK(tx->next_row > tx->first_row); /* who begins it appends, or rolls back */
	struct hash hash = chain_end(&tx->hash, tx->first_row, tx->next_row - 1);
	struct stmt *st = store_stmt(db, "INSERT INTO chain(id, first_row, last_row, hash) VALUES (?1, ?2, ?3, ?4)");
	stmt_int(st, 1, tx->chain_id);
	stmt_int(st, 2, tx->first_row);
	stmt_int(st, 3, tx->next_row - 1);
	stmt_blob(st, 4, hash.b, HASH_SIZE);
	return ledger_must(stmt_run(st), "chain");
}

static int before_commit(void *u, struct store *db)
{
	struct ledger_tx *tx = u;
	int r = close_chain(tx, db);
	return r == 0 ? seal_close(db, &tx->seal) : err_trace(r);
}

int ledger_boundary(struct store *db)
{
	struct ledger_tx *tx = ledger_tx(db);
	int r = tx ? before_commit(tx, db) : -ENOMEM;
	if (r == 0)
		tx->begun = tx->seal.begun = false;
	return err_trace(r);
}

static void tx_ended(void *u, bool committed)
{
	(void) committed;
	struct ledger_tx *tx = u;
	tx->begun = tx->column_known = tx->seal.begun = false;
	tx->account.a.user = 0;
}

static void tx_gone(void *u)
{
	struct ledger_tx *tx = u;
	buf_free(&tx->seal.changed);
	free(tx);
}

struct ledger_tx *ledger_tx(struct store *db)
{
	struct ledger_tx *tx = store_attended(db);
	if (tx)
		return tx;
	tx = calloc(1, sizeof *tx);
	if (tx)
		store_attend(db, &(struct store_attendant){ .before_commit = before_commit, .ended = tx_ended, .gone = tx_gone,
				.u = tx });
	return tx;
}

int ledger_must(int r, const char *what)
{
	return r == STORE_E_CONSTRAINT ? err_say(-EINVAL, "%s: a constraint refused it", what) : r;
}

int ledger_chain_end(struct store *db, int64_t *ret_id, int64_t *ret_last_row, struct hash *ret)
{
	struct stmt *st = store_stmt(db, "SELECT id, last_row, hash FROM chain ORDER BY id DESC LIMIT 1");
	int r = stmt_step(st);
	if (r < 0)
		return err_trace(r);
	if (r == STMT_ROW) {
		size_t n;
		*ret_id = stmt_col_int(st, 0);
		*ret_last_row = stmt_col_int(st, 1);
		const void *hash = stmt_col_blob(st, 2, &n);
		if (n == HASH_SIZE)
			memcpy(ret->b, hash, HASH_SIZE);
		stmt_reset(st);
		return n == HASH_SIZE ? 0 : err_say(-EBADMSG, "chain: the last hash is damaged");
	}
	struct book_page page;
	r = book_page(db, &page);
	if (r != 0)
		return r < 0 ? err_trace(r) : err_say(-EBADMSG, "the file has no book page");
	*ret_id = *ret_last_row = 0;
	*ret = book_page_hash(&page);
	return 0;
}

static int last_row(struct store *db, int64_t *ret)
{
	struct stmt *st = store_stmt(db, "SELECT coalesce(max(id), 0) FROM transaction_ledger");
	int r = stmt_step(st);
	if (r < 0)
		return err_trace(r);
	*ret = stmt_col_int(st, 0);
	stmt_reset(st);
	return 0;
}

int ledger_tx_begin(struct store *db, struct ledger_tx **ret)
{
	struct ledger_tx *tx = ledger_tx(db);
	if (!tx)
		return -ENOMEM;
	*ret = tx;
	if (tx->begun)
		return 0;
	struct hash before;
	int64_t chain_id, chained, last = 0;
	int r = ledger_chain_end(db, &chain_id, &chained, &before);
	if (r == 0)
		r = last_row(db, &last);
	if (r < 0)
		return err_trace(r);
	if (last != chained)
		return err_say(-EBADMSG, "the ledger ends at row %lld, its chain at row %lld", (long long) last,
				(long long) chained);
	tx->chain_id = chain_id + 1;
	tx->first_row = tx->next_row = last + 1;
	chain_begin(&tx->hash, &before);
	tx->begun = true;
	return 0;
}

void ledger_bind_row(struct stmt *st, const struct raw_row *row)
{
	const char *name = ledger_ref_name(row->ref_type);
	stmt_int(st, 1, row->id);
	stmt_int(st, 2, row->user);
	stmt_int(st, 3, row->amount);
	stmt_int(st, 4, row->balance_after);
	stmt_text(st, 5, name, strlen(name));
	stmt_text(st, 6, row->text, row->text_len);
	stmt_int(st, 7, row->prev);
	stmt_int(st, 8, row->at_ms);
}

static int insert_row(struct store *db, const struct raw_row *row)
{
	struct stmt *st = store_stmt(db, "INSERT INTO transaction_ledger(" ROW_COLUMNS ")"
			" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
	ledger_bind_row(st, row);
	return ledger_must(stmt_run(st), "ledger row");
}

int ledger_append(struct store *db, struct full_account *a, struct raw_row *row, const struct bet *bet)
{
	struct ledger_tx *tx = NULL;
	int r = ledger_tx_begin(db, &tx);
	if (r < 0)
		return err_trace(r);
	CHECK((row->ref_type == LEDGER_BET) == (bet != NULL));
	row->id = tx->next_row;
	row->user = a->a.user;
	row->balance_after = a->a.balance.micros;
	row->prev = a->last_row;
	r = insert_row(db, row);
	if (r < 0)
		return err_trace(r);
	chain_add_row(&tx->hash, row);
	if (bet)
		chain_add_bet(&tx->hash, bet);
	if (row->prev == 0)
		chain_add_account(&tx->hash, &a->a, a->opened_version);
	tx->next_row++;
	a->last_row = row->id;
	return 0;
}
