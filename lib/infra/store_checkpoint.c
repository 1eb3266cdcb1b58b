/* What keeps the file in shape: checkpoints, copies, checks. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "check.h"
#include "clk.h"
#include "err.h"
#include "store_impl.h"

enum { LOOK_EACH_MS = 1000 };

int64_t store_wal_bytes(const struct store *s)
{
	char path[512];
	struct stat st;
	(void) snprintf(path, sizeof path, "%s-wal", s->path);
	return stat(path, &st) < 0 ? 0 : (int64_t) st.st_size;
}

int64_t store_memory_bytes(void)
{
	return sqlite3_memory_used();
}

bool store_checkpointer(struct store *s)
{
	return gate_try_checkpointer(s->gate);
}

void store_checkpointer_leave(struct store *s)
{
	gate_leave_checkpointer(s->gate);
}

/* Our own commits tell how long the WAL is; those of others are seen by its file, which is as long as it ever was: so that
 * is asked about seldom. */
static bool due(struct store *s, int64_t pages, int64_t now_ms)
{
	if (s->wal_frames - s->wal_seen >= pages)
		return true;
	if (now_ms - s->looked_ms < LOOK_EACH_MS)
		return false;
	s->looked_ms = now_ms;
	return store_wal_bytes(s) >= pages * WAL_FRAME_BYTES;
}

/* *ret_left: frames that readers kept from being moved. They are tried again with the next `pages`, not with each commit. */
static int checkpoint_once(struct store *s, int mode, int *ret_in_wal, int *ret_left)
{
	int in_wal = 0, moved = 0;
	int rc = sqlite3_wal_checkpoint_v2(s->db, NULL, mode, &in_wal, &moved);
	if (rc != SQLITE_OK && rc != SQLITE_BUSY) /* busy: readers are in the way, what could be moved was */
		return store_fail(s, rc, "checkpoint");
	*ret_in_wal = in_wal < 0 ? 0 : in_wal;
	*ret_left = in_wal < 0 ? 0 : in_wal - moved;
	s->wal_frames = s->wal_seen = *ret_in_wal;
	return 0;
}

static int checkpoint_inside(struct store *s, int64_t pages, int64_t now_ms)
{
	int in_wal, left;
	int r = checkpoint_once(s, SQLITE_CHECKPOINT_PASSIVE, &in_wal, &left);
	if (r < 0)
		return r;
	if (in_wal < WAL_GROWN_TIMES * pages || now_ms - s->readers_waited_ms < READERS_WAIT_EACH_MS)
		return 0;
	s->readers_waited_ms = now_ms;
	(void) sqlite3_busy_timeout(s->db, READERS_WAIT_MS);
	r = checkpoint_once(s, SQLITE_CHECKPOINT_TRUNCATE, &in_wal, &left);
	(void) sqlite3_busy_timeout(s->db, RECOVERY_WAIT_MS);
	return r;
}

int store_checkpoint(struct store *s, int64_t pages)
{
	CHECK(!s->in_tx && s->mode == STORE_WRITE);
	int64_t now_ms = clk_mono_ms();
	if (!gate_is_checkpointer(s->gate) || !due(s, pages, now_ms))
		return 0;
	int r = store_gate_enter(s);
	if (r < 0)
		return err_trace(r);
	int64_t from = clk_mono_us();
	r = checkpoint_inside(s, pages, now_ms);
	int64_t took = clk_mono_us() - from;
	store_gate_leave(s);
	s->looked_ms = now_ms;
	s->stats.checkpoints++;
	s->stats.checkpoint_us += took;
	if (took > s->stats.checkpoint_max_us)
		s->stats.checkpoint_max_us = took;
	return r == -ENOSPC ? STORE_E_FULL : err_trace(r);
}

static int ask_between(void *u)
{
	struct store *s = u;
	return s->between(s->between_u) < 0;
}

void store_between(struct store *s, int (*cb)(void *u), void *u)
{
	s->between = cb;
	s->between_u = u;
	sqlite3_progress_handler(s->db, cb ? BETWEEN_STEPS : 0, cb ? ask_between : NULL, s);
}

int store_copy_to(struct store *s, const char *path)
{
	CHECK(!s->in_tx);
	sqlite3_stmt *h = NULL;
	/* query_only would refuse the other file too; the source stays opened read-only. */
	int opened = s->mode == STORE_READ ? store_exec(s, "PRAGMA query_only=OFF") : 0;
	if (opened < 0)
		return err_trace(opened);
	int rc = sqlite3_prepare_v2(s->db, "VACUUM INTO ?1", -1, &h, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(h, 1, path, -1, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(h);
	int r = rc == SQLITE_DONE ? 0 : store_fail(s, rc, "VACUUM INTO");
	(void) sqlite3_finalize(h);
	if (s->mode == STORE_READ) {
		opened = store_exec(s, "PRAGMA query_only=ON");
		if (r == 0)
			r = opened;
	}
	char dir[512];
	store_dir_of(dir, sizeof dir, path);
	if (r == 0)
		r = store_sync(path);
	if (r == 0)
		r = store_sync(dir);
	return r == -ENOSPC ? STORE_E_FULL : err_trace(r);
}

int store_check(struct store *s, bool full, char *text, size_t size)
{
	CHECK(!s->in_tx);
	sqlite3_stmt *h = NULL;
	int rc = sqlite3_prepare_v2(s->db, full ? "PRAGMA integrity_check(1)" : "PRAGMA quick_check(1)", -1, &h, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(h);
	int r;
	if (rc == SQLITE_ROW) {
		const char *found = (const char *) sqlite3_column_text(h, 0);
		(void) snprintf(text, size, "%s", found ? found : "");
		r = found && strcmp(found, "ok") == 0 ? 0 : 1;
	} else if ((rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB) {
		(void) snprintf(text, size, "%s", sqlite3_errmsg(s->db));
		r = 1;
	} else {
		r = store_fail(s, rc, "integrity check");
	}
	(void) sqlite3_finalize(h);
	return r;
}
