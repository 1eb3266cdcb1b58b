/* intake_world.h - an intake over a real Redis and a scratch folder, with a market made by hand. For tests only. */
#ifndef TAP_TEST_INTAKE_WORLD_H
#define TAP_TEST_INTAKE_WORLD_H

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "../support/audits.h"
#include "../support/folder.h"
#include "../support/redis_server.h"
#include "clk.h"
#include "fault.h"
#include "intake.h"
#include "book.h"
#include "msg.h"
#include "quote_log.h"
#include "rnd.h"

enum { USD = MICROS_PER_USD, RATE = 23500, PRICE = 9743210, MANY = 100 };

static struct redis_server redis;
static struct bus_conf bus_conf;
static struct settings settings;
static char dir[] = "/tmp/tap-intake-XXXXXX";
static struct intake *intake;

/* the market, by hand; intake's threads look at it at any time */
static pthread_mutex_t market_lock = PTHREAD_MUTEX_INITIALIZER; /* over changes of grid */
static struct quote_grid grid;
static atomic_bool has_grid, betting;

static inline bool give_grid(void *u, struct quote_grid *ret)
{
	(void) u;
	(void) pthread_mutex_lock(&market_lock);
	*ret = grid;
	(void) pthread_mutex_unlock(&market_lock);
	return has_grid;
}

static inline bool give_betting(void *u)
{
	(void) u;
	return betting;
}

static atomic_bool made_known = true;

/* A record of some quote of that id. */
static inline bool give_made(void *u, int64_t quote_id, struct buf *ret)
{
	(void) u;
	struct quote_made m = { .rules = settings_quote(&settings), .quote_id = quote_id, .t_ms = quote_id, .p_cents = PRICE,
		.state = { .vol_ppm = { 500000, 500000, 500000, 500000 } } };
	if (made_known)
		quote_log_encode(ret, &m, 1);
	return made_known;
}

static inline void publish(int32_t rate)
{
	struct grid_rules rules = settings_grid(&settings);
	(void) pthread_mutex_lock(&market_lock);
	grid = (struct quote_grid){ .quote_id = grid.quote_id + 1, .t_ms = clk_now_ms(), .columns = rules.columns,
		.rows = rules.rows, .low_cents = grid_lowest(&rules, PRICE), .row_cents = rules.row_cents };
	for (int i = 0; i < rules.columns; i++) {
		grid.t0_s[i] = column_first_placeable(&rules, grid.t_ms) + i * rules.column_s;
		for (int j = 0; j < rules.rows; j++)
			grid.rates[i][j] = rate;
	}
	(void) pthread_mutex_unlock(&market_lock);
	has_grid = betting = true;
}

static inline void go(void)
{
	struct intake_market market = { .grid = give_grid, .betting = give_betting, .made = give_made };
	assert_int_equal(intake_start(&intake, &settings, &bus_conf, &market), 0);
}

static inline void restart(void)
{
	intake = intake_stop(intake);
	go();
}

static inline int start(void **state)
{
	static char redis_env[160], dir_env[160];
	(void) state;
	if (!mkdtemp(dir) || !redis_server_start(&redis))
		return -1;
	(void) snprintf(redis_env, sizeof redis_env, "TAP_REDIS=%s", redis.address);
	(void) snprintf(dir_env, sizeof dir_env, "TAP_DATA_DIR=%s", dir);
	char *const env[] = { redis_env, dir_env, NULL };
	bus_conf = (struct bus_conf){ .address = redis.address, .user = "", .password = "", .timeout_ms = 300 };
	return settings_load(&settings, env, stderr) == 0 ? 0 : -1;
}

static inline void remove_books(void)
{
	assert_int_equal(folder_remove(dir), 0);
	assert_int_equal(mkdir(dir, 0700), 0);
}

static inline int stop(void **state)
{
	(void) state;
	redis_server_stop(&redis);
	return folder_remove(dir);
}

static inline const struct bus_reply *ask(struct bus *b, const char *command, const char *key)
{
	const struct bus_reply *r;
	assert_int_equal(bus_command(b, &r, "%s %s", command, key), 0);
	return r;
}

static inline void flush_redis(void)
{
	struct bus *b;
	const struct bus_reply *r;
	assert_int_equal(bus_open(&b, &bus_conf), 0);
	assert_int_equal(bus_command(b, &r, "FLUSHALL"), 0);
	(void) bus_close(b);
}

static inline int fresh(void **state)
{
	(void) state;
	remove_books();
	flush_redis();
	settings.bet_burst = 1000;
	settings.quote_ttl_ms = 30000; /* a slow machine is no stale feed */
	settings.queue_max = 10000;
	settings.cap_player_column = 1000 * (int64_t) USD;
	settings.cap_cell = 25000 * (int64_t) USD;
	publish(RATE);
	go();
	return 0;
}

static inline int finish(void **state)
{
	(void) state;
	intake = intake_stop(intake);
	return 0;
}

/* waiting for answers */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t wake = PTHREAD_COND_INITIALIZER;
static int answers;

static inline void one_more(void)
{
	(void) pthread_mutex_lock(&lock);
	answers++;
	(void) pthread_cond_broadcast(&wake);
	(void) pthread_mutex_unlock(&lock);
}

static inline void wait_for(int n)
{
	(void) pthread_mutex_lock(&lock);
	while (answers < n)
		(void) pthread_cond_wait(&wake, &lock);
	answers -= n;
	(void) pthread_mutex_unlock(&lock);
}

static inline void tap_done(struct intake_tap *t)
{
	(void) t;
	one_more();
}

struct fund {
	struct intake_job job;
	struct wallet wallet;
	int64_t micros;
	bool suspend;
	struct account account;
	int result;
};

static inline int fund_fn(struct intake_job *j, struct store *db, int64_t now_ms)
{
	struct fund *f = (struct fund *) j;
	char ref[64];
	int r = ledger_account_open(db, &f->wallet, now_ms, &f->account);
	if (r < 0)
		return r;
	(void) snprintf(ref, sizeof ref, "fund-%lld-%u", (long long) now_ms, rnd_below(1u << 30));
	struct posting p = { .user = f->account.user, .amount = { f->micros }, .ref_type = LEDGER_DEPOSIT, .ref_id = ref,
		.at_ms = now_ms };
	r = f->micros ? ledger_post(db, &p, &f->account) : 0;
	if (r == 0 && f->suspend)
		r = ledger_suspend(db, f->account.user, true);
	return r;
}

static inline void fund_done(struct intake_job *j, int result)
{
	((struct fund *) j)->result = result;
	one_more();
}

static inline struct wallet funded(uint8_t name, int64_t micros, bool suspend)
{
	struct fund f = { .job = { .fn = fund_fn, .done = fund_done }, .wallet = { { name, 7 } }, .micros = micros,
		.suspend = suspend };
	assert_int_equal(intake_submit_job(intake, &f.job), 0);
	wait_for(1);
	assert_int_equal(f.result, 0);
	return f.wallet;
}

static inline struct cell cell_at(int column, int row)
{
	int64_t low = grid.low_cents + row * grid.row_cents;
	return (struct cell){ .t0_s = grid.t0_s[column], .low_cents = low, .high_cents = low + grid.row_cents };
}

static inline struct intake_tap tap_of(struct wallet w, struct cell c, int64_t usd)
{
	struct intake_tap t = { .tap = { .wallet = w, .cell = c, .stake = { usd * USD }, .rate_min = { RATE_LEAST },
		.timestamp_s = clk_now_ms() / 1000, .chain_id = 1 }, .signer = w, .done = tap_done };
	rnd_bytes(t.tap.nonce, sizeof t.tap.nonce);
	t.tap.nonce[6] = 0x40;
	return t;
}

static inline enum intake_result place(struct intake_tap *t)
{
	assert_int_equal(intake_submit(intake, t), 0);
	wait_for(1);
	return t->result;
}

static inline enum intake_result again(const struct intake_tap *first, struct intake_tap *ret)
{
	*ret = *first;
	return place(ret);
}

/* The book from outside: the account, and every rule of ledger and book. */
static inline struct account account_of(struct wallet w)
{
	struct week *week;
	struct store *db;
	struct account a;
	assert_int_equal(week_open(&week, dir, STORE_READ, clk_now_ms()), 0);
	assert_int_equal(week_begin(week, &db), 0);
	(void) audits_pass_in(db);
	assert_int_equal(ledger_account(db, &w, &a), 0);
	week_rollback(week);
	(void) week_close(week);
	return a;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, fresh, finish)

#endif
