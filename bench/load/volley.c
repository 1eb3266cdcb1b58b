#include "volley.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "clk.h"
#include "err.h"

enum { LAST_ANSWERS_MS = 30000 /* longer than nginx waits for anything */, OPENING_MS = 300 };

struct gun {
	const struct volley_conf *conf;
	const struct shots *shots;
	struct volley *v;
	struct http *http;
	int64_t start_us;
	size_t next;
	size_t idle[HTTP_CONNECTIONS_MAX], idle_first, n_idle; /* a ring: each connection has its turn, as players have */
	size_t shot[HTTP_CONNECTIONS_MAX];     /* what each connection sent */
	int64_t from_us[HTTP_CONNECTIONS_MAX]; /* what its latency counts from */
	int64_t second; /* up to which the processes were looked at */
	int failed;
};

static uint8_t code_of(struct volley *v, const char *code, size_t n, unsigned status)
{
	for (uint8_t i = 1; i < VOLLEY_CODES_MAX && n < VOLLEY_CODE_SIZE; i++) {
		bool is_free = v->codes[i].code[0] == '\0';
		if (!is_free && (strncmp(v->codes[i].code, code, n) != 0 || v->codes[i].code[n] != '\0'))
			continue;
		if (is_free) {
			memcpy(v->codes[i].code, code, n);
			v->codes[i].status = status;
		}
		return i;
	}
	return VOLLEY_CODES_MAX - 1;
}

static uint8_t code_of_reply(struct volley *v, const struct http_reply *reply)
{
	static const char mark[] = "\"code\":";
	char status[VOLLEY_CODE_SIZE];
	if (reply->status == 202)
		return code_of(v, "accepted", strlen("accepted"), reply->status);
	const char *at = strstr(reply->body, mark);
	if (at) {
		at += sizeof mark - 1;
		at += strspn(at, " \"");
		return code_of(v, at, strcspn(at, "\""), reply->status);
	}
	int n = snprintf(status, sizeof status, reply->status ? "%u" : "lost", reply->status);
	return code_of(v, status, (size_t) n, reply->status);
}

static void note(struct gun *g, size_t conn, const struct http_reply *reply)
{
	struct volley *v = g->v;
	int64_t now_us = clk_mono_us(), second = (now_us - g->start_us) / 1000000;
	v->answers[g->shot[conn]] = (struct answer){ .latency_us = (uint32_t) (now_us - g->from_us[conn]),
		.code = code_of_reply(v, reply) };
	v->answered++;
	if ((reply->status == 429 || reply->status == 503) && !reply->retry_after)
		v->without_retry_after++;
	if (reply->status != 202)
		return;
	v->accepted++;
	if (second >= 0 && second < VOLLEY_SECONDS_MAX)
		v->seconds[second].accepted++;
}

static int64_t due_us(const struct gun *g, size_t k)
{
	return g->start_us + plan_due_us(g->conf->plan, k);
}

static void idle_push(struct gun *g, size_t conn)
{
	g->idle[(g->idle_first + g->n_idle++) % HTTP_CONNECTIONS_MAX] = conn;
}

static size_t idle_take(struct gun *g)
{
	size_t conn = g->idle[g->idle_first];
	g->idle_first = (g->idle_first + 1) % HTTP_CONNECTIONS_MAX;
	g->n_idle--;
	return conn;
}

static int fire(struct gun *g, size_t conn)
{
	const struct shot *s = &g->shots->v[g->next];
	g->from_us[conn] = g->conf->plan ? due_us(g, g->next) : clk_mono_us();
	g->shot[conn] = g->next++;
	g->v->sent++;
	return http_send(g->http, conn, s->request, s->n);
}

/* Nothing more is sent. */
static bool spent(const struct gun *g)
{
	return g->next == g->shots->n || *g->conf->ends;
}

static void answered(void *u, size_t conn, const struct http_reply *reply)
{
	struct gun *g = u;
	note(g, conn, reply);
	if (reply->status == 202 && g->conf->told)
		(void) fprintf(g->conf->told, "%.*s\n", (int) reply->n, reply->body);
	if (g->conf->plan || spent(g)) {
		idle_push(g, conn);
		return;
	}
	int r = fire(g, conn);
	if (g->failed == 0)
		g->failed = r;
}

static bool may_fire(const struct gun *g)
{
	return g->n_idle > 0 && !spent(g);
}

static int64_t wait_us(const struct gun *g)
{
	const int64_t most = 100000;
	if (!g->conf->plan || !may_fire(g))
		return most;
	int64_t until = due_us(g, g->next) - clk_mono_us();
	return until < 0 ? 0 : until < most ? until : most;
}

/* Once a second. */
static void look_at_process(struct gun *g)
{
	int64_t second = (clk_mono_us() - g->start_us) / 1000000;
	if (second < g->second || second >= VOLLEY_SECONDS_MAX || g->v->procs.n == 0)
		return;
	g->second = second + 1;
	g->v->seconds[second].resident_kb = proc_resident_kb(g->v->procs.v[0].pid);
	g->v->seconds[second].descriptors = proc_descriptors(g->v->procs.v[0].pid);
}

static int loop(struct gun *g)
{
	int64_t gives_up_ms = INT64_MAX;
	int r = 0;
	while (r == 0 && g->failed == 0 && !(spent(g) && g->v->answered == g->v->sent)) {
		while (r == 0 && may_fire(g) && (!g->conf->plan || due_us(g, g->next) <= clk_mono_us()))
			r = fire(g, idle_take(g));
		if (r == 0)
			r = http_turn(g->http, wait_us(g));
		look_at_process(g);
		if (spent(g) && gives_up_ms == INT64_MAX)
			gives_up_ms = clk_mono_ms() + LAST_ANSWERS_MS;
		if (clk_mono_ms() > gives_up_ms)
			return 0; /* what is unanswered stays counted as sent only */
	}
	return r < 0 ? r : g->failed;
}

static void procs_since(struct procs *p, const struct procs *before)
{
	procs_read(p);
	for (size_t i = 0; i < p->n; i++)
		p->v[i].cpu_us -= before->v[i].cpu_us;
}

/* A server takes a connection that says nothing for long for a dead one: they are opened right before they are needed. */
static int open_in_time(struct gun *g)
{
	int64_t wait_ms = g->conf->start_ms - clk_now_ms();
	if (wait_ms > OPENING_MS)
		(void) clk_sleep_until_ms(clk_mono_ms() + wait_ms - OPENING_MS);
	int r = http_open(&g->http, &g->conf->http, answered, g);
	wait_ms = g->conf->start_ms - clk_now_ms();
	if (wait_ms > 0)
		(void) clk_sleep_until_ms(clk_mono_ms() + wait_ms);
	return err_trace(r);
}

static int shoot(struct gun *g)
{
	struct volley *v = g->v;
	for (size_t i = 0; i < g->conf->http.connections; i++)
		idle_push(g, i);
	procs_read(&v->procs);
	struct procs before = v->procs;
	int64_t own_us = procs_own_us();
	g->start_us = clk_mono_us();
	int r = loop(g);
	v->n = v->sent;
	v->took_us = clk_mono_us() - g->start_us;
	v->own_cpu_us = procs_own_us() - own_us;
	procs_since(&v->procs, &before);
	return r;
}

int volley_run(struct volley *ret, const struct volley_conf *conf, const struct shots *shots, const struct procs *procs)
{
	*ret = (struct volley){ .procs = *procs, .n = shots->n };
	struct gun *g = calloc(1, sizeof *g);
	ret->answers = calloc(shots->n, sizeof *ret->answers);
	int r = g && ret->answers ? 0 : -ENOMEM;
	if (r == 0) {
		*g = (struct gun){ .conf = conf, .shots = shots, .v = ret };
		r = open_in_time(g);
	}
	if (r == 0)
		r = shoot(g);
	if (g)
		(void) http_close(g->http);
	free(g);
	if (r < 0)
		volley_free(ret);
	return err_trace(r);
}

void volley_free(struct volley *v)
{
	free(v->answers);
	v->answers = NULL;
}
