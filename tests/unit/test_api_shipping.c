/* No withdrawal leaves by books that a lost machine would take along: POST /withdrawals while shipping is behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "../support/api_world.h"
#include "ship_place.h"
#include "withdraw.h"

static struct player alice;

static int start(void **state)
{
	static const char *const more[] = { "TAP_S3_ENDPOINT", "http://127.0.0.1:1", NULL };
	(void) state;
	if (world_start(more) != 0)
		return -1;
	alice = player_new();
	(void) player_login(&alice, true);
	return 0;
}

static int stop(void **state)
{
	(void) state;
	return world_stop();
}

static char newest[1024]; /* body */

static struct answer *withdraw_one(void)
{
	static const char to[] = "0x2c7536e3605d9c16a7a3d7b1898e529396a65c23";
	char text[TAP_TEXT_MAX], sig[2 * SIG_SIZE + 3], nonce[UUID_TEXT_SIZE], who[WALLET_TEXT_SIZE];
	struct wish w = wish_of(&alice, (struct cell){ 0 }, 1);
	struct withdraw q = { .wallet = alice.wallet, .amount = { 1000000 }, .timestamp_s = w.tap.timestamp_s, .chain_id = 1 };
	(void) snprintf(q.to_text, sizeof q.to_text, "%s", to);
	memcpy(q.nonce, w.tap.nonce, sizeof q.nonce);
	(void) withdraw_text(text, &q);
	sign_text(sig, alice.secret, text);
	nonce_format(nonce, q.nonce);
	wallet_format(who, &q.wallet);
	(void) snprintf(newest, sizeof newest, "{\"wallet\":\"%s\",\"amount\":1000000,\"to\":\"%s\",\"nonce\":\"%s\",\"timestamp\":%lld,"
			"\"chain_id\":1,\"version\":1,\"signature\":\"%s\"}", who, to, nonce, (long long) q.timestamp_s, sig);
	return world_call("POST", "/api/v1/withdrawals", NULL, newest);
}

static void shipped_until(int64_t as_of_ms)
{
	struct ship_place p = { .week = { 2026, 8 }, .as_of_ms = as_of_ms, .based = true };
	assert_int_equal(ship_place_write(world.dir, &p), 0);
}

static void they_wait_while_shipping_is_behind(void **state)
{
	(void) state;
	struct answer *a = withdraw_one(); /* nobody ships: not known is too far behind */
	assert_int_equal(a->status, 503);
	assert_string_equal(world_member(a, "code"), "unavailable");
	shipped_until(clk_now_ms());
	assert_int_equal(withdraw_one()->status, 202);
	shipped_until(clk_now_ms() - 31000);
	assert_int_equal(withdraw_one()->status, 503);
	shipped_until(clk_now_ms() + 3600000); /* the clock was set back: it cannot be told how old that is */
	assert_int_equal(withdraw_one()->status, 503);
	a = world_call("GET", "/api/v1/me", alice.token, NULL);
	assert_string_equal(world_member(a, "balance"), "999000000");
}

/* What was answered before is answered again, also now: it takes no more along than it took then. */
static void the_first_answer_is_given_while_shipping_is_behind(void **state)
{
	(void) state;
	char body[sizeof newest], id[32], header[16];
	shipped_until(clk_now_ms());
	struct answer *a = withdraw_one();
	assert_int_equal(a->status, 202);
	(void) snprintf(id, sizeof id, "%s", world_member(a, "withdrawal_id"));
	(void) snprintf(body, sizeof body, "%s", newest);
	shipped_until(clk_now_ms() - 31000);
	a = world_call("POST", "/api/v1/withdrawals", NULL, body);
	assert_int_equal(a->status, 200);
	assert_string_equal(world_member(a, "withdrawal_id"), id);
	assert_string_equal(answer_header(a, "Idempotent-Replayed", header, sizeof header), "true");
	assert_int_equal(withdraw_one()->status, 503);
	a = world_call("POST", "/api/v1/withdrawals", NULL, newest); /* refused before the nonce: it was not spent */
	assert_int_equal(a->status, 503);
	shipped_until(clk_now_ms());
	a = world_call("POST", "/api/v1/withdrawals", NULL, newest);
	assert_int_equal(a->status, 202);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(they_wait_while_shipping_is_behind),
		cmocka_unit_test(the_first_answer_is_given_while_shipping_is_behind),
	};
	return cmocka_run_group_tests_name("api shipping", tests, start, stop);
}
