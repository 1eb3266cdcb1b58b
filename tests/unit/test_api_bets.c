/* POST /bets from outside: every status and code of the contract, replays, and what is seen of a bet afterwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "../support/api_world.h"
#include "book.h"
#include "settle.h"

static struct player alice;

static int start(void **state)
{
	static const char *const more[] = { "TAP_CAP_PLAYER_COLUMN", "130000000", "TAP_CAP_CELL", "300000000", NULL };
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

static void a_bet_by_the_wallet_and_by_its_key(void **state)
{
	(void) state;
	char cell[CELL_TEXT_SIZE], location[64], want[64];
	world_market(WORLD_RATE);
	struct wish w = wish_of(&alice, world_cell(4, 5), 25);
	struct answer *a = wish_send(&w);
	assert_int_equal(a->status, 202);
	cell_format(cell, &w.tap.cell);
	assert_string_equal(world_member(a, "status"), "confirmed");
	assert_string_equal(world_member(a, "cell"), cell);
	assert_string_equal(world_member(a, "stake"), "25000000");
	assert_string_equal(world_member(a, "rate"), "23500");
	assert_string_equal(world_member(a, "balance"), "975000000");
	assert_in_range(world_number(a, "placed_at"), clk_now_ms() - 5000, clk_now_ms());
	(void) snprintf(want, sizeof want, "/api/v1/bets/%s", world_member(a, "bet_id"));
	assert_non_null(answer_header(a, "Location", location, sizeof location));
	assert_string_equal(location, want);
	assert_null(answer_header(a, "Idempotent-Replayed", location, sizeof location));

	a = world_call("GET", want, alice.token, NULL);
	assert_int_equal(a->status, 200);
	assert_string_equal(world_member(a, "status"), "confirmed");
	assert_string_equal(world_member(a, "payout"), "null");
	assert_string_equal(world_member(a, "resolved_at"), "null");
	assert_string_equal(world_member(a, "evidence"), "");

	struct wish k = wish_of(&alice, world_cell(4, 6), 5);
	k.signer = alice.key;
	assert_int_equal(wish_send(&k)->status, 202);
	/* emptied, Redis knows the key no more; its bet's replay is known, a new bet and a stranger are not */
	const struct bus_reply *r;
	struct wish stranger = k, new_one = wish_of(&alice, world_cell(4, 7), 5);
	uint8_t other[32] = { [31] = 9 };
	assert_int_equal(bus_command(world.bus, &r, "FLUSHALL"), 0);
	assert_int_equal(wish_send(&k)->status, 200);
	stranger.signer = other;
	world_refused(wish_send(&stranger), 401, "invalid_signature");
	new_one.signer = alice.key;
	world_refused(wish_send(&new_one), 401, "invalid_signature");
	(void) player_login(&alice, true);
	a = world_call("GET", "/api/v1/me", alice.token, NULL);
	assert_string_equal(world_member(a, "balance"), "970000000");
	assert_string_equal(world_member(a, "open_bets"), "2");
	assert_string_equal(world_member(a, "open_stake"), "30000000");
	assert_string_equal(world_member(a, "seq"), "3");
}

static void the_same_bet_again_is_one_bet(void **state)
{
	(void) state;
	char id[32], header[16];
	const struct bus_reply *r;
	world_market(WORLD_RATE);
	struct player p = player_new();
	(void) player_login(&p, false);
	struct wish w = wish_of(&p, world_cell(5, 5), 25), next = wish_of(&p, world_cell(5, 6), 5);
	struct answer *a = wish_send(&w);
	assert_int_equal(a->status, 202);
	(void) snprintf(id, sizeof id, "%s", world_member(a, "bet_id"));
	assert_int_equal(wish_send(&next)->status, 202);
	for (int i = 0; i < 4; i++) {
		if (i == 1)
			world_market(WORLD_RATE / 2); /* the quote moved */
		if (i == 2) {
			world_status(FEED_CRITICAL, false);
			struct wish fresh = wish_of(&p, world_cell(6, 6), 5);
			a = wish_send(&fresh);
			world_refused(a, 503, "price_feed_stale");
			assert_string_equal(answer_header(a, "Retry-After", header, sizeof header), "10");
		}
		if (i == 3)
			assert_int_equal(bus_command(world.bus, &r, "FLUSHALL"), 0);
		a = wish_send(&w);
		assert_int_equal(a->status, 200);
		assert_string_equal(answer_header(a, "Idempotent-Replayed", header, sizeof header), "true");
		assert_string_equal(world_member(a, "bet_id"), id);
		assert_string_equal(world_member(a, "balance"), "975000000");
		assert_string_equal(world_member(a, "rate"), "23500");
	}
	assert_int_equal(world_stop_api(), 0);
	world_run_api();
	assert_int_equal(wish_send(&w)->status, 200);
	world_status(FEED_HEALTHY, true);
	(void) player_login(&alice, true); /* Redis was emptied */
}

static void every_form_is_checked(void **state)
{
	(void) state;
	static const struct {
		const char *member, *value;
		int status;
		const char *code;
	} cases[] = {
		{ "wallet", "", 400, "malformed_request" }, { "wallet", "null", 400, "malformed_request" },
		{ "wallet", "\"0x12\"", 400, "malformed_request" }, { "cell", "5", 400, "malformed_request" },
		{ "cell", "\"x\"", 400, "invalid_cell" }, { "cell", "\"1771234566_9742000_9744000\"", 400, "invalid_cell" },
		{ "cell", "\"1771234565_9742001_9744001\"", 400, "invalid_cell" },
		{ "cell", "\"01771234565_9742000_9744000\"", 400, "invalid_cell" },
		{ "cell", "\"1771234565_9742000_9746000\"", 400, "invalid_cell" },
		{ "stake", "2000000", 400, "invalid_stake" }, { "stake", "0", 400, "invalid_stake" },
		{ "stake", "-1000000", 400, "invalid_stake" }, { "stake", "1e6", 400, "malformed_request" },
		{ "stake", "1000000.0", 400, "malformed_request" }, { "stake", "\"1000000\"", 400, "malformed_request" },
		{ "stake", "9223372036854775808", 400, "malformed_request" }, { "rate", "10099", 400, "malformed_request" },
		{ "rate", "200001", 400, "malformed_request" }, { "rate", "-1", 400, "malformed_request" },
		{ "nonce", "\"x\"", 400, "malformed_request" },
		{ "nonce", "\"F47AC10B-58CC-4372-A567-0E02B2C3D479\"", 400, "malformed_request" },
		{ "nonce", "\"f47ac10b-58cc-1372-a567-0e02b2c3d479\"", 400, "malformed_request" },
		{ "timestamp", "\"1\"", 400, "malformed_request" }, { "timestamp", "1", 401, "signature_expired" },
		{ "timestamp", "9223372036854775807", 401, "signature_expired" },
		{ "timestamp", "-1", 400, "malformed_request" },
		{ "chain_id", "2", 401, "wrong_chain" }, { "chain_id", "null", 400, "malformed_request" },
		{ "version", "2", 400, "malformed_request" }, { "version", "", 400, "malformed_request" },
		{ "signature", "\"0x00\"", 400, "malformed_request" }, { "signature", "7", 400, "malformed_request" },
	};
	char body[4096];
	world_market(WORLD_RATE);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct wish w = wish_of(&alice, world_cell(6, 5), 1);
		wish_body(body, &w, (const char *const[]){ cases[i].member, cases[i].value, NULL });
		world_refused(world_call("POST", "/api/v1/bets", NULL, body), cases[i].status, cases[i].code);
	}
	world_refused(world_call("POST", "/api/v1/bets", NULL, "{\"wallet\":"), 400, "malformed_request");
	world_refused(world_call("POST", "/api/v1/bets", NULL, "[]"), 400, "malformed_request");
}

static void only_good_signatures_count(void **state)
{
	(void) state;
	char body[4096], sig[2 * SIG_SIZE + 8], text[TAP_TEXT_MAX];
	struct player stranger = player_new();
	world_market(WORLD_RATE);
	struct wish w = wish_of(&alice, world_cell(7, 5), 1);
	w.signer = stranger.secret;
	world_refused(wish_send(&w), 401, "invalid_signature");
	w.signer = alice.secret;
	(void) tap_text(text, &w.tap);
	sign_text(sig + 1, w.signer, text);
	sig[0] = '"';
	(void) strcpy(sig + 1 + 2 + (size_t) 2 * SIG_SIZE, "\"");
	sig[2 * SIG_SIZE + 1] = '1'; /* v = ?1: none of 0, 1, 27, 28 */
	sig[2 * SIG_SIZE + 2] = 'f';
	wish_body(body, &w, (const char *const[]){ "signature", sig, NULL });
	world_refused(world_call("POST", "/api/v1/bets", NULL, body), 401, "invalid_signature");
	w.tap.timestamp_s -= 31;
	world_refused(wish_send(&w), 401, "signature_expired");
	w.tap.timestamp_s += 63;
	world_refused(wish_send(&w), 401, "signature_expired");
}

static void the_moment_decides(void **state)
{
	(void) state;
	char cell_text[CELL_TEXT_SIZE];
	world_market(WORLD_RATE);
	struct player p = player_new(), poor = player_new();
	(void) player_login(&p, false);
	struct wish w = wish_of(&p, world_cell(0, 5), 1);
	w.tap.cell.t0_s -= 5;
	world_refused(wish_send(&w), 409, "column_closed");
	w = wish_of(&p, world_cell(11, 5), 1);
	w.tap.cell.t0_s += 10;
	world_refused(wish_send(&w), 400, "invalid_cell");
	w = wish_of(&p, world_cell(8, 5), 1);
	w.tap.rate_min.e4 = WORLD_RATE + 1;
	struct answer *a = wish_send(&w);
	world_refused(a, 409, "quote_changed");
	assert_string_equal(world_member(a, "rate"), "23500");
	world_refused(wish_send(&w), 401, "replay_detected");

	w = wish_of(&p, world_cell(8, 5), 100);
	a = wish_send(&w);
	assert_int_equal(a->status, 202);
	char id[32];
	(void) snprintf(id, sizeof id, "%s", world_member(a, "bet_id"));
	cell_format(cell_text, &w.tap.cell);
	struct wish other = wish_of(&p, w.tap.cell, 1);
	a = wish_send(&other);
	world_refused(a, 409, "bet_exists");
	assert_string_equal(world_member(a, "bet_id"), id);
	memcpy(other.tap.nonce, w.tap.nonce, sizeof other.tap.nonce);
	other.tap.cell = world_cell(9, 5);
	world_refused(wish_send(&other), 401, "replay_detected");

	w = wish_of(&p, world_cell(8, 6), 100); /* 130 in a column */
	world_refused(wish_send(&w), 403, "limit_reached");
	w = wish_of(&alice, world_cell(8, 5), 100); /* 300 a cell */
	world_refused(wish_send(&w), 409, "cell_closed");
	w = wish_of(&p, world_cell(9, 0), 1); /* rate 0 */
	world_refused(wish_send(&w), 409, "cell_closed");
	w = wish_of(&poor, world_cell(9, 6), 1);
	world_refused(wish_send(&w), 409, "insufficient_funds");
}

static void sixty_at_once(void **state)
{
	(void) state;
	char after[16];
	world_market(WORLD_RATE);
	struct player p = player_new();
	struct answer *a = NULL;
	int64_t began = clk_mono_ms();
	int taken = 0;
	for (int i = 0; i < 400; i++) { /* each refused for its funds, each counted */
		struct wish w = wish_of(&p, world_cell(5, 5), 1);
		a = wish_send(&w);
		if (a->status == 429)
			break;
		world_refused(a, 409, "insufficient_funds");
		taken++;
	}
	world_refused(a, 429, "rate_limited");
	assert_non_null(answer_header(a, "Retry-After", after, sizeof after));
	assert_true(taken >= 60 && taken <= 61 + (clk_mono_ms() - began) / 200);
}

static void without_redis_nothing_is_taken(void **state)
{
	(void) state;
	world_market(WORLD_RATE);
	struct wish w = wish_of(&alice, world_cell(6, 7), 1);
	assert_int_equal(kill(world.redis.pid, SIGSTOP), 0);
	struct answer *a = wish_send(&w);
	assert_int_equal(kill(world.redis.pid, SIGCONT), 0);
	world_refused(a, 503, "unavailable");
	(void) usleep(300000);
	world_market(WORLD_RATE);
	assert_int_equal(wish_send(&w)->status, 202); /* the very same bet: nothing was spent */
}

static void lists_are_walked_by_cursor(void **state)
{
	(void) state;
	char path[128], cursor[64] = "";
	int seen = 0;
	int64_t before = INT64_MAX;
	world_market(WORLD_RATE);
	struct player p = player_new(), other = player_new();
	(void) player_login(&p, false);
	(void) player_login(&other, false);
	for (int i = 0; i < 7; i++) {
		struct wish w = wish_of(&p, world_cell(2 + i, 8), 1);
		assert_int_equal(wish_send(&w)->status, 202);
	}
	do {
		(void) snprintf(path, sizeof path, "/api/v1/bets?limit=3&status=confirmed%s%s", *cursor ? "&cursor=" : "", cursor);
		struct answer *a = world_call("GET", path, p.token, NULL);
		assert_int_equal(a->status, 200);
		assert_string_equal(world_member(a, "archived_weeks"), "[0]");
		int n = atoi(world_member(a, "bets") + 1);
		for (int i = 0; i < n; i++, seen++) {
			char name[32];
			(void) snprintf(name, sizeof name, "bets.%d.placed_at", i);
			assert_true(world_number(a, name) <= before);
			before = world_number(a, name);
		}
		(void) snprintf(cursor, sizeof cursor, "%s", world_member(a, "next_cursor"));
	} while (strcmp(cursor, "null") != 0);
	assert_int_equal(seen, 7);
	struct answer *a = world_call("GET", "/api/v1/ledger?ref_type=BET&limit=500", p.token, NULL);
	assert_string_equal(world_member(a, "entries"), "[7]");
	assert_string_equal(world_member(a, "entries.0.amount"), "-1000000");
	char id[32];
	(void) snprintf(id, sizeof id, "%s", world_member(a, "entries.0.ref_id"));
	(void) snprintf(path, sizeof path, "/api/v1/bets/%s", id);
	assert_int_equal(world_call("GET", path, p.token, NULL)->status, 200);
	world_refused(world_call("GET", path, other.token, NULL), 404, "not_found");
	(void) snprintf(path, sizeof path, "/api/v1/ledger?ref_id=%s", id);
	assert_string_equal(world_member(world_call("GET", path, p.token, NULL), "entries"), "[1]");
	world_refused(world_call("GET", "/api/v1/bets/nothing", p.token, NULL), 404, "not_found");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_bet_by_the_wallet_and_by_its_key),
		cmocka_unit_test(the_same_bet_again_is_one_bet),
		cmocka_unit_test(every_form_is_checked),
		cmocka_unit_test(only_good_signatures_count),
		cmocka_unit_test(the_moment_decides),
		cmocka_unit_test(sixty_at_once),
		cmocka_unit_test(without_redis_nothing_is_taken),
		cmocka_unit_test(lists_are_walked_by_cursor),
	};
	return cmocka_run_group_tests_name("api bets", tests, start, stop);
}
