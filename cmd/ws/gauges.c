#include "ws_impl.h"

#include <inttypes.h>
#include <stdio.h>

static const unsigned close_codes[] = { 1000, 1001, 1003, 1006, 1008, 1012, 1013, 4401, 0 };
_Static_assert(ARRAY_LEN(close_codes) == sizeof((struct ws_counts *) 0)->closed / sizeof(uint64_t), "one counter a code");

/* The last place takes all that is rare. */
void count_close(struct ws *w, unsigned code)
{
	size_t i = 0;
	while (close_codes[i] && close_codes[i] != code)
		i++;
	atomic_fetch_add(&w->counts.closed[i], 1);
}

void ws_health(struct ops_health *h, void *u)
{
	struct ws *w = u;
	ops_check(h, "redis", atomic_load(&w->redis_up) ? HEALTH_HEALTHY : HEALTH_DEGRADED);
}

/* Players connect also while Redis is away: what they wait for comes when it does. */
bool ws_ready(void *u)
{
	struct ws *w = u;
	return !atomic_load(&w->is_draining);
}

static void close_metrics(struct buf *out, struct ws *w)
{
	ops_family(out, "tap_ws_closed_total", "connections that ended, by close code", "counter");
	for (size_t i = 0; i < ARRAY_LEN(close_codes); i++) {
		char label[24] = "code=\"other\"";
		if (close_codes[i])
			(void) snprintf(label, sizeof label, "code=\"%u\"", close_codes[i]);
		ops_labelled(out, "tap_ws_closed_total", label, (double) atomic_load(&w->counts.closed[i]));
	}
}

void ws_metrics(struct buf *out, void *u)
{
	struct ws *w = u;
	struct ws_counts *c = &w->counts;
	ops_gauge(out, "tap_ws_connections", "players connected", (double) atomic_load(&c->connections));
	ops_gauge(out, "tap_ws_signed_in", "players signed in", (double) atomic_load(&c->signed_in));
	ops_gauge(out, "tap_redis_up", "1 while the channels are listened to", atomic_load(&w->redis_up) ? 1 : 0);
	ops_counter(out, "tap_ws_opened_total", "connections opened", atomic_load(&c->opened));
	ops_family(out, "tap_ws_refused_total", "handshakes refused, by reason", "counter");
	ops_labelled(out, "tap_ws_refused_total", "reason=\"origin\"", (double) atomic_load(&c->refused_origin));
	ops_labelled(out, "tap_ws_refused_total", "reason=\"address\"", (double) atomic_load(&c->refused_address));
	ops_counter(out, "tap_ws_frames_received_total", "frames from players", atomic_load(&c->frames_in));
	ops_counter(out, "tap_ws_frames_sent_total", "frames to players", atomic_load(&c->frames_out));
	ops_counter(out, "tap_ws_own_frames_sent_total", "of these, frames for one player", atomic_load(&c->events_out));
	ops_counter(out, "tap_ws_events_lost_total", "players' events dropped here for want of room",
			atomic_load(&c->events_lost));
	ops_counter(out, "tap_ws_event_gaps_total", "gaps in a wallet's events that were given up", atomic_load(&c->gaps));
	ops_histogram(out, "tap_ws_price_lag_seconds", "from a tick's time to its relay", &c->lag);
	close_metrics(out, w);
}
