/* What settling a full column costs, and for how long bets wait meanwhile: in one transaction, in slices, in slices while another
 * writer places bets. Prints one JSON object. TAP_BENCH_BETS, TAP_BENCH_USERS, TAP_BENCH_DIR change the run. */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "book.h"
#include "check.h"
#include "clk.h"
#include "err.h"
#include "ledger.h"
#include "path.h"
#include "settle.h"
#include "week.h"

enum { COLUMN_S = 5, ROW_CENTS = 2000, TICKS = 51, LOWEST_ROW = 4860, WAITS_MAX = 1 << 20, BATCH = 20, PLACE_EACH_US = 2000 };
static const int64_t NOW_MS = INT64_C(1771234565000), T0_S = INT64_C(1771234580);
static const struct settings rules = { .column_s = COLUMN_S, .row_cents = ROW_CENTS, .max_tick_gap_ms = 3000 };
static const struct settle_slice whole = { .bets = SIZE_MAX, .us = INT64_MAX },
	sliced = { .bets = SETTLE_SLICE_BETS, .us = SETTLE_SLICE_US };

struct figures {
	size_t n;
	int64_t *us;
};

static char dir[128];
static int64_t users, bets;
static atomic_bool stop;

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

static void add(struct figures *f, int64_t us)
{
	if (f->n < WAITS_MAX)
		f->us[f->n++] = us;
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *) a, y = *(const int64_t *) b;
	return (x > y) - (x < y);
}

static void open_accounts(struct week *w)
{
	struct store *db;
	must(week_begin(w, &db), "begin");
	for (int64_t i = 1; i <= users; i++) {
		struct wallet wallet = { { 1 } };
		struct account a;
		char ref[32];
		memcpy(wallet.b + 8, &i, 8);
		(void) snprintf(ref, sizeof ref, "start-%" PRId64, i);
		must(ledger_account_open(db, &wallet, NOW_MS, &a), "account");
		must(ledger_post(db, &(struct posting){ .user = a.user, .amount = { INT64_C(1000000000000) },
				.ref_type = LEDGER_DEPOSIT, .ref_id = ref, .at_ms = NOW_MS }, &a), "deposit");
	}
	must(week_commit(w), "commit");
}

/* The i-th of a column: each user's bets go up the rows. */
static void place(struct store *db, int64_t t0_s, int64_t i)
{
	struct account a;
	int64_t ledger_row;
	struct bet bet = { .user = 1 + i % users, .cell = { t0_s, (LOWEST_ROW + i / users) * ROW_CENTS, 0 },
		.stake = money_of(1000000), .rate = { 15000 }, .rate_min = { 15000 }, .placed_ms = NOW_MS, .signed_s = NOW_MS / 1000,
		.state = BET_CONFIRMED };
	must(book_may_put(db, bet.user, &bet.cell), "may put");
	must(ledger_stake(db, &bet, &a, &ledger_row), "stake");
	must(book_put_bet(db, &bet, ledger_row), "bet");
}

static void fill(struct week *w, int64_t t0_s)
{
	struct store *db;
	for (int64_t i = 0; i < bets;) {
		must(week_begin(w, &db), "begin");
		for (int64_t end = i + 500 < bets ? i + 500 : bets; i < end; i++)
			place(db, t0_s, i);
		must(week_commit(w), "commit");
	}
	must(store_checkpoint(week_store(w), 1), "checkpoint");
}

/* A range that a third of the rows touches. */
static struct path path_at(struct tick *ticks, int64_t t0_s)
{
	int64_t rows = (bets + users - 1) / users;
	for (int i = 0; i < TICKS; i++)
		ticks[i] = (struct tick){ t0_s * 1000 - 100 + 100 * i,
			LOWEST_ROW * ROW_CENTS + 5 + (rows / 3 * ROW_CENTS) * i / TICKS };
	return path_cut(ticks, TICKS, t0_s, COLUMN_S, 3000);
}

static int64_t settle(struct week *w, int64_t t0_s, const struct settle_slice *slice, struct figures *calls)
{
	struct tick ticks[TICKS];
	struct settle_result got;
	struct path path = path_at(ticks, t0_s);
	int64_t from = clk_mono_us();
	int r;
	do {
		int64_t call = clk_mono_us();
		r = settle_one_slice(w, &rules, &path, NOW_MS, slice, &got, NULL, NULL);
		add(calls, clk_mono_us() - call);
	} while (r == SETTLE_E_MORE);
	must(r, "settle");
	return clk_mono_us() - from;
}

/* A writer as the api's: a small batch each few milliseconds, into a later column. What it takes from begin to commit. */
static void *place_meanwhile(void *u)
{
	struct figures *batches = u;
	struct week *w;
	struct store *db;
	must(week_open(&w, dir, STORE_WRITE, NOW_MS), "open");
	for (int64_t i = 0; !atomic_load(&stop);) {
		int64_t from = clk_mono_us();
		must(week_begin(w, &db), "begin");
		for (int64_t end = i + BATCH; i < end; i++)
			place(db, T0_S + 500, i);
		must(week_commit(w), "commit");
		add(batches, clk_mono_us() - from);
		(void) usleep(PLACE_EACH_US);
	}
	(void) week_close(w);
	return NULL;
}

static void print(const char *name, int64_t took_us, struct figures *calls, struct figures *batches)
{
	qsort(calls->us, calls->n, sizeof *calls->us, by_value);
	(void) printf(",\"%s\":{\"bets_per_s\":%.0f,\"transactions\":%zu,\"longest_ms\":%.2f,\"p50_ms\":%.2f", name,
			(double) bets * 1e6 / (double) took_us, calls->n, (double) calls->us[calls->n - 1] / 1e3,
			(double) calls->us[calls->n / 2] / 1e3);
	if (batches && batches->n) {
		qsort(batches->us, batches->n, sizeof *batches->us, by_value);
		(void) printf(",\"batches_placed\":%zu,\"batch_ms\":{\"p50\":%.2f,\"p99\":%.2f,\"max\":%.2f}", batches->n,
				(double) batches->us[batches->n / 2] / 1e3, (double) batches->us[batches->n * 99 / 100] / 1e3,
				(double) batches->us[batches->n - 1] / 1e3);
	}
	(void) printf("}");
	calls->n = 0;
}

static void beside_bets(struct week *w, const char *name, int64_t t0_s, const struct settle_slice *slice, struct figures *calls)
{
	struct figures batches = { .us = calloc(WAITS_MAX, sizeof(int64_t)) };
	pthread_t thread;
	CHECK(batches.us);
	atomic_store(&stop, false);
	must(pthread_create(&thread, NULL, place_meanwhile, &batches), "thread");
	(void) usleep(50000);
	int64_t took = settle(w, t0_s, slice, calls);
	atomic_store(&stop, true);
	must(pthread_join(thread, NULL), "thread");
	print(name, took, calls, &batches);
	free(batches.us);
}

int main(void)
{
	struct figures calls = { .us = calloc(WAITS_MAX, sizeof(int64_t)) };
	struct week *w;
	CHECK(calls.us);
	bets = env_int("TAP_BENCH_BETS", 50000);
	users = env_int("TAP_BENCH_USERS", 2000);
	const char *base = getenv("TAP_BENCH_DIR");
	(void) snprintf(dir, sizeof dir, "%s/tap-bench-XXXXXX", base ? base : "/var/tmp");
	CHECK(mkdtemp(dir));
	must(week_open(&w, dir, STORE_WRITE, NOW_MS), "open");
	CHECK(store_checkpointer(week_store(w)));
	open_accounts(w);
	for (int64_t i = 0; i < 3; i++)
		fill(w, T0_S + i * COLUMN_S);
	(void) printf("{\"bench\":\"settle\",\"bets\":%" PRId64 ",\"users\":%" PRId64, bets, users);
	int64_t took = settle(w, T0_S, &whole, &calls);
	print("one_transaction", took, &calls, NULL);
	took = settle(w, T0_S + COLUMN_S, &sliced, &calls);
	print("sliced", took, &calls, NULL);
	beside_bets(w, "sliced_beside_bets", T0_S + 2 * COLUMN_S, &sliced, &calls);
	(void) printf("}\n");
	(void) week_close(w);
	free(calls.us);
	char cmd[160];
	(void) snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
	return system(cmd) == 0 ? 0 : 1;
}
