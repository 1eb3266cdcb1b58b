/* A connection, and its transactions. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "clk.h"
#include "err.h"
#include "fault.h"
#include "store_impl.h"

static bool disk_is_full(struct store *s, int rc)
{
	if ((rc & 0xff) == SQLITE_FULL)
		return true;
	/* The shared memory beside the WAL lies on the same disk. A sync that fails is never "full": what it left is unknown. */
	if ((rc & 0xff) != SQLITE_IOERR || rc == SQLITE_IOERR_FSYNC || rc == SQLITE_IOERR_DIR_FSYNC)
		return false;
	int e = sqlite3_system_errno(s->db);
	return e == ENOSPC || e == EDQUOT;
}

static int errno_of(struct store *s, int rc)
{
	if (disk_is_full(s, rc))
		return -ENOSPC;
	switch (rc & 0xff) {
	case SQLITE_CONSTRAINT:
		return -EEXIST;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_INTERRUPT:
		return -ECANCELED;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_CORRUPT:
	case SQLITE_NOTADB:
		return -EBADMSG;
	default:
		return -EIO;
	}
}

int store_fail(struct store *s, int rc, const char *what)
{
	int r = errno_of(s, rc);
	return err_say(r, "%s: %s: %s (SQLite %d)", s->path, what, sqlite3_errmsg(s->db), rc);
}

int store_exec(struct store *s, const char *sql)
{
	int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
	return rc == SQLITE_OK ? 0 : store_fail(s, rc, sql);
}

int store_query_int(struct store *s, const char *sql, int64_t *ret)
{
	sqlite3_stmt *h = NULL;
	int rc = sqlite3_prepare_v2(s->db, sql, -1, &h, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(h);
	if (rc == SQLITE_ROW)
		*ret = sqlite3_column_int64(h, 0);
	int r = rc == SQLITE_ROW ? 0 : store_fail(s, rc, sql);
	(void) sqlite3_finalize(h);
	return r;
}

void store_dir_of(char *out, size_t size, const char *path)
{
	const char *slash = strrchr(path, '/');
	(void) snprintf(out, size, "%.*s", slash ? (int) (slash - path) : 1, slash ? path : ".");
}

int store_sync(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_say(-errno, "%s: %s", path, strerror(errno));
	int r = fsync(fd) < 0 ? err_say(-errno, "%s: fsync: %s", path, strerror(errno)) : 0;
	(void) close(fd);
	return r;
}

static int note_wal(void *u, sqlite3 *db, const char *name, int frames)
{
	(void) db, (void) name;
	struct store *s = u;
	s->wal_frames = frames;
	if (frames < s->wal_seen) /* the WAL began anew */
		s->wal_seen = 0;
	return SQLITE_OK;
}

static int set_up(struct store *s)
{
	static const struct { int what, value; } settings[] = {
		{ SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1 }, { SQLITE_DBCONFIG_DEFENSIVE, 1 },
		{ SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0 }, { SQLITE_DBCONFIG_ENABLE_FKEY, 1 },
		{ SQLITE_DBCONFIG_DQS_DDL, 0 }, { SQLITE_DBCONFIG_DQS_DML, 0 },
		{ SQLITE_DBCONFIG_ENABLE_QPSG, 1 }, /* a bound value never makes a statement be prepared again */
	};
	(void) sqlite3_extended_result_codes(s->db, 1);
	(void) sqlite3_busy_timeout(s->db, RECOVERY_WAIT_MS);
	for (size_t i = 0; i < ARRAY_LEN(settings); i++) {
		int rc = sqlite3_db_config(s->db, settings[i].what, settings[i].value, NULL);
		if (rc != SQLITE_OK)
			return store_fail(s, rc, "db_config");
	}
	int rc = store_add_given(s->db);
	if (rc != SQLITE_OK)
		return store_fail(s, rc, "given");
	/* Without recursive_triggers a REPLACE would delete a row past the trigger that forbids it. */
	char sql[256];
	(void) snprintf(sql, sizeof sql, "PRAGMA mmap_size=0; PRAGMA cache_size=-%d; PRAGMA temp_store=MEMORY;"
			" PRAGMA recursive_triggers=ON; PRAGMA journal_size_limit=%d;", CACHE_KIB, WAL_KEPT_BYTES);
	int r = store_exec(s, sql);
	if (r < 0 || s->mode == STORE_READ)
		return r < 0 ? r : store_exec(s, "PRAGMA query_only=ON");
	r = store_exec(s, "PRAGMA page_size=4096; PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;");
	(void) sqlite3_wal_hook(s->db, note_wal, s);
	return r;
}

static int prepare_transactions(struct store *s)
{
	const struct { sqlite3_stmt **into; const char *sql; } all[] = {
		{ &s->begin, s->mode == STORE_WRITE ? "BEGIN IMMEDIATE" : "BEGIN" },
		{ &s->commit, "COMMIT" }, { &s->rollback, "ROLLBACK" },
	};
	for (size_t i = 0; i < ARRAY_LEN(all); i++) {
		int rc = sqlite3_prepare_v3(s->db, all[i].sql, -1, SQLITE_PREPARE_PERSISTENT, all[i].into, NULL);
		if (rc != SQLITE_OK)
			return store_fail(s, rc, all[i].sql);
	}
	return 0;
}

/* The library's own files would be their owner's to write alone; the umask decides, for its WAL too, which takes the file's mode.
 * Only one that is not there yet is opened: to close any other would take this process' locks on it away. */
static void make_file(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0660);
	if (fd >= 0)
		(void) close(fd);
}

static int open_file(struct store *s)
{
	struct stat st;
	if (s->mode == STORE_READ && (stat(s->path, &st) < 0 || st.st_size == 0))
		return STORE_E_ABSENT;
	if (s->mode == STORE_WRITE)
		make_file(s->path);
	int flags = s->mode == STORE_READ ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
	int rc = sqlite3_open_v2(s->path, &s->db, flags | SQLITE_OPEN_NOMUTEX, store_vfs());
	if (rc != SQLITE_OK)
		return s->db ? store_fail(s, rc, "open") : -ENOMEM;
	int r = set_up(s);
	if (r == 0)
		r = store_migrate_on_open(s);
	if (r == 0)
		r = prepare_transactions(s);
	return r;
}

int store_open_in(struct store **ret, struct gate *gate, const char *path, enum store_mode mode,
		const struct store_schema *schema)
{
	struct store *s = calloc(1, sizeof *s);
	if (!s)
		return -ENOMEM;
	*s = (struct store){ .gate = gate, .mode = mode, .schema = schema, .path = strdup(path) };
	if (!s->path) {
		free(s);
		return -ENOMEM;
	}
	/* Creation, recovery and migration write: a WRITE store opens under the gate. */
	int r = mode == STORE_WRITE ? store_gate_enter(s) : 0;
	if (r == 0) {
		r = open_file(s);
		if (mode == STORE_WRITE)
			store_gate_leave(s);
	}
	if (r != 0) {
		(void) store_close(s);
		return err_trace(r);
	}
	*ret = s;
	return 0;
}

int store_open(struct store **ret, const char *path, enum store_mode mode, const struct store_schema *schema)
{
	char dir[512];
	struct gate *gate;
	store_dir_of(dir, sizeof dir, path);
	if (mode == STORE_READ && access(dir, F_OK) < 0)
		return STORE_E_ABSENT;
	int r = gate_open(&gate, dir);
	if (r < 0)
		return err_trace(r);
	r = store_open_in(ret, gate, path, mode, schema);
	if (r != 0) {
		(void) gate_close(gate);
		return r;
	}
	(*ret)->gate_owned = true;
	return 0;
}

struct store *store_close(struct store *s)
{
	if (!s)
		return NULL;
	store_rollback(s);
	if (s->attendant.gone)
		s->attendant.gone(s->attendant.u);
	for (size_t i = 0; i < STMTS_MAX; i++)
		(void) sqlite3_finalize(s->stmts[i].h);
	(void) sqlite3_finalize(s->begin);
	(void) sqlite3_finalize(s->commit);
	(void) sqlite3_finalize(s->rollback);
	CHECK(sqlite3_close(s->db) == SQLITE_OK); /* BUSY would be a statement that was not finalized */
	if (s->gate_owned)
		(void) gate_close(s->gate);
	free(s->path);
	free(s);
	return NULL;
}

int store_close_whole(struct store *s)
{
	CHECK(!s->in_tx && s->mode == STORE_WRITE);
	int r = store_gate_enter(s);
	if (r == 0) {
		int rc = sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
		if (rc == SQLITE_OK) /* nothing is left to move: the close only removes the empty WAL */
			rc = sqlite3_db_config(s->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
		if (rc != SQLITE_OK)
			r = store_fail(s, rc, "checkpoint before the close");
	}
	if (r == 0) {
		struct gate *gate = s->gate; /* an owned one must outlast the hold */
		bool owned = s->gate_owned;
		s->gate_owned = false;
		(void) store_close(s);
		gate_leave(gate);
		if (owned)
			(void) gate_close(gate);
		return 0;
	}
	if (gate_held(s->gate))
		store_gate_leave(s);
	(void) store_close(s);
	return err_trace(r);
}

const char *store_path(const struct store *s)
{
	return s->path;
}

bool store_in_tx(const struct store *s)
{
	return s->in_tx;
}

void store_attend(struct store *s, const struct store_attendant *a)
{
	CHECK(!s->attendant.u);
	s->attendant = *a;
}

void *store_attended(const struct store *s)
{
	return s->attendant.u;
}

static int run_whole(sqlite3_stmt *h)
{
	int rc = sqlite3_step(h);
	(void) sqlite3_reset(h);
	return rc == SQLITE_DONE ? SQLITE_OK : rc;
}

int store_begin(struct store *s)
{
	CHECK(!s->in_tx);
	if (s->mode == STORE_WRITE) {
		int r = store_gate_enter(s);
		if (r < 0)
			return err_trace(r);
	}
	int rc = store_fault();
	if (rc == SQLITE_OK)
		rc = run_whole(s->begin);
	if (rc == SQLITE_OK) {
		s->in_tx = true;
		s->doomed = 0;
		return 0;
	}
	int r = store_fail(s, rc, "BEGIN");
	if (!sqlite3_get_autocommit(s->db))
		(void) run_whole(s->rollback);
	if (s->mode == STORE_WRITE)
		store_gate_leave(s);
	return r == -ENOSPC ? STORE_E_FULL : r;
}

static void reset_walks(struct store *s)
{
	for (size_t i = 0; i < STMTS_MAX; i++)
		if (s->stmts[i].h && sqlite3_stmt_busy(s->stmts[i].h))
			(void) sqlite3_reset(s->stmts[i].h);
}

static void end_transaction(struct store *s, bool committed)
{
	s->in_tx = false;
	if (s->attendant.ended)
		s->attendant.ended(s->attendant.u, committed);
	if (s->mode == STORE_WRITE)
		store_gate_leave(s);
}

static int commit_now(struct store *s)
{
	reset_walks(s);
	if (s->doomed)
		return s->doomed;
	if (fault_hits(FAULT_STORE_COMMIT))
		return err_say(-EIO, "%s: COMMIT: injected fault", s->path);
	int64_t from = clk_mono_us();
	int rc = fault_hits(FAULT_STORE_FULL) ? SQLITE_FULL : run_whole(s->commit);
	if (rc != SQLITE_OK)
		return store_fail(s, rc, "COMMIT");
	int64_t took = clk_mono_us() - from;
	s->stats.commits++;
	s->stats.commit_us += took;
	if (took > s->stats.commit_max_us)
		s->stats.commit_max_us = took;
	return 0;
}

int store_commit(struct store *s)
{
	CHECK(s->in_tx);
	int r = 0;
	if (s->mode == STORE_WRITE && s->attendant.before_commit && !s->doomed)
		r = s->attendant.before_commit(s->attendant.u, s);
	if (r == 0)
		r = commit_now(s);
	if (r == 0) {
		end_transaction(s, true);
		return 0;
	}
	store_rollback(s);
	return r == -ENOSPC ? STORE_E_FULL : err_trace(r);
}

void store_rollback(struct store *s)
{
	if (!s->in_tx)
		return;
	reset_walks(s);
	/* SQLite rolls back by itself after some errors. */
	if (!sqlite3_get_autocommit(s->db))
		(void) run_whole(s->rollback);
	CHECK(sqlite3_get_autocommit(s->db));
	end_transaction(s, false);
}

int store_unsynced(struct store *s)
{
	CHECK(!s->in_tx && s->mode == STORE_WRITE);
	return err_trace(store_exec(s, "PRAGMA synchronous=OFF"));
}

int store_scratch(struct store *s)
{
	CHECK(!s->in_tx && s->mode == STORE_WRITE);
	return err_trace(store_exec(s, "PRAGMA journal_mode=MEMORY; PRAGMA synchronous=OFF"));
}

void store_stats(const struct store *s, struct store_stats *ret)
{
	*ret = s->stats;
}
