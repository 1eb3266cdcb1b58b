/* Bets and columns: written once, decided once. */
#include "book.h"

#include <errno.h>
#include <string.h>

#include "check.h"
#include "err.h"
#include "ledger_impl.h"

int book_page(struct store *db, struct book_page *ret)
{
	struct stmt *st = store_stmt(db, "SELECT year, week, opened_at, chain_start, settled_until FROM book WHERE id = 1");
	int r = stmt_step(st);
	if (r <= 0)
		return r < 0 ? err_trace(r) : BOOK_E_ABSENT;
	size_t n;
	*ret = (struct book_page){ .year = (int) stmt_col_int(st, 0), .week = (int) stmt_col_int(st, 1),
		.opened_ms = stmt_col_int(st, 2), .settled_until_s = stmt_col_int(st, 4) };
	const void *hash = stmt_col_blob(st, 3, &n);
	if (n == HASH_SIZE)
		memcpy(ret->chain_start.b, hash, HASH_SIZE);
	stmt_reset(st);
	return 0;
}

int book_put_page(struct store *db, const struct book_page *p)
{
	struct stmt *st = store_stmt(db, "INSERT INTO book(id, year, week, opened_at, chain_start, settled_until)"
			" VALUES (1, ?1, ?2, ?3, ?4, ?5)");
	stmt_int(st, 1, p->year);
	stmt_int(st, 2, p->week);
	stmt_int(st, 3, p->opened_ms);
	stmt_blob(st, 4, p->chain_start.b, HASH_SIZE);
	stmt_int(st, 5, p->settled_until_s);
	return ledger_must(stmt_run(st), "book page");
}

struct hash book_page_hash(const struct book_page *p)
{
	struct sha256 h;
	sha256_start(&h);
	sha256_add(&h, p->chain_start.b, HASH_SIZE);
	sha256_add_be64(&h, p->year);
	sha256_add_be64(&h, p->week);
	sha256_add_be64(&h, p->opened_ms);
	return sha256_end(&h);
}

int book_read_bet(struct stmt *st, struct stored_bet *ret)
{
	size_t n;
	for (int i = 0; i < 13; i++)
		if (stmt_col_type(st, i) != (i == 8 ? STMT_BLOB : STMT_INT))
			return 1;
	int64_t rate = stmt_col_int(st, 4), rate_min = stmt_col_int(st, 5), state = stmt_col_int(st, 9);
	const void *nonce = stmt_col_blob(st, 8, &n);
	if (n != NONCE_SIZE || rate < 0 || rate > INT32_MAX || rate_min < 0 || rate_min > INT32_MAX ||
			state < BET_CONFIRMED || state >= BET_STATES)
		return 1;
	*ret = (struct stored_bet){
		.bet = { .user = stmt_col_int(st, 2), .cell = { .t0_s = stmt_col_int(st, 0), .low_cents = stmt_col_int(st, 1) },
			.stake = money_of(stmt_col_int(st, 3)), .rate = { (int32_t) rate }, .rate_min = { (int32_t) rate_min },
			.placed_ms = stmt_col_int(st, 6), .signed_s = stmt_col_int(st, 7), .state = (enum bet_state) state,
			.signer = stmt_col_int(st, 12) },
		.bet_row = stmt_col_int(st, 10), .pay_row = stmt_col_int(st, 11),
	};
	struct bet *b = &ret->bet;
	memcpy(b->nonce, nonce, NONCE_SIZE);
	if (b->state != BET_CONFIRMED)
		b->resolved_ms = stmt_col_int(st, 13);
	if (b->state == BET_VOID)
		b->payout = b->stake;
	return b->state != BET_WON || rate_payout(&b->payout, b->stake, b->rate) ? 0 : 1;
}

static int load(struct stmt *st, int64_t user, int64_t t0_s, int64_t low_cents, struct stored_bet *ret)
{
	stmt_int(st, 1, t0_s);
	stmt_int(st, 2, low_cents);
	stmt_int(st, 3, user);
	int r = stmt_step(st);
	if (r <= 0)
		return r < 0 ? err_trace(r) : BOOK_E_ABSENT;
	r = book_read_bet(st, ret);
	stmt_reset(st);
	return r == 0 ? 0 : err_say(-EBADMSG, "a bet's row is damaged");
}

int book_load(struct store *db, int64_t user, int64_t t0_s, int64_t low_cents, struct stored_bet *ret)
{
	return load(store_stmt(db, "SELECT " BET_COLUMNS " FROM bets WHERE t0 = ?1 AND low = ?2 AND user = ?3"), user, t0_s, low_cents,
			ret);
}

int book_load_undated(struct store *db, int64_t user, int64_t t0_s, int64_t low_cents, struct stored_bet *ret)
{
	return load(store_stmt(db, "SELECT " BET_COLUMNS_UNDATED " FROM bets WHERE t0 = ?1 AND low = ?2 AND user = ?3"), user, t0_s,
			low_cents, ret);
}

int book_bet(struct store *db, int64_t user, const struct cell *cell, struct bet *ret)
{
	struct stored_bet b;
	int r = book_load(db, user, cell->t0_s, cell->low_cents, &b);
	if (r != 0)
		return r;
	*ret = b.bet;
	ret->cell.high_cents = cell->high_cents;
	return 0;
}

int book_bet_by_id(struct store *db, const struct ulid *id, int64_t row_cents, struct bet *ret)
{
	struct bet_key key;
	struct stored_bet b;
	bet_key_of(&key, id);
	int r = book_load(db, key.user, key.t0_s, key.low_cents, &b);
	if (r != 0)
		return r;
	if (b.bet.placed_ms != key.placed_ms)
		return BOOK_E_ABSENT;
	*ret = b.bet;
	ret->cell.high_cents = key.low_cents + row_cents;
	return 0;
}

/* The newest recorded column is asked for once a transaction: the gate keeps it still. */
static int newest_column(struct store *db, int64_t *ret)
{
	struct ledger_tx *tx = ledger_tx(db);
	if (!tx)
		return -ENOMEM;
	if (!tx->column_known) {
		tx->newest_column = INT64_MIN;
		int r = book_last_column(db, &tx->newest_column);
		if (r < 0)
			return err_trace(r);
		tx->column_known = true;
	}
	*ret = tx->newest_column;
	return 0;
}

static int decided_already(struct store *db, int64_t t0_s)
{
	int64_t newest;
	int r = newest_column(db, &newest);
	if (r < 0)
		return err_trace(r);
	return t0_s <= newest ? BOOK_E_DECIDED : 0;
}

int book_may_put(struct store *db, int64_t user, const struct cell *cell)
{
	struct stmt *st = store_stmt(db, "SELECT 1 FROM bets WHERE t0 = ?1 AND low = ?2 AND user = ?3");
	stmt_int(st, 1, cell->t0_s);
	stmt_int(st, 2, cell->low_cents);
	stmt_int(st, 3, user);
	int r = stmt_step(st);
	if (r < 0)
		return err_trace(r);
	stmt_reset(st);
	return r == STMT_ROW ? BOOK_E_EXISTS : decided_already(db, cell->t0_s);
}

void book_bind_bet(struct stmt *st, const struct bet *b)
{
	stmt_int(st, 1, b->cell.t0_s);
	stmt_int(st, 2, b->cell.low_cents);
	stmt_int(st, 3, b->user);
	stmt_int(st, 4, b->stake.micros);
	stmt_int(st, 5, b->rate.e4);
	stmt_int(st, 6, b->rate_min.e4);
	stmt_int(st, 7, b->placed_ms);
	stmt_int(st, 8, b->signed_s);
	stmt_blob(st, 9, b->nonce, NONCE_SIZE);
}

int book_insert_bet(struct store *db, const struct bet *b, int64_t bet_row)
{
	struct stmt *st = store_stmt(db, "INSERT INTO bets(t0, low, user, stake, rate, rate_min, placed_at, signed_at, nonce,"
			" status, bet_row, pay_row, signer) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 1, ?10, 0, ?11)");
	CHECK(b->state == BET_CONFIRMED);
	book_bind_bet(st, b);
	stmt_int(st, 10, bet_row);
	stmt_int(st, 11, b->signer);
	return stmt_run(st);
}

int book_put_bet(struct store *db, const struct bet *bet, int64_t ledger_row)
{
	int r = decided_already(db, bet->cell.t0_s);
	if (r != 0)
		return r;
	r = book_insert_bet(db, bet, ledger_row);
	if (r != STORE_E_CONSTRAINT)
		return err_trace(r);
	/* Taken, or a value that no bet may have: only the first is an answer. */
	r = book_may_put(db, bet->user, &bet->cell);
	return r == BOOK_E_EXISTS || r < 0 ? r : err_say(-EINVAL, "a constraint refused the bet");
}

int book_decide_bets(struct store *db, const struct bet *bets, size_t n, const int64_t *ledger_rows)
{
	int64_t ints[LEDGER_SETTLE_MAX][STORE_GIVEN_INTS];
	CHECK(n > 0 && n <= LEDGER_SETTLE_MAX);
	for (size_t i = 0; i < n; i++) {
		const struct bet *b = &bets[i];
		CHECK(b->cell.t0_s == bets[0].cell.t0_s && bet_may_move(BET_CONFIRMED, b->state));
		CHECK((ledger_rows[i] > 0) == (b->state != BET_LOST));
		const int64_t one[STORE_GIVEN_INTS] = { b->cell.t0_s, b->cell.low_cents, b->user, b->state, ledger_rows[i] };
		memcpy(ints[i], one, sizeof one);
	}
	/* all of the key from there: else the column would be walked through for each of them */
	struct stmt *st = store_stmt(db, "UPDATE bets SET status = g.d, pay_row = g.e FROM given(?1) g"
			" WHERE bets.t0 = g.a AND bets.low = g.b AND bets.user = g.c AND bets.status = 1");
	stmt_given(st, 1, &(struct store_given){ .n = n, .ints = ints });
	int r = ledger_must(stmt_run(st), "decide");
	if (r < 0)
		return err_trace(r);
	return store_changes(db) == (int64_t) n ? 0 : BOOK_E_ABSENT;
}

/* Moves the mark below which no bet is open: where the next column with bets to decide begins, minus one. */
static int move_mark(struct store *db, int64_t t0_s)
{
	int64_t open_s = t0_s;
	int r = book_oldest_open(db, t0_s, &open_s);
	if (r < 0)
		return err_trace(r);
	int64_t until_s = r == 0 ? open_s - 1 : t0_s;
	r = seal_out(db, SEAL_PAGE, 1);
	if (r < 0)
		return err_trace(r);
	struct stmt *st = store_stmt(db, "UPDATE book SET settled_until = max(settled_until, ?1) WHERE id = 1");
	stmt_int(st, 1, until_s);
	r = ledger_must(stmt_run(st), "mark");
	return r == 0 ? err_trace(seal_in(db, SEAL_PAGE, 1)) : err_trace(r);
}

int book_settling(struct store *db, int64_t t0_s, struct settling *ret)
{
	struct stmt *st = store_stmt(db, "SELECT after_low, after_user, open_bets FROM settling WHERE t0 = ?1");
	stmt_int(st, 1, t0_s);
	int r = stmt_step(st);
	if (r <= 0)
		return r < 0 ? err_trace(r) : BOOK_E_ABSENT;
	*ret = (struct settling){ .t0_s = t0_s, .after_low = stmt_col_int(st, 0), .after_user = stmt_col_int(st, 1),
		.open_bets = stmt_col_int(st, 2) };
	stmt_reset(st);
	return 0;
}

static int end_settling(struct store *db, int64_t t0_s)
{
	int r = seal_out(db, SEAL_SETTLING, t0_s);
	if (r < 0)
		return err_trace(r);
	struct stmt *st = store_stmt(db, "DELETE FROM settling WHERE t0 = ?1");
	stmt_int(st, 1, t0_s);
	r = ledger_must(stmt_run(st), "settled");
	if (r == 0)
		r = seal_gone(db, SEAL_SETTLING, t0_s);
	return r < 0 ? err_trace(r) : err_trace(move_mark(db, t0_s));
}

int book_put_settling(struct store *db, const struct settling *s)
{
	struct settling there;
	if (s->open_bets == 0)
		return end_settling(db, s->t0_s);
	int r = book_settling(db, s->t0_s, &there);
	bool goes_on = r == 0;
	if (goes_on)
		r = seal_out(db, SEAL_SETTLING, s->t0_s);
	if (r < 0)
		return err_trace(r);
	struct stmt *st = goes_on ?
			store_stmt(db, "UPDATE settling SET after_low = ?2, after_user = ?3, open_bets = ?4 WHERE t0 = ?1") :
			store_stmt(db, "INSERT INTO settling(t0, after_low, after_user, open_bets) VALUES (?1, ?2, ?3, ?4)");
	stmt_int(st, 1, s->t0_s);
	stmt_int(st, 2, s->after_low);
	stmt_int(st, 3, s->after_user);
	stmt_int(st, 4, s->open_bets);
	r = ledger_must(stmt_run(st), "settling");
	return r == 0 ? err_trace(seal_in(db, SEAL_SETTLING, s->t0_s)) : err_trace(r);
}

int book_insert_column(struct store *db, const struct column *c, const void *evidence, size_t n)
{
	struct stmt *st = store_stmt(db, "INSERT INTO columns(t0, status, anchor_t, anchor_p, path_low, path_high, ticks, path,"
			" digest, prev_digest, settled_at, bets) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)");
	stmt_int(st, 1, c->t0_s);
	stmt_int(st, 2, (int64_t) c->status);
	if (c->has_anchor) {
		stmt_int(st, 3, c->anchor.t_ms);
		stmt_int(st, 4, c->anchor.p_cents);
	}
	stmt_int(st, 5, c->low_cents);
	stmt_int(st, 6, c->high_cents);
	stmt_int(st, 7, c->n_ticks);
	stmt_blob(st, 8, evidence, n);
	stmt_blob(st, 9, c->digest.b, HASH_SIZE);
	stmt_blob(st, 10, c->prev_digest.b, HASH_SIZE);
	stmt_int(st, 11, c->settled_ms);
	stmt_int(st, 12, c->bets);
	return stmt_run(st);
}

int book_put_column(struct store *db, const struct column *c, const void *evidence, size_t n)
{
	struct column there;
	int r = book_column(db, c->t0_s, &there);
	if (r != BOOK_E_ABSENT)
		return r == 0 ? BOOK_E_EXISTS : err_trace(r);
	struct ledger_tx *tx = ledger_tx(db);
	if (!tx)
		return -ENOMEM;
	r = ledger_must(book_insert_column(db, c, evidence, n), "column");
	if (r == 0)
		r = seal_in(db, SEAL_COLUMN, c->t0_s);
	if (r < 0)
		return err_trace(r);
	tx->column_known = false;
	return err_trace(move_mark(db, c->t0_s));
}
