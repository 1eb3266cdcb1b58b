/* A column's settlement, step by step: at each call by which the resolver reads the ticks, looks at the book, begins or ends a
 * transaction or speaks, before it and after it, the resolver is killed, or Redis is, in turns for each call until none is left; and
 * the clock is stepped back and forth. Each bet is decided once by what was published, or the column is void. TAP_TEST_SEED repeats
 * a run. (The calls are wrapped by the linker, see tests/CMakeLists.txt; what they do is real.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "../support/audits.h"
#include "../support/folder.h"
#include "../support/redis_server.h"
#include "book.h"
#include "clk.h"
#include "err.h"
#include "history.h"
#include "ledger.h"
#include "log.h"
#include "msg.h"
#include "path.h"
#include "resolver.h"
#include "settle.h"
#include "week.h"

enum { W = 5, H = 2000, USERS = 8, BETS = SETTLE_SLICE_BETS + 20 /* more than a slice */, GRACE_MS = 700, WAIT_MS = 3000,
	TICKS = 51, STEPS_MAX = 2000, AUDIT_EACH = 10 };
static const int64_t P = 9700500;

struct world {
	struct redis_server redis;
	char dir[64];
	struct settings s;
	struct bus_conf conf;
	struct bus *bus;
	struct resolver *resolver;
	int64_t t0_s;
	int64_t users[USERS];
	int checked;
	int64_t money; /* all that was put in, less the house's part so far */
};

/* ---- the steps ---- */

static struct {
	pthread_t owner; /* other threads' calls are no steps */
	bool counts;
	int n, at;       /* at: what happens happens there */
	void (*happens)(void);
} steps;

static void step_here(void)
{
	if (!steps.counts || !pthread_equal(pthread_self(), steps.owner))
		return;
	if (++steps.n == steps.at)
		steps.happens();
}

static void steps_begin(int at, void (*happens)(void))
{
	steps.owner = pthread_self();
	steps.n = 0;
	steps.at = at;
	steps.happens = happens;
	steps.counts = true;
}

#define WRAPPED(name, params, args) \
	int __real_##name params; \
	int __wrap_##name params; \
	int __wrap_##name params \
	{ \
		step_here(); \
		int r = __real_##name args; \
		step_here(); \
		return r; \
	}
WRAPPED(history_column, (struct bus *bus, int64_t t0_s, int64_t column_s, struct tick *ticks, size_t max, size_t *ret_n,
	bool *ret_anchor, int64_t *ret_redis_ms), (bus, t0_s, column_s, ticks, max, ret_n, ret_anchor, ret_redis_ms))
WRAPPED(week_begin, (struct week *w, struct store **ret_db), (w, ret_db))
WRAPPED(week_look_begin, (struct week *w, struct store **ret_db), (w, ret_db))
WRAPPED(week_commit, (struct week *w), (w))
WRAPPED(bus_flush, (struct bus *bus), (bus))

void __real_announcer_put(struct announcer *a, const struct settled_bet *bet);
void __wrap_announcer_put(struct announcer *a, const struct settled_bet *bet);
void __wrap_announcer_put(struct announcer *a, const struct settled_bet *bet)
{
	static int64_t told;
	if (told++ % 100 == 0) /* each is like the one before */
		step_here();
	__real_announcer_put(a, bet);
}

/* ---- the world ---- */

static struct world *the_world;

static struct week *open_book(struct world *w)
{
	struct week *book;
	assert_int_equal(week_open(&book, w->dir, STORE_WRITE, w->t0_s * 1000), 0);
	return book;
}

static struct store *begin(struct week *book)
{
	struct store *db;
	assert_int_equal(__real_week_begin(book, &db), 0);
	return db;
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	*state = the_world = w;
	assert_true(redis_server_start(&w->redis));
	(void) snprintf(w->dir, sizeof w->dir, "%s/tap-steps-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
	assert_non_null(mkdtemp(w->dir));
	w->s = (struct settings){ .column_s = W, .row_cents = H, .max_tick_gap_ms = 3000, .tick_ms = 100,
		.resolve_grace_ms = GRACE_MS, .resolve_wait_ms = WAIT_MS };
	(void) snprintf(w->s.data_dir.v, sizeof w->s.data_dir.v, "%s", w->dir);
	w->conf = (struct bus_conf){ .address = w->redis.address, .user = "", .password = "", .timeout_ms = 1000 };
	assert_int_equal(bus_open(&w->bus, &w->conf), 0);
	w->t0_s = (clk_now_ms() / 1000 - 36000) / W * W;
	struct week *book = open_book(w);
	struct store *db = begin(book);
	for (int i = 0; i < USERS; i++) {
		struct account a;
		char ref[16];
		const struct wallet wallet = { .b = { 5, (uint8_t) i } };
		assert_int_equal(ledger_account_open(db, &wallet, w->t0_s * 1000, &a), 0);
		(void) snprintf(ref, sizeof ref, "d%d", i);
		const struct posting p = { .user = a.user, .amount = { INT64_C(1000000000000) }, .ref_type = LEDGER_DEPOSIT,
			.ref_id = ref, .at_ms = w->t0_s * 1000 };
		assert_int_equal(ledger_post(db, &p, &a), 0);
		w->users[i] = a.user;
	}
	assert_int_equal(__real_week_commit(book), 0);
	week_close(book);
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	steps.counts = false;
	resolver_close(w->resolver);
	bus_close(w->bus);
	redis_server_stop(&w->redis);
	int r = folder_remove(w->dir);
	free(w);
	return r;
}

static void place(struct world *w, int64_t t0_s, int bets)
{
	struct week *book = open_book(w);
	struct store *db = begin(book);
	for (int i = 0; i < bets; i++) {
		int64_t low = 9700000 + H * (int64_t) (i / USERS - 2), row;
		struct bet b = { .user = w->users[i % USERS], .cell = { t0_s, low, low + H }, .stake = money_of(1000000),
			.rate = { 15000 }, .rate_min = { RATE_LEAST }, .placed_ms = t0_s * 1000 - 12000, .signed_s = t0_s - 12,
			.state = BET_CONFIRMED };
		struct account a;
		assert_int_equal(ledger_stake(db, &b, &a, &row), 0);
		assert_int_equal(book_put_bet(db, &b, row), 0);
	}
	assert_int_equal(__real_week_commit(book), 0);
	week_close(book);
}

/* The last one of a column is the next one's anchor. */
static struct tick tick_at(int64_t t0_s, int i)
{
	int64_t t_ms = t0_s * 1000 - 100 + 100 * i;
	return (struct tick){ t_ms, P + t_ms / 100 % 47 };
}

static void record(struct world *w, int64_t t0_s)
{
	for (int i = 0; i < TICKS; i++) {
		struct tick t = tick_at(t0_s, i);
		assert_int_equal(bus_addf(w->bus, "XADD %s %lld-0 p %lld", KEY_HISTORY, (long long) t.t_ms, (long long) t.p_cents), 0);
	}
	assert_int_equal(__real_bus_flush(w->bus), 0);
}

static int64_t end_ms(int64_t t0_s)
{
	return (t0_s + W) * 1000;
}

static struct resolver_clock at(const struct world *w, int64_t wall_ms)
{
	return (struct resolver_clock){ .wall_ms = wall_ms, .mono_ms = wall_ms - w->t0_s * 1000 + 1000000 };
}

struct tally {
	int64_t bets, decided, paid;
	const struct column *c;
};

static bool count_bet(void *u, const struct bet *b, int64_t row)
{
	struct tally *t = u;
	(void) row;
	bool touched = t->c->high_cents >= b->cell.low_cents && t->c->low_cents <= b->cell.high_cents;
	t->bets++;
	t->decided += b->state == (t->c->status == COLUMN_VOID ? BET_VOID : touched ? BET_WON : BET_LOST);
	t->paid += b->payout.micros;
	return true;
}

static bool decided(struct world *w, int64_t t0_s)
{
	struct column c;
	struct week *book = open_book(w);
	bool is = book_column(begin(book), t0_s, &c) == 0 && !c.settling;
	week_rollback(book);
	week_close(book);
	return is;
}

/* Settled by all the ticks, or void; each bet once, and the books are whole. */
static enum column_status check(struct world *w, int64_t t0_s, int bets)
{
	struct tick ticks[TICKS];
	struct column c;
	char text[256] = "";
	for (int i = 0; i < TICKS; i++)
		ticks[i] = tick_at(t0_s, i);
	struct path path = path_cut(ticks, TICKS, t0_s, W, 3000);
	struct week *book = open_book(w);
	struct store *db = begin(book);
	assert_int_equal(book_column(db, t0_s, &c), 0);
	assert_false(c.settling);
	struct tally t = { .c = &c };
	assert_int_equal(book_column_all(db, t0_s, H, count_bet, &t), 0);
	assert_int_equal(t.bets, bets);
	assert_int_equal(t.decided, bets);
	assert_int_equal(c.bets, bets);
	struct hash digest = path_digest(&path, &c.prev_digest);
	if (c.status == COLUMN_SETTLED)
		assert_memory_equal(&c.digest, &digest, sizeof digest);
	if (settle_verify(db, &w->s, t0_s, text, sizeof text) != 0)
		fail_msg("%s", text);
	int64_t before = w->money;
	w->money = 0;
	for (int i = 0; i < USERS; i++) {
		struct account a;
		assert_int_equal(ledger_account_by_id(db, w->users[i], &a), 0);
		assert_int_equal(a.open_bets, 0);
		w->money += a.balance.micros;
	}
	if (before)
		assert_int_equal(w->money, before - bets * INT64_C(1000000) + t.paid);
	if (w->checked++ % AUDIT_EACH == 0)
		(void) audits_pass_in(db);
	week_rollback(book);
	week_close(book);
	return c.status;
}

/* ---- kill -9 ---- */

static void kill_me(void)
{
	(void) raise(SIGKILL);
}

/* The resolver's life until its column is decided; 0 when nothing happened to it. */
static int live(struct world *w, int64_t t0_s, int step)
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int64_t wait_ms, now_ms = end_ms(t0_s) + GRACE_MS;
		(void) prctl(PR_SET_PDEATHSIG, SIGKILL);
		steps_begin(step, kill_me);
		if (resolver_open(&w->resolver, &w->s, &w->conf, at(w, now_ms)) != 0)
			_exit(2);
		int did;
		do
			did = resolver_step(w->resolver, at(w, now_ms), &wait_ms);
		while (did > 0);
		w->resolver = resolver_close(w->resolver);
		_exit(did < 0 ? 3 : 0);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0);
	return WIFSIGNALED(status);
}

static void killed_at_each_step_it_pays_once(void **state)
{
	struct world *w = *state;
	int step = 1, mid = 0;
	int64_t t0_s = w->t0_s;
	bool killed = true;
	for (; killed; step++, t0_s += W) {
		assert_true(step < STEPS_MAX);
		place(w, t0_s, BETS);
		record(w, t0_s);
		killed = live(w, t0_s, step);
		mid += killed && !decided(w, t0_s);
		if (killed)
			assert_int_equal(live(w, t0_s, 0), 0);
		assert_int_equal(check(w, t0_s, BETS), COLUMN_SETTLED);
	}
	print_message("%d steps, %d of them before the column was decided\n", step - 2, mid);
	assert_true(step > 20 && mid > 10);
}

/* ---- Redis ---- */

static void lose_redis(void)
{
	redis_server_kill(&the_world->redis);
}

/* Steps until the column is decided; Redis is back, empty, at the moment back_ms. */
static void go_on(struct world *w, int64_t t0_s, int64_t back_ms)
{
	int64_t now_ms = end_ms(t0_s) + GRACE_MS, wait_ms;
	int did = RESOLVER_WAITING;
	while (!(did == RESOLVER_IDLE && w->redis.pid)) {
		if (!w->redis.pid && now_ms >= back_ms)
			assert_true(redis_server_run(&w->redis));
		did = resolver_step(w->resolver, at(w, now_ms), &wait_ms);
		assert_true(did >= 0);
		err_clear();
		if (did == RESOLVER_IDLE && !w->redis.pid)
			now_ms = back_ms;
		else if (did == RESOLVER_WAITING)
			now_ms += 500;
		assert_true(now_ms < end_ms(t0_s) + WAIT_MS + 20000);
	}
}

static void without_redis_from_each_step_on_it_pays_once_or_is_void(void **state)
{
	struct world *w = *state;
	int step = 1, settled = 0, voided = 0;
	int64_t t0_s = w->t0_s;
	bool lost = true;
	assert_int_equal(resolver_open(&w->resolver, &w->s, &w->conf, at(w, t0_s * 1000)), 0);
	for (; lost; step++, t0_s += 2 * W) { /* the column between has neither bets nor ticks */
		assert_true(step < STEPS_MAX);
		place(w, t0_s, BETS);
		record(w, t0_s);
		steps_begin(step, lose_redis);
		/* it comes back soon, or when all waiting is over */
		go_on(w, t0_s, end_ms(t0_s) + (step % 2 ? GRACE_MS + 1000 : WAIT_MS + 1000));
		steps.counts = false;
		lost = steps.n >= steps.at;
		bool is_void = check(w, t0_s, BETS) == COLUMN_VOID;
		voided += is_void;
		settled += !is_void;
		assert_int_equal(bus_ready(w->bus), 0);
	}
	print_message("%d steps: %d settled, %d void\n", step - 2, settled, voided);
	assert_true(step > 10 && settled > 0 && voided > 0);
}

/* ---- the clock ---- */

static unsigned rnd;

static int64_t dice(int64_t below)
{
	rnd = rnd * 1103515245u + 12345u;
	return (int64_t) (rnd >> 8) % below;
}

/* Back for as long as it likes, forward for less than makes it believed. */
static int64_t clock_error_ms(int64_t *left_ms)
{
	int64_t to_ms = dice(2) ? dice(600000) : -dice(600000);
	*left_ms = to_ms > 0 ? dice(4000) : dice(15000);
	return to_ms;
}

static void the_clock_stepped_back_and_forth_decides_each_column_once(void **state)
{
	enum { COLUMNS = 24, EACH = 8 };
	struct world *w = *state;
	const char *seed = getenv("TAP_TEST_SEED");
	rnd = seed ? (unsigned) strtoul(seed, NULL, 10) : (unsigned) clk_now_ms();
	print_message("TAP_TEST_SEED=%u\n", rnd);
	for (int i = 0; i < COLUMNS; i++) {
		place(w, w->t0_s + i * W, EACH);
		record(w, w->t0_s + i * W);
	}
	int64_t start_ms = w->t0_s * 1000, error_ms = 0, left_ms = 0, wait_ms;
	int64_t stop_ms = end_ms(w->t0_s + (COLUMNS - 1) * W) + GRACE_MS;
	assert_int_equal(resolver_open(&w->resolver, &w->s, &w->conf, at(w, start_ms)), 0);
	for (int64_t true_ms = start_ms; true_ms < stop_ms + 20000;) {
		struct resolver_clock clock = at(w, true_ms);
		struct resolver_stats st;
		clock.wall_ms += error_ms;
		while (resolver_step(w->resolver, clock, &wait_ms) == RESOLVER_DECIDED)
			;
		resolver_stats(w->resolver, &st);
		if (st.last_t0_s)
			assert_true(end_ms(st.last_t0_s) <= true_ms);
		int64_t passed_ms = 50 + dice(400);
		true_ms += passed_ms;
		left_ms -= passed_ms;
		if (left_ms <= 0 && true_ms < stop_ms && (error_ms == 0) == (dice(3) == 0))
			error_ms = error_ms ? 0 : clock_error_ms(&left_ms);
		else if (left_ms <= 0)
			error_ms = 0;
	}
	w->resolver = resolver_close(w->resolver);
	struct week *book = open_book(w);
	struct store *db = begin(book);
	for (int i = 0; i < COLUMNS; i++) {
		struct column c;
		struct tally t = { .c = &c };
		assert_int_equal(book_column(db, w->t0_s + i * W, &c), 0);
		assert_int_equal(c.status, COLUMN_SETTLED);
		assert_int_equal(book_column_all(db, w->t0_s + i * W, H, count_bet, &t), 0);
		assert_int_equal(t.decided, EACH);
	}
	(void) audits_pass_in(db);
	week_rollback(book);
	week_close(book);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(killed_at_each_step_it_pays_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(without_redis_from_each_step_on_it_pays_once_or_is_void, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_clock_stepped_back_and_forth_decides_each_column_once, set_up, tear_down),
	};
	log_init("test", LOG_LEVEL_ERR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
