/* A book that a hand changed past every guard: triggers, checks, foreign keys and types. Whatever a row holds then, each question
 * about it is answered by an error that says so, or by a finding; never by a crash, a loop without end, or a wrong sum. */
#include "books.h"

#include <sqlite3.h>

#include "clk.h"
#include "err.h"
#include "settle.h"

enum { ROW = 4871, LATER_S = 100 };
static const struct settings rules = { .column_s = COLUMN_S, .row_cents = ROW_CENTS, .max_tick_gap_ms = 3000 };

static void file_of(char out[160], const char *name)
{
	(void) snprintf(out, 160, "%s/%s", books_dir, name);
}

static void run_sql(sqlite3 *db, const char *sql)
{
	char *said = NULL;
	if (sqlite3_exec(db, sql, NULL, NULL, &said) != SQLITE_OK)
		fail_msg("%s: %s", sql, said);
}

/* As a hand with an editor would do it, guards first. */
static void tamper(const char *name, const char *sql)
{
	char path[160];
	sqlite3 *db;
	file_of(path, name);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	run_sql(db, "PRAGMA writable_schema=ON; DELETE FROM sqlite_schema WHERE type = 'trigger';"
			" UPDATE sqlite_schema SET sql = replace(replace(sql, ') STRICT', ')'), 'NOT NULL', '') WHERE type = 'table'");
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	run_sql(db, "PRAGMA foreign_keys=OFF; PRAGMA ignore_check_constraints=ON");
	run_sql(db, sql);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void settle(struct week *w, int64_t t0_s, bool is_void)
{
	struct tick ticks[51];
	struct settle_result got;
	for (int i = 0; i < 51; i++)
		ticks[i] = (struct tick){ t0_s * 1000 - 100 + 100 * i, ROW * ROW_CENTS + 3 * i };
	struct path path = path_cut(ticks, is_void ? 0 : 51, t0_s, COLUMN_S, 3000);
	assert_int_equal(settle_column(w, &rules, &path, t0_s * 1000 + 6000, &got, NULL, NULL), 0);
}

static void place(struct week *w, int64_t user, int64_t t0_s, int64_t row)
{
	struct account a;
	struct bet b = books_bet(user, t0_s, row, 5);
	struct store *db = books_begin(w);
	assert_int_equal(books_place(db, &b, &a), 0);
	assert_int_equal(week_commit(w), 0);
}

/* Accounts 1 (rows 1, 4 BET, 5 BET, 8 PAYOUT, 11 BET), 2 (rows 2, 6 BET, 9 REFUND, 12 BET) and 3 (rows 3, 7 BET, 10 REFUND,
 * 13 BET): a column settled in which 4 won and 5 lost, the void one after it, one that is open (11), and one whose settlement stopped
 * before its last bet (13). */
static void live(void)
{
	static const struct settle_slice one = { .bets = 1, .us = INT64_MAX };
	struct settle_result got;
	struct tick tick = { (T0_S + 300) * 1000 - 1, ROW * ROW_CENTS };
	struct week *w = books_open(STORE_WRITE);
	for (int i = 1; i <= 3; i++) {
		struct store *db = books_begin(w);
		assert_int_equal(books_account(db, i, 100), i);
		assert_int_equal(week_commit(w), 0);
	}
	place(w, 1, T0_S, ROW);
	place(w, 1, T0_S, ROW - 10);
	place(w, 2, T0_S + 5, ROW);
	place(w, 3, T0_S + 5, ROW);
	settle(w, T0_S, false);
	settle(w, T0_S + 5, true);
	place(w, 1, T0_S + LATER_S, ROW);
	place(w, 2, T0_S + 300, ROW);
	place(w, 3, T0_S + 300, ROW);
	struct path path = path_cut(&tick, 1, T0_S + 300, COLUMN_S, 10000);
	assert_int_equal(settle_one_slice(w, &rules, &path, (T0_S + 306) * 1000, &one, &got, NULL, NULL), SETTLE_E_MORE);
	assert_int_equal(books_audit(w, true), 0);
	(void) week_close(w);
}

/* The questions. */
typedef int ask_fn(struct week *w, struct store *db);

static int ask_ledger_audit(struct week *w, struct store *db)
{
	struct ledger_audit la;
	(void) w;
	int r = ledger_audit(db, &la);
	if (r == 1)
		(void) err_say(0, "%s", la.finding);
	return r;
}

static int ask_book_audit(struct week *w, struct store *db)
{
	struct book_audit ba;
	(void) w;
	int r = book_audit(db, &ba);
	if (r == 1)
		(void) err_say(0, "%s", ba.finding);
	return r;
}

static bool no_bet(void *u, const struct bet *b, int64_t row)
{
	(void) u, (void) b, (void) row;
	return true;
}

static bool no_entry(void *u, const struct entry *e)
{
	int *n = u;
	(void) e;
	assert_true(++*n < 100); /* it ends */
	return true;
}

static bool no_column(void *u, const struct column *c)
{
	(void) u, (void) c;
	return true;
}

static int list_from(struct store *db, int64_t user, int64_t before, const char *ref)
{
	struct ledger_query q = { .user = user, .to_ms = INT64_MAX, .limit = 50, .before_row = before, .ref_id = ref };
	bool more;
	int n = 0;
	return ledger_list(db, &q, no_entry, &n, &more);
}

static int ask_list(struct week *w, struct store *db)
{
	(void) w;
	return list_from(db, 1, 0, NULL);
}

/* Rows of others: the walk goes from the newest to where it is below. */
static int ask_list_before(struct week *w, struct store *db)
{
	(void) w;
	return list_from(db, 1, 7, NULL);
}

static int ask_bet_by_ref(struct week *w, struct store *db)
{
	struct ulid id;
	char name[ULID_TEXT_SIZE];
	(void) w;
	assert_true(bet_id(&id, &(struct bet_key){ NOW_MS, T0_S, ROW * ROW_CENTS, 1 }));
	ulid_format(name, &id);
	return list_from(db, 1, 0, name);
}

static int ask_bets(struct week *w, struct store *db)
{
	struct bet_query q = { .user = 1, .to_ms = INT64_MAX, .limit = 50, .row_cents = ROW_CENTS };
	bool more;
	(void) w;
	return book_bets(db, &q, no_bet, NULL, &more);
}

static int ask_bet(struct week *w, struct store *db)
{
	struct bet b;
	struct cell cell = { T0_S, ROW * ROW_CENTS, (ROW + 1) * ROW_CENTS };
	(void) w;
	return book_bet(db, 1, &cell, &b);
}

static int ask_column_bets(struct week *w, struct store *db)
{
	(void) w;
	return book_column_all(db, T0_S, ROW_CENTS, no_bet, NULL);
}

static int ask_columns(struct week *w, struct store *db)
{
	(void) w;
	return book_columns(db, 0, INT64_MAX, no_column, NULL);
}

static int ask_evidence(struct week *w, struct store *db)
{
	struct tick ticks[64];
	size_t n;
	(void) w;
	return book_evidence(db, T0_S, ticks, ARRAY_LEN(ticks), &n);
}

static int ask_oldest(struct week *w, struct store *db)
{
	int64_t t0;
	(void) w;
	return book_oldest_open(db, INT64_MAX, &t0);
}

static int ask_verdict(struct week *w, struct store *db)
{
	char text[256] = "";
	(void) w;
	int r = settle_verify(db, &rules, T0_S, text, sizeof text);
	if (r == SETTLE_E_DIFFERS)
		(void) err_say(0, "%s", text);
	return r;
}

static int ask_deposit(struct week *w, struct store *db)
{
	struct account a;
	(void) w;
	return ledger_post(db, &(struct posting){ .user = 3, .amount = { 5 }, .ref_type = LEDGER_DEPOSIT, .ref_id = "five",
			.at_ms = NOW_MS }, &a);
}

static int ask_rest(struct week *w, struct store *db)
{
	struct settle_result got;
	(void) db;
	week_rollback(w);
	return settle_go_on(w, &rules, T0_S + 300, (T0_S + 310) * 1000, &got, NULL, NULL);
}

static int ask_roll(struct week *w, struct store *db)
{
	struct week_rolled rolled;
	(void) db;
	week_rollback(w);
	return week_roll(w, NOW_MS + INT64_C(7) * 86400000, &rolled);
}

static int ask_audit_log(struct week *w, struct store *db)
{
	char finding[128];
	(void) db;
	week_rollback(w);
	int r = week_audit_read(w, NULL, NULL, finding, sizeof finding);
	if (r == 1)
		(void) err_say(0, "%s", finding);
	return r;
}

struct damage {
	const char *sql;
	ask_fn *ask;
	int result;
	const char *says; /* part of the text */
};

static void each_damage(void **state, const char *name, const struct damage *damages, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		const struct damage *d = &damages[i];
		live();
		tamper(name, d->sql);
		struct week *w = books_open(STORE_WRITE);
		struct store *db = books_begin(w);
		err_clear();
		int r = d->ask(w, db);
		if (r != d->result || !strstr(err_text(), d->says))
			fail_msg("%s: %d %s, not %d %s", d->sql, r, err_text(), d->result, d->says);
		week_rollback(w);
		(void) week_close(w);
		(void) books_tear_down(state);
		assert_int_equal(books_set_up(state), 0);
	}
}

static void week_damage(void **state, const struct damage *damages, size_t n)
{
	char name[WEEK_NAME_SIZE];
	week_file_name(name, clk_iso_week(NOW_MS));
	each_damage(state, name, damages, n);
}

static void the_ledger_s_audit_tells_what_is_wrong(void **state)
{
	static const struct damage damages[] = {
		{ "UPDATE users SET id = 5000000000 WHERE id = 3", ask_ledger_audit, 1, "user id 5000000000" },
		{ "UPDATE users SET id = -id", ask_ledger_audit, 1, "user id -1" },
		{ "UPDATE users SET id = -3 WHERE id = 3", ask_ledger_audit, 1, "user id -3" },
		{ "UPDATE bets SET user = 0 WHERE bet_row = 5", ask_ledger_audit, 1, "has no account" },
		{ "UPDATE bets SET user = 999 WHERE bet_row = 5", ask_ledger_audit, 1, "has no account" },
		{ "DELETE FROM users WHERE id = 2", ask_ledger_audit, 1, "has no account" },
		{ "INSERT INTO users(id, wallet, balance, version, last_row, open_bets, open_stake, suspended, created_at, opened_version)"
			" VALUES (9, zeroblob(20), 0, 0, 0, 0, 0, 0, 1, 0)", ask_ledger_audit, 0, "" }, /* ids may be missing */
		{ "DELETE FROM users WHERE id = 3; DELETE FROM bets WHERE user = 3", ask_ledger_audit, 1, "row 3: no account 3" },
		{ "UPDATE bets SET rate = 'high' WHERE bet_row = 5", ask_ledger_audit, 1, "damaged" },
		{ "UPDATE bets SET stake = 9223372036854775807 WHERE status = 1 AND user = 2;"
			" UPDATE bets SET user = 2, low = low + 2000 WHERE status = 1 AND user = 3;"
			" UPDATE bets SET stake = 9223372036854775807, status = 1 WHERE user = 2", ask_ledger_audit, 1, "open stake overflows" },
		{ "UPDATE transaction_ledger SET amount = 9223372036854775807 WHERE id = 4", ask_ledger_audit, 1, "row 4: balance_after" },
		{ "UPDATE transaction_ledger SET amount = -100000001 WHERE id = 4", ask_ledger_audit, 1, "row 4: balance_after" },
		{ "UPDATE transaction_ledger SET balance_after = 1 WHERE id = 4", ask_ledger_audit, 1, "row 4: balance_after" },
		{ "UPDATE transaction_ledger SET ref_type = 'OPENING', ref_id = 'x' WHERE id = 4", ask_ledger_audit, 1, "OPENING amid" },
		{ "UPDATE transaction_ledger SET prev = 2 WHERE id = 4", ask_ledger_audit, 1, "the one before it is 1, not 2" },
		{ "UPDATE transaction_ledger SET id = 40 WHERE id = 4", ask_ledger_audit, 1, "row 4 is missing" },
		{ "DELETE FROM transaction_ledger WHERE id > 4", ask_ledger_audit, 1, "row 5 is missing" },
		{ "UPDATE transaction_ledger SET at = 'noon' WHERE id = 4", ask_ledger_audit, 1, "row 4 is damaged" },
		{ "UPDATE bets SET low = low + 20000 WHERE bet_row = 4", ask_ledger_audit, 1, "row 4: its bet is not there" },
		{ "DELETE FROM book", ask_ledger_audit, 1, "book page is missing" },
		{ "UPDATE book SET chain_start = x'00'", ask_ledger_audit, 0, "" }, /* zeros: as it was */
		{ "UPDATE book SET chain_start = randomblob(32)", ask_ledger_audit, 1, "the chain breaks at commit 1" },
		{ "UPDATE chain SET hash = x'00' WHERE id = 2", ask_ledger_audit, 1, "the chain breaks at commit 2" },
		{ "DELETE FROM chain WHERE id = 2", ask_ledger_audit, 1, "gap after commit 1" },
		{ "UPDATE chain SET first_row = 3 WHERE id = 2", ask_ledger_audit, 1, "gap after commit 1" },
		{ "DELETE FROM chain WHERE id = (SELECT max(id) FROM chain)", ask_ledger_audit, 1, "not chained" },
		{ "UPDATE users SET last_row = 3 WHERE id = 1", ask_ledger_audit, 1, "its rows sum to" },
		{ "UPDATE users SET balance = balance + 1 WHERE id = 1", ask_ledger_audit, 1, "its rows sum to" },
		{ "UPDATE users SET version = version + 1 WHERE id = 1", ask_ledger_audit, 1, "events" },
		{ "UPDATE users SET open_stake = 0 WHERE id = 1", ask_ledger_audit, 1, "open bets of" },
		{ "UPDATE users SET wallet = x'aa' WHERE id = 2", ask_ledger_audit, 1, "the chain breaks at commit 2" },
	};
	week_damage(state, damages, ARRAY_LEN(damages));
}

static void the_book_s_audit_tells_what_is_wrong(void **state)
{
	static const struct damage damages[] = {
		{ "DELETE FROM book", ask_book_audit, 1, "book page is missing" },
		{ "UPDATE bets SET nonce = x'00' WHERE bet_row = 4", ask_book_audit, 1, "a bet's row is damaged" },
		{ "UPDATE bets SET bet_row = 77 WHERE bet_row = 4", ask_book_audit, 1, "its BET row is another's" },
		{ "UPDATE bets SET bet_row = 1 WHERE bet_row = 4", ask_book_audit, 1, "its BET row is another's" },
		{ "UPDATE bets SET bet_row = 6 WHERE bet_row = 4", ask_book_audit, 1, "its BET row is another's" },
		{ "UPDATE bets SET bet_row = 5 WHERE bet_row = 4", ask_book_audit, 1, "its BET row is another's" },
		{ "UPDATE bets SET stake = stake - 1 WHERE bet_row = 4", ask_book_audit, 1, "its BET row is another's" },
		{ "UPDATE bets SET placed_at = placed_at - 1 WHERE bet_row = 4", ask_book_audit, 1, "its BET row is another's" },
		{ "UPDATE bets SET placed_at = 0 WHERE bet_row = 4", ask_book_audit, 1, "its BET row is another's" },
		{ "UPDATE bets SET pay_row = 9 WHERE bet_row = 4", ask_book_audit, 1, "its PAYOUT or REFUND row is another's" },
		{ "UPDATE bets SET pay_row = 0 WHERE bet_row = 4", ask_book_audit, 1, "too many or too few" },
		{ "UPDATE bets SET pay_row = 8 WHERE status = 3", ask_book_audit, 1, "too many or too few" },
		{ "UPDATE bets SET pay_row = 8 WHERE bet_row = 11", ask_book_audit, 1, "too many or too few" },
		{ "UPDATE bets SET bet_row = 0, placed_at = placed_at + 1 WHERE bet_row = 4", ask_book_audit, 1, "it has no BET row" },
		{ "UPDATE bets SET bet_row = 0 WHERE bet_row = 4", ask_book_audit, 1, "BET rows, but" },
		{ "UPDATE transaction_ledger SET ref_type = 'GIFT' WHERE id = 1", ask_book_audit, 1, "no known type" },
		{ "INSERT INTO transaction_ledger SELECT id + 100, user, amount, balance_after, ref_type, ref_id, prev, at"
			" FROM transaction_ledger WHERE id = 8", ask_book_audit, 1, "PAYOUT rows, but" },
		{ "INSERT INTO transaction_ledger SELECT id + 100, user, amount, balance_after, ref_type, ref_id, prev, at"
			" FROM transaction_ledger WHERE id = 9", ask_book_audit, 1, "REFUND rows, but" },
		{ "DELETE FROM columns WHERE status = 1 AND t0 < (SELECT max(t0) FROM columns)", ask_book_audit, 1,
			"decided without a recorded column" },
		{ "DELETE FROM settling", ask_book_audit, 1, "open in a settled column" },
		{ "UPDATE columns SET status = 3 - status", ask_book_audit, 1, "decided otherwise than its column" },
		{ "UPDATE book SET settled_until = settled_until + 600", ask_book_audit, 1, "open below the mark" },
		{ "UPDATE columns SET ticks = ticks + 1 WHERE status = 1", ask_book_audit, 1, "ticks in evidence" },
		{ "UPDATE columns SET path = x'ff' WHERE status = 1", ask_book_audit, 1, "the evidence is damaged" },
		{ "UPDATE columns SET anchor_t = NULL WHERE status = 1", ask_book_audit, 1, "anchor or bounds" },
		{ "UPDATE columns SET anchor_t = anchor_t - 1 WHERE status = 1", ask_book_audit, 1, "anchor or bounds" },
		{ "UPDATE columns SET anchor_p = anchor_p - 1 WHERE status = 1", ask_book_audit, 1, "anchor or bounds" },
		{ "UPDATE columns SET path_low = path_low - 1 WHERE status = 1", ask_book_audit, 1, "anchor or bounds" },
		{ "UPDATE columns SET path_high = path_high + 1 WHERE status = 1", ask_book_audit, 1, "anchor or bounds" },
		{ "UPDATE columns SET path_low = 1 WHERE status = 2", ask_book_audit, 1, "anchor or bounds" },
		{ "UPDATE columns SET path_high = 1 WHERE status = 2", ask_book_audit, 1, "anchor or bounds" },
		{ "UPDATE columns SET digest = randomblob(32) WHERE status = 2", ask_book_audit, 1, "the digest is not its evidence's" },
		{ "UPDATE columns SET bets = bets + 1 WHERE status = 2", ask_book_audit, 1, "bets, but it decided" },
		{ "UPDATE settling SET open_bets = 2", ask_book_audit, 1, "its open bets are not the 2" },
		{ "UPDATE settling SET after_low = 0", ask_book_audit, 1, "its open bets are not the 1" },
		{ "INSERT INTO settling VALUES (5, 0, 0, 1)", ask_book_audit, 1, "not recorded" },
	};
	week_damage(state, damages, ARRAY_LEN(damages));
}

static void lists_tell_what_is_damaged(void **state)
{
	static const struct damage damages[] = {
		{ "UPDATE transaction_ledger SET ref_id = x'00' WHERE id = 4", ask_list, -EBADMSG, "row 4 is damaged" },
		{ "UPDATE transaction_ledger SET ref_id = '' WHERE id = 4", ask_list, -EBADMSG, "row 4 is damaged" },
		{ "UPDATE transaction_ledger SET ref_id = printf('%070d', 1) WHERE id = 1", ask_list, -EBADMSG, "row 1 is damaged" },
		/* user 1's by its last letters, and a row that no cell has */
		{ "UPDATE transaction_ledger SET ref_id = '7ZZZZZZZZZZZZZZZZZZ0000001' WHERE id = 8", ask_list, -EBADMSG,
			"row 8 is damaged" },
		{ "UPDATE transaction_ledger SET ref_id = 'no id' WHERE id = 4", ask_list, -EBADMSG, "row 4 is damaged" },
		{ "UPDATE transaction_ledger SET at = at + 1 WHERE id = 4", ask_list, -EBADMSG, "row 4 is damaged" },
		{ "UPDATE transaction_ledger SET user = 2 WHERE id = 4", ask_list, -EBADMSG, "row 4 is damaged" },
		{ "UPDATE transaction_ledger SET ref_type = 5 WHERE id = 4", ask_list, -EBADMSG, "row 4 is damaged" },
		{ "UPDATE transaction_ledger SET ref_type = x'424554' WHERE id = 4", ask_list, -EBADMSG, "row 4 is damaged" },
		{ "UPDATE transaction_ledger SET ref_type = CAST(x'42455400' AS TEXT) WHERE id = 4", ask_list, -EBADMSG, "row 4 is damaged" },
		{ "UPDATE transaction_ledger SET ref_type = 'GIFT' WHERE id = 4", ask_list, -EBADMSG, "row 4 is damaged" },
		{ "UPDATE transaction_ledger SET amount = NULL WHERE id = 4", ask_list, -EBADMSG, "row 4 is damaged" },
		{ "DELETE FROM transaction_ledger WHERE id = 4", ask_list, -EBADMSG, "row 4 is missing" },
		{ "DELETE FROM transaction_ledger WHERE id = 8", ask_list_before, -EBADMSG, "row 8 is missing" },
		{ "DELETE FROM transaction_ledger WHERE id = 7", ask_list_before, 0, "" },
		{ "UPDATE transaction_ledger SET at = 1.5 WHERE id = 7", ask_list_before, -EBADMSG, "row 7 is damaged" },
		{ "UPDATE transaction_ledger SET prev = 11 WHERE id = 11", ask_list, 0, "" }, /* a ring ends the walk */
		{ "UPDATE transaction_ledger SET prev = 11 WHERE id = 11", ask_list_before, 0, "" },
		{ "UPDATE transaction_ledger SET prev = 11 WHERE id = 11", ask_bets, 0, "" },
		{ "DELETE FROM transaction_ledger WHERE id = 4", ask_bet_by_ref, -EBADMSG, "row 4 is missing" },
		{ "UPDATE bets SET bet_row = 0, pay_row = 0 WHERE bet_row = 4", ask_bet_by_ref, 0, "" },
		{ "UPDATE bets SET placed_at = placed_at + 1 WHERE bet_row = 4", ask_bet_by_ref, 0, "" },
		{ "UPDATE bets SET placed_at = '?' WHERE bet_row = 4", ask_bet_by_ref, -EBADMSG, "damaged" },
		{ "DELETE FROM transaction_ledger WHERE id = 4", ask_bets, -EBADMSG, "row 4 is missing" },
		{ "DELETE FROM bets WHERE bet_row = 4", ask_bets, -EBADMSG, "row 4 has no bet" },
		{ "UPDATE bets SET placed_at = '?' WHERE bet_row = 4", ask_column_bets, -EBADMSG, "damaged" },
		{ "UPDATE columns SET digest = x'00' WHERE status = 2", ask_columns, -EBADMSG, "a digest is damaged" },
		{ "UPDATE columns SET prev_digest = x'00' WHERE status = 2", ask_columns, -EBADMSG, "a digest is damaged" },
		{ "UPDATE columns SET path = x'ff'", ask_evidence, -EBADMSG, "the evidence is damaged" },
		{ "DELETE FROM columns", ask_evidence, BOOK_E_ABSENT, "" },
		{ "DELETE FROM book", ask_oldest, BOOK_E_ABSENT, "" },
	};
	week_damage(state, damages, ARRAY_LEN(damages));
}

static void a_bet_s_row_is_read_with_care(void **state)
{
	static const struct damage damages[] = {
		{ "UPDATE bets SET nonce = 'sixteen letters!'", ask_bet, -EBADMSG, "damaged" },
		{ "UPDATE bets SET nonce = x'00'", ask_bet, -EBADMSG, "damaged" },
		{ "UPDATE bets SET stake = 1.5", ask_bet, -EBADMSG, "damaged" },
		{ "UPDATE bets SET rate = -1", ask_bet, -EBADMSG, "damaged" },
		{ "UPDATE bets SET rate = 2147483648", ask_bet, -EBADMSG, "damaged" },
		{ "UPDATE bets SET rate_min = -1", ask_bet, -EBADMSG, "damaged" },
		{ "UPDATE bets SET rate_min = 2147483648", ask_bet, -EBADMSG, "damaged" },
		{ "UPDATE bets SET status = 0", ask_bet, -EBADMSG, "damaged" },
		{ "UPDATE bets SET status = 9", ask_bet, -EBADMSG, "damaged" },
		{ "UPDATE bets SET status = 2, stake = 9223372036854775807", ask_bet, -EBADMSG, "damaged" },
	};
	week_damage(state, damages, ARRAY_LEN(damages));
}

static void settlement_stops_at_damage(void **state)
{
	static const struct damage damages[] = {
		{ "UPDATE columns SET digest = randomblob(32)", ask_rest, -EBADMSG, "the digest is not its evidence's" },
		{ "UPDATE columns SET path = x'ff'", ask_rest, -EBADMSG, "the evidence is damaged" },
		{ "UPDATE settling SET open_bets = 2", ask_rest, -EBADMSG, "open bets are not there" },
		{ "DELETE FROM users WHERE id = 3", ask_rest, -EBADMSG, "the ledger has no place" },
		{ "UPDATE users SET open_bets = 0 WHERE id = 3", ask_rest, -EBADMSG, "fewer open bets" },
		{ "UPDATE users SET open_stake = 1 WHERE id = 3", ask_rest, -EBADMSG, "fewer open bets" },
		{ "DELETE FROM columns WHERE t0 IN (SELECT t0 FROM settling)", ask_rest, SETTLE_E_NOT_BEGUN, "" },
		{ "DELETE FROM chain WHERE id = (SELECT max(id) FROM chain)", ask_deposit, -EBADMSG, "its chain at row" },
		{ "UPDATE chain SET hash = x'00'", ask_deposit, -EBADMSG, "the last hash is damaged" },
		{ "DELETE FROM chain; DELETE FROM book", ask_deposit, -EBADMSG, "no book page" },
		/* the first of two differences is told */
		{ "UPDATE columns SET path_high = path_high + 1, ticks = ticks + 1", ask_verdict, SETTLE_E_DIFFERS, "ticks" },
	};
	week_damage(state, damages, ARRAY_LEN(damages));
}

static void a_damaged_week_is_not_carried_on(void **state)
{
	static const struct damage damages[] = {
		{ "UPDATE users SET id = -3 WHERE id = 3", ask_roll, -EBADMSG, "user id -3" },
		{ "UPDATE users SET id = 5000000000 WHERE id = 3", ask_roll, -EBADMSG, "user id 5000000000" },
		{ "DELETE FROM book", ask_roll, -EBADMSG, "no page" },
		{ "UPDATE bets SET rate = -1", ask_roll, -EBADMSG, "damaged" },
	};
	week_damage(state, damages, ARRAY_LEN(damages));
}

static void an_audit_log_s_row_is_read_with_care(void **state)
{
	static const struct damage damages[] = {
		{ "INSERT INTO audit VALUES (1, 1, x'78', 'x', 'y', zeroblob(32))", ask_audit_log, 1, "breaks at row 1" },
		{ "INSERT INTO audit VALUES (1, 1, 'x', 'x', 'y', x'00')", ask_audit_log, 1, "breaks at row 1" },
		{ "INSERT INTO audit VALUES (2, 1, 'x', 'x', 'y', zeroblob(32))", ask_audit_log, 1, "breaks at row 1" },
	};
	each_damage(state, "meta.db", damages, ARRAY_LEN(damages));
}

/* The week's book says which row of the log was the last one, and its hash: that, too, may be damaged. */
static void the_book_s_word_on_the_log_is_read_with_care(void **state)
{
	char name[WEEK_NAME_SIZE];
	(void) state;
	struct week *w = books_open(STORE_WRITE);
	assert_int_equal(week_audit_log(w, "root", "what", "why", NOW_MS), 0);
	(void) books_begin(w);
	assert_int_equal(ask_audit_log(w, NULL), 0);
	(void) week_close(w);
	week_file_name(name, clk_iso_week(NOW_MS));
	tamper(name, "UPDATE anchors SET hash = x'00'");
	w = books_open(STORE_READ);
	(void) books_begin(w);
	assert_int_equal(ask_audit_log(w, NULL), 1);
	assert_non_null(strstr(err_text(), "the audit log breaks at row 1"));
	(void) week_close(w);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, books_set_up, books_tear_down)
	const struct CMUnitTest tests[] = {
		CASE(the_ledger_s_audit_tells_what_is_wrong),
		CASE(the_book_s_audit_tells_what_is_wrong),
		CASE(lists_tell_what_is_damaged),
		CASE(a_bet_s_row_is_read_with_care),
		CASE(settlement_stops_at_damage),
		CASE(a_damaged_week_is_not_carried_on),
		CASE(an_audit_log_s_row_is_read_with_care),
		CASE(the_book_s_word_on_the_log_is_read_with_care),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
