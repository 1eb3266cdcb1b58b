/* The week's end: what the new file takes over, under load, killed at each step, over edges of the year. */
#include "books.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "clk.h"
#include "err.h"
#include "fault.h"
#include "rnd.h"
#include "shim_vfs.h"
#include "withdraw.h"

static const int64_t WEEK_MS = INT64_C(7) * 86400000;

/* Steps are counted where a process may die: each call of SQLite's that changes a file, each rename and unlink of ours. */
static int steps_until_death;

static void step(void)
{
	if (steps_until_death > 0 && --steps_until_death == 0)
		(void) raise(SIGKILL);
}

static int die_when_due(enum shim_op op, const char *path, sqlite3_int64 at, const void *bytes, int n)
{
	(void) op, (void) path, (void) at, (void) bytes, (void) n;
	step();
	return SQLITE_OK;
}

int rename(const char *from, const char *to)
{
	step();
	int r = (int) syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
	step();
	return r;
}

static struct tick *ticks_for(struct tick *ticks, int64_t t0_s, int64_t p_cents)
{
	for (int i = 0; i < 51; i++)
		ticks[i] = (struct tick){ t0_s * 1000 - 100 + 100 * i, p_cents };
	return ticks;
}

static void settle(struct week *w, int64_t t0_s, int64_t now_ms)
{
	struct tick ticks[51];
	struct store *db = books_begin(w);
	assert_int_equal(books_settle(db, ticks_for(ticks, t0_s, 4871 * ROW_CENTS + 5), 51, t0_s, now_ms, NULL), 0);
	assert_int_equal(week_commit(w), 0);
}

static void place(struct week *w, int64_t user, int64_t t0_s, int64_t row, int64_t placed_ms)
{
	struct store *db = books_begin(w);
	struct account a;
	struct bet b = books_bet(user, t0_s, row, 5);
	b.placed_ms = placed_ms;
	assert_int_equal(books_place(db, &b, &a), 0);
	assert_int_equal(week_commit(w), 0);
}

static struct account account_of(struct week *w, int64_t user)
{
	struct account a = { 0 };
	struct store *db = books_begin(w);
	assert_int_equal(ledger_account_by_id(db, user, &a), 0);
	week_rollback(w);
	return a;
}

static void audit_past(struct week *w, struct clk_week week)
{
	struct store *db;
	struct ledger_audit la;
	struct book_audit ba;
	assert_int_equal(week_open_past(w, week, &db), 0);
	assert_int_equal(store_begin(db), 0);
	int r = ledger_audit(db, &la);
	if (r == 0)
		r = book_audit(db, &ba);
	if (r != 0)
		print_message("past week: %s\n", r == 0 ? ba.finding : la.finding);
	assert_int_equal(r, 0);
	(void) store_close(db);
}

/* Three accounts: one with bets open and decided, one suspended, one without money. */
static struct week *a_lived_week(void)
{
	struct week *w = books_open(STORE_WRITE);
	struct store *db = books_begin(w);
	(void) books_account(db, 1, 100);
	(void) books_account(db, 2, 50);
	(void) books_account(db, 3, 0);
	assert_int_equal(ledger_suspend(db, 2, true), 0);
	assert_int_equal(week_commit(w), 0);
	place(w, 1, T0_S, 4871, NOW_MS);
	place(w, 1, T0_S, 4875, NOW_MS + 1);
	place(w, 1, T0_S + 5, 4871, NOW_MS + 2);
	place(w, 1, T0_S + 10, 4875, NOW_MS + 3);
	settle(w, T0_S, T0_S * 1000 + 6000);
	return w;
}

static void check_lived_week_rolled(struct week *w)
{
	struct account one = account_of(w, 1), two = account_of(w, 2), three = account_of(w, 3), a;
	assert_int_equal(one.balance.micros, 91750000);
	assert_int_equal(one.seq, 7);
	assert_int_equal(one.open_bets, 2);
	assert_int_equal(one.open_stake.micros, 10000000);
	assert_int_equal(two.balance.micros, 50000000);
	assert_true(two.suspended);
	assert_int_equal(three.balance.micros, 0);
	assert_int_equal(three.created_ms, NOW_MS);
	assert_int_equal(books_audit(w, true), 0);
	/* posted in the week before: for ever */
	struct store *db = books_begin(w);
	struct posting again = { .user = 1, .amount = { 100000000 }, .ref_type = LEDGER_DEPOSIT, .ref_id = "welcome-1" };
	assert_int_equal(ledger_post(db, &again, &a), LEDGER_E_EXISTS);
	again.amount.micros++;
	assert_int_equal(ledger_post(db, &again, &a), LEDGER_E_CONFLICT);
	/* decided in the week before: never again placeable */
	struct bet late = books_bet(1, T0_S, 4800, 1), twice = books_bet(1, T0_S + 5, 4871, 1);
	assert_int_equal(books_place(db, &late, &a), 100 + BOOK_E_DECIDED);
	assert_int_equal(books_place(db, &twice, &a), 100 + BOOK_E_EXISTS);
	week_rollback(w);
}

static void a_new_week_takes_over_what_lives(void **state)
{
	(void) state;
	struct week *w = a_lived_week(), *other = books_open(STORE_WRITE), *reader = books_open(STORE_READ);
	struct week_rolled rolled;
	struct clk_week first = week_current(w);
	int64_t later = NOW_MS + WEEK_MS;
	assert_false(week_is_over(w, NOW_MS + 1000));
	assert_int_equal(week_roll(w, NOW_MS + 1000, &rolled), WEEK_E_CURRENT);
	assert_true(week_is_over(w, later));
	assert_int_equal(week_roll(w, later, &rolled), 0);
	assert_int_equal(rolled.accounts, 3);
	assert_int_equal(rolled.openings, 2);
	assert_int_equal(rolled.open_bets, 2);
	assert_int_equal(week_current(w).week, 9);
	assert_int_equal(week_roll(other, later, &rolled), WEEK_E_CURRENT);
	check_lived_week_rolled(w);
	check_lived_week_rolled(other);
	assert_int_equal(account_of(reader, 1).balance.micros, 91750000);
	assert_int_equal(week_current(reader).week, 9);
	audit_past(w, first);
	/* the open bets are decided in the new week; the digest chain goes on */
	settle(other, T0_S + 5, later + 1);
	settle(w, T0_S + 10, later + 2);
	assert_int_equal(account_of(w, 1).balance.micros, 91750000 + 11750000);
	assert_int_equal(account_of(w, 1).open_bets, 0);
	assert_int_equal(books_audit(w, true), 0);
	struct store *db = books_begin(w);
	struct column before, after;
	assert_int_equal(book_column(db, T0_S, &before), 0);
	assert_int_equal(book_column(db, T0_S + 5, &after), 0);
	assert_memory_equal(&before.digest, &after.prev_digest, HASH_SIZE);
	week_rollback(w);
	audit_past(w, first);
	(void) week_close(reader);
	(void) week_close(other);
	(void) week_close(w);
}

struct seen {
	struct bet b[32];
	struct entry e[32];
	int64_t row[32];
	size_t n;
};

static bool on_bet(void *u, const struct bet *b, int64_t row)
{
	struct seen *s = u;
	s->b[s->n] = *b;
	s->row[s->n++] = row;
	return true;
}

static bool on_entry(void *u, const struct entry *e)
{
	struct seen *s = u;
	s->e[s->n] = *e;
	s->row[s->n++] = e->row;
	return true;
}

static void history_reads_over_the_weeks(void **state)
{
	(void) state;
	struct week *w = a_lived_week();
	struct week_rolled rolled;
	struct week_missing missing;
	struct seen s = { .n = 0 };
	bool more;
	int64_t next = NOW_MS + WEEK_MS, third = NOW_MS + 2 * WEEK_MS;
	assert_int_equal(week_roll(w, next, &rolled), 0);
	settle(w, T0_S + 5, next + 1);
	place(w, 1, next / 5000 * 5 + 20, 4871, next + 5);
	assert_int_equal(week_roll(w, third, &rolled), 0);
	settle(w, T0_S + 10, third + 1);
	place(w, 1, third / 5000 * 5 + 20, 4871, third + 5);
	(void) week_close(w);
	w = books_open(STORE_READ);

	struct bet_query q = { .user = 1, .to_ms = INT64_MAX, .limit = 20, .row_cents = ROW_CENTS };
	(void) books_begin(w);
	assert_int_equal(week_bets(w, &q, on_bet, &s, &more, &missing), 0);
	assert_int_equal(s.n, 6);
	assert_false(more);
	assert_int_equal(missing.n, 0);
	static const enum bet_state states[] = { BET_CONFIRMED, BET_CONFIRMED, BET_LOST, BET_WON, BET_LOST, BET_WON };
	for (size_t i = 0; i < 6; i++)
		assert_int_equal(s.b[i].state, states[i]);
	assert_int_equal(s.b[3].payout.micros, 11750000);
	assert_int_equal(s.b[3].resolved_ms, next + 1);
	/* pages over the weeks' edges */
	struct seen p = { .n = 0 };
	q.limit = 1;
	for (int i = 0; i < 6; i++) {
		assert_int_equal(week_bets(w, &q, on_bet, &p, &more, &missing), 0);
		assert_int_equal(p.row[i], s.row[i]);
		assert_int_equal(more, i < 5);
		q.before_row = p.row[i];
	}
	q = (struct bet_query){ .user = 1, .to_ms = INT64_MAX, .limit = 20, .row_cents = ROW_CENTS, .status = BET_WON };
	p.n = 0;
	assert_int_equal(week_bets(w, &q, on_bet, &p, &more, &missing), 0);
	assert_int_equal(p.n, 2);
	q = (struct bet_query){ .user = 1, .from_ms = next, .to_ms = next + 100, .limit = 20, .row_cents = ROW_CENTS };
	p.n = 0;
	assert_int_equal(week_bets(w, &q, on_bet, &p, &more, &missing), 0);
	assert_int_equal(p.n, 1);

	struct ulid id;
	struct bet b;
	assert_true(bet_id(&id, &(struct bet_key){ NOW_MS + 2, T0_S + 5, 4871 * ROW_CENTS, 1 }));
	assert_int_equal(week_bet_by_id(w, &id, ROW_CENTS, &b), 0);
	assert_int_equal(b.state, BET_WON);
	assert_true(bet_id(&id, &(struct bet_key){ NOW_MS, T0_S, 4871 * ROW_CENTS, 1 }));
	assert_int_equal(week_bet_by_id(w, &id, ROW_CENTS, &b), 0);
	assert_int_equal(b.state, BET_WON);
	assert_true(bet_id(&id, &(struct bet_key){ NOW_MS + 9, T0_S, 4871 * ROW_CENTS, 1 }));
	assert_int_equal(week_bet_by_id(w, &id, ROW_CENTS, &b), BOOK_E_ABSENT);

	struct ledger_query lq = { .user = 1, .to_ms = INT64_MAX, .limit = 30 };
	p.n = 0;
	assert_int_equal(week_ledger(w, &lq, on_entry, &p, &more, &missing), 0);
	/* deposit, 4 bets, payout | opening, payout, bet | opening, bet */
	assert_int_equal(p.n, 11);
	char name[ULID_TEXT_SIZE];
	assert_true(bet_id(&id, &(struct bet_key){ NOW_MS + 2, T0_S + 5, 4871 * ROW_CENTS, 1 }));
	ulid_format(name, &id);
	lq.ref_id = name;
	p.n = 0;
	assert_int_equal(week_ledger(w, &lq, on_entry, &p, &more, &missing), 0);
	assert_int_equal(p.n, 2);
	assert_int_equal(p.e[0].ref_type, LEDGER_PAYOUT);
	assert_int_equal(p.e[1].ref_type, LEDGER_BET);

	struct column c;
	struct store *db;
	struct tick ticks[64];
	size_t n;
	assert_int_equal(week_column(w, T0_S, &c, &db), 0);
	assert_int_equal(book_evidence(db, T0_S, ticks, ARRAY_LEN(ticks), &n), 0);
	assert_int_equal(n, 51);
	assert_int_equal(week_column(w, T0_S - 5, &c, &db), BOOK_E_ABSENT);
	week_rollback(w);

	/* a week that went to cold storage is named */
	char path[160];
	(void) snprintf(path, sizeof path, "%s/bets_2026_w08.db", books_dir);
	assert_int_equal(unlink(path), 0);
	(void) week_close(w);
	w = books_open(STORE_READ);
	(void) books_begin(w);
	q = (struct bet_query){ .user = 1, .to_ms = INT64_MAX, .limit = 20, .row_cents = ROW_CENTS };
	p.n = 0;
	assert_int_equal(week_bets(w, &q, on_bet, &p, &more, &missing), 0);
	assert_int_equal(p.n, 2);
	assert_int_equal(missing.n, 1);
	assert_int_equal(missing.weeks[0].week, 8);
	week_rollback(w);
	(void) week_close(w);
}

static struct withdraw request_of(int nth)
{
	struct withdraw w = { .amount = money_of(1000000 * nth), .timestamp_s = NOW_MS / 1000 };
	w.nonce[0] = (uint8_t) nth;
	w.to = books_wallet(900 + nth);
	wallet_format(w.to_text, &w.to);
	return w;
}

static void withdrawals_outlive_their_week(void **state)
{
	(void) state;
	struct week *w = a_lived_week();
	struct store *db = books_begin(w);
	struct withdrawal made[3], got;
	struct account a;
	struct week_rolled rolled;
	bool changed;
	for (int i = 0; i < 3; i++) {
		struct withdraw request = request_of(i + 1);
		assert_int_equal(withdraw_request(db, 1, &request, NOW_MS + i, &made[i], &a), 0);
	}
	assert_int_equal(withdraw_decide(db, &made[0].id, true, NOW_MS + 9, &got, &a, &changed), 0);
	assert_int_equal(week_commit(w), 0);
	assert_int_equal(week_roll(w, NOW_MS + WEEK_MS, &rolled), 0);
	db = books_begin(w);
	struct withdraw again = request_of(2);
	assert_int_equal(withdraw_request(db, 1, &again, NOW_MS, &got, &a), WITHDRAW_E_REPLAYED);
	assert_int_equal(withdraw_decide(db, &made[0].id, false, NOW_MS + WEEK_MS, &got, &a, &changed), WITHDRAW_E_DECIDED);
	int64_t before = a.balance.micros;
	assert_int_equal(withdraw_decide(db, &made[1].id, false, NOW_MS + WEEK_MS, &got, &a, &changed), 0);
	assert_true(changed);
	assert_int_equal(a.balance.micros, before + 2000000);
	struct withdraw fourth = request_of(4);
	assert_int_equal(withdraw_request(db, 1, &fourth, NOW_MS + WEEK_MS, &got, &a), 0);
	assert_int_equal(got.row, 4);
	assert_int_equal(week_commit(w), 0);
	assert_int_equal(week_roll(w, NOW_MS + 2 * WEEK_MS, &rolled), 0);
	db = books_begin(w);
	assert_int_equal(withdraw_decide(db, &made[1].id, false, NOW_MS, &got, &a, &changed), 0);
	assert_false(changed);
	assert_int_equal(withdraw_decide(db, &made[2].id, true, NOW_MS, &got, &a, &changed), 0);
	assert_int_equal(week_commit(w), 0);
	assert_int_equal(books_audit(w, true), 0);
	(void) week_close(w);
}

static void years_edges_and_long_absence(void **state)
{
	(void) state;
	static const struct { int64_t now_ms; int year, week; } turns[] = {
		{ INT64_C(1798588800000), 2026, 53 }, /* Wednesday 2026-12-30 */
		{ INT64_C(1798848000000), 2026, 53 }, /* Saturday 2027-01-02: still */
		{ INT64_C(1798934400000), 2026, 53 }, /* Sunday */
		{ INT64_C(1799020800000), 2027, 1 },  /* Monday 2027-01-04 */
		{ INT64_C(1799020800000) + 7 * INT64_C(86400000), 2027, 2 },
		{ INT64_C(1799020800000) + 28 * INT64_C(86400000), 2027, 5 }, /* off for three weeks */
		{ INT64_C(1799020800000) + 14 * INT64_C(86400000), 2027, 5 }, /* the clock set back */
	};
	struct week *w = a_lived_week();
	for (size_t i = 0; i < ARRAY_LEN(turns); i++) {
		struct week_rolled rolled;
		struct clk_week was = week_current(w);
		int r = week_roll(w, turns[i].now_ms, &rolled);
		assert_int_equal(week_current(w).year, turns[i].year);
		assert_int_equal(week_current(w).week, turns[i].week);
		assert_int_equal(r, was.year == turns[i].year && was.week == turns[i].week ? WEEK_E_CURRENT : 0);
		check_lived_week_rolled(w);
	}
	(void) week_close(w);
}

/* A killed roll: at every step. Then the book is the old one or the new, whole; and rolling again is harmless. */
static int roll_and_die(int steps)
{
	struct week *w;
	struct week_rolled rolled;
	shim_install();
	shim_hooks.before = die_when_due;
	if (week_open(&w, books_dir, STORE_WRITE, NOW_MS) != 0)
		return 1;
	steps_until_death = steps;
	int r = week_roll(w, NOW_MS + WEEK_MS, &rolled);
	steps_until_death = 0;
	return r == 0 ? 0 : 2;
}

static void a_roll_killed_at_any_step(void **state)
{
	int rolled_already = 0, tries = 0;
	for (int steps = 1;; steps++, tries++) {
		struct week *w = a_lived_week();
		int status;
		(void) week_close(w);
		pid_t child = fork();
		assert_true(child >= 0);
		if (child == 0)
			_exit(roll_and_die(steps));
		assert_int_equal(waitpid(child, &status, 0), child);
		w = books_open(STORE_WRITE);
		rolled_already += week_current(w).week == 9;
		assert_int_equal(books_audit(w, true), 0);
		struct week_rolled rolled;
		int r = week_roll(w, NOW_MS + WEEK_MS, &rolled);
		assert_true(r == 0 || r == WEEK_E_CURRENT);
		check_lived_week_rolled(w);
		audit_past(w, (struct clk_week){ 2026, 8 });
		settle(w, T0_S + 5, NOW_MS + WEEK_MS + 1);
		assert_int_equal(books_audit(w, true), 0);
		(void) week_close(w);
		books_tear_down(state);
		assert_int_equal(books_set_up(state), 0);
		if (WIFEXITED(status)) {
			assert_int_equal(WEXITSTATUS(status), 0);
			break;
		}
	}
	print_message("%d steps to die at, %d after the new week was current\n", tries, rolled_already);
	assert_true(tries > 30 && rolled_already > 1);
}

static int failing_result, calls_until_failure;
static bool failed_once;

static int fail_when_due(enum shim_op op, const char *path, sqlite3_int64 at, const void *bytes, int n)
{
	(void) path, (void) at, (void) bytes, (void) n;
	if (calls_until_failure == 0 || (failing_result == SQLITE_FULL && op != SHIM_WRITE) || --calls_until_failure > 0)
		return SQLITE_OK;
	failed_once = true;
	return failing_result;
}

/* The k-th call of the disk fails: the old week goes on, or the new one is there; both whole. */
static void a_roll_that_fails_costs_nothing(void **state)
{
	static const int results[] = { SQLITE_IOERR_WRITE, SQLITE_FULL };
	shim_install();
	shim_hooks.before = fail_when_due;
	for (size_t i = 0; i < ARRAY_LEN(results); i++) {
		failed_once = true;
		for (int calls = 1; failed_once; calls += 3) {
			struct week_rolled rolled;
			struct week *w = a_lived_week();
			failing_result = results[i];
			failed_once = false;
			calls_until_failure = calls;
			int r = week_roll(w, NOW_MS + WEEK_MS, &rolled);
			calls_until_failure = 0;
			if (!failed_once)
				assert_int_equal(r, 0);
			else if (results[i] == SQLITE_FULL)
				assert_true(r == WEEK_E_FULL || r == 0); /* 0: the old file's last checkpoint, which can wait */
			if (r < 0) { /* as the daemon does */
				(void) week_close(w);
				w = books_open(STORE_WRITE);
			}
			err_clear();
			assert_int_equal(books_audit(w, true), 0);
			r = week_roll(w, NOW_MS + WEEK_MS, &rolled);
			assert_true(r == 0 || r == WEEK_E_CURRENT);
			check_lived_week_rolled(w);
			audit_past(w, (struct clk_week){ 2026, 8 });
			(void) week_close(w);
			books_tear_down(state);
			assert_int_equal(books_set_up(state), 0);
		}
	}
	shim_hooks.before = NULL;
	shim_remove();
}

#ifdef TAP_FAULTS
/* Every question of a reader's, over two weeks; the first that fails ends it. */
static int ask_everything(struct week *w)
{
	struct seen s = { .n = 0 };
	struct week_missing missing;
	struct ledger_audit la;
	struct book_audit ba;
	struct column c;
	struct store *db;
	struct bet b;
	struct ulid id;
	struct account a;
	struct tick ticks[64];
	char finding[128];
	bool more;
	size_t n;
	int64_t t0;
	struct wallet wallet = books_wallet(1);
	struct bet_query q = { .user = 1, .to_ms = INT64_MAX, .limit = 2, .row_cents = ROW_CENTS };
	struct ledger_query lq = { .user = 1, .to_ms = INT64_MAX, .limit = 10 }, by_ref = lq;
	assert_true(bet_id(&id, &(struct bet_key){ NOW_MS + 2, T0_S + 5, 4871 * ROW_CENTS, 1 }));
	char name[ULID_TEXT_SIZE];
	ulid_format(name, &id);
	by_ref.ref_id = name;
	int r = week_begin(w, &db);
	if (r == 0)
		r = week_bets(w, &q, on_bet, &s, &more, &missing);
	s.n = 0;
	if (r == 0)
		r = week_ledger(w, &lq, on_entry, &s, &more, &missing);
	s.n = 0;
	if (r == 0)
		r = week_ledger(w, &by_ref, on_entry, &s, &more, &missing);
	if (r == 0)
		r = week_bet_by_id(w, &id, ROW_CENTS, &b);
	if (r == 0)
		r = week_column(w, T0_S, &c, &db);
	if (r == 0)
		r = book_evidence(db, T0_S, ticks, ARRAY_LEN(ticks), &n);
	if (r == 0)
		r = ledger_account(week_store(w), &wallet, &a);
	if (r == 0)
		r = book_oldest_open(week_store(w), INT64_MAX, &t0);
	if (r == 0)
		r = ledger_audit(week_store(w), &la);
	if (r == 0)
		r = book_audit(week_store(w), &ba);
	week_rollback(w);
	return r == 0 ? week_audit_read(w, NULL, NULL, finding, sizeof finding) : r;
}

static int write_everything(struct week *w, int round)
{
	struct week_rolled rolled;
	int r = week_audit_log(w, "root", "try", "because", NOW_MS);
	return r == 0 ? week_roll(w, NOW_MS + (round + 1) * WEEK_MS, &rolled) : r;
}

static void any_statement_may_fail(void **state)
{
	(void) state;
	struct week *w = a_lived_week();
	struct week_rolled rolled;
	assert_int_equal(week_roll(w, NOW_MS + WEEK_MS, &rolled), 0);
	bool fired = true;
	for (int n = 1; fired; n++) {
		fault_arm(FAULT_STORE_STEP, n, n & 1);
		int r = ask_everything(w);
		fired = fault_disarm(FAULT_STORE_STEP);
		if ((r != 0) != fired)
			fail_msg("fault %d: %d %s", n, r, err_text());
		assert_true(r <= 0);
		err_clear();
	}
	static const enum fault_kind kinds[] = { FAULT_STORE_STEP, FAULT_STORE_COMMIT, FAULT_GATE };
	int round = 1;
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		fired = true;
		for (int n = 1; fired; n++) {
			fault_arm(kinds[k], n, n & 1);
			int r = write_everything(w, round);
			fired = fault_disarm(kinds[k]);
			if (!fired)
				assert_int_equal(r, 0);
			(void) week_close(w);
			w = books_open(STORE_WRITE);
			round = (int) ((clk_week_start_ms(week_current(w)) - clk_week_start_ms(clk_iso_week(NOW_MS))) / WEEK_MS);
			check_lived_week_rolled(w);
			err_clear();
		}
	}
	assert_true(round >= 4);
	assert_int_equal(books_audit(w, true), 0);
	(void) week_close(w);
}
#endif

/* Bets and deposits go on at full load in two processes while the week turns four times. */
static int live(int out, int nth)
{
	struct week *w = NULL;
	if (week_open(&w, books_dir, STORE_WRITE, NOW_MS) != 0)
		return 1;
	for (int64_t i = 0;; i++) {
		struct store *db;
		struct account a;
		int64_t acked[2] = { nth, i };
		struct bet b = books_bet(1 + (i + nth) % 8, T0_S + 5 * (i / 500), 1000 * nth + i % 500, 1);
		b.placed_ms = b.cell.t0_s * 1000 - 30000;
		if (week_begin(w, &db) != 0)
			return 2;
		if (books_place(db, &b, &a) != 0)
			return 3;
		if (week_commit(w) != 0)
			return 4;
		if (write(out, acked, sizeof acked) != sizeof acked)
			return 5;
	}
}

static void a_week_turns_under_full_load(void **state)
{
	(void) state;
	int out[2];
	pid_t child[2];
	struct week *w = books_open(STORE_WRITE);
	struct store *db = books_begin(w);
	for (int i = 1; i <= 300; i++)
		(void) books_account(db, i, 100000);
	assert_int_equal(week_commit(w), 0);
	assert_int_equal(pipe(out), 0);
	(void) fcntl(out[1], F_SETPIPE_SZ, 1 << 20);
	for (int c = 0; c < 2; c++) {
		child[c] = fork();
		assert_true(child[c] >= 0);
		if (child[c] == 0)
			_exit(live(out[1], c));
	}
	int64_t pause = 0;
	for (int turn = 1; turn <= 4; turn++) {
		struct week_rolled rolled;
		usleep(60000);
		assert_int_equal(week_roll(w, NOW_MS + turn * WEEK_MS, &rolled), 0);
		assert_int_equal(books_audit(w, true), 0);
		pause = rolled.pause_us > pause ? rolled.pause_us : pause;
	}
	for (int c = 0; c < 2; c++) {
		int status;
		assert_int_equal(waitpid(child[c], &status, WNOHANG), 0); /* none of them failed */
		assert_int_equal(kill(child[c], SIGKILL), 0);
		assert_int_equal(waitpid(child[c], &status, 0), child[c]);
	}
	(void) close(out[1]);
	int64_t acked[2], n = 0, open = 0;
	db = books_begin(w);
	while (read(out[0], acked, sizeof acked) == sizeof acked) {
		struct cell cell = { T0_S + 5 * (acked[1] / 500), (1000 * acked[0] + acked[1] % 500) * ROW_CENTS, 0 };
		struct bet b;
		assert_int_equal(book_bet(db, 1 + (acked[1] + acked[0]) % 8, &cell, &b), 0); /* all are still open */
		n++;
	}
	week_rollback(w);
	for (int64_t user = 1; user <= 8; user++)
		open += account_of(w, user).open_bets;
	assert_true(open >= n && open <= n + 2);
	assert_true(n > 100);
	print_message("%" PRId64 " bets over 4 turns, longest pause %" PRId64 " us\n", n, pause);
	for (int week = 8; week < 12; week++)
		audit_past(w, (struct clk_week){ 2026, week });
	assert_int_equal(books_audit(w, true), 0);
	(void) week_close(w);
	(void) close(out[0]);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, books_set_up, books_tear_down)
	const struct CMUnitTest tests[] = {
		CASE(a_new_week_takes_over_what_lives),
		CASE(history_reads_over_the_weeks),
		CASE(withdrawals_outlive_their_week),
		CASE(years_edges_and_long_absence),
		CASE(a_roll_killed_at_any_step),
		CASE(a_roll_that_fails_costs_nothing),
#ifdef TAP_FAULTS
		CASE(any_statement_may_fail),
#endif
		CASE(a_week_turns_under_full_load),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
