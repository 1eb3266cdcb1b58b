/* The week: its files, the audit log, and what holds between processes that are killed or that race. */
#include "books.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "clk.h"
#include "err.h"
#include "rnd.h"

static void in_dir(char out[160], const char *name)
{
	(void) snprintf(out, 160, "%s/%s", books_dir, name);
}

static bool is_there(const char *name)
{
	char path[160];
	in_dir(path, name);
	return access(path, F_OK) == 0;
}

static void a_new_directory_gets_the_weeks_file(void **state)
{
	(void) state;
	struct week *w = NULL;
	assert_int_equal(week_open(&w, books_dir, STORE_READ, NOW_MS), STORE_E_ABSENT);
	assert_int_equal(week_open(&w, "/nowhere/at/all", STORE_READ, NOW_MS), STORE_E_ABSENT);
	assert_true(week_open(&w, "/nowhere/at/all", STORE_WRITE, NOW_MS) < 0);
	w = books_open(STORE_WRITE);
	assert_true(is_there("bets_2026_w08.db"));
	assert_true(is_there("meta.db"));
	assert_false(is_there("bets_2026_w08.db.new"));
	assert_int_equal(week_current(w).year, 2026);
	assert_int_equal(week_current(w).week, 8);
	assert_int_equal(week_opened_ms(w), NOW_MS);
	struct store *db = books_begin(w);
	int64_t user = books_account(db, 1, 7);
	assert_int_equal(week_commit(w), 0);
	(void) week_close(w);
	/* opened again, later in another week: the current file is what meta.db says */
	assert_int_equal(week_open(&w, books_dir, STORE_WRITE, NOW_MS + INT64_C(30) * 86400000), 0);
	assert_int_equal(week_current(w).week, 8);
	struct week *r = books_open(STORE_READ);
	struct account a;
	db = books_begin(r);
	assert_int_equal(ledger_account_by_id(db, user, &a), 0);
	assert_int_equal(a.balance.micros, 7000000);
	week_rollback(r);
	(void) week_close(r);
	(void) week_close(w);
}

static void a_lost_meta_never_starts_an_empty_book(void **state)
{
	(void) state;
	char cmd[256];
	struct week *w = books_open(STORE_WRITE);
	(void) week_close(w);
	(void) snprintf(cmd, sizeof cmd, "rm %s/meta.db*", books_dir);
	assert_int_equal(system(cmd), 0);
	w = books_open(STORE_WRITE); /* no account in it: the first try was cut short */
	struct store *db = books_begin(w);
	(void) books_account(db, 1, 7);
	assert_int_equal(week_commit(w), 0);
	(void) week_close(w);
	assert_int_equal(system(cmd), 0);
	assert_int_equal(week_open(&w, books_dir, STORE_WRITE, NOW_MS), -EEXIST);
	/* and a lost book is never replaced by an empty one */
	(void) snprintf(cmd, sizeof cmd, "rm -rf %s/*", books_dir);
	assert_int_equal(system(cmd), 0);
	(void) week_close(books_open(STORE_WRITE));
	(void) snprintf(cmd, sizeof cmd, "rm %s/bets_*", books_dir);
	assert_int_equal(system(cmd), 0);
	assert_int_equal(week_open(&w, books_dir, STORE_WRITE, NOW_MS), -ENOENT);
}

static void run_sql(const char *file, const char *sql)
{
	char path[160];
	sqlite3 *raw;
	in_dir(path, file);
	assert_int_equal(sqlite3_open(path, &raw), SQLITE_OK);
	assert_int_equal(sqlite3_exec(raw, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(raw), SQLITE_OK);
}

static void what_cannot_be_the_books_is_not_opened(void **state)
{
	(void) state;
	char name[400], path[160];
	struct week *w = NULL;
	memset(name, 'd', sizeof name);
	name[0] = '/';
	name[sizeof name - 1] = '\0';
	assert_int_equal(week_open(&w, name, STORE_WRITE, NOW_MS), -ENAMETOOLONG);
	/* a book of a newer release */
	(void) week_close(books_open(STORE_WRITE));
	run_sql("bets_2026_w08.db", "PRAGMA user_version=99");
	assert_int_equal(week_open(&w, books_dir, STORE_WRITE, NOW_MS), -EPROTO);
	/* a book that is no database, beside a lost meta.db */
	in_dir(path, "bets_2026_w08.db");
	FILE *f = fopen(path, "w");
	assert_non_null(f);
	assert_true(fprintf(f, "%0999d", 7) > 0);
	assert_int_equal(fclose(f), 0);
	run_sql("meta.db", "DROP TRIGGER weeks_no_delete; DELETE FROM weeks");
	assert_int_equal(week_open(&w, books_dir, STORE_WRITE, NOW_MS), -EBADMSG);
	/* a reader makes nothing where no week is named */
	assert_int_equal(week_open(&w, books_dir, STORE_READ, NOW_MS), STORE_E_ABSENT);
	/* one that was never made whole is no book, and stands in nobody's way */
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(week_open(&w, books_dir, STORE_WRITE, NOW_MS), 0);
	/* the book is taken away from under the feet of who would end its week */
	struct week_rolled rolled;
	assert_int_equal(unlink(path), 0);
	assert_int_equal(week_roll(w, NOW_MS + INT64_C(7) * 86400000, &rolled), -ENOENT);
	(void) week_close(w);
}

static bool first_audit(void *u, const struct audit_row *row)
{
	(void) row;
	++*(int *) u;
	return false;
}

/* Its pages are overwritten: a finding, as a changed row is. */
static void an_audit_log_that_cannot_be_read_is_a_finding(void **state)
{
	(void) state;
	char finding[128], path[160];
	sqlite3 *raw;
	sqlite3_stmt *st = NULL;
	uint8_t junk[4096];
	int n = 0;
	struct week *w = books_open(STORE_WRITE);
	for (int i = 0; i < 3; i++)
		assert_int_equal(week_audit_log(w, "root", "what", "why", NOW_MS + i), 0);
	assert_int_equal(week_audit_read(w, first_audit, &n, finding, sizeof finding), 0);
	assert_int_equal(n, 1); /* who has enough is told no more, and the chain is checked to its end */
	(void) week_close(w);
	/* a hash of the wrong length: the log goes on, and the break is found */
	run_sql("meta.db", "DROP TRIGGER audit_no_update; PRAGMA ignore_check_constraints=ON;"
			" UPDATE audit SET hash = x'00' WHERE id = 3");
	w = books_open(STORE_WRITE);
	assert_int_equal(week_audit_log(w, "root", "what", "why", NOW_MS + 4), 0);
	assert_int_equal(week_audit_read(w, NULL, NULL, finding, sizeof finding), 1);
	assert_string_equal(finding, "the audit log breaks at row 3");
	(void) week_close(w);
	run_sql("meta.db", "PRAGMA wal_checkpoint(TRUNCATE)");
	in_dir(path, "meta.db");
	assert_int_equal(sqlite3_open(path, &raw), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(raw, "SELECT rootpage FROM sqlite_schema WHERE name = 'audit'", -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	off_t at = 4096 * ((off_t) sqlite3_column_int64(st, 0) - 1);
	(void) sqlite3_finalize(st);
	(void) sqlite3_close(raw);
	memset(junk, 0xff, sizeof junk);
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_int_equal(pwrite(fd, junk, sizeof junk, at), sizeof junk);
	(void) close(fd);
	w = books_open(STORE_READ);
	assert_int_equal(week_audit_read(w, NULL, NULL, finding, sizeof finding), 1);
	assert_non_null(strstr(finding, "malformed"));
	(void) week_close(w);
}

static bool count_audit(void *u, const struct audit_row *row)
{
	int *n = u;
	++*n;
	assert_int_equal(row->id, *n);
	assert_true(row->at_ms >= NOW_MS);
	assert_string_equal(row->who, "root");
	return true;
}

static void the_audit_log_is_chained(void **state)
{
	(void) state;
	char finding[128], path[160];
	struct week *w = books_open(STORE_WRITE);
	int n = 0;
	assert_int_equal(week_audit_read(w, count_audit, &n, finding, sizeof finding), 0);
	assert_int_equal(n, 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(week_audit_log(w, "root", "deposit 5", i % 2 ? "" : "ticket 7", NOW_MS + i), 0);
	assert_int_equal(week_audit_read(w, count_audit, &n, finding, sizeof finding), 0);
	assert_int_equal(n, 5);
	(void) week_close(w);
	static const char *const changes[] = {
		"UPDATE audit SET who = 'toor' WHERE id = 2", "UPDATE audit SET why = what, what = why WHERE id = 3",
		"UPDATE audit SET at = at + 1 WHERE id = 1", "DELETE FROM audit WHERE id = 4",
		"UPDATE audit SET hash = zeroblob(32) WHERE id = 5",
	};
	in_dir(path, "meta.db");
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		char keep[1024];
		sqlite3 *raw;
		(void) snprintf(keep, sizeof keep, "cp %s %s.keep", path, path);
		assert_int_equal(sqlite3_open(path, &raw), SQLITE_OK);
		assert_int_equal(sqlite3_exec(raw, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL), SQLITE_OK);
		assert_int_equal(system(keep), 0);
		assert_int_equal(sqlite3_exec(raw, changes[i], NULL, NULL, NULL), SQLITE_CONSTRAINT);
		assert_int_equal(sqlite3_exec(raw, "DROP TRIGGER audit_no_update; DROP TRIGGER audit_no_delete", NULL, NULL, NULL),
				SQLITE_OK);
		assert_int_equal(sqlite3_exec(raw, changes[i], NULL, NULL, NULL), SQLITE_OK);
		assert_int_equal(sqlite3_close(raw), SQLITE_OK);
		w = books_open(STORE_READ);
		if (week_audit_read(w, NULL, NULL, finding, sizeof finding) != 1)
			fail_msg("not found: %s", changes[i]);
		(void) week_close(w);
		(void) snprintf(keep, sizeof keep, "rm -f %s-wal %s-shm; mv %s.keep %s", path, path, path, path);
		assert_int_equal(system(keep), 0);
	}
	w = books_open(STORE_READ);
	assert_int_equal(week_audit_read(w, NULL, NULL, finding, sizeof finding), 0);
	(void) week_close(w);
}

static pid_t spawn(int (*run)(int out, int nth), int out, int nth)
{
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(run(out, nth));
	return pid;
}

static void reap(pid_t pid, int expected)
{
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, expected);
}

/* Places bets for ever, batch by batch, and acknowledges each batch after its commit. */
enum { CRASH_USERS = 8 };

struct ack {
	int64_t user, t0_s, low;
};

static int bet_for_ever(int out, int nth)
{
	struct week *w = NULL;
	if (week_open(&w, books_dir, STORE_WRITE, NOW_MS) != 0)
		return 1;
	(void) store_checkpointer(week_store(w));
	for (int64_t i = 0;; i++) {
		struct store *db;
		struct ack acks[16];
		size_t n = 1 + (size_t) rnd_below(16);
		if (week_begin(w, &db) != 0)
			return 2;
		for (size_t k = 0; k < n; k++) {
			int64_t serial = (INT64_C(2) * i + nth) * 16 + (int64_t) k;
			struct bet b = books_bet(1 + (serial & 7), T0_S + 5 * (serial % 12), serial / 8 % 100000 + nth * 200000, 1);
			struct account a;
			if (books_place(db, &b, &a) != 0)
				return 3;
			acks[k] = (struct ack){ b.user, b.cell.t0_s, b.cell.low_cents };
		}
		if (week_commit(w) != 0)
			return 4;
		if (write(out, acks, n * sizeof *acks) != (ssize_t) (n * sizeof *acks))
			return 5;
		if (store_checkpoint(week_store(w), 20) != 0)
			return 6;
	}
}

static int64_t check_acks(struct week *w, int in, int64_t *ret_all)
{
	struct ack a;
	int64_t n = 0;
	struct store *db = books_begin(w);
	while (read(in, &a, sizeof a) == sizeof a) {
		struct cell cell = { a.t0_s, a.low, a.low + ROW_CENTS };
		struct bet b;
		assert_int_equal(book_bet(db, a.user, &cell, &b), 0);
		n++;
	}
	struct stmt *st = store_stmt(db, "SELECT count(*) FROM bets");
	assert_int_equal(stmt_step(st), STMT_ROW);
	*ret_all = stmt_col_int(st, 0);
	stmt_reset(st);
	week_rollback(w);
	return n;
}

static void what_was_acknowledged_survives_a_kill(void **state)
{
	(void) state;
	const char *rounds_text = getenv("TAP_KILLS");
	int rounds = rounds_text ? atoi(rounds_text) : 15;
	int64_t acked_ever = 0;
	for (int round = 0; round < rounds; round++) {
		int pipes[2][2];
		pid_t child[2];
		struct week *w = books_open(STORE_WRITE);
		struct store *db = books_begin(w);
		for (int i = 1; i <= CRASH_USERS; i++)
			(void) books_account(db, i, 100000000);
		assert_int_equal(week_commit(w), 0);
		(void) week_close(w);
		for (int c = 0; c < 2; c++) {
			assert_int_equal(pipe(pipes[c]), 0);
			(void) fcntl(pipes[c][1], F_SETPIPE_SZ, 1 << 20);
			child[c] = spawn(bet_for_ever, pipes[c][1], c);
			(void) close(pipes[c][1]);
		}
		usleep(20000 + rnd_below(60000));
		for (int c = 0; c < 2; c++) {
			assert_int_equal(kill(child[c], SIGKILL), 0);
			reap(child[c], SIGKILL);
		}
		int64_t acked = 0, all = 0;
		w = books_open(STORE_READ);
		for (int c = 0; c < 2; c++) {
			acked += check_acks(w, pipes[c][0], &all);
			(void) close(pipes[c][0]);
		}
		assert_true(all >= acked && all <= acked + 2 * 16); /* at most one batch each that was not told any more */
		assert_int_equal(books_audit(w, true), 0);
		(void) week_close(w);
		acked_ever += acked;
		books_tear_down(state);
		assert_int_equal(books_set_up(state), 0);
	}
	assert_true(acked_ever > 10 * rounds);
}

/* A hundred bets at once by two processes on a balance that covers ten. */
static int race(int out, int nth)
{
	struct week *w = NULL;
	char taken = 0;
	if (week_open(&w, books_dir, STORE_WRITE, NOW_MS) != 0)
		return 1;
	for (int i = 0; i < 50; i++) {
		struct store *db;
		struct account a;
		struct bet b = books_bet(1, T0_S, 4000 + 2 * i + nth, 5);
		if (week_begin(w, &db) != 0)
			return 2;
		int r = books_place(db, &b, &a);
		if (r == 0) {
			taken++;
			if (a.balance.micros < 0 || week_commit(w) != 0)
				return 3;
		} else {
			week_rollback(w);
			if (r != LEDGER_E_FUNDS)
				return 4;
		}
	}
	(void) week_close(w);
	return write(out, &taken, 1) == 1 ? 0 : 5;
}

static void a_balance_for_ten_bets_takes_ten(void **state)
{
	(void) state;
	for (int round = 0; round < 5; round++) {
		int out[2];
		char taken[2];
		struct week *w = books_open(STORE_WRITE);
		struct store *db = books_begin(w);
		assert_int_equal(books_account(db, 1, 50), 1);
		assert_int_equal(week_commit(w), 0);
		assert_int_equal(pipe(out), 0);
		pid_t one = spawn(race, out[1], 0), two = spawn(race, out[1], 1);
		reap(one, 0);
		reap(two, 0);
		assert_int_equal(read(out[0], taken, 2), 2);
		assert_int_equal(taken[0] + taken[1], 10);
		struct account a;
		db = books_begin(w);
		assert_int_equal(ledger_account_by_id(db, 1, &a), 0);
		assert_int_equal(a.balance.micros, 0);
		assert_int_equal(a.open_bets, 10);
		week_rollback(w);
		assert_int_equal(books_audit(w, true), 0);
		(void) week_close(w);
		(void) close(out[0]);
		(void) close(out[1]);
		books_tear_down(state);
		assert_int_equal(books_set_up(state), 0);
	}
}

/* The same cell of the same wallet from two processes: one of them has it. */
static int race_for_cells(int out, int nth)
{
	struct week *w = NULL;
	char won[100];
	(void) nth;
	if (week_open(&w, books_dir, STORE_WRITE, NOW_MS) != 0)
		return 1;
	for (int i = 0; i < 100; i++) {
		struct store *db;
		struct account a;
		struct bet b = books_bet(1, T0_S, 4000 + i, 1);
		if (week_begin(w, &db) != 0)
			return 2;
		int r = books_place(db, &b, &a);
		won[i] = r == 0;
		if (r == 0 && week_commit(w) != 0)
			return 3;
		week_rollback(w);
		if (r != 0 && r != 100 + BOOK_E_EXISTS)
			return 4;
	}
	(void) week_close(w);
	return write(out, won, sizeof won) == sizeof won ? 0 : 5;
}

static void a_cell_goes_to_one_of_two_processes(void **state)
{
	(void) state;
	int out[2];
	char won[2][100];
	struct week *w = books_open(STORE_WRITE);
	struct store *db = books_begin(w);
	assert_int_equal(books_account(db, 1, 1000), 1);
	assert_int_equal(week_commit(w), 0);
	assert_int_equal(pipe(out), 0);
	pid_t one = spawn(race_for_cells, out[1], 0), two = spawn(race_for_cells, out[1], 1);
	reap(one, 0);
	reap(two, 0);
	assert_int_equal(read(out[0], won, sizeof won), sizeof won);
	for (int i = 0; i < 100; i++)
		assert_int_equal(won[0][i] + won[1][i], 1);
	assert_int_equal(books_audit(w, true), 0);
	(void) week_close(w);
	(void) close(out[0]);
	(void) close(out[1]);
}

int main(void)
{
	(void) signal(SIGPIPE, SIG_IGN);
#define CASE(f) cmocka_unit_test_setup_teardown(f, books_set_up, books_tear_down)
	const struct CMUnitTest tests[] = {
		CASE(a_new_directory_gets_the_weeks_file),
		CASE(a_lost_meta_never_starts_an_empty_book),
		CASE(what_cannot_be_the_books_is_not_opened),
		CASE(the_audit_log_is_chained),
		CASE(an_audit_log_that_cannot_be_read_is_a_finding),
		CASE(a_balance_for_ten_bets_takes_ten),
		CASE(a_cell_goes_to_one_of_two_processes),
		CASE(what_was_acknowledged_survives_a_kill),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
