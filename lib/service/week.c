/* Which file is current, and transactions over it. */
#include "week_impl.h"

#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "err.h"
#include "ledger_impl.h"
#include "schema.h"

enum { META_PAGES = 32 };

struct current {
	int64_t id, opened_ms;
	struct clk_week week;
};

/* STORE_E_ABSENT: no file was ever made. */
static int read_current(struct week *w, struct current *ret)
{
	int r = store_begin(w->meta);
	if (r != 0)
		return err_trace(r);
	struct stmt *st = store_stmt(w->meta, "SELECT id, year, week, opened_at FROM weeks ORDER BY id DESC LIMIT 1");
	r = stmt_step(st);
	if (r == STMT_ROW) {
		*ret = (struct current){ .id = stmt_col_int(st, 0), .opened_ms = stmt_col_int(st, 3),
			.week = { (int) stmt_col_int(st, 1), (int) stmt_col_int(st, 2) } };
		r = 0;
	} else if (r == STMT_DONE) {
		r = STORE_E_ABSENT;
	}
	store_rollback(w->meta);
	return err_trace(r);
}

int week_look(struct week *w)
{
	struct current now = { 0 };
	int64_t epoch;
	char path[WEEK_PATH_MAX];
	int r = gate_epoch(w->gate, &epoch); /* before meta.db is read: a change in between is then seen next time */
	if (r == 0)
		r = read_current(w, &now);
	if (r != 0)
		return err_trace(r);
	if (!w->book || now.id != w->id) {
		struct store *book = NULL;
		week_path(w, path, now.week);
		if (access(path, F_OK) < 0) /* never make an empty book in the place of a lost one */
			return err_say(-ENOENT, "%s is the current book, but not there", path);
		r = store_open_in(&book, w->gate, path, w->mode, &schema_week);
		if (r != 0)
			return r < 0 ? err_trace(r) : err_say(-EPROTO, "%s: result %d", path, r);
		(void) store_close(w->book);
		w->book = book;
	}
	w->id = now.id;
	w->current = now.week;
	w->opened_ms = now.opened_ms;
	w->epoch = epoch;
	return 0;
}

static int fill_first(struct store *db, const struct current *first)
{
	const struct book_page page = { .year = first->week.year, .week = first->week.week, .opened_ms = first->opened_ms };
	int r = store_begin(db);
	if (r != 0)
		return err_trace(r);
	r = book_put_page(db, &page);
	if (r == 0)
		r = seal_in(db, SEAL_PAGE, 1);
	if (r == 0)
		return err_trace(store_commit(db));
	store_rollback(db);
	return err_trace(r);
}

static int make_first(struct week *w, int64_t now_ms)
{
	const struct current first = { .week = clk_iso_week(now_ms), .opened_ms = now_ms };
	struct making m;
	int r = week_make_begin(&m, w, first.week);
	if (r == 0)
		r = fill_first(m.db, &first);
	if (r == 0)
		r = week_make_end(&m, now_ms);
	week_make_close(&m);
	return err_trace(r);
}

static int has_accounts(struct week *w, const char *path)
{
	struct store *db;
	int r = store_open_in(&db, w->gate, path, STORE_READ, &schema_week);
	if (r != 0)
		return r == STORE_E_ABSENT ? 0 : err_trace(r);
	r = store_begin(db);
	if (r == 0)
		r = stmt_step(store_stmt(db, "SELECT 1 FROM users LIMIT 1"));
	(void) store_close(db);
	return err_trace(r);
}

/* meta.db is new. Books that stand beside it say that the old one was lost: that is the operator's to mend. */
static int no_books_yet(struct week *w)
{
	char pattern[WEEK_PATH_MAX];
	glob_t found;
	(void) snprintf(pattern, sizeof pattern, "%s/bets_[0-9][0-9][0-9][0-9]_w[0-9][0-9].db", w->dir);
	int r = glob(pattern, 0, NULL, &found);
	if (r == GLOB_NOMATCH)
		return 0;
	if (r != 0)
		return err_say(-EIO, "%s cannot be listed", w->dir);
	for (size_t i = 0; r == 0 && i < found.gl_pathc; i++) {
		r = has_accounts(w, found.gl_pathv[i]);
		if (r > 0)
			r = err_say(-EEXIST, "meta.db names no week, but %s holds accounts: restore meta.db", found.gl_pathv[i]);
	}
	globfree(&found);
	return err_trace(r);
}

static int open_parts(struct week *w, int64_t now_ms)
{
	char path[WEEK_PATH_MAX];
	(void) snprintf(path, sizeof path, "%s/meta.db", w->dir);
	int r = store_open_in(&w->meta, w->gate, path, w->mode, &schema_meta);
	if (r != 0)
		return err_trace(r);
	r = week_look(w);
	if (r != STORE_E_ABSENT || w->mode == STORE_READ)
		return r;
	r = no_books_yet(w);
	if (r == 0)
		r = make_first(w, now_ms);
	return r == 0 ? week_look(w) : err_trace(r);
}

int week_open(struct week **ret, const char *dir, enum store_mode mode, int64_t now_ms)
{
	if (mode == STORE_READ && access(dir, F_OK) < 0)
		return STORE_E_ABSENT;
	struct week *w = calloc(1, sizeof *w);
	if (!w)
		return -ENOMEM;
	w->mode = mode;
	int r = 0;
	if ((size_t) snprintf(w->dir, sizeof w->dir, "%s", dir) >= sizeof w->dir)
		r = err_say(-ENAMETOOLONG, "%s is too long", dir);
	if (r == 0)
		r = gate_open(&w->gate, dir);
	if (r == 0 && mode == STORE_WRITE)
		r = gate_enter(w->gate);
	if (r == 0) {
		r = open_parts(w, now_ms);
		if (mode == STORE_WRITE)
			gate_leave(w->gate);
	}
	if (r != 0) {
		(void) week_close(w);
		return err_trace(r);
	}
	*ret = w;
	return 0;
}

struct week *week_close(struct week *w)
{
	if (!w)
		return NULL;
	for (size_t i = 0; i < PAST_OPEN_MAX; i++)
		(void) store_close(w->past[i].db);
	(void) store_close(w->reader);
	(void) store_close(w->book);
	(void) store_close(w->meta);
	(void) gate_close(w->gate);
	free(w);
	return NULL;
}

static int begin_on_current(struct week *w)
{
	int64_t epoch;
	int r = gate_epoch(w->gate, &epoch);
	if (r == 0 && epoch != w->epoch)
		r = week_look(w);
	return r == 0 ? store_begin(w->book) : err_trace(r);
}

int week_begin(struct week *w, struct store **ret_db)
{
	int r = 0;
	if (!w->book)
		return err_say(-EIO, "the current book could not be opened");
	if (w->mode == STORE_WRITE)
		r = store_gate_enter(w->book); /* so that what is looked at stays true until the commit */
	if (r < 0)
		return err_trace(r);
	r = begin_on_current(w);
	if (w->mode == STORE_WRITE)
		gate_leave(w->gate); /* the transaction, if there is one, holds it on */
	if (r == 0)
		*ret_db = w->book;
	return err_trace(r);
}

int week_commit(struct week *w)
{
	week_leave_past(w);
	return err_trace(store_commit(w->book));
}

void week_rollback(struct week *w)
{
	week_leave_past(w);
	store_rollback(w->book);
}

int week_look_begin(struct week *w, struct store **ret_db)
{
	if (!w->book)
		return err_say(-EIO, "the current book could not be opened");
	if (!w->reader || w->reader_id != w->id) {
		w->reader = store_close(w->reader);
		int r = store_open_in(&w->reader, w->gate, store_path(w->book), STORE_READ, &schema_week);
		if (r != 0)
			return r < 0 ? err_trace(r) : err_say(-EPROTO, "%s: result %d", store_path(w->book), r);
		w->reader_id = w->id;
	}
	int r = store_begin(w->reader);
	if (r == 0)
		*ret_db = w->reader;
	return err_trace(r);
}

void week_look_end(struct week *w)
{
	store_rollback(w->reader);
}

struct store *week_store(struct week *w)
{
	return w->book;
}

struct store *week_meta(struct week *w)
{
	return w->meta;
}

struct clk_week week_current(const struct week *w)
{
	return w->current;
}

int week_checkpoint_meta(struct week *w)
{
	int r = store_checkpoint(w->meta, META_PAGES);
	return r < 0 ? err_trace(r) : 0;
}

int64_t week_opened_ms(const struct week *w)
{
	return w->opened_ms;
}
