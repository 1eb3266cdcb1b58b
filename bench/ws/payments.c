#include "payments.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bet.h"
#include "clk.h"
#include "err.h"
#include "hex.h"
#include "http.h"
#include "money.h"
#include "rnd.h"
#include "sig.h"

enum { CONNECTIONS = 16, REQUEST_MAX = 1536 };

struct payments {
	const struct player *players;
	size_t n, sent, answered, errors;
	int64_t every_us, from_us;
	struct http *http;
	bool busy[CONNECTIONS];
	size_t player[CONNECTIONS];
	char request[CONNECTIONS][REQUEST_MAX];
	bool *admitted;
};

static void uuid(char out[37])
{
	uint8_t b[16];
	char hex[33] = "";
	rnd_bytes(b, sizeof b);
	b[6] = (uint8_t) ((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t) ((b[8] & 0x3f) | 0x80);
	hex_encode(hex, b, sizeof b);
	(void) snprintf(out, 37, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

static int send_one(struct payments *p, size_t conn)
{
	const struct player *who = &p->players[p->sent];
	char nonce[37], text[512], body[1024], hex[2 * SIG_SIZE + 3] = "0x";
	struct sig sig;
	long long now_s = clk_now_ms() / 1000;
	uuid(nonce);
	int n = snprintf(text, sizeof text, "Tap Trading Withdrawal\nAction: withdraw\nAmount: %d\nTo: %s\nNonce: %s\n"
			"Timestamp: %lld\nChain: 1\nVersion: 1", MICROS_PER_USD, who->text, nonce, now_s);
	if (sig_sign(&sig, who->secret, text, (size_t) n) != 0)
		return err_say(-EIO, "a withdrawal cannot be signed");
	hex_encode(hex + 2, sig.b, SIG_SIZE);
	n = snprintf(body, sizeof body, "{\"wallet\":\"%s\",\"amount\":%d,\"to\":\"%s\",\"nonce\":\"%s\",\"timestamp\":%lld,"
			"\"chain_id\":1,\"version\":1,\"signature\":\"%s\"}", who->text, MICROS_PER_USD, who->text, nonce, now_s, hex);
	n = snprintf(p->request[conn], REQUEST_MAX, "POST /api/v1/withdrawals HTTP/1.1\r\nHost: bench\r\n"
			"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", n, body);
	p->busy[conn] = true;
	p->player[conn] = p->sent++;
	return http_send(p->http, conn, p->request[conn], (size_t) n);
}

static void answered(void *u, size_t conn, const struct http_reply *reply)
{
	struct payments *p = u;
	p->busy[conn] = false;
	p->answered++;
	p->admitted[p->player[conn]] = reply->status == 202;
	if (reply->status == 202)
		return;
	if (p->errors++ == 0)
		(void) fprintf(stderr, "bench-ws: a withdrawal: %u %.300s\n", reply->status, reply->body ? reply->body : "");
}

int payments_turn(struct payments *p)
{
	int64_t due = (clk_mono_us() - p->from_us) / p->every_us;
	for (size_t i = 0; i < CONNECTIONS && p->sent < p->n && (int64_t) p->sent < due; i++) {
		int r = p->busy[i] ? 0 : send_one(p, i);
		if (r < 0)
			return r;
	}
	return http_turn(p->http, 0);
}

int payments_open(struct payments **ret, const char *api, const struct player *players, size_t n, int64_t every_us)
{
	struct payments *p = calloc(1, sizeof *p);
	if (!p)
		return -ENOMEM;
	*p = (struct payments){ .players = players, .n = n, .every_us = every_us, .from_us = clk_mono_us() };
	p->admitted = calloc(n, sizeof *p->admitted);
	int r = p->admitted ? http_open(&p->http, &(struct http_conf){ .to = api, .connections = CONNECTIONS }, answered, p) : -ENOMEM;
	if (r < 0) {
		(void) payments_close(p);
		return r;
	}
	*ret = p;
	return 0;
}

struct payments *payments_close(struct payments *p)
{
	if (!p)
		return NULL;
	(void) http_close(p->http);
	free(p->admitted);
	free(p);
	return NULL;
}

bool payments_done(const struct payments *p)
{
	return p->answered == p->n;
}

bool payments_admitted(const struct payments *p, size_t player)
{
	return player < p->n && p->admitted[player];
}

size_t payments_errors(const struct payments *p)
{
	return p->errors;
}

size_t payments_sent(const struct payments *p)
{
	return p->sent;
}
