/* From bytes to the book: what happened is done again by the code that did it first, commit by commit, and must come to the same. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "book_ship_impl.h"
#include "check.h"
#include "err.h"
#include "book_quotes.h"

static struct settling settling_of(const struct seal_change *c)
{
	return (struct settling){ .t0_s = c->key, .after_low = c->values[0], .after_user = c->values[1], .open_bets = c->values[2] };
}

/* ---- sealed rows */

static int make_account(struct maker *m, const struct ship_change *c)
{
	struct account a;
	struct wallet wallet;
	const struct ship_value *v = c->row;
	if (v[1].type != STMT_BLOB || v[1].n != WALLET_SIZE || v[3].type != STMT_INT)
		return ship_malformed(m, "an account");
	memcpy(wallet.b, v[1].p, WALLET_SIZE);
	int r = ledger_account_by_id(m->db, c->c.key, &a);
	if (r == 0) {
		r = ledger_suspend(m->db, c->c.key, c->c.values[0] != 0);
		return r > 0 ? ship_other(m, "account %lld cannot be suspended", (long long) c->c.key) : err_trace(r);
	}
	if (r == LEDGER_E_ABSENT)
		r = ledger_account_open(m->db, &wallet, v[3].i, &a);
	if (r < 0)
		return err_trace(r);
	return r == 0 && a.user == c->c.key ? 0 : ship_other(m, "account %lld is another's", (long long) c->c.key);
}

static int make_column(struct maker *m, const struct ship_change *c)
{
	struct column column;
	if (!ship_column_of(c, &column))
		return ship_malformed(m, "a column");
	int r = ship_find_path(m, column.t0_s); /* looks at its digest */
	if (r == 0)
		r = book_put_column(m->db, &column, c->row[7].p, c->row[7].n);
	return r > 0 ? ship_other(m, "column %lld is recorded already, or not its evidence's", (long long) column.t0_s) : err_trace(r);
}

static int insert(struct maker *m, struct stmt *st, const struct ship_change *c, int columns)
{
	for (int i = 0; i < columns; i++) {
		const struct ship_value *v = &c->row[i];
		if (v->type == STMT_INT)
			stmt_int(st, i + 1, v->i);
		else if (v->type == STMT_TEXT)
			stmt_text(st, i + 1, v->p, v->n);
		else if (v->type == STMT_BLOB)
			stmt_blob(st, i + 1, v->p, v->n);
		else
			stmt_null(st, i + 1);
	}
	if (c->row[0].type != STMT_INT || c->row[0].i != c->c.key)
		return ship_malformed(m, "a sealed row");
	int r = stmt_run(st);
	if (r == STORE_E_CONSTRAINT)
		return ship_other(m, "a sealed row (kind %d, key %lld) does not fit the book", (int) c->c.kind, (long long) c->c.key);
	return r == 0 ? err_trace(seal_in(m->db, c->c.kind, c->c.key)) : err_trace(r);
}

static int make_withdrawal(struct maker *m, const struct ship_change *c)
{
	struct stmt *st = store_stmt(m->db, "SELECT 1 FROM withdrawals WHERE id = ?1");
	stmt_int(st, 1, c->c.key);
	int r = stmt_step(st);
	if (r < 0)
		return err_trace(r);
	if (r == STMT_DONE) {
		struct ship_change made = *c; /* as it stood at this commit */
		made.row[7] = (struct ship_value){ .type = STMT_INT, .i = c->c.values[0] };
		made.row[9] = (struct ship_value){ .type = STMT_INT, .i = c->c.values[1] };
		return insert(m, store_stmt(m->db, "INSERT INTO withdrawals(id, ref, user, amount, dest, nonce, signed_at, status,"
				" requested_at, decided_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)"), &made, 10);
	}
	stmt_reset(st);
	r = seal_out(m->db, SEAL_WITHDRAWAL, c->c.key);
	if (r < 0)
		return err_trace(r);
	st = store_stmt(m->db, "UPDATE withdrawals SET status = ?2, decided_at = ?3 WHERE id = ?1");
	stmt_int(st, 1, c->c.key);
	stmt_int(st, 2, c->c.values[0]);
	stmt_int(st, 3, c->c.values[1]);
	r = stmt_run(st);
	if (r == STORE_E_CONSTRAINT)
		return ship_other(m, "withdrawal %lld is decided already", (long long) c->c.key);
	return r == 0 ? err_trace(seal_in(m->db, SEAL_WITHDRAWAL, c->c.key)) : err_trace(r);
}

/* The account names its newest row of that kind. */
static int point_at(struct maker *m, struct stmt *st, const struct ship_change *c)
{
	stmt_int(st, 1, c->row[1].i);
	stmt_int(st, 2, c->c.key);
	int r = stmt_run(st);
	return r > 0 ? ship_other(m, "an account refuses its row %lld", (long long) c->c.key) : err_trace(r);
}

static int make_limit(struct maker *m, const struct ship_change *c)
{
	int r = insert(m, store_stmt(m->db, "INSERT INTO player_limits(id, user, kind, value, at, starts, who, hash)"
			" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"), c, 8);
	return r ? r : point_at(m, store_stmt(m->db, "UPDATE users SET limits_row = ?2 WHERE id = ?1"), c);
}

static int make_key(struct maker *m, const struct ship_change *c)
{
	int r = insert(m, store_stmt(m->db, "INSERT INTO session_keys(id, user, address, player_column, player_open, expires_at)"
			" VALUES (?1, ?2, ?3, ?4, ?5, ?6)"), c, 6);
	return r ? r : point_at(m, store_stmt(m->db, "UPDATE users SET keys_row = ?2 WHERE id = ?1"), c);
}

static int make_change(struct maker *m, const struct ship_change *c)
{
	struct settling mark;
	switch (c->c.kind) {
	case SEAL_ACCOUNT:
		return make_account(m, c);
	case SEAL_COLUMN:
		return make_column(m, c);
	case SEAL_SETTLING:
		mark = settling_of(&c->c);
		return err_trace(book_put_settling(m->db, &mark));
	case SEAL_WITHDRAWAL:
		return make_withdrawal(m, c);
	case SEAL_ANCHOR:
		return insert(m, store_stmt(m->db, "INSERT INTO anchors(id, hash) VALUES (?1, ?2)"), c, 2);
	case SEAL_LIMIT:
		return make_limit(m, c);
	case SEAL_KEY:
		return make_key(m, c);
	case SEAL_PAGE: /* its mark moves by itself, with columns and settlements */
	case SEAL_EXTERNAL:
	case SEAL_KINDS:
		break;
	}
	return 0;
}

/* A slice of settlement: its bets are decided before the column or the mark moves on. */
static int decide_slice(struct maker *m, const struct ship_seal *seal)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < seal->n; i++) {
		const struct seal_change *c = &seal->changes[i].c;
		struct settling until = { .t0_s = c->key };
		if (c->kind == SEAL_SETTLING)
			until = settling_of(c);
		else if (c->kind != SEAL_COLUMN || (i > 0 && seal->changes[i - 1].c.kind == SEAL_SETTLING))
			continue; /* a column that was begun bears its mark before it */
		r = ship_decide_lost(m, &until);
	}
	return r;
}

static int make_seal(struct maker *m, const struct ship_seal *seal)
{
	int r = decide_slice(m, seal);
	for (size_t i = 0; r == 0 && i < seal->n; i++)
		r = make_change(m, &seal->changes[i]);
	return r;
}

/* ---- rows */

static int make_bet(struct maker *m, const struct ship_row *row)
{
	struct account account;
	int64_t id;
	int r = ledger_stake(m->db, &row->bet, &account, &id);
	if (r == 0)
		r = book_put_bet(m->db, &row->bet, id);
	return r > 0 ? ship_other(m, "user %lld's bet is refused (%d)", (long long) row->user, r) : err_trace(r);
}

static int make_row(struct maker *m, const struct ship_row *row)
{
	char ref[LEDGER_REF_ID_MAX];
	struct account account;
	if (row->type == LEDGER_PAYOUT || row->type == LEDGER_REFUND)
		return ship_gather_payout(m, row);
	int r = ship_pay_gathered(m);
	if (r != 0)
		return r;
	if (row->type == LEDGER_BET)
		return make_bet(m, row);
	memcpy(ref, row->text, row->text_n);
	ref[row->text_n] = '\0';
	const struct posting p = { .user = row->user, .amount = { row->amount }, .ref_type = row->type, .ref_id = ref,
		.at_ms = row->at_ms };
	r = ledger_post(m->db, &p, &account);
	if (r == -EINVAL)
		return ship_malformed(m, "a posting");
	return r > 0 ? ship_other(m, "posting %s is refused (%d)", ref, r) : err_trace(r);
}

static int make_rows(struct maker *m, bool skip)
{
	int r = 0;
	while (r == 0 && m->in.rows > 0) {
		struct ship_row row;
		if (!ship_next_row(&m->in, &row))
			return ship_malformed(m, "a row");
		r = skip ? 0 : make_row(m, &row);
	}
	return r == 0 ? ship_pay_gathered(m) : r;
}

/* ---- units */

/* A commit that opens an account has rows of it, which come after; any other's rows come first: what they need stood before. */
static bool opens_account(struct maker *m, const struct ship_seal *seal)
{
	struct account a;
	for (size_t i = 0; i < seal->n; i++)
		if (seal->changes[i].c.kind == SEAL_ACCOUNT &&
				ledger_account_by_id(m->db, seal->changes[i].c.key, &a) == LEDGER_E_ABSENT)
			return true;
	return false;
}

/* Seals are numbered on; those that the book has already are passed over. The first may be of the rows' own commit. */
static int make_seals(struct maker *m, size_t from)
{
	int r = 0;
	for (size_t i = from; r == 0 && i < m->in.n_seals; i++) {
		m->at.seal++;
		if (m->at.seal <= m->here.seal)
			continue;
		r = make_seal(m, &m->in.seals[i]);
		if (r == 0)
			r = ledger_boundary(m->db);
	}
	return r;
}

static int make_unit(struct maker *m)
{
	m->at.chain += m->in.has_chain;
	bool skip = m->at.chain <= m->here.chain, seal_first = false;
	int r = 0;
	if (!m->in.has_chain || skip) {
		r = make_rows(m, true);
		return r == 0 ? make_seals(m, 0) : r;
	}
	bool first_is_new = m->in.n_seals > 0 && m->at.seal + 1 > m->here.seal;
	seal_first = first_is_new && opens_account(m, &m->in.seals[0]);
	if (seal_first)
		r = make_seal(m, &m->in.seals[0]);
	if (r == 0)
		r = make_rows(m, false);
	if (r == 0 && first_is_new && !seal_first)
		r = make_seal(m, &m->in.seals[0]);
	if (r == 0)
		r = ledger_boundary(m->db);
	m->at.seal += m->in.n_seals > 0;
	return r == 0 ? make_seals(m, 1) : r;
}

static int make_quotes(struct maker *m)
{
	struct ship_quote q = { 0 };
	int r;
	while ((r = ship_next_quote(&m->in, &q)) == 1) {
		r = book_put_quote(m->db, q.id, q.t_ms, q.made, q.n);
		if (r < 0)
			return err_trace(r);
	}
	return r < 0 ? ship_malformed(m, "a quote") : 0;
}

static int make_all(struct maker *m)
{
	int r;
	while ((r = ship_next_unit(&m->in)) == 1) {
		r = make_unit(m);
		if (r != 0)
			return r;
	}
	return r < 0 ? ship_malformed(m, "a unit") : make_quotes(m);
}

int book_make_again(struct store *db, const struct settings *s, const struct book_pos *from, const struct book_pos *to,
		const void *bytes, size_t n)
{
	struct maker m = { .db = db, .rules = s, .in = { .in = { bytes, (const uint8_t *) bytes + n } }, .at = *from,
		.ticks = malloc(PATH_TICKS_MAX * sizeof(struct tick)) };
	int r = m.ticks ? book_pos_check(db, from) : -ENOMEM;
	if (r == 0)
		r = book_pos_end(db, &m.here);
	if (r == 0)
		r = make_all(&m);
	if (r == 0 && (m.at.chain != to->chain || m.at.seal != to->seal))
		r = ship_malformed(&m, "the number of its commits or seals");
	if (r == 0)
		r = book_pos_check(db, to);
	ship_reader_free(&m.in);
	free(m.ticks);
	return r < 0 ? err_trace(r) : r;
}
