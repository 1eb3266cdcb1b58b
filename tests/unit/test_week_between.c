/* The week's end takes two passes: what others write between them, while the first one's file moves onto the disk, is made up by
 * the second. Here it is written at just that moment, by another owner, and the new week is the one that a roll at rest makes. */
#include "books.h"

#include <sqlite3.h>

#include "clk.h"
#include "err.h"
#include "fault.h"
#include "limits_book.h"
#include "session_keys.h"
#include "settle.h"
#include "shim_vfs.h"

enum { MANY = 1300, FEW = 910, ROW = 4871 }; /* more than the first room for them, and not */
static const int64_t WEEK_MS = INT64_C(7) * 86400000;
static const struct settings rules = { .column_s = COLUMN_S, .row_cents = ROW_CENTS, .max_tick_gap_ms = 3000 };

/* What is done between: once, at the first write to the new week's file itself, which is the checkpoint after the first pass. */
static void (*between)(struct week *w);
static struct week *other;
static int users;

static int hear(enum shim_op op, const char *path, sqlite3_int64 at, const void *bytes, int n)
{
	const char *next = strstr(path, "/next/");
	(void) at, (void) bytes, (void) n;
	if (op == SHIM_WRITE && between && next && strcmp(next + strlen(next) - 3, ".db") == 0 && at > 0) {
		void (*now)(struct week *) = between;
		between = NULL;
		now(other);
	}
	return SQLITE_OK;
}

static void put(struct week *w, int64_t user, int64_t micros, enum ledger_ref type, const char *ref)
{
	struct account a;
	struct store *db = books_begin(w);
	assert_int_equal(ledger_post(db, &(struct posting){ .user = user, .amount = { micros }, .ref_type = type, .ref_id = ref,
			.at_ms = NOW_MS }, &a), 0);
	assert_int_equal(week_commit(w), 0);
}

static void place(struct week *w, int64_t user, int64_t t0_s, int64_t row, int64_t placed_ms)
{
	struct account a;
	struct bet b = books_bet(user, t0_s, row, 5);
	struct store *db = books_begin(w);
	b.placed_ms = placed_ms;
	assert_int_equal(books_place(db, &b, &a), 0);
	assert_int_equal(week_commit(w), 0);
}

static struct path path_at(struct tick ticks[51], int64_t t0_s)
{
	for (int i = 0; i < 51; i++)
		ticks[i] = (struct tick){ t0_s * 1000 - 100 + 100 * i, ROW * ROW_CENTS + 3 * i };
	return path_cut(ticks, 51, t0_s, COLUMN_S, 3000);
}

static void settle(struct week *w, int64_t t0_s, int64_t now_ms)
{
	struct tick ticks[51];
	struct settle_result got;
	struct path path = path_at(ticks, t0_s);
	assert_int_equal(settle_column(w, &rules, &path, now_ms, &got, NULL, NULL), 0);
}

static void settle_in_part(struct week *w, int64_t t0_s, size_t bets)
{
	struct tick ticks[51];
	struct settle_result got;
	struct path path = path_at(ticks, t0_s);
	const struct settle_slice slice = { .bets = bets, .us = INT64_MAX };
	assert_int_equal(settle_one_slice(w, &rules, &path, t0_s * 1000 + 6000, &slice, &got, NULL, NULL), SETTLE_E_MORE);
}

/* Users 1, 2 and the last have money; bets of several users in two columns are open. */
static struct week *a_busy_week(int accounts)
{
	users = accounts;
	struct week *w = books_open(STORE_WRITE);
	struct store *db = books_begin(w);
	for (int i = 1; i <= users; i++)
		(void) books_account(db, i, i <= 6 || i == users ? 100 : 0);
	assert_int_equal(week_commit(w), 0);
	for (int64_t user = 1; user <= 3; user++) {
		place(w, user, T0_S, ROW + 5, NOW_MS);
		place(w, user, T0_S + 10, ROW + 5, NOW_MS);
		place(w, user, T0_S + 10, ROW + 6, NOW_MS);
	}
	return w;
}

static struct week_rolled roll(struct week *w, void (*what)(struct week *))
{
	struct week_rolled rolled;
	shim_install();
	other = books_open(STORE_WRITE);
	shim_hooks.before = hear;
	between = what;
	assert_int_equal(week_roll(w, NOW_MS + WEEK_MS, &rolled), 0);
	assert_null(between);
	shim_hooks.before = NULL;
	(void) week_close(other);
	shim_remove();
	if (books_audit(w, true) != 0)
		fail_msg("the new week is not whole");
	return rolled;
}

static struct account account_of(struct week *w, int64_t user)
{
	struct account a;
	struct store *db = books_begin(w);
	assert_int_equal(ledger_account_by_id(db, user, &a), 0);
	week_rollback(w);
	return a;
}

static void move_money(struct week *w)
{
	put(w, 4, -100 * MICROS_PER_USD, LEDGER_WITHDRAWAL, "all-4");         /* an opening in the middle goes */
	put(w, users, -100 * MICROS_PER_USD, LEDGER_WITHDRAWAL, "all-last"); /* the last one goes */
	put(w, 5, 1, LEDGER_DEPOSIT, "more-5");
	put(w, 900, 7, LEDGER_DEPOSIT, "first-900");
	put(w, 901, 7, LEDGER_DEPOSIT, "first-901");
	put(w, 901, -7, LEDGER_WITHDRAWAL, "gone-901"); /* an event, and still nothing */
	struct store *db = books_begin(w);
	assert_int_equal(ledger_suspend(db, 6, true), 0);
	(void) books_account(db, users + 1, 3);
	assert_int_equal(week_commit(w), 0);
}

static void money_that_moves_between_is_carried(void **state)
{
	(void) state;
	struct week *w = a_busy_week(MANY);
	struct week_rolled rolled = roll(w, move_money);
	assert_int_equal(rolled.accounts, users + 1);
	assert_int_equal(rolled.openings, 7);
	assert_int_equal(account_of(w, 4).balance.micros, 0);
	assert_int_equal(account_of(w, users).balance.micros, 0);
	assert_int_equal(account_of(w, 5).balance.micros, 100 * MICROS_PER_USD + 1);
	assert_int_equal(account_of(w, 900).balance.micros, 7);
	assert_int_equal(account_of(w, 901).seq, 2);
	assert_true(account_of(w, 6).suspended);
	assert_int_equal(account_of(w, users + 1).balance.micros, 3 * MICROS_PER_USD);
	/* a posting from between is known in the new week */
	struct account a;
	struct store *db = books_begin(w);
	assert_int_equal(ledger_post(db, &(struct posting){ .user = 900, .amount = { 7 }, .ref_type = LEDGER_DEPOSIT,
			.ref_id = "first-900", .at_ms = NOW_MS }, &a), LEDGER_E_EXISTS);
	week_rollback(w);
	(void) week_close(w);
}

static void move_bets(struct week *w)
{
	settle(w, T0_S, NOW_MS + WEEK_MS + 90);                     /* settled after the roll's own moment */
	place(w, 1, T0_S + 5, ROW, NOW_MS);                         /* before those that are kept */
	place(w, 4, T0_S + 10, ROW + 5, NOW_MS);                    /* between them, by user */
	place(w, 1, T0_S + 10, ROW + 4, NOW_MS);                    /* by row */
	place(w, 1, T0_S + WEEK_MS / 1000 + 30, ROW, NOW_MS + WEEK_MS + 70); /* behind them, by a clock that is ahead */
}

static void settle_the_rest(struct week *w)
{
	settle(w, T0_S, NOW_MS + 60000);
	settle(w, T0_S + 10, NOW_MS + 70000);
	put(w, users, -100 * MICROS_PER_USD, LEDGER_WITHDRAWAL, "all-last"); /* the last opening, and no other */
}

/* One bet of a column, then three: the next one kept is of the same row, then of the next. */
static void settle_one_bet(struct week *w)
{
	settle_in_part(w, T0_S + 10, 1);
}

static void settle_three_bets(struct week *w)
{
	settle_in_part(w, T0_S + 10, 3);
}

static void bets_that_come_and_go_between_are_carried(void **state)
{
	(void) state;
	struct week *w = a_busy_week(FEW);
	struct week_rolled rolled = roll(w, move_bets);
	assert_int_equal(rolled.open_bets, 6 + 4);
	assert_int_equal(week_opened_ms(w), NOW_MS + WEEK_MS + 91);
	assert_int_equal(account_of(w, 1).open_bets, 5);
	assert_int_equal(account_of(w, 2).open_bets, 2);
	(void) week_close(w);
	(void) books_tear_down(state);
	assert_int_equal(books_set_up(state), 0);
	w = a_busy_week(FEW);
	rolled = roll(w, settle_the_rest);
	assert_int_equal(rolled.open_bets, 0);
	assert_int_equal(account_of(w, 1).open_bets, 0);
	assert_int_equal(account_of(w, users).balance.micros, 0);
	(void) week_close(w);
}

static void a_column_that_is_settled_in_part_between_is_carried(void **state)
{
	static void (*const parts[])(struct week *) = { settle_one_bet, settle_three_bets };
	(void) state;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		struct settle_result got;
		struct week *w = a_busy_week(FEW);
		assert_int_equal(roll(w, parts[i]).open_bets, 9 - (i == 0 ? 1 : 3));
		assert_int_equal(settle_go_on(w, &rules, T0_S + 10, NOW_MS + WEEK_MS + 9, &got, NULL, NULL), 0);
		assert_int_equal(got.won + got.lost, 6 - (i == 0 ? 1 : 3));
		assert_int_equal(books_audit(w, true), 0);
		(void) week_close(w);
		(void) books_tear_down(state);
		assert_int_equal(books_set_up(state), 0);
	}
}

/* Whoever removed DIR/next by hand let another make the new week meanwhile: that one stands. */
static void another_is_faster(struct week *w)
{
	char next[160];
	struct week_rolled rolled;
	(void) snprintf(next, sizeof next, "%s/next", books_dir);
	assert_int_equal(folder_remove(next), 0);
	assert_int_equal(week_roll(w, NOW_MS + WEEK_MS, &rolled), 0);
}

static void the_week_is_made_once(void **state)
{
	(void) state;
	struct week *w = a_busy_week(FEW);
	struct week_rolled rolled;
	shim_install();
	other = books_open(STORE_WRITE);
	shim_hooks.before = hear;
	between = another_is_faster;
	assert_int_equal(week_roll(w, NOW_MS + WEEK_MS, &rolled), WEEK_E_CURRENT);
	shim_hooks.before = NULL;
	assert_int_equal(week_current(w).week, week_current(other).week);
	assert_int_equal(account_of(w, 1).open_bets, 3);
	assert_int_equal(books_audit(w, true), 0);
	(void) week_close(other);
	(void) week_close(w);
	shim_remove();
}

#ifdef TAP_FAULTS
static int nth_fault;

static void move_all_and_fail(struct week *w)
{
	place(w, 4, T0_S + 10, ROW + 5, NOW_MS);
	settle_in_part(w, T0_S, 2);
	put(w, 4, -95 * MICROS_PER_USD, LEDGER_WITHDRAWAL, "all-4");
	put(w, 7, 7, LEDGER_DEPOSIT, "first-7");
	fault_arm(FAULT_STORE_STEP, nth_fault, false);
}

/* The second pass fails at each of its statements: the old week goes on, with what came between; the next try ends it. */
static void the_second_pass_may_fail(void **state)
{
	(void) state;
	bool fired = true;
	for (nth_fault = 1; fired; nth_fault++) {
		struct week_rolled rolled;
		struct week *w = a_busy_week(12);
		shim_install();
		other = books_open(STORE_WRITE);
		shim_hooks.before = hear;
		between = move_all_and_fail;
		int r = week_roll(w, NOW_MS + WEEK_MS, &rolled);
		fired = fault_disarm(FAULT_STORE_STEP);
		assert_int_equal(r < 0, fired);
		shim_hooks.before = NULL;
		(void) week_close(w);
		(void) week_close(other);
		shim_remove();
		w = books_open(STORE_WRITE);
		assert_int_equal(account_of(w, 4).balance.micros, 0);
		assert_int_equal(account_of(w, 4).open_bets, 1);
		assert_int_equal(account_of(w, 7).balance.micros, 7);
		assert_int_equal(books_audit(w, true), 0);
		r = week_roll(w, NOW_MS + WEEK_MS, &rolled);
		assert_true(r == 0 || r == WEEK_E_CURRENT);
		assert_int_equal(books_audit(w, true), 0);
		(void) week_close(w);
		(void) books_tear_down(state);
		assert_int_equal(books_set_up(state), 0);
	}
	assert_true(nth_fault > 50);
}
#endif

static void allow_and_forbid(struct week *w)
{
	struct limits limits;
	struct account a;
	struct store *db = books_begin(w);
	assert_int_equal(ledger_account_by_id(db, 2, &a), 0);
	assert_int_equal(limits_change(db, &a, &(struct limit_wish){ LIMIT_DAY_STAKE, 50 * MICROS_PER_USD }, 1, "player",
			NOW_MS, &limits), 0);
	assert_int_equal(ledger_account_by_id(db, 3, &a), 0);
	struct session_key key;
	struct wallet address = books_wallet(33);
	assert_int_equal(session_keys_put(db, &a, &address, &(struct key_caps){ money_of(1), money_of(1) }, NOW_MS,
			NOW_MS + 2 * WEEK_MS, &key), 0);
	assert_int_equal(week_commit(w), 0);
}

static void what_a_player_allows_between_is_carried(void **state)
{
	(void) state;
	struct week *w = a_busy_week(FEW);
	(void) roll(w, allow_and_forbid);
	assert_true(account_of(w, 2).limits_row > 0);
	assert_true(account_of(w, 3).keys_row > 0);
	(void) week_close(w);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, books_set_up, books_tear_down)
	const struct CMUnitTest tests[] = {
		CASE(money_that_moves_between_is_carried),
		CASE(bets_that_come_and_go_between_are_carried),
		CASE(what_a_player_allows_between_is_carried),
		CASE(a_column_that_is_settled_in_part_between_is_carried),
		CASE(the_week_is_made_once),
#ifdef TAP_FAULTS
		CASE(the_second_pass_may_fail),
#endif
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
