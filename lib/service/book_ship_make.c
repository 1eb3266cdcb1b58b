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
#include "outcome.h"
#include "path.h"

enum { BETS_PER_PAGE = 128 };

struct maker {
	struct store *db;
	const struct settings *rules;
	struct ship_reader in;
	struct book_pos at, here; /* at: of the unit that is read; here: where the book stands */
	struct tick *ticks;       /* of the column that bets were decided by last */
	struct path path;
	bool has_path;
};

PRINTF_LIKE(2, 3) static int other(const struct maker *m, const char *fmt, ...)
{
	char what[160];
	va_list ap;
	va_start(ap, fmt);
	(void) vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	(void) err_say(0, "commit %lld: %s", (long long) m->at.chain, what);
	return BOOK_SHIP_E_OTHER;
}

/* ---- columns and what they decide */

static int malformed(const struct maker *m, const char *what)
{
	return err_say(-EBADMSG, "commit %lld: %s is malformed", (long long) m->at.chain, what);
}

static bool hash_of(const struct ship_value *v, struct hash *ret)
{
	if (v->type != STMT_BLOB || v->n != HASH_SIZE)
		return false;
	memcpy(ret->b, v->p, HASH_SIZE);
	return true;
}

static bool column_of(const struct ship_change *c, struct column *ret)
{
	static const int integers[] = { 0, 1, 4, 5, 6, 10, 11 };
	const struct ship_value *v = c->row;
	for (size_t i = 0; i < ARRAY_LEN(integers); i++)
		if (v[integers[i]].type != STMT_INT)
			return false;
	bool anchored = v[2].type == STMT_INT && v[3].type == STMT_INT;
	*ret = (struct column){ .t0_s = v[0].i, .status = (enum column_status) v[1].i, .has_anchor = anchored,
		.low_cents = v[4].i, .high_cents = v[5].i, .n_ticks = v[6].i, .settled_ms = v[10].i, .bets = v[11].i };
	if (anchored)
		ret->anchor = (struct tick){ v[2].i, v[3].i };
	return v[7].type == STMT_BLOB && (v[1].i == COLUMN_SETTLED || v[1].i == COLUMN_VOID) && c->c.key == ret->t0_s &&
			hash_of(&v[8], &ret->digest) && hash_of(&v[9], &ret->prev_digest);
}

static const struct ship_change *told_column(const struct maker *m, int64_t t0_s)
{
	for (size_t i = 0; i < m->in.n_changes; i++)
		if (m->in.changes[i].c.kind == SEAL_COLUMN && m->in.changes[i].c.key == t0_s)
			return &m->in.changes[i];
	return NULL;
}

/* The column's evidence: this unit brings it, or the book has it. */
static int find_path(struct maker *m, int64_t t0_s)
{
	struct column column;
	size_t n = 0;
	if (m->has_path && m->path.t0_s == t0_s)
		return 0;
	const struct ship_change *told = told_column(m, t0_s);
	m->has_path = false;
	if (told) {
		if (!column_of(told, &column) || !path_decode(told->row[7].p, told->row[7].n, m->ticks, PATH_TICKS_MAX, &n))
			return malformed(m, "a column");
	} else {
		int r = book_column(m->db, t0_s, &column);
		if (r == 0)
			r = book_evidence(m->db, t0_s, m->ticks, PATH_TICKS_MAX, &n);
		if (r != 0)
			return r < 0 ? err_trace(r) : other(m, "a bet of column %lld is decided, which is not recorded", (long long) t0_s);
	}
	m->path = path_cut(m->ticks, n, t0_s, m->rules->column_s, m->rules->max_tick_gap_ms);
	struct hash digest = path_digest(&m->path, &column.prev_digest);
	if (memcmp(&digest, &column.digest, sizeof digest) != 0)
		return other(m, "column %lld: the digest is not its evidence's", (long long) t0_s);
	m->path.is_void = column.status == COLUMN_VOID; /* as settle does: also when the rule for gaps was changed since */
	m->has_path = true;
	return 0;
}

/* As settle.c decides it. The bet's outcome must be one of the states in `may` (bits). */
static int decide(struct maker *m, struct bet *bet, unsigned may, int64_t at_ms)
{
	static const enum bet_state states[] = { [OUTCOME_WON] = BET_WON, [OUTCOME_LOST] = BET_LOST, [OUTCOME_VOID] = BET_VOID };
	struct account account;
	int64_t row = 0;
	int r = find_path(m, bet->cell.t0_s);
	if (r != 0)
		return r;
	bet->cell.high_cents = bet->cell.low_cents + m->rules->row_cents;
	enum outcome outcome = outcome_of(&m->path, &bet->cell);
	if (!(may & 1u << states[outcome]) || bet->state != BET_CONFIRMED ||
			!outcome_payout(&bet->payout, outcome, bet->stake, bet->rate))
		return other(m, "column %lld: user %lld's bet on %lld comes out otherwise", (long long) bet->cell.t0_s,
				(long long) bet->user, (long long) bet->cell.low_cents);
	bet_move(bet, states[outcome]);
	bet->resolved_ms = at_ms;
	r = ledger_settle_bets(m->db, bet, 1, &account, &row);
	if (r == 0)
		r = book_decide_bets(m->db, bet, 1, &row);
	return r > 0 ? other(m, "the ledger has no place for a payout (%d)", r) : err_trace(r);
}

struct page {
	struct bet bets[BETS_PER_PAGE];
	size_t n;
};

static bool page_take(void *u, const struct bet *b, int64_t row)
{
	struct page *page = u;
	(void) row;
	page->bets[page->n++] = *b;
	return true;
}

static bool beyond(const struct bet *b, const struct settling *until)
{
	if (until->open_bets == 0)
		return false;
	return b->cell.low_cents > until->after_low || (b->cell.low_cents == until->after_low && b->user > until->after_user);
}

/* What a slice of settlement decided without a row: every bet up to its mark that is still open has lost. */
static int decide_lost(struct maker *m, const struct settling *until)
{
	struct page *page = malloc(sizeof *page);
	int64_t low = -1, user = 0;
	int r = page ? 0 : -ENOMEM;
	for (bool more = true; r == 0 && more;) {
		page->n = 0;
		r = book_column_bets(m->db, until->t0_s, m->rules->row_cents, low, user, BETS_PER_PAGE, page_take, page);
		more = page->n == BETS_PER_PAGE;
		for (size_t i = 0; r == 0 && i < page->n; i++) {
			struct bet *b = &page->bets[i];
			low = b->cell.low_cents;
			user = b->user;
			more = more && !beyond(b, until);
			if (!beyond(b, until))
				r = decide(m, b, 1u << BET_LOST, 0);
		}
	}
	free(page);
	return r;
}

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
		return malformed(m, "an account");
	memcpy(wallet.b, v[1].p, WALLET_SIZE);
	int r = ledger_account_by_id(m->db, c->c.key, &a);
	if (r == 0) {
		r = ledger_suspend(m->db, c->c.key, c->c.values[0] != 0);
		return r > 0 ? other(m, "account %lld cannot be suspended", (long long) c->c.key) : err_trace(r);
	}
	if (r == LEDGER_E_ABSENT)
		r = ledger_account_open(m->db, &wallet, v[3].i, &a);
	if (r < 0)
		return err_trace(r);
	return r == 0 && a.user == c->c.key ? 0 : other(m, "account %lld is another's", (long long) c->c.key);
}

static int make_column(struct maker *m, const struct ship_change *c)
{
	struct column column;
	if (!column_of(c, &column))
		return malformed(m, "a column");
	int r = find_path(m, column.t0_s); /* looks at its digest */
	if (r == 0)
		r = book_put_column(m->db, &column, c->row[7].p, c->row[7].n);
	return r > 0 ? other(m, "column %lld is recorded already, or not its evidence's", (long long) column.t0_s) : err_trace(r);
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
		return malformed(m, "a sealed row");
	int r = stmt_run(st);
	if (r == STORE_E_CONSTRAINT)
		return other(m, "a sealed row (kind %d, key %lld) does not fit the book", (int) c->c.kind, (long long) c->c.key);
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
		return other(m, "withdrawal %lld is decided already", (long long) c->c.key);
	return r == 0 ? err_trace(seal_in(m->db, SEAL_WITHDRAWAL, c->c.key)) : err_trace(r);
}

/* The account names its newest row of that kind. */
static int point_at(struct maker *m, struct stmt *st, const struct ship_change *c)
{
	stmt_int(st, 1, c->row[1].i);
	stmt_int(st, 2, c->c.key);
	int r = stmt_run(st);
	return r > 0 ? other(m, "an account refuses its row %lld", (long long) c->c.key) : err_trace(r);
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
		r = decide_lost(m, &until);
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
	return r > 0 ? other(m, "user %lld's bet is refused (%d)", (long long) row->user, r) : err_trace(r);
}

static int make_payout(struct maker *m, const struct ship_row *row)
{
	struct stored_bet b;
	int r = book_load(m->db, row->user, row->t0_s, row->low_cents, &b);
	if (r != 0)
		return r < 0 ? err_trace(r) : other(m, "a payout of a bet that is not there");
	return decide(m, &b.bet, row->type == LEDGER_PAYOUT ? 1u << BET_WON : 1u << BET_VOID, row->at_ms);
}

static int make_row(struct maker *m, const struct ship_row *row)
{
	char ref[LEDGER_REF_ID_MAX];
	struct account account;
	if (row->type == LEDGER_BET)
		return make_bet(m, row);
	if (row->type == LEDGER_PAYOUT || row->type == LEDGER_REFUND)
		return make_payout(m, row);
	memcpy(ref, row->text, row->text_n);
	ref[row->text_n] = '\0';
	const struct posting p = { .user = row->user, .amount = { row->amount }, .ref_type = row->type, .ref_id = ref,
		.at_ms = row->at_ms };
	int r = ledger_post(m->db, &p, &account);
	if (r == -EINVAL)
		return malformed(m, "a posting");
	return r > 0 ? other(m, "posting %s is refused (%d)", ref, r) : err_trace(r);
}

static int make_rows(struct maker *m, bool skip)
{
	int r = 0;
	while (r == 0 && m->in.rows > 0) {
		struct ship_row row;
		if (!ship_next_row(&m->in, &row))
			return malformed(m, "a row");
		r = skip ? 0 : make_row(m, &row);
	}
	return r;
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
	return r < 0 ? malformed(m, "a quote") : 0;
}

static int make_all(struct maker *m)
{
	int r;
	while ((r = ship_next_unit(&m->in)) == 1) {
		r = make_unit(m);
		if (r != 0)
			return r;
	}
	return r < 0 ? malformed(m, "a unit") : make_quotes(m);
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
		r = malformed(&m, "the number of its commits or seals");
	if (r == 0)
		r = book_pos_check(db, to);
	ship_reader_free(&m.in);
	free(m.ticks);
	return r < 0 ? err_trace(r) : r;
}
