/* The resolver's binary, killed at random while it settles many bets, and two of it at once: each bet is decided once, as the plain
 * model says, and the books are whole. TAP_TEST_SEED repeats a run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "../support/folder.h"
#include "book.h"
#include "clk.h"
#include "ledger.h"
#include "msg.h"
#include "path.h"
#include "../support/audits.h"
#include "../support/redis_server.h"
#include "settle.h"
#include "week.h"

#define RESOLVER "./bin/tap-trading-resolver"
enum { W = 5, H = 2000, USERS = 40, COLUMNS = 150, BETS = 40, BIG = 1600 /* more than a slice */, BIG_EACH = 8, TICK_MS = 250, TICKS = (COLUMNS + 2) * W * 1000 / TICK_MS,
	LIVES_MAX = 400 };

struct world {
	struct redis_server redis;
	char dir[64];
	struct bus *bus;
	struct week *book;
	int64_t t0_s;
	int64_t users[USERS];
	struct tick ticks[TICKS];
	unsigned rnd;
};

static const struct settings rules = { .column_s = W, .row_cents = H, .max_tick_gap_ms = 3000 };

static unsigned dice(struct world *w, unsigned below)
{
	w->rnd = w->rnd * 1103515245u + 12345u;
	return (w->rnd >> 8) % below;
}

static struct store *begin(struct world *w)
{
	struct store *db;
	assert_int_equal(week_begin(w->book, &db), 0);
	return db;
}

static void open_accounts(struct world *w)
{
	struct store *db = begin(w);
	for (int i = 0; i < USERS; i++) {
		struct account a;
		char ref[16];
		const struct wallet wallet = { .b = { 9, (uint8_t) i } };
		assert_int_equal(ledger_account_open(db, &wallet, w->t0_s * 1000, &a), 0);
		(void) snprintf(ref, sizeof ref, "d%d", i);
		const struct posting p = { .user = a.user, .amount = { INT64_C(10000000000) }, .ref_type = LEDGER_DEPOSIT,
			.ref_id = ref, .at_ms = w->t0_s * 1000 };
		assert_int_equal(ledger_post(db, &p, &a), 0);
		w->users[i] = a.user;
	}
	assert_int_equal(week_commit(w->book), 0);
}

static int bets_of(int column)
{
	return column % BIG_EACH == BIG_EACH / 2 ? BIG : BETS;
}

static void place_bets(struct world *w, int64_t t0_s, int bets)
{
	struct store *db = begin(w);
	for (int i = 0; i < bets; i++) {
		int64_t low = 9680000 + H * (bets == BIG ? (int64_t) i / USERS - 10 : (int64_t) dice(w, 20)), row;
		struct bet b = { .user = w->users[i % USERS], .cell = { t0_s, low, low + H },
			.stake = money_of(1000000 * (1 + dice(w, 5))), .rate = { 10100 + (int32_t) dice(w, 90000) },
			.rate_min = { RATE_LEAST }, .placed_ms = t0_s * 1000 - 12000, .signed_s = t0_s - 12,
			.state = BET_CONFIRMED };
		struct account a;
		assert_int_equal(ledger_stake(db, &b, &a, &row), 0);
		assert_int_equal(book_put_bet(db, &b, row), 0);
	}
	assert_int_equal(week_commit(w->book), 0);
}

/* A random walk over all columns, with a hole of four seconds here and there. */
static void publish_ticks(struct world *w)
{
	int64_t p = 9700000;
	for (int i = 0; i < TICKS; i++) {
		p += (int64_t) dice(w, 1201) - 600;
		p = p < 9680000 ? 9680000 : p > 9720000 ? 9720000 : p;
		w->ticks[i] = (struct tick){ (w->t0_s - W) * 1000 + i * (int64_t) TICK_MS, p };
		if (i / 16 % 29 == 7) /* a hole: as if it had never been published */
			continue;
		assert_int_equal(bus_addf(w->bus, "XADD %s %lld-0 p %lld", KEY_HISTORY, (long long) w->ticks[i].t_ms, (long long) p), 0);
		if (i % 500 == 499)
			assert_int_equal(bus_flush(w->bus), 0);
	}
	assert_int_equal(bus_flush(w->bus), 0);
	size_t n = 0;
	for (int i = 0; i < TICKS; i++)
		if (i / 16 % 29 != 7)
			w->ticks[n++] = w->ticks[i];
	memset(&w->ticks[n], 0, (TICKS - n) * sizeof w->ticks[0]);
}

static size_t n_ticks(const struct world *w)
{
	size_t n = TICKS;
	while (n && w->ticks[n - 1].t_ms == 0)
		n--;
	return n;
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	*state = w;
	const char *seed = getenv("TAP_TEST_SEED");
	w->rnd = seed ? (unsigned) strtoul(seed, NULL, 10) : (unsigned) clk_now_ms();
	print_message("TAP_TEST_SEED=%u\n", w->rnd);
	assert_true(redis_server_start(&w->redis));
	const struct bus_conf conf = { .address = w->redis.address, .user = "", .password = "", .timeout_ms = 2000 };
	assert_int_equal(bus_open(&w->bus, &conf), 0);
	(void) snprintf(w->dir, sizeof w->dir, "/tmp/tap-kill-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	w->t0_s = (clk_now_ms() / 1000 - (COLUMNS + 4) * W) / W * W;
	assert_int_equal(week_open(&w->book, w->dir, STORE_WRITE, clk_now_ms()), 0);
	open_accounts(w);
	for (int c = 1; c < COLUMNS; c++)
		place_bets(w, w->t0_s + c * W, bets_of(c));
	publish_ticks(w);
	/* the first one is recorded, so that the others follow it */
	struct settle_result first;
	struct path path = path_cut(w->ticks, n_ticks(w), w->t0_s, W, 3000);
	assert_int_equal(settle_column(w->book, &rules, &path, (w->t0_s + W) * 1000 + 700, &first, NULL, NULL), 0);
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	week_close(w->book);
	bus_close(w->bus);
	redis_server_stop(&w->redis);
	int r = folder_remove(w->dir);
	free(w);
	return r;
}

static pid_t start(struct world *w)
{
	char dir[96], redis[128];
	(void) snprintf(dir, sizeof dir, "TAP_DATA_DIR=%s", w->dir);
	(void) snprintf(redis, sizeof redis, "TAP_REDIS=%s", w->redis.address);
	char *env[] = { dir, redis, "TAP_RESOLVER_OPS_LISTEN=127.0.0.1:0", "TAP_LOG_LEVEL=err", NULL };
	char *argv[] = { RESOLVER, NULL };
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void) prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void) execve(RESOLVER, argv, env);
		_exit(127);
	}
	return pid;
}

static int stop(pid_t pid, int signal)
{
	int status;
	(void) kill(pid, signal);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int recorded(struct world *w)
{
	int64_t last;
	struct store *db = begin(w);
	int r = book_last_column(db, &last);
	week_rollback(w->book);
	return r == 0 ? (int) ((last - w->t0_s) / W) + 1 : 0;
}

struct tally {
	struct world *w;
	int64_t bets, won, lost, refunded;
};

/* The path by the contract's words, over all ticks that were published. */
static void check_column(struct world *w, int64_t t0_s)
{
	char text[256] = "";
	struct column c;
	int64_t low = INT64_MAX, high = 0, before = 0;
	bool is_void = false, any = false;
	size_t n = n_ticks(w);
	for (size_t i = 0; i < n; i++) {
		const struct tick *t = &w->ticks[i];
		bool anchor = t->t_ms < t0_s * 1000 && (i + 1 == n || w->ticks[i + 1].t_ms >= t0_s * 1000);
		if (!anchor && (t->t_ms < t0_s * 1000 || t->t_ms >= (t0_s + W) * 1000))
			continue;
		is_void = is_void || (any && t->t_ms - before > 3000);
		before = t->t_ms;
		any = true;
		low = t->p_cents < low ? t->p_cents : low;
		high = t->p_cents > high ? t->p_cents : high;
	}
	is_void = is_void || !any || (t0_s + W) * 1000 - before > 3000;
	struct store *db = begin(w);
	assert_int_equal(book_column(db, t0_s, &c), 0);
	assert_int_equal(settle_verify(db, &rules, t0_s, text, sizeof text), 0);
	week_rollback(w->book);
	assert_int_equal(c.status, is_void ? COLUMN_VOID : COLUMN_SETTLED);
	assert_int_equal(c.low_cents, low);
	assert_int_equal(c.high_cents, high);
}

static bool count_bet(void *u, const struct bet *b, int64_t row)
{
	struct tally *t = u;
	struct column c;
	(void) row;
	assert_int_equal(week_store(t->w->book) != NULL, 1);
	assert_int_equal(book_column(week_store(t->w->book), b->cell.t0_s, &c), 0);
	bool touched = c.high_cents >= b->cell.low_cents && c.low_cents <= b->cell.low_cents + H;
	assert_int_equal(b->state, c.status == COLUMN_VOID ? BET_VOID : touched ? BET_WON : BET_LOST);
	t->bets++;
	t->won += b->state == BET_WON;
	t->lost += b->state == BET_LOST;
	t->refunded += b->state == BET_VOID;
	return true;
}

static void check_all(struct world *w)
{
	struct tally t = { .w = w };
	for (int c = 0; c < COLUMNS; c++)
		check_column(w, w->t0_s + c * W);
	struct store *db = begin(w);
	for (int i = 0; i < USERS; i++) {
		bool more;
		struct account a;
		const struct bet_query q = { .user = w->users[i], .to_ms = INT64_MAX, .limit = 10000, .row_cents = H };
		assert_int_equal(book_bets(db, &q, count_bet, &t, &more), 0);
		assert_int_equal(ledger_account_by_id(db, w->users[i], &a), 0);
		assert_int_equal(a.open_bets, 0);
		assert_int_equal(a.open_stake.micros, 0);
	}
	const struct ledger_audit la = audits_pass_in(db);
	week_rollback(w->book);
	int64_t placed = 0;
	for (int c = 1; c < COLUMNS; c++)
		placed += bets_of(c);
	assert_int_equal(t.bets, placed);
	assert_true(t.won > 0 && t.lost > 0 && t.refunded > 0);
	assert_int_equal(la.rows, USERS + t.bets + t.won + t.refunded);
}

static bool in_the_middle(struct world *w)
{
	int64_t last;
	struct settling at;
	struct store *db = begin(w);
	bool is = book_last_column(db, &last) == 0 && book_settling(db, last, &at) == 0;
	week_rollback(w->book);
	return is;
}

static void killed_again_and_again_it_decides_each_bet_once(void **state)
{
	struct world *w = *state;
	int lives = 0, mid = 0;
	for (; recorded(w) < COLUMNS && lives < LIVES_MAX; lives++) {
		pid_t pid = start(w);
		redis_server_sleep_ms((int) dice(w, 100));
		assert_int_equal(stop(pid, SIGKILL), -SIGKILL);
		mid += in_the_middle(w);
	}
	print_message("%d lives, %d of them ended in the middle of a column\n", lives, mid);
	assert_true(mid > 0);
	pid_t pid = start(w);
	for (int i = 0; i < 1000 && recorded(w) < COLUMNS + 2; i++)
		redis_server_sleep_ms(20);
	redis_server_sleep_ms(1000); /* it is up, and knows what SIGTERM means */
	assert_int_equal(stop(pid, SIGTERM), 0);
	check_all(w);
}

static void two_at_once_decide_each_bet_once(void **state)
{
	struct world *w = *state;
	pid_t a = start(w), b = start(w);
	for (int i = 0; i < 1000 && recorded(w) < COLUMNS + 2; i++)
		redis_server_sleep_ms(20);
	assert_int_equal(stop(a, SIGTERM), 0);
	assert_int_equal(stop(b, SIGTERM), 0);
	check_all(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(killed_again_and_again_it_decides_each_bet_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(two_at_once_decide_each_bet_once, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
