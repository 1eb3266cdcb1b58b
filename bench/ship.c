/* Shipping and restore without the network: a book of so many bets, settled, is told in segments as the archiver tells it, made again
 * from them in another folder as a restore does it, and audited. Prints one JSON object. TAP_BENCH_BETS (200,000), TAP_BENCH_USERS
 * (1,000), TAP_BENCH_DIR change the run. Times are the processor's, so that a busy machine gives them too.
 * TAP_BENCH_RESTORE=1: a second object, of a whole restore through a real S3 endpoint of its own, by the wall clock: the book as a
 * snapshot, then TAP_BENCH_SEGMENTS (360) segments with TAP_BENCH_HOUR_BETS (a hundredth) between them. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../tests/support/s3_server.h"
#include "backup.h"
#include "book.h"
#include "book_ship.h"
#include "clk.h"
#include "err.h"
#include "integrity.h"
#include "ledger.h"
#include "path.h"
#include "restore.h"
#include "rnd.h"
#include "segment.h"
#include "settle.h"
#include "shipper.h"
#include "snapshot.h"
#include "week.h"

enum { ROW_CENTS = 2000, ROWS = 24, COLUMN_S = 5, BATCH = 100, TICKS = 51, WAL_PAGES = 4000 };
static const int64_t NOW_MS = INT64_C(1771234565000);
static const struct settings rules = { .column_s = COLUMN_S, .row_cents = ROW_CENTS, .max_tick_gap_ms = 3000 };

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
	must(week_begin(w, &db), "begin");
	for (int64_t i = 0; i < users; i++) {
		struct wallet wallet = { { 1 } };
		struct account a;
		char ref[32];
		rnd_bytes(wallet.b + 4, 16);
		(void) snprintf(ref, sizeof ref, "start-%" PRId64, i);
		must(ledger_account_open(db, &wallet, NOW_MS, &a), "account");
		must(ledger_post(db, &(struct posting){ .user = a.user, .amount = { INT64_C(1000000000000) }, .ref_type = LEDGER_DEPOSIT,
				.ref_id = ref, .at_ms = NOW_MS }, &a), "deposit");
	}
	must(week_commit(w), "commit");
}

static void place(struct store *db, int64_t users, int64_t i, int64_t t0_s)
{
	struct account a;
	int64_t row;
	struct bet b = { .user = 1 + i % users, .cell = { t0_s, (4860 + i / users % ROWS) * ROW_CENTS, 0 },
		.stake = money_of(1000000), .rate = { 20000 }, .rate_min = { 19000 }, .placed_ms = t0_s * 1000 - 20000 + i,
		.signed_s = t0_s - 21, .state = BET_CONFIRMED };
	rnd_bytes(b.nonce, sizeof b.nonce);
	must(ledger_stake(db, &b, &a, &row), "stake");
	must(book_put_bet(db, &b, row), "bet");
}

/* Columns of users * ROWS bets at most, each settled when it is full. */
static void live(struct week *w, int64_t users, int64_t bets)
{
	static int64_t t0_s = NOW_MS / 5000 * 5 + 10;
	for (int64_t i = 0; i < bets;) {
		int64_t until = i + users * ROWS / 2 < bets ? i + users * ROWS / 2 : bets, first = i;
		for (struct store *db; i < until;) {
			must(week_begin(w, &db), "begin");
			for (int64_t n = 0; n < BATCH && i < until; n++, i++)
				place(db, users, i - first, t0_s);
			must(week_commit(w), "commit");
			must(store_checkpoint(week_store(w), 1000) < 0 ? -1 : 0, "checkpoint");
		}
		struct tick ticks[TICKS];
		struct settle_result result;
		for (int k = 0; k < TICKS; k++)
			ticks[k] = (struct tick){ t0_s * 1000 - 100 + 100 * k, 4865 * ROW_CENTS + 5 + 37 * k };
		struct path path = path_cut(ticks, TICKS, t0_s, COLUMN_S, 3000);
		must(settle_column(w, &rules, &path, t0_s * 1000 + 6000, &result, NULL, NULL), "settle");
		t0_s += COLUMN_S;
	}
}

struct sums {
	int64_t tell_us, make_us, segments, segment_bytes;
	struct buf span, out, unpacked, book;
};

/* One segment there and back. */
static bool ship(struct week *from, struct week *to, struct book_pos *at, struct sums *s)
{
	struct segment seg = { .number = ++s->segments, .week = week_current(from), .from = *at }, got;
	struct book_span told;
	struct segment_span parts;
	struct store *db;
	struct hash hash;
	bool more;
	buf_clear(&s->book);
	buf_clear(&s->span);
	buf_clear(&s->out);
	int64_t began = clk_thread_cpu_us();
	must(week_begin(from, &db), "begin");
	must(book_tell(db, at, SHIPPER_ROWS, &s->book, &seg.to, &told, &more), "tell");
	week_rollback(from);
	segment_span_begin(&s->span, &s->book);
	seg.span = s->span.p;
	seg.span_n = s->span.n;
	must(segment_write(&seg, &s->out, &hash), "write");
	int64_t written = clk_thread_cpu_us();
	must(segment_read(s->out.p, s->out.n, &got, &hash, &s->unpacked), "read");
	must(segment_span_open(&got, &parts), "span");
	must(week_begin(to, &db), "begin");
	must(book_make_again(db, &rules, &got.from, &got.to, parts.book, parts.book_n), "make");
	must(week_commit(to), "commit");
	must(store_checkpoint(week_store(to), WAL_PAGES) < 0 ? -1 : 0, "checkpoint");
	s->tell_us += written - began;
	s->make_us += clk_thread_cpu_us() - written;
	s->segment_bytes += (int64_t) s->out.n;
	*at = seg.to;
	return more;
}

static int64_t size_of(struct week *w)
{
	struct stat st;
	must(stat(store_path(week_store(w)), &st), "stat");
	return st.st_size;
}

static double per_second(int64_t bytes, int64_t us)
{
	return us > 0 ? (double) bytes / (double) us : 0; /* a byte a microsecond is a MB a second */
}

/* ---- a whole restore */

static void level(struct shipper *sh)
{
	for (bool more = true; more;)
		must(shipper_turn(sh, 100, &more), "ship");
}

static void send_snapshot(const struct settings *s, struct s3 *s3)
{
	char dir[BACKUP_PATH_MAX];
	struct ship_place place;
	struct snapshot made;
	struct backup b;
	backup_dir(s, dir);
	must(ship_place_read(s->data_dir.v, &place), "place");
	must(backup_make(s->data_dir.v, dir, NOW_MS, &b), b.found.finding);
	must(snapshot_put(s3, b.path, &place, &made), "snapshot");
	must(snapshot_note_write(s->data_dir.v, NOW_MS, place.week), "note");
}

static void restore(const struct settings *s, struct s3 *s3, const struct s3_conf *conf)
{
	char dir[200], command[256];
	struct restored r;
	const struct restore_conf how = { .s = s, .s3 = s3, .s3_conf = conf, .stamp = "" };
	(void) snprintf(dir, sizeof dir, "%.120s-restored", s->data_dir.v);
	int64_t from_ms = clk_mono_ms();
	must(restore_run(&how, dir, NOW_MS, &r), "restore");
	int64_t took_ms = clk_mono_ms() - from_ms;
	(void) printf("{\"book_bytes\": %" PRId64 ", \"segments\": %" PRId64 ", \"fetch_ms\": %" PRId64 ", \"replay_ms\": %" PRId64
			", \"audit_ms\": %" PRId64 ", \"restore_ms\": %" PRId64 ", \"restore_mb_s\": %.1f}\n", r.book_bytes, r.segments,
			r.fetch_ms, r.replay_ms, r.audit_ms, took_ms, per_second(r.book_bytes, took_ms * 1000));
	(void) snprintf(command, sizeof command, "rm -rf '%s'", dir);
	must(system(command), command);
}

static void whole(struct week *w, const char *dir, int64_t users, int64_t bets)
{
	int64_t segments = env_int("TAP_BENCH_SEGMENTS", 360), hour = env_int("TAP_BENCH_HOUR_BETS", bets / 100);
	static struct settings s;
	static struct s3_server server;
	struct shipper *sh = NULL;
	struct s3 *s3 = NULL;
	s = rules;
	(void) snprintf(s.data_dir.v, sizeof s.data_dir.v, "%s", dir);
	must(s3_server_start(&server) ? 0 : -1, "an S3 endpoint of its own");
	struct s3_conf conf = s3_server_conf(&server);
	must(s3_open(&s3, &conf), "s3");
	must(shipper_open(&sh, &s, &conf), "shipper");
	level(sh);
	send_snapshot(&s, s3);
	for (int64_t i = 0; i < segments; i++) {
		live(w, users, hour / segments > 0 ? hour / segments : 1);
		level(sh);
	}
	(void) shipper_close(sh);
	restore(&s, s3, &conf);
	(void) s3_close(s3);
	s3_server_stop(&server);
}

int main(void)
{
	int64_t bets = env_int("TAP_BENCH_BETS", 200000), users = env_int("TAP_BENCH_USERS", 1000);
	const char *base = getenv("TAP_BENCH_DIR");
	char dirs[2][128];
	struct week *from, *to;
	struct store *db;
	struct book_pos at;
	struct integrity found;
	struct sums s = { .span = BUF_INIT(BOOK_SHIP_BYTES_MAX), .book = BUF_INIT(BOOK_SHIP_BYTES_MAX), .out = BUF_INIT(SEGMENT_MAX) };
	for (int i = 0; i < 2; i++) {
		(void) snprintf(dirs[i], sizeof dirs[i], "%s/tap-bench-ship-XXXXXX", base ? base : "/tmp");
		must(mkdtemp(dirs[i]) ? 0 : -1, dirs[i]);
	}
	must(week_open(&from, dirs[0], STORE_WRITE, NOW_MS), "open");
	must(week_open(&to, dirs[1], STORE_WRITE, NOW_MS), "open");
	(void) store_checkpointer(week_store(from));
	(void) store_checkpointer(week_store(to));
	must(week_begin(from, &db), "begin");
	must(book_pos_start(db, &at), "start");
	week_rollback(from);
	open_accounts(from, users);
	live(from, users, bets);
	while (ship(from, to, &at, &s))
		continue;
	must(store_checkpoint(week_store(to), 1) < 0 ? -1 : 0, "checkpoint");
	int64_t bytes = size_of(to);
	to = week_close(to);
	must(week_open(&to, dirs[1], STORE_READ, NOW_MS), "open");
	int64_t began = clk_thread_cpu_us();
	must(integrity_check(to, false, &found), found.finding);
	int64_t audit_us = clk_thread_cpu_us() - began;
	(void) printf("{\"bets\": %" PRId64 ", \"rows\": %" PRId64 ", \"book_bytes\": %" PRId64 ", \"book_bytes_a_bet\": %.1f,"
			" \"segments\": %" PRId64 ", \"segment_bytes_a_bet\": %.1f, \"tell_us_a_bet\": %.2f, \"make_us_a_bet\": %.2f,"
			" \"make_mb_s\": %.1f, \"audit_mb_s\": %.1f, \"make_and_audit_mb_s\": %.1f}\n", found.bets, found.rows, bytes,
			(double) bytes / (double) found.bets, s.segments, (double) s.segment_bytes / (double) found.bets,
			(double) s.tell_us / (double) found.bets, (double) s.make_us / (double) found.bets,
			per_second(bytes, s.make_us), per_second(bytes, audit_us), per_second(bytes, s.make_us + audit_us));
	if (getenv("TAP_BENCH_RESTORE"))
		whole(from, dirs[0], users, bets);
	(void) week_close(from);
	(void) week_close(to);
	buf_free(&s.span);
	buf_free(&s.book);
	buf_free(&s.out);
	buf_free(&s.unpacked);
	char command[320];
	(void) snprintf(command, sizeof command, "rm -rf '%s' '%s'", dirs[0], dirs[1]);
	return system(command) == 0 ? 0 : 1;
}
