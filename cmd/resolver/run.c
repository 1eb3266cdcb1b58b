#include "run.h"

#include <inttypes.h>
#include <pthread.h>

#include "clk.h"
#include "daemon.h"
#include "log.h"
#include "ops_store.h"
#include "resolver.h"
#include "roller.h"

enum {
	TURN_MS = 100,
	COLUMNS_A_TURN = 50,      /* then the supervisor is told that we live */
	CHECKPOINT_EVERY_MS = 1000,
	BEHIND_DEGRADED_MS = 10000,
	BEHIND_CRITICAL_MS = 120000
};

/* The main thread's; the operations port looks at it under the lock, so that it never meets one that is being closed. */
static struct resolver *resolver;
static pthread_mutex_t resolver_lock = PTHREAD_MUTEX_INITIALIZER;
static int64_t checkpoint_ms;
static struct roller *roller;

static struct resolver_clock clocks(void)
{
	return (struct resolver_clock){ .wall_ms = clk_now_ms(), .mono_ms = clk_mono_ms() };
}

static void rolled(void *u, int result, struct clk_week week, const struct week_rolled *w)
{
	(void) u;
	if (result == 0)
		log_notice("week %04d-W%02d is open: %lld accounts, %lld open bets; the api did not end the old one", week.year,
				week.week, (long long) w->accounts, (long long) w->open_bets);
	else if (result > 0)
		log_err("the weeks' files cannot be kept up: the disk is full");
	else
		(void) log_errno(result, "the weeks' files cannot be kept up");
}

int run_start(const struct settings *s)
{
	struct resolver *opened;
	int r = resolver_open(&opened, s, daemon_bus(), clocks());
	if (r < 0)
		return r;
	(void) pthread_mutex_lock(&resolver_lock);
	resolver = opened;
	(void) pthread_mutex_unlock(&resolver_lock);
	r = roller_start(&roller, s->data_dir.v, ROLLER_PATIENCE_RESOLVER_MS, rolled, NULL);
	return r < 0 ? log_errno(r, "nobody would end the week") : 0;
}

void run_stop(void)
{
	roller = roller_stop(roller);
	(void) pthread_mutex_lock(&resolver_lock);
	resolver = resolver_close(resolver);
	(void) pthread_mutex_unlock(&resolver_lock);
}

/* What the operations port may see: false while there is no resolver. */
static bool look(struct resolver_stats *ret)
{
	(void) pthread_mutex_lock(&resolver_lock);
	bool there = resolver != NULL;
	if (there)
		resolver_stats(resolver, ret);
	(void) pthread_mutex_unlock(&resolver_lock);
	return there;
}

static int checkpoint_when_due(void)
{
	int64_t now_ms = clk_mono_ms();
	if (now_ms < checkpoint_ms)
		return 0;
	checkpoint_ms = now_ms + CHECKPOINT_EVERY_MS;
	int r = resolver_checkpoint(resolver);
	return r < 0 ? log_errno(r, "checkpoint") : 0;
}

static void tell_supervisor(void)
{
	struct resolver_stats st;
	resolver_stats(resolver, &st);
	daemon_status("decided up to %" PRId64 ", %" PRIu64 " columns settled, %" PRIu64 " void", st.last_t0_s,
			st.columns_settled, st.columns_void);
}

int run_turn(void)
{
	int64_t until_ms = clk_mono_ms() + TURN_MS, wait_ms = 0;
	for (int i = 0; i < COLUMNS_A_TURN && clk_mono_ms() < until_ms && !daemon_stopping(); i++) {
		int did = resolver_step(resolver, clocks(), &wait_ms);
		if (did < 0)
			return log_errno(did, "a column cannot be decided");
		if (did == RESOLVER_DECIDED)
			tell_supervisor();
		if (wait_ms > 0)
			resolver_wait(resolver, wait_ms < TURN_MS ? wait_ms : TURN_MS);
	}
	return checkpoint_when_due();
}

void run_health(struct ops_health *h, void *u)
{
	(void) u;
	struct resolver_stats st;
	if (!look(&st)) {
		ops_check(h, "database", HEALTH_CRITICAL);
		return;
	}
	enum health is = HEALTH_HEALTHY;
	if (st.behind_ms > BEHIND_DEGRADED_MS)
		is = HEALTH_DEGRADED;
	if (st.disk_full || st.behind_ms > BEHIND_CRITICAL_MS)
		is = HEALTH_CRITICAL;
	ops_check_begin(h, "database", is);
	jw_int(&h->w, "last_column", st.last_t0_s);
	jw_int(&h->w, "behind_ms", st.behind_ms);
	jw_bool(&h->w, "history_readable", st.history_up);
	jw_bool(&h->w, "disk_full", st.disk_full);
	ops_check_end(h);
}

bool run_ready(void *u)
{
	(void) u;
	struct resolver_stats st;
	return look(&st) && !st.disk_full;
}

static double seconds(int64_t us)
{
	return (double) us / 1e6;
}

static double dollars(struct money m)
{
	return (double) m.micros / 1e6;
}

static void money_metrics(struct buf *out, const struct resolver_stats *st)
{
	ops_family(out, "tap_settled_usd_total", "money of decided bets: stakes, what was paid for those that won, what was given back",
			"counter");
	ops_labelled(out, "tap_settled_usd_total", "kind=\"stakes\"", dollars(st->stakes));
	ops_labelled(out, "tap_settled_usd_total", "kind=\"payouts\"", dollars(st->payouts));
	ops_labelled(out, "tap_settled_usd_total", "kind=\"refunds\"", dollars(st->refunds));
	ops_gauge(out, "tap_settled_hold_usd", "stakes less payouts and refunds of the bets decided since the start",
			dollars(st->stakes) - dollars(st->payouts) - dollars(st->refunds));
	ops_gauge(out, "tap_open_bets", "bets that are open, by the book", (double) st->open_bets);
	ops_gauge(out, "tap_open_stakes_usd", "stakes of the bets that are open, by the book", dollars(st->open_stake));
}

static void outcome_metrics(struct buf *out, const struct resolver_stats *st)
{
	ops_family(out, "tap_columns_total", "columns recorded, by status", "counter");
	ops_labelled(out, "tap_columns_total", "status=\"settled\"", (double) st->columns_settled);
	ops_labelled(out, "tap_columns_total", "status=\"void\"", (double) st->columns_void);
	ops_counter(out, "tap_columns_unread_total", "columns decided by heard ticks alone, Redis being away", st->columns_unread);
	ops_family(out, "tap_bets_settled_total", "bets decided, by outcome", "counter");
	ops_labelled(out, "tap_bets_settled_total", "outcome=\"won\"", (double) st->won);
	ops_labelled(out, "tap_bets_settled_total", "outcome=\"lost\"", (double) st->lost);
	ops_labelled(out, "tap_bets_settled_total", "outcome=\"void\"", (double) st->refunded);
	money_metrics(out, st);
	ops_gauge(out, "tap_columns_behind_seconds", "how long the oldest ripe column has waited", seconds(st->behind_ms * 1000));
	ops_gauge(out, "tap_last_column_timestamp_seconds", "start of the newest column decided since the start",
			(double) st->last_t0_s);
	ops_histogram(out, "tap_settlement_lag_seconds", "from a column's end to its commit", resolver_lag(resolver));
}

static void part_metrics(struct buf *out, const struct resolver_stats *st)
{
	ops_counter(out, "tap_ticks_heard_total", "ticks heard on the price channel", st->heard.taken);
	ops_gauge(out, "tap_history_up", "1 while Redis' history can be read", st->history_up);
	ops_counter(out, "tap_events_announced_total", "players' events published", st->announced.told);
	ops_counter(out, "tap_events_dropped_total", "players' events given up because too many waited", st->announced.dropped);
	ops_gauge(out, "tap_events_waiting", "players' events that wait for Redis", (double) st->announced.waiting);
	ops_store(out, &st->store, st->wal_bytes, st->disk_full);
}

void run_metrics(struct buf *out, void *u)
{
	(void) u;
	struct resolver_stats st;
	(void) pthread_mutex_lock(&resolver_lock);
	if (resolver) {
		resolver_stats(resolver, &st);
		outcome_metrics(out, &st);
		part_metrics(out, &st);
	}
	(void) pthread_mutex_unlock(&resolver_lock);
}
