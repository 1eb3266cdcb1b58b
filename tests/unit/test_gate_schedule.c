/* The schedule that loses commits on SQLite up to 3.51.2, and what the gate makes of it.
 * A checkpointer has looked at the WAL's header and pauses. Meanwhile another connection commits: all frames were in the file, so
 * it begins the WAL anew. The checkpointer, with the old header in hand, then notes the old number of frames as moved; when as
 * many new ones have come, readers and the next reset take them for moved, too, and they are gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>
#include <cmocka.h>

#include "../support/folder.h"
#include "clk.h"
#include "shim_vfs.h"
#include "store.h"

enum { FILL = 40, BLOCKED_MS = 200 };

static const struct store_schema schema = { 0x5454, (const struct store_migration[]){
	{ 1, "CREATE TABLE t(id INTEGER PRIMARY KEY, v INTEGER NOT NULL) STRICT", "DROP TABLE t" }, { 0, NULL, NULL } } };

static char dir[64], path[128];

static int set_up(void **state)
{
	(void) state;
	(void) snprintf(dir, sizeof dir, "/tmp/tap-gate-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	(void) snprintf(path, sizeof path, "%s/one.db", dir);
	shim_install();
	return 0;
}

static int tear_down(void **state)
{
	(void) state;
	shim_hooks = (struct shim_hooks){ NULL, NULL };
	shim_remove();
	return folder_remove(dir);
}

static void sql(sqlite3 *db, const char *text)
{
	int rc = sqlite3_exec(db, text, NULL, NULL, NULL);
	if (rc != SQLITE_OK)
		print_message("%s: %s\n", text, sqlite3_errmsg(db));
	assert_int_equal(rc, SQLITE_OK);
}

static int count_raw(sqlite3 *db)
{
	sqlite3_stmt *st;
	assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM t", -1, &st, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(st), SQLITE_ROW);
	int n = sqlite3_column_int(st, 0);
	(void) sqlite3_finalize(st);
	return n;
}

static sqlite3 *open_raw(void)
{
	sqlite3 *db;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	sql(db, "PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; PRAGMA synchronous=FULL;"
			" CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, v INTEGER NOT NULL) STRICT");
	return db;
}

static sqlite3 *raw_writer;
static int committed;

static void commit_inside(void)
{
	shim_hooks.in_checkpoint = NULL;
	sql(raw_writer, "INSERT INTO t(v) VALUES (1)");
	committed++;
}

/* Without the gate: what is lost on this machine's SQLite, so that the next test is known to test something. */
static void without_the_gate_commits_are_lost(void **state)
{
	(void) state;
	sqlite3 *checkpointer = open_raw();
	raw_writer = open_raw();
	committed = 0;
	(void) count_raw(checkpointer);
	for (int i = 0; i < FILL; i++, committed++)
		sql(raw_writer, "INSERT INTO t(v) VALUES (1)");
	/* All frames are moved, by a third hand, so that the checkpointer's own view of the header is an old one. */
	assert_int_equal(sqlite3_wal_checkpoint_v2(raw_writer, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL), SQLITE_OK);
	shim_hooks.in_checkpoint = commit_inside;
	assert_int_equal(sqlite3_wal_checkpoint_v2(checkpointer, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL), SQLITE_OK);
	assert_null(shim_hooks.in_checkpoint);
	/* As many commits as the old header counted: now the WAL seems moved. The next writer, who has none of it in its cache,
	 * begins it anew. */
	for (int i = 0; i < FILL + 1; i++, committed++)
		sql(raw_writer, "INSERT INTO t(v) VALUES (1)");
	assert_int_equal(sqlite3_close(raw_writer), SQLITE_OK);
	raw_writer = open_raw();
	sql(raw_writer, "INSERT INTO t(v) VALUES (1)");
	committed++;
	assert_int_equal(sqlite3_close(raw_writer), SQLITE_OK);
	assert_int_equal(sqlite3_close(checkpointer), SQLITE_OK);
	sqlite3 *after = open_raw();
	int n = count_raw(after);
	assert_int_equal(sqlite3_close(after), SQLITE_OK);
	print_message("SQLite %s without the gate: %d of %d commits are there\n", sqlite3_libversion(), n, committed);
	if (sqlite3_libversion_number() < 3044000) /* later ones may carry the repair */
		assert_true(n < committed);
}

static atomic_int wanted, done_count, done_inside;
static struct store *gated_writer;

static int add(struct store *s)
{
	int r = store_begin(s);
	if (r == 0) {
		struct stmt *st = store_stmt(s, "INSERT INTO t(v) VALUES (?1)");
		stmt_int(st, 1, 1);
		r = stmt_run(st);
	}
	return r == 0 ? store_commit(s) : r;
}

static void *write_when_wanted(void *u)
{
	(void) u;
	while (!atomic_load(&wanted))
		usleep(100);
	intptr_t r = add(gated_writer);
	atomic_fetch_add(&done_count, 1);
	return (void *) r;
}

static void offer_the_moment(void)
{
	shim_hooks.in_checkpoint = NULL;
	atomic_store(&wanted, 1);
	for (int i = 0; i < BLOCKED_MS && atomic_load(&done_count) == 0; i++)
		usleep(1000);
	atomic_store(&done_inside, atomic_load(&done_count));
}

static int64_t count(struct store *s)
{
	assert_int_equal(store_begin(s), 0);
	struct stmt *st = store_stmt(s, "SELECT count(*) FROM t");
	assert_int_equal(stmt_step(st), STMT_ROW);
	int64_t n = stmt_col_int(st, 0);
	store_rollback(s);
	return n;
}

static void with_the_gate_none_is_lost(void **state)
{
	(void) state;
	struct store *checkpointer, *third, *reader;
	pthread_t thread;
	void *result;
	int64_t commits = 0;
	assert_int_equal(store_open(&checkpointer, path, STORE_WRITE, &schema), 0);
	assert_int_equal(store_open(&gated_writer, path, STORE_WRITE, &schema), 0);
	assert_int_equal(store_open(&third, path, STORE_WRITE, &schema), 0);
	assert_int_equal(store_open(&reader, path, STORE_READ, &schema), 0);
	for (int i = 0; i < FILL; i++, commits++)
		assert_int_equal(add(gated_writer), 0);
	assert_true(store_checkpointer(third));
	assert_int_equal(store_checkpoint(third, 1), 0);
	store_checkpointer_leave(third);
	atomic_store(&wanted, 0);
	atomic_store(&done_count, 0);
	atomic_store(&done_inside, 0);
	assert_int_equal(pthread_create(&thread, NULL, write_when_wanted, NULL), 0);
	assert_true(store_checkpointer(checkpointer));
	shim_hooks.in_checkpoint = offer_the_moment;
	assert_int_equal(store_checkpoint(checkpointer, 1), 0);
	assert_int_equal(atomic_load(&wanted), 1);      /* the moment was there */
	assert_int_equal(atomic_load(&done_inside), 0); /* and nobody got in */
	assert_int_equal(pthread_join(thread, &result), 0);
	assert_ptr_equal(result, NULL);
	commits++;
	for (int i = 0; i < 2 * FILL; i++, commits++) {
		assert_int_equal(add(gated_writer), 0);
		assert_int_equal(count(reader), commits + 1);
	}
	(void) store_close(gated_writer);
	(void) store_close(third);
	(void) store_close(checkpointer);
	(void) store_close(reader);
	assert_int_equal(store_open(&reader, path, STORE_READ, &schema), 0);
	assert_int_equal(count(reader), commits);
	(void) store_close(reader);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		CASE(without_the_gate_commits_are_lost),
		CASE(with_the_gate_none_is_lost),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
