/* The closed weeks that are in no archive yet: each from its own newest snapshot and the segments up to its end. */
#include "restore_impl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "archive.h"
#include "clk.h"
#include "err.h"
#include "ledger_impl.h"

enum { WEEKS_MAX = 1024 };

struct walk {
	struct remake *current;
	struct restored *ret;
	struct week_info weeks[WEEKS_MAX]; /* closed, newest first */
	size_t n;
	struct hash next_start;  /* what the chain of the week after must follow */
	bool next_known;
};

static bool take(void *u, const struct week_info *info)
{
	struct walk *walk = u;
	if (info->closed_ms)
		walk->weeks[walk->n++] = *info;
	return walk->n < WEEKS_MAX;
}

PRINTF_LIKE(3, 4) static int left_out(struct walk *walk, struct clk_week week, const char *fmt, ...)
{
	char label[WEEK_LABEL_SIZE], *lost = walk->ret->lost;
	size_t n = strlen(lost), size = sizeof walk->ret->lost;
	va_list ap;
	week_label(label, week);
	n += (size_t) snprintf(lost + n, size - n, "%s%s: ", n ? "; " : "", label);
	va_start(ap, fmt);
	if (n < size)
		(void) vsnprintf(lost + n, size - n, fmt, ap);
	va_end(ap);
	return 0;
}

/* Does the week that was made end where the next one begins? Then walk->next_start is its own beginning. */
static int compare_end(struct walk *walk, struct remake *m, bool *ret_whole)
{
	struct book_page page;
	struct store *db;
	struct hash end;
	int64_t id, row;
	int r = week_begin(m->w, &db);
	if (r != 0)
		return r > 0 ? err_say(-ENOSPC, "the disk is full") : err_trace(r);
	r = ledger_chain_end(db, &id, &row, &end);
	if (r == 0)
		r = book_page(db, &page);
	week_rollback(m->w);
	if (r != 0)
		return r > 0 ? err_say(-EBADMSG, "a past week's book has no page") : err_trace(r);
	*ret_whole = !walk->next_known || memcmp(&end, &walk->next_start, sizeof end) == 0;
	walk->next_start = page.chain_start;
	walk->next_known = true;
	return 0;
}

/* Beside the current one. */
static int move_beside(struct walk *walk, const struct remake *m)
{
	static const char *const suffixes[] = { "-wal", "" };
	char name[WEEK_NAME_SIZE];
	week_file_name(name, m->place.week);
	for (size_t i = 0; i < ARRAY_LEN(suffixes); i++) {
		char from[RESTORE_PATH + 64], to[RESTORE_PATH + 64];
		(void) snprintf(from, sizeof from, "%s/%s%s", m->dir, name, suffixes[i]);
		(void) snprintf(to, sizeof to, "%s/%s%s", walk->current->dir, name, suffixes[i]);
		if (rename(from, to) < 0 && errno != ENOENT)
			return restore_fail(to);
	}
	walk->ret->past_weeks++;
	return 0;
}

static int make(struct walk *walk, struct remake *m, const struct snapshot *from)
{
	char until[CLK_RFC3339_SIZE];
	bool whole = false;
	int r = remake_run(m, from);
	if (r == 0)
		r = compare_end(walk, m, &whole);
	if (r == 0 && !whole) {
		clk_rfc3339(until, m->place.as_of_ms);
		return left_out(walk, m->place.week, "it could be made until %s, which is not its end: %s", until,
				m->lost[0] ? m->lost : "there are no more segments of it");
	}
	if (r == 0)
		r = remake_settle(m);
	walk->ret->segments += m->segments;
	walk->ret->segment_bytes += m->segment_bytes;
	walk->ret->fetch_ms += m->fetch_ms;
	walk->ret->replay_ms += m->replay_ms;
	return r == 0 ? move_beside(walk, m) : r;
}

static int make_in_folder(struct walk *walk, const struct snapshot *from)
{
	struct remake m = { .conf = walk->current->conf, .now_ms = walk->current->now_ms, .past = true };
	if ((size_t) snprintf(m.dir, sizeof m.dir, "%.380s/past", walk->current->dir) >= sizeof m.dir)
		return err_say(-ENAMETOOLONG, "%s is too long", walk->current->dir);
	int r = restore_clear(m.dir);
	if (r == 0 && mkdir(m.dir, 0700) < 0)
		r = restore_fail(m.dir);
	if (r == 0)
		r = make(walk, &m, from);
	remake_close(&m);
	return r == 0 ? restore_clear(m.dir) : r;
}

static int is_archived(struct walk *walk, const struct week_info *info, bool *ret)
{
	struct week_archive a;
	int r = week_archive_get(walk->current->w, info->id, &a);
	*ret = a.state == WEEK_ARCHIVE_VERIFIED;
	week_archive_free(&a);
	return err_trace(r);
}

/* Its archive may be there all the same, from after the snapshot that meta.db is of. */
static int without_snapshot(struct walk *walk, const struct week_info *info)
{
	char key[ARCHIVE_KEY_SIZE];
	struct s3_info there;
	archive_key(key, info->week);
	int r = s3_head(walk->current->conf->s3, key, &there);
	walk->next_known = false;
	if (r != 0 && r != S3_E_NOT_FOUND)
		return ship_s3(r, key);
	err_clear();
	return left_out(walk, info->week, "the bucket has no snapshot of it%s%s%s", r == 0 ? ", but an object " : "", r == 0 ? key : "",
			r == 0 ? ", which meta.db does not know as compared" : "");
}

static int bring_back(struct walk *walk, const struct week_info *info)
{
	struct snapshot from;
	bool archived;
	int r = is_archived(walk, info, &archived);
	if (r < 0)
		return err_trace(r);
	if (archived) {
		walk->next_known = false; /* what it follows is in its file */
		return 0;
	}
	r = snapshot_find_week(walk->current->conf->s3, info->week, info->closed_ms, &from);
	if (r == SNAPSHOT_E_ABSENT)
		return without_snapshot(walk, info);
	return r == 0 ? make_in_folder(walk, &from) : err_trace(r);
}

static int start(struct walk *walk)
{
	struct book_page page;
	struct store *db;
	int r = week_list(walk->current->w, take, walk);
	if (r == 0)
		r = week_begin(walk->current->w, &db);
	if (r == 0) {
		r = book_page(db, &page);
		week_rollback(walk->current->w);
	}
	if (r != 0)
		return r > 0 ? err_say(-EBADMSG, "the book cannot be read (%d)", r) : err_trace(r);
	walk->next_start = page.chain_start;
	walk->next_known = true;
	return 0;
}

int restore_past(struct remake *current, struct restored *ret)
{
	struct walk *walk = calloc(1, sizeof *walk);
	if (!walk)
		return -ENOMEM;
	walk->current = current;
	walk->ret = ret;
	int r = start(walk);
	for (size_t i = 0; r == 0 && i < walk->n; i++)
		r = bring_back(walk, &walk->weeks[i]);
	free(walk);
	return r;
}
