#include <stdio.h>

#include "volley.h"

/* A number with one decimal, for what is no count. */
static void put_tenths(struct json_out *w, const char *name, double v)
{
	char text[64];
	int n = snprintf(text, sizeof text, "%.1f", v);
	jw_raw(w, name, text, (size_t) n);
}

static void put_quantile(const struct volley *v, const char *name, double q, struct json_out *w)
{
	size_t at = (size_t) ((double) v->accepted * q);
	if (v->accepted == 0)
		jw_null(w, name);
	else
		jw_int(w, name, v->latency_us[at < v->accepted ? at : v->accepted - 1]);
}

static void put_latency(const struct volley *v, struct json_out *w)
{
	jw_object(w, "latency_us");
	put_quantile(v, "p50", 0.5, w);
	put_quantile(v, "p90", 0.9, w);
	put_quantile(v, "p99", 0.99, w);
	put_quantile(v, "p99_9", 0.999, w);
	put_quantile(v, "max", 1, w);
	jw_end_object(w);
}

static void put_cpu(const struct volley *v, struct json_out *w)
{
	double bets = v->accepted ? (double) v->accepted : 1, all = 0;
	jw_object(w, "cpu_us_per_bet");
	for (size_t i = 0; i < v->procs.n; i++) {
		put_tenths(w, v->procs.v[i].name, (double) v->procs.v[i].cpu_us / bets);
		all += (double) v->procs.v[i].cpu_us;
	}
	put_tenths(w, "suite", all / bets);
	put_tenths(w, "load_generator", (double) v->own_cpu_us / bets);
	jw_end_object(w);
}

static void put_seconds(const struct volley *v, struct json_out *w)
{
	int64_t seconds = (v->took_us + 999999) / 1000000;
	jw_array(w, "accepted_by_second");
	for (int64_t i = 0; i < seconds && i < VOLLEY_SECONDS_MAX; i++)
		jw_int(w, NULL, v->accepted_in[i]);
	jw_end_array(w);
}

void volley_report(const struct volley *v, const char *name, const struct volley_conf *conf, const struct shots *shots,
		struct json_out *w)
{
	double took_s = (double) v->took_us / 1e6;
	jw_object(w, name);
	jw_int(w, "connections", (int64_t) conf->connections);
	if (conf->rate > 0)
		put_tenths(w, "offered_per_second", conf->rate);
	jw_int(w, "sent", (int64_t) v->sent);
	jw_int(w, "accepted", (int64_t) v->accepted);
	put_tenths(w, "accepted_per_second", took_s > 0 ? (double) v->accepted / took_s : 0);
	put_tenths(w, "seconds", took_s);
	jw_object(w, "answers");
	for (size_t i = 0; i < VOLLEY_CODES_MAX && v->codes[i].n; i++)
		jw_int(w, v->codes[i].code, (int64_t) v->codes[i].n);
	if (v->sent > v->answered)
		jw_int(w, "unanswered", (int64_t) (v->sent - v->answered));
	jw_end_object(w);
	put_latency(v, w);
	put_cpu(v, w);
	put_seconds(v, w);
	jw_int(w, "cells", (int64_t) shots->cells);
	jw_int(w, "last_t0", shots->last_t0_s);
	if (shots->sign_us > 0)
		put_tenths(w, "signed_ahead_per_second", (double) shots->n * 1e6 / (double) shots->sign_us);
	jw_end_object(w);
}
