/* What a bet costs in the book: CPU, disk, commit times, at batches as the writer makes them, with settlement and checkpoints
 * going on. Prints one JSON object. TAP_BENCH_BETS, TAP_BENCH_BATCH, TAP_BENCH_USERS, TAP_BENCH_DIR change the run.
 * TAP_BENCH_FILL names a data folder instead, which is kept: its current week gets the bets, all of them decided, up to now. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "book.h"
#include "check.h"
#include "clk.h"
#include "err.h"
#include "ledger.h"
#include "path.h"
#include "week.h"

enum { COLUMN_S = 5, ROW_CENTS = 2000, COLUMNS_AHEAD = 12, ROWS = 24, CHECKPOINT_PAGES = 4000 };

struct bench {
	struct week *w;
	int64_t bets, batch, users, now_ms, settled_s;
	int64_t placed, refused, decided, payouts;
	int64_t *commit_us;
	size_t commits;
	uint64_t seed;
};

static int64_t env_int(const char *name, int64_t preset)
{
	const char *text = getenv(name);
	return text ? strtoll(text, NULL, 10) : preset;
}

static uint64_t next_random(struct bench *b)
{
	b->seed ^= b->seed << 13;
	b->seed ^= b->seed >> 7;
	b->seed ^= b->seed << 17;
	return b->seed;
}

static void must(int r, const char *what)
{
	if (r == 0)
		return;
	(void) fprintf(stderr, "%s: %d %s\n", what, r, err_text());
	exit(1);
}

static void open_accounts(struct bench *b)
{
	struct store *db;
	must(week_begin(b->w, &db), "begin");
	for (int64_t i = 0; i < b->users; i++) {
		struct wallet wallet = { { 1 } };
		struct account a;
		char ref[32];
		uint64_t r = next_random(b);
		memcpy(wallet.b + 4, &r, 8);
		memcpy(wallet.b + 12, &i, 8);
		(void) snprintf(ref, sizeof ref, "start-%" PRId64, i);
		must(ledger_account_open(db, &wallet, b->now_ms, &a), "account");
		must(ledger_post(db, &(struct posting){ .user = a.user, .amount = { INT64_C(1000000000000) },
				.ref_type = LEDGER_DEPOSIT, .ref_id = ref, .at_ms = b->now_ms }, &a), "deposit");
	}
	must(week_commit(b->w), "commit");
}

static void place_one(struct bench *b, struct store *db)
{
	static const int64_t stakes[] = { 1000000, 5000000, 10000000, 25000000, 100000000 };
	int64_t column = b->now_ms / 1000 / COLUMN_S * COLUMN_S;
	int64_t row = 4860 + (int64_t) (next_random(b) % ROWS), ledger_row;
	struct account a;
	struct bet bet = {
		.user = 1 + (int64_t) (next_random(b) % (uint64_t) b->users),
		.cell = { column + COLUMN_S * (2 + (int64_t) (next_random(b) % COLUMNS_AHEAD)), row * ROW_CENTS, 0 },
		.stake = money_of(stakes[next_random(b) % 5]), .rate = { 10100 + (int32_t) (next_random(b) % 100000) },
		.placed_ms = b->now_ms, .signed_s = b->now_ms / 1000, .state = BET_CONFIRMED,
	};
	bet.rate_min.e4 = bet.rate.e4 - 100;
	for (size_t i = 0; i < NONCE_SIZE; i++)
		bet.nonce[i] = (uint8_t) next_random(b);
	int r = book_may_put(db, bet.user, &bet.cell);
	if (r == BOOK_E_EXISTS) {
		b->refused++;
		return;
	}
	must(r, "may put");
	must(ledger_stake(db, &bet, &a, &ledger_row), "stake");
	must(book_put_bet(db, &bet, ledger_row), "bet");
	b->placed++;
}

static void place_batch(struct bench *b)
{
	struct store *db;
	int64_t from = clk_mono_us();
	must(week_begin(b->w, &db), "begin");
	for (int64_t i = 0; i < b->batch; i++)
		place_one(b, db);
	int64_t commit_from = clk_mono_us();
	must(week_commit(b->w), "commit");
	(void) from;
	b->commit_us[b->commits++] = clk_mono_us() - commit_from;
	must(store_checkpoint(week_store(b->w), CHECKPOINT_PAGES), "checkpoint");
}

struct page {
	struct bet bets[256];
	size_t n;
};

static bool on_bet(void *u, const struct bet *bet, int64_t row)
{
	(void) row;
	struct page *p = u;
	p->bets[p->n++] = *bet;
	return true;
}

static void decide(struct bench *b, struct store *db, struct bet *bet)
{
	struct account a;
	int64_t row = 0;
	bet->state = next_random(b) % 10 < 3 ? BET_WON : BET_LOST;
	bet->resolved_ms = b->now_ms;
	if (bet->state == BET_WON)
		CHECK(rate_payout(&bet->payout, bet->stake, bet->rate));
	must(ledger_settle(db, bet, &a, &row), "settle");
	must(book_decide_bet(db, bet, row), "decide");
	b->decided++;
	b->payouts += row > 0;
}

static void settle_column(struct bench *b, int64_t t0_s)
{
	struct tick ticks[51];
	struct store *db;
	struct buf evidence = BUF_INIT(65536);
	struct column c = { .t0_s = t0_s, .status = COLUMN_SETTLED, .has_anchor = true, .n_ticks = 51, .settled_ms = b->now_ms };
	for (int i = 0; i < 51; i++)
		ticks[i] = (struct tick){ t0_s * 1000 - 100 + 100 * i, 9742000 + (int64_t) (next_random(b) % 500) };
	struct path path = path_cut(ticks, 51, t0_s, COLUMN_S, 3000);
	path_encode(&path, &evidence);
	c.anchor = ticks[0];
	c.low_cents = path.low_cents;
	c.high_cents = path.high_cents;
	c.digest = path_digest(&path, &c.prev_digest);
	must(week_begin(b->w, &db), "begin");
	int64_t low = -1, user = 0;
	static struct page p;
	do {
		p.n = 0;
		must(book_column_bets(db, t0_s, ROW_CENTS, low, user, ARRAY_LEN(p.bets), on_bet, &p), "column");
		for (size_t i = 0; i < p.n; i++) {
			low = p.bets[i].cell.low_cents;
			user = p.bets[i].user;
			decide(b, db, &p.bets[i]);
			c.bets++;
		}
	} while (p.n == ARRAY_LEN(p.bets));
	must(book_put_column(db, &c, evidence.p, evidence.n), "column");
	must(week_commit(b->w), "commit");
	buf_free(&evidence);
}

static int64_t written_bytes(void)
{
	char line[128];
	int64_t n = -1;
	FILE *f = fopen("/proc/self/io", "re");
	while (f && fgets(line, sizeof line, f))
		(void) sscanf(line, "wchar: %" SCNd64, &n);
	if (f)
		(void) fclose(f);
	return n;
}

static int64_t cpu_us(void)
{
	struct rusage u;
	(void) getrusage(RUSAGE_SELF, &u);
	return (int64_t) (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000 + u.ru_utime.tv_usec + u.ru_stime.tv_usec;
}

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *) a, y = *(const int64_t *) b;
	return (x > y) - (x < y);
}

static int64_t file_bytes(struct bench *b)
{
	struct stat st;
	must(store_checkpoint(week_store(b->w), 1), "checkpoint");
	must(stat(store_path(week_store(b->w)), &st), "stat");
	return st.st_size;
}

struct run {
	int64_t size0, wrote0, cpu0, from_us; /* at its begin */
	int64_t place_cpu, place_wrote;
};

static void settle_until(struct bench *b, int64_t now_ms)
{
	b->now_ms = now_ms;
	for (; b->settled_s + 2 * COLUMN_S <= b->now_ms / 1000; b->settled_s += COLUMN_S)
		settle_column(b, b->settled_s + COLUMN_S);
}

static void place_all(struct bench *b, struct run *run, int64_t each_ms)
{
	*run = (struct run){ .size0 = file_bytes(b), .wrote0 = written_bytes(), .cpu0 = cpu_us(), .from_us = clk_mono_us() };
	b->settled_s = b->now_ms / 1000 / COLUMN_S * COLUMN_S - COLUMN_S;
	while ((int64_t) b->commits < b->bets / b->batch) {
		int64_t c0 = cpu_us(), w0 = written_bytes();
		place_batch(b);
		run->place_cpu += cpu_us() - c0;
		run->place_wrote += written_bytes() - w0;
		settle_until(b, b->now_ms + each_ms);
	}
}

static void report(struct bench *b, const struct run *run)
{
	int64_t took = clk_mono_us() - run->from_us, cpu = cpu_us() - run->cpu0, wrote = written_bytes() - run->wrote0;
	int64_t size = file_bytes(b) - run->size0;
	struct store_stats stats;
	store_stats(week_store(b->w), &stats);
	qsort(b->commit_us, b->commits, sizeof *b->commit_us, by_value);
	double n = (double) b->placed;
	(void) printf("{\"bench\":\"store\",\"bets\":%" PRId64 ",\"batch\":%" PRId64 ",\"users\":%" PRId64 ",\"decided\":%" PRId64
			",\"payouts\":%" PRId64 ",\"bets_per_s\":%.0f,\"place_cpu_us_per_bet\":%.1f,\"cpu_us_per_bet\":%.1f,"
			"\"place_written_bytes_per_bet\":%.0f,\"written_bytes_per_bet\":%.0f,\"file_bytes_per_bet\":%.1f,"
			"\"commit_us\":{\"p50\":%" PRId64 ",\"p99\":%" PRId64 ",\"max\":%" PRId64 "},\"checkpoints\":%" PRIu64
			",\"checkpoint_max_us\":%" PRId64 "}\n",
			b->placed, b->batch, b->users, b->decided, b->payouts, n * 1e6 / (double) took, (double) run->place_cpu / n,
			(double) cpu / n, (double) run->place_wrote / n, (double) wrote / n, (double) size / n,
			b->commit_us[b->commits / 2], b->commit_us[b->commits * 99 / 100], b->commit_us[b->commits - 1],
			stats.checkpoints, stats.checkpoint_max_us);
}

int main(void)
{
	struct bench b = { .bets = env_int("TAP_BENCH_BETS", 200000), .batch = env_int("TAP_BENCH_BATCH", 100),
		.users = env_int("TAP_BENCH_USERS", 1000), .now_ms = INT64_C(1771234565000), .seed = 88172645463325252u };
	const char *kept = getenv("TAP_BENCH_FILL"), *base = getenv("TAP_BENCH_DIR");
	int64_t each_ms = env_int("TAP_BENCH_BATCH_MS", 20), last_ms = (COLUMNS_AHEAD + 3) * COLUMN_S * 1000;
	struct run run;
	char dir[128], cmd[160];
	(void) snprintf(dir, sizeof dir, "%s/tap-bench-XXXXXX", base ? base : "/var/tmp");
	CHECK(kept || mkdtemp(dir));
	if (kept)
		b.now_ms = clk_now_ms() - b.bets / b.batch * each_ms - last_ms;
	b.commit_us = calloc((size_t) (b.bets / b.batch + 1), sizeof *b.commit_us);
	CHECK(b.commit_us);
	must(week_open(&b.w, kept ? kept : dir, STORE_WRITE, b.now_ms), "open");
	CHECK(store_checkpointer(week_store(b.w)));
	open_accounts(&b);
	place_all(&b, &run, each_ms);
	if (kept)
		settle_until(&b, b.now_ms + last_ms);
	report(&b, &run);
	(void) week_close(b.w);
	free(b.commit_us);
	(void) snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
	return kept || system(cmd) == 0 ? 0 : 1;
}
