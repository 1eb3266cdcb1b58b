/* The week's end as players and operators meet it: the real daemons over a book that was made in an earlier week, so that they
 * end it at once. Bets go on meanwhile; what was placed before is decided after; history is whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>
#include <cmocka.h>

#include "../support/api_world.h"
#include "../support/child.h"
#include "../support/past_bet.h"
#include "book.h"
#include "integrity.h"
#include "ledger.h"
#include "path.h"
#include "schema.h"
#include "settle.h"
#include "week.h"

enum { W = 2, CLIENTS = 4, DAY_S = 86400 };

/* What the earlier week holds: a player with a deposit, a bet that was decided, and one that was not. */
static struct {
	int days;
	int64_t at_s;
	struct player player;
	char decided[ULID_TEXT_SIZE], open[ULID_TEXT_SIZE];
	struct clk_week week;
	struct gate *held; /* who ends the week waits here */
} old;

static void live_through_a_week(void)
{
	struct week *w;
	struct store *db;
	struct account a;
	struct settle_result result;
	struct tick ticks[2 * W + 2];
	old.at_s = (clk_now_ms() / 1000 - (int64_t) old.days * DAY_S) / W * W;
	old.player = player_new();
	assert_int_equal(week_open(&w, world.dir, STORE_WRITE, old.at_s * 1000), 0);
	old.week = week_current(w);
	assert_int_equal(week_begin(w, &db), 0);
	assert_int_equal(ledger_account_open(db, &old.player.wallet, old.at_s * 1000, &a), 0);
	const struct posting p = { .user = a.user, .amount = { 500 * (int64_t) WORLD_USD }, .ref_type = LEDGER_DEPOSIT,
		.ref_id = "bank-1", .at_ms = old.at_s * 1000 };
	assert_int_equal(ledger_post(db, &p, &a), 0);
	past_bet_put(db, a.user, old.at_s + 20, 9742000, old.decided);
	past_bet_put(db, a.user, old.at_s + 20 + 3600, 9742000, old.open);
	assert_int_equal(week_commit(w), 0);
	for (int i = 0; i < 2 * W + 2; i++)
		ticks[i] = (struct tick){ (old.at_s + 20) * 1000 - 500 + 500 * i, 9743000 };
	struct path path = path_cut(ticks, 2 * W + 1, old.at_s + 20, W, 3000);
	assert_int_equal(settle_column(w, &world.settings, &path, (old.at_s + 30) * 1000, &result, NULL, NULL), 0);
	assert_int_equal(result.won, 1);
	(void) week_close(w);
}

static void hold_the_roll(void)
{
	char next[64];
	live_through_a_week();
	(void) snprintf(next, sizeof next, "%s/next", world.dir);
	(void) mkdir(next, 0750);
	assert_int_equal(gate_open(&old.held, next), 0);
	assert_int_equal(gate_enter(old.held), 0);
}

static struct clk_week current_week(void)
{
	struct week *w;
	assert_int_equal(week_open(&w, world.dir, STORE_READ, clk_now_ms()), 0);
	struct clk_week is = week_current(w);
	(void) week_close(w);
	return is;
}

static bool still_old(void)
{
	struct clk_week is = current_week();
	return is.year == old.week.year && is.week == old.week.week;
}

static void wait_for_the_new_week(int64_t limit_ms)
{
	int64_t until = clk_mono_ms() + limit_ms;
	while (still_old()) {
		assert_true(clk_mono_ms() < until);
		(void) usleep(20000);
	}
	struct clk_week now = clk_iso_week(clk_now_ms()), is = current_week();
	assert_true(is.year == now.year && is.week == now.week);
}

static void count_week(void *u, const struct week_info *week, const struct integrity *found)
{
	(void) week;
	if (found->finding[0])
		print_error("%s\n", found->finding);
	++*(int *) u;
}

static int audited_weeks(void)
{
	struct week *w;
	int n = 0;
	assert_int_equal(week_open(&w, world.dir, STORE_READ, clk_now_ms()), 0);
	assert_int_equal(integrity_check_weeks(w, true, count_week, &n), 0);
	(void) week_close(w);
	return n;
}

/* The operator's command; its answer is in *out. */
static int ctl_with(const char *redis, const char *line, char out[16384])
{
	char cmd[1024];
	(void) snprintf(cmd, sizeof cmd, "TAP_DATA_DIR=%s TAP_REDIS=%s TAP_COLUMN_SECONDS=%d"
			" TAP_API_OPS_LISTEN=127.0.0.1:1 TAP_RESOLVER_OPS_LISTEN=127.0.0.1:1 TAP_ARCHIVER_OPS_LISTEN=127.0.0.1:1"
			" bin/tap-trading-ctl %s --json 2>/dev/null", world.dir, redis, W, line);
	FILE *f = popen(cmd, "r");
	assert_non_null(f);
	size_t n = fread(out, 1, 16383, f);
	out[n] = '\0';
	int status = pclose(f);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int ctl(const char *line, char out[16384])
{
	return ctl_with("unix:/nonexistent/r", line, out);
}

static void says(const char *line, int code, const char *want)
{
	static char out[16384];
	int got = ctl(line, out);
	if (got != code || !strstr(out, want))
		fail_msg("`%s` exits with %d: %s", line, got, out);
}

#define COMMAND(fmt, arg, code, want) \
	do { \
		char line_[256]; \
		(void) snprintf(line_, sizeof line_, fmt, arg); \
		says(line_, code, want); \
	} while (0)

/* --- bets while the week ends --- */

/* In a process of its own: bets until the time, each must be confirmed. Its exit code is how many it placed, or 255. */
static void bet_on(const struct player *p, int64_t until_ms)
{
	int placed = 0;
	for (int i = 5; i < 12 && clk_mono_ms() < until_ms; i++) {
		for (int j = 1; j < 24 && clk_mono_ms() < until_ms; j++) {
			struct wish w = wish_of(p, world_cell(i, j), 1);
			struct answer *a = wish_send(&w);
			if (a->status != 202) {
				(void) fprintf(stderr, "bet %d: %d %s\n", placed, a->status, a->body);
				_exit(255);
			}
			placed++;
			(void) usleep(30000);
		}
	}
	_exit(placed);
}

static int count_bets(const struct player *p)
{
	char path[128] = "/api/v1/bets?limit=20", cursor[64];
	int n = 0;
	for (;;) {
		struct answer *a = world_call("GET", path, p->token, NULL);
		assert_int_equal(a->status, 200);
		assert_string_equal(world_member(a, "archived_weeks"), "[0]");
		n += atoi(world_member(a, "bets") + 1);
		(void) snprintf(cursor, sizeof cursor, "%s", world_member(a, "next_cursor"));
		if (strcmp(cursor, "null") == 0)
			return n;
		(void) snprintf(path, sizeof path, "/api/v1/bets?limit=20&cursor=%s", cursor);
	}
}

static void no_bet_fails_while_the_week_ends(const struct player players[CLIENTS])
{
	pid_t pids[CLIENTS];
	int64_t until = clk_mono_ms() + 4000;
	for (int i = 0; i < CLIENTS; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			bet_on(&players[i], until);
	}
	(void) usleep(2000000); /* the roller came by now, and waits */
	assert_true(still_old());
	gate_leave(old.held);
	wait_for_the_new_week(5000);
	assert_true(clk_mono_ms() < until);
	for (int i = 0; i < CLIENTS; i++) {
		int status;
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) != 255);
		assert_true(WEXITSTATUS(status) > 20);
		assert_int_equal(count_bets(&players[i]), WEXITSTATUS(status));
		struct answer *a = world_call("GET", "/api/v1/me", players[i].token, NULL);
		assert_int_equal(world_number(a, "open_bets"), WEXITSTATUS(status));
		assert_int_equal(world_number(a, "balance"), (1000 - (int64_t) WEXITSTATUS(status)) * WORLD_USD);
	}
}

static const char *bet_status(const char *id)
{
	char path[64];
	(void) snprintf(path, sizeof path, "/api/v1/bets/%s", id);
	struct answer *a = world_call("GET", path, old.player.token, NULL);
	return a->status == 200 ? world_member(a, "status") : "";
}

static void history_is_whole(void)
{
	char path[96];
	assert_string_equal(bet_status(old.decided), "won");
	assert_string_equal(bet_status(old.open), "confirmed");
	(void) snprintf(path, sizeof path, "/api/v1/bets/%s", old.decided);
	struct answer *a = world_call("GET", path, old.player.token, NULL);
	assert_int_equal(world_number(a, "evidence.t0"), old.at_s + 20);
	(void) snprintf(path, sizeof path, "/api/v1/columns/%lld", (long long) old.at_s + 20);
	assert_string_equal(world_member(world_call("GET", path, NULL, NULL), "status"), "settled");
	a = world_call("GET", "/api/v1/ledger?ref_type=DEPOSIT", old.player.token, NULL);
	assert_string_equal(world_member(a, "entries.0.ref_id"), "bank-1");
	assert_string_equal(world_member(a, "entries"), "[1]");
	/* one entry a page, over the edge of the weeks */
	static const char *const types[] = { "OPENING", "BET", "PAYOUT", "BET", "BET", "DEPOSIT" };
	(void) snprintf(path, sizeof path, "/api/v1/ledger?limit=1");
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		a = world_call("GET", path, old.player.token, NULL);
		assert_string_equal(world_member(a, "entries.0.ref_type"), types[i]);
		(void) snprintf(path, sizeof path, "/api/v1/ledger?limit=1&cursor=%s", world_member(a, "next_cursor"));
	}
	assert_string_equal(world_member(a, "next_cursor"), "null");
}

static void the_operator_sees_all_weeks(void)
{
	char text[64];
	says("integrity", 0, "\"integrity\":\"ok\"");
	says("trial-balance", 0, "\"weeks\":2");
	says("week list", 0, "\"state\":\"closed\"");
	says("week close", 0, "\"closed\":false");
	COMMAND("bet show %s", old.decided, 0, "\"digest\"");
	(void) snprintf(text, sizeof text, "%lld", (long long) old.at_s + 20);
	COMMAND("verify %s", text, 0, "\"verdict\":\"equal\"");
	COMMAND("ledger --wallet %s", old.player.text, 0, "bank-1");
	/* posted in the week before: for ever */
	COMMAND("deposit --wallet %s --amount 500000000 --ref bank-1", old.player.text, 0, "\"already\":true");
	COMMAND("deposit --wallet %s --amount 500000001 --ref bank-1", old.player.text, EX_DATAERR, "bank-1");
}

static void the_resolver_decides_what_is_open(const char *before)
{
	static const char *const argv[] = { "bin/tap-trading-resolver", NULL };
	char ops[48], log[64];
	const char *env[WORLD_ENV_MAX + 2] = { NULL };
	size_t n = 0;
	(void) snprintf(ops, sizeof ops, "TAP_RESOLVER_OPS_LISTEN=127.0.0.1:%u", world_free_port());
	(void) snprintf(log, sizeof log, "%s/resolver.log", world.dir);
	for (; n < world.env_n; n++)
		env[n] = world.env[n];
	env[n++] = ops;
	pid_t pid = child_start(argv, env, log);
	int64_t until = clk_mono_ms() + 60000;
	while (strcmp(bet_status(before), "void") != 0 || strcmp(bet_status(old.open), "void") != 0) {
		assert_true(clk_mono_ms() < until);
		(void) usleep(100000);
	}
	assert_int_equal(child_end(pid, SIGTERM), 0);
	struct answer *a = world_call("GET", "/api/v1/me", old.player.token, NULL);
	assert_int_equal(world_number(a, "balance"), 505 * (int64_t) WORLD_USD); /* 500, and 5 won */
	assert_int_equal(world_number(a, "open_bets"), 0);
}

/* Looking goes on: he may see what is his, and what became of his open bets. */
static void a_suspension_leaves_the_session(const struct player *bad, const struct player *good)
{
	char line[256];
	static char out[16384];
	(void) snprintf(line, sizeof line, "user suspend %s --reason fraud", bad->text);
	assert_int_equal(ctl_with(world.redis.address, line, out), 0);
	assert_int_equal(world_call("GET", "/api/v1/me", bad->token, NULL)->status, 200);
	assert_int_equal(world_call("GET", "/api/v1/me", good->token, NULL)->status, 200);
}

static void a_file_that_is_gone_is_named(void)
{
	char from[96], to[112], name[WEEK_NAME_SIZE], label[WEEK_LABEL_SIZE];
	week_file_name(name, old.week);
	week_label(label, old.week);
	(void) snprintf(from, sizeof from, "%s/%s", world.dir, name);
	(void) snprintf(to, sizeof to, "%s.away", from);
	assert_int_equal(rename(from, to), 0);
	struct answer *a = world_call("GET", "/api/v1/bets", old.player.token, NULL);
	assert_int_equal(a->status, 200);
	assert_string_equal(world_member(a, "archived_weeks.0"), label);
	assert_string_equal(world_member(a, "archived_weeks"), "[1]");
	a = world_call("GET", "/api/v1/ledger?from=" "9999999999999", old.player.token, NULL);
	assert_string_equal(world_member(a, "archived_weeks"), "[0]"); /* the span does not reach it */
	assert_string_equal(bet_status(old.decided), "");
	says("integrity", 0, "ok");
	says("trial-balance", 0, "\"weeks\":1");
	says("week list", 0, "\"state\":\"archived\"");
	assert_int_equal(rename(to, from), 0);
}

static void bets_go_on_over_the_end_of_a_week(void **state)
{
	(void) state;
	struct player players[CLIENTS];
	char before[ULID_TEXT_SIZE], again[64];
	(void) player_login(&old.player, false);
	for (int i = 0; i < CLIENTS; i++) {
		players[i] = player_new();
		(void) player_login(&players[i], false);
	}
	world_market(WORLD_RATE);
	struct wish wish = wish_of(&old.player, world_cell(3, 5), 5);
	struct answer *a = wish_send(&wish);
	assert_int_equal(a->status, 202);
	(void) snprintf(before, sizeof before, "%s", world_member(a, "bet_id"));
	int64_t balance = world_number(a, "balance");
	no_bet_fails_while_the_week_ends(players);
	assert_int_equal(audited_weeks(), 2);
	a = wish_send(&wish); /* its rows are in the old file */
	assert_int_equal(a->status, 200);
	assert_non_null(answer_header(a, "Idempotent-Replayed", again, sizeof again));
	assert_string_equal(world_member(a, "bet_id"), before);
	assert_int_equal(world_number(a, "balance"), balance);
	history_is_whole();
	the_operator_sees_all_weeks();
	the_resolver_decides_what_is_open(before);
	assert_string_equal(bet_status(before), "void");
	assert_int_equal(audited_weeks(), 2);
	a_suspension_leaves_the_session(&players[0], &players[1]);
	a_file_that_is_gone_is_named();
	assert_int_equal(audited_weeks(), 2);
}

static int start_one_week(void **state)
{
	static const char *const more[] = { "TAP_COLUMN_SECONDS", "2", "TAP_BET_BURST", "1000", NULL };
	(void) state;
	old.days = 7;
	world_prefill = hold_the_roll;
	return world_start(more);
}

static int stop(void **state)
{
	(void) state;
	old.held = gate_close(old.held);
	return world_stop();
}

/* --- a machine that was off for three weeks, and comes up without its api --- */

static int start_three_weeks(void **state)
{
	(void) state;
	memset(&world, 0, sizeof world);
	(void) snprintf(world.dir, sizeof world.dir, "/tmp/tap-weeks-XXXXXX");
	if (sig_init() != 0 || !mkdtemp(world.dir) || !redis_server_start(&world.redis))
		return -1;
	world_env("TAP_REDIS", world.redis.address);
	world_env("TAP_DATA_DIR", world.dir);
	world_env("TAP_COLUMN_SECONDS", "2");
	if (settings_load(&world.settings, world.env, stderr) != 0)
		return -1;
	old.days = 21;
	live_through_a_week();
	return 0;
}

static int stop_without_api(void **state)
{
	char cmd[64];
	(void) state;
	redis_server_stop(&world.redis);
	(void) snprintf(cmd, sizeof cmd, "rm -rf %s", world.dir);
	return system(cmd);
}

/* As an older release left it. */
static void take_old_week_down(void)
{
	struct store *db;
	char path[96], name[WEEK_NAME_SIZE];
	week_file_name(name, old.week);
	(void) snprintf(path, sizeof path, "%s/%s", world.dir, name);
	assert_int_equal(store_open(&db, path, STORE_WRITE, &schema_week), 0);
	assert_int_equal(store_migrate(db, store_version(db) - 1), 0);
	(void) store_close(db);
}

static void a_past_week_of_an_older_release_is_brought_up(void **state)
{
	static const char *const argv[] = { "bin/tap-trading-resolver", NULL };
	static char out[16384];
	char ops[48], log[64];
	(void) state;
	says("week close", 0, "\"closed\":true");
	take_old_week_down();
	says("migrate status", 1, "behind");
	COMMAND("bet show %s", old.decided, EX_SOFTWARE, "migrated");
	(void) snprintf(ops, sizeof ops, "127.0.0.1:%u", world_free_port());
	(void) snprintf(log, sizeof log, "%s/resolver.log", world.dir);
	world_env("TAP_RESOLVER_OPS_LISTEN", ops);
	pid_t pid = child_start(argv, (const char *const *) world.env, log);
	int64_t until = clk_mono_ms() + 20000;
	while (ctl("migrate status", out) != 0) {
		assert_true(clk_mono_ms() < until);
		(void) usleep(100000);
	}
	COMMAND("bet show %s", old.decided, 0, "\"won\"");
	assert_int_equal(child_end(pid, SIGTERM), 0);
	assert_int_equal(audited_weeks(), 2);
}

static void without_the_api_the_resolver_ends_the_week(void **state)
{
	static const char *const argv[] = { "bin/tap-trading-resolver", NULL };
	char ops[48], log[64];
	(void) state;
	(void) snprintf(ops, sizeof ops, "127.0.0.1:%u", world_free_port());
	(void) snprintf(log, sizeof log, "%s/resolver.log", world.dir);
	world_env("TAP_RESOLVER_OPS_LISTEN", ops);
	pid_t pid = child_start(argv, (const char *const *) world.env, log);
	wait_for_the_new_week(30000);
	int64_t until = clk_mono_ms() + 20000;
	static char out[16384];
	do {
		assert_true(clk_mono_ms() < until);
		assert_int_equal(ctl("trial-balance", out), 0);
		(void) snprintf(log, sizeof log, "bet show %s", old.open);
		assert_int_equal(ctl(log, out), 0);
	} while (!strstr(out, "\"void\""));
	assert_int_equal(child_end(pid, SIGTERM), 0);
	assert_int_equal(audited_weeks(), 2);
	says("integrity", 0, "ok");
	COMMAND("user show %s", old.player.text, 0, "\"balance\":505000000");
}

/* --- no daemon at all --- */

static void the_operator_ends_it_and_moves_the_schema(void **state)
{
	(void) state;
	says("week close --reason stocktaking", 0, "\"closed\":true");
	assert_false(still_old());
	says("week close", 0, "\"closed\":false");
	assert_int_equal(audited_weeks(), 2);
	says("migrate status", 0, "up to date");
	says("migrate down", EX_USAGE, "--yes");
	says("migrate down --yes", 0, "bets_");
	says("migrate status", 1, "behind");
	says("integrity", EX_SOFTWARE, "migrated");
	says("migrate up", 0, "bets_");
	says("migrate status", 0, "up to date");
	says("migrate down --yes --reason again", 0, "bets_");
	says("migrate up --reason again", 0, "bets_");
	says("migrate status", 0, "up to date");
	assert_int_equal(audited_weeks(), 2);
	COMMAND("bet show %s", old.decided, 0, "\"won\"");
	COMMAND("deposit --wallet %s --amount 500000000 --ref bank-1", old.player.text, 0, "\"already\":true");
}

static void an_adjustment_has_a_reason(void **state)
{
	(void) state;
	COMMAND("adjust --wallet %s --amount -1000000 --ref fix-1", old.player.text, EX_USAGE, "reason");
	COMMAND("adjust --wallet %s --amount 0 --ref fix-1 --reason 'paid twice'", old.player.text, EX_USAGE, "amount");
	COMMAND("adjust --wallet %s --amount -1000000 --ref fix-1 --reason 'paid twice'", old.player.text, 0,
			"\"balance\":499000000");
	COMMAND("adjust --wallet %s --amount -1000000 --ref fix-1 --reason 'paid twice'", old.player.text, 0,
			"\"already\":true");
	COMMAND("adjust --wallet %s --amount 1000000 --ref fix-1 --reason 'paid twice'", old.player.text, EX_DATAERR, "fix-1");
	COMMAND("adjust --wallet %s --amount -900000000 --ref fix-2 --reason 'too much'", old.player.text, EX_DATAERR, "cover");
	COMMAND("adjust --wallet 0x00000000000000000000000000000000000000%s --amount 5 --ref f --reason x", "ff", EX_NOUSER,
			"account");
	says("week close", 0, "\"closed\":true");
	COMMAND("adjust --wallet %s --amount -1000000 --ref fix-1 --reason 'paid twice'", old.player.text, 0,
			"\"already\":true");
	says("trial-balance", 0, "\"adjustments\":1000000");
	COMMAND("ledger --wallet %s --ref-type ADJUSTMENT", old.player.text, 0, "fix-1");
	assert_int_equal(audited_weeks(), 2);
}

static int64_t meta_size(void)
{
	char path[96];
	struct stat st;
	(void) snprintf(path, sizeof path, "%s/meta.db", world.dir);
	assert_int_equal(stat(path, &st), 0);
	return (int64_t) st.st_size;
}

static void the_audit_log_moves_into_its_file(void **state)
{
	struct week *w;
	int64_t before = meta_size();
	(void) state;
	assert_int_equal(week_open(&w, world.dir, STORE_WRITE, clk_now_ms()), 0);
	for (int i = 0; i < 200; i++)
		assert_int_equal(week_audit_log(w, "tester", "something that was done", "for a reason", clk_now_ms()), 0);
	assert_int_equal(week_checkpoint_meta(w), 0);
	assert_int_equal(meta_size(), before); /* that is the checkpointer's */
	assert_true(store_checkpointer(week_store(w)));
	assert_int_equal(week_checkpoint_meta(w), 0);
	assert_true(meta_size() > before);
	(void) week_close(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(bets_go_on_over_the_end_of_a_week, start_one_week, stop),
		cmocka_unit_test_setup_teardown(without_the_api_the_resolver_ends_the_week, start_three_weeks, stop_without_api),
		cmocka_unit_test_setup_teardown(a_past_week_of_an_older_release_is_brought_up, start_three_weeks, stop_without_api),
		cmocka_unit_test_setup_teardown(the_operator_ends_it_and_moves_the_schema, start_three_weeks, stop_without_api),
		cmocka_unit_test_setup_teardown(the_audit_log_moves_into_its_file, start_three_weeks, stop_without_api),
		cmocka_unit_test_setup_teardown(an_adjustment_has_a_reason, start_three_weeks, stop_without_api),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
