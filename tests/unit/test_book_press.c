/* A pressed book thaws to the same book, row by row of every table, and says in plain SQL what its bets were: over random lives, with
 * weeks carried over, commits cut anywhere by the file's own, and pressed files that were meddled with. TAP_PRESS_OPS (of each
 * week) and TAP_SHIP_SEED change the run. */
#include <sys/stat.h>

#include "book_life.h"

#include "book_press.h"
#include "err.h"
#include "integrity.h"
#include "schema.h"

enum { OPS_PRESET = 400, WEEKS = 3 };
static const int64_t WEEK_MS = INT64_C(7) * 86400000;
static char side[80];

static int nothing_between(void *u)
{
	++*(int64_t *) u;
	return 0;
}

static int64_t asked;
static const struct book_pace pace = { nothing_between, &asked };

static void is(int r, int expected)
{
	if (r != expected)
		fail_msg("%d, not %d: %s", r, expected, err_text());
}

static int64_t ops(void)
{
	const char *given = getenv("TAP_PRESS_OPS");
	return given ? strtoll(given, NULL, 10) : OPS_PRESET;
}

static const char *aside(const char *name)
{
	static char path[4][160];
	static int at;
	(void) snprintf(path[++at % 4], sizeof path[0], "%s/%s", side, name);
	return path[at % 4];
}

static struct store *open_side(const char *name, enum store_mode mode, const struct store_schema *schema)
{
	struct store *db = NULL;
	is(store_open(&db, aside(name), mode, schema), 0);
	return db;
}

static void remove_side(const char *name)
{
	(void) unlink(aside(name));
}

static void press(struct store *book, const char *name)
{
	remove_side(name);
	struct store *to = open_side(name, STORE_WRITE, &schema_pressed);
	is(book_press(book, to, &pace), 0);
	is(store_close_whole(to), 0);
}

static int thaw_as(const char *name)
{
	remove_side("thawed.db");
	struct store *pressed = open_side(name, STORE_READ, &schema_pressed);
	struct store *book = open_side("thawed.db", STORE_WRITE, &schema_week);
	int r = book_thaw(pressed, book, &pace);
	(void) store_close(pressed);
	if (r == 0)
		is(store_close_whole(book), 0);
	else
		(void) store_close(book);
	return r;
}

static bool same_files(const char *a, const char *b)
{
	char cmd[384];
	(void) snprintf(cmd, sizeof cmd, "cmp -s '%s' '%s'", aside(a), aside(b));
	return system(cmd) == 0;
}

/* Each bet of the book is in the view, with what it paid, and each row of the ledger in the other. */
static void speaks_plainly(struct store *book, const char *name)
{
	struct store *pressed = open_side(name, STORE_READ, &schema_pressed);
	char found[256];
	is(store_check(pressed, true, found, sizeof found), 0);
	is(store_begin(pressed), 0);
	is(store_begin(book), 0);
	struct stmt *x = store_stmt(book, "SELECT t0, low, user, stake, rate, rate_min, placed_at, signed_at, nonce, status, bet_row,"
			" signer, coalesce((SELECT amount FROM transaction_ledger WHERE id = pay_row), 0) FROM bets ORDER BY t0, low, user");
	struct stmt *y = store_stmt(pressed, "SELECT t0, low, user, stake, rate, rate_min, placed_at, signed_at, nonce, status, bet_row,"
			" signer, payout FROM bets ORDER BY t0, low, user");
	int r, s;
	int64_t row = 0;
	for (; (r = stmt_step(x)) == (s = stmt_step(y)) && r == STMT_ROW; row++)
		for (int c = 0; c < 13; c++)
			same_value(x, y, c, "bets", row);
	assert_true(r == STMT_DONE && s == STMT_DONE && row > 0);
	struct stmt *off = store_stmt(pressed, "SELECT count(*) FROM users u WHERE u.balance <> (SELECT coalesce(sum(l.amount), 0)"
			" FROM transaction_ledger l WHERE l.user = u.id)");
	is(stmt_step(off), STMT_ROW);
	assert_int_equal(stmt_col_int(off, 0), 0);
	stmt_reset(off);
	struct stmt *ids = store_stmt(book, "SELECT id, user, amount, balance_after, ref_type, ref_id, prev, at FROM transaction_ledger"
			" ORDER BY id");
	struct stmt *said = store_stmt(pressed, "SELECT id, user, amount, balance_after, ref_type, ref_id, prev, at FROM transaction_ledger"
			" ORDER BY id");
	while ((r = stmt_step(ids)) == (s = stmt_step(said)) && r == STMT_ROW)
		for (int c = 0; c < 8; c++)
			same_value(ids, said, c, "transaction_ledger", stmt_col_int(ids, 0));
	assert_true(r == STMT_DONE && s == STMT_DONE);
	store_rollback(book);
	store_rollback(pressed);
	(void) store_close(pressed);
}

static void there_and_back(struct store *book)
{
	struct hash before, after;
	struct integrity found;
	press(book, "pressed.db");
	press(book, "again.db");
	assert_true(same_files("pressed.db", "again.db")); /* what was sent before an end can be made anew */
	speaks_plainly(book, "pressed.db");
	is(thaw_as("pressed.db"), 0);
	struct store *thawed = open_side("thawed.db", STORE_READ, &schema_week);
	is(book_rows(book, &before, &pace), 0);
	is(book_rows(thawed, &after, &pace), 0);
	assert_memory_equal(&before, &after, sizeof before);
	is(store_begin(book), 0);
	is(store_begin(thawed), 0);
	assert_true(same_books(book, thawed) > 100);
	store_rollback(book);
	store_rollback(thawed);
	int r = integrity_check_store(thawed, true, &found);
	if (r != 0)
		fail_msg("%d %s", r, found.finding);
	(void) store_close(thawed);
}

static void a_life_of_weeks(void **state)
{
	(void) state;
	begin_run();
	struct week *w = books_open(STORE_WRITE);
	prepare(w);
	for (int i = 0; i < WEEKS; i++) {
		struct week_rolled rolled;
		struct clk_week week = week_current(w);
		struct store *book;
		for (int64_t op = 0; op < ops(); op++)
			one_operation(w);
		is(week_roll(w, NOW_MS + (i + 1) * WEEK_MS, &rolled), 0);
		assert_true(i > 0 || rolled.openings > 0);
		is(week_open_past(w, week, &book), 0);
		there_and_back(book);
		(void) store_close(book);
	}
	(void) week_close(w);
}

/* More rows than one commit of the pressed and of the thawed file takes. */
static void a_book_of_several_commits(void **state)
{
	(void) state;
	begin_run();
	struct week *w = books_open(STORE_WRITE);
	struct week_rolled rolled;
	struct store *book;
	struct clk_week week = week_current(w);
	prepare(w);
	for (int64_t i = 0; i < 9000; i++) {
		struct store *db = books_begin(w);
		for (int j = 0; j < 2; j++) {
			struct account a;
			char ref[32];
			(void) snprintf(ref, sizeof ref, "gift-%" PRId64, ++serial);
			is(ledger_post(db, &(struct posting){ .user = any_user(), .amount = { 1 }, .ref_type = LEDGER_ADJUSTMENT,
					.ref_id = ref, .at_ms = NOW_MS + i }, &a), 0);
		}
		if (i % 3000 == 0)
			batch(db);
		is(week_commit(w), 0);
	}
	is(week_roll(w, NOW_MS + WEEK_MS, &rolled), 0);
	is(week_open_past(w, week, &book), 0);
	there_and_back(book);
	(void) store_close(book);
	(void) week_close(w);
}

/* Whatever is changed in a pressed book, it does not thaw to the book that it was made of. */
static void what_was_meddled_with_is_another_book(void **state)
{
	static const char *const changes[] = {
		"UPDATE placed SET stake = stake + 1 WHERE row = (SELECT max(row) FROM placed)",
		"UPDATE placed SET status = 5 - status WHERE status IN (2, 3)",
		"DELETE FROM placed WHERE row = (SELECT max(row) FROM placed)",
		"DELETE FROM placed WHERE row = (SELECT min(row) FROM placed)",
		"UPDATE payouts SET n = n + 1 WHERE first_row = (SELECT max(first_row) FROM payouts)",
		"UPDATE payouts SET at = at + 1 WHERE first_row = (SELECT max(first_row) FROM payouts)",
		"DELETE FROM others WHERE id = (SELECT max(id) FROM others)",
		"UPDATE others SET user = 4000000 WHERE id = (SELECT max(id) FROM others)",
		"UPDATE commits SET sizes = CAST(sizes || x'01' AS BLOB)",
		"UPDATE commits SET sizes = x'ff'",
		"UPDATE commits SET sizes = CAST(x'00' || sizes AS BLOB)",
		"UPDATE nonces SET nonces = zeroblob(length(nonces))",
		"UPDATE nonces SET nonces = substr(nonces, 17)",
		"UPDATE nonces SET nonces = substr(nonces, 2)",
		"DELETE FROM nonces",
		"UPDATE placed SET user = 0 WHERE row = (SELECT max(row) FROM placed)",
		"UPDATE placed SET t0 = t0 - 100000000000 WHERE row = (SELECT max(row) FROM placed)",
		"UPDATE users SET balance = balance + 1 WHERE id = 1",
		"UPDATE pressed SET version = 1000",
		"DELETE FROM pressed",
	};
	(void) state;
	begin_run();
	struct week *w = books_open(STORE_WRITE);
	struct week_rolled rolled;
	struct hash before, after;
	struct store *book;
	struct clk_week week = week_current(w);
	prepare(w);
	for (int64_t op = 0; op < ops(); op++)
		one_operation(w);
	is(week_roll(w, NOW_MS + WEEK_MS, &rolled), 0);
	is(week_open_past(w, week, &book), 0);
	is(book_rows(book, &before, &pace), 0);
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		press(book, "pressed.db");
		struct store *pressed = open_side("pressed.db", STORE_WRITE, &schema_pressed);
		is(store_begin(pressed), 0);
		is(store_script(pressed, changes[i]), 0);
		is(store_commit(pressed), 0);
		is(store_close_whole(pressed), 0);
		int r = thaw_as("pressed.db");
		if (r == 0) {
			struct store *thawed = open_side("thawed.db", STORE_READ, &schema_week);
			is(book_rows(thawed, &after, &pace), 0);
			if (memcmp(&before, &after, sizeof before) == 0)
				fail_msg("%s: it thaws to the same", changes[i]);
			(void) store_close(thawed);
		} else if (r != BOOK_PRESS_E_CANNOT && r != -EBADMSG && r != -EINVAL) {
			fail_msg("%s: %d %s", changes[i], r, err_text());
		}
	}
	(void) store_close(book);
	(void) week_close(w);
}

static int stop_at(void *u)
{
	return --*(int64_t *) u < 0 ? -ECANCELED : 0;
}

/* Told to stop, all of it ends at once, and leaves nothing open. */
static void it_stops_when_it_is_told(void **state)
{
	(void) state;
	begin_run();
	struct week *w = books_open(STORE_WRITE);
	struct week_rolled rolled;
	struct store *book;
	struct hash hash;
	struct clk_week week = week_current(w);
	prepare(w);
	for (int64_t op = 0; op < ops(); op++)
		one_operation(w);
	is(week_roll(w, NOW_MS + WEEK_MS, &rolled), 0);
	is(week_open_past(w, week, &book), 0);
	int64_t left = 0;
	const struct book_pace stops = { stop_at, &left };
	for (int64_t first = 0, r = -ECANCELED; r == -ECANCELED; first = 2 * first + 1) {
		left = first;
		remove_side("stopped.db");
		struct store *to = open_side("stopped.db", STORE_WRITE, &schema_pressed);
		r = book_press(book, to, &stops);
		assert_true(r == 0 || r == -ECANCELED);
		(void) store_close(to);
	}
	left = 0;
	is(book_rows(book, &hash, &stops), -ECANCELED);
	(void) store_close(book);
	(void) week_close(w);
}

static int set_up(void **state)
{
	if (books_set_up(state) != 0)
		return -1;
	(void) snprintf(side, sizeof side, "%s/side", books_dir);
	return mkdir(side, 0700);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, books_tear_down)
		T(a_life_of_weeks),
		T(a_book_of_several_commits),
		T(what_was_meddled_with_is_another_book),
		T(it_stops_when_it_is_told),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
