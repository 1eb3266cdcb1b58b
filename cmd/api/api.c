#include "api.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clk.h"
#include "daemon.h"
#include "err.h"
#include "log.h"
#include "ops_store.h"
#include "roller.h"
#include "sig.h"

enum { DRAIN_MS = 2000, AWAIT_MS = 1500, PATIENT_MS = 2000 };

static struct api api;

/* The operations port asks while the parts come and go: it reads them under the lock, and only while they are up. */
static pthread_rwlock_t up_lock = PTHREAD_RWLOCK_INITIALIZER;
static bool up;

static bool begin_look(void)
{
	(void) pthread_rwlock_rdlock(&up_lock);
	return up;
}

static void end_look(void)
{
	(void) pthread_rwlock_unlock(&up_lock);
}

const struct httpd_route api_routes[] = {
	{ "POST", "/api/v1/auth/challenge", post_challenge, HTTPD_JSON_BODY },
	{ "POST", "/api/v1/auth/login", post_login, HTTPD_JSON_BODY },
	{ "DELETE", "/api/v1/auth/session", delete_session, 0 },
	{ "GET", "/api/v1/me", get_me, 0 },
	{ "GET", "/api/v1/me/limits", get_limits, 0 },
	{ "PUT", "/api/v1/me/limits", put_limits, HTTPD_JSON_BODY },
	{ "POST", "/api/v1/me/cool-off", post_cool_off, HTTPD_JSON_BODY },
	{ "POST", "/api/v1/me/self-exclusion", post_self_exclusion, HTTPD_JSON_BODY },
	{ "GET", "/api/v1/grid", get_grid, 0 },
	{ "POST", "/api/v1/bets", post_bet, HTTPD_JSON_BODY },
	{ "GET", "/api/v1/bets", get_bets, 0 },
	{ "GET", "/api/v1/bets/{id}", get_bet, 0 },
	{ "GET", "/api/v1/ledger", get_ledger, 0 },
	{ "GET", "/api/v1/columns/{t0}", get_column, 0 },
	{ "GET", "/api/v1/prices", get_prices, 0 },
	{ "POST", "/api/v1/withdrawals", post_withdrawal, HTTPD_JSON_BODY },
	{ "GET", "/api/v1/withdrawals", get_withdrawals, 0 },
	{ "GET", "/health", get_public_health, HTTPD_EVEN_LATE },
	{ NULL, NULL, NULL, 0 },
};

/* The week's end, on the roller's thread. */
static void rolled(void *u, int result, struct clk_week week, const struct week_rolled *w)
{
	(void) u;
	if (result == 0)
		log_notice("week %04d-W%02d is open: %lld accounts, %lld openings, %lld open bets; writers waited %lld us", week.year,
				week.week, (long long) w->accounts, (long long) w->openings, (long long) w->open_bets,
				(long long) w->pause_us);
	else if (result > 0)
		log_err("the weeks' files cannot be kept up: the disk is full; tried again in %d s", ROLLER_RETRY_MS / 1000);
	else
		(void) log_errno(result, "the weeks' files cannot be kept up; tried again in %d s", ROLLER_RETRY_MS / 1000);
}

/* More loops than processors only cut what is ready into smaller pieces, each with its own wake-ups. */
static unsigned loops(const struct settings *s)
{
	long processors = s->api_threads > 0 ? (long) s->api_threads : sysconf(_SC_NPROCESSORS_ONLN);
	return processors < 1 ? 1 : processors > HTTPD_THREADS_MAX ? HTTPD_THREADS_MAX : (unsigned) processors;
}

/* At a door that is systemd's there are those who came since the last process left. That they are many at once, and that the first
 * batches of a new process are slow, is no overload. */
static int start_http(struct api *a)
{
	int fd = daemon_socket("public"), patient_ms = fd >= 0 ? PATIENT_MS : 0;
	struct httpd_conf conf = { .host = a->s->api_listen.host, .port = a->s->api_listen.port, .listen_fd = fd,
		.threads = loops(a->s), .request_deadline_ms = (int) a->s->request_deadline_ms, .sheds = true,
		.sheds_after_ms = patient_ms, .routes = api_routes, .ctx = a };
	intake_be_patient(a->intake, patient_ms);
	(void) pthread_rwlock_wrlock(&up_lock);
	int r = httpd_start(&a->http, &conf);
	up = r == 0;
	(void) pthread_rwlock_unlock(&up_lock);
	return r;
}

int api_start(const struct settings *s)
{
	const struct bus_conf *bus = daemon_bus();
	api.s = s;
	api.rules = settings_grid(s);
	int r = sig_init();
	if (r != 0)
		return log_errno(r < 0 ? r : -1, "signatures cannot be checked");
	r = market_start(&api.market, s, bus);
	if (r < 0)
		return log_errno(r, "the market cannot be listened to");
	struct intake_market market = { .grid = market_grid, .betting = market_betting, .made = market_made, .u = api.market };
	r = intake_start(&api.intake, s, bus, &market);
	if (r < 0)
		return log_errno(r, "the book in %s cannot be opened", s->data_dir.v);
	r = roller_start(&api.roller, s->data_dir.v, ROLLER_PATIENCE_API_MS, rolled, NULL);
	if (r < 0)
		return log_errno(r, "nobody would end the week");
	r = auth_door_open(&api.withdraw_door, &(struct auth_door_conf){ .bucket_key = key_withdraw_limit,
			.rate_per_minute = s->bet_rate_per_minute, .burst = s->bet_burst });
	if (r < 0)
		return log_errno(r, "no door for withdrawals");
	r = work_start(&api.work, &api, bus);
	if (r < 0)
		return log_errno(r, "no readers");
	market_await(api.market, AWAIT_MS);
	r = start_http(&api);
	if (r < 0)
		return log_errno(r, "%s:%u cannot be listened on", s->api_listen.host, s->api_listen.port);
	log_info("listening on port %u", httpd_port(api.http));
	return 0;
}

int api_turn(void)
{
	(void) clk_sleep_until_ms(clk_mono_ms() + 100);
	if (intake_failed(api.intake)) {
		log_err("the book failed: it is opened anew by the next process");
		return -1;
	}
	return 0;
}

/* First no new connections, and those that are open end with the answer to what they brought: who comes now waits at the door,
 * which is systemd's, for the next process. Then the server goes, and only then what its handlers call. */
void api_stop(void)
{
	(void) pthread_rwlock_wrlock(&up_lock);
	up = false;
	(void) pthread_rwlock_unlock(&up_lock);
	api.roller = roller_stop(api.roller);
	if (api.http && !httpd_drain(api.http, DRAIN_MS))
		log_notice("some connections are slow: they are told that the service stops");
	if (api.work)
		work_drain(api.work);
	if (api.intake)
		intake_drain(api.intake);
	if (api.http)
		api.http = httpd_stop(api.http);
	api.work = work_stop(api.work);
	api.withdraw_door = auth_door_close(api.withdraw_door);
	api.intake = intake_stop(api.intake);
	api.market = market_stop(api.market);
}

bool api_alive(void)
{
	return intake_alive(api.intake, clk_mono_ms());
}

static bool ready(void)
{
	struct intake_stats st;
	struct market_view view;
	intake_stats(api.intake, &st);
	market_look(api.market, &view);
	return !intake_failed(api.intake) && st.redis_up && view.listening;
}

bool api_ready(void *u)
{
	(void) u;
	bool is = begin_look() && ready();
	end_look();
	return is;
}

static void health(struct ops_health *h)
{
	static const enum health of_feed[] = { [FEED_HEALTHY] = HEALTH_HEALTHY, [FEED_DEGRADED] = HEALTH_DEGRADED,
		[FEED_CRITICAL] = HEALTH_CRITICAL };
	struct intake_stats st;
	struct market_view view;
	intake_stats(api.intake, &st);
	market_look(api.market, &view);
	bool database = !intake_failed(api.intake) && !st.disk_full && intake_alive(api.intake, clk_mono_ms());
	bool redis = st.redis_up && view.listening;
	ops_check(h, "database", database ? HEALTH_HEALTHY : HEALTH_CRITICAL);
	ops_check(h, "redis", redis ? HEALTH_HEALTHY : HEALTH_CRITICAL);
	ops_check(h, "price_feed", of_feed[view.feed]);
	ops_check_begin(h, "circuit_breaker", view.betting ? HEALTH_HEALTHY : HEALTH_CRITICAL);
	jw_bool(&h->w, "betting", view.betting);
	ops_check_end(h);
}

void api_health(struct ops_health *h, void *u)
{
	static const char *const names[] = { "database", "redis", "price_feed", "circuit_breaker" };
	(void) u;
	if (begin_look()) {
		health(h);
	} else {
		for (size_t i = 0; i < ARRAY_LEN(names); i++)
			ops_check(h, names[i], HEALTH_CRITICAL);
	}
	end_look();
}

static double seconds(int64_t us)
{
	return (double) us / 1e6;
}

static void http_metrics(struct buf *out)
{
	static const char *const labels[] = { NULL, NULL, "class=\"2xx\"", "class=\"3xx\"", "class=\"4xx\"", "class=\"5xx\"" };
	struct httpd_stats st;
	httpd_stats(api.http, &st);
	ops_family(out, "tap_http_responses_total", "answers by class", "counter");
	for (size_t i = 2; i < ARRAY_LEN(labels); i++)
		ops_labelled(out, "tap_http_responses_total", labels[i], (double) st.by_status[i]);
	ops_counter(out, "tap_http_requests_total", "requests", st.requests);
	ops_gauge(out, "tap_http_connections", "open connections", (double) st.connections);
	ops_counter(out, "tap_http_refused_busy_total", "requests on connections beyond the limit", st.refused_busy);
	ops_counter(out, "tap_http_refused_late_total", "requests that were shed: more were ready than could be done", st.refused_late);
	ops_gauge(out, "tap_http_readers_waiting", "requests that wait for a reader", (double) work_waiting(api.work));
}

static void metrics(struct buf *out)
{
	struct intake_stats st;
	struct market_view view;
	intake_stats(api.intake, &st);
	market_look(api.market, &view);
	ops_counter(out, "tap_bets_submitted_total", "bets with a good form and signature", st.taps);
	ops_counter(out, "tap_bets_confirmed_total", "bets written", st.confirmed);
	ops_counter(out, "tap_bets_replayed_total", "bets answered again", st.replayed);
	ops_counter(out, "tap_bets_refused_total", "bets refused after the signature", st.refused);
	ops_counter(out, "tap_bet_batches_total", "transactions of bets", st.batches);
	ops_gauge(out, "tap_bet_batch_max", "bets in the largest transaction", (double) st.batch_max);
	ops_gauge(out, "tap_bets_queued", "bets between submit and answer", (double) st.queued);
	ops_gauge(out, "tap_bet_oldest_wait_seconds", "age of the oldest bet that waits", seconds(st.oldest_wait_us));
	ops_histogram(out, "tap_bet_seconds", "from the request to its answer", &api.bet_seconds);
	ops_counter(out, "tap_events_announced_total", "events given to Redis", st.announced);
	ops_counter(out, "tap_events_dropped_total", "events that found no way to Redis", st.announce_dropped);
	ops_gauge(out, "tap_open_exposure_dollars", "the house's worst case over all open bets",
			(double) st.open_exposure.micros / MICROS_PER_USD);
	ops_gauge(out, "tap_redis_up", "1 while Redis answers", st.redis_up);
	ops_gauge(out, "tap_betting", "1 while bets are taken", view.betting);
	ops_gauge(out, "tap_feed_state", "0 healthy, 1 degraded, 2 critical", (double) view.feed);
	ops_counter(out, "tap_grids_heard_total", "grids heard", view.grids);
	ops_counter(out, "tap_ticks_heard_total", "ticks heard", view.ticks);
	ops_store(out, &st.store, st.wal_bytes, st.disk_full);
	http_metrics(out);
}

void api_metrics(struct buf *out, void *u)
{
	(void) u;
	if (begin_look())
		metrics(out);
	end_look();
}

static void exposure(struct json_out *w)
{
	struct exposure_caps caps = settings_caps(api.s);
	struct intake_exposure *x = calloc(1, sizeof *x);
	if (!x)
		return;
	intake_exposure(api.intake, x);
	jw_int(w, "open", x->open.micros);
	jw_object(w, "caps");
	jw_int(w, "cell", caps.cell.micros);
	jw_int(w, "column", caps.column.micros);
	jw_int(w, "open", caps.open.micros);
	jw_end_object(w);
	jw_int(w, "row_cents", api.rules.row_cents);
	jw_int(w, "column_seconds", api.rules.column_s);
	jw_int(w, "cells_held", (int64_t) x->cells);
	jw_array(w, "cells");
	for (size_t i = 0; i < x->n; i++) {
		jw_object(w, NULL);
		jw_int(w, "t0", x->at[i].t0_s);
		jw_int(w, "low", x->at[i].low_cents);
		jw_int(w, "payout", x->at[i].payout.micros);
		jw_end_object(w);
	}
	jw_end_array(w);
	free(x);
}

/* What a win of each cell would cost the house; {} while the parts come and go, or there is no memory. */
void api_exposure(struct json_out *w, void *u)
{
	(void) u;
	jw_object(w, NULL);
	if (begin_look())
		exposure(w);
	end_look();
	jw_end_object(w);
}

void api_defer(struct api *a, struct httpd_req *req, work_fn *fn, void *arg)
{
	if (work_submit(a->work, fn, req, arg) != 0)
		httpd_problem(req, PROBLEM_OVERLOADED, "Too many requests wait; try again in a second.", NULL, 1);
}
