/* What a bet costs in the book: CPU, disk, commit times, at batches as the writer makes them, with settlement in slices and checkpoints
 * going on. Prints one JSON object. Settings of the environment, TAP_BENCH_...:
 *   BETS, USERS      how many bets, of how many wallets, each as likely
 *   BATCH            bets in a transaction
 *   RATE             bets a second of the game's time: with it grows how many bets a column has, and how near they lie in the file
 *   ROWS             24: rows a column; drawn evenly, or with BELL (a standard deviation, in rows) near the price's
 *   COLUMNS          12: columns ahead that are open, each as likely
 *   CHECKPOINT       pages in the WAL that call for a checkpoint
 *   DIR              where
 *   FILL             a data folder that is kept: its current week gets the bets, all of them decided, up to now, and their quotes
 * Bytes written are those that the process handed to the kernel. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "book.h"
#include "book_quotes.h"
#include "check.h"
#include "clk.h"
#include "err.h"
#include "ledger.h"
#include "path.h"
#include "settle.h"
#include "week.h"

enum { COLUMN_S = 5, ROW_CENTS = 2000, PRICE_ROW = 4872, QUOTE_MS = 250 };

struct bench {
	struct week *w;
	int64_t bets, batch, users, rate, rows, bell, columns, checkpoint_pages;
	int64_t now_ms, settled_s;
	int64_t placed, refused, decided, payouts;
	int64_t file_wrote;
	int64_t *commit_us;
	size_t commits;
	uint64_t seed;
	bool quoted;
	struct quote_made quote; /* the newest */
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

/* What a checkpoint writes goes to the file itself, all else to the WAL. */
static void checkpoint(struct bench *b, int64_t pages)
{
	int64_t from = written_bytes();
	must(store_checkpoint(week_store(b->w), pages), "checkpoint");
	b->file_wrote += written_bytes() - from;
}

/* Evenly over the rows, or the sum of twelve even draws, whose standard deviation is 1, about the price. */
static int64_t draw_row(struct bench *b)
{
	if (b->bell == 0)
		return PRICE_ROW - b->rows / 2 + (int64_t) (next_random(b) % (uint64_t) b->rows);
	int64_t row, thousandths;
	do {
		thousandths = -6000;
		for (int i = 0; i < 12; i++)
			thousandths += (int64_t) (next_random(b) % 1000);
		row = PRICE_ROW + thousandths * b->bell / 1000;
	} while (row < PRICE_ROW - b->rows / 2 || row >= PRICE_ROW + b->rows / 2);
	return row;
}

static void place_one(struct bench *b, struct store *db)
{
	static const int64_t stakes[] = { 1000000, 5000000, 10000000, 25000000, 100000000 };
	int64_t column = b->now_ms / 1000 / COLUMN_S * COLUMN_S;
	int64_t row = draw_row(b), ledger_row;
	struct account a;
	struct bet bet = {
		.user = 1 + (int64_t) (next_random(b) % (uint64_t) b->users),
		.cell = { column + COLUMN_S * (2 + (int64_t) (next_random(b) % (uint64_t) b->columns)), row * ROW_CENTS, 0 },
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

/* What the batch's rates would have been made from: each number a little beside the one before. */
static void put_quote(struct bench *b, struct store *db)
{
	struct quote_made *q = &b->quote;
	struct buf made = BUF_INIT(QUOTE_LOG_MAX);
	if (b->now_ms / QUOTE_MS * QUOTE_MS == q->t_ms)
		return;
	q->rules = (struct quote_rules){ .grid = { .column_s = COLUMN_S, .row_cents = ROW_CENTS, .columns = (int) b->columns,
		.rows = (int) b->rows }, .margin_bp = 500, .max_rate_e4 = 200000, .min_p_ppm = 40000, .tick_ms = 100 };
	q->t_ms = q->quote_id = b->now_ms / QUOTE_MS * QUOTE_MS;
	q->p_cents = (int64_t) PRICE_ROW * ROW_CENTS + (int64_t) (next_random(b) % ROW_CENTS);
	for (int i = 0; i < QUOTE_VOLS; i++)
		q->state.vol_ppm[i] = 500000 + (int64_t) (next_random(b) % 20000);
	q->state.uneven_ppm = (int64_t) (next_random(b) % 100000);
	quote_log_encode(&made, q, 1);
	must(book_put_quote(db, q->quote_id, q->t_ms, made.p, made.n), "quote");
	buf_free(&made);
}

static void place_batch(struct bench *b)
{
	struct store *db;
	must(week_begin(b->w, &db), "begin");
	if (b->quoted)
		put_quote(b, db);
	for (int64_t i = 0; i < b->batch; i++)
		place_one(b, db);
	int64_t commit_from = clk_mono_us();
	must(week_commit(b->w), "commit");
	b->commit_us[b->commits++] = clk_mono_us() - commit_from;
	checkpoint(b, b->checkpoint_pages);
}

/* As the resolver does it: the column with its evidence, then its bets, a slice to a transaction. */
static void settle(struct bench *b, int64_t t0_s)
{
	static const struct settings rules = { .column_s = COLUMN_S, .row_cents = ROW_CENTS, .max_tick_gap_ms = 3000 };
	struct tick ticks[51];
	struct settle_result got;
	int64_t span = ROW_CENTS * b->rows / 4; /* so that of even draws a quarter and a little wins */
	for (int i = 0; i < 51; i++)
		ticks[i] = (struct tick){ t0_s * 1000 - 100 + 100 * i,
			PRICE_ROW * ROW_CENTS - span / 2 + (int64_t) (next_random(b) % (uint64_t) span) };
	struct path path = path_cut(ticks, 51, t0_s, COLUMN_S, 3000);
	must(settle_column(b->w, &rules, &path, b->now_ms, &got, NULL, NULL), "settle");
	b->decided += got.won + got.lost;
	b->payouts += got.won;
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
	checkpoint(b, 1);
	must(stat(store_path(week_store(b->w)), &st), "stat");
	return st.st_size;
}

struct cost { /* what was used so far */
	int64_t size, wrote, file_wrote, cpu, us;
};

static struct cost cost_now(struct bench *b)
{
	int64_t size = file_bytes(b);
	return (struct cost){ size, written_bytes(), b->file_wrote, cpu_us(), clk_mono_us() };
}

static void settle_until(struct bench *b, int64_t now_ms)
{
	b->now_ms = now_ms;
	for (; b->settled_s + 2 * COLUMN_S <= b->now_ms / 1000; b->settled_s += COLUMN_S)
		settle(b, b->settled_s + COLUMN_S);
}

static double batch_ms(const struct bench *b)
{
	return (double) b->batch * 1000 / (double) b->rate;
}

static void play(struct bench *b)
{
	double clock_ms = (double) b->now_ms;
	b->settled_s = b->now_ms / 1000 / COLUMN_S * COLUMN_S - COLUMN_S;
	while ((int64_t) b->commits < b->bets / b->batch) {
		place_batch(b);
		clock_ms += batch_ms(b);
		settle_until(b, (int64_t) clock_ms);
	}
}

static void report(struct bench *b, const struct cost *from, const struct cost *to)
{
	struct store_stats stats;
	store_stats(week_store(b->w), &stats);
	qsort(b->commit_us, b->commits, sizeof *b->commit_us, by_value);
	double n = (double) b->placed, wrote = (double) (to->wrote - from->wrote) / n,
		file_wrote = (double) (to->file_wrote - from->file_wrote) / n;
	(void) printf("{\"bench\":\"store\",\"bets\":%" PRId64 ",\"users\":%" PRId64 ",\"batch\":%" PRId64 ",\"rate\":%" PRId64
			",\"rows\":%" PRId64 ",\"bell\":%" PRId64 ",\"columns\":%" PRId64 ",\"checkpoint_pages\":%" PRId64 ",",
			b->placed, b->users, b->batch, b->rate, b->rows, b->bell, b->columns, b->checkpoint_pages);
	(void) printf("\"decided\":%" PRId64 ",\"payouts\":%" PRId64 ",\"bets_per_s\":%.0f,\"cpu_us_per_bet\":%.1f,"
			"\"written_bytes_per_bet\":{\"wal\":%.0f,\"file\":%.0f,\"all\":%.0f},\"file_bytes_per_bet\":%.1f,",
			b->decided, b->payouts, n * 1e6 / (double) (to->us - from->us), (double) (to->cpu - from->cpu) / n,
			wrote - file_wrote, file_wrote, wrote, (double) (to->size - from->size) / n);
	(void) printf("\"commit_us\":{\"p50\":%" PRId64 ",\"p99\":%" PRId64 ",\"max\":%" PRId64 "},\"checkpoints\":%" PRIu64
			",\"checkpoint_max_us\":%" PRId64 "}\n",
			b->commit_us[b->commits / 2], b->commit_us[b->commits * 99 / 100], b->commit_us[b->commits - 1],
			stats.checkpoints, stats.checkpoint_max_us);
}

int main(void)
{
	struct bench b = { .bets = env_int("TAP_BENCH_BETS", 200000), .batch = env_int("TAP_BENCH_BATCH", 100),
		.users = env_int("TAP_BENCH_USERS", 1000), .rate = env_int("TAP_BENCH_RATE", 3000),
		.rows = env_int("TAP_BENCH_ROWS", 24), .bell = env_int("TAP_BENCH_BELL", 0),
		.columns = env_int("TAP_BENCH_COLUMNS", 12), .checkpoint_pages = env_int("TAP_BENCH_CHECKPOINT", 4000),
		.now_ms = INT64_C(1771234565000), .seed = 88172645463325252u };
	const char *kept = getenv("TAP_BENCH_FILL"), *base = getenv("TAP_BENCH_DIR");
	const int64_t last_ms = (b.columns + 3) * COLUMN_S * 1000;
	char dir[128], cmd[160];
	(void) snprintf(dir, sizeof dir, "%s/tap-bench-XXXXXX", base ? base : "/var/tmp");
	CHECK(kept || mkdtemp(dir));
	int64_t batches = b.bets / b.batch;
	b.quoted = kept != NULL;
	if (kept)
		b.now_ms = clk_now_ms() - (int64_t) ((double) batches * batch_ms(&b)) - last_ms;
	b.commit_us = calloc((size_t) batches + 1, sizeof *b.commit_us);
	CHECK(b.commit_us);
	must(week_open(&b.w, kept ? kept : dir, STORE_WRITE, b.now_ms), "open");
	CHECK(store_checkpointer(week_store(b.w)));
	open_accounts(&b);
	struct cost from = cost_now(&b);
	play(&b);
	struct cost to = cost_now(&b);
	if (kept)
		settle_until(&b, b.now_ms + last_ms);
	report(&b, &from, &to);
	(void) week_close(b.w);
	free(b.commit_us);
	(void) snprintf(cmd, sizeof cmd, "rm -rf '%s'", dir);
	return kept || system(cmd) == 0 ? 0 : 1;
}
