/* Each k-th call of the disk fails, or finds it full; each k-th allocation finds no memory; a small disk fills up for real.
 * Every time: an error, never a wrong balance. */
#include "books.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "err.h"
#include "shim_vfs.h"

static struct {
	int countdown, result;
	bool sticky, fired;
} trouble;

static int fail_when_due(enum shim_op op, const char *path, sqlite3_int64 at, const void *bytes, int n)
{
	(void) path, (void) at, (void) bytes, (void) n;
	if (trouble.countdown == 0 || (trouble.countdown > 1 && trouble.countdown--))
		return SQLITE_OK;
	if (trouble.result == SQLITE_FULL && op != SHIM_WRITE) /* a full disk still truncates, syncs and deletes */
		return SQLITE_OK;
	if (!trouble.sticky)
		trouble.countdown = 0;
	trouble.fired = true;
	if (trouble.result == SQLITE_FULL)
		return SQLITE_FULL;
	return op == SHIM_SYNC ? SQLITE_IOERR_FSYNC : op == SHIM_WRITE ? SQLITE_IOERR_WRITE : SQLITE_IOERR;
}

static void arm(int nth, bool sticky, int result)
{
	trouble.countdown = nth;
	trouble.sticky = sticky;
	trouble.result = result;
	trouble.fired = false;
}

static bool disarm(void)
{
	trouble.countdown = 0;
	return trouble.fired;
}

/* One allocation of SQLite's fails: the n-th. */
static sqlite3_mem_methods real_memory;
static int memory_countdown;
static bool memory_fired;

static bool out_of_memory(void)
{
	if (memory_countdown == 0 || --memory_countdown > 0)
		return false;
	memory_fired = true;
	return true;
}

static void *thin_malloc(int n)
{
	return out_of_memory() ? NULL : real_memory.xMalloc(n);
}

static void *thin_realloc(void *p, int n)
{
	return out_of_memory() ? NULL : real_memory.xRealloc(p, n);
}

static int thin_memory(void **state)
{
	(void) state;
	if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real_memory) != SQLITE_OK)
		return -1;
	sqlite3_mem_methods thin = real_memory;
	thin.xMalloc = thin_malloc;
	thin.xRealloc = thin_realloc;
	return sqlite3_config(SQLITE_CONFIG_MALLOC, &thin) == SQLITE_OK ? 0 : -1;
}

/* What the book says of money, to be compared. */
struct sums {
	int64_t balance, seq, bets, rows, columns;
};

static struct sums sums_of(struct week *w)
{
	struct store *db = books_begin(w);
	struct stmt *st = store_stmt(db, "SELECT (SELECT sum(balance) FROM users), (SELECT sum(version) FROM users),"
			" (SELECT count(*) FROM bets), (SELECT count(*) FROM transaction_ledger), (SELECT count(*) FROM columns)");
	assert_int_equal(stmt_step(st), STMT_ROW);
	struct sums s = { stmt_col_int(st, 0), stmt_col_int(st, 1), stmt_col_int(st, 2), stmt_col_int(st, 3),
		stmt_col_int(st, 4) };
	week_rollback(w);
	return s;
}

/* A batch, a settlement and a deposit, in one commit. */
static int one_round(struct week *w, int round)
{
	struct store *db;
	struct account a;
	struct tick ticks[51];
	char ref[32];
	int64_t t0_s = T0_S + 5 * round;
	int r = week_begin(w, &db);
	if (r != 0)
		return r;
	for (int i = 0; i < 6 && r == 0; i++) {
		struct bet b = books_bet(1 + i % 2, t0_s + 5 * (i % 3), 4860 + i + 10 * (round & 7), 1);
		r = books_place(db, &b, &a);
	}
	for (int i = 0; i < 51; i++)
		ticks[i] = (struct tick){ t0_s * 1000 - 100 + 100 * i, 4862 * ROW_CENTS + 3 * i };
	if (r == 0)
		r = books_settle(db, ticks, 51, t0_s, t0_s * 1000 + 6000, NULL);
	(void) snprintf(ref, sizeof ref, "round-%d", round);
	if (r == 0)
		r = ledger_post(db, &(struct posting){ .user = 1, .amount = { 1000000 }, .ref_type = LEDGER_DEPOSIT, .ref_id = ref,
				.at_ms = NOW_MS }, &a);
	if (r == 0)
		return week_commit(w);
	week_rollback(w);
	return r;
}

static struct week *two_rich_accounts(void)
{
	struct week *w = books_open(STORE_WRITE);
	struct store *db = books_begin(w);
	(void) books_account(db, 1, 1000000);
	(void) books_account(db, 2, 1000000);
	assert_int_equal(week_commit(w), 0);
	(void) store_checkpointer(week_store(w));
	return w;
}

/* After an I/O error the process ends (here: the handle is closed), and what the disk holds is one of the two states. */
static void disk_fails(int result)
{
	shim_install();
	shim_hooks.before = fail_when_due;
	struct week *w = two_rich_accounts();
	int round = 0;
	for (int sticky = 0; sticky < 2; sticky++) {
		bool fired = true;
		for (int nth = 1; fired; nth++) {
			struct sums before = sums_of(w);
			arm(nth, sticky, result);
			int r = one_round(w, round);
			if (r == 0 && nth % 3 == 0)
				r = store_checkpoint(week_store(w), 1);
			fired = disarm();
			err_clear();
			assert_int_equal(r != 0, fired);
			if (result == SQLITE_FULL) {
				if (fired)
					assert_true(r == STORE_E_FULL || r == -ENOSPC);
			} else if (fired) {
				assert_true(r < 0);
				(void) week_close(w);
				w = books_open(STORE_WRITE);
				(void) store_checkpointer(week_store(w));
			}
			struct sums after = sums_of(w);
			bool same = memcmp(&before, &after, sizeof before) == 0;
			if (!same)
				assert_int_equal(after.bets, before.bets + 6);
			if (!fired)
				assert_false(same);
			if (fired && result == SQLITE_FULL && nth % 3 != 0)
				assert_true(same); /* the very same handle goes on, and nothing was done */
			assert_int_equal(books_audit(w, true), 0);
			round += !same;
		}
	}
	(void) week_close(w);
	shim_hooks.before = NULL;
	shim_remove();
}

static void a_failing_disk_is_an_error(void **state)
{
	(void) state;
	disk_fails(SQLITE_IOERR);
}

static void a_full_disk_is_told_apart(void **state)
{
	(void) state;
	disk_fails(SQLITE_FULL);
}

static void no_memory_is_an_error(void **state)
{
	(void) state;
	struct week *w = two_rich_accounts();
	int round = 0;
	bool fired = true;
	for (int nth = 1; fired; nth += nth < 200 ? 1 : 7) {
		struct sums before = sums_of(w);
		memory_fired = false;
		memory_countdown = nth;
		int r = one_round(w, round);
		memory_countdown = 0;
		fired = memory_fired;
		err_clear();
		struct sums after = sums_of(w);
		bool same = memcmp(&before, &after, sizeof before) == 0;
		if (r == 0) /* SQLite lives without some of its memory */
			assert_int_equal(after.bets, before.bets + 6);
		else
			assert_true(same && r < 0);
		round += !same;
		if (nth % 50 == 0 || !fired)
			assert_int_equal(books_audit(w, true), 0);
	}
	(void) week_close(w);
}

/* A small filesystem that fills up: what was committed stays, reads go on, room given back heals it. */
static void a_small_disk_fills_up_and_heals(void **state)
{
	(void) state;
	char ballast[160];
	if (mount("tmpfs", books_dir, "tmpfs", 0, "size=4m") < 0)
		fail_msg("this test mounts a tmpfs: it must run as root (%s)", strerror(errno));
	struct week *w = two_rich_accounts();
	(void) snprintf(ballast, sizeof ballast, "%s/ballast", books_dir);
	int fd = open(ballast, O_CREAT | O_WRONLY | O_CLOEXEC, 0600), round = 0, r = 0, full = 0;
	assert_true(fd >= 0);
	assert_int_equal(posix_fallocate(fd, 0, 2 << 20), 0);
	while (full < 20) {
		struct sums before = sums_of(w);
		r = one_round(w, round);
		if (r == 0)
			r = store_checkpoint(week_store(w), 50);
		struct sums after = sums_of(w);
		if (r == 0) {
			round++;
			assert_true(round < 10000);
			continue;
		}
		if (r != STORE_E_FULL && r != -ENOSPC)
			fail_msg("round %d: %d %s", round, r, err_text());
		full++;
		assert_true(after.bets == before.bets || after.bets == before.bets + 6);
		round += after.bets != before.bets;
		assert_int_equal(books_audit(w, true), 0);
	}
	assert_true(round > 10);
	struct sums before = sums_of(w);
	assert_int_equal(ftruncate(fd, 0), 0);
	for (int i = 0; i < 20; i++, round++) {
		assert_int_equal(one_round(w, round), 0);
		assert_int_equal(store_checkpoint(week_store(w), 50), 0);
	}
	struct sums after = sums_of(w);
	assert_int_equal(after.bets, before.bets + 120);
	assert_int_equal(books_audit(w, true), 0);
	(void) week_close(w);
	w = books_open(STORE_WRITE);
	assert_int_equal(books_audit(w, true), 0);
	(void) week_close(w);
	(void) close(fd);
}

static int unmount(void **state)
{
	(void) umount2(books_dir, MNT_DETACH);
	return books_tear_down(state);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, books_set_up, books_tear_down)
	const struct CMUnitTest tests[] = {
		CASE(a_failing_disk_is_an_error),
		CASE(a_full_disk_is_told_apart),
		CASE(no_memory_is_an_error),
		cmocka_unit_test_setup_teardown(a_small_disk_fills_up_and_heals, books_set_up, unmount),
	};
	return cmocka_run_group_tests(tests, thin_memory, NULL);
}
