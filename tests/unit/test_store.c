/* The store: transactions, misuse, faults, migrations, the gate between processes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "../support/folder.h"
#include "clk.h"
#include "err.h"
#include "fault.h"
#include "store.h"

static const struct store_migration steps[] = {
	{ 1, "CREATE TABLE t(id INTEGER PRIMARY KEY, v INTEGER NOT NULL CHECK(v >= 0)) STRICT", "DROP TABLE t" },
	{ 2, "ALTER TABLE t ADD COLUMN w TEXT; CREATE TABLE u(a BLOB) STRICT", "DROP TABLE u; ALTER TABLE t DROP COLUMN w" },
	{ 0, NULL, NULL },
};
static const struct store_schema schema = { 0x5454, steps };
static const struct store_schema first = { 0x5454, (const struct store_migration[]){ { 1,
	"CREATE TABLE t(id INTEGER PRIMARY KEY, v INTEGER NOT NULL CHECK(v >= 0)) STRICT", "DROP TABLE t" }, { 0, NULL, NULL } } };
static const struct store_schema other = { 0x5455, steps };

static char dir[64], path[128];

static int set_up(void **state)
{
	(void) state;
	(void) snprintf(dir, sizeof dir, "/tmp/tap-store-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	(void) snprintf(path, sizeof path, "%s/one.db", dir);
	return 0;
}

static int tear_down(void **state)
{
	(void) state;
	return folder_remove(dir);
}

static struct store *opened(enum store_mode mode)
{
	struct store *s = NULL;
	assert_int_equal(store_open(&s, path, mode, &schema), 0);
	return s;
}

static int add(struct store *s, int64_t v)
{
	struct stmt *st = store_stmt(s, "INSERT INTO t(v) VALUES (?1)");
	stmt_int(st, 1, v);
	return stmt_run(st);
}

static int64_t count(struct store *s)
{
	struct stmt *st = store_stmt(s, "SELECT count(*) FROM t");
	assert_int_equal(stmt_step(st), STMT_ROW);
	int64_t n = stmt_col_int(st, 0);
	stmt_reset(st);
	return n;
}

static int64_t count_now(struct store *s)
{
	assert_int_equal(store_begin(s), 0);
	int64_t n = count(s);
	store_rollback(s);
	return n;
}

static void a_commit_is_seen_and_a_rollback_is_not(void **state)
{
	(void) state;
	struct store *w = opened(STORE_WRITE), *r = opened(STORE_READ);
	assert_int_equal(store_begin(w), 0);
	assert_int_equal(add(w, 1), 0);
	assert_int_equal(count_now(r), 0);
	assert_int_equal(store_commit(w), 0);
	assert_int_equal(count_now(r), 1);
	assert_int_equal(store_begin(w), 0);
	assert_int_equal(add(w, 2), 0);
	store_rollback(w);
	store_rollback(w);
	assert_int_equal(count_now(r), 1);
	/* one snapshot per question */
	assert_int_equal(store_begin(r), 0);
	assert_int_equal(count(r), 1);
	assert_int_equal(store_begin(w), 0);
	assert_int_equal(add(w, 2), 0);
	assert_int_equal(store_commit(w), 0);
	assert_int_equal(count(r), 1);
	store_rollback(r);
	assert_int_equal(count_now(r), 2);
	(void) store_close(r);
	(void) store_close(w);
}

static void a_constraint_leaves_the_transaction_usable(void **state)
{
	(void) state;
	struct store *w = opened(STORE_WRITE);
	assert_int_equal(store_begin(w), 0);
	assert_int_equal(add(w, 1), 0);
	assert_int_equal(add(w, -1), STORE_E_CONSTRAINT);
	assert_int_equal(add(w, 3), 0);
	assert_int_equal(store_commit(w), 0);
	assert_int_equal(count_now(w), 2);
	(void) store_close(w);
}

static void a_reader_writes_nothing(void **state)
{
	(void) state;
	struct store *r = NULL;
	assert_int_equal(store_open(&r, path, STORE_READ, &schema), STORE_E_ABSENT);
	struct store *w = opened(STORE_WRITE);
	r = opened(STORE_READ);
	assert_int_equal(store_begin(r), 0);
	assert_true(add(r, 1) < 0);
	assert_true(store_commit(r) < 0);
	assert_false(store_in_tx(r));
	assert_int_equal(count_now(r), 0);
	(void) store_close(r);
	(void) store_close(w);
}

#ifdef TAP_FAULTS
static void every_fault_leaves_all_or_nothing(void **state)
{
	(void) state;
	struct store *w = opened(STORE_WRITE);
	int64_t before = 0;
	static const enum fault_kind kinds[] = { FAULT_GATE, FAULT_STORE_STEP, FAULT_STORE_COMMIT };
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++) {
		bool fired = true;
		for (int n = 1; fired; n++) {
			fault_arm(kinds[k], n, false);
			int r = store_begin(w);
			if (r == 0) {
				for (int i = 0; i < 3; i++)
					(void) add(w, i); /* a caller that forgets to look cannot commit a half */
				r = store_commit(w);
			}
			fired = fault_disarm(kinds[k]);
			assert_int_equal(r < 0, fired);
			assert_false(store_in_tx(w));
			int64_t now = count_now(w);
			assert_int_equal(now, before + (r == 0 ? 3 : 0));
			before = now;
		}
	}
	(void) store_close(w);
}
#endif

static void migrations_go_up_down_up_on_a_filled_file(void **state)
{
	(void) state;
	struct store *s = NULL;
	assert_int_equal(store_open(&s, path, STORE_WRITE, &first), 0);
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(add(s, 7), 0);
	assert_int_equal(store_commit(s), 0);
	(void) store_close(s);
	struct store *r = NULL;
	assert_int_equal(store_open(&r, path, STORE_READ, &schema), -EPROTO); /* a reader migrates nothing */
	s = opened(STORE_WRITE);
	assert_int_equal(store_version(s), 2);
	assert_int_equal(count_now(s), 1);
	assert_int_equal(store_migrate(s, 1), 0);
	assert_int_equal(store_version(s), 1);
	assert_int_equal(store_migrate(s, 2), 0);
	assert_int_equal(store_migrate(s, 3), STORE_E_ABSENT);
	assert_int_equal(count_now(s), 1);
	(void) store_close(s);
	assert_int_equal(store_open(&s, path, STORE_WRITE, &first), STORE_E_NEWER);
	assert_int_equal(store_open(&s, path, STORE_READ, &first), STORE_E_NEWER);
	assert_int_equal(store_open(&s, path, STORE_READ, &other), -EBADMSG);
	assert_int_equal(store_open(&s, path, STORE_WRITE, &other), -EBADMSG);
}

static void the_wal_is_moved_when_long_and_by_its_checkpointer_only(void **state)
{
	(void) state;
	struct store *w = opened(STORE_WRITE), *v = opened(STORE_WRITE);
	struct store_stats stats;
	assert_true(store_checkpointer(w));
	assert_false(store_checkpointer(v));
	for (int i = 0; i < 30; i++) {
		assert_int_equal(store_begin(w), 0);
		assert_int_equal(add(w, i), 0);
		assert_int_equal(store_commit(w), 0);
	}
	assert_int_equal(store_checkpoint(v, 20), 0);
	store_stats(v, &stats);
	assert_int_equal(stats.checkpoints, 0);
	assert_int_equal(store_checkpoint(w, 1000), 0);
	store_stats(w, &stats);
	assert_int_equal(stats.checkpoints, 0);
	assert_int_equal(store_checkpoint(w, 20), 0);
	store_stats(w, &stats);
	assert_int_equal(stats.checkpoints, 1);
	assert_int_equal(stats.commits, 30);
	assert_int_equal(store_checkpoint(w, 20), 0);
	store_stats(w, &stats);
	assert_int_equal(stats.checkpoints, 1);
	(void) store_close(w);
	assert_true(store_checkpointer(v));
	(void) store_close(v);
}

static void a_reader_cannot_make_the_wal_grow_for_ever(void **state)
{
	(void) state;
	struct store *w = opened(STORE_WRITE), *r = opened(STORE_READ);
	assert_true(store_checkpointer(w));
	assert_int_equal(store_begin(r), 0);
	assert_int_equal(count(r), 0);
	for (int i = 0; i < 200; i++) {
		assert_int_equal(store_begin(w), 0);
		assert_int_equal(add(w, i), 0);
		assert_int_equal(store_commit(w), 0);
		assert_int_equal(store_checkpoint(w, 10), 0);
	}
	assert_true(store_wal_bytes(w) > 200 * 4096);
	store_rollback(r);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(store_begin(w), 0);
		assert_int_equal(add(w, i), 0);
		assert_int_equal(store_commit(w), 0);
		assert_int_equal(store_checkpoint(w, 10), 0);
	}
	int64_t long_once = store_wal_bytes(w);
	for (int i = 0; i < 200; i++) {
		assert_int_equal(store_begin(w), 0);
		assert_int_equal(add(w, i), 0);
		assert_int_equal(store_commit(w), 0);
		assert_int_equal(store_checkpoint(w, 10), 0);
	}
	assert_true(store_wal_bytes(w) <= long_once); /* it is used again from its start */
	(void) store_close(r);
	(void) store_close(w);
}

static void a_copy_is_whole_and_passes_its_check(void **state)
{
	(void) state;
	struct store *w = opened(STORE_WRITE), *c = NULL;
	char copy[160], text[64];
	(void) snprintf(copy, sizeof copy, "%s/copy.db", dir);
	assert_int_equal(store_begin(w), 0);
	for (int i = 0; i < 1000; i++)
		assert_int_equal(add(w, i), 0);
	assert_int_equal(store_commit(w), 0);
	assert_int_equal(store_copy_to(w, copy), 0);
	assert_true(store_copy_to(w, copy) < 0); /* never over a file that is there */
	assert_int_equal(store_open(&c, copy, STORE_READ, &schema), 0);
	assert_int_equal(count_now(c), 1000);
	assert_int_equal(store_check(c, true, text, sizeof text), 0);
	assert_string_equal(text, "ok");
	(void) store_close(c);
	struct stat st;
	char wal[160];
	(void) snprintf(wal, sizeof wal, "%s-wal", path);
	assert_int_equal(stat(wal, &st), 0);
	assert_int_equal(store_close_whole(w), 0);
	assert_int_equal(stat(wal, &st), -1);
	w = opened(STORE_READ);
	assert_int_equal(count_now(w), 1000);
	(void) store_close(w);
}

struct passed {
	int64_t read, written;
};

static void note_passed(void *u, int64_t bytes, bool written)
{
	struct passed *p = u;
	*(written ? &p->written : &p->read) += bytes;
}

/* Rows of a page each, so that the file is longer than what is kept in memory of it. */
static void fill_pages(struct store *s, int n)
{
	static char page[4000];
	assert_int_equal(store_begin(s), 0);
	assert_int_equal(store_script(s, "CREATE TABLE pages(id INTEGER PRIMARY KEY, page BLOB NOT NULL)"), 0);
	for (int i = 0; i < n; i++) {
		struct stmt *st = store_stmt(s, "INSERT INTO pages(page) VALUES (?1)");
		stmt_blob(st, 1, page, sizeof page);
		assert_int_equal(stmt_run(st), 0);
	}
	assert_int_equal(store_commit(s), 0);
}

/* But for its first pages, which say what it is. */
static bool is_once(int64_t bytes, int64_t size)
{
	return bytes > size - 65536 && bytes < size + 65536;
}

static void a_scratch_file_is_written_once_and_every_piece_is_told(void **state)
{
	(void) state;
	static struct passed p;
	struct stat st;
	char copy[160], wal[160], text[64];
	(void) snprintf(copy, sizeof copy, "%s/copy.db", dir);
	(void) snprintf(wal, sizeof wal, "%s-wal", path);
	store_pace(note_passed, &p);
	struct store *w = opened(STORE_WRITE);
	assert_int_equal(store_scratch(w), 0);
	assert_int_equal(stat(wal, &st), -1);
	p = (struct passed){ 0 };
	fill_pages(w, 10000);
	assert_int_equal(stat(wal, &st), -1);
	assert_int_equal(stat(path, &st), 0);
	assert_true(st.st_size > 40000000);
	assert_true(is_once(p.written, st.st_size));
	assert_int_equal(store_close_whole(w), 0);

	w = opened(STORE_READ);
	p = (struct passed){ 0 };
	assert_int_equal(store_check(w, false, text, sizeof text), 0);
	assert_true(p.read > st.st_size - 65536 && p.written == 0);
	p = (struct passed){ 0 };
	assert_int_equal(store_copy_to(w, copy), 0);
	assert_int_equal(stat(copy, &st), 0);
	assert_true(is_once(p.written, st.st_size));
	(void) store_close(w);

	store_pace(NULL, NULL);
	p = (struct passed){ 0 };
	w = opened(STORE_WRITE); /* a book as any again */
	assert_int_equal(store_begin(w), 0);
	assert_int_equal(add(w, 1), 0);
	assert_int_equal(store_commit(w), 0);
	assert_int_equal(stat(wal, &st), 0);
	assert_int_equal(p.read + p.written, 0);
	(void) store_close(w);
}

static void the_epoch_is_one_number_for_all(void **state)
{
	(void) state;
	struct gate *a = NULL, *b = NULL;
	int64_t x, y;
	assert_int_equal(gate_open(&a, dir), 0);
	assert_int_equal(gate_open(&b, dir), 0);
	assert_int_equal(gate_epoch(a, &x), 0);
	assert_int_equal(x, 0);
	assert_int_equal(gate_enter(a), 0);
	assert_int_equal(gate_enter(a), 0);
	assert_int_equal(gate_epoch_raise(a), 0);
	gate_leave(a);
	assert_true(gate_held(a));
	gate_leave(a);
	assert_false(gate_held(a));
	assert_int_equal(gate_epoch(b, &y), 0);
	assert_int_equal(y, 1);
	(void) gate_close(a);
	(void) gate_close(b);
}

/* Two processes that never pause: who has waited goes first, so between two turns of one the other has at most a few. */
static void a_busy_writer_lets_the_other_pass(void **state)
{
	(void) state;
	enum { TURNS = 400 };
	int out[2], go[2];
	assert_int_equal(pipe(out), 0);
	assert_int_equal(pipe(go), 0);
	pid_t child[2];
	for (int c = 0; c < 2; c++) {
		child[c] = fork();
		assert_true(child[c] >= 0);
		if (child[c] > 0)
			continue;
		struct gate *g;
		char name = (char) ('a' + c), start;
		if (gate_open(&g, dir) < 0 || read(go[0], &start, 1) != 1)
			_exit(1);
		for (int i = 0; i < TURNS; i++) {
			if (gate_enter(g) < 0 || write(out[1], &name, 1) != 1)
				_exit(1);
			usleep(200); /* longer inside than outside */
			gate_leave(g);
		}
		_exit(0);
	}
	assert_int_equal(write(go[1], "gg", 2), 2);
	char turns[2 * TURNS];
	size_t n = 0;
	(void) close(out[1]);
	for (ssize_t got; n < sizeof turns && (got = read(out[0], turns + n, sizeof turns - n)) > 0;)
		n += (size_t) got;
	for (int c = 0; c < 2; c++) {
		int status;
		assert_int_equal(waitpid(child[c], &status, 0), child[c]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(n, sizeof turns);
	(void) close(out[0]);
	(void) close(go[0]);
	(void) close(go[1]);
	/* While both still have turns to take, count how often the gate changes hands. */
	size_t first_done[2] = { 0, 0 }, seen[2] = { 0, 0 }, changes = 0, until = 0;
	for (size_t i = 0; i < n; i++)
		if (++seen[turns[i] - 'a'] == TURNS)
			first_done[turns[i] - 'a'] = i;
	until = first_done[0] < first_done[1] ? first_done[0] : first_done[1];
	for (size_t i = 1; i <= until; i++)
		changes += turns[i] != turns[i - 1];
	assert_true(changes * 2 > until);
}

static void two_processes_lose_no_commit(void **state)
{
	(void) state;
	enum { EACH = 150 };
	(void) store_close(opened(STORE_WRITE));
	pid_t child[2];
	for (int c = 0; c < 2; c++) {
		child[c] = fork();
		assert_true(child[c] >= 0);
		if (child[c] > 0)
			continue;
		struct store *s;
		if (store_open(&s, path, STORE_WRITE, &schema) != 0)
			_exit(1);
		(void) store_checkpointer(s);
		for (int i = 0; i < EACH; i++)
			if (store_begin(s) != 0 || add(s, i) != 0 || store_commit(s) != 0 || store_checkpoint(s, 8) != 0)
				_exit(2);
		_exit(0);
	}
	for (int c = 0; c < 2; c++) {
		int status;
		assert_int_equal(waitpid(child[c], &status, 0), child[c]);
		assert_int_equal(status, 0);
	}
	struct store *s = opened(STORE_READ);
	assert_int_equal(count_now(s), 2 * EACH);
	(void) store_close(s);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(a_commit_is_seen_and_a_rollback_is_not),
		CASE(a_constraint_leaves_the_transaction_usable),
		CASE(a_reader_writes_nothing),
#ifdef TAP_FAULTS
		CASE(every_fault_leaves_all_or_nothing),
#endif
		CASE(migrations_go_up_down_up_on_a_filled_file),
		CASE(the_wal_is_moved_when_long_and_by_its_checkpointer_only),
		CASE(a_reader_cannot_make_the_wal_grow_for_ever),
		CASE(a_copy_is_whole_and_passes_its_check),
		CASE(a_scratch_file_is_written_once_and_every_piece_is_told),
		CASE(the_epoch_is_one_number_for_all),
		CASE(a_busy_writer_lets_the_other_pass),
		CASE(two_processes_lose_no_commit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
