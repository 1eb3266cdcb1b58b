#include "volley.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "clk.h"
#include "err.h"
#include "http.h"

enum { LAST_ANSWERS_MS = 10000 };

struct gun {
	const struct volley_conf *conf;
	const struct shots *shots;
	struct volley *v;
	struct http *http;
	int64_t start_us;
	size_t next;
	size_t idle[HTTP_CONNECTIONS_MAX], n_idle;
	int64_t from_us[HTTP_CONNECTIONS_MAX]; /* what each connection's latency counts from */
	int failed;
};

static void count_code(struct volley *v, const char *code, size_t n)
{
	for (size_t i = 0; i < VOLLEY_CODES_MAX && n < VOLLEY_CODE_SIZE; i++) {
		bool is_free = v->codes[i].code[0] == '\0';
		if (!is_free && (strncmp(v->codes[i].code, code, n) != 0 || v->codes[i].code[n] != '\0'))
			continue;
		if (is_free)
			memcpy(v->codes[i].code, code, n);
		v->codes[i].n++;
		return;
	}
}

static void count_reply(struct volley *v, const struct http_reply *reply)
{
	static const char mark[] = "\"code\":";
	const char *at = reply->status == 202 ? NULL : strstr(reply->body, mark);
	char status[VOLLEY_CODE_SIZE];
	if (at) {
		at += sizeof mark - 1;
		at += strspn(at, " \"");
		count_code(v, at, strcspn(at, "\""));
		return;
	}
	int n = snprintf(status, sizeof status, reply->status ? "%u" : "lost", reply->status);
	count_code(v, reply->status == 202 ? "accepted" : status, reply->status == 202 ? 8 : (size_t) n);
}

static void take_latency(struct gun *g, size_t conn, int64_t now_us)
{
	int64_t second = (now_us - g->start_us) / 1000000;
	g->v->latency_us[g->v->accepted++] = (uint32_t) (now_us - g->from_us[conn]);
	if (second >= 0 && second < VOLLEY_SECONDS_MAX)
		g->v->accepted_in[second]++;
}

static int64_t due_us(const struct gun *g, size_t k)
{
	return g->start_us + (int64_t) ((double) k * 1e6 / g->conf->rate);
}

static int fire(struct gun *g, size_t conn)
{
	const struct shot *s = &g->shots->v[g->next];
	g->from_us[conn] = g->conf->rate > 0 ? due_us(g, g->next) : clk_mono_us();
	g->next++;
	g->v->sent++;
	return http_send(g->http, conn, s->request, s->n);
}

static void answered(void *u, size_t conn, const struct http_reply *reply)
{
	struct gun *g = u;
	g->v->answered++;
	count_reply(g->v, reply);
	if (reply->status == 202 && g->conf->told)
		(void) fprintf(g->conf->told, "%.*s\n", (int) reply->n, reply->body);
	if (reply->status == 202)
		take_latency(g, conn, clk_mono_us());
	if (g->conf->rate > 0 || g->next == g->shots->n) {
		g->idle[g->n_idle++] = conn;
		return;
	}
	int r = fire(g, conn);
	if (g->failed == 0)
		g->failed = r;
}

static bool may_fire(const struct gun *g)
{
	return g->n_idle > 0 && g->next < g->shots->n;
}

static int64_t wait_us(const struct gun *g)
{
	const int64_t most = 100000;
	if (g->conf->rate <= 0 || !may_fire(g))
		return most;
	int64_t until = due_us(g, g->next) - clk_mono_us();
	return until < 0 ? 0 : until < most ? until : most;
}

static int loop(struct gun *g)
{
	int64_t gives_up_ms = INT64_MAX;
	int r = 0;
	while (r == 0 && g->failed == 0 && g->v->answered < g->shots->n) {
		while (r == 0 && may_fire(g) && (g->conf->rate <= 0 || due_us(g, g->next) <= clk_mono_us()))
			r = fire(g, g->idle[--g->n_idle]);
		if (r == 0)
			r = http_turn(g->http, wait_us(g));
		if (g->next == g->shots->n && gives_up_ms == INT64_MAX)
			gives_up_ms = clk_mono_ms() + LAST_ANSWERS_MS;
		if (clk_mono_ms() > gives_up_ms)
			return 0; /* what is unanswered stays counted as sent only */
	}
	return r < 0 ? r : g->failed;
}

static int by_value(const void *a, const void *b)
{
	const uint32_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static void procs_since(struct procs *p, const struct procs *before)
{
	procs_read(p);
	for (size_t i = 0; i < p->n; i++)
		p->v[i].cpu_us -= before->v[i].cpu_us;
}

int volley_run(struct volley *ret, const struct volley_conf *conf, const struct shots *shots, const struct procs *procs)
{
	*ret = (struct volley){ .procs = *procs };
	struct gun *g = calloc(1, sizeof *g);
	ret->latency_us = calloc(shots->n, sizeof *ret->latency_us);
	int r = g && ret->latency_us ? 0 : -ENOMEM;
	if (r == 0) {
		*g = (struct gun){ .conf = conf, .shots = shots, .v = ret };
		r = http_open(&g->http, conf->api, conf->connections, answered, g);
	}
	if (r == 0) {
		while (g->n_idle < conf->connections) {
			g->idle[g->n_idle] = g->n_idle;
			g->n_idle++;
		}
		procs_read(&ret->procs);
		struct procs before = ret->procs;
		int64_t own_us = procs_own_us();
		g->start_us = clk_mono_us();
		r = loop(g);
		ret->took_us = clk_mono_us() - g->start_us;
		ret->own_cpu_us = procs_own_us() - own_us;
		procs_since(&ret->procs, &before);
		qsort(ret->latency_us, ret->accepted, sizeof ret->latency_us[0], by_value);
	}
	if (g)
		(void) http_close(g->http);
	free(g);
	if (r < 0)
		volley_free(ret);
	return err_trace(r);
}

void volley_free(struct volley *v)
{
	free(v->latency_us);
	v->latency_us = NULL;
}
