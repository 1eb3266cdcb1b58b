/* A week's file comes into being: made aside, whole and synced, renamed in, named current. */
#include "week_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "err.h"
#include "ledger_impl.h"
#include "schema.h"

void week_file_name(char out[WEEK_NAME_SIZE], struct clk_week week)
{
	(void) snprintf(out, WEEK_NAME_SIZE, "bets_%04d_w%02d.db", week.year % 10000, week.week % 100);
}

void week_label(char out[WEEK_LABEL_SIZE], struct clk_week week)
{
	(void) snprintf(out, WEEK_LABEL_SIZE, "%04d_w%02d", week.year % 10000, week.week % 100);
}

void week_path(const struct week *w, char out[WEEK_PATH_MAX], struct clk_week week)
{
	char name[WEEK_NAME_SIZE];
	week_file_name(name, week);
	(void) snprintf(out, WEEK_PATH_MAX, "%s/%s", w->dir, name);
}

static int remove_parts(const char *path)
{
	static const char *const suffixes[] = { "", "-wal", "-shm", "-journal" };
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		char part[WEEK_PATH_MAX + 16];
		(void) snprintf(part, sizeof part, "%s%s", path, suffixes[i]);
		if (unlink(part) < 0 && errno != ENOENT)
			return err_say(-errno, "%s: %s", part, strerror(errno));
	}
	return 0;
}

/* A file of the new one's name was never named current, else we would not make it. It may be what a try left that was cut short
 * after its rename; but what looks like a book is never deleted: it is put aside. */
static int set_aside(struct week *w, const char *path)
{
	static const char *const suffixes[] = { "-wal", "-shm", "" };
	int64_t epoch;
	if (access(path, F_OK) < 0)
		return remove_parts(path); /* a WAL without its file would be taken for the new one's */
	int r = gate_epoch(w->gate, &epoch);
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(suffixes); i++) {
		char part[WEEK_PATH_MAX + 16], aside[WEEK_PATH_MAX + 64];
		(void) snprintf(part, sizeof part, "%s%s", path, suffixes[i]);
		(void) snprintf(aside, sizeof aside, "%s.aside-%" PRId64 "%s", path, epoch, suffixes[i]);
		if (rename(part, aside) < 0 && errno != ENOENT)
			r = err_say(-errno, "%s: %s", part, strerror(errno));
	}
	return err_trace(r);
}

int week_make_begin(struct making *m, struct week *w, struct clk_week week)
{
	char dir[WEEK_PATH_MAX], name[WEEK_NAME_SIZE];
	*m = (struct making){ .w = w, .week = week };
	(void) snprintf(dir, sizeof dir, "%s/next", w->dir);
	week_file_name(name, week);
	CHECK((size_t) snprintf(m->path, sizeof m->path, "%s/%s", dir, name) < sizeof m->path); /* week_open bounds w->dir */
	if (mkdir(dir, 0770) < 0 && errno != EEXIST)
		return err_say(-errno, "%s: %s", dir, strerror(errno));
	int r = gate_open(&m->gate, dir);
	if (r == 0)
		r = gate_enter(m->gate);
	if (r < 0)
		return err_trace(r);
	r = remove_parts(m->path);
	if (r == 0)
		r = store_open_in(&m->db, m->gate, m->path, STORE_WRITE, &schema_week);
	return err_trace(r);
}

int week_make_end(struct making *m, int64_t now_ms)
{
	char path[WEEK_PATH_MAX];
	CHECK(gate_held(m->w->gate));
	struct store *db = m->db;
	m->db = NULL;
	int r = store_close_whole(db);
	week_path(m->w, path, m->week);
	if (r == 0)
		r = set_aside(m->w, path);
	if (r == 0)
		r = store_sync(m->path);
	if (r == 0 && rename(m->path, path) < 0)
		r = err_say(-errno, "%s: rename: %s", path, strerror(errno));
	if (r == 0)
		r = store_sync(m->w->dir);
	if (r == 0)
		r = week_name_current(m->w, m->week, now_ms);
	return err_trace(r);
}

void week_make_close(struct making *m)
{
	m->db = store_close(m->db);
	if (m->gate && gate_held(m->gate)) {
		(void) remove_parts(m->path); /* renamed away by now, unless it failed */
		gate_leave(m->gate);
	}
	m->gate = gate_close(m->gate);
}

int week_name_current(struct week *w, struct clk_week week, int64_t now_ms)
{
	CHECK(gate_held(w->gate));
	/* The epoch first: whoever sees it raised looks into meta.db, whatever becomes of the commit. */
	int r = gate_epoch_raise(w->gate);
	if (r == 0)
		r = store_begin(w->meta);
	if (r != 0)
		return err_trace(r);
	struct stmt *st = store_stmt(w->meta, "UPDATE weeks SET closed_at = ?1 WHERE closed_at IS NULL");
	stmt_int(st, 1, now_ms);
	r = stmt_run(st);
	if (r == 0) {
		st = store_stmt(w->meta, "INSERT INTO weeks(year, week, opened_at) VALUES (?1, ?2, ?3)");
		stmt_int(st, 1, week.year);
		stmt_int(st, 2, week.week);
		stmt_int(st, 3, now_ms);
		r = stmt_run(st);
	}
	if (r == 0)
		return err_trace(store_commit(w->meta));
	store_rollback(w->meta);
	return err_trace(ledger_must(r, "naming the week"));
}
