#include "players.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "clk.h"
#include "err.h"
#include "hex.h"
#include "http.h"
#include "json.h"
#include "rnd.h"
#include "sig.h"

enum { LOGIN_SECONDS_MAX = 120, REQUEST_MAX = 8192 };

/* What one connection does: a challenge, then the login of the same player. */
struct step {
	size_t player;
	bool challenged;
	char request[REQUEST_MAX];
	size_t n;
};

struct logins {
	struct player *players;
	size_t n, next, done;
	struct http *http;
	struct step *steps;
	int failed; /* the first error */
};

static int player_make(struct player *p)
{
	rnd_bytes(p->secret, sizeof p->secret); /* out of the curve's range once in 2^128 */
	if (sig_address(&p->wallet, p->secret) != 0)
		return err_say(-EIO, "no address for a random key");
	wallet_format(p->text, &p->wallet);
	return 0;
}

static int post(struct logins *l, size_t conn, const char *path, struct buf *body)
{
	struct step *s = &l->steps[conn];
	int n = snprintf(s->request, sizeof s->request,
			"POST /api/v1/auth/%s HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
			"Content-Length: %zu\r\n\r\n%s", path, body->n, body->p);
	if (body->failed || n < 0 || (size_t) n >= sizeof s->request)
		return err_say(-EMSGSIZE, "a login does not fit");
	s->n = (size_t) n;
	return http_send(l->http, conn, s->request, s->n);
}

static int ask_challenge(struct logins *l, size_t conn)
{
	struct buf body = BUF_INIT(REQUEST_MAX);
	l->steps[conn].challenged = false;
	buf_printf(&body, "{\"wallet\":\"%s\"}", l->players[l->steps[conn].player].text);
	int r = post(l, conn, "challenge", &body);
	buf_free(&body);
	return err_trace(r);
}

static int next_player(struct logins *l, size_t conn)
{
	if (l->next == l->n)
		return 0;
	l->steps[conn].player = l->next++;
	return ask_challenge(l, conn);
}

static int log_in(struct logins *l, size_t conn, const char *message, size_t n)
{
	struct sig sig;
	char hex[2 * SIG_SIZE + 3] = "0x";
	struct buf body = BUF_INIT(REQUEST_MAX);
	struct json_out w;
	if (sig_sign(&sig, l->players[l->steps[conn].player].secret, message, n) != 0)
		return err_say(-EIO, "a challenge cannot be signed");
	hex_encode(hex + 2, sig.b, SIG_SIZE);
	jw_begin(&w, &body);
	jw_object(&w, NULL);
	jw_str(&w, "message", message);
	jw_str(&w, "signature", hex);
	jw_end_object(&w);
	l->steps[conn].challenged = true;
	int r = post(l, conn, "login", &body);
	buf_free(&body);
	return err_trace(r);
}

static int take_challenge(struct logins *l, size_t conn, const struct http_reply *reply)
{
	_cleanup_(json_freep) struct json *j = NULL;
	const char *why = "";
	size_t n;
	if (reply->status != 200 || json_parse(&j, reply->body, reply->n, &why) != 0)
		return err_say(-EPROTO, "challenge: status %u %s %.200s", reply->status, why, reply->body);
	const char *message = json_string(json_get(json_root(j), "message"), &n);
	if (!message)
		return err_say(-EPROTO, "challenge: no message");
	return log_in(l, conn, message, n);
}

static int take_token(struct logins *l, size_t conn, const struct http_reply *reply)
{
	_cleanup_(json_freep) struct json *j = NULL;
	const char *why = "", *token = NULL;
	size_t n = 0;
	if (reply->status == 201 && json_parse(&j, reply->body, reply->n, &why) == 0)
		token = json_string(json_get(json_root(j), "session_token"), &n);
	if (!token || n >= PLAYER_TOKEN_SIZE)
		return err_say(-EPROTO, "login: status %u %s %.200s", reply->status, why, reply->body);
	memcpy(l->players[l->steps[conn].player].token, token, n + 1);
	l->done++;
	return next_player(l, conn);
}

static void answered(void *u, size_t conn, const struct http_reply *reply)
{
	struct logins *l = u;
	int r;
	if (reply->status == 0 || reply->status == 503)
		r = ask_challenge(l, conn); /* it was killed, and is coming back */
	else
		r = l->steps[conn].challenged ? take_token(l, conn, reply) : take_challenge(l, conn, reply);
	if (l->failed == 0)
		l->failed = r;
}

static int log_all_in(struct logins *l, size_t connections)
{
	int64_t until = clk_mono_ms() + LOGIN_SECONDS_MAX * 1000;
	int r = 0;
	for (size_t i = 0; i < connections && r == 0; i++)
		r = next_player(l, i);
	while (r == 0 && l->failed == 0 && l->done < l->n) {
		if (clk_mono_ms() > until)
			return err_say(-ETIMEDOUT, "%zu of %zu players signed in", l->done, l->n);
		r = http_turn(l->http, 100000);
	}
	return r < 0 ? r : l->failed;
}

int players_new(struct player **ret, size_t n, const char *api, size_t connections)
{
	if (connections > n)
		connections = n;
	struct logins l = { .n = n };
	l.players = calloc(n, sizeof *l.players);
	l.steps = calloc(connections, sizeof *l.steps);
	int r = l.players && l.steps ? 0 : -ENOMEM;
	for (size_t i = 0; i < n && r == 0; i++)
		r = player_make(&l.players[i]);
	if (r == 0)
		r = http_open(&l.http, &(struct http_conf){ .to = api, .connections = connections }, answered, &l);
	if (r == 0)
		r = log_all_in(&l, connections);
	(void) http_close(l.http);
	free(l.steps);
	if (r < 0) {
		free(l.players);
		return err_trace(r);
	}
	*ret = l.players;
	return 0;
}
