/* The resolver over a real Redis and a real book, with scripted ticks and clocks: the times lie in the past, so that Redis' clock
 * has passed them all. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "../support/folder.h"
#include "book.h"
#include "clk.h"
#include "heard.h"
#include "ledger.h"
#include "log.h"
#include "msg.h"
#include "../support/audits.h"
#include "../support/redis_server.h"
#include "resolver.h"
#include "settle.h"
#include "steady.h"

enum { W = 5, H = 2000, GRACE_MS = 700, WAIT_MS = 60000 };
#define STAKE INT64_C(5000000)
#define P INT64_C(9700500) /* inside the row that begins at 9700000 */

struct world {
	struct redis_server redis;
	char dir[64];
	struct settings s;
	struct bus_conf conf;
	struct bus *bus;
	struct week *book;
	struct resolver *resolver;
	int64_t t0_s; /* the column that runs when the resolver starts */
	int64_t user;
	struct wallet wallet;
};

static struct store *begin(struct world *w)
{
	struct store *db;
	assert_int_equal(week_begin(w->book, &db), 0);
	return db;
}

static struct resolver_clock at(const struct world *w, int64_t wall_ms)
{
	return (struct resolver_clock){ .wall_ms = wall_ms, .mono_ms = wall_ms - w->t0_s * 1000 + 1000000 };
}

static void start_resolver(struct world *w, int64_t wall_ms)
{
	struct heard_stats heard = { 0 };
	assert_int_equal(resolver_open(&w->resolver, &w->s, &w->conf, at(w, wall_ms)), 0);
	for (int i = 0; i < 400 && !heard.up && w->redis.pid; i++) {
		heard_stats(resolver_heard(w->resolver), &heard);
		redis_server_sleep_ms(5);
	}
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	struct account a;
	*state = w;
	assert_true(redis_server_start(&w->redis));
	(void) snprintf(w->dir, sizeof w->dir, "/tmp/tap-resolver-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	w->s = (struct settings){ .column_s = W, .row_cents = H, .max_tick_gap_ms = 3000, .tick_ms = 100,
		.resolve_grace_ms = GRACE_MS, .resolve_wait_ms = WAIT_MS };
	(void) snprintf(w->s.data_dir.v, sizeof w->s.data_dir.v, "%s", w->dir);
	w->conf = (struct bus_conf){ .address = w->redis.address, .user = "", .password = "", .timeout_ms = 1000 };
	assert_int_equal(bus_open(&w->bus, &w->conf), 0);
	w->t0_s = (clk_now_ms() / 1000 - 7200) / W * W;
	w->wallet = (struct wallet){ .b = { 7 } };
	assert_int_equal(week_open(&w->book, w->dir, STORE_WRITE, w->t0_s * 1000), 0);
	struct store *db = begin(w);
	assert_int_equal(ledger_account_open(db, &w->wallet, w->t0_s * 1000, &a), 0);
	w->user = a.user;
	const struct posting p = { .user = a.user, .amount = { 1000 * STAKE }, .ref_type = LEDGER_DEPOSIT, .ref_id = "play",
		.at_ms = w->t0_s * 1000 };
	assert_int_equal(ledger_post(db, &p, &a), 0);
	assert_int_equal(week_commit(w->book), 0);
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	resolver_close(w->resolver);
	week_close(w->book);
	bus_close(w->bus);
	redis_server_stop(&w->redis);
	int r = folder_remove(w->dir);
	free(w);
	return r;
}

static void place(struct world *w, int64_t t0_s, int64_t low)
{
	struct bet b = { .user = w->user, .cell = { t0_s, low, low + H }, .stake = money_of(STAKE), .rate = { 30000 },
		.rate_min = { RATE_LEAST }, .placed_ms = t0_s * 1000 - 12000, .signed_s = t0_s - 12, .state = BET_CONFIRMED };
	struct account a;
	int64_t row;
	struct store *db = begin(w);
	assert_int_equal(ledger_stake(db, &b, &a, &row), 0);
	assert_int_equal(book_put_bet(db, &b, row), 0);
	assert_int_equal(week_commit(w->book), 0);
}

/* Into the history alone, past its lateness rule. */
static void record(struct world *w, int64_t from_ms, int64_t to_ms, int64_t step_ms, int64_t p)
{
	for (int64_t t = from_ms; t < to_ms; t += step_ms) {
		const struct bus_reply *reply;
		assert_int_equal(bus_command(w->bus, &reply, "XADD %s %lld-0 p %lld", KEY_HISTORY, (long long) t, (long long) p), 0);
		assert_int_equal(bus_kind(reply), BUS_TEXT);
	}
}

/* On the channel alone, and waits until the resolver has heard it. */
static void publish(struct world *w, int64_t from_ms, int64_t to_ms, int64_t step_ms, int64_t p)
{
	struct heard_stats heard;
	int64_t last = 0;
	for (int64_t t = from_ms; t < to_ms; t += step_ms) {
		struct buf event = BUF_INIT(MSG_EVENT_MAX);
		msg_price(&event, &(struct tick){ t, p });
		assert_int_equal(msg_publish(w->bus, CHANNEL_PRICE, &event), 0);
		assert_int_equal(bus_flush(w->bus), 0);
		buf_free(&event);
		last = t;
	}
	for (int i = 0; i < 400; i++) {
		heard_stats(resolver_heard(w->resolver), &heard);
		if (heard.newest_ms == last)
			return;
		redis_server_sleep_ms(5);
	}
	fail_msg("the resolver did not hear the ticks");
}

static int step(struct world *w, int64_t wall_ms)
{
	int64_t wait_ms;
	return resolver_step(w->resolver, at(w, wall_ms), &wait_ms);
}

/* All that is due at the moment; how many columns were decided. */
static int run(struct world *w, int64_t wall_ms)
{
	int n = 0;
	while (step(w, wall_ms) == RESOLVER_DECIDED)
		n++;
	return n;
}

static enum bet_state state_of(struct world *w, int64_t t0_s, int64_t low)
{
	struct bet b;
	struct cell cell = { t0_s, low, low + H };
	struct store *db = begin(w);
	assert_int_equal(book_bet(db, w->user, &cell, &b), 0);
	week_rollback(w->book);
	return b.state;
}

static int column(struct world *w, int64_t t0_s, struct column *ret)
{
	struct store *db = begin(w);
	int r = book_column(db, t0_s, ret);
	week_rollback(w->book);
	return r;
}

static struct account account(struct world *w)
{
	struct account a;
	struct store *db = begin(w);
	assert_int_equal(ledger_account_by_id(db, w->user, &a), 0);
	week_rollback(w->book);
	return a;
}

/* Redis' cache holds the account's balance: the announcer came through. */
static void await_announced(struct world *w)
{
	char key[KEY_MAX];
	struct account a = account(w);
	for (int i = 0; i < 600; i++) {
		const struct bus_reply *reply;
		if (bus_command(w->bus, &reply, "GET %s", key_balance(key, &w->wallet)) == 0 &&
				bus_int(reply) == a.balance.micros)
			return;
		redis_server_sleep_ms(5);
	}
	fail_msg("the balance was not announced");
}

static int64_t end_ms(int64_t t0_s)
{
	return (t0_s + W) * 1000;
}

static void a_column_is_decided_after_its_end_and_the_grace(void **state)
{
	struct world *w = *state;
	struct column c, next;
	place(w, w->t0_s, 9700000);
	place(w, w->t0_s, 9720000);
	start_resolver(w, w->t0_s * 1000 + 1000);
	record(w, w->t0_s * 1000 - 500, end_ms(w->t0_s) + 1000, 100, P);
	assert_int_equal(step(w, end_ms(w->t0_s) + GRACE_MS - 1), RESOLVER_IDLE);
	assert_int_equal(column(w, w->t0_s, &c), BOOK_E_ABSENT);
	assert_int_equal(step(w, end_ms(w->t0_s) + GRACE_MS), RESOLVER_DECIDED);
	assert_int_equal(step(w, end_ms(w->t0_s) + GRACE_MS), RESOLVER_IDLE);
	assert_int_equal(column(w, w->t0_s, &c), 0);
	assert_int_equal(c.status, COLUMN_SETTLED);
	assert_int_equal(c.n_ticks, 51);
	assert_int_equal(c.anchor.t_ms, w->t0_s * 1000 - 100);
	assert_int_equal(state_of(w, w->t0_s, 9700000), BET_WON);
	assert_int_equal(state_of(w, w->t0_s, 9720000), BET_LOST);
	await_announced(w);
	/* without bets too, and chained */
	record(w, end_ms(w->t0_s) + 1000, end_ms(w->t0_s + W), 100, P);
	assert_int_equal(run(w, end_ms(w->t0_s + W) + GRACE_MS), 1);
	assert_int_equal(column(w, w->t0_s + W, &next), 0);
	assert_memory_equal(&next.prev_digest, &c.digest, sizeof c.digest);
	audits_pass(w->book);
}

/* With the next column's first tick all of this one's are there: it need not wait for the grace, but for its end by our own clock. */
static void a_later_tick_makes_a_column_final(void **state)
{
	struct world *w = *state;
	struct column c;
	int64_t t0 = w->t0_s;
	place(w, t0, 9700000);
	start_resolver(w, t0 * 1000 + 1000);
	record(w, t0 * 1000 - 100, end_ms(t0) + 50, 100, P);
	publish(w, end_ms(t0) - 100, end_ms(t0), 100, P);
	assert_int_equal(step(w, end_ms(t0) + 20), RESOLVER_IDLE); /* it may have a tick yet */
	publish(w, end_ms(t0), end_ms(t0) + 1, 100, P);
	assert_int_equal(step(w, end_ms(t0) - 1), RESOLVER_IDLE);
	assert_int_equal(column(w, t0, &c), BOOK_E_ABSENT);
	assert_int_equal(step(w, end_ms(t0)), RESOLVER_DECIDED);
	assert_int_equal(column(w, t0, &c), 0);
	assert_int_equal(c.status, COLUMN_SETTLED);
	assert_int_equal(c.n_ticks, 51);
	assert_int_equal(state_of(w, t0, 9700000), BET_WON);
	assert_int_equal(step(w, end_ms(t0) + 1), RESOLVER_IDLE);
	audits_pass(w->book);
}

/* The wait between two steps ends with the tick that ends the column. */
static void a_tick_wakes_who_waits_for_it(void **state)
{
	struct world *w = *state;
	start_resolver(w, w->t0_s * 1000);
	struct heard *h = resolver_heard(w->resolver);
	heard_wait(h, 1000, clk_mono_ms() + 10); /* nothing comes */
	heard_take(h, &(struct tick){ 1000, P });
	heard_wait(h, 1000, INT64_MAX / 2);
}

static void gaps_and_a_missing_anchor_void(void **state)
{
	struct world *w = *state;
	struct column c;
	start_resolver(w, w->t0_s * 1000);
	int64_t t0 = w->t0_s;
	place(w, t0, 9700000);          /* no anchor */
	place(w, t0 + W, 9700000);      /* a gap of exactly the limit is none */
	place(w, t0 + 2 * W, 9700000);  /* one millisecond more is one */
	place(w, t0 + 3 * W, 9700000);  /* nothing at all */
	record(w, t0 * 1000, end_ms(t0), 100, P);
	record(w, (t0 + W) * 1000 + 2900, end_ms(t0 + W), 100, P); /* after t0 + 4900 */
	record(w, (t0 + 2 * W) * 1000, (t0 + 2 * W) * 1000 + 1999, 1998, P);
	assert_int_equal(run(w, end_ms(t0 + 3 * W) + GRACE_MS), 4);
	assert_int_equal(state_of(w, t0, 9700000), BET_VOID);
	assert_int_equal(state_of(w, t0 + W, 9700000), BET_WON);
	assert_int_equal(state_of(w, t0 + 2 * W, 9700000), BET_VOID);
	assert_int_equal(state_of(w, t0 + 3 * W, 9700000), BET_VOID);
	assert_int_equal(column(w, t0, &c), 0);
	assert_false(c.has_anchor);
	assert_int_equal(account(w).balance.micros, 1000 * STAKE - 4 * STAKE + 3 * STAKE + 3 * STAKE);
	audits_pass(w->book);
}

static void a_flush_in_mid_column_loses_nothing_that_was_published(void **state)
{
	struct world *w = *state;
	const struct bus_reply *reply;
	struct column c;
	int64_t t0 = w->t0_s, mid = t0 * 1000 + 2500;
	place(w, t0, 9700000);
	start_resolver(w, t0 * 1000 - 500);
	record(w, t0 * 1000 - 500, mid, 100, P);
	publish(w, t0 * 1000 - 500, mid, 100, P);
	assert_int_equal(bus_command(w->bus, &reply, "FLUSHALL"), 0);
	record(w, mid, end_ms(t0), 100, P + 5 * H); /* the touch was in the half that Redis forgot */
	assert_int_equal(run(w, end_ms(t0) + GRACE_MS), 2); /* the column before was running at the start */
	assert_int_equal(column(w, t0, &c), 0);
	assert_int_equal(c.n_ticks, 51);
	assert_int_equal(c.status, COLUMN_SETTLED);
	assert_int_equal(state_of(w, t0, 9700000), BET_WON);
	audits_pass(w->book);
}

/* Its predecessor died in the middle of a column, and Redis lost everything since: the column ends as it was begun. */
static void a_column_that_was_begun_ends_by_its_evidence(void **state)
{
	static const struct settle_slice one = { .bets = 1, .us = INT64_MAX };
	struct world *w = *state;
	struct tick ticks[51];
	struct settle_result got;
	struct column c;
	int64_t t0 = w->t0_s, resumed_ms = end_ms(t0) + 20000;
	for (int i = 0; i < 3; i++)
		place(w, t0, 9700000 + i * H);
	for (int i = 0; i < 51; i++)
		ticks[i] = (struct tick){ t0 * 1000 - 100 + 100 * i, P };
	struct path path = path_cut(ticks, 51, t0, W, 3000);
	assert_int_equal(settle_one_slice(w->book, &w->s, &path, end_ms(t0) + GRACE_MS, &one, &got, NULL, NULL), SETTLE_E_MORE);
	redis_server_kill(&w->redis);
	start_resolver(w, resumed_ms);
	assert_int_equal(step(w, resumed_ms), RESOLVER_DECIDED);
	assert_int_equal(column(w, t0, &c), 0);
	assert_false(c.settling);
	assert_int_equal(c.status, COLUMN_SETTLED);
	assert_memory_equal(&c.digest, &got.column.digest, sizeof c.digest);
	assert_int_equal(state_of(w, t0, 9700000), BET_WON);
	assert_int_equal(state_of(w, t0, 9700000 + H), BET_LOST);
	assert_int_equal(state_of(w, t0, 9700000 + 2 * H), BET_LOST);
	assert_int_equal(step(w, resumed_ms), RESOLVER_WAITING); /* the next one has nothing but Redis to ask */
	audits_pass(w->book);
}

static void without_redis_columns_wait_and_then_the_heard_ticks_decide(void **state)
{
	struct world *w = *state;
	struct resolver_stats st;
	struct column c;
	int64_t t0 = w->t0_s;
	place(w, t0, 9700000);
	place(w, t0 + W, 9700000);
	start_resolver(w, t0 * 1000);
	publish(w, t0 * 1000 - 100, end_ms(t0), 100, P);
	redis_server_kill(&w->redis);
	assert_int_equal(step(w, end_ms(t0) + GRACE_MS), RESOLVER_WAITING);
	assert_int_equal(step(w, end_ms(t0) + WAIT_MS - 1), RESOLVER_WAITING);
	assert_int_equal(column(w, t0, &c), BOOK_E_ABSENT);
	assert_int_equal(step(w, end_ms(t0) + WAIT_MS), RESOLVER_DECIDED);
	assert_int_equal(state_of(w, t0, 9700000), BET_WON); /* all of it was heard */
	assert_int_equal(step(w, end_ms(t0) + WAIT_MS), RESOLVER_WAITING); /* each column has its own time to wait */
	assert_int_equal(step(w, end_ms(t0 + W) + WAIT_MS), RESOLVER_DECIDED);
	assert_int_equal(state_of(w, t0 + W, 9700000), BET_VOID); /* nothing of it was */
	resolver_stats(w->resolver, &st);
	assert_int_equal(st.columns_unread, 2);
	assert_false(st.history_up);
	/* what could not be announced is, once Redis is back; then columns go on */
	assert_true(redis_server_run(&w->redis));
	await_announced(w);
	record(w, (t0 + 2 * W) * 1000 - 100, end_ms(t0 + 2 * W), 100, P);
	for (int i = 0; i < 100 && column(w, t0 + 2 * W, &c) != 0; i++) {
		(void) step(w, end_ms(t0 + 2 * W) + GRACE_MS);
		redis_server_sleep_ms(20);
	}
	assert_int_equal(column(w, t0 + 2 * W, &c), 0);
	assert_int_equal(c.status, COLUMN_SETTLED);
	audits_pass(w->book);
}

static void a_short_stop_is_caught_up_whole(void **state)
{
	struct world *w = *state;
	struct column c;
	int64_t t0 = w->t0_s, later = t0 + 600;
	start_resolver(w, t0 * 1000);
	record(w, t0 * 1000 - 100, (t0 + 60) * 1000, 500, P);
	assert_int_equal(run(w, end_ms(t0) + GRACE_MS), 1);
	w->resolver = resolver_close(w->resolver);
	place(w, t0 + 30, 9700000);
	place(w, t0 + 300, 9700000); /* in the time without ticks */
	start_resolver(w, later * 1000);
	assert_int_equal(run(w, later * 1000 + GRACE_MS), 600 / W - 1);
	for (int64_t s = t0; s < later; s += W)
		assert_int_equal(column(w, s, &c), 0);
	assert_int_equal(column(w, later, &c), BOOK_E_ABSENT);
	assert_int_equal(state_of(w, t0 + 30, 9700000), BET_WON);
	assert_int_equal(state_of(w, t0 + 300, 9700000), BET_VOID);
	audits_pass(w->book);
}

static void of_a_long_stop_only_what_happened_is_recorded(void **state)
{
	struct world *w = *state;
	struct column c;
	int64_t t0 = w->t0_s, later = t0 + 3600;
	start_resolver(w, t0 * 1000);
	record(w, t0 * 1000 - 100, end_ms(t0), 100, P);
	assert_int_equal(run(w, end_ms(t0) + GRACE_MS), 1);
	w->resolver = resolver_close(w->resolver);
	place(w, t0 + 1000, 9700000);
	record(w, (t0 + 2000) * 1000, (t0 + 2010) * 1000, 100, P);
	start_resolver(w, later * 1000);
	assert_int_equal(run(w, end_ms(later) + GRACE_MS), 4); /* the bet's, two with ticks, the one that runs */
	assert_int_equal(column(w, t0 + 500, &c), BOOK_E_ABSENT);
	assert_int_equal(column(w, t0 + 1000, &c), 0);
	assert_int_equal(column(w, t0 + 2000, &c), 0);
	assert_int_equal(column(w, t0 + 2005, &c), 0);
	assert_int_equal(c.status, COLUMN_SETTLED);
	assert_int_equal(column(w, t0 + 2010, &c), BOOK_E_ABSENT);
	assert_int_equal(column(w, later, &c), 0);
	assert_int_equal(state_of(w, t0 + 1000, 9700000), BET_VOID);
	audits_pass(w->book);
}

/* A week's new book holds open bets of columns that it has no record of. */
static void open_bets_before_the_first_record_are_decided(void **state)
{
	struct world *w = *state;
	struct column c;
	int64_t t0 = w->t0_s;
	place(w, t0 - 3600, 9700000);
	place(w, t0 - 10, 9700000);
	record(w, (t0 - 10) * 1000 - 100, t0 * 1000, 100, P);
	start_resolver(w, t0 * 1000);
	assert_int_equal(run(w, t0 * 1000 + GRACE_MS), 2);
	assert_int_equal(state_of(w, t0 - 3600, 9700000), BET_VOID);
	assert_int_equal(state_of(w, t0 - 10, 9700000), BET_WON);
	assert_int_equal(column(w, t0 - 5, &c), BOOK_E_ABSENT);
	assert_int_equal(run(w, end_ms(t0) + GRACE_MS), 1);
	audits_pass(w->book);
}

static void set_seq(struct world *w, int64_t seq)
{
	char key[KEY_MAX];
	const struct bus_reply *reply;
	assert_int_equal(bus_command(w->bus, &reply, "SET %s %lld", key_seq(key, &w->wallet), (long long) seq), 0);
}

static int64_t seq_after_restart(struct world *w, int64_t wall_ms)
{
	char key[KEY_MAX];
	const struct bus_reply *reply;
	struct announcer_stats told;
	struct resolver_stats st;
	start_resolver(w, wall_ms);
	(void) run(w, wall_ms);
	do {
		redis_server_sleep_ms(5);
		resolver_stats(w->resolver, &st);
		told = st.announced;
	} while (told.waiting);
	w->resolver = resolver_close(w->resolver);
	assert_int_equal(bus_command(w->bus, &reply, "GET %s", key_seq(key, &w->wallet)), 0);
	return bus_int(reply);
}

/* Killed between the commit and the word: the next life says it. */
static void what_was_not_said_is_said_after_a_restart(void **state)
{
	struct world *w = *state;
	int64_t t0 = w->t0_s, later = end_ms(t0) + 2000;
	place(w, t0, 9700000);
	place(w, t0, 9720000);
	start_resolver(w, t0 * 1000);
	record(w, t0 * 1000 - 100, end_ms(t0), 100, P);
	assert_int_equal(run(w, end_ms(t0) + GRACE_MS), 1);
	await_announced(w);
	w->resolver = resolver_close(w->resolver);
	int64_t seq = account(w).seq;
	set_seq(w, seq - 2); /* as if neither had been told */
	assert_int_equal(seq_after_restart(w, later), seq);
	/* too long ago, known, or unknown to Redis: nobody waits */
	set_seq(w, seq - 1);
	assert_int_equal(seq_after_restart(w, later + 10 * 60000), seq - 1);
	set_seq(w, seq + 5);
	assert_int_equal(seq_after_restart(w, later), seq + 5);
	/* something newer happened, which is another's to tell */
	set_seq(w, seq - 1);
	struct account a;
	struct store *db = begin(w);
	const struct posting p = { .user = w->user, .amount = { 1 }, .ref_type = LEDGER_DEPOSIT, .ref_id = "newer",
		.at_ms = later };
	assert_int_equal(ledger_post(db, &p, &a), 0);
	assert_int_equal(week_commit(w->book), 0);
	assert_int_equal(seq_after_restart(w, later + 1000), seq - 1);
}

static void a_step_of_the_clock_decides_nothing_early(void **state)
{
	struct world *w = *state;
	struct column c;
	int64_t t0 = w->t0_s, wait_ms;
	place(w, t0 + 60, 9700000);
	start_resolver(w, t0 * 1000);
	record(w, t0 * 1000 - 100, end_ms(t0), 100, P);
	/* the wall clock shows two minutes later, the other one a second */
	struct resolver_clock stepped = at(w, t0 * 1000 + 1000);
	stepped.wall_ms += 120000;
	assert_int_equal(resolver_step(w->resolver, stepped, &wait_ms), RESOLVER_IDLE);
	assert_int_equal(run(w, end_ms(t0) + GRACE_MS), 1); /* it was set right again */
	assert_int_equal(column(w, t0 + 60, &c), BOOK_E_ABSENT);
	/* set back: what is decided stays so, nothing is decided again */
	assert_int_equal(step(w, t0 * 1000 - 60000), RESOLVER_IDLE);
	assert_int_equal(state_of(w, t0 + 60, 9700000), BET_CONFIRMED);
}

static void a_forward_step_is_believed_when_it_lasts(void **state)
{
	(void) state;
	struct steady s = { 0 };
	assert_int_equal(steady_now(&s, 1000000, 500), 1000000);
	assert_int_equal(steady_now(&s, 1000100, 600), 1000100);
	assert_int_equal(steady_now(&s, 1000700, 700), 1000700);           /* half a second is no step */
	assert_int_equal(steady_now(&s, 2000000, 800), 1000800);           /* doubted */
	assert_int_equal(steady_now(&s, 2004999, 800 + 4999), 1000800 + 4999);
	assert_int_equal(steady_now(&s, 2005000, 800 + 5000), 2005000);    /* it lasted */
	assert_int_equal(steady_now(&s, 1500000, 6000), 1500000);          /* back is believed at once */
	assert_int_equal(steady_now(&s, 1500100, 6100), 1500100);
	assert_int_equal(steady_now(&s, 2000000, 7000), 1501000);          /* one step, and before it has lasted another */
	assert_int_equal(steady_now(&s, 3000000, 11000), 1505000);
	assert_int_equal(steady_now(&s, 3002000, 13000), 1507000);
	assert_int_equal(steady_now(&s, 3005000, 16000), 3005000);
}

static void the_union_keeps_every_tick_once(void **state)
{
	(void) state;
	static const struct tick a[] = { { 10, 1 }, { 30, 3 }, { 50, 5 } }, b[] = { { 20, 2 }, { 30, 9 }, { 60, 6 } };
	static const struct tick want[] = { { 10, 1 }, { 20, 2 }, { 30, 3 }, { 50, 5 }, { 60, 6 } };
	struct tick out[6];
	assert_int_equal(ticks_union(a, 3, b, 3, out, 6), 5);
	assert_memory_equal(out, want, sizeof want);
	assert_int_equal(ticks_union(a, 3, b, 3, out, 2), 2);
	assert_int_equal(ticks_union(a, 3, b, 0, out, 6), 3);
	assert_int_equal(ticks_union(a, 0, b, 3, out, 6), 3);
	assert_int_equal(ticks_union(a, 0, b, 0, out, 6), 0);
}

static void what_was_heard_is_bounded_and_rises(void **state)
{
	struct world *w = *state;
	struct tick out[8];
	start_resolver(w, w->t0_s * 1000);
	struct heard *h = resolver_heard(w->resolver);
	for (int64_t i = 0; i < 40000; i++)
		heard_take(h, &(struct tick){ 1000000 + i * 10, 100 + i % 7 });
	int64_t newest = 1000000 + 39999 * 10;
	assert_int_equal(heard_read(h, newest - 20, newest, out, 8), 3); /* the one before, and two */
	assert_int_equal(out[0].t_ms, newest - 30);
	assert_int_equal(heard_read(h, 0, 1000010, out, 8), 0); /* too long ago */
	assert_int_equal(heard_read(h, newest - HEARD_SPAN_MS, newest - HEARD_SPAN_MS + 10, out, 8), 1);
	heard_take(h, &(struct tick){ newest + 10 * HEARD_SPAN_MS, 5 });
	assert_int_equal(heard_read(h, 0, INT64_MAX, out, 8), 1);
	/* Redis began anew, at an earlier time: what claims to be later was never to be */
	heard_take(h, &(struct tick){ newest + 20, 6 });
	heard_take(h, &(struct tick){ newest + 30, 7 });
	assert_int_equal(heard_read(h, 0, INT64_MAX, out, 8), 2);
	assert_int_equal(out[0].p_cents, 6);
	assert_int_equal(out[1].p_cents, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_column_is_decided_after_its_end_and_the_grace, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_later_tick_makes_a_column_final, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_tick_wakes_who_waits_for_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(gaps_and_a_missing_anchor_void, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_flush_in_mid_column_loses_nothing_that_was_published, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_column_that_was_begun_ends_by_its_evidence, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_redis_columns_wait_and_then_the_heard_ticks_decide, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_short_stop_is_caught_up_whole, set_up, tear_down),
		cmocka_unit_test_setup_teardown(of_a_long_stop_only_what_happened_is_recorded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(open_bets_before_the_first_record_are_decided, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_was_not_said_is_said_after_a_restart, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_step_of_the_clock_decides_nothing_early, set_up, tear_down),
		cmocka_unit_test(a_forward_step_is_believed_when_it_lasts),
		cmocka_unit_test(the_union_keeps_every_tick_once),
		cmocka_unit_test_setup_teardown(what_was_heard_is_bounded_and_rises, set_up, tear_down),
	};
	log_init("test", LOG_LEVEL_ERR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
