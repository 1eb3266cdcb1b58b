/* The api binary from outside: signing in and out, accounts, the market's calls, bad input to all of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "../support/api_world.h"
#include "history.h"
#include "ledger.h"
#include "settle.h"
#include "week.h"

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

static void a_login_opens_an_account(void **state)
{
	(void) state;
	struct player p = player_new();
	struct answer *a = player_login(&p, true);
	assert_string_equal(world_member(a, "wallet"), p.text);
	assert_string_equal(world_member(a, "session_key"), p.key_text);
	assert_string_equal(world_member(a, "balance"), "1000000000");
	assert_in_range(world_number(a, "expires_at"), clk_now_ms() + 86000000, clk_now_ms() + 86400000);

	a = world_call("GET", "/api/v1/me", p.token, NULL);
	assert_int_equal(a->status, 200);
	assert_string_equal(world_member(a, "wallet"), p.text);
	assert_string_equal(world_member(a, "balance"), "1000000000");
	assert_string_equal(world_member(a, "seq"), "1");
	assert_string_equal(world_member(a, "open_bets"), "0");
	assert_string_equal(world_member(a, "open_stake"), "0");
	assert_string_equal(world_member(a, "limits.player_column"), "1000000000");
	assert_string_equal(world_member(a, "limits.player_open"), "5000000000");
	assert_string_equal(world_member(a, "limits.withdrawal_min"), "1000000");

	a = world_call("GET", "/api/v1/ledger", p.token, NULL);
	char want[80];
	(void) snprintf(want, sizeof want, "welcome:%s", p.text);
	assert_string_equal(world_member(a, "entries"), "[1]");
	assert_string_equal(world_member(a, "entries.0.ref_type"), "DEPOSIT");
	assert_string_equal(world_member(a, "entries.0.ref_id"), want);
	assert_string_equal(world_member(a, "entries.0.amount"), "1000000000");
	assert_string_equal(world_member(a, "next_cursor"), "null");

	a = player_login(&p, false); /* again: the same account, no second credit, no key */
	assert_string_equal(world_member(a, "balance"), "1000000000");
	assert_string_equal(world_member(a, "session_key"), "");
}

static void a_challenge_is_good_once(void **state)
{
	(void) state;
	struct player p = player_new(), other = player_new();
	char message[2048];
	player_challenge(&p, false, message);
	world_refused(player_answer(message, other.secret, NULL), 401, "invalid_signature");
	assert_int_equal(player_answer(message, p.secret, NULL)->status, 201); /* the failure spent nothing */
	world_refused(player_answer(message, p.secret, NULL), 401, "unauthorized");
	player_challenge(&p, false, message);
	message[10] ^= 1;
	world_refused(player_answer(message, p.secret, NULL), 401, "unauthorized");
}

static void a_session_key_proves_itself(void **state)
{
	(void) state;
	struct player p = player_new(), q = player_new();
	char message[2048];
	player_challenge(&p, true, message);
	world_refused(player_answer(message, p.secret, NULL), 400, "malformed_request");
	world_refused(player_answer(message, p.secret, q.key), 401, "invalid_signature");
	assert_int_equal(player_answer(message, p.secret, p.key)->status, 201);
	memcpy(q.key, p.key, sizeof q.key); /* the same key for another wallet */
	memcpy(q.key_text, p.key_text, sizeof q.key_text);
	player_challenge(&q, true, message);
	world_refused(player_answer(message, q.secret, q.key), 409, "session_key_in_use");
}

static void a_session_ends(void **state)
{
	(void) state;
	struct player p = player_new();
	(void) player_login(&p, true);
	assert_int_equal(world_call("DELETE", "/api/v1/auth/session", p.token, NULL)->status, 204);
	world_refused(world_call("GET", "/api/v1/me", p.token, NULL), 401, "unauthorized");
	world_refused(world_call("DELETE", "/api/v1/auth/session", p.token, NULL), 401, "unauthorized");
}

static void a_suspended_account_does_not_sign_in(void **state)
{
	(void) state;
	struct player p = player_new();
	char message[2048];
	struct week *week;
	struct store *db;
	struct account account;
	(void) player_login(&p, false);
	assert_int_equal(week_open(&week, world.dir, STORE_WRITE, clk_now_ms()), 0);
	assert_int_equal(week_begin(week, &db), 0);
	assert_int_equal(ledger_account(db, &p.wallet, &account), 0);
	assert_int_equal(ledger_suspend(db, account.user, true), 0);
	assert_int_equal(week_commit(week), 0);
	(void) week_close(week);
	player_challenge(&p, false, message);
	world_refused(player_answer(message, p.secret, NULL), 403, "account_suspended");
}

static void what_needs_a_session_says_so(void **state)
{
	(void) state;
	static const char *const paths[] = { "/api/v1/me", "/api/v1/bets", "/api/v1/ledger",
		"/api/v1/bets/01ARZ3NDEKTSV4RRFFQ69G5FAV" };
	for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
		world_refused(world_call("GET", paths[i], NULL, NULL), 401, "unauthorized");
		world_refused(world_call("GET", paths[i], "nonsense", NULL), 401, "unauthorized");
	}
}

static void strange_calls_are_refused(void **state)
{
	(void) state;
	char allow[64], long_body[9000];
	struct answer *a;
	world_refused(world_call("GET", "/api/v1/nothing", NULL, NULL), 404, "not_found");
	a = world_call("PUT", "/api/v1/me", NULL, "{}");
	world_refused(a, 405, "method_not_allowed");
	assert_non_null(answer_header(a, "Allow", allow, sizeof allow));
	assert_non_null(strstr(allow, "GET"));
	a = client_ask(world.port, "POST /api/v1/auth/challenge HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
			"Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}");
	world_refused(a, 415, "unsupported_media_type");
	memset(long_body, ' ', sizeof long_body);
	long_body[sizeof long_body - 1] = '\0';
	world_refused(world_call("POST", "/api/v1/auth/challenge", NULL, long_body), 413, "body_too_large");
}

static void bad_bodies_are_malformed(void **state)
{
	(void) state;
	static const char *const challenges[] = { "", "x", "[]", "1", "null", "{", "{\"wallet\":1}", "{}",
		"{\"wallet\":\"0x12\"}", "{\"wallet\":\"0x7e5F4552091A69125d5DfCb7b8C2659029395Bdf\"}",
		"{\"wallet\":\"0x7e5f4552091a69125d5dfcb7b8c2659029395bdf\",\"session_key\":7}",
		"{\"wallet\":\"0x7e5f4552091a69125d5dfcb7b8c2659029395bdf\",\"wallet\":\"0x7e5f4552091a69125d5dfcb7b8c2659029395bdf\"}",
		"{\"wallet\":\"0X7e5f4552091a69125d5dfcb7b8c2659029395bdf\"}", "{\"wallet\":\"\xff\"}" };
	static const char *const logins[] = { "{}", "{\"message\":1,\"signature\":\"0x\"}", "{\"message\":\"x\"}",
		"{\"message\":\"x\",\"signature\":\"0x12\"}", "{\"message\":\"x\",\"signature\":5}" };
	for (size_t i = 0; i < ARRAY_LEN(challenges); i++)
		world_refused(world_call("POST", "/api/v1/auth/challenge", NULL, challenges[i]), 400, "malformed_request");
	for (size_t i = 0; i < ARRAY_LEN(logins); i++)
		world_refused(world_call("POST", "/api/v1/auth/login", NULL, logins[i]), 400, "malformed_request");
	static const char *const good[] = { "{\"wallet\":\"0x7e5f4552091a69125d5dfcb7b8c2659029395bdf\"}",
		"{\"wallet\":\"0x7E5F4552091A69125D5DFCB7B8C2659029395BDF\",\"unknown\":[1.5,{}]}",
		"{\"wallet\":\"0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf\"}" };
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_int_equal(world_call("POST", "/api/v1/auth/challenge", NULL, good[i])->status, 200);
}

static void bad_queries_are_malformed(void **state)
{
	(void) state;
	static const char *const queries[] = { "limit=0", "limit=501", "limit=-1", "limit=x", "limit=", "limit=1&limit=2",
		"from=2&to=1", "from=x", "to=1.5", "from=99999999999999999999", "cursor=zz", "cursor=r", "cursor=r0", "a=%zz" };
	struct player p = player_new();
	char path[128];
	(void) player_login(&p, false);
	for (size_t i = 0; i < ARRAY_LEN(queries); i++) {
		(void) snprintf(path, sizeof path, "/api/v1/bets?%s", queries[i]);
		world_refused(world_call("GET", path, p.token, NULL), 400, "malformed_request");
		(void) snprintf(path, sizeof path, "/api/v1/ledger?%s", queries[i]);
		world_refused(world_call("GET", path, p.token, NULL), 400, "malformed_request");
	}
	world_refused(world_call("GET", "/api/v1/bets?status=open", p.token, NULL), 400, "malformed_request");
	world_refused(world_call("GET", "/api/v1/ledger?ref_type=bet", p.token, NULL), 400, "malformed_request");
	assert_int_equal(world_call("GET", "/api/v1/bets?status=won&limit=500&from=1&to=1", p.token, NULL)->status, 200);
	assert_int_equal(world_call("GET", "/api/v1/ledger?ref_type=BET&other=1", p.token, NULL)->status, 200);
}

static void the_grid_is_the_event_with_constants(void **state)
{
	(void) state;
	world_market(WORLD_RATE);
	struct answer *a = world_call("GET", "/api/v1/grid", NULL, NULL);
	assert_int_equal(world_number(a, "quote_id"), world.grid.quote_id);
	assert_int_equal(world_number(a, "t"), world.grid.t_ms);
	assert_string_equal(world_member(a, "columns"), "[12]");
	assert_int_equal(world_number(a, "columns.0"), world.grid.t0_s[0]);
	assert_int_equal(world_number(a, "rows.low"), world.grid.low_cents);
	assert_string_equal(world_member(a, "rates"), "[12]");
	assert_string_equal(world_member(a, "rates.0.1"), "23500");
	assert_string_equal(world_member(a, "constants.column_seconds"), "5");
	assert_string_equal(world_member(a, "constants.stake_presets.0"), "1000000");
	assert_string_equal(world_member(a, "constants.domain"), "127.0.0.1:8000");
}

static void columns_before_they_are_recorded(void **state)
{
	(void) state;
	char path[64];
	int64_t now_s = clk_now_ms() / 1000, t0 = now_s - now_s % 5;
	struct tick t = { clk_now_ms(), WORLD_PRICE };
	assert_int_equal(history_append(world.bus, &t), 0);
	(void) snprintf(path, sizeof path, "/api/v1/columns/%lld", (long long) t0);
	struct answer *a = world_call("GET", path, NULL, NULL);
	assert_int_equal(a->status, 200);
	assert_string_equal(world_member(a, "status"), "open");
	assert_int_equal(world_number(a, "t0"), t0);
	static const char *const unknown[] = { "path_low", "path_high", "ticks", "digest", "prev_digest" };
	for (size_t i = 0; i < ARRAY_LEN(unknown); i++)
		assert_string_equal(world_member(a, unknown[i]), "null");

	(void) snprintf(path, sizeof path, "/api/v1/columns/%lld", (long long) t0 + 500);
	world_refused(world_call("GET", path, NULL, NULL), 404, "not_found");
	world_refused(world_call("GET", "/api/v1/columns/5", NULL, NULL), 404, "not_found");
	static const char *const bad[] = { "1771234566", "x", "-5", "5.0", "99999999999999999999", "%20" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		(void) snprintf(path, sizeof path, "/api/v1/columns/%s", bad[i]);
		world_refused(world_call("GET", path, NULL, NULL), 400, "malformed_request");
	}
}

/* Two bets in a column of a minute ago, the first of them decided. */
static void begin_to_settle(struct week *week, const struct wallet *wallet, struct tick *ticks, int64_t t0)
{
	static const struct settle_slice one = { .bets = 1, .us = INT64_MAX };
	struct settle_result got;
	struct account a;
	struct store *db;
	int64_t row, low = WORLD_PRICE / 2000 * 2000;
	assert_int_equal(week_begin(week, &db), 0);
	assert_int_equal(ledger_account(db, wallet, &a), 0);
	for (int i = 0; i < 2; i++) {
		struct bet b = { .user = a.user, .cell = { t0, low + i * 2000, low + (i + 1) * 2000 }, .stake = money_of(WORLD_USD),
			.rate = { WORLD_RATE }, .rate_min = { WORLD_RATE }, .placed_ms = t0 * 1000 - 12000, .signed_s = t0 - 12,
			.state = BET_CONFIRMED };
		assert_int_equal(ledger_stake(db, &b, &a, &row), 0);
		assert_int_equal(book_put_bet(db, &b, row), 0);
	}
	assert_int_equal(week_commit(week), 0);
	for (int i = 0; i < 51; i++)
		ticks[i] = (struct tick){ t0 * 1000 - 100 + 100 * i, low + 5 };
	struct path path = path_cut(ticks, 51, t0, 5, world.settings.max_tick_gap_ms);
	assert_int_equal(settle_one_slice(week, &world.settings, &path, clk_now_ms(), &one, &got, NULL, NULL), SETTLE_E_MORE);
}

static void a_column_is_open_until_its_last_bet_is_decided(void **state)
{
	(void) state;
	struct player p = player_new();
	struct tick ticks[51];
	struct settle_result got;
	struct week *week;
	char path[64];
	int64_t t0 = clk_now_ms() / 5000 * 5 - 60;
	(void) player_login(&p, false);
	assert_int_equal(week_open(&week, world.dir, STORE_WRITE, clk_now_ms()), 0);
	begin_to_settle(week, &p.wallet, ticks, t0);
	(void) snprintf(path, sizeof path, "/api/v1/columns/%lld", (long long) t0);
	struct answer *a = world_call("GET", path, NULL, NULL);
	assert_int_equal(a->status, 200);
	assert_string_equal(world_member(a, "status"), "open");
	assert_int_equal(world_number(a, "anchor.0"), ticks[0].t_ms);
	static const char *const unknown[] = { "path_low", "path_high", "ticks", "digest", "prev_digest" };
	for (size_t i = 0; i < ARRAY_LEN(unknown); i++)
		assert_string_equal(world_member(a, unknown[i]), "null");

	assert_int_equal(settle_go_on(week, &world.settings, t0, clk_now_ms(), &got, NULL, NULL), 0);
	(void) week_close(week);
	a = world_call("GET", path, NULL, NULL);
	assert_string_equal(world_member(a, "status"), "settled");
	assert_int_equal(world_number(a, "ticks"), 51);
	assert_null(strstr(a->body, "\"path\""));

	(void) snprintf(path, sizeof path, "/api/v1/columns/%lld?path=1", (long long) t0);
	a = world_call("GET", path, NULL, NULL);
	assert_string_equal(world_member(a, "path"), "[51]");
	assert_int_equal(world_number(a, "path.0.0"), ticks[0].t_ms);
	assert_int_equal(world_number(a, "path.50.0"), ticks[50].t_ms);
	assert_int_equal(world_number(a, "path.50.1"), ticks[50].p_cents);
	(void) snprintf(path, sizeof path, "/api/v1/columns/%lld?path=2", (long long) t0);
	world_refused(world_call("GET", path, NULL, NULL), 400, "malformed_request");
}

static void prices_are_the_ticks(void **state)
{
	(void) state;
	char path[96];
	int64_t first = 0, last = 0;
	for (int i = 0; i < 3; i++) {
		last = clk_now_ms();
		first = first ? first : last;
		assert_int_equal(history_append(world.bus, &(struct tick){ last, WORLD_PRICE + i }), 0);
		(void) usleep(3000);
	}
	(void) snprintf(path, sizeof path, "/api/v1/prices?from=%lld&to=%lld", (long long) first, (long long) last);
	struct answer *a = world_call("GET", path, NULL, NULL);
	assert_string_equal(world_member(a, "ticks"), "[2]"); /* to is exclusive */
	assert_int_equal(world_number(a, "ticks.0.0"), first);
	assert_int_equal(world_number(a, "ticks.1.1"), WORLD_PRICE + 1);
	static const char *const bad[] = { "", "?from=1", "?to=1", "?from=2&to=1", "?from=1&to=3600002", "?from=a&to=b" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		(void) snprintf(path, sizeof path, "/api/v1/prices%s", bad[i]);
		world_refused(world_call("GET", path, NULL, NULL), 400, "malformed_request");
	}
	assert_string_equal(world_member(world_call("GET", "/api/v1/prices?from=1&to=3600001", NULL, NULL), "ticks"), "[0]");
}

static void health_names_its_four_checks(void **state)
{
	(void) state;
	world_market(WORLD_RATE);
	struct answer *a = world_call("GET", "/health", NULL, NULL);
	assert_int_equal(a->status, 200);
	assert_string_equal(world_member(a, "status"), "healthy");
	static const char *const checks[] = { "database", "redis", "price_feed", "circuit_breaker" };
	for (size_t i = 0; i < ARRAY_LEN(checks); i++) {
		char name[64];
		(void) snprintf(name, sizeof name, "checks.%s.status", checks[i]);
		assert_string_equal(world_member(a, name), "healthy");
	}
	world_status(FEED_CRITICAL, false);
	a = world_call("GET", "/health", NULL, NULL);
	assert_int_equal(a->status, 503);
	assert_string_equal(world_member(a, "status"), "critical");
	world_status(FEED_HEALTHY, true);
	assert_int_equal(world_call("GET", "/health", NULL, NULL)->status, 200);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_login_opens_an_account),
		cmocka_unit_test(a_challenge_is_good_once),
		cmocka_unit_test(a_session_key_proves_itself),
		cmocka_unit_test(a_session_ends),
		cmocka_unit_test(a_suspended_account_does_not_sign_in),
		cmocka_unit_test(what_needs_a_session_says_so),
		cmocka_unit_test(strange_calls_are_refused),
		cmocka_unit_test(bad_bodies_are_malformed),
		cmocka_unit_test(bad_queries_are_malformed),
		cmocka_unit_test(the_grid_is_the_event_with_constants),
		cmocka_unit_test(columns_before_they_are_recorded),
		cmocka_unit_test(prices_are_the_ticks),
		cmocka_unit_test(health_names_its_four_checks),
		cmocka_unit_test(a_column_is_open_until_its_last_bet_is_decided),
	};
	return cmocka_run_group_tests_name("api", tests, start, stop);
}
