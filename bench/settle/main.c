/* What settling a full column costs in CPU, beside the same statements run bare (bare.h), a range and a bet at a time; and for how long
 * bets wait while another writer places them. Prints one JSON object. TAP_BENCH_BETS, TAP_BENCH_USERS, TAP_BENCH_DIR, TAP_BENCH_ROUNDS
 * change the run. */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bare.h"
#include "book.h"
#include "check.h"
#include "clk.h"
#include "err.h"
#include "ledger.h"
#include "path.h"
#include "settle.h"
#include "week.h"

enum { COLUMN_S = 5, ROW_CENTS = 2000, TICKS = 51, LOWEST_ROW = 4860, WAITS_MAX = 1 << 20, BATCH = 20, PLACE_EACH_US = 2000,
	ROUNDS_MAX = 99 };
static const int64_t NOW_MS = INT64_C(1771234565000), T0_S = INT64_C(1771234580);
static const struct settings rules = { .column_s = COLUMN_S, .row_cents = ROW_CENTS, .max_tick_gap_ms = 3000 };

struct figures {
	size_t n;
	int64_t *us;
};

static char dir[128], before[sizeof dir + 8]; /* before: a book whose column is full and open */
static int64_t users, bets, rounds;
static atomic_bool stop;

static int64_t env_int(const char *name, int64_t preset)
{
	const char *text = getenv(name);
	return text ? strtoll(text, NULL, 10) : preset;
}

void must(int r, const char *what)
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

struct cost {
	int64_t cpu_us, wall_us;
};

struct watched {
	struct week *w;
	struct known *k;
	uint64_t commits;
};

/* What is told after one commit was one transaction. */
static void keep(void *u, const struct settled_bet *sb)
{
	struct watched *watched = u;
	struct known *k = watched->k;
	struct store_stats stats;
	CHECK(k->n < (size_t) bets);
	store_stats(week_store(watched->w), &stats);
	if (stats.commits != watched->commits)
		k->slices[k->n_slices++] = 0;
	watched->commits = stats.commits;
	k->slices[k->n_slices - 1]++;
	k->bets[k->n++] = *sb;
}

static struct cost settle(struct week *w, struct known *k)
{
	struct tick ticks[TICKS];
	struct settle_result got;
	struct watched watched = { .w = w, .k = k };
	struct path path = path_at(ticks, k->t0_s);
	k->n = k->n_slices = 0;
	struct cost from = { clk_thread_cpu_us(), clk_mono_us() };
	must(settle_column(w, &rules, &path, NOW_MS, &got, keep, &watched), "settle");
	CHECK(k->n == (size_t) bets);
	return (struct cost){ clk_thread_cpu_us() - from.cpu_us, clk_mono_us() - from.wall_us };
}

/* A writer as the api's: a small batch each few milliseconds, into a later column. What it takes from begin to commit. */
static void *place_meanwhile(void *u)
{
	struct figures *batches = u;
	struct week *w;
	struct store *db;
	must(week_open(&w, before, STORE_WRITE, NOW_MS), "open");
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

/* The book as it is before the settlement, for a run on it that begins where the settlement begins. */
static void copy(const char *from, const char *to)
{
	char cmd[512];
	(void) snprintf(cmd, sizeof cmd, "rm -rf '%s' && cp -a '%s' '%s'", to, from, to);
	CHECK(system(cmd) == 0);
}

/* The column's own record, so that the mark is there. */
static void record(struct week *w, const struct known *k)
{
	struct store *db;
	const struct settling mark = { .t0_s = k->t0_s, .after_low = -1, .open_bets = (int64_t) k->n };
	const struct column c = { .t0_s = k->t0_s, .status = COLUMN_SETTLED, .settled_ms = NOW_MS, .bets = (int64_t) k->n };
	must(week_begin(w, &db), "begin");
	must(book_put_settling(db, &mark), "mark");
	must(book_put_column(db, &c, "", 0), "column");
	must(week_commit(w), "commit");
}

static int64_t run_bare(const struct known *k, enum bare_how how)
{
	char there[sizeof dir + 8];
	struct week *w;
	(void) snprintf(there, sizeof there, "%s/bare", dir);
	copy(before, there);
	must(week_open(&w, there, STORE_WRITE, NOW_MS), "open");
	record(w, k);
	int64_t cpu_us = bare_run(w, k, how);
	bare_check(w, k);
	(void) week_close(w);
	return cpu_us;
}

static int64_t median(int64_t *v, int64_t n)
{
	qsort(v, (size_t) n, sizeof *v, by_value);
	return v[n / 2];
}

/* Settled, and bare, in turns, each on a copy of the same book. */
static void beside_bare(struct known *k)
{
	int64_t settled[ROUNDS_MAX] = { 0 }, by_range[ROUNDS_MAX] = { 0 }, by_bet[ROUNDS_MAX] = { 0 };
	for (int64_t i = 0; i < rounds; i++) {
		char there[sizeof dir + 8];
		struct week *w;
		(void) snprintf(there, sizeof there, "%s/full", dir);
		copy(before, there);
		must(week_open(&w, there, STORE_WRITE, NOW_MS), "open");
		settled[i] = settle(w, k).cpu_us;
		known_read(k, w);
		(void) week_close(w);
		by_range[i] = run_bare(k, BARE_BY_RANGE);
		by_bet[i] = run_bare(k, BARE_BY_BET);
	}
	double n = (double) bets, ours = (double) median(settled, rounds), range = (double) median(by_range, rounds);
	(void) printf(",\"transactions\":%zu,\"settled_cpu_us_per_bet\":%.2f,\"bare_cpu_us_per_bet\":%.2f,"
			"\"bare_a_bet_at_a_time_cpu_us_per_bet\":%.2f,\"ratio_to_bare\":%.3f,\"bets_per_cpu_second\":%.0f", k->n_slices,
			ours / n, range / n, (double) median(by_bet, rounds) / n, ours / range, n * 1e6 / ours);
}

static void beside_bets(struct week *w, struct known *k)
{
	struct figures batches = { .us = calloc(WAITS_MAX, sizeof(int64_t)) };
	pthread_t thread;
	CHECK(batches.us);
	atomic_store(&stop, false);
	must(pthread_create(&thread, NULL, place_meanwhile, &batches), "thread");
	(void) usleep(50000);
	struct cost cost = settle(w, k);
	atomic_store(&stop, true);
	must(pthread_join(thread, NULL), "thread");
	CHECK(batches.n);
	qsort(batches.us, batches.n, sizeof *batches.us, by_value);
	size_t p50 = batches.n / 2, p99 = batches.n * 99 / 100;
	(void) printf(",\"beside_bets\":{\"settled_ms\":%.1f,\"cpu_us_per_bet\":%.2f,\"transactions\":%zu,\"batches_placed\":%zu,"
			"\"batch_p50_ms\":%.2f,\"batch_p99_ms\":%.2f,\"batch_max_ms\":%.2f}", (double) cost.wall_us / 1e3,
			(double) cost.cpu_us / (double) bets, k->n_slices, batches.n, (double) batches.us[p50] / 1e3,
			(double) batches.us[p99] / 1e3, (double) batches.us[batches.n - 1] / 1e3);
	free(batches.us);
}

static void *many(size_t n, size_t size)
{
	void *p = calloc(n, size);
	CHECK(p);
	return p;
}

static void make_books(void)
{
	struct week *w;
	const char *base = getenv("TAP_BENCH_DIR");
	(void) snprintf(dir, sizeof dir, "%s/tap-bench-XXXXXX", base ? base : "/var/tmp");
	CHECK(mkdtemp(dir));
	(void) snprintf(before, sizeof before, "%s/before", dir);
	CHECK(mkdir(before, 0700) == 0);
	must(week_open(&w, before, STORE_WRITE, NOW_MS), "open");
	CHECK(store_checkpointer(week_store(w)));
	open_accounts(w);
	fill(w, T0_S);
	(void) week_close(w);
}

int main(void)
{
	struct week *w;
	bets = env_int("TAP_BENCH_BETS", 50000);
	users = env_int("TAP_BENCH_USERS", 2000);
	rounds = env_int("TAP_BENCH_ROUNDS", 5);
	CHECK(bets > 0 && users > 0 && rounds > 0 && rounds <= ROUNDS_MAX);
	size_t n = (size_t) bets;
	struct known k = { .t0_s = T0_S, .bets = many(n, sizeof *k.bets), .pay_rows = many(n, sizeof *k.pay_rows),
		.last_rows = many(n, sizeof *k.last_rows), .slices = many(n, sizeof *k.slices) };
	make_books();
	(void) printf("{\"bench\":\"settle\",\"bets\":%" PRId64 ",\"users\":%" PRId64, bets, users);
	beside_bare(&k);
	must(week_open(&w, before, STORE_WRITE, NOW_MS), "open");
	beside_bets(w, &k);
	(void) week_close(w);
	(void) printf("}\n");
	free(k.bets);
	free(k.pay_rows);
	free(k.last_rows);
	free(k.slices);
	char cmd[160];
	(void) snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
	return system(cmd) == 0 ? 0 : 1;
}
