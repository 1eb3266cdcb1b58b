#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "volley.h"

/* Some of a volley's answers, counted. */
struct tally {
	size_t shots, accepted, unanswered;
	size_t by_code[VOLLEY_CODES_MAX];
	uint32_t *latency_us; /* of the accepted, sorted */
	uint32_t *refused_us; /* of the rest, sorted */
	size_t refused;
};

static int by_value(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static void tally_free(struct tally *t)
{
	free(t->latency_us);
	free(t->refused_us);
}

static int tally_make(struct tally *t, const struct volley *v, size_t first, size_t n)
{
	*t = (struct tally){ .shots = n, .latency_us = calloc(n + 1, sizeof *t->latency_us),
		.refused_us = calloc(n + 1, sizeof *t->refused_us) };
	if (!t->latency_us || !t->refused_us) {
		tally_free(t);
		return -ENOMEM;
	}
	for (size_t k = first; k < first + n; k++) {
		const struct answer *a = &v->answers[k];
		t->by_code[a->code]++;
		if (a->code == 0)
			t->unanswered++;
		else if (v->codes[a->code].status == 202)
			t->latency_us[t->accepted++] = a->latency_us;
		else
			t->refused_us[t->refused++] = a->latency_us;
	}
	qsort(t->latency_us, t->accepted, sizeof *t->latency_us, by_value);
	qsort(t->refused_us, t->refused, sizeof *t->refused_us, by_value);
	return 0;
}

static size_t count_status(const struct tally *t, const struct volley *v, unsigned low, unsigned high)
{
	size_t n = 0;
	for (size_t i = 1; i < VOLLEY_CODES_MAX; i++)
		if (v->codes[i].code[0] && v->codes[i].status >= low && v->codes[i].status <= high)
			n += t->by_code[i];
	return n;
}

static void put_decimal(struct json_out *w, const char *name, double v)
{
	char text[64];
	int n = snprintf(text, sizeof text, "%.2f", v);
	jw_raw(w, name, text, (size_t) n);
}

static uint32_t quantile(const uint32_t *sorted, size_t n, double q)
{
	size_t at = (size_t) ((double) n * q);
	return n == 0 ? 0 : sorted[at < n ? at : n - 1];
}

/* What the game's rules refuse (409: the price moved on a cell) is no error; nor are 429 and 503, which are counted by themselves. */
static void put_counts(const struct tally *t, const struct volley *v, struct json_out *w)
{
	size_t rules = count_status(t, v, 409, 409), limited = count_status(t, v, 429, 429), busy = count_status(t, v, 503, 503);
	jw_int(w, "sent", (int64_t) t->shots);
	jw_int(w, "accepted", (int64_t) t->accepted);
	jw_int(w, "refused_409", (int64_t) rules);
	jw_int(w, "refused_429", (int64_t) limited);
	jw_int(w, "refused_503", (int64_t) busy);
	jw_int(w, "errors", (int64_t) (t->shots - t->accepted - rules - limited - busy));
}

static void put_latency(const struct tally *t, struct json_out *w)
{
	jw_int(w, "p50_us", quantile(t->latency_us, t->accepted, 0.5));
	jw_int(w, "p90_us", quantile(t->latency_us, t->accepted, 0.9));
	jw_int(w, "p99_us", quantile(t->latency_us, t->accepted, 0.99));
	jw_int(w, "p99_9_us", quantile(t->latency_us, t->accepted, 0.999));
	jw_int(w, "max_us", quantile(t->latency_us, t->accepted, 1));
	jw_int(w, "refused_p99_us", quantile(t->refused_us, t->refused, 0.99));
}

static void put_codes(const struct tally *t, const struct volley *v, struct json_out *w)
{
	jw_object(w, "answers");
	for (size_t i = 1; i < VOLLEY_CODES_MAX; i++)
		if (t->by_code[i])
			jw_int(w, v->codes[i].code, (int64_t) t->by_code[i]);
	if (t->unanswered)
		jw_int(w, "unanswered", (int64_t) t->unanswered);
	jw_end_object(w);
}

static void put_cpu(const struct volley *v, struct json_out *w)
{
	double bets = v->accepted ? (double) v->accepted : 1, all = 0;
	jw_object(w, "cpu_us_per_bet");
	for (size_t i = 0; i < v->procs.n; i++) {
		put_decimal(w, v->procs.v[i].name, (double) v->procs.v[i].cpu_us / bets);
		all += (double) v->procs.v[i].cpu_us;
	}
	put_decimal(w, "suite", all / bets);
	put_decimal(w, "load_generator", (double) v->own_cpu_us / bets);
	jw_end_object(w);
}

static void put_by_second(const struct volley *v, struct json_out *w)
{
	int64_t seconds = (v->took_us + 999999) / 1000000;
	jw_array(w, "accepted_by_second");
	for (int64_t i = 0; i < seconds && i < VOLLEY_SECONDS_MAX; i++)
		jw_int(w, NULL, v->seconds[i].accepted);
	jw_end_array(w);
}

/* Of the first of the watched processes: the most, and the mean of the last half. */
static void put_memory(const struct volley *v, struct json_out *w)
{
	int64_t most_kb = 0, most_fds = 0, late_kb = 0, n = 0, late_n = 0;
	for (size_t i = 0; i < VOLLEY_SECONDS_MAX; i++)
		n += v->seconds[i].resident_kb > 0;
	for (int64_t i = 0, seen = 0; seen < n; i++) {
		int64_t kb = v->seconds[i].resident_kb, fds = v->seconds[i].descriptors;
		if (kb == 0)
			continue;
		most_kb = kb > most_kb ? kb : most_kb;
		most_fds = fds > most_fds ? fds : most_fds;
		if (2 * ++seen > n) {
			late_kb += kb;
			late_n++;
		}
	}
	jw_int(w, "resident_max_kb", most_kb);
	jw_int(w, "resident_late_kb", late_n ? late_kb / late_n : 0);
	jw_int(w, "descriptors_max", most_fds);
}

/* A part, and its halves: what grows while it lasts shows there. */
static int put_part(const struct volley *v, const struct plan_part *part, struct json_out *w)
{
	struct tally all, half[2] = { 0 };
	size_t left = v->n > part->first ? v->n - part->first : 0; /* fewer, when it was ended before */
	size_t shots = part->shots < left ? part->shots : left, n = shots / 2;
	int r = tally_make(&all, v, part->first, shots);
	if (r == 0)
		r = tally_make(&half[0], v, part->first, n);
	if (r == 0)
		r = tally_make(&half[1], v, part->first + n, shots - n);
	if (r < 0)
		return r; /* the program ends with it */
	jw_object(w, NULL);
	jw_str(w, "name", part->name);
	put_decimal(w, "rate", part->rate);
	put_decimal(w, "seconds", part->seconds);
	put_counts(&all, v, w);
	put_latency(&all, w);
	jw_int(w, "p99_first_half_us", quantile(half[0].latency_us, half[0].accepted, 0.99));
	jw_int(w, "p99_second_half_us", quantile(half[1].latency_us, half[1].accepted, 0.99));
	put_codes(&all, v, w);
	jw_end_object(w);
	tally_free(&all);
	tally_free(&half[0]);
	tally_free(&half[1]);
	return 0;
}

static int put_parts(const struct volley *v, const struct plan *p, struct json_out *w)
{
	int r = 0;
	jw_array(w, "parts");
	for (size_t i = 0; p && i < p->n && r == 0; i++)
		if (p->parts[i].shots > 0)
			r = put_part(v, &p->parts[i], w);
	jw_end_array(w);
	return r;
}

int volley_report(const struct volley *v, const struct volley_conf *conf, const struct shots *shots, struct json_out *w)
{
	double took_s = (double) v->took_us / 1e6;
	struct tally all;
	int r = tally_make(&all, v, 0, v->n);
	if (r < 0)
		return r;
	jw_object(w, NULL);
	jw_str(w, "loop", conf->plan ? "open" : "closed");
	jw_int(w, "connections", (int64_t) conf->http.connections);
	put_decimal(w, "seconds", took_s);
	put_decimal(w, "accepted_per_second", took_s > 0 ? (double) v->accepted / took_s : 0);
	put_counts(&all, v, w);
	jw_int(w, "without_retry_after", (int64_t) v->without_retry_after);
	put_latency(&all, w);
	put_codes(&all, v, w);
	put_cpu(v, w);
	put_memory(v, w);
	put_by_second(v, w);
	jw_int(w, "last_t0", shots->last_t0_s);
	put_decimal(w, "signed_ahead_per_second", shots->sign_us > 0 ? (double) shots->n * 1e6 / (double) shots->sign_us : 0);
	r = put_parts(v, conf->plan, w);
	jw_end_object(w);
	tally_free(&all);
	return r;
}
