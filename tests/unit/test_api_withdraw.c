/* POST and GET /withdrawals from outside. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "../support/api_world.h"
#include "week.h"
#include "withdraw.h"

static struct player alice;
static const char to[] = "0x2c7536e3605d9c16a7a3d7b1898e529396a65c23";

static int start(void **state)
{
	(void) state;
	if (world_start(NULL) != 0)
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

static struct withdraw request_of(const struct player *p, int64_t micros)
{
	struct wish w = wish_of(p, (struct cell){ 0 }, 1);
	struct withdraw q = { .wallet = p->wallet, .amount = { micros }, .timestamp_s = w.tap.timestamp_s, .chain_id = 1 };
	(void) snprintf(q.to_text, sizeof q.to_text, "%s", to);
	memcpy(q.nonce, w.tap.nonce, sizeof q.nonce);
	return q;
}

static struct answer *send_by(const struct withdraw *q, const uint8_t signer[32])
{
	char text[TAP_TEXT_MAX], sig[2 * SIG_SIZE + 3], nonce[UUID_TEXT_SIZE], who[WALLET_TEXT_SIZE], body[1024];
	(void) withdraw_text(text, q);
	sign_text(sig, signer, text);
	nonce_format(nonce, q->nonce);
	wallet_format(who, &q->wallet);
	(void) snprintf(body, sizeof body, "{\"wallet\":\"%s\",\"amount\":%lld,\"to\":\"%s\",\"nonce\":\"%s\",\"timestamp\":%lld,"
			"\"chain_id\":%lld,\"version\":1,\"signature\":\"%s\"}", who, (long long) q->amount.micros, q->to_text, nonce,
			(long long) q->timestamp_s, (long long) q->chain_id, sig);
	return world_call("POST", "/api/v1/withdrawals", NULL, body);
}

static void a_withdrawal_is_debited_at_once_and_once(void **state)
{
	(void) state;
	char id[32], path[96], header[16];
	const struct bus_reply *r;
	struct withdraw q = request_of(&alice, 100000001);
	struct answer *a = send_by(&q, alice.secret);
	assert_int_equal(a->status, 202);
	assert_string_equal(world_member(a, "status"), "requested");
	assert_string_equal(world_member(a, "amount"), "100000001");
	assert_string_equal(world_member(a, "to"), "0x2c7536E3605D9C16a7a3D7b1898e529396a65c23");
	assert_string_equal(world_member(a, "balance"), "899999999");
	(void) snprintf(id, sizeof id, "%s", world_member(a, "withdrawal_id"));
	struct withdraw more = request_of(&alice, 1000000);
	assert_int_equal(send_by(&more, alice.secret)->status, 202);

	for (int i = 0; i < 2; i++) {
		a = send_by(&q, alice.secret);
		assert_int_equal(a->status, 200);
		assert_string_equal(answer_header(a, "Idempotent-Replayed", header, sizeof header), "true");
		assert_string_equal(world_member(a, "withdrawal_id"), id);
		assert_string_equal(world_member(a, "balance"), "899999999");
		assert_int_equal(bus_command(world.bus, &r, "FLUSHALL"), 0); /* the book knows it too */
	}
	more.amount.micros = 2000000; /* a spent nonce in another message */
	world_refused(send_by(&more, alice.secret), 401, "replay_detected");
	(void) player_login(&alice, true);
	(void) snprintf(path, sizeof path, "/api/v1/ledger?ref_type=WITHDRAWAL&ref_id=%s", id);
	a = world_call("GET", path, alice.token, NULL);
	assert_string_equal(world_member(a, "entries"), "[1]");
	assert_string_equal(world_member(a, "entries.0.amount"), "-100000001");
	assert_string_equal(world_member(a, "entries.0.balance_after"), "899999999");

	a = world_call("GET", "/api/v1/withdrawals?limit=1", alice.token, NULL);
	assert_string_equal(world_member(a, "withdrawals.0.amount"), "1000000");
	(void) snprintf(path, sizeof path, "/api/v1/withdrawals?cursor=%s", world_member(a, "next_cursor"));
	a = world_call("GET", path, alice.token, NULL);
	assert_string_equal(world_member(a, "withdrawals"), "[1]");
	assert_string_equal(world_member(a, "withdrawals.0.withdrawal_id"), id);
	assert_string_equal(world_member(a, "withdrawals.0.status"), "requested");
	assert_string_equal(world_member(a, "withdrawals.0.decided_at"), "null");
	assert_string_equal(world_member(a, "next_cursor"), "null");
}

static void a_nonce_that_a_bet_spent_debits_nothing(void **state)
{
	(void) state;
	struct player p = player_new();
	(void) player_login(&p, false);
	world_market(WORLD_RATE);
	struct wish w = wish_of(&p, world_cell(3, 3), 1);
	struct withdraw q = request_of(&p, 1000000);
	memcpy(q.nonce, w.tap.nonce, sizeof q.nonce);
	assert_int_equal(wish_send(&w)->status, 202);
	world_refused(send_by(&q, p.secret), 401, "replay_detected");
	assert_string_equal(world_member(world_call("GET", "/api/v1/me", p.token, NULL), "balance"), "999000000");
	assert_string_equal(world_member(world_call("GET", "/api/v1/withdrawals", p.token, NULL), "withdrawals"), "[0]");
}

static void what_is_wrong_is_refused(void **state)
{
	(void) state;
	struct withdraw q = request_of(&alice, 1000000);
	struct player poor = player_new();
	world_refused(send_by(&q, alice.key), 401, "invalid_signature");
	q.chain_id = 2;
	world_refused(send_by(&q, alice.secret), 401, "wrong_chain");
	q = request_of(&alice, 999999);
	world_refused(send_by(&q, alice.secret), 400, "malformed_request");
	q = request_of(&alice, 1000000);
	q.timestamp_s -= 31;
	world_refused(send_by(&q, alice.secret), 401, "signature_expired");
	q = request_of(&alice, 1000000);
	q.to_text[5] = 'g';
	world_refused(send_by(&q, alice.secret), 400, "malformed_request");
	q = request_of(&alice, 5000000000);
	world_refused(send_by(&q, alice.secret), 409, "insufficient_funds");
	world_refused(send_by(&q, alice.secret), 401, "replay_detected");
	q = request_of(&poor, 1000000);
	world_refused(send_by(&q, poor.secret), 409, "insufficient_funds");
	world_refused(world_call("GET", "/api/v1/withdrawals", NULL, NULL), 401, "unauthorized");
	world_refused(world_call("GET", "/api/v1/withdrawals?limit=0", alice.token, NULL), 400, "malformed_request");
	world_refused(world_call("GET", "/api/v1/withdrawals?status=paid", alice.token, NULL), 400, "malformed_request");
	assert_string_equal(world_member(world_call("GET", "/api/v1/withdrawals?status=approved", alice.token, NULL), "withdrawals"), "[0]");
	assert_string_not_equal(world_member(world_call("GET", "/api/v1/withdrawals?status=requested", alice.token, NULL), "withdrawals"),
			"[0]");
}

static void decide(struct week *week, const char *text, bool approve, int want, bool want_changed)
{
	struct store *db;
	struct withdrawal w;
	struct account after;
	struct ulid id;
	bool changed;
	assert_true(ulid_parse(&id, text, strlen(text)));
	assert_int_equal(week_begin(week, &db), 0);
	assert_int_equal(withdraw_decide(db, &id, approve, clk_now_ms(), &w, &after, &changed), want);
	if (want == 0) {
		assert_int_equal(changed, want_changed);
		assert_int_equal(week_commit(week), 0);
	} else {
		week_rollback(week);
	}
}

static void a_rejected_one_comes_back(void **state)
{
	(void) state;
	char ids[2][32];
	struct week *week;
	struct player p = player_new();
	(void) player_login(&p, false);
	for (int i = 0; i < 2; i++) {
		struct withdraw q = request_of(&p, 10000000);
		struct answer *a = send_by(&q, p.secret);
		assert_int_equal(a->status, 202);
		(void) snprintf(ids[i], sizeof ids[i], "%s", world_member(a, "withdrawal_id"));
	}
	assert_int_equal(week_open(&week, world.dir, STORE_WRITE, clk_now_ms()), 0);
	decide(week, ids[0], true, 0, true);
	decide(week, ids[0], true, 0, false);
	decide(week, ids[0], false, WITHDRAW_E_DECIDED, false);
	decide(week, ids[1], false, 0, true);
	decide(week, ids[1], false, 0, false);
	decide(week, "01ARZ3NDEKTSV4RRFFQ69G5FAV", true, WITHDRAW_E_ABSENT, false);
	(void) week_close(week);
	struct answer *a = world_call("GET", "/api/v1/me", p.token, NULL);
	assert_string_equal(world_member(a, "balance"), "990000000");
	a = world_call("GET", "/api/v1/withdrawals", p.token, NULL);
	assert_string_equal(world_member(a, "withdrawals.0.status"), "rejected");
	assert_string_equal(world_member(a, "withdrawals.1.status"), "approved");
	assert_in_range(world_number(a, "withdrawals.1.decided_at"), clk_now_ms() - 10000, clk_now_ms());
	a = world_call("GET", "/api/v1/ledger?ref_type=WITHDRAWAL_REVERSAL", p.token, NULL);
	assert_string_equal(world_member(a, "entries.0.ref_id"), ids[1]);
	assert_string_equal(world_member(a, "entries.0.amount"), "10000000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_withdrawal_is_debited_at_once_and_once),
		cmocka_unit_test(a_nonce_that_a_bet_spent_debits_nothing),
		cmocka_unit_test(what_is_wrong_is_refused),
		cmocka_unit_test(a_rejected_one_comes_back),
	};
	return cmocka_run_group_tests_name("api withdrawals", tests, start, stop);
}
