/* api_world.h - the api binary as a process, over a real Redis and a scratch folder, with a market that the test publishes and
 * wallets that really sign. For tests of the HTTP contract. */
#ifndef TAP_TEST_API_WORLD_H
#define TAP_TEST_API_WORLD_H

#include <ctype.h>
#include <signal.h>
#include <sys/wait.h>

#include "../support/folder.h"
#include "../support/redis_server.h"
#include "../unit/http_client.h"
#include "bus.h"
#include "clk.h"
#include "json.h"
#include "msg.h"
#include "rnd.h"
#include "settings.h"
#include "sig.h"
#include "tap.h"

enum { WORLD_PRICE = 9743210, WORLD_RATE = 23500, WORLD_USD = 1000000, WORLD_ENV_MAX = 32 };

static struct world {
	struct redis_server redis;
	char dir[32];
	char env_text[WORLD_ENV_MAX][160];
	char *env[WORLD_ENV_MAX + 1];
	size_t env_n;
	struct settings settings;
	struct bus *bus;
	uint16_t port;
	pid_t pid;
	struct quote_grid grid;
} world;

static inline void world_env(const char *name, const char *value)
{
	(void) snprintf(world.env_text[world.env_n], sizeof world.env_text[0], "%s=%s", name, value);
	world.env[world.env_n] = world.env_text[world.env_n];
	world.env_n++;
}

/* A port that was free a moment ago. */
static inline uint16_t world_free_port(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof at;
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_true(fd >= 0 && bind(fd, (struct sockaddr *) &at, sizeof at) == 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *) &at, &n), 0);
	(void) close(fd);
	return ntohs(at.sin_port);
}

static inline bool world_listens(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(world.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	bool up = fd >= 0 && connect(fd, (struct sockaddr *) &at, sizeof at) == 0;
	(void) close(fd);
	return up;
}

/* What the child does instead of becoming the binary; NULL: it becomes it. */
static void (*world_instead)(void);

static inline void world_run_api(void)
{
	world.pid = fork();
	if (world.pid == 0) {
		(void) prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (world_instead)
			world_instead();
		(void) execle("bin/tap-trading-api", "tap-trading-api", (char *) NULL, world.env);
		_exit(127);
	}
	int64_t until = clk_mono_ms() + 20000;
	while (!world_listens()) {
		assert_true(clk_mono_ms() < until);
		assert_int_equal(waitpid(world.pid, NULL, WNOHANG), 0);
		(void) usleep(10000);
	}
}

/* SIGTERM, and the exit status. */
static inline int world_stop_api(void)
{
	int status = -1;
	(void) kill(world.pid, SIGTERM);
	(void) waitpid(world.pid, &status, 0);
	return status;
}

/* What the folder is to hold before the api comes up; NULL: nothing. */
static void (*world_prefill)(void);

/* more: NULL-terminated pairs of name and value. */
static inline int world_start(const char *const *more)
{
	char listen_at[32], ops_at[32];
	(void) snprintf(world.dir, sizeof world.dir, "/tmp/tap-api-XXXXXX");
	if (sig_init() != 0 || !mkdtemp(world.dir) || !redis_server_start(&world.redis))
		return -1;
	world.port = world_free_port();
	(void) snprintf(listen_at, sizeof listen_at, "127.0.0.1:%u", world.port);
	(void) snprintf(ops_at, sizeof ops_at, "127.0.0.1:%u", world_free_port());
	world_env("TAP_REDIS", world.redis.address);
	world_env("TAP_DATA_DIR", world.dir);
	world_env("TAP_API_LISTEN", listen_at);
	world_env("TAP_API_OPS_LISTEN", ops_at);
	world_env("TAP_WELCOME_CREDIT", "1000000000");
	world_env("TAP_QUOTE_TTL_MS", "60000");      /* a slow machine is no stale feed */
	world_env("TAP_FEED_CRITICAL_MS", "600000");
	world_env("TAP_MAX_TICK_GAP_MS", "60000");
	world_env("TAP_REDIS_TIMEOUT_MS", "500");
	for (; more && *more; more += 2)
		world_env(more[0], more[1]);
	if (settings_load(&world.settings, world.env, stderr) != 0)
		return -1;
	if (world_prefill)
		world_prefill();
	world_run_api();
	return bus_open(&world.bus, &(struct bus_conf){ .address = world.redis.address, .user = "", .password = "",
			.timeout_ms = 2000 });
}

static inline int world_stop(void)
{
	int status = world_stop_api();
	world.bus = bus_close(world.bus);
	redis_server_stop(&world.redis);
	return folder_remove(world.dir) == 0 && status == 0 ? 0 : -1;
}

/* --- asking --- */

static inline struct answer *world_call(const char *method, const char *path, const char *token, const char *body)
{
	char request[16384], auth[128] = "", kind[96] = "";
	if (token)
		(void) snprintf(auth, sizeof auth, "Authorization: Bearer %s\r\n", token);
	if (body)
		(void) snprintf(kind, sizeof kind, "Content-Type: application/json\r\nContent-Length: %zu\r\n", strlen(body));
	(void) snprintf(request, sizeof request, "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s%s\r\n%s", method, path, auth,
			kind, body ? body : "");
	return client_ask(world.port, request);
}

/* A member of the answer's object as text: a string's own, a number's spelling, "null", "true", "false", "" when absent.
 * name may be a path, "limits.player_open". */
static inline const char *world_member(const struct answer *a, const char *name)
{
	static char out[4096];
	struct json *doc = NULL;
	const char *why;
	char step[64];
	bool b;
	out[0] = '\0';
	if (json_parse(&doc, a->body, a->body_len, &why) != 0)
		fail_msg("%s: %s", why, a->body);
	const struct json_value *v = json_root(doc);
	while (v && *name) {
		size_t n = strcspn(name, ".");
		(void) snprintf(step, sizeof step, "%.*s", (int) n, name);
		name += n + (name[n] == '.');
		if (json_is_array(v)) {
			v = json_first(v);
			for (int i = atoi(step); v && i > 0; i--)
				v = json_next(v);
		} else {
			v = json_get(v, step);
		}
	}
	if (json_string(v, NULL))
		(void) snprintf(out, sizeof out, "%s", json_string(v, NULL));
	else if (json_number_text(v))
		(void) snprintf(out, sizeof out, "%s", json_number_text(v));
	else if (v && json_is_null(v))
		(void) snprintf(out, sizeof out, "null");
	else if (v && json_bool(v, &b))
		(void) snprintf(out, sizeof out, "%s", b ? "true" : "false");
	else if (v && json_is_array(v))
		(void) snprintf(out, sizeof out, "[%zu]", json_count(v));
	else if (v)
		(void) snprintf(out, sizeof out, "{}");
	(void) json_free(doc);
	return out;
}

static inline int64_t world_number(const struct answer *a, const char *name)
{
	return strtoll(world_member(a, name), NULL, 10);
}

/* The whole of RFC 9457 with the code. */
static inline void world_refused(const struct answer *a, int status, const char *code)
{
	char kind[64] = "", want[8];
	if (a->status != status || strcmp(world_member(a, "code"), code) != 0)
		fail_msg("%d %s, not %d %s", status, code, a->status, a->body);
	(void) snprintf(want, sizeof want, "%d", status);
	assert_non_null(answer_header(a, "Content-Type", kind, sizeof kind));
	assert_memory_equal(kind, "application/problem+json", strlen("application/problem+json"));
	assert_string_equal(world_member(a, "status"), want);
	assert_true(*world_member(a, "title") && *world_member(a, "detail"));
	assert_int_equal(strlen(world_member(a, "request_id")), 26);
}

/* --- the market --- */

static inline void world_publish(int32_t rate)
{
	struct grid_rules rules = settings_grid(&world.settings);
	struct buf text = BUF_INIT(MSG_GRID_MAX);
	int64_t now = clk_now_ms();
	struct quote_grid *g = &world.grid;
	*g = (struct quote_grid){ .quote_id = g->quote_id + 1, .t_ms = now, .columns = rules.columns, .rows = rules.rows,
		.low_cents = grid_lowest(&rules, WORLD_PRICE), .row_cents = rules.row_cents };
	for (int i = 0; i < rules.columns; i++) {
		g->t0_s[i] = column_first_placeable(&rules, now) + i * rules.column_s;
		for (int j = 0; j < rules.rows; j++)
			g->rates[i][j] = j == 0 ? 0 : rate; /* the lowest row is closed */
	}
	msg_price(&text, &(struct tick){ now, WORLD_PRICE });
	assert_int_equal(msg_publish(world.bus, CHANNEL_PRICE, &text), 0);
	buf_clear(&text);
	msg_grid(&text, g);
	assert_int_equal(msg_publish(world.bus, CHANNEL_GRID, &text), 0);
	assert_int_equal(bus_flush(world.bus), 0);
	buf_free(&text);
}

/* Publishes until the api has heard: its subscription may be on its way. */
static inline void world_market(int32_t rate)
{
	struct answer *a;
	int64_t until = clk_mono_ms() + 30000;
	do {
		assert_true(clk_mono_ms() < until);
		world_publish(rate);
		(void) usleep(20000);
		a = world_call("GET", "/api/v1/grid", NULL, NULL);
	} while (a->status != 200 || world_number(a, "quote_id") < world.grid.quote_id);
}

static inline void world_status(enum feed_state feed, bool bets)
{
	struct buf text = BUF_INIT(1024);
	msg_status(&text, feed, bets);
	assert_int_equal(msg_publish(world.bus, CHANNEL_STATUS, &text), 0);
	assert_int_equal(bus_flush(world.bus), 0);
	buf_free(&text);
	(void) usleep(100000);
}

static inline struct cell world_cell(int column, int row)
{
	int64_t low = world.grid.low_cents + row * world.grid.row_cents;
	return (struct cell){ .t0_s = world.grid.t0_s[column], .low_cents = low, .high_cents = low + world.grid.row_cents };
}

/* --- players --- */

struct player {
	uint8_t secret[32], key[32];
	struct wallet wallet, key_wallet;
	char text[WALLET_TEXT_SIZE], key_text[WALLET_TEXT_SIZE];
	char token[65];
};

static inline struct player player_new(void)
{
	struct player p = { .token = "" };
	rnd_bytes(p.secret, sizeof p.secret);
	rnd_bytes(p.key, sizeof p.key);
	p.secret[0] = p.key[0] = 1; /* below the curve's order */
	assert_int_equal(sig_address(&p.wallet, p.secret), 0);
	assert_int_equal(sig_address(&p.key_wallet, p.key), 0);
	wallet_format(p.text, &p.wallet);
	wallet_format(p.key_text, &p.key_wallet);
	return p;
}

static inline void sign_text(char out[2 * SIG_SIZE + 3], const uint8_t secret[32], const char *text)
{
	static const char digits[] = "0123456789abcdef";
	struct sig s;
	assert_int_equal(sig_sign(&s, secret, text, strlen(text)), 0);
	(void) snprintf(out, 3, "0x");
	for (size_t i = 0; i < SIG_SIZE; i++) {
		out[2 + 2 * i] = digits[s.b[i] >> 4];
		out[3 + 2 * i] = digits[s.b[i] & 15];
	}
	out[2 + 2 * SIG_SIZE] = '\0';
}

/* A text as the inside of a JSON string: a challenge has line feeds and nothing else to escape. */
static inline void json_lines(char *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '\n') {
			*out++ = '\\';
			*out++ = 'n';
		} else {
			*out++ = *text;
		}
	}
	*out = '\0';
}

static inline void player_challenge(const struct player *p, bool with_key, char message[2048])
{
	char body[256], key[96] = "";
	if (with_key)
		(void) snprintf(key, sizeof key, ",\"session_key\":\"%s\"", p->key_text);
	(void) snprintf(body, sizeof body, "{\"wallet\":\"%s\"%s}", p->text, key);
	struct answer *a = world_call("POST", "/api/v1/auth/challenge", NULL, body);
	assert_int_equal(a->status, 200);
	(void) snprintf(message, 2048, "%s", world_member(a, "message"));
}

static inline struct answer *player_answer(const char *message, const uint8_t *secret, const uint8_t *key)
{
	char body[8192], escaped[4096], sig[2 * SIG_SIZE + 3], key_sig[2 * SIG_SIZE + 3], more[256] = "";
	json_lines(escaped, message);
	sign_text(sig, secret, message);
	if (key) {
		sign_text(key_sig, key, message);
		(void) snprintf(more, sizeof more, ",\"session_key_signature\":\"%s\"", key_sig);
	}
	(void) snprintf(body, sizeof body, "{\"message\":\"%s\",\"signature\":\"%s\"%s}", escaped, sig, more);
	return world_call("POST", "/api/v1/auth/login", NULL, body);
}

static inline struct answer *player_login(struct player *p, bool with_key)
{
	char message[2048];
	player_challenge(p, with_key, message);
	struct answer *a = player_answer(message, p->secret, with_key ? p->key : NULL);
	assert_int_equal(a->status, 201);
	(void) snprintf(p->token, sizeof p->token, "%s", world_member(a, "session_token"));
	return a;
}

/* --- bets --- */

struct wish {
	struct tap tap;
	const uint8_t *signer;
};

static inline struct wish wish_of(const struct player *p, struct cell c, int64_t usd)
{
	struct wish w = { .tap = { .wallet = p->wallet, .cell = c, .stake = { usd * WORLD_USD }, .rate_min = { RATE_LEAST },
		.timestamp_s = clk_now_ms() / 1000, .chain_id = 1 }, .signer = p->secret };
	rnd_bytes(w.tap.nonce, sizeof w.tap.nonce);
	w.tap.nonce[6] = (uint8_t) (0x40 | (w.tap.nonce[6] & 15));
	w.tap.nonce[8] = (uint8_t) (0x80 | (w.tap.nonce[8] & 63));
	return w;
}

/* The body; members named in `but` are written as it says: "stake", "\"x\"". NULL-terminated pairs, or NULL. */
static inline void wish_body(char body[4096], const struct wish *w, const char *const *but)
{
	char text[TAP_TEXT_MAX], who[WALLET_TEXT_SIZE], cell[CELL_TEXT_SIZE], nonce[UUID_TEXT_SIZE], sig[2 * SIG_SIZE + 3];
	char values[9][160];
	static const char *const names[] = { "wallet", "cell", "stake", "rate", "nonce", "timestamp", "chain_id", "version",
		"signature" };
	(void) tap_text(text, &w->tap);
	sign_text(sig, w->signer, text);
	wallet_format(who, &w->tap.wallet);
	cell_format(cell, &w->tap.cell);
	nonce_format(nonce, w->tap.nonce);
	(void) snprintf(values[0], 160, "\"%s\"", who);
	(void) snprintf(values[1], 160, "\"%s\"", cell);
	(void) snprintf(values[2], 160, "%lld", (long long) w->tap.stake.micros);
	(void) snprintf(values[3], 160, "%d", w->tap.rate_min.e4);
	(void) snprintf(values[4], 160, "\"%s\"", nonce);
	(void) snprintf(values[5], 160, "%lld", (long long) w->tap.timestamp_s);
	(void) snprintf(values[6], 160, "%lld", (long long) w->tap.chain_id);
	(void) snprintf(values[7], 160, "1");
	(void) snprintf(values[8], 160, "\"%s\"", sig);
	for (; but && *but; but += 2)
		for (size_t i = 0; i < ARRAY_LEN(names); i++)
			if (strcmp(but[0], names[i]) == 0)
				(void) snprintf(values[i], 160, "%s", but[1]);
	size_t at = 0;
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (*values[i])
			at += (size_t) snprintf(body + at, 4096 - at, "%s\"%s\":%s", at ? "," : "{", names[i], values[i]);
	(void) snprintf(body + at, 4096 - at, "}");
}

static inline struct answer *wish_send(const struct wish *w)
{
	char body[4096];
	wish_body(body, w, NULL);
	return world_call("POST", "/api/v1/bets", NULL, body);
}

#endif
