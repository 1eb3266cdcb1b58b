/* intake at its bounds and at the edges of its rules, its loops run by the test: what waits is taken in bounded turns, a clock that
 * went back opens nothing, a week that just ended is remembered, an account at the end of the numbers is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <errno.h>

#include "../support/intake_still.h"
#include "auth.h"
#include "limits_book.h"
#include "session_keys.h"
#include "settle.h"

enum { DAY_MS = 86400000, TICKS = 51 };
static const int64_t WEEK_MS = INT64_C(7) * DAY_MS;

static const struct wallet player = { { 1, 7 } };

static void answered(struct intake_tap *t)
{
	t->u = t;
}

static struct intake_tap tap_still(struct cell c, int64_t usd)
{
	struct intake_tap t = tap_of(player, c, usd);
	t.done = answered;
	return t;
}

static int open_account(struct intake_job *j, struct store *db, int64_t now_ms)
{
	struct account a;
	(void) j;
	int r = ledger_account_open(db, &player, now_ms, &a);
	return r == 0 ? ledger_post(db, &(struct posting){ .user = a.user, .amount = { 1000 * USD }, .ref_type = LEDGER_DEPOSIT,
			.ref_id = "one", .at_ms = now_ms }, &a) : r;
}

static int with_account(void **state)
{
	int r = fresh(state);
	intake_drain(intake);
	settings.cap_player_open = 5000 * (int64_t) USD;
	return r == 0 && run_still(open_account) == 0 ? 0 : -1;
}

static int give_back(void **state)
{
	settings.batch_max = 512;
	return finish(state);
}

static void start_again(void)
{
	intake = intake_stop(intake);
	go_still();
	publish(RATE);
}

/* Another process with the book. */
static struct store *outside(struct week **ret, int64_t now_ms)
{
	struct store *db;
	assert_int_equal(week_open(ret, dir, STORE_WRITE, now_ms), 0);
	assert_int_equal(week_begin(*ret, &db), 0);
	return db;
}

static void outside_done(struct week *w)
{
	assert_int_equal(week_commit(w), 0);
	(void) week_close(w);
}

static void a_batch_is_bounded(void **state)
{
	(void) state;
	static struct intake_tap t[10];
	struct intake_stats st;
	settings.batch_max = 4;
	start_again();
	for (int i = 0; i < 10; i++) {
		t[i] = tap_still(cell_at(3, 1 + i), 1);
		assert_true(submit(&t[i]));
	}
	turn();
	for (int i = 0; i < 10; i++)
		assert_int_equal(t[i].result, INTAKE_CONFIRMED);
	intake_stats(intake, &st);
	assert_int_equal(st.batches, 3);
	assert_int_equal(st.batch_max, 4);
}

/* A turn that keeps house: one without anything to do is none. */
static int did;

static int do_nothing(struct intake_job *j, struct store *db, int64_t now_ms)
{
	(void) j, (void) db, (void) now_ms;
	did++;
	return 0;
}

static void keep_house_now(void)
{
	intake->housekeeping_ms = 0;
	assert_int_equal(run_still(do_nothing), 0);
}

static void jobs_wait_up_to_their_bound(void **state)
{
	(void) state;
	static struct still_job many[JOBS_MAX], one;
	for (size_t i = 0; i < JOBS_MAX; i++) {
		many[i] = (struct still_job){ .job = { .fn = do_nothing, .done = still_job_done }, .result = -1 };
		assert_true(submit_job(&many[i].job));
	}
	one = (struct still_job){ .job = { .fn = do_nothing, .done = still_job_done }, .result = -1 };
	assert_false(submit_job(&one.job));
	did = 0;
	turn();
	assert_int_equal(did, JOBS_MAX);
	for (size_t i = 0; i < JOBS_MAX; i++)
		assert_int_equal(many[i].result, 0);
	assert_true(submit_job(&one.job));
	turn();
	assert_int_equal(one.result, 0);
}

static int open_and_fail(struct intake_job *j, struct store *db, int64_t now_ms)
{
	struct account a;
	(void) j;
	assert_int_equal(ledger_account_open(db, &(struct wallet){ { 2, 7 } }, now_ms, &a), 0);
	return -EIO;
}

static void a_job_that_fails_takes_its_company_with_it(void **state)
{
	(void) state;
	struct still_job a = { .job = { .fn = do_nothing, .done = still_job_done } };
	struct still_job b = { .job = { .fn = open_and_fail, .done = still_job_done } };
	struct week *w;
	struct account got;
	assert_true(submit_job(&a.job) && submit_job(&b.job));
	turn();
	assert_int_equal(a.result, -EIO);
	assert_int_equal(b.result, -EIO);
	assert_true(intake_failed(intake));
	struct store *db = outside(&w, clk_now_ms());
	assert_int_equal(ledger_account(db, &(struct wallet){ { 2, 7 } }, &got), LEDGER_E_ABSENT);
	week_rollback(w);
	(void) week_close(w);
}

static void a_nearly_full_disk_takes_no_job(void **state)
{
	(void) state;
	intake->housekeeping_ms = clk_mono_ms();
	atomic_store(&intake->disk_tight, true);
	assert_int_equal(run_still(do_nothing), -ENOSPC);
	struct intake_stats st;
	intake_stats(intake, &st);
	assert_true(st.disk_full);
	assert_false(intake_failed(intake));
	atomic_store(&intake->disk_tight, false);
	assert_int_equal(run_still(do_nothing), 0);
}

/* A folder that cannot be asked for its room is not called full: writes will say what is wrong with it. */
static void room_that_nobody_knows_is_not_tight(void **state)
{
	(void) state;
	char was = settings.data_dir.v[1];
	settings.data_dir.v[1] = '?';
	keep_house_now();
	settings.data_dir.v[1] = was;
	assert_false(atomic_load(&intake->disk_tight));
	assert_int_equal(run_still(do_nothing), 0);
}

static void a_quote_of_another_time_prices_nothing(void **state)
{
	(void) state;
	struct intake_tap t = tap_still(cell_at(3, 1), 1);
	grid.t_ms = clk_now_ms() + settings.quote_ttl_ms + 5000;
	assert_int_equal(place_still(&t), INTAKE_FEED_STALE);
	grid.t_ms = clk_now_ms() - settings.quote_ttl_ms - 1;
	assert_int_equal(place_still(&t), INTAKE_FEED_STALE);
	publish(RATE);
	assert_int_equal(place_still(&t), INTAKE_CONFIRMED); /* the same: nothing was spent */
}

static void the_farthest_column_needs_the_grid_that_brings_it(void **state)
{
	(void) state;
	struct cell far = cell_at(grid.columns - 1, 1);
	struct intake_tap t = tap_still(far, 1);
	grid.columns--;
	assert_int_equal(place_still(&t), INTAKE_BEYOND_GRID);
}

static bool know_nothing(void *u, int64_t quote_id, struct buf *ret)
{
	(void) u, (void) quote_id, (void) ret;
	return false;
}

static void a_quote_of_unknown_making_prices_all_the_same(void **state)
{
	(void) state;
	struct intake_tap t = tap_still(cell_at(3, 1), 1), other = tap_still(cell_at(3, 2), 1);
	intake->market.made = NULL;
	assert_int_equal(place_still(&t), INTAKE_CONFIRMED);
	intake->market.made = know_nothing;
	assert_int_equal(place_still(&other), INTAKE_CONFIRMED);
}

static struct path path_over(const struct cell *c)
{
	static struct tick ticks[TICKS];
	for (int i = 0; i < TICKS; i++)
		ticks[i] = (struct tick){ c->t0_s * 1000 - 100 + 100 * i, c->low_cents + 5 };
	return path_cut(ticks, TICKS, c->t0_s, settings.column_s, settings.max_tick_gap_ms);
}

/* The clock of this machine went back over columns that are decided. */
static void settled_outside(const struct cell *c)
{
	struct week *w;
	struct settle_result got;
	struct path path = path_over(c);
	assert_int_equal(week_open(&w, dir, STORE_WRITE, clk_now_ms()), 0);
	assert_int_equal(settle_column(w, &settings, &path, clk_now_ms(), &got, NULL, NULL), 0);
	(void) week_close(w);
}

static void a_decided_column_opens_for_nobody(void **state)
{
	(void) state;
	struct cell c = cell_at(5, 3);
	settled_outside(&c);
	struct intake_tap t = tap_still(c, 1);
	assert_int_equal(place_still(&t), INTAKE_COLUMN_CLOSED);
	t = tap_still(c, 1);
	t.tap.wallet = t.signer = (struct wallet){ { 77 } }; /* the column comes before his funds, also for who has no account */
	assert_int_equal(place_still(&t), INTAKE_COLUMN_CLOSED);
	/* nor when the week is older than any tap that may come again, and its book alone is looked at */
	struct week *w;
	intake = intake_stop(intake);
	remove_books();
	assert_int_equal(week_open(&w, dir, STORE_WRITE, clk_now_ms() - 200000), 0);
	(void) week_close(w);
	go_still();
	assert_int_equal(run_still(open_account), 0);
	settled_outside(&c);
	publish(RATE);
	t = tap_still(c, 1);
	assert_int_equal(place_still(&t), INTAKE_COLUMN_CLOSED);
}

/* His tap of a moment ago was decided and its week ended: the past week's file has it, and what he asks again is what it says. */
static void a_tap_of_the_week_that_just_ended(void **state)
{
	(void) state;
	struct week *w;
	struct week_rolled rolled;
	struct intake_tap won = tap_still(cell_at(5, 3), 5), beside = tap_still(cell_at(5, 4), 5), other = tap_still(cell_at(6, 3), 5), r;
	assert_int_equal(place_still(&other), INTAKE_CONFIRMED); /* of the same moment, in another column */
	assert_int_equal(place_still(&beside), INTAKE_CONFIRMED);
	assert_int_equal(place_still(&won), INTAKE_CONFIRMED);
	settled_outside(&won.tap.cell);
	int64_t then_ms = clk_week_start_ms(clk_iso_week(clk_now_ms())) + WEEK_MS + 1000;
	assert_int_equal(week_open(&w, dir, STORE_WRITE, clk_now_ms()), 0);
	assert_int_equal(week_roll(w, then_ms, &rolled), 0);
	(void) week_close(w);
	start_again();
	r = won;
	assert_int_equal(place_still(&r), INTAKE_REPLAYED);
	assert_int_equal(r.bet.placed_ms, won.bet.placed_ms);
	assert_int_equal(r.balance.micros, won.balance.micros);
	struct intake_tap t = tap_still(cell_at(5, 3), 5);
	t.tap.cell = won.tap.cell;
	t.tap.cell.low_cents += 2 * settings.row_cents;
	t.tap.cell.high_cents += 2 * settings.row_cents;
	assert_int_equal(place_still(&t), INTAKE_COLUMN_CLOSED);
}

/* Long after the start what this process decided is what it remembers; before that, what the book holds. */
static void later_the_process_remembers_by_itself(void **state)
{
	(void) state;
	const struct wallet key = { { 0x55, 9 } };
	struct intake_tap t = tap_still(cell_at(3, 1), 1), r;
	redis_key(&player, &key, true);
	t.signer = key;
	assert_int_equal(place_still(&t), INTAKE_CONFIRMED);
	intake->recall_until_ms = 0;
	flush_redis();
	r = t;
	assert_int_equal(place_still(&r), INTAKE_REPLAYED);
	r = t;
	r.tap.nonce[0] ^= 1;
	assert_int_equal(place_still(&r), INTAKE_NOT_SIGNER);
	struct intake_tap own = tap_still(cell_at(3, 2), 1);
	assert_int_equal(place_still(&own), INTAKE_CONFIRMED);
}

/* Two keys in one slot of what was read, another player with the same; each has its own caps. */
static const struct wallet key_one = { { 0x55, 9, 9, 9, 1 } }, key_two = { { 0x55, 9, 9, 9, 2 } };

static int sign_in_both(struct intake_job *j, struct store *db, int64_t now_ms)
{
	const struct key_caps one = { money_of(5 * USD), money_of(100 * USD) }, two = { money_of(10 * USD), money_of(20 * USD) };
	struct account a;
	struct session_key k;
	struct limits l;
	(void) j;
	int r = ledger_account(db, &player, &a);
	if (r == 0)
		r = session_keys_put(db, &a, &key_one, &one, now_ms, now_ms + DAY_MS, &k);
	if (r == 0)
		r = session_keys_put(db, &a, &key_two, &two, now_ms, now_ms + DAY_MS, &k);
	return r == 0 ? limits_change(db, &a, &(struct limit_wish){ LIMIT_OPEN, 50 * USD }, 1, "player", now_ms, &l) : r;
}

static enum intake_result by(struct wallet key, int column, int row, int64_t usd)
{
	struct intake_tap t = tap_still(cell_at(column, row), usd);
	t.signer = key;
	return place_still(&t);
}

static void keys_that_share_a_slot_keep_their_caps(void **state)
{
	(void) state;
	assert_int_equal(run_still(sign_in_both), 0);
	redis_key(&player, &key_one, true);
	redis_key(&player, &key_two, true);
	assert_int_equal(by(key_one, 3, 1, 5), INTAKE_CONFIRMED);
	assert_int_equal(by(key_two, 4, 1, 10), INTAKE_CONFIRMED);
	assert_int_equal(by(key_one, 4, 2, 5), INTAKE_LIMIT_REACHED);
	assert_int_equal(by(key_two, 3, 2, 10), INTAKE_LIMIT_REACHED);
	assert_int_equal(by(key_one, 5, 2, 5), INTAKE_CONFIRMED);
}

static int limit_day(struct intake_job *j, struct store *db, int64_t now_ms)
{
	struct account a;
	struct limits l;
	(void) j;
	int r = ledger_account(db, &player, &a);
	if (r == 0)
		r = limits_change(db, &a, &(struct limit_wish){ LIMIT_DAY_STAKE, 30 * USD }, 1, "player", now_ms, &l);
	return r == 0 ? limits_change(db, &a, &(struct limit_wish){ LIMIT_DAY_LOSS, 30 * USD }, 1, "player", now_ms, &l) : r;
}

/* What came back of a void column was neither staked nor lost; what was won and deposited changes the day's losses and nothing. */
static void a_day_s_sums_know_each_kind_of_row(void **state)
{
	(void) state;
	struct intake_tap lost = tap_still(cell_at(3, 1), 25), won = tap_still(cell_at(4, 2), 1);
	if (clk_now_ms() % DAY_MS > DAY_MS - 60000) /* the sums begin anew at midnight */
		(void) clk_sleep_until_ms(clk_mono_ms() + 61000);
	assert_int_equal(place_still(&lost), INTAKE_CONFIRMED);
	assert_int_equal(place_still(&won), INTAKE_CONFIRMED);
	struct week *w;
	struct settle_result got;
	struct path none = path_cut(NULL, 0, lost.tap.cell.t0_s, settings.column_s, settings.max_tick_gap_ms);
	assert_int_equal(week_open(&w, dir, STORE_WRITE, clk_now_ms()), 0);
	assert_int_equal(settle_column(w, &settings, &none, clk_now_ms(), &got, NULL, NULL), 0);
	assert_int_equal(got.refunded, 1);
	(void) week_close(w);
	settled_outside(&won.tap.cell);
	assert_int_equal(run_still(limit_day), 0);
	start_again();
	assert_int_equal(by(player, 5, 1, 25), INTAKE_CONFIRMED);
	assert_int_equal(by(player, 6, 1, 5), INTAKE_LIMIT_REACHED);
}

static int at_the_end_of_numbers(struct intake_job *j, struct store *db, int64_t now_ms)
{
	struct stmt *st = store_stmt(db, "UPDATE users SET open_stake = 9223372036854775807");
	(void) j, (void) now_ms;
	return stmt_step(st) == STMT_DONE ? 0 : -EIO;
}

static int limit_open(struct intake_job *j, struct store *db, int64_t now_ms)
{
	struct account a;
	struct limits l;
	(void) j;
	int r = ledger_account(db, &player, &a);
	return r == 0 ? limits_change(db, &a, &(struct limit_wish){ LIMIT_OPEN, 30 * USD }, 1, "player", now_ms, &l) : r;
}

static void a_sum_beyond_the_numbers_is_refused(void **state)
{
	(void) state;
	settings.cap_player_open = INT64_MAX;
	settings.cap_player_column = INT64_MAX;
	start_again();
	assert_int_equal(run_still(at_the_end_of_numbers), 0);
	assert_int_equal(by(player, 3, 1, 1), INTAKE_LIMIT_REACHED); /* by the server's cap */
	assert_int_equal(run_still(limit_open), 0);
	struct intake_tap t = tap_still(cell_at(3, 1), 1);
	assert_int_equal(place_still(&t), INTAKE_LIMIT_REACHED);
	assert_int_equal(t.reached, LIMIT_OPEN);
}

static void what_nobody_hears_is_bounded(void **state)
{
	(void) state;
	struct intake_stats before, after;
	struct buf none = BUF_INIT(64);
	intake_stats(intake, &before);
	for (int i = 0; i < ANNOUNCE_MAX + 10; i++)
		intake_announce(intake, &(struct account){ .wallet = player, .balance = money_of(5), .seq = 100 }, &none);
	intake_stats(intake, &after);
	assert_int_equal(after.announce_dropped - before.announce_dropped, 10);
	(void) intake_announcer_run(intake);
	intake_stats(intake, &after);
	assert_int_equal(after.announced - before.announced, ANNOUNCE_MAX);
	intake_announce(intake, &(struct account){ .wallet = player }, &none); /* said by nobody: freed with the rest */
}

/* Columns that are decided weigh no more; those that are being settled do. */
static void decided_columns_leave_the_house_s_exposure(void **state)
{
	(void) state;
	struct week *w;
	struct settle_result got;
	static const struct settle_slice one = { .bets = 1, .us = INT64_MAX };
	struct bet old[3];
	int64_t past_s = grid.t0_s[0] - 600;
	struct store *db = outside(&w, clk_now_ms());
	for (int i = 0; i < 3; i++) {
		int64_t row;
		struct account a;
		old[i] = (struct bet){ .user = 1, .cell = { past_s + 5 * (i / 2), grid.low_cents, grid.low_cents + grid.row_cents },
			.stake = money_of(USD), .rate = { RATE }, .rate_min = { RATE_LEAST }, .placed_ms = clk_now_ms() - 700000 + i,
			.signed_s = clk_now_ms() / 1000, .state = BET_CONFIRMED, .nonce = { (uint8_t) (i + 1), [6] = 0x40 } };
		if (i == 1) {
			old[i].cell.low_cents += grid.row_cents;
			old[i].cell.high_cents += grid.row_cents;
		}
		assert_int_equal(ledger_stake(db, &old[i], &a, &row), 0);
		assert_int_equal(book_put_bet(db, &old[i], row), 0);
	}
	outside_done(w);
	start_again();
	int64_t all = exposure_open(intake->exposure).micros;
	assert_true(all > 0);
	keep_house_now(); /* nothing is decided yet */
	assert_int_equal(exposure_open(intake->exposure).micros, all);
	struct path begun = path_over(&old[0].cell);
	assert_int_equal(week_open(&w, dir, STORE_WRITE, clk_now_ms()), 0);
	assert_int_equal(settle_one_slice(w, &settings, &begun, clk_now_ms(), &one, &got, NULL, NULL), SETTLE_E_MORE);
	keep_house_now();
	assert_int_equal(exposure_open(intake->exposure).micros, all);
	assert_int_equal(settle_column(w, &settings, &begun, clk_now_ms(), &got, NULL, NULL), 0);
	(void) week_close(w);
	keep_house_now();
	assert_in_range(exposure_open(intake->exposure).micros, 1, all - 1);
	settled_outside(&old[2].cell);
	keep_house_now();
	assert_int_equal(exposure_open(intake->exposure).micros, 0);
}

/* The book of a week that is over: its WAL is left to who ends it, for a while. */
static void a_week_that_is_over_is_looked_after(void **state)
{
	(void) state;
	struct week *w;
	intake = intake_stop(intake);
	remove_books();
	assert_int_equal(week_open(&w, dir, STORE_WRITE, clk_now_ms() - WEEK_MS), 0);
	(void) week_close(w);
	go_still();
	intake->housekeeping_ms = 0;
	assert_int_equal(run_still(open_account), 0);
	assert_int_equal(week_open(&w, dir, STORE_WRITE, clk_now_ms() - WEEK_MS), 0);
	assert_true(store_checkpointer(week_store(w))); /* it was left */
	store_checkpointer_leave(week_store(w));
	intake->over_ms = INT64_MIN / 2;
	intake->meta_ms = INT64_MIN / 2;
	keep_house_now(); /* nobody ended it: the WAL must stay small all the same */
	assert_false(store_checkpointer(week_store(w)));
	(void) week_close(w);
	assert_false(intake_failed(intake));
}

static void a_long_wal_is_moved_by_whose_turn_it_is(void **state)
{
	(void) state;
	struct week *w;
	struct store *db;
	struct intake_stats st;
	start_again(); /* it has not looked yet whether it is the checkpointer */
	assert_int_equal(week_open(&w, dir, STORE_WRITE, clk_now_ms()), 0);
	assert_true(store_checkpointer(week_store(w)));
	for (int i = 0; store_wal_bytes(week_store(w)) < CHECKPOINT_BYTES + CHECKPOINT_BYTES / 10; i++) {
		char ref[32];
		struct account a;
		(void) snprintf(ref, sizeof ref, "cent-%d", i);
		assert_int_equal(week_begin(w, &db), 0);
		assert_int_equal(ledger_post(db, &(struct posting){ .user = 1, .amount = { 1 }, .ref_type = LEDGER_DEPOSIT, .ref_id = ref,
				.at_ms = clk_now_ms() }, &a), 0);
		assert_int_equal(week_commit(w), 0);
	}
	intake->meta_ms = INT64_MIN / 2;
	keep_house_now();
	intake_stats(intake, &st);
	assert_int_equal(st.store.checkpoints, 0);
	(void) week_close(w);
	for (int64_t until = clk_mono_ms() + 10000; st.store.checkpoints == 0; intake_stats(intake, &st)) {
		assert_true(clk_mono_ms() < until);
		keep_house_now();
		(void) clk_sleep_until_ms(clk_mono_ms() + 50);
	}
}

static void who_stands_still_is_seen(void **state)
{
	(void) state;
	int64_t now = clk_mono_ms();
	turn();
	assert_true(intake_alive(intake, now));
	assert_false(intake_alive(intake, now + 2 * ALIVE_MS));
	atomic_store(&intake->writer_ms, now + 2 * ALIVE_MS);
	assert_false(intake_alive(intake, now + 2 * ALIVE_MS));
	assert_null(intake_stop(NULL));
	struct intake_tap late = tap_still(cell_at(3, 1), 1);
	struct still_job job = { .job = { .fn = do_nothing, .done = still_job_done } };
	assert_int_equal(intake_submit(intake, &late), INTAKE_E_BUSY); /* it stops */
	assert_int_equal(intake_submit_job(intake, &job.job), INTAKE_E_BUSY);
}

int main(void)
{
#define STILL(name) cmocka_unit_test_setup_teardown(name, with_account, give_back)
	const struct CMUnitTest tests[] = {
		STILL(a_batch_is_bounded),
		STILL(jobs_wait_up_to_their_bound),
		STILL(a_job_that_fails_takes_its_company_with_it),
		STILL(a_nearly_full_disk_takes_no_job),
		STILL(room_that_nobody_knows_is_not_tight),
		STILL(a_quote_of_another_time_prices_nothing),
		STILL(the_farthest_column_needs_the_grid_that_brings_it),
		STILL(a_quote_of_unknown_making_prices_all_the_same),
		STILL(a_decided_column_opens_for_nobody),
		STILL(a_tap_of_the_week_that_just_ended),
		STILL(later_the_process_remembers_by_itself),
		STILL(keys_that_share_a_slot_keep_their_caps),
		STILL(a_day_s_sums_know_each_kind_of_row),
		STILL(a_sum_beyond_the_numbers_is_refused),
		STILL(what_nobody_hears_is_bounded),
		STILL(decided_columns_leave_the_house_s_exposure),
		STILL(a_week_that_is_over_is_looked_after),
		STILL(a_long_wal_is_moved_by_whose_turn_it_is),
		STILL(who_stands_still_is_seen),
	};
	return cmocka_run_group_tests_name("intake turns", tests, start, stop);
}
