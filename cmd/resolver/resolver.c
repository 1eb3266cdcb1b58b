#include "resolver.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "clk.h"
#include "due.h"
#include "err.h"
#include "history.h"
#include "log.h"
#include "path.h"
#include "retell.h"
#include "settle.h"
#include "steady.h"
#include "week.h"

enum {
	WAIT_REDIS_CLOCK_MS = 20, /* Redis' clock is behind ours by a little */
	WAIT_REDIS_MS = 100,
	WAIT_DISK_MS = 1000,
	WAIT_IDLE_MAX_MS = 100,
	RETELL_EACH_MS = 1000,
	CHECKPOINT_PAGES = 1000,
	META_EACH_MS = 60000,
	OPEN_EACH_MS = 5000
};

struct resolver {
	const struct settings *s;
	struct week *book, *reader;
	struct bus *bus;
	struct heard *heard;
	struct announcer *announcer;
	struct steady steady;
	struct due due;
	int64_t opened_ms, meta_ms, open_ms;
	int64_t retell_at_ms; /* wall; 0: done */
	bool redis_was_down, disk_was_full, was_void; /* told once */
	struct ops_histogram lag;
	pthread_mutex_t lock; /* over stats */
	struct resolver_stats stats;
	struct tick recorded[PATH_TICKS_MAX], known[PATH_TICKS_MAX], all[PATH_TICKS_MAX];
};

static void tell(void *u, const struct settled_bet *sb)
{
	struct resolver *r = u;
	announcer_put(r->announcer, sb);
}

static int64_t end_ms(const struct resolver *r, int64_t t0_s)
{
	return (t0_s + r->s->column_s) * 1000;
}

static void note_history(struct resolver *r, bool up)
{
	(void) pthread_mutex_lock(&r->lock);
	r->stats.history_up = up;
	(void) pthread_mutex_unlock(&r->lock);
	if (up == !r->redis_was_down)
		return;
	r->redis_was_down = !up;
	if (up)
		log_notice("the history can be read again");
	else
		log_warn("the history cannot be read, columns wait: %s", err_text());
	err_clear();
}

/* The next column's first tick, or a later one, was published: so all of this one's were. */
static bool is_final(struct resolver *r, int64_t t0_s)
{
	struct heard_stats heard;
	heard_stats(r->heard, &heard);
	return heard.newest_ms >= end_ms(r, t0_s);
}

/* Reads the column's ticks in Redis. 0: they are final; 1: come again; *ret_read is false when they never could be read. */
static int read_history(struct resolver *r, int64_t t0_s, int64_t now_ms, size_t *ret_n, bool *ret_read, int64_t *ret_wait_ms)
{
	bool last_chance = now_ms >= end_ms(r, t0_s) + r->s->resolve_wait_ms;
	bool final = is_final(r, t0_s); /* before they are read */
	bool anchor;
	int64_t redis_ms = 0;
	*ret_n = 0;
	int x = history_column(r->bus, t0_s, r->s->column_s, r->recorded, PATH_TICKS_MAX, ret_n, &anchor, &redis_ms);
	*ret_read = x == 0;
	note_history(r, x == 0);
	if (last_chance)
		return 0;
	if (x != 0) {
		*ret_wait_ms = WAIT_REDIS_MS;
		return 1;
	}
	*ret_wait_ms = WAIT_REDIS_CLOCK_MS;
	return !final && redis_ms < end_ms(r, t0_s) + r->s->resolve_grace_ms;
}

/* What was recorded and what was heard, together: a tick was published if and only if it was recorded, so each witness can
 * only lack ticks, never invent one. */
static struct path path_of(struct resolver *r, int64_t t0_s, size_t n_recorded)
{
	size_t n_known = heard_read(r->heard, t0_s * 1000, end_ms(r, t0_s), r->known, PATH_TICKS_MAX);
	size_t n = ticks_union(r->recorded, n_recorded, r->known, n_known, r->all, PATH_TICKS_MAX);
	return path_cut(r->all, n, t0_s, r->s->column_s, r->s->max_tick_gap_ms);
}

static void count_bets(struct resolver *r, const struct settle_result *result)
{
	struct resolver_stats *st = &r->stats;
	(void) pthread_mutex_lock(&r->lock);
	st->won += (uint64_t) result->won;
	st->lost += (uint64_t) result->lost;
	st->refunded += (uint64_t) result->refunded;
	struct money *paid = result->column.status == COLUMN_VOID ? &st->refunds : &st->payouts;
	if (!money_add(&st->stakes, st->stakes, result->stakes) || !money_add(paid, *paid, result->paid))
		st->stakes = st->payouts = st->refunds = money_of(0); /* counters start anew */
	(void) pthread_mutex_unlock(&r->lock);
}

static void count_column(struct resolver *r, const struct settle_result *result, bool read)
{
	struct resolver_stats *st = &r->stats;
	count_bets(r, result);
	(void) pthread_mutex_lock(&r->lock);
	st->columns_settled += result->column.status == COLUMN_SETTLED;
	st->columns_void += result->column.status == COLUMN_VOID;
	st->columns_unread += !read;
	if (result->column.t0_s > st->last_t0_s)
		st->last_t0_s = result->column.t0_s;
	st->disk_full = false;
	(void) pthread_mutex_unlock(&r->lock);
}

/* Of a run of void columns the first is told, and each that held bets. */
static void log_column(struct resolver *r, const struct settle_result *result, bool read)
{
	const struct column *c = &result->column;
	const char *without = read ? "" : ", without the history";
	bool is_void = c->status == COLUMN_VOID, changed = is_void != r->was_void;
	r->was_void = is_void;
	if (is_void)
		log_msg(c->bets || changed ? LOG_LEVEL_NOTICE : LOG_LEVEL_DEBUG, "column %lld is void: %lld ticks, %lld bets refunded%s",
				(long long) c->t0_s, (long long) c->n_ticks, (long long) c->bets, without);
	else
		log_msg(c->bets || changed ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG,
				"column %lld: %lld won, %lld lost, staked %lld, paid %lld micro-USD%s", (long long) c->t0_s,
				(long long) result->won, (long long) result->lost, (long long) result->stakes.micros,
				(long long) result->paid.micros, without);
}

static int on_full_disk(struct resolver *r, int64_t *ret_wait_ms)
{
	(void) pthread_mutex_lock(&r->lock);
	r->stats.disk_full = true;
	(void) pthread_mutex_unlock(&r->lock);
	if (!r->disk_was_full)
		log_err("the disk is full: columns wait");
	r->disk_was_full = true;
	err_clear();
	*ret_wait_ms = WAIT_DISK_MS;
	return RESOLVER_WAITING;
}

/* What was begun before, perhaps by a predecessor that died, is ended by the recorded evidence; else by what is known now. */
static int settle(struct resolver *r, int64_t t0_s, int64_t now_ms, struct settle_result *ret, bool *ret_read,
		int64_t *ret_wait_ms)
{
	size_t n;
	int x = SETTLE_E_NOT_BEGUN;
	*ret_read = true;
	if (t0_s < r->due.next_s)
		x = settle_go_on(r->book, r->s, t0_s, now_ms, ret, tell, r);
	if (x != SETTLE_E_NOT_BEGUN)
		return err_trace(x);
	if (read_history(r, t0_s, now_ms, &n, ret_read, ret_wait_ms) != 0)
		return SETTLE_E_NOT_BEGUN;
	struct path path = path_of(r, t0_s, n);
	return err_trace(settle_column(r->book, r->s, &path, now_ms, ret, tell, r));
}

static int decide(struct resolver *r, int64_t t0_s, int64_t now_ms, int64_t *ret_wait_ms)
{
	bool read;
	struct settle_result result;
	int64_t begun_ms = clk_mono_ms();
	int x = settle(r, t0_s, now_ms, &result, &read, ret_wait_ms);
	if (x < 0)
		return x;
	if (x == SETTLE_E_NOT_BEGUN)
		return RESOLVER_WAITING;
	if (x == SETTLE_E_FULL) {
		count_bets(r, &result);
		return on_full_disk(r, ret_wait_ms);
	}
	r->disk_was_full = false;
	if (x == 0) {
		count_column(r, &result, read);
		log_column(r, &result, read);
		ops_observe_us(&r->lag, (now_ms - end_ms(r, t0_s) + clk_mono_ms() - begun_ms) * 1000);
	}
	due_done(&r->due, t0_s);
	*ret_wait_ms = 0;
	return RESOLVER_DECIDED;
}

/* After a long stop: passes over the time in which nothing happened. 0 done, 1 come again. */
static int skip_empty(struct resolver *r, int64_t now_ms, int64_t *ret_wait_ms)
{
	struct tick first;
	size_t n = 0;
	bool more;
	int x = history_read(r->bus, r->due.next_s * 1000, r->due.sparse_until_s * 1000, &first, 1, &n, &more);
	note_history(r, x == 0);
	if (x != 0 && now_ms < r->opened_ms + r->s->resolve_wait_ms) {
		*ret_wait_ms = WAIT_REDIS_MS;
		return 1;
	}
	int64_t to_s = r->due.sparse_until_s;
	if (x == 0 && n == 1)
		to_s = first.t_ms / 1000 / r->s->column_s * r->s->column_s;
	return err_trace(due_skip(&r->due, to_s));
}

/* What our predecessor committed and could not say: once, as soon as Redis can be asked; given up when nobody waits any more. */
static void retell_when_due(struct resolver *r, int64_t now_ms)
{
	size_t told;
	if (!r->retell_at_ms || now_ms < r->retell_at_ms)
		return;
	int x = retell(r->reader, r->bus, r->s, now_ms, tell, r, &told);
	r->retell_at_ms = x == 0 || now_ms > r->opened_ms + RETELL_MS ? 0 : now_ms + RETELL_EACH_MS;
	if (x == 0 && told)
		log_notice("%zu players are told of decisions that were made before the start", told);
	err_clear();
}

static void note_behind(struct resolver *r, int64_t now_ms)
{
	int64_t behind = now_ms - due_ripe_ms(&r->due);
	(void) pthread_mutex_lock(&r->lock);
	r->stats.behind_ms = behind > 0 ? behind : 0;
	(void) pthread_mutex_unlock(&r->lock);
}

/* A column that has ended and is final need not wait for the grace: the moment by which it is ripe. Our clock must be past its end. */
static int64_t ripe_at(struct resolver *r, int64_t now_ms)
{
	int64_t ended_ms = end_ms(r, r->due.next_s), ripe_ms = due_ripe_ms(&r->due);
	if (now_ms >= ripe_ms || !is_final(r, r->due.next_s))
		return now_ms;
	return now_ms >= ended_ms ? ripe_ms : now_ms + r->s->resolve_grace_ms;
}

int resolver_step(struct resolver *r, struct resolver_clock clock, int64_t *ret_wait_ms)
{
	int64_t now_ms = steady_now(&r->steady, clock.wall_ms, clock.mono_ms), t0_s;
	int64_t ripe_ms = ripe_at(r, now_ms);
	note_behind(r, now_ms);
	*ret_wait_ms = WAIT_IDLE_MAX_MS;
	retell_when_due(r, now_ms);
	if (due_sparse(&r->due)) {
		int x = skip_empty(r, now_ms, ret_wait_ms);
		if (x != 0)
			return x < 0 ? x : RESOLVER_WAITING;
	}
	int x = due_next(&r->due, ripe_ms, &t0_s);
	if (x < 0)
		return err_trace(x);
	if (x == 0)
		return decide(r, t0_s, now_ms, ret_wait_ms);
	int64_t wait_ms = due_ripe_ms(&r->due) - ripe_ms;
	*ret_wait_ms = wait_ms < WAIT_IDLE_MAX_MS ? wait_ms : WAIT_IDLE_MAX_MS;
	return RESOLVER_IDLE;
}

void resolver_wait(struct resolver *r, int64_t wait_ms)
{
	int64_t until_ms = clk_mono_ms() + wait_ms;
	if (is_final(r, r->due.next_s)) /* it waits for something else */
		(void) clk_sleep_until_ms(until_ms);
	else
		heard_wait(r->heard, end_ms(r, r->due.next_s), until_ms);
}

/* For the gauges: what is open by the book. */
static int look_at_open(struct resolver *r)
{
	struct store *db;
	int64_t bets;
	struct money stake;
	if (clk_mono_ms() < r->open_ms)
		return 0;
	r->open_ms = clk_mono_ms() + OPEN_EACH_MS;
	int x = week_begin(r->reader, &db);
	if (x != 0)
		return x < 0 ? err_trace(x) : 0;
	x = ledger_open(db, &bets, &stake);
	week_rollback(r->reader);
	if (x < 0)
		return err_trace(x);
	(void) pthread_mutex_lock(&r->lock);
	r->stats.open_bets = bets;
	r->stats.open_stake = stake;
	(void) pthread_mutex_unlock(&r->lock);
	return 0;
}

int resolver_checkpoint(struct resolver *r)
{
	struct store *db = week_store(r->book);
	struct store_stats stats;
	int x = 0;
	if (store_checkpointer(db)) {
		x = store_checkpoint(db, CHECKPOINT_PAGES);
		int64_t mono_ms = clk_mono_ms();
		if (x >= 0 && mono_ms >= r->meta_ms) {
			r->meta_ms = mono_ms + META_EACH_MS;
			x = week_checkpoint_meta(r->book);
		}
		store_checkpointer_leave(db); /* the api's, as soon as it is there */
	}
	store_stats(db, &stats);
	(void) pthread_mutex_lock(&r->lock);
	r->stats.store = stats;
	r->stats.wal_bytes = store_wal_bytes(db);
	(void) pthread_mutex_unlock(&r->lock);
	return x < 0 ? err_trace(x) : look_at_open(r);
}

struct heard *resolver_heard(struct resolver *r)
{
	return r->heard;
}

struct ops_histogram *resolver_lag(struct resolver *r)
{
	return &r->lag;
}

void resolver_stats(struct resolver *r, struct resolver_stats *ret)
{
	(void) pthread_mutex_lock(&r->lock);
	*ret = r->stats;
	(void) pthread_mutex_unlock(&r->lock);
	heard_stats(r->heard, &ret->heard);
	announcer_stats(r->announcer, &ret->announced);
}

static int open_parts(struct resolver *r, const struct bus_conf *bus, struct resolver_clock now)
{
	const struct settings *s = r->s;
	if (s->column_s * 1000 / s->tick_ms + 2 > PATH_TICKS_MAX)
		return err_say(-EINVAL, "TAP_COLUMN_SECONDS / TAP_TICK_MS: a path holds at most %d ticks", PATH_TICKS_MAX);
	r->opened_ms = r->retell_at_ms = steady_now(&r->steady, now.wall_ms, now.mono_ms);
	int x = heard_open(&r->heard, bus); /* first, so that it hears while the rest comes up */
	if (x == 0)
		x = bus_open(&r->bus, bus);
	if (x == 0)
		x = announcer_start(&r->announcer, bus);
	if (x == 0)
		x = week_open(&r->book, s->data_dir.v, STORE_WRITE, now.wall_ms);
	if (x == 0)
		x = week_open(&r->reader, s->data_dir.v, STORE_READ, now.wall_ms);
	if (x == 0)
		x = due_start(&r->due, r->reader, s->column_s, s->resolve_grace_ms, now.wall_ms);
	if (x > 0)
		return err_say(-EIO, "the books in %s cannot be opened (%d)", s->data_dir.v, x);
	return err_trace(x);
}

int resolver_open(struct resolver **ret, const struct settings *s, const struct bus_conf *bus, struct resolver_clock now)
{
	struct resolver *r = calloc(1, sizeof *r);
	if (!r)
		return -ENOMEM;
	r->s = s;
	r->stats.history_up = true;
	(void) pthread_mutex_init(&r->lock, NULL);
	int x = open_parts(r, bus, now);
	if (x < 0) {
		resolver_close(r);
		return x;
	}
	*ret = r;
	return 0;
}

struct resolver *resolver_close(struct resolver *r)
{
	if (!r)
		return NULL;
	announcer_stop(r->announcer);
	heard_close(r->heard);
	bus_close(r->bus);
	week_close(r->reader);
	week_close(r->book);
	(void) pthread_mutex_destroy(&r->lock);
	free(r);
	return NULL;
}
