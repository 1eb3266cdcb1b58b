/* The ledger: postings, refusals, idempotence, lists, and what the audit finds. */
#include "books.h"
#include "schema.h"

#include <inttypes.h>
#include <sqlite3.h>

#include "err.h"
#include "fault.h"

static int post(struct store *db, int64_t user, enum ledger_ref type, int64_t micros, const char *ref, struct account *ret)
{
	return ledger_post(db, &(struct posting){ .user = user, .amount = { micros }, .ref_type = type, .ref_id = ref,
			.at_ms = NOW_MS }, ret);
}

static void accounts_open_once(void **state)
{
	(void) state;
	struct week *w = books_open(STORE_WRITE);
	struct store *db = books_begin(w);
	struct account a, b;
	struct wallet one = books_wallet(1);
	assert_int_equal(ledger_account(db, &one, &a), LEDGER_E_ABSENT);
	assert_int_equal(ledger_account_open(db, &one, NOW_MS, &a), 0);
	assert_int_equal(a.seq, 0);
	assert_int_equal(a.balance.micros, 0);
	assert_int_equal(ledger_account_open(db, &one, NOW_MS + 5, &b), LEDGER_E_EXISTS);
	assert_int_equal(b.user, a.user);
	assert_int_equal(b.created_ms, NOW_MS);
	assert_true(wallet_eq(&b.wallet, &one));
	assert_int_equal(ledger_account_by_id(db, a.user + 1, &b), LEDGER_E_ABSENT);
	assert_int_equal(ledger_suspend(db, a.user + 1, true), LEDGER_E_ABSENT);
	assert_int_equal(week_commit(w), 0);
	assert_int_equal(books_audit(w, true), 0);
	(void) week_close(w);
}

static void postings_are_idempotent_by_their_id(void **state)
{
	(void) state;
	struct week *w = books_open(STORE_WRITE);
	struct store *db = books_begin(w);
	struct account a;
	int64_t user = books_account(db, 1, 0), other = books_account(db, 2, 0);
	assert_int_equal(post(db, user, LEDGER_DEPOSIT, 5000000, "d-1", &a), 0);
	assert_int_equal(a.balance.micros, 5000000);
	assert_int_equal(a.seq, 1);
	assert_int_equal(post(db, user, LEDGER_DEPOSIT, 5000000, "d-1", &a), LEDGER_E_EXISTS);
	assert_int_equal(a.balance.micros, 5000000);
	assert_int_equal(post(db, user, LEDGER_DEPOSIT, 5000001, "d-1", &a), LEDGER_E_CONFLICT);
	assert_int_equal(post(db, other, LEDGER_DEPOSIT, 5000000, "d-1", &a), LEDGER_E_CONFLICT);
	assert_int_equal(post(db, user, LEDGER_WITHDRAWAL, -5000001, "w-1", &a), LEDGER_E_FUNDS);
	assert_int_equal(post(db, user, LEDGER_WITHDRAWAL, -4000000, "w-1", &a), 0);
	assert_int_equal(post(db, user, LEDGER_WITHDRAWAL_REVERSAL, 4000000, "w-1", &a), 0);
	assert_int_equal(post(db, user, LEDGER_ADJUSTMENT, -1, "fix", &a), 0);
	assert_int_equal(a.balance.micros, 4999999);
	assert_int_equal(a.seq, 4);
	assert_int_equal(post(db, user, LEDGER_DEPOSIT, INT64_MAX, "d-2", &a), LEDGER_E_OVERFLOW);
	assert_int_equal(post(db, 999, LEDGER_DEPOSIT, 1, "d-3", &a), LEDGER_E_ABSENT);
	assert_int_equal(ledger_suspend(db, user, true), 0);
	assert_int_equal(post(db, user, LEDGER_WITHDRAWAL, -1, "w-2", &a), LEDGER_E_SUSPENDED);
	assert_int_equal(post(db, user, LEDGER_DEPOSIT, 1, "d-4", &a), 0);
	assert_int_equal(week_commit(w), 0);
	assert_int_equal(books_audit(w, true), 0);
	(void) week_close(w);
}

static void a_posting_of_the_wrong_shape_is_refused(void **state)
{
	(void) state;
	struct week *w = books_open(STORE_WRITE);
	struct store *db = books_begin(w);
	struct account a;
	int64_t user = books_account(db, 1, 10);
	char longest[LEDGER_REF_ID_MAX + 1];
	memset(longest, 'x', sizeof longest);
	longest[LEDGER_REF_ID_MAX] = '\0';
	static const struct { enum ledger_ref type; int64_t micros; const char *ref; } wrong[] = {
		{ LEDGER_DEPOSIT, -1, "x" }, { LEDGER_DEPOSIT, 0, "x" }, { LEDGER_WITHDRAWAL, 1, "x" },
		{ LEDGER_WITHDRAWAL_REVERSAL, -1, "x" }, { LEDGER_BET, -1, "x" }, { LEDGER_OPENING, 1, "x" },
		{ LEDGER_DEPOSIT, 1, "" }, { LEDGER_DEPOSIT, 1, "a\nb" }, { LEDGER_ADJUSTMENT, INT64_MIN, "x" },
		{ LEDGER_DEPOSIT, 1, "a\x7f" "b" }, { (enum ledger_ref) 0, 1, "x" }, { LEDGER_REFS, 1, "x" },
	};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_int_equal(post(db, user, wrong[i].type, wrong[i].micros, wrong[i].ref, &a), -EINVAL);
	assert_int_equal(post(db, user, LEDGER_DEPOSIT, 1, longest, &a), -EINVAL);
	longest[LEDGER_REF_ID_MAX - 1] = '\0';
	assert_int_equal(post(db, user, LEDGER_DEPOSIT, 1, longest, &a), 0);
	week_rollback(w);
	(void) week_close(w);
}

static void stakes_leave_and_payouts_come(void **state)
{
	(void) state;
	struct week *w = books_open(STORE_WRITE);
	struct store *db = books_begin(w);
	struct account a;
	int64_t user = books_account(db, 1, 10), row = 0;
	struct bet b = books_bet(user, T0_S, 4871, 5), c = books_bet(user, T0_S, 4872, 5), d = books_bet(user, T0_S, 4873, 5);
	assert_int_equal(books_place(db, &b, &a), 0);
	assert_int_equal(a.balance.micros, 5000000);
	assert_int_equal(a.open_bets, 1);
	assert_int_equal(a.open_stake.micros, 5000000);
	assert_int_equal(a.seq, 2);
	assert_int_equal(books_place(db, &b, &a), 100 + BOOK_E_EXISTS);
	assert_int_equal(books_place(db, &c, &a), 0);
	assert_int_equal(a.balance.micros, 0);
	assert_int_equal(books_place(db, &d, &a), LEDGER_E_FUNDS);
	struct bet won = b, lost = c;
	assert_int_equal(books_decide(db, &won, OUTCOME_WON, NOW_MS + 20000, &a), 0);
	assert_int_equal(a.balance.micros, 11750000);
	assert_int_equal(books_decide(db, &lost, OUTCOME_LOST, NOW_MS + 20000, &a), 0);
	assert_int_equal(a.balance.micros, 11750000);
	assert_int_equal(a.open_bets, 0);
	assert_int_equal(a.open_stake.micros, 0);
	assert_int_equal(a.seq, 5);
	assert_int_equal(ledger_suspend(db, user, true), 0);
	assert_int_equal(ledger_stake(db, &d, &a, &row), LEDGER_E_SUSPENDED);
	d.user = 77;
	assert_int_equal(ledger_stake(db, &d, &a, &row), LEDGER_E_ABSENT);
	week_rollback(w);
	(void) week_close(w);
}

static bool first_account(void *u, const struct account *a)
{
	*(int64_t *) u += a->user;
	return false;
}

/* What does not fit a row is an expected result, and changes nothing. */
static void what_no_row_can_hold_is_refused(void **state)
{
	(void) state;
	struct week *w = books_open(STORE_WRITE);
	struct store *db = books_begin(w);
	struct account a;
	int64_t user = books_account(db, 1, 10), rich = books_account(db, 2, 0), row = 0, sum = 0;
	static const struct { int64_t t0_s, low, placed_ms; } wrong[] = {
		{ -5, 0, NOW_MS }, { INT64_C(5000000000), 0, NOW_MS }, { T0_S, -ROW_CENTS, NOW_MS },
		{ T0_S, INT64_C(1) << 31, NOW_MS }, { T0_S, 0, 0 },
	};
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		struct bet b = books_bet(user, wrong[i].t0_s, 0, 1);
		b.cell.low_cents = wrong[i].low;
		b.placed_ms = wrong[i].placed_ms;
		assert_int_equal(ledger_stake(db, &b, &a, &row), LEDGER_E_OVERFLOW);
		b.state = BET_LOST;
		assert_int_equal(ledger_settle_bets(db, &b, 1, &a, &row), LEDGER_E_OVERFLOW);
	}
	/* open stakes beyond 64 bits */
	struct bet b = books_bet(rich, T0_S, 4871, 1);
	b.stake = money_of(INT64_MAX);
	assert_int_equal(post(db, rich, LEDGER_DEPOSIT, INT64_MAX, "all", &a), 0);
	assert_int_equal(ledger_stake(db, &b, &a, &row), 0);
	assert_int_equal(post(db, rich, LEDGER_DEPOSIT, INT64_MAX, "again", &a), 0);
	b.cell.low_cents += ROW_CENTS;
	assert_int_equal(ledger_stake(db, &b, &a, &row), LEDGER_E_OVERFLOW);
	assert_int_equal(ledger_account_by_id(db, rich, &a), 0);
	assert_int_equal(a.balance.micros, INT64_MAX);
	assert_int_equal(a.open_bets, 1);
	/* who had enough accounts is told no more */
	assert_int_equal(ledger_accounts(db, first_account, &sum), 0);
	assert_int_equal(sum, user);
	week_rollback(w);
	/* every account is right, their sum is more than one number holds: said, not wrapped */
	struct ledger_audit la;
	db = books_begin(w);
	for (int i = 1; i <= 2; i++)
		assert_int_equal(post(db, books_account(db, i, 0), LEDGER_DEPOSIT, INT64_MAX, i == 1 ? "one" : "two", &a), 0);
	assert_int_equal(week_commit(w), 0);
	db = books_begin(w);
	assert_int_equal(ledger_audit(db, &la), 1);
	assert_string_equal(la.finding, "the balances' sum overflows");
	week_rollback(w);
	(void) week_close(w);
}

struct seen {
	struct entry e[64];
	size_t n, stop_at;
};

static bool on_entry(void *u, const struct entry *e)
{
	struct seen *s = u;
	s->e[s->n++] = *e;
	return s->n != s->stop_at;
}

static struct seen list(struct store *db, struct ledger_query q, bool *more)
{
	struct seen s = { .n = 0 };
	if (q.to_ms == 0)
		q.to_ms = INT64_MAX;
	if (q.limit == 0)
		q.limit = 50;
	assert_int_equal(ledger_list(db, &q, on_entry, &s, more), 0);
	return s;
}

static void lists_are_walks_newest_first(void **state)
{
	(void) state;
	struct week *w = books_open(STORE_WRITE);
	struct store *db = books_begin(w);
	struct account a;
	int64_t user = books_account(db, 1, 100), other = books_account(db, 2, 100);
	struct bet b[3];
	bool more;
	for (int i = 0; i < 3; i++) {
		b[i] = books_bet(user, T0_S, 4871 + i, 5);
		b[i].placed_ms = NOW_MS + 1000 * i;
		struct bet o = books_bet(other, T0_S, 4871 + i, 5);
		assert_int_equal(books_place(db, &b[i], &a), 0);
		assert_int_equal(books_place(db, &o, &a), 0);
	}
	struct bet void_one = b[1];
	assert_int_equal(books_decide(db, &void_one, OUTCOME_VOID, NOW_MS + 9000, &a), 0);

	struct seen s = list(db, (struct ledger_query){ .user = user }, &more);
	assert_int_equal(s.n, 5);
	assert_false(more);
	assert_int_equal(s.e[0].ref_type, LEDGER_REFUND);
	assert_int_equal(s.e[4].ref_type, LEDGER_DEPOSIT);
	assert_string_equal(s.e[4].ref_id, "welcome-1");
	assert_int_equal(s.e[0].balance_after.micros, 90000000);
	for (size_t i = 1; i < s.n; i++)
		assert_true(s.e[i].row < s.e[i - 1].row);
	char id[ULID_TEXT_SIZE];
	struct ulid u;
	assert_true(bet_id(&u, &(struct bet_key){ b[1].placed_ms, T0_S, b[1].cell.low_cents, user }));
	ulid_format(id, &u);
	assert_string_equal(s.e[0].ref_id, id);
	assert_string_equal(s.e[2].ref_id, id);

	/* pages meet without a gap or a repetition */
	struct seen p1 = list(db, (struct ledger_query){ .user = user, .limit = 2 }, &more);
	assert_true(more);
	struct seen p2 = list(db, (struct ledger_query){ .user = user, .limit = 3, .before_row = p1.e[1].row }, &more);
	assert_false(more);
	assert_int_equal(p1.n + p2.n, s.n);
	for (size_t i = 0; i < p2.n; i++)
		assert_int_equal(p2.e[i].row, s.e[2 + i].row);
	/* a cursor that is another's row */
	p2 = list(db, (struct ledger_query){ .user = user, .before_row = s.e[2].row + 1 }, &more);
	assert_int_equal(p2.e[0].row, s.e[2].row);

	s = list(db, (struct ledger_query){ .user = user, .ref_id = id }, &more);
	assert_int_equal(s.n, 2);
	s = list(db, (struct ledger_query){ .user = user, .ref_id = id, .ref_type = LEDGER_BET }, &more);
	assert_int_equal(s.n, 1);
	s = list(db, (struct ledger_query){ .user = other, .ref_id = id }, &more);
	assert_int_equal(s.n, 0);
	s = list(db, (struct ledger_query){ .user = user, .ref_id = "welcome-1" }, &more);
	assert_int_equal(s.n, 1);
	s = list(db, (struct ledger_query){ .user = user, .ref_id = "welcome-2" }, &more);
	assert_int_equal(s.n, 0);
	s = list(db, (struct ledger_query){ .user = user, .ref_type = LEDGER_BET }, &more);
	assert_int_equal(s.n, 3);
	s = list(db, (struct ledger_query){ .user = user, .from_ms = NOW_MS + 1000, .to_ms = NOW_MS + 9000 }, &more);
	assert_int_equal(s.n, 2);
	/* a cursor beyond the newest row is as none; one at the bet's own row leaves what is older, here nothing */
	s = list(db, (struct ledger_query){ .user = user, .before_row = 1000 }, &more);
	assert_int_equal(s.n, 5);
	s = list(db, (struct ledger_query){ .user = user, .ref_id = id }, &more);
	int64_t bet_row = s.e[1].row;
	s = list(db, (struct ledger_query){ .user = user, .ref_id = id, .before_row = bet_row }, &more);
	assert_int_equal(s.n, 0);
	s = list(db, (struct ledger_query){ .user = user, .ref_id = id, .limit = 1 }, &more);
	assert_int_equal(s.n, 1);
	assert_true(more);
	struct seen one = { .stop_at = 1 };
	assert_int_equal(ledger_list(db, &(struct ledger_query){ .user = user, .to_ms = INT64_MAX, .limit = 9, .ref_id = id }, on_entry,
			&one, &more), 0);
	assert_int_equal(one.n, 1);
	assert_false(more);
	s = list(db, (struct ledger_query){ .user = 99 }, &more);
	assert_int_equal(s.n, 0);
	week_rollback(w);
	(void) week_close(w);
}

/* Raw SQL past the store, as a hand with an editor would do it: triggers dropped first. */
static void tamper(const char *sql)
{
	char path[128], name[WEEK_NAME_SIZE];
	sqlite3 *raw = NULL;
	week_file_name(name, clk_iso_week(NOW_MS));
	(void) snprintf(path, sizeof path, "%s/%s", books_dir, name);
	assert_int_equal(sqlite3_open(path, &raw), SQLITE_OK);
	assert_int_equal(sqlite3_exec(raw, "PRAGMA foreign_keys=OFF; PRAGMA ignore_check_constraints=ON;"
			" DROP TRIGGER ledger_no_update; DROP TRIGGER ledger_no_delete; DROP TRIGGER chain_no_update;"
			" DROP TRIGGER chain_no_delete; DROP TRIGGER bets_decided_once; DROP TRIGGER bets_no_delete;"
			" DROP TRIGGER columns_no_update; DROP TRIGGER columns_no_delete; DROP TRIGGER users_same;"
			" DROP TRIGGER users_no_delete; DROP TRIGGER book_same", NULL, NULL, NULL), SQLITE_OK);
	int rc = sqlite3_exec(raw, sql, NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		print_message("%s: %s\n", sql, sqlite3_errmsg(raw));
	assert_int_equal(rc, SQLITE_OK);
	assert_int_equal(sqlite3_close(raw), SQLITE_OK);
}

static void some_history(struct week *w)
{
	struct account a;
	struct store *db = books_begin(w);
	int64_t one = books_account(db, 1, 100), two = books_account(db, 2, 100);
	assert_int_equal(week_commit(w), 0);
	for (int i = 0; i < 6; i++) {
		db = books_begin(w);
		struct bet b = books_bet(one, T0_S + 5 * (i / 2), 4859 + i, 5), c = books_bet(two, T0_S + 5 * (i / 2), 4859 + i, 1);
		assert_int_equal(books_place(db, &b, &a), 0);
		assert_int_equal(books_place(db, &c, &a), 0);
		assert_int_equal(week_commit(w), 0);
	}
	struct tick ticks[60];
	for (int i = 0; i < 60; i++)
		ticks[i] = (struct tick){ T0_S * 1000 - 100 + 100 * i, 4861 * ROW_CENTS + 10 * i };
	db = books_begin(w);
	assert_int_equal(books_settle(db, ticks, 52, T0_S, NOW_MS + 30000, NULL), 0);
	assert_int_equal(week_commit(w), 0);
	db = books_begin(w);
	assert_int_equal(books_settle(db, ticks, 0, T0_S + 5, NOW_MS + 31000, NULL), 0);
	assert_int_equal(week_commit(w), 0);
}

static void the_audit_finds_what_a_hand_changed(void **state)
{
	(void) state;
	static const char *const changes[] = {
		"UPDATE transaction_ledger SET amount = amount + 1 WHERE id = 3",
		"UPDATE transaction_ledger SET balance_after = balance_after + 1 WHERE id = 4",
		"UPDATE transaction_ledger SET at = at + 1 WHERE id = 5",
		"UPDATE transaction_ledger SET ref_id = (SELECT ref_id FROM transaction_ledger WHERE id = 8) WHERE id = 6",
		"UPDATE transaction_ledger SET ref_id = '00' || substr(ref_id, 3) WHERE ref_type = 'BET'",
		"UPDATE transaction_ledger SET ref_id = '00' || substr(ref_id, 3) WHERE ref_type IN ('PAYOUT', 'REFUND')",
		"UPDATE transaction_ledger SET ref_id = 'welcome-3' WHERE id = 1",
		"UPDATE transaction_ledger SET ref_type = 'ADJUSTMENT' WHERE id = 1",
		"UPDATE transaction_ledger SET ref_type = 'REFUND' WHERE ref_type = 'PAYOUT'",
		"UPDATE transaction_ledger SET prev = 0 WHERE id = 7",
		"UPDATE transaction_ledger SET user = 3 - user WHERE id = 7",
		"DELETE FROM transaction_ledger WHERE id = (SELECT max(id) FROM transaction_ledger)",
		"DELETE FROM transaction_ledger WHERE id = 4",
		"INSERT INTO transaction_ledger SELECT id + 1, user, 1, balance_after + 1, 'DEPOSIT', 'gift', id, at"
		" FROM transaction_ledger ORDER BY id DESC LIMIT 1; UPDATE users SET balance = balance + 1, last_row = last_row + 1,"
		" version = version + 1 WHERE id = (SELECT user FROM transaction_ledger ORDER BY id DESC LIMIT 1)",
		"DELETE FROM chain WHERE id = (SELECT max(id) FROM chain)",
		"UPDATE chain SET hash = zeroblob(32) WHERE id = 2",
		"UPDATE users SET balance = balance + 1 WHERE id = 1",
		"UPDATE users SET version = version + 1 WHERE id = 1",
		"UPDATE users SET open_bets = open_bets + 1 WHERE id = 2",
		"UPDATE users SET open_stake = open_stake + 1 WHERE id = 2",
		"UPDATE users SET wallet = zeroblob(20) WHERE id = 2",
		"UPDATE users SET created_at = created_at + 1 WHERE id = 2",
		"UPDATE book SET week = week - 1",
		"UPDATE bets SET rate = rate + 1 WHERE user = 1 AND status = 1",
		"UPDATE bets SET nonce = zeroblob(16) WHERE user = 1",
		"UPDATE bets SET signed_at = signed_at + 1 WHERE user = 1 AND status = 1",
		"UPDATE bets SET status = 2, pay_row = bet_row WHERE status = 3",
		"UPDATE bets SET status = 3, pay_row = 0 WHERE status = 2",
		"UPDATE bets SET pay_row = bet_row WHERE status = 2",
		"UPDATE bets SET low = low + 20000 WHERE status = 1 AND user = 2 AND t0 = (SELECT max(t0) FROM bets)",
		"DELETE FROM bets WHERE status = 1 AND user = 2",
		"UPDATE columns SET path_high = path_high + 1 WHERE status = 1",
		"UPDATE columns SET path = CAST(substr(path, 1, length(path) - 1) || x'00' AS BLOB) WHERE status = 1",
		"UPDATE columns SET digest = zeroblob(32) WHERE status = 2",
		"UPDATE columns SET prev_digest = randomblob(32) WHERE status = 2",
		"UPDATE columns SET bets = bets + 1 WHERE status = 2",
		"UPDATE columns SET status = 2 WHERE status = 1",
		"DELETE FROM columns WHERE status = 1",
		"UPDATE book SET settled_until = settled_until + 600",
	};
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		struct week *w = books_open(STORE_WRITE);
		some_history(w);
		assert_int_equal(books_audit(w, true), 0);
		(void) week_close(w);
		tamper(changes[i]);
		w = books_open(STORE_READ);
		if (books_audit(w, false) != 1)
			fail_msg("not found: %s", changes[i]);
		(void) week_close(w);
		books_tear_down(state);
		assert_int_equal(books_set_up(state), 0);
	}
}

/* All of the ledger in one text; the caller frees. */
static char *ledger_text(void)
{
	char path[128], name[WEEK_NAME_SIZE];
	sqlite3 *raw = NULL;
	sqlite3_stmt *st = NULL;
	week_file_name(name, clk_iso_week(NOW_MS));
	(void) snprintf(path, sizeof path, "%s/%s", books_dir, name);
	assert_int_equal(sqlite3_open(path, &raw), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(raw, "SELECT group_concat(format('%d|%d|%d|%d|%s|%s|%s|%d|%d', id, user, amount,"
			" balance_after, ref_type, typeof(ref_id), ref_id, prev, at), char(10)) FROM transaction_ledger", -1, &st, NULL),
			SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	char *text = strdup((const char *) sqlite3_column_text(st, 0));
	(void) sqlite3_finalize(st);
	(void) sqlite3_close(raw);
	assert_non_null(text);
	return text;
}

/* Every row of a bet bears its id; a file from before that is brought there, and back, without a loss. */
static void rows_bear_the_bet_s_id_in_older_files_too(void **state)
{
	(void) state;
	char path[128], name[WEEK_NAME_SIZE];
	struct week *w = books_open(STORE_WRITE);
	some_history(w);
	(void) week_close(w);
	char *before = ledger_text();
	assert_non_null(strstr(before, "BET|text|"));
	assert_non_null(strstr(before, "PAYOUT|text|"));
	assert_non_null(strstr(before, "REFUND|text|"));

	struct store *s = NULL;
	week_file_name(name, clk_iso_week(NOW_MS));
	(void) snprintf(path, sizeof path, "%s/%s", books_dir, name);
	assert_int_equal(store_open(&s, path, STORE_WRITE, &schema_week), 0);
	assert_int_equal(store_migrate(s, 2), 0);
	(void) store_close(s);
	char *old = ledger_text();
	assert_non_null(strstr(old, "BET|integer|"));
	assert_null(strstr(old, "BET|text|"));
	assert_non_null(strstr(old, "DEPOSIT|text|welcome-1|"));

	w = books_open(STORE_WRITE);
	assert_int_equal(books_audit(w, true), 0);
	(void) week_close(w);
	char *after = ledger_text();
	assert_string_equal(after, before);
	tamper("SELECT 1"); /* its triggers are there again */
	free(before);
	free(old);
	free(after);
}

/* A dispute about an external id does not walk the week, and a deposit neither. */
static void an_external_id_is_found_by_its_index(void **state)
{
	(void) state;
	struct week *w = books_open(STORE_WRITE);
	struct store *db = books_begin(w);
	struct stmt *st = store_stmt(db, "EXPLAIN QUERY PLAN SELECT user, amount FROM transaction_ledger WHERE ref_id = ?1"
			" AND ref_type = ?2 AND (" SCHEMA_EXTERNAL ")");
	size_t n;
	assert_int_equal(stmt_step(st), STMT_ROW);
	assert_non_null(strstr(stmt_col_text(st, 3, &n), "USING INDEX ledger_external (ref_id=? AND ref_type=?)"));
	stmt_reset(st);
	week_rollback(w);
	(void) week_close(w);
}

static void the_file_itself_refuses_changes(void **state)
{
	(void) state;
	static const char *const changes[] = {
		"UPDATE transaction_ledger SET amount = amount WHERE id = 1",
		"DELETE FROM transaction_ledger WHERE id = 1",
		"INSERT OR REPLACE INTO transaction_ledger VALUES (1, 1, 5, 5, 'DEPOSIT', 'x', 0, 1)",
		"INSERT INTO transaction_ledger VALUES (9999, 1, 5, 5, 'GIFT', 'x', 0, 1)",
		"INSERT INTO transaction_ledger VALUES (9999, 1, 5, 5, 'DEPOSIT', 'welcome-1', 0, 1)",
		"UPDATE bets SET stake = stake + 1 WHERE status = 1",
		"UPDATE bets SET status = 3 WHERE status = 2",
		"DELETE FROM bets", "DELETE FROM columns", "UPDATE columns SET bets = 0", "DELETE FROM chain",
		"UPDATE chain SET hash = hash", "DELETE FROM users", "UPDATE users SET wallet = zeroblob(20) WHERE id = 1",
		"UPDATE users SET balance = -1", "UPDATE book SET year = 2030", "DELETE FROM book",
	};
	struct week *w = books_open(STORE_WRITE);
	some_history(w);
	struct store *db = books_begin(w);
	for (size_t i = 0; i < ARRAY_LEN(changes); i++)
		assert_int_equal(stmt_run(store_stmt(db, changes[i])), STORE_E_CONSTRAINT);
	week_rollback(w);
	assert_int_equal(books_audit(w, true), 0);
	(void) week_close(w);
}

#ifdef TAP_FAULTS
static int whole_story(struct week *w, int64_t user, int round)
{
	struct store *db;
	struct account a;
	struct bet b = books_bet(user, T0_S + 5 * round, 4871, 5);
	int r = week_begin(w, &db);
	if (r != 0)
		return r;
	r = books_place(db, &b, &a);
	if (r == 0) {
		struct tick ticks[1] = { { b.cell.t0_s * 1000 - 50, 100 } };
		r = books_settle(db, ticks, 1, b.cell.t0_s, NOW_MS + 60000, NULL);
	}
	if (r == 0)
		return week_commit(w);
	week_rollback(w);
	return r;
}

static void every_fault_leaves_all_or_nothing(void **state)
{
	(void) state;
	static const enum fault_kind kinds[] = { FAULT_GATE, FAULT_STORE_STEP, FAULT_STORE_COMMIT };
	struct week *w = books_open(STORE_WRITE);
	struct store *db = books_begin(w);
	int64_t user = books_account(db, 1, 100);
	struct account a;
	int round = 0;
	int64_t events = 1;
	assert_int_equal(week_commit(w), 0);
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		for (int sticky = 0; sticky < 2; sticky++) {
			bool fired = true;
			for (int n = 1; fired; n++) {
				fault_arm(kinds[k], n, sticky);
				int r = whole_story(w, user, round);
				fired = fault_disarm(kinds[k]);
				if ((r < 0) != fired)
					fail_msg("kind %zu fault %d sticky %d: %d %s", k, n, sticky, r, err_text());
				err_clear();
				if (r == 0) {
					round++;
					events += 2; /* the bet, and its refund */
				}
				assert_int_equal(books_audit(w, true), 0);
				db = books_begin(w);
				assert_int_equal(ledger_account_by_id(db, user, &a), 0);
				assert_int_equal(a.seq, events);
				assert_int_equal(a.balance.micros, 100000000);
				week_rollback(w);
			}
		}
	}
	assert_int_equal(round, 6);
	(void) week_close(w);
}
#endif

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, books_set_up, books_tear_down)
	const struct CMUnitTest tests[] = {
		CASE(accounts_open_once),
		CASE(postings_are_idempotent_by_their_id),
		CASE(a_posting_of_the_wrong_shape_is_refused),
		CASE(stakes_leave_and_payouts_come),
		CASE(what_no_row_can_hold_is_refused),
		CASE(lists_are_walks_newest_first),
		CASE(the_audit_finds_what_a_hand_changed),
		CASE(the_file_itself_refuses_changes),
		CASE(an_external_id_is_found_by_its_index),
		CASE(rows_bear_the_bet_s_id_in_older_files_too),
#ifdef TAP_FAULTS
		CASE(every_fault_leaves_all_or_nothing),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
