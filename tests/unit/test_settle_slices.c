/* A column settled slice by slice: every state between two slices is a whole book, whoever goes on with it, and the end is what one
 * transaction would have made of it. TAP_TEST_SEED repeats a run. */
#include "books.h"

#include <sys/wait.h>

#include "clk.h"
#include "err.h"
#include "fault.h"
#include "rnd.h"
#include "schema.h"
#include "settle.h"

enum { USERS = 6, ROWS = 12, TICKS = 51 };
static const struct settings rules = { .column_s = COLUMN_S, .row_cents = ROW_CENTS, .max_tick_gap_ms = 3000 };
static const struct settle_slice one = { .bets = 1, .us = INT64_MAX };
static const int64_t FIRST_ROW = 4865;

struct heard {
	size_t n;
	int64_t seq[USERS + 1];
	int64_t resolved_ms;
};

static void on_settled(void *u, const struct settled_bet *sb)
{
	struct heard *h = u;
	assert_true(sb->bet.state != BET_CONFIRMED);
	assert_true(sb->account.seq > h->seq[sb->bet.user]);
	h->seq[sb->bet.user] = sb->account.seq;
	h->resolved_ms = sb->bet.resolved_ms;
	h->n++;
}

static struct path path_at(struct tick *ticks, int64_t t0_s, int64_t row)
{
	for (int i = 0; i < TICKS; i++)
		ticks[i] = (struct tick){ t0_s * 1000 - 100 + 100 * i, row * ROW_CENTS + 5 + 37 * i };
	return path_cut(ticks, TICKS, t0_s, COLUMN_S, 3000);
}

static struct week *open_with_accounts(void)
{
	struct week *w = books_open(STORE_WRITE);
	struct store *db = books_begin(w);
	for (int i = 1; i <= USERS; i++)
		assert_int_equal(books_account(db, i, 100000), i);
	assert_int_equal(week_commit(w), 0);
	return w;
}

static void place(struct week *w, int64_t t0_s, int64_t n)
{
	struct store *db = books_begin(w);
	for (int64_t i = 0; i < n; i++) {
		struct account a;
		struct bet b = books_bet(1 + i % USERS, t0_s, FIRST_ROW + i / USERS, 1 + i % 9);
		assert_int_equal(books_place(db, &b, &a), 0);
	}
	assert_int_equal(week_commit(w), 0);
}

static int64_t now_of(int64_t t0_s)
{
	return t0_s * 1000 + 5700;
}

struct sums {
	int64_t balance, seq, won, lost, refunded, open;
	int64_t balances[USERS + 1];
};

static bool sum_bet(void *u, const struct bet *b, int64_t row)
{
	struct sums *s = u;
	(void) row;
	s->won += b->state == BET_WON;
	s->lost += b->state == BET_LOST;
	s->refunded += b->state == BET_VOID;
	s->open += b->state == BET_CONFIRMED;
	return true;
}

static struct sums sums_of(struct week *w, int64_t t0_s)
{
	struct sums s = { 0 };
	struct store *db = books_begin(w);
	for (int i = 1; i <= USERS; i++) {
		struct account a;
		assert_int_equal(ledger_account_by_id(db, i, &a), 0);
		s.balances[i] = a.balance.micros;
		s.balance += a.balance.micros;
		s.seq += a.seq;
	}
	assert_int_equal(book_column_all(db, t0_s, ROW_CENTS, sum_bet, &s), 0);
	week_rollback(w);
	return s;
}

/* Between two slices: the column is recorded and open, audits and verification agree, other columns' bets pass, its own do not. */
static void check_between(struct week *w, int64_t t0_s, int64_t open, const struct hash *digest)
{
	char text[256] = "";
	struct column c;
	struct settling at;
	struct account a;
	int64_t oldest;
	struct store *db = books_begin(w);
	assert_int_equal(book_column(db, t0_s, &c), 0);
	assert_true(c.settling);
	assert_memory_equal(&c.digest, digest, sizeof *digest);
	assert_int_equal(book_settling(db, t0_s, &at), 0);
	assert_int_equal(at.open_bets, open);
	assert_int_equal(book_oldest_open(db, t0_s, &oldest), 0);
	assert_int_equal(oldest, t0_s);
	if (settle_verify(db, &rules, t0_s, text, sizeof text) != 0)
		fail_msg("verify: %s", text);
	struct bet late = books_bet(1, t0_s, FIRST_ROW + ROWS + 5, 1), next = books_bet(1 + open % USERS, t0_s + 900, open, 1);
	assert_int_equal(books_place(db, &late, &a), 100 + BOOK_E_DECIDED);
	week_rollback(w);
	db = books_begin(w);
	assert_int_equal(books_place(db, &next, &a), 0);
	assert_int_equal(week_commit(w), 0);
	assert_int_equal(books_audit(w, true), 0);
}

static void check_done(struct week *w, int64_t t0_s, int64_t bets)
{
	char text[256] = "";
	struct column c;
	struct settling at;
	struct store *db = books_begin(w);
	assert_int_equal(book_column(db, t0_s, &c), 0);
	assert_false(c.settling);
	assert_int_equal(c.bets, bets);
	assert_int_equal(book_settling(db, t0_s, &at), BOOK_E_ABSENT);
	if (settle_verify(db, &rules, t0_s, text, sizeof text) != 0)
		fail_msg("verify: %s", text);
	week_rollback(w);
	assert_int_equal(sums_of(w, t0_s).open, 0);
	assert_int_equal(books_audit(w, true), 0);
}

/* Two equal columns: one settled at once, the other bet by bet, with another path given than the one it was begun by. */
static void slices_of_one_end_as_one_transaction(void **state)
{
	(void) state;
	for (int64_t bets = 0; bets <= USERS * ROWS; bets += 1 + bets / 2) {
		struct tick ticks[TICKS], other_ticks[TICKS];
		struct settle_result whole, got;
		struct heard h = { 0 };
		struct week *w = open_with_accounts();
		place(w, T0_S, bets);
		struct path path = path_at(ticks, T0_S, FIRST_ROW + 3);
		struct sums before = sums_of(w, T0_S);
		assert_int_equal(settle_column(w, &rules, &path, now_of(T0_S), &whole, on_settled, &h), 0);
		assert_int_equal(h.n, bets);
		struct sums at_once = sums_of(w, T0_S);
		int64_t t0_s = T0_S + COLUMN_S;
		place(w, t0_s, bets);
		path = path_at(ticks, t0_s, FIRST_ROW + 3);
		struct path other = path_at(other_ticks, t0_s, FIRST_ROW + 9);
		struct sums begun = sums_of(w, t0_s);
		int64_t extra = 0;
		h = (struct heard){ 0 };
		for (int64_t i = 1;; i++) {
			int r = settle_one_slice(w, &rules, i == 1 ? &path : &other, now_of(t0_s) + i - 1, &one, &got, on_settled, &h);
			assert_int_equal(h.n, bets < i ? bets : i);
			if (r == 0)
				break;
			assert_int_equal(r, SETTLE_E_MORE);
			assert_int_equal(got.won + got.lost + got.refunded, 1);
			assert_int_equal(h.resolved_ms, now_of(t0_s)); /* the column's moment, not the slice's */
			check_between(w, t0_s, bets - i, &got.column.digest);
			extra++;
		}
		struct hash expected = path_digest(&path, &whole.column.digest);
		assert_memory_equal(&got.column.digest, &expected, sizeof expected);
		check_done(w, t0_s, bets);
		struct sums end = sums_of(w, t0_s);
		assert_int_equal(end.won, at_once.won);
		assert_int_equal(end.lost, at_once.lost);
		assert_int_equal(end.balance - begun.balance + extra * MICROS_PER_USD, at_once.balance - before.balance);
		assert_int_equal(settle_column(w, &rules, &other, now_of(t0_s) + 99, &got, on_settled, &h), SETTLE_E_DONE);
		assert_int_equal(settle_go_on(w, &rules, t0_s, now_of(t0_s) + 99, &got, on_settled, &h), SETTLE_E_DONE);
		assert_int_equal(h.n, bets);
		week_close(w);
		(void) books_tear_down(NULL);
		assert_int_equal(books_set_up(NULL), 0);
	}
}

/* Another owner decides what is left while we tell of our first slice: we have nothing more to do, and say so by 0. */
struct helper {
	struct week *w;
	int64_t t0_s;
	int helped;
};

static void on_settled_help(void *u, const struct settled_bet *sb)
{
	struct helper *h = u;
	struct settle_result got;
	(void) sb;
	if (h->helped++ == 0)
		assert_int_equal(settle_go_on(h->w, &rules, h->t0_s, now_of(h->t0_s) + 1, &got, NULL, NULL), 0);
}

static void another_may_decide_the_last_bets(void **state)
{
	(void) state;
	enum { BETS = SETTLE_SLICE_BETS + 100 };
	struct tick ticks[TICKS];
	struct settle_result got;
	struct week *w = open_with_accounts();
	struct helper h = { .w = books_open(STORE_WRITE), .t0_s = T0_S };
	place(w, T0_S, BETS);
	struct path path = path_at(ticks, T0_S, FIRST_ROW + 3);
	assert_int_equal(settle_column(w, &rules, &path, now_of(T0_S), &got, on_settled_help, &h), 0);
	assert_true(h.helped > 0 && h.helped <= SETTLE_SLICE_BETS);
	assert_int_equal(got.won + got.lost, h.helped);
	check_done(w, T0_S, BETS);
	(void) week_close(h.w);
	(void) week_close(w);
}

static void a_slice_ends_by_its_time_too(void **state)
{
	static const struct settle_slice no_time = { .bets = 10 * SETTLE_RANGE_BETS, .us = 0 };
	(void) state;
	enum { RANGES = 4, BETS = (RANGES - 1) * SETTLE_RANGE_BETS + 1 };
	struct tick ticks[TICKS];
	struct settle_result got;
	struct week *w = open_with_accounts();
	place(w, T0_S, BETS);
	struct path path = path_at(ticks, T0_S, FIRST_ROW);
	for (int i = 1; i < RANGES; i++) {
		assert_int_equal(settle_one_slice(w, &rules, &path, now_of(T0_S), &no_time, &got, NULL, NULL), SETTLE_E_MORE);
		assert_int_equal(got.won + got.lost, SETTLE_RANGE_BETS);
	}
	assert_int_equal(settle_one_slice(w, &rules, &path, now_of(T0_S), &no_time, &got, NULL, NULL), 0);
	check_done(w, T0_S, BETS);
	assert_int_equal(settle_go_on(w, &rules, T0_S + COLUMN_S, now_of(T0_S), &got, NULL, NULL), SETTLE_E_NOT_BEGUN);
	week_close(w);
}

/* The rest of a void column, too, when the rule for gaps was changed in between. */
static void the_recorded_status_decides(void **state)
{
	(void) state;
	struct tick ticks[TICKS];
	struct settle_result got;
	struct settings patient = rules;
	struct week *w = open_with_accounts();
	place(w, T0_S, 10);
	struct path path = path_at(ticks, T0_S, FIRST_ROW);
	ticks[1] = ticks[TICKS - 1];
	path = path_cut(ticks, 2, T0_S, COLUMN_S, 3000);
	assert_true(path.is_void);
	assert_int_equal(settle_one_slice(w, &rules, &path, now_of(T0_S), &one, &got, NULL, NULL), SETTLE_E_MORE);
	patient.max_tick_gap_ms = 60000;
	assert_int_equal(settle_go_on(w, &patient, T0_S, now_of(T0_S), &got, NULL, NULL), 0);
	assert_int_equal(got.refunded, 9);
	check_done(w, T0_S, 10);
	week_close(w);
}

/* Says each slice by a byte to told, -1: nobody listens. */
static void settle_in_a_child(int64_t row, int64_t n_slice, int told)
{
	struct tick ticks[TICKS];
	struct settle_result got;
	const struct settle_slice slice = { .bets = (size_t) n_slice, .us = INT64_MAX };
	struct week *w = NULL;
	if (week_open(&w, books_dir, STORE_WRITE, NOW_MS) != 0)
		_exit(2);
	int r;
	struct path path = path_at(ticks, T0_S, row);
	do {
		r = settle_one_slice(w, &rules, &path, now_of(T0_S), &slice, &got, NULL, NULL);
		if (told >= 0 && write(told, "", 1) != 1)
			_exit(3);
	} while (r == SETTLE_E_MORE);
	week_close(w);
	_exit(r == 0 || r == SETTLE_E_DONE ? 0 : 1);
}

static void settlers_at_once_decide_each_bet_once(void **state)
{
	enum { SETTLERS = 3, BETS = USERS * ROWS };
	(void) state;
	pid_t pids[SETTLERS];
	struct week *w = open_with_accounts();
	place(w, T0_S, BETS);
	struct sums before = sums_of(w, T0_S);
	w = week_close(w);
	for (int i = 0; i < SETTLERS; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0)
			settle_in_a_child(FIRST_ROW + 2 * i, 1 + i, -1); /* none of the same opinion */
	}
	for (int i = 0; i < SETTLERS; i++) {
		int status;
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	w = books_open(STORE_WRITE);
	check_done(w, T0_S, BETS);
	assert_int_equal(sums_of(w, T0_S).seq, before.seq + BETS);
	week_close(w);
}

/* A settler that is killed at any moment; another goes on, and is killed. */
static void killed_settlers_leave_whole_books(void **state)
{
	enum { BETS = 100 * USERS };
	(void) state;
	struct tick ticks[TICKS];
	struct settle_result got;
	struct week *w = open_with_accounts();
	place(w, T0_S, BETS);
	int mid = 0;
	const char *seed = getenv("TAP_TEST_SEED");
	unsigned rnd = seed ? (unsigned) strtoul(seed, NULL, 10) : (unsigned) clk_now_ms();
	print_message("TAP_TEST_SEED=%u\n", rnd);
	for (int life = 0; life < 40; life++) {
		struct settling at;
		int told[2];
		char byte;
		assert_int_equal(pipe(told), 0);
		pid_t pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			settle_in_a_child(FIRST_ROW + life % 5, 1, told[1]);
		(void) close(told[1]);
		rnd = rnd * 1103515245u + 12345u;
		for (unsigned slices = (rnd >> 8) % 20; slices > 0 && read(told[0], &byte, 1) == 1; slices--)
			;
		(void) usleep((rnd >> 16) % 2000); /* anywhere in the next one */
		(void) kill(pid, SIGKILL);
		(void) close(told[0]);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		assert_int_equal(books_audit(w, true), 0);
		struct store *db = books_begin(w);
		mid += book_settling(db, T0_S, &at) == 0;
		week_rollback(w);
	}
	print_message("%d lives ended in the middle\n", mid);
	assert_true(mid > 0);
	struct path path = path_at(ticks, T0_S, FIRST_ROW + 7);
	int r = settle_column(w, &rules, &path, now_of(T0_S), &got, NULL, NULL);
	assert_true(r == 0 || r == SETTLE_E_DONE);
	check_done(w, T0_S, BETS);
	week_close(w);
}

#ifdef TAP_FAULTS
static void any_step_of_any_slice_may_fail(void **state)
{
	static const enum fault_kind kinds[] = { FAULT_STORE_STEP, FAULT_STORE_COMMIT, FAULT_GATE };
	static const struct settle_slice two = { .bets = 2, .us = INT64_MAX };
	enum { BETS = 7 };
	(void) state;
	struct week *w = open_with_accounts();
	int64_t t0_s = T0_S;
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		bool fired = true;
		for (int nth = 1; fired; nth++, t0_s += COLUMN_S) {
			struct tick ticks[TICKS];
			struct settle_result got;
			struct heard h = { 0 };
			struct path path = path_at(ticks, t0_s, FIRST_ROW);
			place(w, t0_s, BETS);
			int64_t seq = sums_of(w, t0_s).seq;
			int r;
			fault_arm(kinds[k], nth, false);
			do
				r = settle_one_slice(w, &rules, &path, now_of(t0_s), &two, &got, on_settled, &h);
			while (r == SETTLE_E_MORE);
			fired = fault_disarm(kinds[k]);
			assert_int_equal(r < 0, fired);
			err_clear();
			struct sums s = sums_of(w, t0_s);
			assert_int_equal(BETS - s.open, h.n); /* told is what is committed */
			assert_int_equal(s.seq, seq + (int64_t) h.n);
			assert_int_equal(books_audit(w, true), 0);
			if (r != 0)
				assert_int_equal(settle_column(w, &rules, &path, now_of(t0_s), &got, on_settled, &h), 0);
			assert_int_equal(h.n, BETS);
			check_done(w, t0_s, BETS);
		}
	}
	week_close(w);
}
#endif

static struct column column_over_weeks(struct week *w)
{
	struct column c;
	struct store *db;
	(void) books_begin(w);
	assert_int_equal(week_column(w, T0_S, &c, &db), 0);
	week_rollback(w);
	return c;
}

static void a_week_may_end_in_the_middle(void **state)
{
	(void) state;
	struct tick ticks[TICKS];
	struct settle_result got;
	struct heard h = { 0 };
	struct week_rolled rolled;
	struct column c;
	struct store *db;
	struct clk_week old;
	struct week *w = open_with_accounts();
	place(w, T0_S, 20);
	place(w, T0_S + 700, 3);
	struct path path = path_at(ticks, T0_S, FIRST_ROW + 1);
	for (int i = 0; i < 7; i++)
		assert_int_equal(settle_one_slice(w, &rules, &path, now_of(T0_S), &one, &got, on_settled, &h), SETTLE_E_MORE);
	struct hash digest = got.column.digest;
	/* a much newer column, so that only its being settled brings the first one over */
	path = path_at(ticks, T0_S + 700, FIRST_ROW);
	assert_int_equal(settle_column(w, &rules, &path, now_of(T0_S + 700), &got, NULL, NULL), 0);
	int64_t before = sums_of(w, T0_S).balance;
	old = week_current(w);
	int64_t week_ms = clk_week_start_ms(old) + INT64_C(7) * 86400000 + 1000;
	assert_int_equal(week_roll(w, week_ms, &rolled), 0);
	assert_int_equal(rolled.open_bets, 13);
	assert_int_equal(sums_of(w, T0_S).balance, before);
	check_between(w, T0_S, 13, &digest);
	assert_true(column_over_weeks(w).settling);
	assert_int_equal(settle_go_on(w, &rules, T0_S, week_ms + 5, &got, on_settled, &h), 0);
	assert_int_equal(got.won + got.lost, 13);
	assert_int_equal(h.n, 20);
	assert_int_equal(h.resolved_ms, now_of(T0_S));
	check_done(w, T0_S, 20);
	c = column_over_weeks(w);
	assert_false(c.settling); /* although the old file's copy stays in the middle */
	assert_false(c.carried);
	assert_int_equal(week_roll(w, week_ms + INT64_C(7) * 86400000, &rolled), 0);
	assert_false(column_over_weeks(w).settling);
	assert_int_equal(week_open_past(w, old, &db), 0);
	assert_int_equal(store_begin(db), 0);
	struct book_audit ba;
	assert_int_equal(book_audit(db, &ba), 0);
	assert_int_equal(ba.settling, 1);
	assert_int_equal(book_column(db, T0_S, &c), 0);
	assert_memory_equal(&c.digest, &digest, sizeof digest);
	(void) store_close(db);
	week_close(w);
}

static void spoil(struct week *w, const char *sql)
{
	struct store *db = books_begin(w);
	assert_int_equal(store_script(db, sql), 0);
	assert_int_equal(week_commit(w), 0);
}

static void audits_and_triggers_guard_the_mark(void **state)
{
	(void) state;
	struct tick ticks[TICKS];
	struct settle_result got;
	struct week *w = open_with_accounts();
	place(w, T0_S, 4);
	struct path path = path_at(ticks, T0_S, FIRST_ROW);
	assert_int_equal(settle_one_slice(w, &rules, &path, now_of(T0_S), &one, &got, NULL, NULL), SETTLE_E_MORE);
	static const char *const refused[] = { "DELETE FROM settling", "UPDATE settling SET open_bets = 3",
		"UPDATE settling SET open_bets = 2", "UPDATE settling SET open_bets = 2, after_low = 0" };
	for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
		struct store *db = books_begin(w);
		assert_int_equal(store_script(db, refused[i]), STORE_E_CONSTRAINT);
		week_rollback(w);
	}
	assert_int_equal(books_audit(w, true), 0);
	/* the column's file does not go down so far; another's does, and comes up again */
	int version = store_version(week_store(w));
	assert_true(store_migrate(week_store(w), 3) != 0);
	err_clear();
	assert_int_equal(store_version(week_store(w)), 4);
	assert_int_equal(store_migrate(week_store(w), version), 0);
	assert_int_equal(books_audit(w, true), 0);
	spoil(w, "DROP TRIGGER settling_goes_on; UPDATE settling SET open_bets = 2");
	assert_int_equal(books_audit(w, false), 1);
	spoil(w, "UPDATE settling SET open_bets = 3, after_low = 0");
	assert_int_equal(books_audit(w, false), 1);
	spoil(w, "DROP TRIGGER settling_ends; DELETE FROM settling");
	assert_int_equal(books_audit(w, false), 1);
	spoil(w, "INSERT INTO settling(t0, after_low, after_user, open_bets) VALUES (5, 0, 0, 1)");
	assert_int_equal(books_audit(w, false), 1);
	week_close(w);
}

static void the_migration_goes_down_and_up(void **state)
{
	(void) state;
	struct tick ticks[TICKS];
	struct settle_result got;
	struct week *w = open_with_accounts();
	place(w, T0_S, 4);
	struct path path = path_at(ticks, T0_S, FIRST_ROW);
	assert_int_equal(settle_column(w, &rules, &path, now_of(T0_S), &got, NULL, NULL), 0);
	int version = store_version(week_store(w));
	assert_int_equal(store_migrate(week_store(w), 3), 0);
	assert_int_equal(store_migrate(week_store(w), version), 0);
	w = week_close(w);
	w = books_open(STORE_WRITE);
	check_done(w, T0_S, 4);
	week_close(w);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, books_set_up, books_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(slices_of_one_end_as_one_transaction),
		CASE(another_may_decide_the_last_bets),
		CASE(a_slice_ends_by_its_time_too),
		CASE(the_recorded_status_decides),
		CASE(settlers_at_once_decide_each_bet_once),
		CASE(killed_settlers_leave_whole_books),
#ifdef TAP_FAULTS
		CASE(any_step_of_any_slice_may_fail),
#endif
		CASE(a_week_may_end_in_the_middle),
		CASE(audits_and_triggers_guard_the_mark),
		CASE(the_migration_goes_down_and_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
