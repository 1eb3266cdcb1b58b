/* What a player forbids himself, and what his session key may do, from outside; the operator's word for it; and a bet of a session
 * key sent again when neither Redis nor the process knows the key any more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "../support/api_world.h"

enum { HOUR_MS = 3600000 };
static const int64_t DAY_MS = 86400000;

static int start(void **state)
{
	(void) state;
	return world_start(NULL);
}

static int stop(void **state)
{
	(void) state;
	return world_stop();
}

static struct answer *put(const struct player *p, const char *body)
{
	return world_call("PUT", "/api/v1/me/limits", p->token, body);
}

static struct answer *post(const struct player *p, const char *path, const char *body)
{
	return world_call("POST", path, p->token, body);
}

static int bet(const struct player *p, int column, int row, int64_t usd, const uint8_t *signer, struct answer **ret)
{
	struct wish w = wish_of(p, world_cell(column, row), usd);
	w.signer = signer;
	*ret = wish_send(&w);
	return (*ret)->status;
}

static void limits_are_lowered_at_once_and_raised_tomorrow(void **state)
{
	(void) state;
	struct answer *a;
	struct player p = player_new();
	(void) player_login(&p, false);
	if (clk_now_ms() % DAY_MS > DAY_MS - 60000) /* the day's sums begin anew at midnight */
		clk_sleep_until_ms(clk_mono_ms() + 61000);
	world_market(WORLD_RATE);
	a = world_call("GET", "/api/v1/me/limits", p.token, NULL);
	assert_int_equal(a->status, 200);
	assert_string_equal(world_member(a, "player_column.effective"), "1000000000");
	assert_string_equal(world_member(a, "player_column.own"), "null");
	assert_string_equal(world_member(a, "player_column.pending"), "null");
	assert_string_equal(world_member(a, "day_loss.effective"), "null");
	assert_string_equal(world_member(a, "cool_off_until"), "null");
	assert_string_equal(world_member(a, "self_excluded_until"), "null");

	a = put(&p, "{\"player_column\":30000000,\"day_stake\":50000000}");
	assert_int_equal(a->status, 200);
	assert_string_equal(world_member(a, "player_column.effective"), "30000000");
	assert_string_equal(world_member(a, "player_open.own"), "null");
	assert_string_equal(world_member(world_call("GET", "/api/v1/me", p.token, NULL), "limits.player_column"), "30000000");
	assert_string_equal(world_member(world_call("GET", "/api/v1/me", p.token, NULL), "limits.player_open"), "5000000000");
	assert_int_equal(bet(&p, 3, 3, 25, p.secret, &a), 202);
	assert_int_equal(bet(&p, 3, 4, 10, p.secret, &a), 403);
	world_refused(a, 403, "limit_reached");
	assert_non_null(strstr(world_member(a, "detail"), "your own limit"));
	assert_int_equal(bet(&p, 4, 4, 25, p.secret, &a), 202);
	assert_int_equal(bet(&p, 5, 4, 1, p.secret, &a), 403);
	assert_non_null(strstr(world_member(a, "detail"), "in a day"));

	a = put(&p, "{\"player_column\":null}");
	assert_string_equal(world_member(a, "player_column.own"), "30000000");
	assert_string_equal(world_member(a, "player_column.pending.own"), "null");
	assert_in_range(world_number(a, "player_column.pending.at"), clk_now_ms() + DAY_MS - 10000, clk_now_ms() + DAY_MS);
	a = put(&p, "{\"player_column\":30000000}"); /* withdrawn */
	assert_string_equal(world_member(a, "player_column.pending"), "null");
	a = put(&p, "{\"player_column\":40000000}");
	assert_string_equal(world_member(a, "player_column.pending.own"), "40000000");
	a = put(&p, "{\"player_column\":20000000}"); /* lowered again */
	assert_string_equal(world_member(a, "player_column.pending"), "null");
	assert_string_equal(world_member(a, "player_column.effective"), "20000000");
	a = put(&p, "{\"player_open\":9000000000}"); /* above the server's: the server's holds */
	assert_string_equal(world_member(a, "player_open.own"), "9000000000");
	assert_string_equal(world_member(a, "player_open.effective"), "5000000000");
}

static void a_cool_off_takes_no_bet(void **state)
{
	(void) state;
	struct answer *a;
	struct player p = player_new();
	(void) player_login(&p, false);
	world_market(WORLD_RATE);
	int64_t now_ms = clk_now_ms();
	a = post(&p, "/api/v1/me/cool-off", "{\"hours\":2}");
	assert_int_equal(a->status, 200);
	int64_t until = world_number(a, "cool_off_until");
	assert_in_range(until, now_ms + 2 * HOUR_MS, now_ms + 2 * HOUR_MS + 10000);
	a = post(&p, "/api/v1/me/cool-off", "{\"hours\":1}"); /* not shortened */
	assert_int_equal(world_number(a, "cool_off_until"), until);
	assert_int_equal(bet(&p, 3, 3, 1, p.secret, &a), 403);
	world_refused(a, 403, "forbidden");
	assert_int_equal(world_number(a, "until"), until);
	assert_non_null(strstr(world_member(a, "detail"), "lasts until 20"));
	assert_int_equal(world_call("GET", "/api/v1/bets", p.token, NULL)->status, 200); /* all else works */
	(void) player_login(&p, true);
}

static void who_excluded_himself_looks_but_does_not_bet(void **state)
{
	(void) state;
	struct answer *a;
	char message[2048];
	struct player p = player_new();
	(void) player_login(&p, true);
	world_market(WORLD_RATE);
	int64_t now_ms = clk_now_ms();
	a = post(&p, "/api/v1/me/self-exclusion", "{\"days\":180}");
	assert_int_equal(a->status, 200);
	int64_t until = world_number(a, "self_excluded_until");
	assert_in_range(until, now_ms + 180 * DAY_MS, now_ms + 180 * DAY_MS + 10000);
	assert_int_equal(bet(&p, 3, 3, 1, p.key, &a), 403);
	world_refused(a, 403, "forbidden");
	player_challenge(&p, true, message); /* no new key */
	a = player_answer(message, p.secret, p.key);
	world_refused(a, 403, "forbidden");
	assert_int_equal(world_number(a, "until"), until);
	(void) player_login(&p, false); /* but he sees what is his */
	a = world_call("GET", "/api/v1/me/limits", p.token, NULL);
	assert_int_equal(world_number(a, "self_excluded_until"), until);
	a = post(&p, "/api/v1/me/self-exclusion", "{\"days\":200}"); /* longer it may be */
	assert_in_range(world_number(a, "self_excluded_until"), now_ms + 200 * DAY_MS, now_ms + 200 * DAY_MS + 20000);
	a = post(&p, "/api/v1/me/cool-off", "{\"hours\":1}");
	assert_true(world_number(a, "self_excluded_until") > until);
	assert_int_equal(bet(&p, 3, 3, 1, p.secret, &a), 403);
}

static void strange_bodies_change_nothing(void **state)
{
	(void) state;
	static const struct {
		const char *method, *path, *body;
	} bad[] = {
		{ "PUT", "limits", "{}" }, { "PUT", "limits", "[]" }, { "PUT", "limits", "{\"player_open\":-1}" },
		{ "PUT", "limits", "{\"player_open\":1.5}" }, { "PUT", "limits", "{\"player_open\":\"5\"}" },
		{ "PUT", "limits", "{\"player_open\":5,\"day_loss\":true}" }, { "PUT", "limits", "{\"player_open\":9223372036854775808}" },
		{ "PUT", "limits", "{\"player_open\":9223372036854775807}" }, { "PUT", "limits", "{\"cool_off\":5}" },
		{ "PUT", "limits", "{\"player_open\":5,\"player_open\":6}" },
		{ "POST", "cool-off", "{}" }, { "POST", "cool-off", "{\"hours\":0}" }, { "POST", "cool-off", "{\"hours\":1009}" },
		{ "POST", "cool-off", "{\"hours\":\"1\"}" }, { "POST", "cool-off", "{\"hours\":9223372036854775807}" },
		{ "POST", "self-exclusion", "{\"days\":179}" }, { "POST", "self-exclusion", "{\"days\":1831}" },
		{ "POST", "self-exclusion", "{\"days\":null}" },
	};
	struct player p = player_new();
	(void) player_login(&p, false);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char path[64];
		(void) snprintf(path, sizeof path, "/api/v1/me/%s", bad[i].path);
		world_refused(world_call(bad[i].method, path, p.token, bad[i].body), 400, "malformed_request");
		world_refused(world_call(bad[i].method, path, NULL, bad[i].body), 401, "unauthorized");
	}
	struct answer *a = world_call("GET", "/api/v1/me/limits", p.token, NULL);
	assert_string_equal(world_member(a, "player_open.own"), "null");
	assert_string_equal(world_member(a, "cool_off_until"), "null");
	assert_string_equal(world_member(a, "self_excluded_until"), "null");
	world_refused(world_call("DELETE", "/api/v1/me/limits", p.token, NULL), 405, "method_not_allowed");
	world_refused(world_call("DELETE", "/api/v1/me/self-exclusion", p.token, NULL), 405, "method_not_allowed");
}

static void changes_are_too_many_in_the_end(void **state)
{
	(void) state;
	char body[64], retry[16];
	struct answer *a;
	int taken = 0;
	struct player p = player_new();
	(void) player_login(&p, false);
	do {
		(void) snprintf(body, sizeof body, "{\"player_open\":%d}", 1000000 - taken);
		a = put(&p, body);
		taken += a->status == 200;
	} while (a->status == 200);
	world_refused(a, 429, "rate_limited");
	assert_non_null(answer_header(a, "Retry-After", retry, sizeof retry));
	assert_int_equal(taken, 100);
	assert_int_equal(post(&p, "/api/v1/me/self-exclusion", "{\"days\":180}")->status, 200); /* that is never too often */
}

static void a_key_s_caps_are_shown_and_hold(void **state)
{
	(void) state;
	char message[2048], body[160];
	struct answer *a;
	struct player p = player_new();
	world_market(WORLD_RATE);
	(void) snprintf(body, sizeof body, "{\"wallet\":\"%s\",\"session_key\":\"%s\"}", p.text, p.key_text);
	a = world_call("POST", "/api/v1/auth/challenge", NULL, body);
	assert_string_equal(world_member(a, "session_key_limits.player_column"), "1000000000");
	assert_string_equal(world_member(a, "session_key_limits.player_open"), "5000000000");
	assert_string_equal(world_member(a, "session_key_limits.seconds"), "86400");
	assert_string_equal(world_member(a, "session_key_limits.withdrawals"), "false");
	(void) snprintf(body, sizeof body, "{\"wallet\":\"%s\"}", p.text);
	assert_string_equal(world_member(world_call("POST", "/api/v1/auth/challenge", NULL, body), "session_key_limits"), "");

	/* named under caps of 10 and 5000 USD, bet with under wide ones */
	world_env("TAP_CAP_PLAYER_COLUMN", "10000000");
	assert_int_equal(world_stop_api(), 0);
	world_run_api();
	player_challenge(&p, true, message);
	assert_non_null(strstr(message, "stay within 10 USD"));
	assert_non_null(strstr(message, "\n- urn:tap-trading:session-key:player-column:10000000\n"));
	world.env[--world.env_n] = NULL;
	assert_int_equal(world_stop_api(), 0);
	world_run_api();
	world_market(WORLD_RATE);
	a = player_answer(message, p.secret, p.key);
	assert_int_equal(a->status, 201);
	assert_string_equal(world_member(a, "session_key_limits.player_column"), "10000000");
	assert_int_equal(bet(&p, 3, 3, 10, p.key, &a), 202);
	assert_int_equal(bet(&p, 3, 4, 1, p.key, &a), 403);
	world_refused(a, 403, "limit_reached");
	assert_non_null(strstr(world_member(a, "detail"), "session key"));
	assert_int_equal(bet(&p, 3, 4, 1, p.secret, &a), 202);
}

static void a_key_s_bet_is_known_when_all_else_forgot_it(void **state)
{
	(void) state;
	const struct bus_reply *reply;
	char replayed[16];
	struct player p = player_new();
	(void) player_login(&p, true);
	world_market(WORLD_RATE);
	struct wish w = wish_of(&p, world_cell(3, 3), 5), other = wish_of(&p, world_cell(3, 4), 5);
	w.signer = other.signer = p.key;
	struct answer *a = wish_send(&w);
	assert_int_equal(a->status, 202);
	char id[32], balance[32];
	(void) snprintf(id, sizeof id, "%s", world_member(a, "bet_id"));
	(void) snprintf(balance, sizeof balance, "%s", world_member(a, "balance"));
	assert_int_equal(bus_command(world.bus, &reply, "FLUSHALL"), 0);
	assert_int_equal(world_stop_api(), 0);
	world_run_api();
	world_market(WORLD_RATE);
	a = wish_send(&w);
	assert_int_equal(a->status, 200);
	assert_string_equal(world_member(a, "bet_id"), id);
	assert_string_equal(world_member(a, "balance"), balance);
	assert_non_null(answer_header(a, "Idempotent-Replayed", replayed, sizeof replayed));
	world_refused(wish_send(&other), 401, "invalid_signature"); /* the key itself has to sign in again */
}

static void the_operator_excludes_and_nobody_shortens(void **state)
{
	(void) state;
	char command[512];
	struct player p = player_new();
	(void) player_login(&p, false);
	world_market(WORLD_RATE);
	struct answer *a;
	assert_int_equal(bet(&p, 3, 3, 1, p.secret, &a), 202);
	(void) snprintf(command, sizeof command, "TAP_DATA_DIR=%s TAP_REDIS=%s bin/tap-trading-ctl user exclude %s --days 365"
			" --reason asked-by-letter >/dev/null", world.dir, world.redis.address, p.text);
	assert_int_equal(system(command), 0);
	assert_int_equal(bet(&p, 3, 4, 1, p.secret, &a), 403);
	world_refused(a, 403, "forbidden");
	assert_true(world_number(a, "until") > clk_now_ms() + 364 * DAY_MS);
	(void) snprintf(command, sizeof command, "TAP_DATA_DIR=%s TAP_REDIS=%s bin/tap-trading-ctl user exclude %s --days 180"
			" >/dev/null", world.dir, world.redis.address, p.text);
	assert_int_equal(system(command), 0); /* changes nothing */
	a = world_call("GET", "/api/v1/me/limits", p.token, NULL);
	assert_true(world_number(a, "self_excluded_until") > clk_now_ms() + 364 * DAY_MS);
	(void) snprintf(command, sizeof command, "TAP_DATA_DIR=%s TAP_REDIS=%s bin/tap-trading-ctl integrity >/dev/null", world.dir,
			world.redis.address);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_are_lowered_at_once_and_raised_tomorrow),
		cmocka_unit_test(a_cool_off_takes_no_bet),
		cmocka_unit_test(who_excluded_himself_looks_but_does_not_bet),
		cmocka_unit_test(strange_bodies_change_nothing),
		cmocka_unit_test(changes_are_too_many_in_the_end),
		cmocka_unit_test(a_key_s_caps_are_shown_and_hold),
		cmocka_unit_test(a_key_s_bet_is_known_when_all_else_forgot_it),
		cmocka_unit_test(the_operator_excludes_and_nobody_shortens),
	};
	return cmocka_run_group_tests_name("api limits", tests, start, stop);
}
