/* store.h - SQLite: the write gate, transactions, statements, migrations; the one module that includes sqlite3. Infra floor.
 * A struct store is one connection to one file, owned by one thread.
 * Always true: every write transaction and every checkpoint of every process runs while its store holds the directory's gate
 *   (OFD locks on DIR/gate.lock, waited for in the kernel, a turnstile in front so that a busy writer lets others pass);
 *   readers are read-only connections; no statement runs outside a transaction; after any error the transaction is rolled back.
 * Settings: WAL, synchronous=FULL, wal_autocheckpoint=0, no checkpoint on close, mmap off, page size 4096, foreign keys on,
 *   DEFENSIVE, trusted_schema off, application_id and user_version checked.
 * Results: 0 done; STORE_E_* expected; <0 fatal for the connection: -EIO and friends; after a failed fsync the daemon must exit
 *   (the pages in memory are no longer what is on disk), systemd starts it again and the WAL recovers. */
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
 * is no file. STORE_E_NEWER: the file's version is above the program's. */
MUST_CHECK int store_open(struct store **ret, const char *path, enum store_mode mode, const struct store_schema *schema);
struct store *store_close(struct store *s);
const char *store_path(const struct store *s);
int store_version(struct store *s);

/* WRITE stores: waits for the gate, BEGIN IMMEDIATE. READ stores: BEGIN, one snapshot. */
MUST_CHECK int store_begin(struct store *s);
/* 0: on disk (synchronous=FULL) and the gate is free. STORE_E_FULL: disk full, rolled back. */
MUST_CHECK int store_commit(struct store *s);
/* Always leaves no transaction and no gate behind; harmless without one. */
void store_rollback(struct store *s);
bool store_in_tx(const struct store *s);

/* A prepared statement from the store's cache, keyed by the literal's address: sql must be a string literal. Reset and
 * unbound. Only inside a transaction. On a statement that cannot be prepared (a bug or a lost file) the error is kept and
 * stmt_step answers it. */
struct stmt *store_stmt(struct store *s, const char *sql);
void stmt_int(struct stmt *st, int at, int64_t v);      /* at: 1 .. n */
void stmt_blob(struct stmt *st, int at, const void *p, size_t n); /* borrowed until the step */
void stmt_text(struct stmt *st, int at, const char *text, size_t n); /* borrowed */
void stmt_null(struct stmt *st, int at);
/* 1: a row; 0: done (and reset); STORE results are negative here: -STORE_E_CONSTRAINT is told by stmt_constraint(). */
enum { STMT_ROW = 1, STMT_DONE = 0 };
MUST_CHECK int stmt_step(struct stmt *st);
/* Steps once expecting no row: 0, STORE_E_CONSTRAINT, STORE_E_FULL, or <0. */
MUST_CHECK int stmt_run(struct stmt *st);
void stmt_reset(struct stmt *st);
int64_t stmt_col_int(struct stmt *st, int col);         /* col: 0 .. */
bool stmt_col_null(struct stmt *st, int col);
/* Live until the next step or reset. */
const void *stmt_col_blob(struct stmt *st, int col, size_t *ret_n);
const char *stmt_col_text(struct stmt *st, int col, size_t *ret_n);
int64_t store_last_rowid(struct store *s);
int64_t store_changes(struct store *s);

/* Moves the WAL into the file when it holds at least `pages` pages, under the gate. Any result but <0 is fine. Only who holds
 * the checkpointer's lock (store_checkpointer) does it: the api, or the resolver while the api is down. */
MUST_CHECK int store_checkpoint(struct store *s, int64_t pages);
bool store_checkpointer(struct store *s);
int64_t store_wal_bytes(const struct store *s);

/* For the gauges: counted since the open. */
struct store_stats {
	uint64_t commits, checkpoints;
	int64_t gate_wait_us, gate_wait_max_us, commit_us, commit_max_us, checkpoint_us, checkpoint_max_us;
};
void store_stats(const struct store *s, struct store_stats *ret);

/* The gate alone, for what is no transaction (renaming a week's file in). */
MUST_CHECK int store_gate_enter(struct store *s);
void store_gate_leave(struct store *s);

/* Copies the whole content, compacted, to a new file (VACUUM INTO); then the caller verifies it. Outside a transaction. */
MUST_CHECK int store_copy_to(struct store *s, const char *path);
/* PRAGMA quick_check / integrity_check: 0 ok, 1 not, with the first finding in text. */
MUST_CHECK int store_check(struct store *s, bool full, char *text, size_t size);

#endif
