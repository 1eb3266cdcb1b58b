/* The pause of a week's end: accounts and open bets as given, while two other processes write as api and resolver do, batches of bets
 * and columns in slices. Prints one JSON object. TAP_BENCH_USERS (100,000), TAP_BENCH_OPEN (50,000), TAP_BENCH_QUIET=1 (nobody else
 * writes), TAP_BENCH_DIR change the run. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

#include "book.h"
#include "check.h"
#include "clk.h"
#include "err.h"
#include "ledger.h"
#include "path.h"
#include "settle.h"
#include "week.h"

enum { ROW_CENTS = 2000, ROWS = 24, COLUMN_S = 5, COLUMNS = 12, BATCH = 100 };
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

static int64_t place(struct store *db, int64_t users, int64_t i, int64_t t0_s)
{
	struct account a;
	int64_t row;
	struct bet b = { .user = 1 + i * 7919 % users, .cell = { t0_s, (4860 + i / 12 % ROWS) * ROW_CENTS, 0 },
		.stake = money_of(1000000), .rate = { 20000 }, .rate_min = { 19000 }, .placed_ms = NOW_MS,
		.signed_s = NOW_MS / 1000, .state = BET_CONFIRMED };
	memcpy(b.nonce, &i, sizeof i);
	int r = book_may_put(db, b.user, &b.cell);
	if (r == BOOK_E_EXISTS || r == BOOK_E_DECIDED)
		return 0;
	must(r, "may put");
	must(ledger_stake(db, &b, &a, &row), "stake");
	must(book_put_bet(db, &b, row), "bet");
	return 1;
}

static int64_t column(int64_t i)
{
	return NOW_MS / 5000 * 5 + 10 + COLUMN_S * i;
}

static void open_bets(struct week *w, int64_t users, int64_t bets)
{
	struct store *db;
	must(week_begin(w, &db), "begin");
	for (int64_t i = 0; i < bets; i++)
		(void) place(db, users, i, column(i % COLUMNS));
	must(week_commit(w), "commit");
}

/* What two processes share with us. */
struct watch {
	atomic_bool stop;
	atomic_llong bets, bets_slowest_us, decided, slice_slowest_us;
};

static void note(atomic_llong *slowest, int64_t from_us)
{
	int64_t took = clk_mono_us() - from_us;
	if (took > atomic_load(slowest))
		atomic_store(slowest, took);
}

/* As the api: batch after batch, each with its wait for the gate. */
static void live_as_api(struct watch *watch, const char *dir, int64_t users)
{
	struct week *w;
	struct store *db;
	must(week_open(&w, dir, STORE_WRITE, NOW_MS), "open");
	for (int64_t i = 0; !atomic_load(&watch->stop);) {
		int64_t from = clk_mono_us(), n = 0;
		must(week_begin(w, &db), "begin");
		for (int k = 0; k < BATCH; k++, i++)
			n += place(db, users, 104729 * i, column(COLUMNS + i % COLUMNS));
		must(week_commit(w), "commit");
		note(&watch->bets_slowest_us, from);
		atomic_fetch_add(&watch->bets, n);
		(void) usleep(2000);
	}
	(void) week_close(w);
}

static void count_decided(void *u, const struct settled_bet *sb)
{
	struct watch *watch = u;
	(void) sb;
	atomic_fetch_add(&watch->decided, 1);
}

/* As the resolver: the columns that hold the open bets, in order, a slice to a transaction. */
static void live_as_resolver(struct watch *watch, const char *dir)
{
	static const struct settings rules = { .column_s = COLUMN_S, .row_cents = ROW_CENTS, .max_tick_gap_ms = 3000 };
	static const struct settle_slice slice = { .bets = SETTLE_SLICE_BETS, .us = SETTLE_SLICE_US };
	struct week *w;
	struct settle_result got;
	struct tick ticks[51];
	must(week_open(&w, dir, STORE_WRITE, NOW_MS), "open");
	for (int64_t c = 0; c < COLUMNS && !atomic_load(&watch->stop); c++) {
		int r = SETTLE_E_MORE;
		for (int i = 0; i < 51; i++)
			ticks[i] = (struct tick){ column(c) * 1000 - 100 + 100 * i, 4864 * ROW_CENTS + 40 * i };
		struct path path = path_cut(ticks, 51, column(c), COLUMN_S, 3000);
		while (r == SETTLE_E_MORE && !atomic_load(&watch->stop)) {
			int64_t from = clk_mono_us();
			r = settle_one_slice(w, &rules, &path, NOW_MS + 60000, &slice, &got, count_decided, watch);
			note(&watch->slice_slowest_us, from);
			(void) usleep(10000);
		}
		if (r != SETTLE_E_MORE)
			must(r, "slice");
	}
	(void) week_close(w);
}

static pid_t start(struct watch *watch, const char *dir, int64_t users)
{
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid > 0)
		return pid;
	(void) prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (users > 0)
		live_as_api(watch, dir, users);
	else
		live_as_resolver(watch, dir);
	_exit(0);
}

int main(void)
{
	int64_t users = env_int("TAP_BENCH_USERS", 100000), bets = env_int("TAP_BENCH_OPEN", 50000);
	const char *base = getenv("TAP_BENCH_DIR");
	bool quiet = env_int("TAP_BENCH_QUIET", 0) != 0;
	pid_t others[2] = { 0 };
	char dir[128], cmd[160];
	struct week *w;
	struct week_rolled rolled;
	struct watch *watch = mmap(NULL, sizeof *watch, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	CHECK(watch != MAP_FAILED);
	(void) snprintf(dir, sizeof dir, "%s/tap-bench-XXXXXX", base ? base : "/var/tmp");
	CHECK(mkdtemp(dir));
	must(week_open(&w, dir, STORE_WRITE, NOW_MS), "open");
	open_accounts(w, users);
	open_bets(w, users, bets);
	for (size_t i = 0; i < ARRAY_LEN(others) && !quiet; i++)
		others[i] = start(watch, dir, i == 0 ? users : 0);
	while (!quiet && atomic_load(&watch->decided) == 0)
		(void) usleep(10000);
	atomic_store(&watch->bets_slowest_us, 0);
	atomic_store(&watch->slice_slowest_us, 0);
	int64_t from = clk_mono_us();
	must(week_roll(w, NOW_MS + INT64_C(7) * 86400000, &rolled), "roll");
	int64_t took = clk_mono_us() - from;
	(void) usleep(quiet ? 0 : 200000);
	atomic_store(&watch->stop, true);
	for (size_t i = 0; i < ARRAY_LEN(others) && !quiet; i++) {
		int status;
		CHECK(waitpid(others[i], &status, 0) == others[i] && status == 0);
	}
	(void) printf("{\"bench\":\"week\",\"accounts\":%" PRId64 ",\"open_bets\":%" PRId64 ",\"roll_us\":%" PRId64
			",\"pause_us\":%" PRId64 ",\"others\":{\"bets\":%lld,\"slowest_batch_us\":%lld,\"decided\":%lld,"
			"\"slowest_slice_us\":%lld}}\n", rolled.accounts, rolled.open_bets, took, rolled.pause_us,
			atomic_load(&watch->bets), atomic_load(&watch->bets_slowest_us), atomic_load(&watch->decided),
			atomic_load(&watch->slice_slowest_us));
	(void) week_close(w);
	(void) snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
	return system(cmd) == 0 ? 0 : 1;
}
