#include "auth.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "clk.h"
#include "err.h"
#include "hex.h"
#include "msg.h"
#include "rnd.h"

enum { TOKEN_BYTES = 32, NONCE_TEXT_BYTES = 16, NUMBER_SIZE = 24 };

enum { SECONDS_PER_HOUR = 3600, USD_SIZE = 32, CHALLENGE_SIZE = 2 * (WALLET_TEXT_SIZE + NUMBER_SIZE) };

/* Spends the challenge and makes the session. KEYS challenge, session [, session key, its sessions];
 * ARGV wallet, token, expires_ms, key. A key's sessions stand in a sorted set by their end: it dies with the last. */
static struct bus_script login_script = { .lua =
	"if redis.call('EXISTS', KEYS[1]) == 0 then return 'spent' end\n"
	"if KEYS[3] then\n"
	"  local serves = redis.call('GET', KEYS[3])\n"
	"  if serves and serves ~= ARGV[1] then return 'in_use' end\n"
	"end\n"
	"redis.call('DEL', KEYS[1])\n"
	"redis.call('HSET', KEYS[2], 'wallet', ARGV[1], 'key', ARGV[4], 'expires_at', ARGV[3])\n"
	"redis.call('PEXPIREAT', KEYS[2], ARGV[3])\n"
	"if KEYS[3] then\n"
	"  redis.call('ZADD', KEYS[4], ARGV[3], ARGV[2])\n"
	"  local last = redis.call('ZREVRANGE', KEYS[4], 0, 0, 'WITHSCORES')\n"
	"  redis.call('SET', KEYS[3], ARGV[1])\n"
	"  redis.call('PEXPIREAT', KEYS[3], last[2])\n"
	"  redis.call('PEXPIREAT', KEYS[4], last[2])\n"
	"end\n"
	"return 'ok'\n" };

/* KEYS session [, session key, its sessions]; ARGV wallet, token, channel, event. */
static struct bus_script logout_script = { .lua =
	"if redis.call('DEL', KEYS[1]) == 0 then return 'unknown' end\n"
	"if KEYS[2] then\n"
	"  local t = redis.call('TIME')\n"
	"  redis.call('ZREM', KEYS[3], ARGV[2])\n"
	"  redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', t[1] * 1000 + math.floor(t[2] / 1000))\n"
	"  local last = redis.call('ZREVRANGE', KEYS[3], 0, 0, 'WITHSCORES')\n"
	"  if last[2] then\n"
	"    redis.call('PEXPIREAT', KEYS[2], last[2])\n"
	"    redis.call('PEXPIREAT', KEYS[3], last[2])\n"
	"  elseif redis.call('GET', KEYS[2]) == ARGV[1] then\n"
	"    redis.call('DEL', KEYS[2])\n"
	"  end\n"
	"end\n"
	"redis.call('PUBLISH', ARGV[3], ARGV[4])\n"
	"return 'ok'\n" };

/* `challenge:{SHA-256 of its text}` -> "wallet key column open", the key's caps in micro-USD, or "wallet". */
static char *key_challenge(char out[KEY_MAX], const char *text, size_t n)
{
	char hex[2 * HASH_SIZE + 1];
	struct hash h = sha256_of(text, n);
	hex_encode(hex, h.b, HASH_SIZE);
	(void) snprintf(out, KEY_MAX, "challenge:%s", hex);
	return out;
}

/* `session_key_sessions:{address}`: which sessions name the key, by their end. */
static char *key_sessions_of(char out[KEY_MAX], const struct wallet *address)
{
	char text[WALLET_TEXT_SIZE];
	wallet_format(text, address);
	(void) snprintf(out, KEY_MAX, "session_key_sessions:%s", text);
	return out;
}

static bool token_well_formed(const char *token)
{
	uint8_t bytes[TOKEN_BYTES];
	return token && strlen(token) == (size_t) 2 * TOKEN_BYTES && hex_decode(bytes, sizeof bytes, token);
}

struct hash auth_token_hash(const char *token)
{
	return sha256_of(token, strlen(token));
}

static const char *usd(char out[USD_SIZE], struct money m)
{
	long long whole = m.micros / MICROS_PER_USD, rest = m.micros % MICROS_PER_USD;
	if (rest == 0)
		(void) snprintf(out, USD_SIZE, "%lld", whole);
	else
		(void) snprintf(out, USD_SIZE, "%lld.%06lld", whole, rest);
	return out;
}

/* What a wallet shows to its owner; one line of the characters that EIP-4361 allows. */
static void statement(struct buf *out, const struct key_caps *caps)
{
	char column[USD_SIZE], open[USD_SIZE];
	if (caps)
		buf_printf(out, "Sign in to BTC Tap Trading, and let the session key named below place bets for you for %d hours or until"
				" you sign out, while your stakes in a column stay within %s USD and your open stakes within %s USD."
				" It cannot withdraw. Signing costs nothing and moves no money.",
				AUTH_SESSION_S / SECONDS_PER_HOUR, usd(column, caps->column), usd(open, caps->open));
	else
		buf_printf(out, "Sign in to BTC Tap Trading. This costs nothing and moves no money.");
}

/* The same for programs; amounts in micro-USD. */
static void key_resources(struct buf *out, const struct wallet *key, const struct key_caps *caps)
{
	char who[WALLET_TEXT_SIZE];
	wallet_format(who, key);
	buf_printf(out, "\nResources:\n- urn:tap-trading:session-key:%s", who);
	buf_printf(out, "\n- urn:tap-trading:session-key:player-column:%lld", (long long) caps->column.micros);
	buf_printf(out, "\n- urn:tap-trading:session-key:player-open:%lld", (long long) caps->open.micros);
	buf_printf(out, "\n- urn:tap-trading:session-key:seconds:%d", (int) AUTH_SESSION_S);
	buf_printf(out, "\n- urn:tap-trading:session-key:withdrawals:none");
}

struct key_caps auth_key_caps(const struct settings *s)
{
	return (struct key_caps){ money_of(s->cap_player_column), money_of(s->cap_player_open) };
}

void auth_text(struct buf *out, const struct settings *s, const struct wallet *wallet, const struct wallet *key,
		const struct key_caps *caps, int64_t now_ms, int64_t expires_ms)
{
	uint8_t nonce[NONCE_TEXT_BYTES];
	char nonce_hex[2 * NONCE_TEXT_BYTES + 1], who[WALLET_TEXT_SIZE], issued[CLK_RFC3339_SIZE], ends[CLK_RFC3339_SIZE];
	rnd_bytes(nonce, sizeof nonce);
	hex_encode(nonce_hex, nonce, sizeof nonce);
	wallet_format(who, wallet);
	clk_rfc3339(issued, now_ms);
	clk_rfc3339(ends, expires_ms);
	buf_printf(out, "%s wants you to sign in with your Ethereum account:\n%s\n\n", settings_domain(s), who);
	statement(out, key ? caps : NULL);
	buf_printf(out, "\n\nURI: %s\nVersion: 1\nChain ID: %lld\nNonce: %s\nIssued At: %s\nExpiration Time: %s",
			s->public_origin.v, (long long) s->chain_id, nonce_hex, issued, ends);
	if (key)
		key_resources(out, key, caps);
}

int auth_challenge(struct bus *bus, const struct settings *s, const struct wallet *wallet, const struct wallet *key,
		int64_t now_ms, struct buf *text, int64_t *ret_expires_ms)
{
	int64_t expires_ms = now_ms + (int64_t) AUTH_CHALLENGE_S * 1000;
	char at[KEY_MAX], value[CHALLENGE_SIZE], key_text[WALLET_TEXT_SIZE], who[WALLET_TEXT_SIZE];
	const struct key_caps caps = auth_key_caps(s);
	const struct bus_reply *reply;

	buf_clear(text);
	auth_text(text, s, wallet, key, &caps, now_ms, expires_ms);
	if (text->failed)
		return err_say(-ENOMEM, "no room for a challenge");
	wallet_format(who, wallet);
	(void) snprintf(value, sizeof value, "%s", who);
	if (key) {
		wallet_format(key_text, key);
		(void) snprintf(value, sizeof value, "%s %s %lld %lld", who, key_text, (long long) caps.column.micros,
				(long long) caps.open.micros);
	}
	int r = bus_command(bus, &reply, "SET %s %s EX %d", key_challenge(at, text->p, text->n), value, (int) AUTH_CHALLENGE_S);
	if (r < 0)
		return err_trace(r);
	if (bus_kind(reply) == BUS_ERROR)
		return err_say(-EIO, "challenge not kept: %s", bus_text(reply, NULL));
	*ret_expires_ms = expires_ms;
	return 0;
}

static bool read_cap(struct money *ret, const char **at, char after)
{
	char *end;
	*ret = money_of(strtoll(*at, &end, 10));
	bool whole = end != *at && *end == after && ret->micros >= 0;
	*at = end + 1;
	return whole;
}

static bool read_challenge(struct auth_session *ret, const char *value, size_t n)
{
	const size_t one = WALLET_TEXT_SIZE - 1;
	if (n < one || !wallet_parse(&ret->wallet, value, one))
		return false;
	ret->has_key = n > one;
	if (!ret->has_key)
		return true;
	const char *caps = value + 2 * one + 2;
	return n > 2 * one + 2 && wallet_parse(&ret->key, value + one + 1, one) && read_cap(&ret->caps.column, &caps, ' ') &&
		read_cap(&ret->caps.open, &caps, '\0');
}

static bool signed_by(const struct wallet *who, const struct sig *sig, const char *text, size_t n)
{
	struct wallet signer;
	return sig_recover(&signer, sig, text, n) == 0 && wallet_eq(&signer, who);
}

/* 0 when the key serves nobody or this wallet. */
static int check_key_free(struct bus *bus, const struct auth_session *s)
{
	char at[KEY_MAX], who[WALLET_TEXT_SIZE];
	const struct bus_reply *reply;
	int r = bus_command(bus, &reply, "GET %s", key_session_key(at, &s->key));
	if (r < 0)
		return err_trace(r);
	if (bus_kind(reply) == BUS_ERROR)
		return err_say(-EIO, "session key not read: %s", bus_text(reply, NULL));
	wallet_format(who, &s->wallet);
	if (bus_kind(reply) == BUS_TEXT && strcmp(bus_text(reply, NULL), who) != 0)
		return AUTH_E_KEY_IN_USE;
	return 0;
}

int auth_check(struct bus *bus, const char *text, size_t n, const struct sig *sig, const struct sig *key_sig,
		struct auth_session *ret)
{
	char at[KEY_MAX];
	const struct bus_reply *reply;
	struct auth_session found = { .has_key = false };
	size_t len;

	int r = bus_command(bus, &reply, "GET %s", key_challenge(at, text, n));
	if (r < 0)
		return err_trace(r);
	if (bus_kind(reply) == BUS_ERROR)
		return err_say(-EIO, "challenge not read: %s", bus_text(reply, NULL));
	const char *value = bus_text(reply, &len);
	if (bus_kind(reply) != BUS_TEXT || !read_challenge(&found, value, len))
		return AUTH_E_UNKNOWN;
	if (found.has_key && !key_sig)
		return AUTH_E_KEY_SIGNATURE_MISSING;
	if (!signed_by(&found.wallet, sig, text, n))
		return AUTH_E_SIGNATURE;
	if (found.has_key) {
		if (!signed_by(&found.key, key_sig, text, n))
			return AUTH_E_SIGNATURE;
		r = check_key_free(bus, &found);
		if (r != 0)
			return r;
	}
	*ret = found;
	return 0;
}

int auth_login(struct bus *bus, const char *text, size_t n, int64_t now_ms, struct auth_session *session)
{
	char keys[4][KEY_MAX], who[WALLET_TEXT_SIZE], key_text[WALLET_TEXT_SIZE] = "", ends[NUMBER_SIZE];
	uint8_t token[TOKEN_BYTES];

	rnd_bytes(token, sizeof token);
	hex_encode(session->token, token, sizeof token);
	session->expires_ms = now_ms + (int64_t) AUTH_SESSION_S * 1000;
	wallet_format(who, &session->wallet);
	(void) snprintf(ends, sizeof ends, "%lld", (long long) session->expires_ms);
	struct bus_arg key_args[4] = { bus_arg_of(key_challenge(keys[0], text, n)), bus_arg_of(key_session(keys[1], session->token)) };
	if (session->has_key) {
		wallet_format(key_text, &session->key);
		key_args[2] = bus_arg_of(key_session_key(keys[2], &session->key));
		key_args[3] = bus_arg_of(key_sessions_of(keys[3], &session->key));
	}
	struct bus_arg args[] = { bus_arg_of(who), bus_arg_of(session->token), bus_arg_of(ends), bus_arg_of(key_text) };
	int r = bus_add_script(bus, &login_script, key_args, session->has_key ? 4 : 2, args, ARRAY_LEN(args));
	if (r == 0)
		r = bus_flush(bus);
	if (r < 0)
		return err_trace(r);
	const struct bus_reply *reply = bus_reply(bus, 0);
	const char *said = bus_text(reply, NULL);
	if (bus_kind(reply) == BUS_ERROR)
		return err_say(-EIO, "session not kept: %s", said);
	if (strcmp(said, "spent") == 0)
		return AUTH_E_SPENT;
	if (strcmp(said, "in_use") == 0)
		return AUTH_E_KEY_IN_USE;
	return 0;
}

int auth_session(struct bus *bus, const char *token, int64_t now_ms, struct auth_session *ret)
{
	char at[KEY_MAX];
	const struct bus_reply *reply;
	struct auth_session found = { .has_key = false };
	size_t wallet_n, key_n;

	if (!token_well_formed(token))
		return AUTH_E_UNKNOWN;
	int r = bus_command(bus, &reply, "HMGET %s wallet key expires_at", key_session(at, token));
	if (r < 0)
		return err_trace(r);
	if (bus_kind(reply) == BUS_ERROR)
		return err_say(-EIO, "session not read: %s", bus_text(reply, NULL));
	if (bus_count(reply) != 3 || bus_kind(bus_at(reply, 0)) != BUS_TEXT)
		return AUTH_E_UNKNOWN;
	const char *who = bus_text(bus_at(reply, 0), &wallet_n);
	const char *key = bus_text(bus_at(reply, 1), &key_n);
	found.expires_ms = bus_int(bus_at(reply, 2));
	found.has_key = key_n > 0;
	if (!wallet_parse(&found.wallet, who, wallet_n) || (found.has_key && !wallet_parse(&found.key, key, key_n)))
		return err_say(-EIO, "a session in Redis is not what was written");
	if (found.expires_ms <= now_ms)
		return AUTH_E_UNKNOWN;
	(void) snprintf(found.token, sizeof found.token, "%s", token);
	*ret = found;
	return 0;
}

int auth_logout(struct bus *bus, const struct auth_session *session)
{
	char keys[3][KEY_MAX], channel[KEY_MAX], who[WALLET_TEXT_SIZE];
	_cleanup_(buf_free) struct buf event = BUF_INIT(MSG_EVENT_MAX);
	struct hash h = auth_token_hash(session->token);

	msg_session_ended(&event, &h);
	if (event.failed)
		return -ENOMEM;
	wallet_format(who, &session->wallet);
	struct bus_arg key_args[3] = { bus_arg_of(key_session(keys[0], session->token)) };
	if (session->has_key) {
		key_args[1] = bus_arg_of(key_session_key(keys[1], &session->key));
		key_args[2] = bus_arg_of(key_sessions_of(keys[2], &session->key));
	}
	struct bus_arg args[] = { bus_arg_of(who), bus_arg_of(session->token), bus_arg_of(key_user_events(channel, &session->wallet)),
		{ .p = event.p, .n = event.n } };
	int r = bus_add_script(bus, &logout_script, key_args, session->has_key ? 3 : 1, args, ARRAY_LEN(args));
	if (r == 0)
		r = bus_flush(bus);
	if (r < 0)
		return err_trace(r);
	const struct bus_reply *reply = bus_reply(bus, 0);
	if (bus_kind(reply) == BUS_ERROR)
		return err_say(-EIO, "session not ended: %s", bus_text(reply, NULL));
	return strcmp(bus_text(reply, NULL), "ok") == 0 ? 0 : AUTH_E_UNKNOWN;
}
