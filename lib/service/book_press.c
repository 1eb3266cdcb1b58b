/* The pressed file's tables, and how a book is pressed into them. */
#include "book_press_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "err.h"
#include "schema.h"
#include "varint.h"

/* Written in the order in which rows come, so that no page is left half empty. A zero and a one take no byte at all in SQLite. */
static const char pressed_1_up[] =
	"CREATE TABLE pressed(id INTEGER PRIMARY KEY CHECK(id = 1), version INTEGER NOT NULL, t0_unit INTEGER NOT NULL,"
	" low_unit INTEGER NOT NULL, low_base INTEGER NOT NULL, stake_unit INTEGER NOT NULL) STRICT;"
	"CREATE TABLE placed(row INTEGER PRIMARY KEY, at INTEGER NOT NULL, user INTEGER NOT NULL, t0 INTEGER NOT NULL,"
	" low INTEGER NOT NULL, stake INTEGER NOT NULL, rate INTEGER NOT NULL, better INTEGER NOT NULL, signed INTEGER NOT NULL,"
	" status INTEGER NOT NULL, signer INTEGER NOT NULL) STRICT;"
	"CREATE TABLE nonces(first INTEGER PRIMARY KEY, nonces BLOB NOT NULL) STRICT;"
	"CREATE TABLE carried(t0 INTEGER NOT NULL, low INTEGER NOT NULL, user INTEGER NOT NULL, stake INTEGER NOT NULL,"
	" rate INTEGER NOT NULL, rate_min INTEGER NOT NULL, placed_at INTEGER NOT NULL, signed_at INTEGER NOT NULL,"
	" nonce BLOB NOT NULL, status INTEGER NOT NULL, signer INTEGER NOT NULL, PRIMARY KEY(t0, low, user)) STRICT, WITHOUT ROWID;"
	"CREATE TABLE others(id INTEGER PRIMARY KEY, user INTEGER NOT NULL, amount INTEGER NOT NULL, balance_after INTEGER NOT NULL,"
	" ref_type TEXT NOT NULL, ref_id TEXT NOT NULL, prev INTEGER NOT NULL, at INTEGER NOT NULL) STRICT;"
	"CREATE TABLE payouts(first_row INTEGER PRIMARY KEY, n INTEGER NOT NULL, t0 INTEGER NOT NULL, after_low INTEGER NOT NULL,"
	" after_user INTEGER NOT NULL, at INTEGER NOT NULL) STRICT;"
	"CREATE TABLE commits(first INTEGER PRIMARY KEY, sizes BLOB NOT NULL) STRICT;"
	"CREATE VIEW bets AS"
	" WITH said AS (SELECT sum(at) OVER (ORDER BY row) AS placed_at, sum(signer) OVER (PARTITION BY user ORDER BY row) AS who,"
	"  row_number() OVER (ORDER BY row) - 1 AS nth, * FROM placed),"
	" every AS (SELECT (placed_at / 1000 / t0_unit + t0) * t0_unit AS t0, (low_base + low) * low_unit AS low, user,"
	"  stake * stake_unit AS stake, rate, rate - better AS rate_min, placed_at, placed_at / 1000 - signed AS signed_at,"
	"  substr(nonces, 1 + nth % 1024 * 16, 16) AS nonce, status, row AS bet_row, who AS signer"
	"  FROM said CROSS JOIN pressed CROSS JOIN nonces ON nonces.first = nth - nth % 1024"
	"  UNION ALL SELECT t0, low, user, stake, rate, rate_min, placed_at, signed_at, nonce, status, 0, signer FROM carried)"
	" SELECT t0, low, user, stake, rate, rate_min, placed_at, signed_at, nonce, status, bet_row,"
	"  CASE status WHEN 2 THEN stake * rate / 10000 WHEN 4 THEN stake ELSE 0 END AS payout, signer FROM every;"
	"CREATE VIEW transaction_ledger AS"
	" WITH runs AS (SELECT *, coalesce(sum(n) OVER (PARTITION BY t0 ORDER BY first_row ROWS BETWEEN UNBOUNDED PRECEDING AND"
	"  1 PRECEDING), 0) AS earlier FROM payouts),"
	" paid AS (SELECT *, row_number() OVER (PARTITION BY t0 ORDER BY low, user) - 1 AS nth FROM bets WHERE payout > 0),"
	" every AS (SELECT b.bet_row AS id, b.user, -b.stake AS amount, 'BET' AS ref_type, " SCHEMA_BET_ID " AS ref_id, b.placed_at AS at"
	"  FROM bets b WHERE b.bet_row > 0"
	"  UNION ALL SELECT r.first_row + b.nth - r.earlier, b.user, b.payout, iif(b.status = 2, 'PAYOUT', 'REFUND'), " SCHEMA_BET_ID ","
	"  r.at FROM runs r JOIN paid b ON b.t0 = r.t0 AND b.nth >= r.earlier AND b.nth < r.earlier + r.n"
	"  UNION ALL SELECT id, user, amount, ref_type, ref_id, at FROM others)"
	" SELECT id, user, amount, sum(amount) OVER own AS balance_after, ref_type, ref_id, coalesce(lag(id) OVER own, 0) AS prev, at"
	"  FROM every WINDOW own AS (PARTITION BY user ORDER BY id);";
static const char pressed_1_down[] =
	"DROP VIEW transaction_ledger; DROP VIEW bets; DROP TABLE commits; DROP TABLE payouts; DROP TABLE others; DROP TABLE carried;"
	"DROP TABLE nonces; DROP TABLE placed; DROP TABLE pressed;";
const struct store_schema schema_pressed = { 0x54415050 /* TAPP */,
	(const struct store_migration[]){ { 1, pressed_1_up, pressed_1_down }, { 0, NULL, NULL } } };

/* ---- what pressing and thawing share */

int press_cannot(const char *fmt, ...)
{
	char what[160];
	va_list ap;
	va_start(ap, fmt);
	(void) vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	(void) err_say(0, "%s", what);
	return BOOK_PRESS_E_CANNOT;
}

int press_row(struct press_writer *w)
{
	return ++w->rows % ROWS_A_LOOK == 0 && w->pace->between ? w->pace->between(w->pace->u) : 0;
}

static int between_rows(void *u, struct stmt *row, int columns)
{
	(void) row, (void) columns;
	return press_row(u);
}

int press_table(struct press_writer *w, struct store *from, const char *table)
{
	int r = store_copy_rows(from, w->to, table, between_rows, w);
	if (r == -EEXIST)
		return press_cannot("a row of %s does not fit", table);
	return r;
}

bool press_is_left_out(const char *table)
{
	return strcmp(table, "bets") == 0 || strcmp(table, "transaction_ledger") == 0 || strcmp(table, "chain") == 0;
}

enum { TABLES_MAX = 64, TABLE_NAME_SIZE = 64 };

struct tables {
	struct {
		char name[TABLE_NAME_SIZE];
		char *sql;
	} all[TABLES_MAX];
	size_t n;
};

static int take_table(void *u, struct stmt *row, int columns)
{
	struct tables *t = u;
	size_t n;
	(void) columns;
	if (t->n == TABLES_MAX)
		return err_say(-E2BIG, "more than %d tables", TABLES_MAX);
	(void) snprintf(t->all[t->n].name, TABLE_NAME_SIZE, "%s", stmt_col_text(row, 0, &n));
	t->all[t->n].sql = strdup(stmt_col_text(row, 1, &n));
	return t->all[t->n++].sql ? 0 : -ENOMEM;
}

/* Users are referred to; a column that is recorded lets no settlement of it begin. */
static int turn_of(const char *name)
{
	return strcmp(name, "users") == 0 ? 0 : strcmp(name, "settling") == 0 ? 1 : 2;
}

int press_tables(struct store *from, press_table_cb *cb, void *u)
{
	struct tables *t = calloc(1, sizeof *t);
	int r = t ? store_tables(from, take_table, t) : -ENOMEM;
	for (int turn = 0; r == 0 && turn < 3; turn++)
		for (size_t i = 0; r == 0 && i < t->n; i++)
			if (turn_of(t->all[i].name) == turn)
				r = cb(u, t->all[i].name, t->all[i].sql);
	for (size_t i = 0; t && i < t->n; i++)
		free(t->all[i].sql);
	free(t);
	return r;
}

int press_users(struct store *db, struct press_user **ret, int64_t *ret_n)
{
	struct stmt *st = store_stmt(db, "SELECT coalesce(max(id), 0) FROM users");
	int r = stmt_step(st);
	if (r < 0)
		return err_trace(r);
	*ret_n = stmt_col_int(st, 0) + 1;
	stmt_reset(st);
	if (*ret_n < 1 || *ret_n > UINT32_MAX)
		return press_cannot("user id %" PRId64, *ret_n);
	*ret = calloc((size_t) *ret_n, sizeof **ret);
	return *ret ? 0 : -ENOMEM;
}

/* ---- pressing */

struct presser {
	struct store *book;
	struct press_writer w;
	struct press_units units;
	struct press_user *users;
	int64_t n_users;
	int64_t at_ms, bets;       /* of the bet before; how many there were */
	struct buf nonces;         /* of those since the last row of them */
	struct payout_run {
		int64_t first, n, t0, after_low, after_user, at, last_low, last_user;
	} run;
};

static int64_t gcd(int64_t a, int64_t b)
{
	while (b) {
		int64_t rest = a % b;
		a = b;
		b = rest;
	}
	return a < 0 ? -a : a;
}

static int take_units(struct presser *p)
{
	struct stmt *st = store_stmt(p->book, "SELECT t0, low, stake FROM bets");
	struct press_units *u = &p->units;
	int64_t least = INT64_MAX;
	int r;
	while ((r = stmt_step(st)) == STMT_ROW) {
		int64_t low = stmt_col_int(st, 1);
		u->t0 = gcd(u->t0, stmt_col_int(st, 0));
		u->low = gcd(u->low, low);
		u->stake = gcd(u->stake, stmt_col_int(st, 2));
		least = low < least ? low : least;
		r = press_row(&p->w);
		if (r < 0) {
			stmt_reset(st);
			return r;
		}
	}
	u->t0 += u->t0 == 0;
	u->low += u->low == 0;
	u->stake += u->stake == 0;
	u->low_base = least == INT64_MAX ? 0 : least / u->low;
	return err_trace(r);
}

static int put_head(struct presser *p, int version)
{
	struct stmt *st = store_stmt(p->w.to, "INSERT INTO pressed(id, version, t0_unit, low_unit, low_base, stake_unit)"
			" VALUES (1, ?1, ?2, ?3, ?4, ?5)");
	stmt_int(st, 1, version);
	stmt_int(st, 2, p->units.t0);
	stmt_int(st, 3, p->units.low);
	stmt_int(st, 4, p->units.low_base);
	stmt_int(st, 5, p->units.stake);
	return ledger_must(stmt_run(st), "pressed");
}

static int take_whole(void *u, const char *table, const char *sql)
{
	struct presser *p = u;
	if (press_is_left_out(table))
		return 0;
	int r = ledger_must(store_script(p->w.to, sql), table);
	return r == 0 ? press_table(&p->w, p->book, table) : err_trace(r);
}

static int take_carried(struct presser *p)
{
	struct stmt *st = store_stmt(p->book, "SELECT " BET_COLUMNS_OPEN " FROM bets WHERE bet_row = 0 ORDER BY t0, low, user");
	int r;
	while ((r = stmt_step(st)) == STMT_ROW) {
		static const int columns[] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 12 };
		size_t n;
		struct stmt *in = store_stmt(p->w.to, "INSERT INTO carried(t0, low, user, stake, rate, rate_min, placed_at, signed_at,"
				" nonce, status, signer) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)");
		for (int i = 0; i < 11; i++)
			if (columns[i] != 8)
				stmt_int(in, i + 1, stmt_col_int(st, columns[i]));
		const void *nonce = stmt_col_blob(st, 8, &n);
		stmt_blob(in, 9, nonce, n);
		r = ledger_must(stmt_run(in), "carried");
		if (r == 0)
			r = press_row(&p->w);
		if (r != 0) {
			stmt_reset(st);
			break;
		}
	}
	return err_trace(r);
}

static int put_nonces(struct presser *p)
{
	int64_t n = (int64_t) p->nonces.n / NONCE_SIZE;
	if (n == 0)
		return 0;
	struct stmt *st = store_stmt(p->w.to, "INSERT INTO nonces(first, nonces) VALUES (?1, ?2)");
	stmt_int(st, 1, p->bets - n);
	stmt_blob(st, 2, p->nonces.p, p->nonces.n);
	int r = p->nonces.failed ? -ENOMEM : ledger_must(stmt_run(st), "nonces");
	buf_clear(&p->nonces);
	return r;
}

static int take_bet(struct presser *p, const struct raw_row *row)
{
	struct cell cell;
	struct stored_bet b;
	const struct press_units *u = &p->units;
	ledger_cell_of_ref(&cell, row->cell_ref);
	int r = book_load(p->book, row->user, cell.t0_s, cell.low_cents, &b);
	if (r != 0)
		return r < 0 ? err_trace(r) : press_cannot("row %" PRId64 " is of a bet that is not there", row->id);
	struct press_user *user = &p->users[row->user];
	struct stmt *st = store_stmt(p->w.to, "INSERT INTO placed(row, at, user, t0, low, stake, rate, better, signed, status, signer)"
			" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)");
	stmt_int(st, 1, row->id);
	stmt_int(st, 2, row->at_ms - p->at_ms);
	stmt_int(st, 3, row->user);
	stmt_int(st, 4, cell.t0_s / u->t0 - row->at_ms / 1000 / u->t0);
	stmt_int(st, 5, cell.low_cents / u->low - u->low_base);
	stmt_int(st, 6, b.bet.stake.micros / u->stake);
	stmt_int(st, 7, b.bet.rate.e4);
	stmt_int(st, 8, (int64_t) b.bet.rate.e4 - b.bet.rate_min.e4);
	stmt_int(st, 9, row->at_ms / 1000 - b.bet.signed_s);
	stmt_int(st, 10, b.bet.state);
	stmt_int(st, 11, b.bet.signer - user->signer);
	user->signer = b.bet.signer;
	p->at_ms = row->at_ms;
	p->bets++;
	buf_put(&p->nonces, b.bet.nonce, NONCE_SIZE);
	r = ledger_must(stmt_run(st), "placed");
	return r == 0 && p->bets % NONCES_EACH == 0 ? put_nonces(p) : r;
}

static int take_other(struct presser *p, const struct raw_row *row)
{
	struct stmt *st = store_stmt(p->w.to, "INSERT INTO others(" ROW_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)");
	ledger_bind_row(st, row);
	return ledger_must(stmt_run(st), "others");
}

static int end_run(struct presser *p)
{
	const struct payout_run *run = &p->run;
	if (run->n == 0)
		return 0;
	struct stmt *st = store_stmt(p->w.to, "INSERT INTO payouts(first_row, n, t0, after_low, after_user, at)"
			" VALUES (?1, ?2, ?3, ?4, ?5, ?6)");
	stmt_int(st, 1, run->first);
	stmt_int(st, 2, run->n);
	stmt_int(st, 3, run->t0);
	stmt_int(st, 4, run->after_low);
	stmt_int(st, 5, run->after_user);
	stmt_int(st, 6, run->at);
	p->run.n = 0;
	return ledger_must(stmt_run(st), "payouts");
}

/* A run goes on while rows follow each other, of one column and moment, in the order of the bets' keys. */
static int take_payout(struct presser *p, const struct raw_row *row)
{
	struct payout_run *run = &p->run;
	struct cell cell;
	ledger_cell_of_ref(&cell, row->cell_ref);
	bool after = cell.low_cents > run->last_low || (cell.low_cents == run->last_low && row->user > run->last_user);
	int r = 0;
	if (run->n > 0 && !(row->id == run->first + run->n && cell.t0_s == run->t0 && row->at_ms == run->at && after))
		r = end_run(p);
	if (run->n == 0)
		*run = (struct payout_run){ .first = row->id, .t0 = cell.t0_s, .after_low = cell.low_cents,
			.after_user = row->user - 1, .at = row->at_ms };
	run->n++;
	run->last_low = cell.low_cents;
	run->last_user = row->user;
	return r;
}

static int take_row(struct presser *p, const struct raw_row *row)
{
	if (row->user < 1 || row->user >= p->n_users)
		return press_cannot("row %" PRId64 ": no account %" PRId64, row->id, row->user);
	switch (row->ref_type) {
	case LEDGER_BET:
		return take_bet(p, row);
	case LEDGER_PAYOUT:
	case LEDGER_REFUND:
		return take_payout(p, row);
	default:
		return take_other(p, row);
	}
}

static int take_rows(struct presser *p)
{
	struct stmt *st = store_stmt(p->book, "SELECT " ROW_COLUMNS " FROM transaction_ledger ORDER BY id");
	int r;
	while ((r = stmt_step(st)) == STMT_ROW) {
		struct walk_row w;
		r = ledger_read_row(st, &w) == 0 ? take_row(p, &w.raw) : press_cannot("a ledger row is damaged");
		if (r == 0)
			r = press_row(&p->w);
		if (r != 0) {
			stmt_reset(st);
			return r;
		}
	}
	if (r == 0)
		r = end_run(p);
	return r == 0 ? put_nonces(p) : err_trace(r);
}

static int put_commits(struct presser *p, int64_t first, struct buf *sizes)
{
	if (sizes->n == 0)
		return 0;
	struct stmt *st = store_stmt(p->w.to, "INSERT INTO commits(first, sizes) VALUES (?1, ?2)");
	stmt_int(st, 1, first);
	stmt_blob(st, 2, sizes->p, sizes->n);
	int r = sizes->failed ? -ENOMEM : ledger_must(stmt_run(st), "commits");
	buf_clear(sizes);
	return r;
}

static int take_commits(struct presser *p, struct buf *sizes)
{
	struct stmt *st = store_stmt(p->book, "SELECT id, first_row, last_row FROM chain ORDER BY id");
	int64_t commit = 0, row = 0;
	int r;
	while ((r = stmt_step(st)) == STMT_ROW) {
		int64_t last = stmt_col_int(st, 2);
		if (stmt_col_int(st, 0) != ++commit || stmt_col_int(st, 1) != row + 1 || last <= row)
			r = press_cannot("commit %" PRId64 " does not follow the one before it, or has no row", commit);
		else
			r = press_row(&p->w);
		varint_put(sizes, (uint64_t) (last - row));
		row = last;
		if (r == 0 && commit % COMMITS_EACH == 0)
			r = put_commits(p, commit - COMMITS_EACH + 1, sizes);
		if (r != 0) {
			stmt_reset(st);
			return r;
		}
	}
	return r == 0 ? put_commits(p, commit - commit % COMMITS_EACH + 1, sizes) : err_trace(r);
}

static int press_all(struct presser *p, int version)
{
	struct buf sizes = BUF_INIT(16 * COMMITS_EACH);
	int r = press_users(p->book, &p->users, &p->n_users);
	if (r == 0)
		r = take_units(p);
	if (r == 0)
		r = put_head(p, version);
	if (r == 0)
		r = press_tables(p->book, take_whole, p);
	if (r == 0)
		r = take_carried(p);
	if (r == 0)
		r = take_rows(p);
	if (r == 0)
		r = take_commits(p, &sizes);
	buf_free(&sizes);
	return r;
}

int book_press(struct store *book, struct store *to, const struct book_pace *pace)
{
	struct presser p = { .book = book, .w = { .to = to, .pace = pace },
		.nonces = BUF_INIT(NONCES_EACH * NONCE_SIZE + 1) };
	int version = store_version(book);
	int r = version < 0 ? version : store_begin(book);
	if (r != 0)
		return err_trace(r);
	r = store_begin(to);
	if (r == 0)
		r = press_all(&p, version);
	if (r == 0)
		r = store_commit(to);
	store_rollback(to);
	store_rollback(book);
	free(p.users);
	buf_free(&p.nonces);
	return r == -ENOSPC ? STORE_E_FULL : err_trace(r);
}
