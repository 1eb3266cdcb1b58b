/* A week that was archived, purged and fetched, as a player meets it: the api over a book whose last week is closed, and the archive at a
 * real object store beside it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "../support/api_world.h"
#include "../support/past_bet.h"
#include "../support/s3_server.h"
#include "archive.h"
#include "book.h"
#include "err.h"
#include "ledger.h"
#include "path.h"
#include "settle.h"
#include "week.h"

enum { W = 2, BETS = 3, PATIENCE_MS = 30000 };
static const int64_t WEEK_MS = INT64_C(7) * 86400000;

static struct s3_server server;
static struct {
	struct player player;
	int64_t at_s;
	struct clk_week week;
	char label[WEEK_LABEL_SIZE], bet[ULID_TEXT_SIZE];
} old;

/* A week with bets of one player, one of them won, and the current week after it. */
static void live_through_a_week(void)
{
	struct week *w;
	struct store *db;
	struct account a;
	struct settle_result result;
	struct week_rolled rolled;
	struct tick ticks[2 * W + 1];
	char id[ULID_TEXT_SIZE];
	old.at_s = (clk_now_ms() - WEEK_MS) / 1000 / W * W;
	old.player = player_new();
	assert_int_equal(week_open(&w, world.dir, STORE_WRITE, old.at_s * 1000), 0);
	old.week = week_current(w);
	week_label(old.label, old.week);
	assert_int_equal(week_begin(w, &db), 0);
	assert_int_equal(ledger_account_open(db, &old.player.wallet, old.at_s * 1000, &a), 0);
	const struct posting p = { .user = a.user, .amount = { 500 * (int64_t) WORLD_USD }, .ref_type = LEDGER_DEPOSIT,
		.ref_id = "bank-1", .at_ms = old.at_s * 1000 };
	assert_int_equal(ledger_post(db, &p, &a), 0);
	for (int i = 0; i < BETS; i++)
		past_bet_put(db, a.user, old.at_s + 20, 9742000 + 2000 * i, i == 0 ? old.bet : id);
	assert_int_equal(week_commit(w), 0);
	for (int i = 0; i < 2 * W + 1; i++)
		ticks[i] = (struct tick){ (old.at_s + 20) * 1000 - 500 + 500 * i, 9743000 };
	struct path path = path_cut(ticks, 2 * W + 1, old.at_s + 20, W, 3000);
	assert_int_equal(settle_column(w, &world.settings, &path, (old.at_s + 30) * 1000, &result, NULL, NULL), 0);
	assert_int_equal(result.won, 1);
	assert_int_equal(week_roll(w, clk_now_ms(), &rolled), 0);
	(void) week_close(w);
}

static int archive(bool fetch)
{
	struct archive_conf c;
	struct archive_done done;
	struct week *w;
	assert_int_equal(week_open(&w, world.dir, STORE_WRITE, clk_now_ms()), 0);
	archive_conf(&world.settings, &c);
	c.s3 = s3_server_conf(&server);
	c.keep_weeks = 0;
	int r = fetch ? archive_fetch(&c, w, old.week, clk_now_ms()) : archive_run(&c, w, clk_now_ms(), &done);
	if (r == 0 && !fetch)
		assert_true(done.verified == 1 && done.purged == 1);
	(void) week_close(w);
	return r;
}

/* What GET /bets says once it has seen the folder as it is: so many weeks that are not here. */
static struct answer *bets_with_missing(int n)
{
	char expected[16];
	struct answer *a = NULL;
	int64_t until = clk_mono_ms() + PATIENCE_MS;
	(void) snprintf(expected, sizeof expected, "[%d]", n);
	do {
		a = world_call("GET", "/api/v1/bets", old.player.token, NULL);
		assert_int_equal(a->status, 200);
	} while (strcmp(world_member(a, "archived_weeks"), expected) != 0 && clk_mono_ms() < until && usleep(50000) == 0);
	assert_string_equal(world_member(a, "archived_weeks"), expected);
	return a;
}

static struct answer *the_bet(void)
{
	char path[96];
	(void) snprintf(path, sizeof path, "/api/v1/bets/%s", old.bet);
	return world_call("GET", path, old.player.token, NULL);
}

static void a_fetched_week_is_answered_for(void **state)
{
	(void) state;
	char bets[16], entries[16], first[ULID_TEXT_SIZE], column[64];
	(void) snprintf(bets, sizeof bets, "[%d]", BETS);
	(void) player_login(&old.player, false);
	struct answer *a = bets_with_missing(0);
	assert_string_equal(world_member(a, "bets"), bets);
	(void) snprintf(first, sizeof first, "%s", world_member(a, "bets.0.bet_id"));
	assert_int_equal(the_bet()->status, 200);
	(void) snprintf(entries, sizeof entries, "%s", world_member(world_call("GET", "/api/v1/ledger", old.player.token, NULL), "entries"));

	if (archive(false) != 0)
		fail_msg("%s", err_text());
	a = bets_with_missing(1);
	assert_string_equal(world_member(a, "archived_weeks.0"), old.label);
	assert_string_equal(world_member(a, "bets"), "[0]");
	world_refused(the_bet(), 404, "not_found");

	if (archive(true) != 0)
		fail_msg("%s", err_text());
	a = bets_with_missing(0);
	assert_string_equal(world_member(a, "bets"), bets);
	assert_string_equal(world_member(a, "bets.0.bet_id"), first);
	a = the_bet();
	assert_int_equal(a->status, 200);
	assert_string_equal(world_member(a, "status"), "won");
	assert_int_equal(world_number(a, "payout"), 10 * (int64_t) WORLD_USD);
	assert_int_equal(world_number(a, "evidence.ticks"), 2 * W + 1);
	(void) snprintf(column, sizeof column, "/api/v1/columns/%lld", (long long) old.at_s + 20);
	assert_string_equal(world_member(world_call("GET", column, NULL, NULL), "status"), "settled");
	a = world_call("GET", "/api/v1/ledger", old.player.token, NULL);
	assert_string_equal(world_member(a, "archived_weeks"), "[0]");
	assert_string_equal(world_member(a, "entries"), entries);
}

static int start(void **state)
{
	static const char *const more[] = { "TAP_COLUMN_SECONDS", "2", NULL };
	(void) state;
	if (!s3_server_start(&server))
		return -1;
	world_prefill = live_through_a_week;
	return world_start(more);
}

static int stop(void **state)
{
	(void) state;
	s3_server_stop(&server);
	return world_stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_fetched_week_is_answered_for),
	};
	return cmocka_run_group_tests_name("api archive", tests, start, stop);
}
