/* The ws daemon's parts against a real Redis: what players see, in which order, and how each connection ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdbool.h>

#include "auth.h"
#include "history.h"
#include "msg.h"
#include "../support/redis_server.h"
#include "ws.h"

enum { TEXT = 1, CLOSE = 8, PING = 9, ENDED = -1, FRAME_MAX = 70000 };

static struct redis_server redis;
static struct settings settings;
static struct bus_conf bus_conf;
static struct bus *bus;
static struct ws *ws;

/* --- a player on a raw socket, so that every close code is seen as it was sent --- */

struct guest {
	int fd;
	size_t n;
	char in[1 << 18];
	char text[FRAME_MAX]; /* the newest frame's payload */
	unsigned code;        /* of a close frame */
	int64_t seqs[256];
	size_t n_seqs;
};

static void turn(void)
{
	assert_int_equal(ws_turn(ws, 5), 0);
}

static void turn_for(int ms)
{
	for (int64_t until = clk_mono_ms() + ms; clk_mono_ms() < until;)
		turn();
}

static void pull(struct guest *g, bool *ended)
{
	ssize_t n = recv(g->fd, g->in + g->n, sizeof g->in - g->n, MSG_DONTWAIT);
	*ended = n == 0 || (n < 0 && errno != EAGAIN);
	g->n += n > 0 ? (size_t) n : 0;
}

/* Takes one whole frame off the front: its opcode, or 0 when there is none yet. */
static int take(struct guest *g)
{
	const uint8_t *p = (const uint8_t *) g->in;
	size_t head = 2, n = g->n >= 2 ? p[1] & 127u : 0;
	if (g->n < 2)
		return 0;
	if (n == 126) {
		head = 4;
		n = g->n >= 4 ? (size_t) p[2] << 8 | p[3] : SIZE_MAX / 2;
	} else if (n == 127) {
		head = 10;
		n = g->n >= 10 ? (size_t) be64_get(p + 2) : SIZE_MAX / 2;
	}
	if (g->n < head + n)
		return 0;
	assert_true(n < FRAME_MAX);
	assert_int_equal(p[0] & 0x70, 0); /* no extension was agreed on */
	int opcode = p[0] & 15;
	memcpy(g->text, g->in + head, n);
	g->text[n] = '\0';
	if (opcode == CLOSE)
		g->code = n >= 2 ? (unsigned) (uint8_t) g->text[0] << 8 | (uint8_t) g->text[1] : 1005;
	memmove(g->in, g->in + head + n, g->n - head - n);
	g->n -= head + n;
	return opcode;
}

/* The next frame that is no ping, while the daemon turns; ENDED when the connection is. */
static int next(struct guest *g, int limit_ms)
{
	bool ended = false;
	for (int64_t until = clk_mono_ms() + limit_ms;;) {
		int opcode = take(g);
		if (opcode == TEXT || opcode == CLOSE)
			return opcode;
		if (opcode)
			continue;
		if (ended)
			return ENDED;
		if (clk_mono_ms() >= until)
			return 0;
		turn();
		pull(g, &ended);
	}
}

static bool is_type(const char *text, const char *type)
{
	char head[64];
	(void) snprintf(head, sizeof head, "{\"type\":\"%s\"", type);
	return strncmp(text, head, strlen(head)) == 0;
}

/* The next frame of the type; others are passed over. */
static void expect(struct guest *g, const char *type)
{
	for (int64_t until = clk_mono_ms() + 20000; clk_mono_ms() < until;) {
		int opcode = next(g, 20000);
		if (opcode == TEXT && is_type(g->text, type))
			return;
		if (opcode != TEXT)
			fail_msg("waiting for %s: opcode %d, code %u", type, opcode, g->code);
	}
	fail_msg("no %s", type);
}

/* The next price that is this one: of those before it, as many as the guest had time for came too. */
static void expect_price(struct guest *g, int64_t cents)
{
	char want[48];
	(void) snprintf(want, sizeof want, "\"p\":%lld}", (long long) cents);
	do
		expect(g, "price");
	while (!strstr(g->text, want));
}

static unsigned expect_close(struct guest *g)
{
	for (;;) {
		int opcode = next(g, 20000);
		if (opcode == CLOSE)
			return g->code;
		if (opcode != TEXT)
			return 0;
	}
}

/* Collects seqs of the player's events until n are there or it is quiet. */
static void collect(struct guest *g, size_t n)
{
	g->n_seqs = 0;
	while (g->n_seqs < n && next(g, 1500) == TEXT) {
		int64_t seq = is_type(g->text, "balance") ? msg_seq(g->text, strlen(g->text)) : 0;
		if (seq)
			g->seqs[g->n_seqs++] = seq;
	}
}

static void send_frame(struct guest *g, unsigned opcode, const char *p, size_t n)
{
	static const uint8_t mask[4] = { 9, 8, 7, 6 };
	uint8_t out[8192];
	size_t at = 0;
	out[at++] = (uint8_t) (0x80 | opcode);
	if (n < 126)
		out[at++] = (uint8_t) (0x80 | n);
	else {
		out[at++] = 0x80 | 126;
		out[at++] = (uint8_t) (n >> 8);
		out[at++] = (uint8_t) n;
	}
	memcpy(out + at, mask, 4);
	at += 4;
	for (size_t i = 0; i < n; i++)
		out[at++] = (uint8_t) p[i] ^ mask[i % 4];
	assert_int_equal(send(g->fd, out, at, MSG_NOSIGNAL), (ssize_t) at);
}

static void say(struct guest *g, const char *text)
{
	send_frame(g, TEXT, text, strlen(text));
}

/* The handshake's status. */
static unsigned knock(struct guest *g, const char *more)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(ws_port(ws)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	char head[1024];
	int small = 8192;
	memset(g, 0, sizeof *g);
	g->fd = socket(AF_INET, SOCK_STREAM, 0);
	(void) setsockopt(g->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
	assert_int_equal(connect(g->fd, (struct sockaddr *) &to, sizeof to), 0);
	(void) snprintf(head, sizeof head, "GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n", more);
	assert_int_equal(send(g->fd, head, strlen(head), MSG_NOSIGNAL), (ssize_t) strlen(head));
	bool ended = false;
	char *end;
	for (int64_t until = clk_mono_ms() + 20000; !(end = memmem(g->in, g->n, "\r\n\r\n", 4)); turn()) {
		assert_true(clk_mono_ms() < until && !ended);
		pull(g, &ended);
	}
	unsigned status = 0;
	assert_int_equal(sscanf(g->in, "HTTP/1.1 %u", &status), 1);
	size_t head_n = (size_t) (end - g->in) + 4;
	memmove(g->in, g->in + head_n, g->n - head_n);
	g->n -= head_n;
	return status;
}

static void leave(struct guest *g)
{
	(void) close(g->fd);
}

/* --- the other side: what the api, the resolver and ingest do --- */

static void flush_bus(void)
{
	assert_int_equal(bus_flush(bus), 0);
}

static void publish(const char *channel, const char *text)
{
	const struct bus_reply *r;
	assert_int_equal(bus_command(bus, &r, "PUBLISH %s %s", channel, text), 0);
}

static void publish_price(int64_t p_cents)
{
	struct buf b = BUF_INIT(MSG_EVENT_MAX);
	msg_price(&b, &(struct tick){ .t_ms = clk_now_ms(), .p_cents = p_cents });
	publish(CHANNEL_PRICE, b.p);
	buf_free(&b);
}

static void publish_grid(int64_t id)
{
	static struct quote_grid g = { .columns = GRID_COLUMNS_MAX, .rows = GRID_ROWS_MAX, .row_cents = 2000 };
	struct buf b = BUF_INIT(MSG_GRID_MAX);
	g.quote_id = id;
	g.t_ms = clk_now_ms();
	msg_grid(&b, &g);
	publish(CHANNEL_GRID, b.p);
	buf_free(&b);
}

static struct account account_of(uint8_t who, int64_t seq)
{
	struct account a = { .user = who, .balance = money_of(1000 + seq), .seq = seq };
	uint8_t secret[32] = { [31] = who };
	assert_int_equal(sig_address(&a.wallet, secret), 0);
	return a;
}

/* Announces the wallet's event of this seq, as the api does after a commit. */
static void announce(uint8_t who, int64_t seq)
{
	struct account a = account_of(who, seq);
	struct buf b = BUF_INIT(MSG_EVENT_MAX);
	msg_balance(&b, &a, LEDGER_DEPOSIT);
	assert_int_equal(msg_announce(bus, &a, &b), 0);
	flush_bus();
	buf_free(&b);
}

/* A session by the real way: challenge, signature, login. lasts_ms: of its 24 h. */
static struct auth_session sign_in(uint8_t who, int64_t seq, int64_t lasts_ms)
{
	struct account a = account_of(who, seq);
	struct auth_session s;
	struct buf text = BUF_INIT(AUTH_TEXT_MAX);
	uint8_t secret[32] = { [31] = who };
	struct sig sig;
	int64_t expires_ms, now_ms = clk_now_ms();
	assert_int_equal(auth_challenge(bus, &settings, &a.wallet, NULL, now_ms, &text, &expires_ms), 0);
	assert_int_equal(sig_sign(&sig, secret, text.p, text.n), 0);
	assert_int_equal(auth_check(bus, text.p, text.n, &sig, NULL, &s), 0);
	int64_t at_ms = now_ms + lasts_ms - (int64_t) AUTH_SESSION_S * 1000;
	assert_int_equal(auth_login(bus, text.p, text.n, at_ms, &s), 0);
	assert_int_equal(msg_announce(bus, &a, NULL), 0);
	flush_bus();
	buf_free(&text);
	return s;
}

static void say_auth(struct guest *g, const char *token)
{
	char text[256];
	(void) snprintf(text, sizeof text, "{\"type\":\"auth\",\"token\":\"%s\"}", token);
	say(g, text);
}

static void join_as(struct guest *g, const struct auth_session *s)
{
	assert_int_equal(knock(g, ""), 101);
	say_auth(g, s->token);
	expect(g, "auth:ok");
}

static void await_redis(void)
{
	struct buf b = BUF_INIT(1 << 16);
	for (int64_t until = clk_mono_ms() + 20000;; turn()) {
		buf_clear(&b);
		ws_metrics(&b, ws);
		if (strstr(b.p, "tap_redis_up 1"))
			break;
		assert_true(clk_mono_ms() < until);
	}
	buf_free(&b);
}

static void await_metric(const char *line)
{
	struct buf b = BUF_INIT(1 << 16);
	for (int64_t until = clk_mono_ms() + 20000;; turn()) {
		buf_clear(&b);
		ws_metrics(&b, ws);
		if (strstr(b.p, line))
			break;
		if (clk_mono_ms() > until)
			fail_msg("no %s in\n%s", line, b.p);
	}
	buf_free(&b);
}

static int set_up(void **state)
{
	(void) state;
	char *env[] = { "TAP_WS_LISTEN=127.0.0.1:0", "TAP_WS_PER_ADDRESS=2", "TAP_WS_CONNECTIONS=50",
		"TAP_ALLOWED_ORIGINS=http://play.example,https://other.example", NULL };
	assert_int_equal(settings_load(&settings, env, stderr), 0);
	assert_int_equal(sig_init(), 0);
	assert_true(redis_server_start(&redis));
	bus_conf = (struct bus_conf){ .address = redis.address, .user = "", .password = "", .timeout_ms = 500 };
	assert_int_equal(bus_open(&bus, &bus_conf), 0);
	assert_int_equal(ws_open(&ws, &settings, &bus_conf, -1), 0);
	await_redis();
	return 0;
}

static int tear_down(void **state)
{
	(void) state;
	ws_drain(ws);
	ws = ws_close(ws);
	bus = bus_close(bus);
	redis_server_stop(&redis);
	return 0;
}

/* --- tests --- */

static struct guest a, b, c; /* large: not on the stack */

static void a_guest_is_greeted_and_shown_the_boards(void **state)
{
	(void) state;
	assert_int_equal(knock(&a, "Origin: https://other.example\r\n"), 101);
	assert_int_equal(next(&a, 10000), TEXT);
	assert_true(is_type(a.text, "hello"));
	assert_non_null(strstr(a.text, "\"constants\":{\"column_seconds\":5"));
	assert_int_equal(next(&a, 10000), TEXT);
	assert_string_equal(a.text, "{\"type\":\"system:status\",\"price_feed\":\"critical\",\"betting\":false}");
	/* ingest before its first tick, and after it */
	publish(CHANNEL_STATUS, "{\"type\":\"system:status\",\"price_feed\":\"critical\",\"betting\":false}");
	publish_price(9741233);
	publish(CHANNEL_STATUS, "{\"type\":\"system:status\",\"price_feed\":\"healthy\",\"betting\":true}");
	expect(&a, "system:status"); /* the first tick heals */
	assert_string_equal(a.text, "{\"type\":\"system:status\",\"price_feed\":\"healthy\",\"betting\":true}");
	publish_price(9741234);
	expect_price(&a, 9741234);
	publish_grid(77);
	expect(&a, "grid");
	assert_non_null(strstr(a.text, "\"quote_id\":77,"));
	/* the worse of two: ingest knows of sick venues what we cannot hear */
	publish(CHANNEL_STATUS, "{\"type\":\"system:status\",\"price_feed\":\"degraded\",\"betting\":true}");
	expect(&a, "system:status");
	assert_string_equal(a.text, "{\"type\":\"system:status\",\"price_feed\":\"degraded\",\"betting\":true}");
	publish(CHANNEL_STATUS, "{\"type\":\"system:status\",\"price_feed\":\"degraded\",\"betting\":true}");
	publish(CHANNEL_PRICE, "nonsense");
	publish_price(9741300);
	assert_int_equal(next(&a, 10000), TEXT); /* said once */
	assert_true(is_type(a.text, "price"));
	/* who comes later is told the same, in this order */
	static const char *const order[] = { "hello", "system:status", "price", "grid" };
	assert_int_equal(knock(&b, ""), 101);
	for (size_t i = 0; i < ARRAY_LEN(order); i++) {
		assert_int_equal(next(&b, 10000), TEXT);
		assert_true(is_type(b.text, order[i]));
	}
	assert_non_null(strstr(b.text, "\"quote_id\":77,"));
	leave(&a);
	leave(&b);
	await_metric("tap_ws_connections 0\n");
	assert_int_equal(knock(&a, "Origin: https://evil.example\r\n"), 403);
	leave(&a);
}

static void a_silent_feed_is_told(void **state)
{
	(void) state;
	publish(CHANNEL_STATUS, "{\"type\":\"system:status\",\"price_feed\":\"healthy\",\"betting\":true}");
	assert_int_equal(knock(&a, ""), 101);
	publish_price(100);
	expect(&a, "price");
	int64_t from = clk_mono_ms();
	expect(&a, "system:status");
	assert_string_equal(a.text, "{\"type\":\"system:status\",\"price_feed\":\"degraded\",\"betting\":true}");
	assert_in_range(clk_mono_ms() - from, 2500, 20000);
	assert_int_equal(next(&a, 20000), TEXT);
	assert_string_equal(a.text, "{\"type\":\"system:status\",\"price_feed\":\"critical\",\"betting\":false}");
	publish_price(101);
	assert_int_equal(next(&a, 10000), TEXT);
	assert_true(is_type(a.text, "price")); /* ingest's word from before the silence opens nothing */
	leave(&a);
}

/* The guest's status becomes this; until then it is said on the channel, or a price is when none is named: a daemon that has only
 * begun may not hear the first. */
static void await_status(const char *text, const char *channel)
{
	for (int64_t until = clk_mono_ms() + 20000; clk_mono_ms() < until;) {
		if (channel)
			publish(channel, text);
		else
			publish_price(100);
		int opcode = next(&a, 500);
		if (opcode == TEXT && strcmp(a.text, text) == 0)
			return;
		assert_true(opcode == TEXT || opcode == 0);
	}
	fail_msg("the status did not become %s", text);
}

/* Redis was gone for longer than a word lives: what was closed is not open because nobody says so any more. */
static void a_word_that_closed_stands_until_the_next(void **state)
{
	(void) state;
	assert_int_equal(knock(&a, ""), 101);
	/* a first tick opens; so it is seen that the word came, which is said again as ingest does */
	await_status("{\"type\":\"system:status\",\"price_feed\":\"healthy\",\"betting\":true}", NULL);
	await_status("{\"type\":\"system:status\",\"price_feed\":\"critical\",\"betting\":false}", CHANNEL_STATUS);
	for (int64_t until = clk_mono_ms() + 4500; clk_mono_ms() < until;) {
		publish_price(100);
		if (next(&a, 100) == TEXT && is_type(a.text, "system:status"))
			assert_string_equal(a.text, "{\"type\":\"system:status\",\"price_feed\":\"critical\",\"betting\":false}");
	}
	leave(&a);
}

static void own_events_come_in_order(void **state)
{
	(void) state;
	struct auth_session one = sign_in(1, 3, 60000), two = sign_in(2, 0, 60000);
	join_as(&a, &one);
	struct buf expected = BUF_INIT(MSG_EVENT_MAX);
	msg_auth_ok(&expected, &one.wallet, 3, money_of(1003));
	assert_string_equal(a.text, expected.p);
	buf_free(&expected);
	join_as(&b, &one);
	join_as(&c, &two);
	announce(1, 4);
	announce(1, 6); /* the api and the resolver crossed */
	announce(1, 7);
	announce(1, 5);
	announce(1, 5);
	static const int64_t in_order[] = { 4, 5, 6, 7 };
	collect(&a, 4);
	assert_memory_equal(a.seqs, in_order, sizeof in_order);
	collect(&b, 4);
	assert_memory_equal(b.seqs, in_order, sizeof in_order);
	/* one that is lost is waited for, then given up; if it comes after all it is too late */
	int64_t from = clk_mono_ms();
	announce(1, 9);
	collect(&a, 1);
	assert_int_equal(a.seqs[0], 9);
	assert_in_range(clk_mono_ms() - from, 400, 20000);
	announce(1, 8);
	announce(1, 10);
	collect(&a, 1);
	assert_int_equal(a.seqs[0], 10);
	/* bet:failed has no seq and does not wait */
	struct buf failed = BUF_INIT(MSG_EVENT_MAX);
	struct cell cell = { .t0_s = 1000, .low_cents = 2000, .high_cents = 4000 };
	char channel[KEY_MAX];
	msg_bet_failed(&failed, &cell, (const uint8_t[NONCE_SIZE]){ 0 }, "quote_changed");
	publish(key_user_events(channel, &one.wallet), failed.p);
	expect(&a, "bet:failed");
	assert_string_equal(a.text, failed.p);
	buf_free(&failed);
	/* none of it was the other's */
	announce(2, 1);
	collect(&c, 1);
	assert_int_equal(c.n_seqs, 1);
	assert_int_equal(c.seqs[0], 1);
	/* a third socket starts where the cache stands */
	leave(&b);
	join_as(&b, &one);
	assert_non_null(strstr(b.text, "\"seq\":10,\"balance\":1010}"));
	announce(1, 11);
	collect(&b, 1);
	assert_int_equal(b.seqs[0], 11);
	leave(&a);
	leave(&b);
	leave(&c);
}

static void joining_amid_events_loses_none(void **state)
{
	(void) state;
	struct auth_session one = sign_in(1, 0, 60000);
	int64_t seq = 0;
	for (int round = 0; round < 30; round++) {
		assert_int_equal(knock(&a, ""), 101);
		say_auth(&a, one.token);
		int64_t start = -1, expected = 0;
		for (int i = 0; i < 6; i++) {
			announce(1, ++seq);
			turn_for(round % 4);
		}
		while (expected < seq || start < 0) {
			assert_int_equal(next(&a, 3000), TEXT);
			if (is_type(a.text, "auth:ok")) {
				start = expected = msg_seq(a.text, strlen(a.text));
			} else if (is_type(a.text, "balance")) {
				assert_true(start >= 0);
				assert_int_equal(msg_seq(a.text, strlen(a.text)), ++expected);
			}
		}
		leave(&a);
	}
}

static void frames_are_judged(void **state)
{
	(void) state;
	assert_int_equal(knock(&a, ""), 101);
	say(&a, "{\"type\":\"ping\"}");
	expect(&a, "pong");
	static const char *const malformed[] = { "", "x", "[]", "{}", "{\"type\":1}", "{\"type\":\"ping\"", "\"ping\"",
		"{\"type\":\"ping\",\"type\":\"ping\"}" };
	for (size_t i = 0; i < ARRAY_LEN(malformed); i++) {
		say(&a, malformed[i]);
		expect(&a, "error");
		assert_string_equal(a.text, "{\"type\":\"error\",\"code\":\"malformed_request\"}");
	}
	say(&a, "{\"type\":\"bet\"}");
	expect(&a, "error");
	assert_string_equal(a.text, "{\"type\":\"error\",\"code\":\"unknown_type\"}");
	static const char *const no_auth[] = { "{\"type\":\"auth\"}", "{\"type\":\"auth\",\"token\":7}",
		"{\"type\":\"auth\",\"token\":\"\"}", "{\"type\":\"auth\",\"token\":\"none\"}",
		"{\"type\":\"auth\",\"token\":\"0123456789012345678901234567890123456789012345678901234567890123\"}" };
	for (size_t i = 0; i < ARRAY_LEN(no_auth); i++) {
		say(&a, no_auth[i]);
		expect(&a, "auth:failed");
		assert_string_equal(a.text, "{\"type\":\"auth:failed\",\"code\":\"unauthorized\"}");
	}
	turn_for(1050);
	for (int i = 0; i < 20; i++)
		say(&a, "{\"type\":\"ping\"}");
	for (int i = 0; i < 20; i++)
		expect(&a, "pong");
	say(&a, "{\"type\":\"ping\"}");
	assert_int_equal(expect_close(&a), 1008);
	leave(&a);
	static char big[4097];
	memset(big, ' ', sizeof big);
	assert_int_equal(knock(&a, ""), 101);
	send_frame(&a, TEXT, big, 4096);
	expect(&a, "error");
	send_frame(&a, TEXT, big, 4097);
	assert_int_equal(expect_close(&a), 1009);
	leave(&a);
	assert_int_equal(knock(&a, ""), 101);
	send_frame(&a, 2, "x", 1);
	assert_int_equal(expect_close(&a), 1003);
	leave(&a);
}

static void sessions_end_their_sockets(void **state)
{
	(void) state;
	struct auth_session one = sign_in(1, 3, 60000), again = sign_in(1, 3, 60000), brief = sign_in(2, 0, 1200);
	join_as(&a, &one);
	join_as(&b, &again);
	join_as(&c, &brief);
	assert_int_equal(auth_logout(bus, &one), 0);
	assert_int_equal(expect_close(&a), 4401);
	leave(&a);
	announce(1, 4); /* the wallet's other session lives */
	collect(&b, 1);
	assert_int_equal(b.seqs[0], 4);
	assert_int_equal(expect_close(&c), 4401); /* its time is over */
	leave(&c);
	assert_int_equal(knock(&a, ""), 101);
	say_auth(&a, one.token);
	expect(&a, "auth:failed");
	/* another wallet on the same socket */
	struct auth_session three = sign_in(3, 0, 60000);
	say_auth(&b, three.token);
	expect(&b, "auth:ok");
	announce(1, 5);
	announce(3, 1);
	collect(&b, 1);
	assert_int_equal(b.seqs[0], 1);
	say_auth(&b, one.token); /* refused: the third stays in */
	expect(&b, "auth:failed");
	announce(3, 2);
	collect(&b, 1);
	assert_int_equal(b.seqs[0], 2);
	leave(&a);
	leave(&b);
}

static void redis_may_go_and_come_back(void **state)
{
	(void) state;
	struct auth_session one = sign_in(1, 0, 60000);
	join_as(&a, &one);
	publish_price(100);
	expect(&a, "price");
	redis_server_kill(&redis);
	assert_int_equal(knock(&b, ""), 101);
	int64_t from = clk_mono_ms();
	say_auth(&b, one.token);
	assert_int_equal(expect_close(&b), 1013);
	assert_in_range(clk_mono_ms() - from, 1900, 20000);
	leave(&b);
	assert_true(redis_server_run(&redis));
	int64_t back = clk_mono_ms();
	for (bool seen = false; !seen;) { /* the same connection goes on */
		redis_server_sleep_ms(BUS_RETRY_MS);
		publish_price(4242);
		assert_int_equal(next(&a, 300) == CLOSE, 0);
		seen = strstr(a.text, "\"p\":4242") != NULL;
		assert_true(clk_mono_ms() - back < 20000);
	}
	announce(1, 1);
	collect(&a, 1);
	assert_int_equal(a.seqs[0], 1);
	/* away for a moment while somebody signs in: it is waited for */
	struct auth_session two = sign_in(2, 0, 60000);
	assert_int_equal(kill(redis.pid, SIGSTOP), 0);
	assert_int_equal(knock(&b, ""), 101);
	say_auth(&b, two.token);
	turn_for(700);
	assert_int_equal(kill(redis.pid, SIGCONT), 0);
	expect(&b, "auth:ok");
	leave(&a);
	leave(&b);
}

static void slow_readers_get_the_newest_or_go(void **state)
{
	(void) state;
	assert_int_equal(knock(&a, ""), 101);
	enum { GRIDS = 400 };
	for (int i = 1; i <= GRIDS; i++) {
		publish_grid(i);
		turn();
	}
	turn_for(50);
	int grids = 0;
	char newest[64];
	(void) snprintf(newest, sizeof newest, "\"quote_id\":%d,", GRIDS);
	do {
		expect(&a, "grid");
		grids++;
	} while (!strstr(a.text, newest));
	assert_true(grids > 1 && grids < GRIDS / 2);
	leave(&a);
	/* its own events may not be dropped: then the connection is */
	struct auth_session one = sign_in(1, 0, 60000);
	join_as(&a, &one);
	for (int i = 1; i <= GRIDS; i++) {
		publish_grid(GRIDS + i);
		turn();
	}
	for (int i = 1; i <= 70; i++)
		announce(1, i);
	turn_for(100);
	assert_true(expect_close(&a) == 1013 || a.code == 0);
	leave(&a);
	await_metric("tap_ws_closed_total{code=\"1013\"} 1\n");
}

static void addresses_are_capped(void **state)
{
	(void) state;
	assert_int_equal(knock(&a, "X-Real-IP: 192.0.2.1\r\n"), 101);
	assert_int_equal(knock(&b, "X-Real-IP: 192.0.2.1\r\n"), 101);
	assert_int_equal(knock(&c, "X-Real-IP: 192.0.2.1\r\n"), 429);
	leave(&c);
	assert_int_equal(knock(&c, "X-Real-IP: 192.0.2.2\r\n"), 101);
	leave(&c);
	for (int i = 0; i < 5; i++) /* this machine itself is free of it */
		assert_int_equal(knock(&c, ""), 101);
	leave(&a);
	await_metric("tap_ws_connections 6\n");
	assert_int_equal(knock(&a, "X-Real-IP: 192.0.2.1\r\n"), 101);
	leave(&a);
	leave(&b);
}

static void stopping_tells_everybody(void **state)
{
	(void) state;
	struct auth_session one = sign_in(1, 0, 60000);
	join_as(&a, &one);
	assert_int_equal(knock(&b, ""), 101);
	expect(&b, "system:status");
	int64_t from = clk_mono_ms();
	ws_drain(ws); /* b never answers: it is not waited for longer than it takes */
	assert_true(clk_mono_ms() - from < 20000);
	assert_int_equal(expect_close(&a), 1012);
	assert_int_equal(expect_close(&b), 1012);
	leave(&a);
	leave(&b);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_guest_is_greeted_and_shown_the_boards),
		CASE(a_silent_feed_is_told),
		CASE(a_word_that_closed_stands_until_the_next),
		CASE(own_events_come_in_order),
		CASE(joining_amid_events_loses_none),
		CASE(frames_are_judged),
		CASE(sessions_end_their_sockets),
		CASE(redis_may_go_and_come_back),
		CASE(slow_readers_get_the_newest_or_go),
		CASE(addresses_are_capped),
		CASE(stopping_tells_everybody),
	};
	return cmocka_run_group_tests_name("ws", tests, NULL, NULL);
}
