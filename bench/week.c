/* The pause of a week's end: accounts and open bets as given, others quiet or not. Prints one JSON object.
 * TAP_BENCH_USERS (100,000), TAP_BENCH_OPEN (50,000), TAP_BENCH_DIR change the run. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "book.h"
#include "check.h"
#include "clk.h"
#include "err.h"
#include "ledger.h"
#include "week.h"

static const int64_t NOW_MS = INT64_C(1771234565000);

static int64_t env_int(const char *name, int64_t preset)
{
	const char *text = getenv(name);
	return text ? strtoll(text, NULL, 10) : preset;
}

static void must(int r, const char *what)
{
	if (r == 0)
		return;
	(void) fprintf(stderr, "%s: %d %s\n", what, r, err_text());
	exit(1);
}

static void open_accounts(struct week *w, int64_t users)
{
	struct store *db;
	uint64_t seed = 88172645463325252u;
	must(week_begin(w, &db), "begin");
	for (int64_t i = 0; i < users; i++) {
		struct wallet wallet = { { 1 } };
		struct account a;
		char ref[32];
		seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
		memcpy(wallet.b + 4, &seed, 8);
		memcpy(wallet.b + 12, &i, 8);
		(void) snprintf(ref, sizeof ref, "start-%" PRId64, i);
		must(ledger_account_open(db, &wallet, NOW_MS, &a), "account");
		must(ledger_post(db, &(struct posting){ .user = a.user, .amount = { 1000000000 }, .ref_type = LEDGER_DEPOSIT,
				.ref_id = ref, .at_ms = NOW_MS }, &a), "deposit");
	}
	must(week_commit(w), "commit");
}

static void open_bets(struct week *w, int64_t users, int64_t bets)
{
	struct store *db;
	must(week_begin(w, &db), "begin");
	for (int64_t i = 0; i < bets; i++) {
		struct account a;
		int64_t row;
		struct bet b = { .user = 1 + i * 7919 % users,
			.cell = { NOW_MS / 5000 * 5 + 10 + 5 * (i % 12), (4860 + i / 12 % 24) * 2000, 0 }, .stake = money_of(1000000),
			.rate = { 20000 }, .rate_min = { 19000 }, .placed_ms = NOW_MS, .signed_s = NOW_MS / 1000,
			.state = BET_CONFIRMED };
		memcpy(b.nonce, &i, sizeof i);
		int r = book_may_put(db, b.user, &b.cell);
		if (r == BOOK_E_EXISTS)
			continue;
		must(r, "may put");
		must(ledger_stake(db, &b, &a, &row), "stake");
		must(book_put_bet(db, &b, row), "bet");
	}
	must(week_commit(w), "commit");
}

int main(void)
{
	int64_t users = env_int("TAP_BENCH_USERS", 100000), bets = env_int("TAP_BENCH_OPEN", 50000);
	const char *base = getenv("TAP_BENCH_DIR");
	char dir[128], cmd[160];
	struct week *w;
	struct week_rolled rolled;
	(void) snprintf(dir, sizeof dir, "%s/tap-bench-XXXXXX", base ? base : "/var/tmp");
	CHECK(mkdtemp(dir));
	must(week_open(&w, dir, STORE_WRITE, NOW_MS), "open");
	open_accounts(w, users);
	open_bets(w, users, bets);
	int64_t from = clk_mono_us();
	must(week_roll(w, NOW_MS + INT64_C(7) * 86400000, &rolled), "roll");
	(void) printf("{\"bench\":\"week\",\"accounts\":%" PRId64 ",\"open_bets\":%" PRId64 ",\"roll_us\":%" PRId64
			",\"pause_us\":%" PRId64 "}\n", rolled.accounts, rolled.open_bets, clk_mono_us() - from, rolled.pause_us);
	(void) week_close(w);
	(void) snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
	return system(cmd) == 0 ? 0 : 1;
}
