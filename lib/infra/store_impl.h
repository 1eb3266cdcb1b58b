/* store_impl.h - what the files of the store share. Private to store*.c. */
#ifndef TAP_STORE_IMPL_H
#define TAP_STORE_IMPL_H

#include <sqlite3.h>

#include "store.h"

enum {
	STMTS_MAX = 256,           /* slots of the statement cache; at most three quarters are used */
	RECOVERY_WAIT_MS = 5000,   /* another process replays the WAL after a crash: the one time SQLite's own lock is waited for */
	BETWEEN_STEPS = 500,       /* of SQLite's machine, some dozen rows: a quarter of a millisecond or so */
	READERS_WAIT_MS = 50,      /* a checkpoint waits so long for readers that hold the WAL's start */
	READERS_WAIT_EACH_MS = 5000,
	WAL_GROWN_TIMES = 8,
	WAL_KEPT_BYTES = 64 << 20, /* a WAL that once grew longer is cut when it starts again */
	CACHE_KIB = 32768,         /* a batch never spills its dirty pages before the commit */
	PAGE_BYTES = 4096,
	WAL_FRAME_BYTES = PAGE_BYTES + 24
};

struct stmt {
	struct store *store;
	const char *sql; /* the literal: its address is the key */
	sqlite3_stmt *h; /* NULL: could not be prepared, see failed */
	int failed;
	int unbound;     /* first failed bind of this use */
};

struct store {
	sqlite3 *db;
	struct gate *gate;
	bool gate_owned;
	enum store_mode mode;
	const struct store_schema *schema;
	char *path;
	bool in_tx;
	int doomed;      /* the first failure of this transaction: it cannot commit */
	sqlite3_stmt *begin, *commit, *rollback;
	struct stmt stmts[STMTS_MAX];
	unsigned stmts_used;
	struct store_attendant attendant;
	int (*between)(void *u);
	void *between_u;
	int wal_frames;  /* in the WAL after our newest commit */
	int wal_seen;    /* of these, what the newest checkpoint went through */
	int64_t looked_ms, readers_waited_ms;
	struct store_stats stats;
};

/* The errno for an SQLite result, with SQLite's words kept for err_text(). */
int store_fail(struct store *s, int rc, const char *what);
/* What a statement answers instead of running: SQLITE_OK wherever no fault is armed. */
int store_fault(void);
/* Notes how a binding went: the step answers it. */
void stmt_bound(struct stmt *st, int rc);
int store_add_given(sqlite3 *db);
int store_exec(struct store *s, const char *sql);
/* First column of the first row of a pragma or the like. */
int store_query_int(struct store *s, const char *sql, int64_t *ret);
/* A WRITE store's file is brought to the schema's newest version; a READ store's is looked at. */
int store_migrate_on_open(struct store *s);
int store_newest_version(const struct store_schema *schema);

/* The VFS that a store of this thread is opened with; NULL: SQLite's own. */
const char *store_vfs(void);

/* The checkpointer's lock lies in the gate's file too. */
bool gate_try_checkpointer(struct gate *g);
void gate_leave_checkpointer(struct gate *g);
bool gate_is_checkpointer(const struct gate *g);
/* Microseconds the last gate_enter waited. */
int64_t gate_waited_us(const struct gate *g);
void store_dir_of(char *out, size_t size, const char *path);

#endif
