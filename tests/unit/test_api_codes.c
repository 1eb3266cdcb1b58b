/* Every code of the contract is provoked over HTTP, for real: by what the request says, by a Redis that was stopped, by a commit that
 * failed, by memory that was not there. A code without a row here fails the test. The api runs in a child of this program, so
 * that its faults can be armed from outside; all else is as in the binary. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "../support/api_world.h"
#include "api.h"
#include "daemon.h"
#include "fault.h"
#include "ledger.h"
#include "thread.h"
#include "week.h"

enum { QUEUE_MAX = 16, AT_ONCE = 64, BURST = 60 };

/* --- the api in a child, with its faults --- */

static int faults[2] = { -1, -1 }; /* ours, the child's */

#ifdef TAP_FAULTS
static void *arm_what_is_asked(void *u)
{
	int want[2];
	(void) u;
	while (read(faults[1], want, sizeof want) == (ssize_t) sizeof want) {
		fault_arm((enum fault_kind) want[0], want[1], false);
		(void) !write(faults[1], want, 1);
	}
	return NULL;
}

static void arm(enum fault_kind kind, int nth)
{
	int want[2] = { (int) kind, nth };
	char armed;
	assert_int_equal(write(faults[0], want, sizeof want), sizeof want);
	assert_int_equal(read(faults[0], &armed, 1), 1);
}
#endif

static void be_the_api(void)
{
	static char name[] = "tap-trading-api";
	char *argv[] = { name, NULL };
	environ = world.env;
#ifdef TAP_FAULTS
	pthread_t thread;
	if (thread_start(&thread, arm_what_is_asked, NULL) != 0)
		_exit(127);
#endif
	_exit(daemon_main(1, argv, &(struct daemon_spec){ .name = "api", .summary = "of a test", .who = FOR_API, .start = api_start,
			.turn = api_turn, .stop = api_stop, .alive = api_alive,
			.ops = { .health = api_health, .ready = api_ready, .metrics = api_metrics } }));
}

static int start(void **state)
{
	static const char *const more[] = { "TAP_QUEUE_MAX", "16", "TAP_CAP_PLAYER_COLUMN", "130000000", NULL };
	(void) state;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, faults) < 0)
		return -1;
	world_instead = be_the_api;
	return world_start(more);
}

static int stop(void **state)
{
	(void) state;
	(void) close(faults[0]);
	(void) close(faults[1]);
	return world_stop();
}

/* --- what provokes each: the answer that has the code --- */

static struct player fresh(void)
{
	struct player p = player_new();
	(void) player_login(&p, false);
	world_market(WORLD_RATE);
	return p;
}

static struct answer *bet_but(const char *name, const char *value)
{
	const char *const but[] = { name, value, NULL };
	struct player p = fresh();
	char body[4096];
	struct wish w = wish_of(&p, world_cell(3, 3), 1);
	wish_body(body, &w, but);
	return world_call("POST", "/api/v1/bets", NULL, body);
}

static struct answer *bet_on(struct cell c, int32_t least)
{
	struct player p = fresh();
	struct wish w = wish_of(&p, c, 1);
	if (least)
		w.tap.rate_min.e4 = least;
	return wish_send(&w);
}

static struct answer *malformed_request(void)
{
	return bet_but("stake", "1.5");
}

static struct answer *invalid_cell(void)
{
	return bet_but("cell", "\"1_2_3\"");
}

static struct answer *invalid_stake(void)
{
	return bet_but("stake", "2000000");
}

static struct answer *invalid_signature(void)
{
	struct player p = fresh(), other = player_new();
	struct wish w = wish_of(&p, world_cell(3, 3), 1);
	w.signer = other.secret;
	return wish_send(&w);
}

static struct answer *signature_expired(void)
{
	struct player p = fresh();
	struct wish w = wish_of(&p, world_cell(3, 3), 1);
	w.tap.timestamp_s -= 40;
	return wish_send(&w);
}

static struct answer *replay_detected(void)
{
	struct player p = fresh();
	struct wish w = wish_of(&p, world_cell(3, 3), 1);
	assert_int_equal(wish_send(&w)->status, 202);
	w.tap.cell = world_cell(4, 4);
	return wish_send(&w);
}

static struct answer *unauthorized(void)
{
	return world_call("GET", "/api/v1/me", NULL, NULL);
}

static struct answer *wrong_chain(void)
{
	struct player p = fresh();
	struct wish w = wish_of(&p, world_cell(3, 3), 1);
	w.tap.chain_id = 5;
	return wish_send(&w);
}

static struct answer *forbidden(void)
{
	struct player p = fresh();
	assert_int_equal(world_call("POST", "/api/v1/me/cool-off", p.token, "{\"hours\":1}")->status, 200);
	struct wish w = wish_of(&p, world_cell(3, 3), 1);
	return wish_send(&w);
}

static struct answer *account_suspended(void)
{
	struct week *week;
	struct store *db;
	struct account a;
	struct player p = fresh();
	assert_int_equal(week_open(&week, world.dir, STORE_WRITE, clk_now_ms()), 0);
	assert_int_equal(week_begin(week, &db), 0);
	assert_int_equal(ledger_account(db, &p.wallet, &a), 0);
	assert_int_equal(ledger_suspend(db, a.user, true), 0);
	assert_int_equal(week_commit(week), 0);
	(void) week_close(week);
	struct wish w = wish_of(&p, world_cell(3, 3), 1);
	return wish_send(&w);
}

static struct answer *limit_reached(void)
{
	struct player p = fresh();
	struct wish w = wish_of(&p, world_cell(3, 3), 100), more = wish_of(&p, world_cell(3, 4), 100);
	assert_int_equal(wish_send(&w)->status, 202);
	return wish_send(&more);
}

static struct answer *not_found(void)
{
	return world_call("GET", "/api/v1/nothing", NULL, NULL);
}

static struct answer *method_not_allowed(void)
{
	return world_call("PUT", "/api/v1/grid", NULL, NULL);
}

static struct answer *insufficient_funds(void)
{
	struct player nobody = player_new();
	world_market(WORLD_RATE);
	struct wish w = wish_of(&nobody, world_cell(3, 3), 1);
	return wish_send(&w);
}

static struct answer *bet_exists(void)
{
	struct player p = fresh();
	struct wish w = wish_of(&p, world_cell(3, 3), 1), other = wish_of(&p, world_cell(3, 3), 5);
	assert_int_equal(wish_send(&w)->status, 202);
	return wish_send(&other);
}

static struct answer *column_closed(void)
{
	world_market(WORLD_RATE);
	struct cell c = world_cell(0, 3);
	c.t0_s -= 2 * world.settings.column_s;
	return bet_on(c, 0);
}

static struct answer *cell_closed(void)
{
	world_market(WORLD_RATE);
	return bet_on(world_cell(4, 0), 0);
}

static struct answer *quote_changed(void)
{
	world_market(WORLD_RATE);
	return bet_on(world_cell(4, 3), WORLD_RATE + 1);
}

static struct answer *session_key_in_use(void)
{
	char message[2048];
	struct player p = player_new(), q = player_new();
	(void) player_login(&p, true);
	memcpy(q.key, p.key, sizeof q.key);
	memcpy(q.key_text, p.key_text, sizeof q.key_text);
	player_challenge(&q, true, message);
	return player_answer(message, q.secret, q.key);
}

static struct answer *body_too_large(void)
{
	static char body[9000];
	memset(body, ' ', sizeof body - 1);
	return world_call("POST", "/api/v1/bets", NULL, body);
}

static struct answer *unsupported_media_type(void)
{
	return client_ask(world.port, "POST /api/v1/bets HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: text/plain\r\n"
			"Content-Length: 2\r\n\r\n{}");
}

static struct answer *rate_limited(void)
{
	struct answer *a = NULL;
	struct player p = fresh();
	struct cell closed = world_cell(0, 3);
	closed.t0_s -= 2 * world.settings.column_s;
	for (int i = 0; i < 20 * BURST && (!a || a->status != 429); i++) {
		struct wish w = wish_of(&p, closed, 1);
		a = wish_send(&w);
	}
	return a;
}

#ifdef TAP_FAULTS
/* The body's buffer finds no memory. Another thread's may have met the fault: again, then. */
static struct answer *internal_error(void)
{
	struct answer *a;
	int tries = 0;
	do {
		assert_true(tries++ < 100);
		arm(FAULT_MEMORY, 1);
		a = world_call("POST", "/api/v1/auth/challenge", NULL, "{\"wallet\":\"0x7e5f4552091a69125d5dfcb7b8c2659029395bdf\"}");
	} while (a->status != 500);
	arm(FAULT_MEMORY, 0);
	return a;
}
#endif

static struct answer *price_feed_stale(void)
{
	struct player p = fresh();
	struct wish w = wish_of(&p, world_cell(3, 3), 1);
	world_status(FEED_CRITICAL, false);
	struct answer *a = wish_send(&w);
	world_status(FEED_HEALTHY, true);
	return a;
}

static void redis_goes_on(void)
{
	int64_t until = clk_mono_ms() + 20000;
	int status;
	assert_int_equal(kill(world.redis.pid, SIGCONT), 0);
	do {
		assert_true(clk_mono_ms() < until);
		world_market(WORLD_RATE);
		struct player nobody = player_new();
		struct wish w = wish_of(&nobody, world_cell(3, 3), 1);
		status = wish_send(&w)->status;
	} while (status != 409); /* he has no funds: all that is needed is up again */
}

static void open_bet(const struct player *p, int i, int *fd)
{
	char body[4096], request[8192];
	struct wish w = wish_of(p, world_cell(2 + i / 20, 1 + i % 20), 1);
	wish_body(body, &w, NULL);
	(void) snprintf(request, sizeof request, "POST /api/v1/bets HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
			"Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body);
	*fd = client_open(world.port);
	client_say(*fd, request);
}

/* Redis is silent, so that bets wait: those beyond the queue's bound are refused. */
static struct answer *overloaded(void)
{
	static struct answer kept;
	int fds[AT_ONCE];
	struct player p = fresh();
	assert_int_equal(kill(world.redis.pid, SIGSTOP), 0);
	for (int i = 0; i < AT_ONCE; i++)
		open_bet(&p, i, &fds[i]);
	for (int i = 0; i < AT_ONCE; i++) {
		struct answer *a = client_hear(fds[i]);
		if (strcmp(world_member(a, "code"), "overloaded") == 0)
			kept = *a;
		(void) close(fds[i]);
	}
	redis_goes_on();
	return &kept;
}

static struct answer *unavailable(void)
{
	static struct answer kept;
	struct player p = fresh();
	struct wish w = wish_of(&p, world_cell(3, 3), 1);
	assert_int_equal(kill(world.redis.pid, SIGSTOP), 0);
	kept = *wish_send(&w);
	redis_goes_on();
	return &kept;
}

#ifdef TAP_FAULTS
/* The commit fails where nobody can tell whether it is on disk. The process ends, and the next one knows. */
static struct answer *outcome_unknown(void)
{
	static struct answer kept;
	int status;
	struct player p = fresh();
	struct wish w = wish_of(&p, world_cell(3, 3), 1);
	arm(FAULT_STORE_COMMIT, 1);
	kept = *wish_send(&w);
	assert_int_equal(kept.status, 504);
	assert_int_equal(waitpid(world.pid, &status, 0), world.pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 70);
	world_run_api();
	world_market(WORLD_RATE);
	/* GET /bets is whom to ask; the same bet again is told the same */
	bool placed = strcmp(world_member(world_call("GET", "/api/v1/bets", p.token, NULL), "bets"), "[1]") == 0;
	struct answer *a = wish_send(&w);
	if (placed)
		assert_int_equal(a->status, 200);
	else
		world_refused(a, 401, "replay_detected");
	return &kept;
}
#endif

static struct answer *(*const provoke[PROBLEM_COUNT])(void) = {
	[PROBLEM_MALFORMED_REQUEST] = malformed_request,
	[PROBLEM_INVALID_CELL] = invalid_cell,
	[PROBLEM_INVALID_STAKE] = invalid_stake,
	[PROBLEM_INVALID_SIGNATURE] = invalid_signature,
	[PROBLEM_SIGNATURE_EXPIRED] = signature_expired,
	[PROBLEM_REPLAY_DETECTED] = replay_detected,
	[PROBLEM_UNAUTHORIZED] = unauthorized,
	[PROBLEM_WRONG_CHAIN] = wrong_chain,
	[PROBLEM_FORBIDDEN] = forbidden,
	[PROBLEM_ACCOUNT_SUSPENDED] = account_suspended,
	[PROBLEM_LIMIT_REACHED] = limit_reached,
	[PROBLEM_NOT_FOUND] = not_found,
	[PROBLEM_METHOD_NOT_ALLOWED] = method_not_allowed,
	[PROBLEM_INSUFFICIENT_FUNDS] = insufficient_funds,
	[PROBLEM_BET_EXISTS] = bet_exists,
	[PROBLEM_COLUMN_CLOSED] = column_closed,
	[PROBLEM_CELL_CLOSED] = cell_closed,
	[PROBLEM_QUOTE_CHANGED] = quote_changed,
	[PROBLEM_SESSION_KEY_IN_USE] = session_key_in_use,
	[PROBLEM_BODY_TOO_LARGE] = body_too_large,
	[PROBLEM_UNSUPPORTED_MEDIA_TYPE] = unsupported_media_type,
	[PROBLEM_RATE_LIMITED] = rate_limited,
	[PROBLEM_PRICE_FEED_STALE] = price_feed_stale,
	[PROBLEM_OVERLOADED] = overloaded,
	[PROBLEM_UNAVAILABLE] = unavailable,
#ifdef TAP_FAULTS
	[PROBLEM_INTERNAL_ERROR] = internal_error,
	[PROBLEM_OUTCOME_UNKNOWN] = outcome_unknown,
#endif
};

/* The contract's table, in its words. */
static const struct {
	int status;
	const char *codes;
} contract[] = {
	{ 400, "malformed_request invalid_cell invalid_stake" },
	{ 401, "invalid_signature signature_expired replay_detected unauthorized wrong_chain" },
	{ 403, "forbidden account_suspended limit_reached" },
	{ 404, "not_found" },
	{ 405, "method_not_allowed" },
	{ 409, "insufficient_funds bet_exists column_closed cell_closed quote_changed session_key_in_use" },
	{ 413, "body_too_large" },
	{ 415, "unsupported_media_type" },
	{ 429, "rate_limited" },
	{ 500, "internal_error" },
	{ 503, "price_feed_stale overloaded unavailable" },
	{ 504, "outcome_unknown" },
};

static enum problem problem_named(const char *code, size_t n)
{
	for (int p = PROBLEM_NONE + 1; p < PROBLEM_COUNT; p++)
		if (strlen(problem_code((enum problem) p)) == n && strncmp(problem_code((enum problem) p), code, n) == 0)
			return (enum problem) p;
	fail_msg("the server knows no code %.*s", (int) n, code);
	return PROBLEM_NONE;
}

static void the_contract_s_table_is_the_server_s(void **state)
{
	(void) state;
	int named = 0;
	for (size_t i = 0; i < ARRAY_LEN(contract); i++) {
		for (const char *at = contract[i].codes; *at; named++) {
			size_t n = strcspn(at, " ");
			assert_int_equal(problem_status(problem_named(at, n)), contract[i].status);
			at += n + (at[n] == ' ');
		}
	}
	assert_int_equal(named, PROBLEM_COUNT - 1);
}

static void each_code_is_provoked(void **state)
{
	(void) state;
	for (int p = PROBLEM_NONE + 1; p < PROBLEM_COUNT; p++) {
		const char *code = problem_code((enum problem) p);
		char retry[16], allow[64];
		if (!provoke[p]) {
#ifdef TAP_FAULTS
			fail_msg("nothing provokes %s", code);
#endif
			continue;
		}
		const struct answer *a = provoke[p]();
		world_refused(a, (int) problem_status((enum problem) p), code);
		if (a->status == 429 || a->status == 503)
			assert_true(answer_header(a, "Retry-After", retry, sizeof retry) && atoi(retry) >= 1);
		if (a->status == 405)
			assert_non_null(answer_header(a, "Allow", allow, sizeof allow));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_contract_s_table_is_the_server_s),
		cmocka_unit_test(each_code_is_provoked),
	};
	return cmocka_run_group_tests_name("api codes", tests, start, stop);
}
