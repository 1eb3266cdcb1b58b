/* Reading over many weeks: pages, spans of time, weeks that are not here, columns and bets that went from week to week. */
#include "books.h"

#include <sqlite3.h>

#include "clk.h"
#include "err.h"
#include "fault.h"
#include "schema.h"
#include "settle.h"

enum { WEEKS = 7, ROW = 4871 };
static const int64_t WEEK_MS = INT64_C(7) * 86400000;
static const struct settings rules = { .column_s = COLUMN_S, .row_cents = ROW_CENTS, .max_tick_gap_ms = 3000 };

static int64_t t0_of(int week)
{
	return T0_S + week * WEEK_MS / 1000;
}

static int place(struct week *w, int64_t user, int64_t t0_s, int64_t row)
{
	struct account a;
	struct bet b = books_bet(user, t0_s, row, 5);
	struct store *db = books_begin(w);
	b.placed_ms = t0_s * 1000 - 12000;
	int r = books_place(db, &b, &a);
	return r == 0 ? week_commit(w) : r;
}

static void settle(struct week *w, int64_t t0_s, size_t slices)
{
	static const struct settle_slice one = { .bets = 1, .us = INT64_MAX };
	struct tick ticks[51];
	struct settle_result got;
	for (int i = 0; i < 51; i++)
		ticks[i] = (struct tick){ t0_s * 1000 - 100 + 100 * i, ROW * ROW_CENTS + 3 * i };
	struct path path = path_cut(ticks, 51, t0_s, COLUMN_S, 3000);
	for (size_t i = 0; i < slices; i++)
		assert_true(settle_one_slice(w, &rules, &path, t0_s * 1000 + 6000, &one, &got, NULL, NULL) >= 0);
}

/* In each week user 1 bets on a column that is settled there, on one that the next week settles, and on one that stays open. The
 * one of the first week is settled bet by bet, one bet a week. */
static struct week *many_weeks(void)
{
	struct week *w = books_open(STORE_WRITE);
	struct week_rolled rolled;
	struct store *db = books_begin(w);
	(void) books_account(db, 1, 1000);
	(void) books_account(db, 2, 1000);
	assert_int_equal(week_commit(w), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(place(w, 1, T0_S + 20, ROW + i), 0);
	settle(w, T0_S + 20, 1);
	for (int week = 0; week < WEEKS; week++) {
		if (week > 0)
			assert_int_equal(week_roll(w, NOW_MS + week * WEEK_MS, &rolled), 0);
		if (week > 0)
			settle(w, t0_of(week - 1) + 30, 1);
		if (week > 0 && week < 4)
			settle(w, T0_S + 20, 1);
		if (week == 0)
			continue; /* its columns lie behind the one that is being settled */
		assert_int_equal(place(w, 1, t0_of(week), ROW), 0);
		assert_int_equal(place(w, 1, t0_of(week) + 30, ROW), 0);
		settle(w, t0_of(week), 1);
	}
	assert_int_equal(books_audit(w, true), 0);
	(void) week_close(w);
	return books_open(STORE_READ);
}

struct seen {
	int64_t rows[128];
	struct bet bets[128];
	size_t n, stop_at;
};

static bool on_bet(void *u, const struct bet *b, int64_t row)
{
	struct seen *s = u;
	s->bets[s->n] = *b;
	s->rows[s->n++] = row;
	return s->n != s->stop_at;
}

static bool on_entry(void *u, const struct entry *e)
{
	struct seen *s = u;
	s->rows[s->n++] = e->row;
	return s->n != s->stop_at;
}

static struct week_missing missing;
static bool more;

static struct seen bets(struct week *w, struct bet_query q, size_t stop_at)
{
	struct seen s = { .stop_at = stop_at };
	q.user = q.user ? q.user : 1;
	q.to_ms = q.to_ms ? q.to_ms : INT64_MAX;
	q.limit = q.limit ? q.limit : 100;
	q.row_cents = ROW_CENTS;
	assert_int_equal(week_bets(w, &q, on_bet, &s, &more, &missing), 0);
	return s;
}

static struct seen entries(struct week *w, struct ledger_query q, size_t stop_at)
{
	struct seen s = { .stop_at = stop_at };
	q.user = q.user ? q.user : 1;
	q.to_ms = q.to_ms ? q.to_ms : INT64_MAX;
	q.limit = q.limit ? q.limit : 100;
	assert_int_equal(week_ledger(w, &q, on_entry, &s, &more, &missing), 0);
	return s;
}

static void lose_week(int week)
{
	char path[160], name[WEEK_NAME_SIZE];
	week_file_name(name, clk_iso_week(NOW_MS + week * WEEK_MS));
	(void) snprintf(path, sizeof path, "%s/%s", books_dir, name);
	assert_int_equal(unlink(path), 0);
}

static void pages_and_spans_go_over_the_weeks(void **state)
{
	(void) state;
	struct week *w = many_weeks();
	(void) books_begin(w);
	struct seen all = bets(w, (struct bet_query){ 0 }, 0), rows = entries(w, (struct ledger_query){ 0 }, 0);
	assert_int_equal(all.n, 4 + 2 * (WEEKS - 1));
	assert_false(more);
	for (size_t i = 1; i < rows.n; i++)
		assert_true(rows.rows[i] < rows.rows[i - 1]);
	/* page by page, of each size */
	for (size_t size = 1; size < 8; size += 3) {
		struct seen got = { 0 };
		struct ledger_query q = { .user = 1, .to_ms = INT64_MAX, .limit = size };
		do {
			assert_int_equal(week_ledger(w, &q, on_entry, &got, &more, &missing), 0);
			q.before_row = got.rows[got.n - 1];
		} while (more);
		assert_int_equal(got.n, rows.n);
		assert_memory_equal(got.rows, rows.rows, rows.n * sizeof rows.rows[0]);
	}
	/* who had enough is asked no further */
	assert_int_equal(bets(w, (struct bet_query){ 0 }, 2).n, 2);
	assert_false(more);
	assert_int_equal(entries(w, (struct ledger_query){ 0 }, 2).n, 2);
	/* a span in the middle: weeks after it are passed by, weeks before it end the walk */
	int64_t from = NOW_MS + 3 * WEEK_MS, to = NOW_MS + 4 * WEEK_MS;
	struct seen middle = bets(w, (struct bet_query){ .from_ms = from, .to_ms = to }, 0);
	assert_int_equal(middle.n, 2);
	assert_int_equal(middle.bets[1].cell.t0_s, t0_of(3));
	assert_int_equal(entries(w, (struct ledger_query){ .from_ms = from, .to_ms = to, .ref_type = LEDGER_BET }, 0).n, 2);
	/* open ones: as many as the account says, then no further */
	assert_int_equal(bets(w, (struct bet_query){ .status = BET_CONFIRMED }, 0).n, 1);
	assert_int_equal(bets(w, (struct bet_query){ .status = BET_CONFIRMED, .user = 2 }, 0).n, 0);
	/* nobody's */
	assert_int_equal(bets(w, (struct bet_query){ .user = 99 }, 0).n, 0);
	assert_int_equal(entries(w, (struct ledger_query){ .user = 99 }, 0).n, 0);
	week_rollback(w);
	(void) week_close(w);
}

/* A bet is shown as the last week that is here knows it. */
static void bets_are_followed_past_a_lost_week(void **state)
{
	(void) state;
	struct week *w = many_weeks();
	struct bet b;
	struct ulid id;
	(void) week_close(w);
	lose_week(1);
	lose_week(2);
	w = books_open(STORE_READ);
	(void) books_begin(w);
	/* decided in the week that is lost: here it is open still */
	assert_true(bet_id(&id, &(struct bet_key){ (T0_S + 20) * 1000 - 12000, T0_S + 20, (ROW + 1) * ROW_CENTS, 1 }));
	assert_int_equal(week_bet_by_id(w, &id, ROW_CENTS, &b), 0);
	assert_int_equal(b.state, BET_CONFIRMED);
	/* decided in the week after those that are lost */
	assert_true(bet_id(&id, &(struct bet_key){ (T0_S + 20) * 1000 - 12000, T0_S + 20, (ROW + 3) * ROW_CENTS, 1 }));
	assert_int_equal(week_bet_by_id(w, &id, ROW_CENTS, &b), 0);
	assert_true(b.state == BET_WON || b.state == BET_LOST);
	/* placed in a lost week; in no week; in a time before all weeks */
	assert_true(bet_id(&id, &(struct bet_key){ t0_of(2) * 1000 - 12000, t0_of(2), ROW * ROW_CENTS, 1 }));
	assert_int_equal(week_bet_by_id(w, &id, ROW_CENTS, &b), BOOK_E_ABSENT);
	assert_true(bet_id(&id, &(struct bet_key){ t0_of(4) * 1000 - 12001, t0_of(4), ROW * ROW_CENTS, 1 }));
	assert_int_equal(week_bet_by_id(w, &id, ROW_CENTS, &b), BOOK_E_ABSENT);
	assert_true(bet_id(&id, &(struct bet_key){ t0_of(-5) * 1000 - 12000, t0_of(-5), ROW * ROW_CENTS, 1 }));
	assert_int_equal(week_bet_by_id(w, &id, ROW_CENTS, &b), BOOK_E_ABSENT);
	struct seen s = bets(w, (struct bet_query){ 0 }, 0);
	assert_int_equal(missing.n, 2);
	assert_int_equal(s.n, 4 + 2 * (WEEKS - 3));
	week_rollback(w);
	(void) week_close(w);
}

static void columns_are_found_where_they_were_decided(void **state)
{
	(void) state;
	struct week *w = many_weeks();
	struct column c;
	struct store *db;
	(void) books_begin(w);
	assert_int_equal(week_column(w, T0_S + 20, &c, &db), 0);
	assert_ptr_not_equal(db, week_store(w));
	assert_false(c.settling); /* as the fourth week says, which decided the last of its bets */
	assert_int_equal(week_column(w, t0_of(3), &c, &db), 0);
	assert_int_equal(c.t0_s, t0_of(3));
	assert_int_equal(week_column(w, t0_of(6), &c, &db), 0);
	assert_ptr_equal(db, week_store(w));
	assert_int_equal(week_column(w, t0_of(5) + 5, &c, &db), BOOK_E_ABSENT);
	week_rollback(w);
	(void) week_close(w);
	/* the file that decided it is not here: a later week's copy will do */
	lose_week(0);
	w = books_open(STORE_READ);
	(void) books_begin(w);
	assert_int_equal(week_column(w, T0_S + 20, &c, &db), 0);
	assert_true(c.carried);
	week_rollback(w);
	(void) week_close(w);
	/* the current week's own copy, when no other is here */
	lose_week(5);
	w = books_open(STORE_READ);
	(void) books_begin(w);
	assert_int_equal(week_column(w, t0_of(5) + 30, &c, &db), 0);
	assert_ptr_equal(db, week_store(w));
	week_rollback(w);
	(void) week_close(w);
}

static bool first_only(void *u, const struct week_info *info)
{
	int *n = u;
	(void) info;
	++*n;
	return false;
}

static void long_lists_of_weeks_are_bounded(void **state)
{
	(void) state;
	char path[160];
	sqlite3 *raw;
	int n = 0;
	(void) week_close(many_weeks());
	/* a hundred weeks before the first, all in cold storage */
	(void) snprintf(path, sizeof path, "%s/meta.db", books_dir);
	assert_int_equal(sqlite3_open(path, &raw), SQLITE_OK);
	assert_int_equal(sqlite3_exec(raw, "DROP TRIGGER weeks_no_delete;"
			" CREATE TABLE w2 AS SELECT id + 200 AS id, year, week, opened_at, closed_at FROM weeks; DELETE FROM weeks;"
			" WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 100)"
			" INSERT INTO weeks SELECT n, 2000 + n / 50, n % 50 + 1, 1771000000000 + n, 1771234565123 FROM c;"
			" INSERT INTO weeks SELECT * FROM w2; DROP TABLE w2", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(raw), SQLITE_OK);
	struct week *w = books_open(STORE_READ);
	(void) books_begin(w);
	assert_int_equal(week_list(w, first_only, &n), 0);
	assert_int_equal(n, 1);
	(void) bets(w, (struct bet_query){ 0 }, 0);
	assert_int_equal(missing.n, WEEKS_MISSING_MAX);
	week_rollback(w);
	(void) week_close(w);
}

static void a_past_week_is_brought_up_where_nothing_was_made_yet(void **state)
{
	(void) state;
	char path[160], name[WEEK_NAME_SIZE];
	struct store *db;
	(void) week_close(many_weeks());
	lose_week(2);
	week_file_name(name, clk_iso_week(NOW_MS + 5 * WEEK_MS));
	(void) snprintf(path, sizeof path, "%s/%s", books_dir, name);
	assert_int_equal(store_open(&db, path, STORE_WRITE, &schema_week), 0);
	assert_int_equal(store_migrate(db, 3), 0);
	(void) store_close(db);
	(void) snprintf(path, sizeof path, "%s/next", books_dir);
	assert_int_equal(folder_remove(path), 0);
	struct week *w = books_open(STORE_WRITE);
	assert_true(week_open_past(w, clk_iso_week(NOW_MS + 5 * WEEK_MS), &db) < 0);
	assert_int_equal(week_bring_up_past(w), 0);
	assert_int_equal(week_open_past(w, clk_iso_week(NOW_MS + 5 * WEEK_MS), &db), 0);
	(void) store_close(db);
	(void) week_close(w);
}

#ifdef TAP_FAULTS
/* The first week's bet is followed through all the weeks since; few of their files stay open meanwhile. */
static void following_may_fail(void **state)
{
	(void) state;
	struct week *w = many_weeks();
	struct bet b;
	struct ulid id;
	bool fired = true;
	assert_true(bet_id(&id, &(struct bet_key){ (T0_S + 20) * 1000 - 12000, T0_S + 20, (ROW + 3) * ROW_CENTS, 1 }));
	for (int nth = 1; fired; nth++) {
		(void) books_begin(w);
		fault_arm(FAULT_STORE_STEP, nth, false);
		int r = week_bet_by_id(w, &id, ROW_CENTS, &b);
		fired = fault_disarm(FAULT_STORE_STEP);
		assert_int_equal(r, fired ? -EIO : 0);
		week_rollback(w);
	}
	assert_true(b.state == BET_WON || b.state == BET_LOST);
	(void) week_close(w);
}
#endif

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, books_set_up, books_tear_down)
	const struct CMUnitTest tests[] = {
		CASE(pages_and_spans_go_over_the_weeks),
		CASE(bets_are_followed_past_a_lost_week),
		CASE(columns_are_found_where_they_were_decided),
#ifdef TAP_FAULTS
		CASE(following_may_fail),
#endif
		CASE(long_lists_of_weeks_are_bounded),
		CASE(a_past_week_is_brought_up_where_nothing_was_made_yet),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
