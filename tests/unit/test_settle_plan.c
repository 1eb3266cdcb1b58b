/* What SQLite is asked while a column is settled: each statement as it was run is listed, and its plan looked at. The bets are found
 * by an index, over a read-only connection; nothing walks through bets, accounts or the ledger; and their number grows with ranges,
 * not with bets. */
#include "books.h"

#include <sqlite3.h>

#include "err.h"
#include "settle.h"
#include "store_impl.h"

enum { USERS = 50, BETS = 1500, TICKS = 51, SQL_SIZE = 1024, STATEMENTS_MAX = 128 };
static const struct settings rules = { .column_s = COLUMN_S, .row_cents = ROW_CENTS, .max_tick_gap_ms = 3000 };

static struct {
	bool on;
	struct asked {
		char sql[SQL_SIZE];
		int64_t by_reader, by_writer;
	} all[STATEMENTS_MAX];
	size_t n;
} asked;

static int on_statement(unsigned what, void *ctx, void *p, void *x)
{
	(void) what, (void) ctx;
	const char *sql = sqlite3_sql(p), *begun = x;
	if (!asked.on || strncmp(begun, "--", 2) == 0) /* a trigger's */
		return 0;
	size_t i = 0;
	while (i < asked.n && strcmp(asked.all[i].sql, sql) != 0)
		i++;
	assert_true(i < STATEMENTS_MAX && strlen(sql) < SQL_SIZE);
	if (i == asked.n)
		(void) snprintf(asked.all[asked.n++].sql, SQL_SIZE, "%s", sql);
	bool reads = sqlite3_db_readonly(sqlite3_db_handle(p), "main") == 1;
	asked.all[i].by_reader += reads;
	asked.all[i].by_writer += !reads;
	return 0;
}

static int listen_to(sqlite3 *db, const char **error, const void *routines)
{
	(void) error, (void) routines;
	return sqlite3_trace_v2(db, SQLITE_TRACE_STMT, on_statement, NULL);
}

static void place_all(struct week *w)
{
	struct store *db = books_begin(w);
	for (int i = 1; i <= USERS; i++)
		assert_int_equal(books_account(db, i, 100000), i);
	for (int64_t i = 0; i < BETS; i++) {
		struct account a;
		struct bet b = books_bet(1 + i % USERS, T0_S, 4865 + i / USERS, 1);
		assert_int_equal(books_place(db, &b, &a), 0);
	}
	assert_int_equal(week_commit(w), 0);
}

static void settle_all(struct week *w)
{
	struct tick ticks[TICKS];
	struct settle_result got;
	for (int i = 0; i < TICKS; i++)
		ticks[i] = (struct tick){ T0_S * 1000 - 100 + 100 * i, 4870 * ROW_CENTS + 100 * i };
	struct path path = path_cut(ticks, TICKS, T0_S, COLUMN_S, 3000);
	asked.on = true;
	assert_int_equal(settle_column(w, &rules, &path, T0_S * 1000 + 5700, &got, NULL, NULL), 0);
	asked.on = false;
	assert_true(got.won > 0 && got.lost > 0);
	assert_int_equal(got.won + got.lost, BETS);
}

static void plan_of(struct week *w, const char *sql, char *ret, size_t size)
{
	char question[SQL_SIZE + 32];
	sqlite3_stmt *st;
	(void) snprintf(question, sizeof question, "EXPLAIN QUERY PLAN %s", sql);
	assert_int_equal(sqlite3_prepare_v2(week_store(w)->db, question, -1, &st, NULL), SQLITE_OK);
	ret[0] = '\0';
	while (sqlite3_step(st) == SQLITE_ROW) {
		size_t n = strlen(ret);
		(void) snprintf(ret + n, size - n, "%s\n", (const char *) sqlite3_column_text(st, 3));
	}
	(void) sqlite3_finalize(st);
}

/* Beginning and ending, and setting up the reader, which an EXPLAIN would do here. */
static bool is_no_question(const char *sql)
{
	return strncmp(sql, "PRAGMA", 6) == 0 || strncmp(sql, " PRAGMA", 7) == 0 || strncmp(sql, "BEGIN", 5) == 0 || strcmp(sql, "COMMIT") == 0 || strcmp(sql, "ROLLBACK") == 0;
}

static void settlement_walks_one_range_and_asks_by_ranges(void **state)
{
	static const char *const walked[] = { "SCAN bets", "SCAN users", "SCAN transaction_ledger", "TEMP B-TREE" };
	(void) state;
	char plan[4096];
	int64_t runs = 0, finders = 0, writers = 0;
	assert_int_equal(sqlite3_auto_extension((void (*)(void)) listen_to), SQLITE_OK);
	struct week *w = books_open(STORE_WRITE);
	place_all(w);
	settle_all(w);
	sqlite3_reset_auto_extension();
	for (size_t i = 0; i < asked.n; i++) {
		const struct asked *a = &asked.all[i];
		runs += a->by_reader + a->by_writer;
		if (is_no_question(a->sql))
			continue;
		plan_of(w, a->sql, plan, sizeof plan);
		for (size_t k = 0; k < ARRAY_LEN(walked); k++)
			if (strstr(plan, walked[k]))
				fail_msg("%s\n%s", a->sql, plan);
		if (strstr(a->sql, "(low, user) >") && strstr(a->sql, "FROM bets")) {
			assert_non_null(strstr(plan, "SEARCH bets USING PRIMARY KEY (t0=? AND (low,user)>(?,?))"));
			assert_int_equal(a->by_writer, 0);
			finders += a->by_reader;
		}
		if (strstr(a->sql, "FROM given(?1)")) {
			assert_int_equal(a->by_reader, 0);
			writers += a->by_writer;
		}
	}
	print_message("%lld statements for %d bets, %zu different ones; %lld found bets, %lld read or wrote ranges\n", (long long) runs,
			BETS, asked.n, (long long) finders, (long long) writers);
	assert_true(finders > 0 && finders <= 4);
	assert_true(writers > 0 && runs < BETS / 2);
	if (books_audit(w, true) != 0)
		fail_msg("%s", err_text());
	week_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(settlement_walks_one_range_and_asks_by_ranges, books_set_up, books_tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
