/* auth: challenges, sessions and session keys, against a real Redis. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "../support/redis_server.h"
#include "auth.h"
#include "clk.h"
#include "msg.h"
#include "rnd.h"

static struct redis_server redis;
static struct bus *bus;
static struct settings settings;

static const uint8_t alice[32] = { [31] = 1 }, bob[32] = { [31] = 2 }, key_one[32] = { [31] = 3 };

static int start(void **state)
{
	char *const env[] = { (char[]){ "TAP_PUBLIC_ORIGIN=http://127.0.0.1:8000" }, NULL };
	(void) state;
	if (sig_init() != 0 || settings_load(&settings, env, stderr) != 0 || !redis_server_start(&redis))
		return -1;
	return bus_open(&bus, &(struct bus_conf){ .address = redis.address, .user = "", .password = "", .timeout_ms = 2000 });
}

static int stop(void **state)
{
	(void) state;
	bus = bus_close(bus);
	redis_server_stop(&redis);
	return 0;
}

static int empty(void **state)
{
	const struct bus_reply *r;
	(void) state;
	return bus_command(bus, &r, "FLUSHALL");
}

static struct wallet address(const uint8_t secret[32])
{
	struct wallet w;
	assert_int_equal(sig_address(&w, secret), 0);
	return w;
}

static struct sig sign(const uint8_t secret[32], const struct buf *text)
{
	struct sig s;
	assert_int_equal(sig_sign(&s, secret, text->p, text->n), 0);
	return s;
}

static void challenge(struct buf *text, const uint8_t who[32], const uint8_t *key)
{
	struct wallet w = address(who), k = { { 0 } };
	int64_t expires;
	if (key)
		k = address(key);
	assert_int_equal(auth_challenge(bus, &settings, &w, key ? &k : NULL, clk_now_ms(), text, &expires), 0);
	assert_in_range(expires, clk_now_ms() + 299000, clk_now_ms() + 300000);
}

static int sign_in(const uint8_t who[32], const uint8_t *key, struct auth_session *ret)
{
	_cleanup_(buf_free) struct buf text = BUF_INIT(AUTH_TEXT_MAX);
	challenge(&text, who, key);
	struct sig s = sign(who, &text), ks = sign(key ? key : who, &text);
	int r = auth_check(bus, text.p, text.n, &s, key ? &ks : NULL, ret);
	return r != 0 ? r : auth_login(bus, text.p, text.n, clk_now_ms(), ret);
}

static void the_message_is_eip_4361(void **state)
{
	(void) state;
	_cleanup_(buf_free) struct buf text = BUF_INIT(AUTH_TEXT_MAX);
	struct wallet w = address(alice), k = address(key_one);
	char want[AUTH_TEXT_MAX], nonce[33] = "";
	int64_t expires;
	settings.cap_player_open = 2500500000;
	assert_int_equal(auth_challenge(bus, &settings, &w, &k, 1771234565123, &text, &expires), 0);
	const char *at = strstr(text.p, "\nNonce: ");
	assert_non_null(at);
	memcpy(nonce, at + 8, 32);
	assert_int_equal(strspn(nonce, "0123456789abcdef"), 32);
	(void) snprintf(want, sizeof want,
			"127.0.0.1:8000 wants you to sign in with your Ethereum account:\n"
			"0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf\n\n"
			"Sign in to BTC Tap Trading, and let the session key named below place bets for you for 24 hours or until you sign"
			" out, while your stakes in a column stay within 1000 USD and your open stakes within 2500.500000 USD. It cannot"
			" withdraw. Signing costs nothing and moves no money.\n\n"
			"URI: http://127.0.0.1:8000\nVersion: 1\nChain ID: 1\nNonce: %s\n"
			"Issued At: 2026-02-16T09:36:05.123Z\nExpiration Time: 2026-02-16T09:41:05.123Z\n"
			"Resources:\n- urn:tap-trading:session-key:0x6813Eb9362372EEF6200f3b1dbC3f819671cBA69\n"
			"- urn:tap-trading:session-key:player-column:1000000000\n"
			"- urn:tap-trading:session-key:player-open:2500500000\n"
			"- urn:tap-trading:session-key:seconds:86400\n"
			"- urn:tap-trading:session-key:withdrawals:none", nonce);
	assert_string_equal(text.p, want);
	settings.cap_player_open = 5000 * (int64_t) MICROS_PER_USD;

	assert_int_equal(auth_challenge(bus, &settings, &w, NULL, 1771234565123, &text, &expires), 0);
	assert_non_null(strstr(text.p, "\n\nSign in to BTC Tap Trading. This costs nothing and moves no money.\n\nURI: "));
	assert_null(strstr(text.p, "Resources"));
}

static void a_challenge_is_spent_by_the_login_that_succeeds(void **state)
{
	(void) state;
	_cleanup_(buf_free) struct buf text = BUF_INIT(AUTH_TEXT_MAX);
	struct auth_session s, seen;
	challenge(&text, alice, NULL);
	struct sig good = sign(alice, &text), other = sign(bob, &text);

	assert_int_equal(auth_check(bus, text.p, text.n, &other, NULL, &s), AUTH_E_SIGNATURE);
	assert_int_equal(auth_check(bus, text.p, text.n, &good, NULL, &s), 0);
	assert_int_equal(auth_login(bus, text.p, text.n, clk_now_ms(), &s), 0);
	assert_int_equal(auth_session(bus, s.token, clk_now_ms(), &seen), 0);
	assert_memory_equal(&seen.wallet, &s.wallet, sizeof seen.wallet);
	assert_false(seen.has_key);
	assert_int_equal(seen.expires_ms, s.expires_ms);
	assert_int_equal(auth_session(bus, s.token, s.expires_ms, &seen), AUTH_E_UNKNOWN);

	assert_int_equal(auth_check(bus, text.p, text.n, &good, NULL, &s), AUTH_E_UNKNOWN);
	assert_int_equal(auth_login(bus, text.p, text.n, clk_now_ms(), &s), AUTH_E_SPENT);
}

static void a_text_that_differs_in_a_byte_is_unknown(void **state)
{
	(void) state;
	_cleanup_(buf_free) struct buf text = BUF_INIT(AUTH_TEXT_MAX);
	struct auth_session s;
	challenge(&text, alice, NULL);
	for (size_t i = 0; i < text.n; i += 7) {
		text.p[i] ^= 1;
		struct sig sig = sign(alice, &text);
		assert_int_equal(auth_check(bus, text.p, text.n, &sig, NULL, &s), AUTH_E_UNKNOWN);
		text.p[i] ^= 1;
	}
	struct sig sig = sign(alice, &text);
	assert_int_equal(auth_check(bus, text.p, text.n - 1, &sig, NULL, &s), AUTH_E_UNKNOWN);
	assert_int_equal(auth_check(bus, text.p, text.n, &sig, NULL, &s), 0);
}

static void a_session_key_must_sign_and_serve_one_wallet(void **state)
{
	(void) state;
	_cleanup_(buf_free) struct buf text = BUF_INIT(AUTH_TEXT_MAX);
	struct auth_session s, late;
	challenge(&text, alice, key_one);
	struct sig mine = sign(alice, &text), keys = sign(key_one, &text), other = sign(bob, &text);

	assert_int_equal(auth_check(bus, text.p, text.n, &mine, NULL, &s), AUTH_E_KEY_SIGNATURE_MISSING);
	assert_int_equal(auth_check(bus, text.p, text.n, &mine, &other, &s), AUTH_E_SIGNATURE);
	assert_int_equal(auth_check(bus, text.p, text.n, &mine, &keys, &s), 0);
	assert_true(s.has_key);
	assert_int_equal(s.caps.column.micros, settings.cap_player_column);
	assert_int_equal(s.caps.open.micros, settings.cap_player_open);

	/* another wallet takes the key between the check and the login */
	assert_int_equal(sign_in(bob, key_one, &late), 0);
	assert_int_equal(auth_login(bus, text.p, text.n, clk_now_ms(), &s), AUTH_E_KEY_IN_USE);
	assert_int_equal(auth_check(bus, text.p, text.n, &mine, &keys, &s), AUTH_E_KEY_IN_USE);
	/* the challenge was not spent by that */
	assert_int_equal(auth_logout(bus, &late), 0);
	assert_int_equal(auth_login(bus, text.p, text.n, clk_now_ms(), &s), 0);
}

static bool key_lives(const uint8_t key[32])
{
	char at[KEY_MAX];
	const struct bus_reply *r;
	struct wallet k = address(key);
	assert_int_equal(bus_command(bus, &r, "EXISTS %s", key_session_key(at, &k)), 0);
	return bus_int(r) == 1;
}

static void a_key_dies_with_the_last_session_that_names_it(void **state)
{
	(void) state;
	struct auth_session one, two, seen;
	assert_int_equal(sign_in(alice, key_one, &one), 0);
	assert_int_equal(sign_in(alice, key_one, &two), 0);
	assert_int_equal(auth_logout(bus, &one), 0);
	assert_int_equal(auth_logout(bus, &one), AUTH_E_UNKNOWN);
	assert_int_equal(auth_session(bus, one.token, clk_now_ms(), &seen), AUTH_E_UNKNOWN);
	assert_true(key_lives(key_one));
	assert_int_equal(auth_logout(bus, &two), 0);
	assert_false(key_lives(key_one));
}

static void strange_tokens_are_unknown(void **state)
{
	(void) state;
	static const char *const strange[] = { "", "x", "*", "0x00", "a b",
		"zz00000000000000000000000000000000000000000000000000000000000000",
		"00000000000000000000000000000000000000000000000000000000000000000" };
	struct auth_session s;
	for (size_t i = 0; i < ARRAY_LEN(strange); i++)
		assert_int_equal(auth_session(bus, strange[i], clk_now_ms(), &s), AUTH_E_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(the_message_is_eip_4361, empty),
		cmocka_unit_test_setup(a_challenge_is_spent_by_the_login_that_succeeds, empty),
		cmocka_unit_test_setup(a_text_that_differs_in_a_byte_is_unknown, empty),
		cmocka_unit_test_setup(a_session_key_must_sign_and_serve_one_wallet, empty),
		cmocka_unit_test_setup(a_key_dies_with_the_last_session_that_names_it, empty),
		cmocka_unit_test_setup(strange_tokens_are_unknown, empty),
	};
	return cmocka_run_group_tests_name("auth", tests, start, stop);
}
