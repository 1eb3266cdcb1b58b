/* book_life.h - what the tests of shipping share: a book's life in random operations, each a commit as the product makes it, and the
 * comparison of two books row by row of every table. TAP_SHIP_SEED repeats a life. */
#ifndef TAP_TEST_BOOK_LIFE_H
#define TAP_TEST_BOOK_LIFE_H

#include "books.h"

#include <inttypes.h>

#include "book_quotes.h"
#include "clk.h"
#include "limits_book.h"
#include "session_keys.h"
#include "settle.h"
#include "withdraw.h"

enum { USERS = 24, ROWS = 8, TICKS = 51, FIRST_ROW = 4868 };
static const struct settings the_rules = { .column_s = COLUMN_S, .row_cents = ROW_CENTS, .max_tick_gap_ms = 3000 };

static uint64_t seed;
static int64_t done, users, next_t0_s, serial; /* what the life has come to */

static uint64_t draw(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed % below;
}

static int64_t any_user(void)
{
	return 1 + (int64_t) draw((uint64_t) users);
}

/* ---- operations, each a commit as the product makes it */

static void open_in(struct store *db, bool credit)
{
	if (users < USERS)
		users++;
	else
		credit = false;
	struct account a;
	struct wallet wallet = books_wallet((int) users);
	char ref[32];
	int r = ledger_account_open(db, &wallet, NOW_MS + done, &a);
	(void) snprintf(ref, sizeof ref, "welcome-%" PRId64, a.user);
	if (r == 0 && credit)
		assert_int_equal(ledger_post(db, &(struct posting){ .user = a.user, .amount = { 1000 * MICROS_PER_USD },
				.ref_type = LEDGER_DEPOSIT, .ref_id = ref, .at_ms = NOW_MS + done }, &a), 0);
}

static void key_in(struct store *db)
{
	struct account a;
	struct session_key k;
	struct wallet key = books_wallet(100 + (int) draw(5));
	assert_int_equal(ledger_account_by_id(db, any_user(), &a), 0);
	assert_int_equal(session_keys_put(db, &a, &key, &(struct key_caps){ money_of((int64_t) draw(1000)), money_of(5000) },
			NOW_MS + done, NOW_MS + done + (int64_t) draw(5000), &k), 0);
}

static void limit_in(struct store *db)
{
	struct account a;
	struct limits l;
	assert_int_equal(ledger_account_by_id(db, any_user(), &a), 0);
	int r = limits_change(db, &a, &(struct limit_wish){ LIMIT_OPEN, (int64_t) draw(5000) * MICROS_PER_USD }, 1, "player",
			NOW_MS + done, &l);
	assert_true(r == 0 || r == LIMITS_BOOK_E_OFTEN);
}

static void bets_in(struct store *db, int64_t n)
{
	char made[8] = "quote";
	assert_int_equal(book_put_quote(db, NOW_MS + done, NOW_MS + done, made, sizeof made), 0);
	for (; n > 0; n--) {
		struct account a;
		int64_t user = any_user();
		struct bet b = books_bet(user, next_t0_s + COLUMN_S * (int64_t) draw(4), FIRST_ROW + (int64_t) draw(ROWS),
				1 + (int64_t) draw(5));
		b.placed_ms = NOW_MS + done;
		assert_int_equal(ledger_account_by_id(db, user, &a), 0);
		if (a.suspended || a.balance.micros < b.stake.micros || book_may_put(db, user, &b.cell) != 0)
			continue;
		b.signer = a.keys_row;
		assert_int_equal(books_place(db, &b, &a), 0);
	}
}

static void withdrawal_in(struct store *db)
{
	struct account a;
	struct withdrawal made;
	struct withdraw asked = { .amount = money_of(MICROS_PER_USD + (int64_t) draw(1000)), .to = books_wallet(9),
		.timestamp_s = NOW_MS / 1000 + done, .nonce = { (uint8_t) serial, (uint8_t) (serial >> 8), 7 } };
	serial++;
	wallet_format(asked.to_text, &asked.to);
	int r = withdraw_request(db, any_user(), &asked, NOW_MS + done, &made, &a);
	assert_true(r == 0 || r == WITHDRAW_E_FUNDS || r == WITHDRAW_E_SUSPENDED);
}

static bool first_open(void *u, const struct withdrawal *w)
{
	*(struct ulid *) u = w->id;
	return false;
}

static void decide_in(struct store *db)
{
	struct ulid id;
	struct withdrawal w;
	struct account a;
	bool more, changed;
	memset(&id, 0, sizeof id);
	assert_int_equal(withdraw_list(db, &(struct withdraw_query){ .to_ms = INT64_MAX, .state = WITHDRAW_REQUESTED, .limit = 1 },
			first_open, &id, &more), 0);
	int r = withdraw_decide(db, &id, draw(2), NOW_MS + done, &w, &a, &changed);
	assert_true(r == 0 || r == WITHDRAW_E_ABSENT);
}

/* The intake's batch: sign-ins, keys, limits, withdrawals and bets in one commit. */
static void batch(struct store *db)
{
	int64_t bets = 1 + (int64_t) draw(30);
	if (draw(4) == 0)
		open_in(db, draw(2));
	if (draw(4) == 0)
		key_in(db);
	if (draw(8) == 0)
		limit_in(db);
	if (draw(8) == 0)
		open_in(db, true);
	if (draw(6) == 0)
		withdrawal_in(db);
	bets_in(db, bets);
}

static void operators(struct store *db)
{
	struct account a;
	char ref[32];
	switch (draw(4)) {
	case 0:
		assert_int_equal(ledger_suspend(db, any_user(), draw(3) == 0), 0);
		break;
	case 1:
		(void) snprintf(ref, sizeof ref, "gift-%" PRId64, ++serial);
		assert_int_equal(ledger_post(db, &(struct posting){ .user = any_user(), .amount = { 1 + (int64_t) draw(50000000) },
				.ref_type = LEDGER_ADJUSTMENT, .ref_id = ref, .at_ms = NOW_MS + done }, &a), 0);
		break;
	case 2:
		decide_in(db);
		break;
	default:
		open_in(db, false);
	}
}

static struct path path_of(struct tick ticks[TICKS], int64_t t0_s)
{
	int64_t p = (FIRST_ROW - 2) * ROW_CENTS + (int64_t) draw((ROWS + 3) * ROW_CENTS);
	for (int i = 0; i < TICKS; i++, p += (int64_t) draw(401) - 200)
		ticks[i] = (struct tick){ t0_s * 1000 - 100 + 100 * i, p };
	return path_cut(ticks, draw(6) == 0 ? 3 : TICKS, t0_s, COLUMN_S, 3000);
}

/* Slice by slice, with bets on other columns between them, so that a mark is often open where a span ends. */
static void settle(struct week *w)
{
	struct tick ticks[TICKS];
	struct path path = path_of(ticks, next_t0_s);
	struct settle_slice slice = { .bets = 1 + draw(9), .us = INT64_MAX };
	struct settle_result result;
	int64_t t0_s = next_t0_s;
	int r;
	next_t0_s += COLUMN_S;
	while ((r = settle_one_slice(w, &the_rules, &path, t0_s * 1000 + 6000 + done, &slice, &result, NULL, NULL)) == SETTLE_E_MORE) {
		slice.bets = 1 + draw(9);
		if (draw(3) == 0) {
			struct store *db = books_begin(w);
			bets_in(db, 4);
			assert_int_equal(week_commit(w), 0);
		}
		if (draw(40) == 0)
			return; /* a crash: another goes on later */
	}
	assert_int_equal(r, 0);
}

static void go_on(struct week *w)
{
	struct settle_result result;
	int64_t t0_s;
	struct store *db = books_begin(w);
	int r = book_oldest_open(db, next_t0_s - COLUMN_S, &t0_s);
	week_rollback(w);
	if (r == 0)
		assert_int_equal(settle_go_on(w, &the_rules, t0_s, t0_s * 1000 + 9000, &result, NULL, NULL), 0);
}

static void one_operation(struct week *w)
{
	uint64_t what = draw(100);
	done++;
	if (what < 12) {
		settle(w);
	} else if (what < 14) {
		go_on(w);
	} else if (what < 16) {
		assert_int_equal(week_audit_log(w, "operator", "suspend", "a test", NOW_MS + done), 0);
	} else {
		struct store *db = books_begin(w);
		if (what < 26)
			operators(db);
		else
			batch(db);
		assert_int_equal(week_commit(w), 0);
	}
}

/* ---- comparing */

static const struct {
	const char *name, *sql;
	int columns;
} tables[] = {
	{ "book", "SELECT * FROM book", 6 },
	{ "users", "SELECT * FROM users ORDER BY id", 12 },
	{ "transaction_ledger", "SELECT * FROM transaction_ledger ORDER BY id", 8 },
	{ "external_refs", "SELECT * FROM external_refs ORDER BY ref_id, ref_type", 5 },
	{ "chain", "SELECT * FROM chain ORDER BY id", 4 },
	{ "bets", "SELECT * FROM bets ORDER BY t0, low, user", 13 },
	{ "columns", "SELECT * FROM columns ORDER BY t0", 12 },
	{ "withdrawals", "SELECT * FROM withdrawals ORDER BY id", 10 },
	{ "settling", "SELECT * FROM settling ORDER BY t0", 4 },
	{ "player_limits", "SELECT * FROM player_limits ORDER BY id", 8 },
	{ "session_keys", "SELECT * FROM session_keys ORDER BY id", 6 },
	{ "seals", "SELECT * FROM seals ORDER BY id", 5 },
	{ "anchors", "SELECT * FROM anchors ORDER BY id", 2 },
	{ "quotes", "SELECT * FROM quotes ORDER BY id", 3 },
};

static void same_value(struct stmt *a, struct stmt *b, int column, const char *table, int64_t row)
{
	size_t n = 0, m = 0;
	enum stmt_type type = stmt_col_type(a, column);
	bool same = type == stmt_col_type(b, column);
	if (same && type == STMT_INT) {
		same = stmt_col_int(a, column) == stmt_col_int(b, column);
	} else if (same && type != STMT_NULL) {
		const void *p = type == STMT_TEXT ? stmt_col_text(a, column, &n) : stmt_col_blob(a, column, &n);
		const void *q = type == STMT_TEXT ? stmt_col_text(b, column, &m) : stmt_col_blob(b, column, &m);
		same = n == m && (n == 0 || memcmp(p, q, n) == 0);
	}
	if (!same)
		fail_msg("%s: row %" PRId64 ", column %d differs", table, row, column);
}

/* Both in a transaction. The number of tables is the schema's: one that is new is not forgotten here. */
static int64_t same_books(struct store *a, struct store *b)
{
	int64_t rows = 0;
	struct stmt *count = store_stmt(a, "SELECT count(*) FROM sqlite_schema WHERE type = 'table'");
	assert_int_equal(stmt_step(count), STMT_ROW);
	assert_int_equal(stmt_col_int(count, 0), ARRAY_LEN(tables));
	stmt_reset(count);
	for (size_t i = 0; i < ARRAY_LEN(tables); i++) {
		struct stmt *x = store_stmt(a, tables[i].sql), *y = store_stmt(b, tables[i].sql);
		for (int64_t row = 1;; row++) {
			int r = stmt_step(x), s = stmt_step(y);
			if (r != s)
				fail_msg("%s: only one book has row %" PRId64, tables[i].name, row);
			assert_true(r >= 0);
			if (r == STMT_DONE)
				break;
			for (int c = 0; c < tables[i].columns; c++)
				same_value(x, y, c, tables[i].name, row);
			rows++;
		}
	}
	return rows;
}

static void begin_run(void)
{
	const char *given = getenv("TAP_SHIP_SEED");
	seed = given ? strtoull(given, NULL, 10) : (uint64_t) clk_mono_us() * 2654435761u | 1;
	print_message("TAP_SHIP_SEED=%" PRIu64 "\n", seed);
	done = users = serial = 0;
	next_t0_s = T0_S;
}

static void prepare(struct week *w)
{
	struct store *db = books_begin(w);
	for (int i = 0; i < 4; i++)
		open_in(db, true);
	assert_int_equal(week_commit(w), 0);
}

#endif
