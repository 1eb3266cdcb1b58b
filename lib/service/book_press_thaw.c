/* A pressed book made again: the ledger's rows by ledger_append, its commits by ledger_boundary, in the order in which they were; then
 * what two files say, row by row, as one hash. */
#include "book_press_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "err.h"
#include "schema.h"
#include "varint.h"

enum { PAID_AT_ONCE = 128, LIFTED = 2 };

struct thawer {
	struct store *from;
	struct press_writer w;     /* w.to: the book */
	struct press_units units;
	int version;
	struct press_user *users;
	int64_t n_users;
	struct stmt *nonces;       /* at the row whose first nonces_left are still to come */
	const uint8_t *nonce;
	size_t nonces_left;
	struct stmt *placed, *others, *payouts; /* each at its next row, whose id stands in next_*; 0: none is left */
	int64_t next_placed, next_other, next_payouts;
	int64_t at_ms;             /* of the bet before */
	char *triggers[LIFTED];    /* what they said */
};

static int read_head(struct thawer *t)
{
	struct stmt *st = store_stmt(t->from, "SELECT version, t0_unit, low_unit, low_base, stake_unit FROM pressed");
	int r = stmt_step(st);
	if (r <= 0)
		return r < 0 ? err_trace(r) : press_cannot("the pressed book has no head");
	t->version = (int) stmt_col_int(st, 0);
	t->units = (struct press_units){ .t0 = stmt_col_int(st, 1), .low = stmt_col_int(st, 2), .low_base = stmt_col_int(st, 3),
		.stake = stmt_col_int(st, 4) };
	stmt_reset(st);
	return 0;
}

static int step_on(struct stmt *st, int64_t *next)
{
	int r = stmt_step(st);
	*next = r == STMT_ROW ? stmt_col_int(st, 0) : 0;
	return r < 0 ? err_trace(r) : 0;
}

static int begin_walks(struct thawer *t)
{
	t->placed = store_stmt(t->from, "SELECT row, at, user, t0, low, stake, rate, better, signed, status, signer FROM placed"
			" ORDER BY row");
	t->nonces = store_stmt(t->from, "SELECT nonces FROM nonces ORDER BY first");
	t->others = store_stmt(t->from, "SELECT " ROW_COLUMNS " FROM others ORDER BY id");
	t->payouts = store_stmt(t->from, "SELECT first_row, n, t0, after_low, after_user, at FROM payouts ORDER BY first_row");
	int r = step_on(t->placed, &t->next_placed);
	if (r == 0)
		r = step_on(t->others, &t->next_other);
	return r == 0 ? step_on(t->payouts, &t->next_payouts) : r;
}

/* A new file has a first seal of its own; and a bet comes with its outcome, while what it was paid is filled in when that row is made. */
static const char *const lifted[LIFTED] = { "seals_no_delete", "bets_decided_once" };

static int lift_trigger(struct thawer *t, size_t i)
{
	char drop[64];
	size_t n;
	struct stmt *st = store_stmt(t->w.to, "SELECT sql FROM sqlite_schema WHERE type = 'trigger' AND name = ?1");
	stmt_text(st, 1, lifted[i], strlen(lifted[i]));
	int r = stmt_step(st);
	if (r <= 0)
		return r < 0 ? err_trace(r) : press_cannot("a new book has no trigger %s", lifted[i]);
	t->triggers[i] = strdup(stmt_col_text(st, 0, &n));
	stmt_reset(st);
	(void) snprintf(drop, sizeof drop, "DROP TRIGGER %s", lifted[i]);
	return t->triggers[i] ? ledger_must(store_script(t->w.to, drop), "trigger") : -ENOMEM;
}

static int make_room(struct thawer *t)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < LIFTED; i++)
		r = lift_trigger(t, i);
	return r == 0 ? ledger_must(stmt_run(store_stmt(t->w.to, "DELETE FROM seals")), "seals") : r;
}

static int set_triggers(struct thawer *t)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < LIFTED; i++)
		r = ledger_must(store_script(t->w.to, t->triggers[i]), "trigger");
	return r;
}

static int put_bet(struct thawer *t, const struct bet *b, int64_t bet_row)
{
	struct stmt *st = store_stmt(t->w.to, "INSERT INTO bets(t0, low, user, stake, rate, rate_min, placed_at, signed_at, nonce,"
			" status, bet_row, pay_row, signer) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 0, ?12)");
	book_bind_bet(st, b);
	stmt_int(st, 10, b->state);
	stmt_int(st, 11, bet_row);
	stmt_int(st, 12, b->signer);
	int r = stmt_run(st);
	return r == STORE_E_CONSTRAINT ? press_cannot("bet %" PRId64 " of user %" PRId64 " does not fit", bet_row, b->user) : err_trace(r);
}

static int put_carried(struct thawer *t)
{
	struct stmt *st = store_stmt(t->from, "SELECT t0, low, user, stake, rate, rate_min, placed_at, signed_at, nonce, status, 0, 0,"
			" signer, 0 FROM carried ORDER BY t0, low, user");
	int r;
	while ((r = stmt_step(st)) == STMT_ROW) {
		struct stored_bet b;
		r = book_read_bet(st, &b) == 0 ? put_bet(t, &b.bet, 0) : press_cannot("a carried bet is damaged");
		if (r == 0)
			r = press_row(&t->w);
		if (r != 0) {
			stmt_reset(st);
			return r;
		}
	}
	return err_trace(r);
}

/* The account as the ledger appends to it; who he is enters the chain with his first row. */
static int account_of(struct thawer *t, int64_t user, struct full_account *ret)
{
	if (user < 1 || user >= t->n_users)
		return press_cannot("no account %" PRId64, user);
	const struct press_user *u = &t->users[user];
	*ret = (struct full_account){ .a = { .user = user } };
	int r = u->last_row == 0 ? ledger_load(t->w.to, user, ret) : 0;
	ret->a.balance.micros = u->balance;
	ret->last_row = u->last_row;
	return r > 0 ? press_cannot("no account %" PRId64, user) : err_trace(r);
}

static int append(struct thawer *t, int64_t id, int64_t user, struct raw_row *row, const struct bet *bet)
{
	struct full_account a;
	int r = account_of(t, user, &a);
	if (r != 0)
		return r;
	if (!money_apply(&a.a.balance, a.a.balance, (struct amount){ row->amount }))
		return press_cannot("row %" PRId64 ": a balance below nothing", id);
	r = ledger_append(t->w.to, &a, row, bet);
	t->users[user].balance = a.a.balance.micros;
	t->users[user].last_row = a.last_row;
	return r == 0 && row->id != id ? press_cannot("row %" PRId64 " comes as row %" PRId64, id, row->id) : r;
}

static int next_nonce(struct thawer *t, uint8_t ret[NONCE_SIZE])
{
	if (t->nonces_left == 0) {
		size_t n;
		int r = stmt_step(t->nonces);
		if (r <= 0)
			return r < 0 ? err_trace(r) : press_cannot("there are fewer nonces than bets");
		t->nonce = stmt_col_blob(t->nonces, 0, &n);
		t->nonces_left = n / NONCE_SIZE;
		if (n == 0 || n % NONCE_SIZE)
			return press_cannot("the nonces are damaged");
	}
	memcpy(ret, t->nonce, NONCE_SIZE);
	t->nonce += NONCE_SIZE;
	t->nonces_left--;
	return 0;
}

static int make_bet(struct thawer *t)
{
	struct stmt *st = t->placed;
	const struct press_units *u = &t->units;
	char ref[ULID_TEXT_SIZE];
	int64_t at = t->at_ms += stmt_col_int(st, 1), user = stmt_col_int(st, 2), row = t->next_placed;
	if (user < 1 || user >= t->n_users)
		return press_cannot("no account %" PRId64, user);
	struct bet b = { .user = user, .placed_ms = at, .state = (enum bet_state) stmt_col_int(st, 9),
		.cell = { .t0_s = (stmt_col_int(st, 3) + at / 1000 / u->t0) * u->t0,
			.low_cents = (stmt_col_int(st, 4) + u->low_base) * u->low },
		.stake = money_of(stmt_col_int(st, 5) * u->stake), .rate = { (int32_t) stmt_col_int(st, 6) },
		.rate_min = { (int32_t) (stmt_col_int(st, 6) - stmt_col_int(st, 7)) },
		.signed_s = at / 1000 - stmt_col_int(st, 8), .signer = t->users[user].signer += stmt_col_int(st, 10) };
	struct raw_row raw = { .ref_type = LEDGER_BET, .amount = amount_out(b.stake).micros, .at_ms = at };
	if (!ledger_name_bet(&raw, &b, ref))
		return press_cannot("the bet of row %" PRId64 " is damaged", row);
	int r = next_nonce(t, b.nonce);
	if (r == 0)
		r = put_bet(t, &b, row);
	if (r == 0)
		r = append(t, row, user, &raw, &b);
	return r == 0 ? step_on(t->placed, &t->next_placed) : r;
}

static int make_other(struct thawer *t)
{
	struct walk_row w;
	if (ledger_read_row(t->others, &w) != 0)
		return press_cannot("row %" PRId64 " is damaged", t->next_other);
	struct raw_row raw = w.raw;
	raw.text = w.text;
	int r = append(t, w.raw.id, w.raw.user, &raw, NULL);
	return r == 0 ? step_on(t->others, &t->next_other) : r;
}

struct paid {
	struct bet bets[PAID_AT_ONCE];
	size_t n, next;
	int64_t first, left, t0, after_low, after_user, at;
};

/* The next of the run's bets, in key order. */
static int read_paid(struct thawer *t, struct paid *p)
{
	struct stmt *st = store_stmt(t->w.to, "SELECT " BET_COLUMNS_OPEN ", 0 FROM bets WHERE t0 = ?1 AND (low, user) > (?2, ?3)"
			" AND status IN (2, 4) ORDER BY low, user LIMIT ?4");
	int r;
	stmt_int(st, 1, p->t0);
	stmt_int(st, 2, p->after_low);
	stmt_int(st, 3, p->after_user);
	stmt_int(st, 4, p->left < PAID_AT_ONCE ? p->left : PAID_AT_ONCE);
	p->n = p->next = 0;
	while ((r = stmt_step(st)) == STMT_ROW) {
		struct stored_bet b;
		if (book_read_bet(st, &b) != 0) {
			stmt_reset(st);
			return press_cannot("a bet of column %" PRId64 " is damaged", p->t0);
		}
		p->bets[p->n++] = b.bet;
	}
	return r == 0 && p->n == 0 ? press_cannot("column %" PRId64 " has fewer bets than were paid", p->t0) : err_trace(r);
}

static int make_payout(struct thawer *t, struct paid *p)
{
	char ref[ULID_TEXT_SIZE];
	int r = p->next == p->n ? read_paid(t, p) : 0;
	if (r != 0)
		return r;
	const struct bet *b = &p->bets[p->next++];
	struct raw_row raw = { .ref_type = b->state == BET_WON ? LEDGER_PAYOUT : LEDGER_REFUND, .amount = b->payout.micros,
		.at_ms = p->at };
	if (!ledger_name_bet(&raw, b, ref))
		return press_cannot("a bet of column %" PRId64 " is damaged", p->t0);
	r = append(t, p->first, b->user, &raw, NULL);
	if (r != 0)
		return r;
	struct stmt *st = store_stmt(t->w.to, "UPDATE bets SET pay_row = ?4 WHERE t0 = ?1 AND low = ?2 AND user = ?3");
	stmt_int(st, 1, p->t0);
	stmt_int(st, 2, p->after_low = b->cell.low_cents);
	stmt_int(st, 3, p->after_user = b->user);
	stmt_int(st, 4, p->first++);
	p->left--;
	return ledger_must(stmt_run(st), "payout");
}

static int begin_run(struct thawer *t, struct paid *p)
{
	struct stmt *st = t->payouts;
	*p = (struct paid){ .first = t->next_payouts, .left = stmt_col_int(st, 1), .t0 = stmt_col_int(st, 2),
		.after_low = stmt_col_int(st, 3), .after_user = stmt_col_int(st, 4), .at = stmt_col_int(st, 5) };
	return step_on(t->payouts, &t->next_payouts);
}

static int make_row(struct thawer *t, struct paid *p, int64_t row)
{
	int r = 0;
	if (p->left == 0 && row == t->next_payouts)
		r = begin_run(t, p);
	if (r != 0)
		return r;
	if (p->left > 0)
		return make_payout(t, p);
	if (row == t->next_placed)
		return make_bet(t);
	return row == t->next_other ? make_other(t) : press_cannot("nothing makes row %" PRId64, row);
}

/* A week's first commit speaks of the bets that were carried over, too. */
static int add_carried(struct thawer *t)
{
	struct stmt *st = store_stmt(t->w.to, "SELECT " BET_COLUMNS_OPEN ", 0 FROM bets WHERE bet_row = 0 ORDER BY t0, low, user");
	int r;
	while ((r = stmt_step(st)) == STMT_ROW) {
		struct stored_bet b;
		if (book_read_bet(st, &b) != 0) {
			stmt_reset(st);
			return press_cannot("a carried bet is damaged");
		}
		chain_add_bet(&ledger_tx(t->w.to)->hash, &b.bet);
	}
	return err_trace(r);
}

static int make_commit(struct thawer *t, struct paid *p, int64_t commit, int64_t *row, uint64_t rows)
{
	int r = rows > 0 ? 0 : press_cannot("commit %" PRId64 " has no row", commit);
	for (uint64_t i = 0; r == 0 && i < rows; i++) {
		r = make_row(t, p, ++*row);
		if (r == 0)
			r = press_row(&t->w);
	}
	if (r == 0 && commit == 1)
		r = add_carried(t);
	if (r == 0)
		r = ledger_boundary(t->w.to);
	return r == 0 ? press_row(&t->w) : r;
}

static int make_commits(struct thawer *t, struct paid *p)
{
	struct stmt *st = store_stmt(t->from, "SELECT sizes FROM commits ORDER BY first");
	int64_t commit = 0, row = 0;
	int r;
	while ((r = stmt_step(st)) == STMT_ROW) {
		size_t n;
		const uint8_t *sizes = stmt_col_blob(st, 0, &n);
		struct varint_reader in = { sizes, sizes + n };
		uint64_t rows;
		r = 0;
		while (r == 0 && in.at < in.end)
			r = varint_get(&in, &rows) ? make_commit(t, p, ++commit, &row, rows) :
					press_cannot("the sizes after commit %" PRId64 " are damaged", commit);
		if (r != 0) {
			stmt_reset(st);
			return r;
		}
	}
	if (r == 0 && (t->next_placed || t->next_other || t->next_payouts || p->left || t->nonces_left))
		r = press_cannot("there are rows after the last commit");
	return err_trace(r);
}

static int put_whole(void *u, const char *table, const char *sql)
{
	static const char *const own[] = { "pressed", "placed", "nonces", "carried", "others", "payouts", "commits" };
	struct thawer *t = u;
	(void) sql;
	for (size_t i = 0; i < ARRAY_LEN(own); i++)
		if (strcmp(table, own[i]) == 0)
			return 0;
	return press_table(&t->w, t->from, table);
}

static int thaw_all(struct thawer *t)
{
	struct paid *paid = calloc(1, sizeof *paid);
	int r = paid ? make_room(t) : -ENOMEM;
	if (r == 0)
		r = press_tables(t->from, put_whole, t);
	if (r == 0)
		r = press_users(t->w.to, &t->users, &t->n_users);
	if (r == 0)
		r = put_carried(t);
	if (r == 0)
		r = begin_walks(t);
	if (r == 0)
		r = make_commits(t, paid);
	if (r == 0)
		r = set_triggers(t);
	free(paid);
	return r;
}

int book_thaw(struct store *pressed, struct store *book, const struct book_pace *pace)
{
	struct thawer t = { .from = pressed, .w = { .to = book, .pace = pace } };
	int r = store_begin(pressed);
	if (r != 0)
		return err_trace(r);
	r = read_head(&t);
	if (r == 0) /* as it was; whoever opens it next brings it on */
		r = store_migrate(book, t.version);
	if (r == STORE_E_ABSENT)
		r = press_cannot("it is of version %d, which this program does not know", t.version);
	if (r == 0)
		r = store_begin(book);
	if (r == 0)
		r = thaw_all(&t);
	if (r == 0)
		r = store_commit(book);
	store_rollback(book);
	store_rollback(pressed);
	free(t.users);
	for (size_t i = 0; i < LIFTED; i++)
		free(t.triggers[i]);
	return r == -ENOSPC ? STORE_E_FULL : err_trace(r);
}

/* ---- what a book says */

struct rows {
	struct store *book;
	const struct book_pace *pace;
	struct sha256 hash;
	int64_t asked;
};

static int add_row(void *u, struct stmt *row, int columns)
{
	struct rows *rows = u;
	sha256_add_be64(&rows->hash, columns);
	for (int i = 0; i < columns; i++) {
		enum stmt_type type = stmt_col_type(row, i);
		size_t n = 0;
		const void *p = type == STMT_TEXT ? stmt_col_text(row, i, &n) : type == STMT_BLOB ? stmt_col_blob(row, i, &n) : NULL;
		sha256_add_be64(&rows->hash, type);
		sha256_add_be64(&rows->hash, type == STMT_INT ? stmt_col_int(row, i) : (int64_t) n);
		if (n > 0)
			sha256_add(&rows->hash, p, n);
		if (type == STMT_REAL)
			return press_cannot("a value of no type that a book holds");
	}
	return ++rows->asked % ROWS_A_LOOK == 0 && rows->pace->between ? rows->pace->between(rows->pace->u) : 0;
}

static int add_table(void *u, const char *table, const char *sql)
{
	struct rows *rows = u;
	(void) sql;
	sha256_add(&rows->hash, table, strlen(table) + 1);
	return store_rows(rows->book, table, add_row, rows);
}

int book_rows(struct store *book, struct hash *ret, const struct book_pace *pace)
{
	struct rows rows = { .book = book, .pace = pace };
	int version = store_version(book);
	int r = version < 0 ? version : store_begin(book);
	if (r != 0)
		return err_trace(r);
	sha256_start(&rows.hash);
	sha256_add_be64(&rows.hash, version);
	r = press_tables(book, add_table, &rows);
	*ret = sha256_end(&rows.hash);
	store_rollback(book);
	return err_trace(r);
}
