/* store.h - SQLite: the write gate, transactions, statements, migrations; the one module that includes sqlite3. Infra floor.
 * A struct store is one connection to one file, owned by one thread.
 * Always true: every write transaction and every checkpoint of every process runs while its store holds the directory's gate
 *   (OFD locks on DIR/gate.lock, waited for in the kernel, a turnstile in front so that a busy writer lets others pass);
 *   readers are read-only connections; no statement runs outside a transaction; after any error the transaction is rolled back:
 *   a transaction in which a statement failed for another reason than a constraint cannot commit.
 * Settings: WAL, synchronous=FULL, wal_autocheckpoint=0, no checkpoint on close, mmap off, page size 4096, foreign keys on,
 *   DEFENSIVE, trusted_schema off, application_id and user_version checked.
 * Results: 0 done; STORE_E_* expected; <0 fatal for the connection: -EIO and friends; after a failed fsync the daemon must exit
 *   (the pages in memory are no longer what is on disk), systemd starts it again and the WAL recovers. After a <0 from
 *   store_commit it cannot be told whether the transaction will be there after the restart. -ENOSPC from a statement is the
 *   full disk: roll back, nothing was done, room given back heals it. */
#ifndef TAP_STORE_H
#define TAP_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"

struct store;
struct stmt;

enum store_mode { STORE_READ, STORE_WRITE };
enum { STORE_E_CONSTRAINT = 1, STORE_E_FULL, STORE_E_NEWER, STORE_E_ABSENT };

/* The directory's gate. One owner (thread), who may enter again while inside: it is left when each entry was left. Stores that
 * share a struct gate so work under one hold of it. Its epoch is a number in DIR/gate.lock for "look again": it is raised under
 * the gate before a change of which the readers of the number must hear, so that a crash in between costs only a look. */
struct gate;
MUST_CHECK int gate_open(struct gate **ret, const char *dir);
struct gate *gate_close(struct gate *g);
/* Waits in the kernel for as long as the holder takes; a holder that hangs is ended by its watchdog. */
MUST_CHECK int gate_enter(struct gate *g);
void gate_leave(struct gate *g);
bool gate_held(const struct gate *g);
MUST_CHECK int gate_epoch(struct gate *g, int64_t *ret);
MUST_CHECK int gate_epoch_raise(struct gate *g); /* inside the gate */

/* A migration: version n brings n-1 to n with `up` and back with `down`. The table ends with version 0. */
struct store_migration {
	int version;
	const char *up, *down;
};
struct store_schema {
	int32_t application_id;
	const struct store_migration *migrations;
};

/* Opens path (its directory holds the gate). WRITE creates and migrates under the gate; READ answers STORE_E_ABSENT when there
 * is no file, or none that was ever migrated, and <0 for one of an older version. STORE_E_NEWER: the file's version is above
 * the program's. */
MUST_CHECK int store_open(struct store **ret, const char *path, enum store_mode mode, const struct store_schema *schema);
/* The same with a gate that is borrowed and outlives the store. */
MUST_CHECK int store_open_in(struct store **ret, struct gate *gate, const char *path, enum store_mode mode,
		const struct store_schema *schema);
/* Rolls back what is open. */
struct store *store_close(struct store *s);
/* The same, after moving the whole WAL into the file and removing it: the file stands alone, ready to be renamed. WRITE. */
MUST_CHECK int store_close_whole(struct store *s);
const char *store_path(const struct store *s);
/* user_version, or <0. */
int store_version(struct store *s);
/* Up or down to `version`, each step a transaction of its own. WRITE, outside a transaction. STORE_E_ABSENT: no such version. */
MUST_CHECK int store_migrate(struct store *s, int version);

/* WRITE stores: waits for the gate, BEGIN IMMEDIATE. READ stores: BEGIN, one snapshot. STORE_E_FULL possible. */
MUST_CHECK int store_begin(struct store *s);
/* 0: on disk (synchronous=FULL) and the gate is free. STORE_E_FULL: disk full, rolled back. */
MUST_CHECK int store_commit(struct store *s);
/* Always leaves no transaction and no gate behind; harmless without one. */
void store_rollback(struct store *s);
bool store_in_tx(const struct store *s);

/* What a service keeps beside each transaction of a store: before_commit may run statements and refuse (<0, the commit fails);
 * ended is told how the transaction went; gone is called by store_close. One for each store, set once. */
struct store_attendant {
	int (*before_commit)(void *u, struct store *s);
	void (*ended)(void *u, bool committed);
	void (*gone)(void *u);
	void *u;
};
void store_attend(struct store *s, const struct store_attendant *a);
/* Its u, NULL while there is none. */
void *store_attended(const struct store *s);

/* A prepared statement from the store's cache, keyed by the literal's address: sql must be a string literal. Reset and
 * unbound; a statement that is being stepped through cannot be asked for again (CHECK). Only inside a transaction. On a
 * statement that cannot be prepared (a bug or a lost file) the error is kept and stmt_step answers it. */
struct stmt *store_stmt(struct store *s, const char *sql);
void stmt_int(struct stmt *st, int at, int64_t v);      /* at: 1 .. n */
void stmt_blob(struct stmt *st, int at, const void *p, size_t n); /* borrowed until the step */
void stmt_text(struct stmt *st, int at, const char *text, size_t n); /* borrowed */
void stmt_null(struct stmt *st, int at);
/* Rows in the caller's memory, which the statement reads as the table given(?at), its columns named a .. f and text (NULL without
 * texts): so a range of rows is written by one statement. Borrowed until the step. */
enum { STORE_GIVEN_INTS = 6, STORE_GIVEN_TEXT = 26 };
struct store_given {
	size_t n;
	const int64_t (*ints)[STORE_GIVEN_INTS];
	const char (*texts)[STORE_GIVEN_TEXT + 1];
};
void stmt_given(struct stmt *st, int at, const struct store_given *rows);
/* 1: a row; 0: done (and reset); <0: failed (and reset). A constraint is -EEXIST here, a full disk -ENOSPC. */
enum { STMT_ROW = 1, STMT_DONE = 0 };
MUST_CHECK int stmt_step(struct stmt *st);
/* Steps once expecting no row: 0, STORE_E_CONSTRAINT (the statement undone, the transaction lives), or <0. */
MUST_CHECK int stmt_run(struct stmt *st);
/* Ends a walk before its last row. */
void stmt_reset(struct stmt *st);
int64_t stmt_col_int(struct stmt *st, int col);         /* col: 0 .. */
bool stmt_col_null(struct stmt *st, int col);
enum stmt_type { STMT_INT, STMT_TEXT, STMT_BLOB, STMT_NULL, STMT_REAL };
enum stmt_type stmt_col_type(struct stmt *st, int col);
/* Live until the next step or reset. */
const void *stmt_col_blob(struct stmt *st, int col, size_t *ret_n);
const char *stmt_col_text(struct stmt *st, int col, size_t *ret_n);
int64_t store_last_rowid(struct store *s);
int64_t store_changes(struct store *s); /* rows that the last statement changed */
int64_t store_writes(struct store *s);  /* rows that this connection changed so far: grows with every write */

/* Statements that are run once (DDL), inside a transaction: 0, STORE_E_CONSTRAINT or <0. */
MUST_CHECK int store_script(struct store *s, const char *sql);

/* Whole tables, by name, inside a transaction: every row as it stands, in the order in which it lies. cb: <0 ends it and is answered. */
typedef int store_row_cb(void *u, struct stmt *row, int columns);
/* Every table of the file, by rising names: its name, and the statement that made it. */
MUST_CHECK int store_tables(struct store *s, store_row_cb *cb, void *u);
MUST_CHECK int store_rows(struct store *s, const char *table, store_row_cb *cb, void *u);
/* Into the table of that name of another store, which has these columns. cb (may be NULL) sees each row after it was written. */
MUST_CHECK int store_copy_rows(struct store *from, struct store *to, const char *table, store_row_cb *cb, void *u);

/* Moves the WAL into the file when it holds at least `pages` pages, under the gate. Any result but <0 is fine. Only who holds
 * the checkpointer's lock (store_checkpointer) does it: the api, or the resolver while the api is down. When readers kept the
 * WAL growing to 8 times `pages`, they are waited for, at most 50 ms, at most each 5 s. Outside a transaction. */
MUST_CHECK int store_checkpoint(struct store *s, int64_t pages);
/* Tries to become the checkpointer, and stays it until the close or store_checkpointer_leave. True: it is. */
bool store_checkpointer(struct store *s);
void store_checkpointer_leave(struct store *s);
int64_t store_wal_bytes(const struct store *s);

/* For the gauges: counted since the open. */
struct store_stats {
	uint64_t commits, checkpoints;
	int64_t gate_wait_us, gate_wait_max_us, commit_us, commit_max_us, checkpoint_us, checkpoint_max_us;
};
void store_stats(const struct store *s, struct store_stats *ret);
int64_t store_memory_bytes(void); /* of all stores of the process: pages that are cached, above all */

/* From now on nothing of this connection is synced: for a file that is made aside, and synced whole (store_sync, its WAL too) before it
 * is given its name. Outside a transaction. */
MUST_CHECK int store_unsynced(struct store *s);
/* The same for a file that is lost anyway when its making fails: no WAL either, each page is written once or little more, and a
 * transaction may be of any length. It is a file by itself, which no other connection may open before the close; its pages are
 * on disk after store_sync. */
MUST_CHECK int store_scratch(struct store *s);
/* The gate alone, for what is no transaction (renaming a week's file in). */
MUST_CHECK int store_gate_enter(struct store *s);
void store_gate_leave(struct store *s);

/* From now on, until it is NULL: cb is told of every piece that a store which this thread opens reads or writes, once it is done, and may
 * sleep there. So what runs long (a copy, a check, a commit of much) takes only as much of processor and disk as it is given.
 * The stores are closed before cb changes, and are this thread's alone. */
typedef void store_pace_cb(void *u, int64_t bytes, bool written);
void store_pace(store_pace_cb *cb, void *u);

/* Asked often while a long statement or store_copy_to runs, on its thread: <0 ends it, which then answers -ECANCELED. NULL: nobody. */
void store_between(struct store *s, int (*cb)(void *u), void *u);
/* Copies the whole content, compacted, to a new file (VACUUM INTO) and syncs it; then the caller verifies it. Outside a
 * transaction; holds no writer. STORE_E_FULL: no room. */
MUST_CHECK int store_copy_to(struct store *s, const char *path);
/* fsync of a file or a directory. */
MUST_CHECK int store_sync(const char *path);
/* PRAGMA quick_check / integrity_check: 0 ok, 1 not, with the first finding in text. Outside a transaction. */
MUST_CHECK int store_check(struct store *s, bool full, char *text, size_t size);

#endif
