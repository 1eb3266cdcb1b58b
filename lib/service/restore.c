#include "restore.h"

#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backup.h"
#include "check.h"
#include "clk.h"
#include "err.h"
#include "segment.h"
#include "week.h"

enum { PATH_SIZE = 400, WAL_PAGES = 4000 };

struct restoring {
	const struct restore_conf *conf;
	const char *dir;
	char work[PATH_SIZE];
	int64_t now_ms;
	struct week *w;
	struct buf bytes, span, texts;
	struct restored *ret;
};

PRINTF_LIKE(2, 3) static void tell(struct restoring *r, const char *fmt, ...)
{
	char text[320];
	va_list ap;
	va_start(ap, fmt);
	(void) vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (r->conf->step)
		r->conf->step(r->conf->u, text);
}

static int fail_at(const char *path)
{
	int e = errno;
	return err_say(-e, "%s: %s", path, strerror(e));
}

/* ---- the folder */

static int must_be_empty(const char *dir)
{
	static const char *const names[] = { "meta.db", "bets_*.db" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char pattern[PATH_SIZE];
		glob_t found;
		(void) snprintf(pattern, sizeof pattern, "%s/%s", dir, names[i]);
		int g = glob(pattern, 0, NULL, &found);
		if (g == 0) {
			(void) err_say(0, "%s is there: a restore takes a data folder without books, and never writes over one",
					found.gl_pathv[0]);
			globfree(&found);
			return RESTORE_E_EXISTS;
		}
		if (g != GLOB_NOMATCH)
			return err_say(-EIO, "%s cannot be listed", dir);
	}
	return 0;
}

int restore_clear(const char *path)
{
	DIR *d = opendir(path);
	int r = 0;
	if (!d)
		return errno == ENOENT ? 0 : fail_at(path);
	for (struct dirent *e; r == 0 && (e = readdir(d));)
		if (e->d_name[0] != '.' && unlinkat(dirfd(d), e->d_name, 0) < 0)
			r = fail_at(path);
	(void) closedir(d);
	return r == 0 && rmdir(path) < 0 ? fail_at(path) : r;
}

static int prepare(struct restoring *r)
{
	if (mkdir(r->dir, 0700) < 0 && errno != EEXIST)
		return fail_at(r->dir);
	int got = must_be_empty(r->dir);
	if (got == 0)
		got = restore_clear(r->work);
	if (got == 0 && mkdir(r->work, 0700) < 0)
		got = fail_at(r->work);
	return got;
}

static int move_in(struct restoring *r, const char *name)
{
	char from[PATH_SIZE + 64], to[PATH_SIZE + 64];
	(void) snprintf(from, sizeof from, "%s/%s", r->work, name);
	(void) snprintf(to, sizeof to, "%s/%s", r->dir, name);
	return rename(from, to) == 0 || errno == ENOENT ? 0 : fail_at(to);
}

/* meta.db last: until it is there, whoever looks finds a book that nobody names, and touches nothing. */
static int publish(struct restoring *r)
{
	static const char *const others[] = { "ship.position", "ship.snapshot", "meta.db-wal", "meta.db" };
	char book[WEEK_NAME_SIZE], wal[WEEK_NAME_SIZE + 8];
	week_file_name(book, r->ret->week);
	(void) snprintf(wal, sizeof wal, "%s-wal", book);
	int got = move_in(r, wal);
	if (got == 0)
		got = move_in(r, book);
	for (size_t i = 0; got == 0 && i < ARRAY_LEN(others); i++) {
		if (i + 1 == ARRAY_LEN(others))
			got = store_sync(r->dir);
		if (got == 0)
			got = move_in(r, others[i]);
	}
	if (got == 0)
		got = store_sync(r->dir);
	return got == 0 ? restore_clear(r->work) : err_trace(got);
}

/* ---- the snapshot */

static int fetch_snapshot(struct restoring *r)
{
	struct snapshot s;
	int64_t from_ms = clk_mono_ms();
	int got = snapshot_find(r->conf->s3, r->conf->stamp, &s);
	if (got == SNAPSHOT_E_ABSENT) {
		(void) err_say(0, "the bucket has no snapshot%s%s", r->conf->stamp[0] ? " " : "", r->conf->stamp);
		return RESTORE_E_ABSENT;
	}
	if (got == 0) {
		tell(r, "snapshot %s: %" PRId64 " bytes, after segment %" PRId64, s.stamp, s.files[0].bytes + s.files[1].bytes,
				s.place.number);
		got = snapshot_fetch(r->conf->s3, &s, r->work);
	}
	if (got != 0)
		return got == SNAPSHOT_E_BAD ? RESTORE_E_TAMPERED : err_trace(got);
	(void) snprintf(r->ret->stamp, sizeof r->ret->stamp, "%s", s.stamp);
	r->ret->place = s.place;
	r->ret->week = s.place.week;
	r->ret->place.based = true;
	r->ret->fetch_ms = clk_mono_ms() - from_ms;
	return 0;
}

static int open_books(struct restoring *r)
{
	int got = week_open(&r->w, r->work, STORE_WRITE, r->now_ms);
	struct clk_week is = got == 0 ? week_current(r->w) : r->ret->week;
	if (got == 0 && (is.year != r->ret->week.year || is.week != r->ret->week.week))
		return err_say(-EBADMSG, "snapshot %s: its meta.db names another week current", r->ret->stamp);
	if (got == 0)
		(void) store_checkpointer(week_store(r->w));
	return got > 0 ? err_say(-EBADMSG, "snapshot %s: its books cannot be opened (%d)", r->ret->stamp, got) : err_trace(got);
}

/* ---- segments */

static int tampered(const char *key, const char *what)
{
	(void) err_say(0, "%s: %s", key, what);
	return RESTORE_E_TAMPERED;
}

struct beyond {
	int64_t n;
	char last[SEGMENT_KEY_SIZE];
};

static bool count_beyond(void *u, const struct s3_item *item)
{
	struct beyond *b = u;
	b->n++;
	(void) snprintf(b->last, sizeof b->last, "%.90s", item->key);
	return true;
}

/* 0: nothing comes after it, so it is the end; RESTORE_E_TAMPERED: there is more, so it is a gap. */
static int is_the_end(struct restoring *r, const char *key)
{
	struct beyond b = { 0 };
	int got = ship_s3(s3_list(r->conf->s3, SHIP_PREFIX "segments/", key, count_beyond, &b), key);
	if (got < 0)
		return got;
	if (b.n == 0)
		return 0;
	(void) err_say(0, "%s: it is missing, but %" PRId64 " come after it, up to %s", key, b.n, b.last);
	return RESTORE_E_TAMPERED;
}

/* 1: read, *s; 0: there is no more. */
static int next_segment(struct restoring *r, const char *key, struct segment *s, struct hash *hash)
{
	buf_clear(&r->bytes);
	int got = s3_get_buf(r->conf->s3, key, &r->bytes, NULL);
	if (got == S3_E_NOT_FOUND)
		return is_the_end(r, key);
	if (got != 0 && got != S3_E_BIG)
		return ship_s3(got, key);
	got = got == S3_E_BIG ? -EBADMSG : segment_read(r->bytes.p, r->bytes.n, s, hash, &r->span);
	if (got == -EBADMSG) {
		char why[ERR_TEXT_MAX];
		(void) snprintf(why, sizeof why, "%.300s", err_text());
		return tampered(key, why);
	}
	if (got < 0)
		return err_trace(got);
	const struct ship_place *at = &r->ret->place;
	if (s->number != at->number + 1 || memcmp(&s->before, &at->hash, sizeof at->hash) != 0)
		return tampered(key, "it does not follow the one before it");
	return 1;
}

static int apply_log(struct restoring *r, struct segment_span *parts)
{
	struct audit_row row;
	int got;
	while ((got = segment_span_next_log(parts, &row, &r->texts)) == 1) {
		got = week_audit_again(r->w, &row);
		if (got == WEEK_E_LOG)
			return tampered("the operators' log", "its row does not follow");
		if (got < 0)
			return err_trace(got);
	}
	return got;
}

static int apply_book(struct restoring *r, const struct segment *s, const struct segment_span *parts)
{
	struct store *db;
	int got = week_begin(r->w, &db);
	if (got == 0) {
		got = book_make_again(db, r->conf->s, &s->from, &s->to, parts->book, parts->book_n);
		if (got == 0)
			return week_commit(r->w) == 0 ? 0 : err_say(-ENOSPC, "the disk is full, or failed");
		week_rollback(r->w);
	}
	return got;
}

static int apply(struct restoring *r, const char *key, const struct segment *s)
{
	struct segment_span parts;
	int got = segment_span_open(s, &parts);
	if (got == 0)
		got = apply_book(r, s, &parts);
	if (got == BOOK_SHIP_E_OTHER || got == -EBADMSG) {
		char why[ERR_TEXT_MAX];
		(void) snprintf(why, sizeof why, "%.300s", err_text());
		return tampered(key, why);
	}
	if (got == 0)
		got = apply_log(r, &parts);
	if (got == 0 && store_checkpoint(week_store(r->w), WAL_PAGES) < 0)
		got = err_say(-EIO, "checkpoint");
	return err_trace(got);
}

static bool of_our_week(struct restoring *r, const struct segment *s)
{
	if (s->week.year == r->ret->week.year && s->week.week == r->ret->week.week)
		return true;
	(void) snprintf(r->ret->lost, sizeof r->ret->lost, "segments from %" PRId64 " on are of %04d_w%02d, of which there is no snapshot",
			s->number, s->week.year, s->week.week);
	return false;
}

/* A place that cannot be passed, if the operator accepts what is behind it as lost. */
static int give_up(struct restoring *r, int got)
{
	if (got != RESTORE_E_TAMPERED || !r->conf->accept_loss)
		return got;
	(void) snprintf(r->ret->lost, sizeof r->ret->lost, "what was committed after that moment: %.250s", err_text());
	return 0;
}

static int replay(struct restoring *r)
{
	struct ship_place *at = &r->ret->place;
	int64_t from_ms = clk_mono_ms(), told_ms = from_ms;
	int got = 1;
	while (got == 1) {
		struct segment s;
		struct hash hash;
		char key[SEGMENT_KEY_SIZE];
		segment_key(key, SHIP_PREFIX, at->number + 1);
		got = next_segment(r, key, &s, &hash);
		if (got != 1 || !of_our_week(r, &s)) {
			got = got == 1 ? 0 : got;
			break;
		}
		got = apply(r, key, &s);
		if (got != 0)
			break;
		got = 1;
		*at = (struct ship_place){ .number = s.number, .hash = hash, .week = s.week, .at = s.to, .log = s.log_to,
			.as_of_ms = s.as_of_ms, .based = true };
		r->ret->segments++;
		r->ret->segment_bytes += (int64_t) r->bytes.n;
		if (clk_mono_ms() - told_ms > 2000) {
			told_ms = clk_mono_ms();
			tell(r, "segment %" PRId64, at->number);
		}
	}
	r->ret->replay_ms = clk_mono_ms() - from_ms;
	return give_up(r, got);
}

/* ---- the end */

static int settle_files(struct restoring *r)
{
	int got = store_checkpoint(week_store(r->w), 1);
	if (got >= 0)
		got = week_checkpoint_meta(r->w);
	r->w = week_close(r->w);
	r->ret->book_bytes = backup_bytes_in(r->work);
	return got < 0 ? err_trace(got) : 0;
}

static int audit(struct restoring *r)
{
	int64_t from_ms = clk_mono_ms();
	struct week *w;
	int got = week_open(&w, r->work, STORE_READ, r->now_ms);
	if (got != 0)
		return got > 0 ? err_say(-EBADMSG, "what was made cannot be opened (%d)", got) : err_trace(got);
	/* every row; of the pages a quick look: they are the snapshot's, by its hash, or were just written */
	got = integrity_check(w, false, &r->ret->found);
	w = week_close(w);
	r->ret->audit_ms = clk_mono_ms() - from_ms;
	if (got == INTEGRITY_E_DRIFT)
		(void) err_say(0, "%s", r->ret->found.finding);
	return got == INTEGRITY_E_DRIFT ? RESTORE_E_DRIFT : err_trace(got);
}

/* Shipping goes on from here, in the same chain. */
static int note_place(struct restoring *r)
{
	int got = ship_place_write(r->work, &r->ret->place);
	return got == 0 ? snapshot_note_write(r->work, r->now_ms, r->ret->week) : err_trace(got);
}

static int run(struct restoring *r)
{
	int got = prepare(r);
	if (got == 0)
		got = fetch_snapshot(r);
	if (got == 0)
		got = open_books(r);
	if (got == 0)
		got = replay(r);
	if (got == 0)
		got = settle_files(r);
	if (got == 0) {
		tell(r, "%" PRId64 " segments made again; auditing", r->ret->segments);
		got = audit(r);
	}
	if (got == 0 && !r->conf->scratch)
		got = note_place(r);
	if (got == 0 && !r->conf->scratch)
		got = publish(r);
	return got == -ENOSPC ? RESTORE_E_FULL : err_trace(got);
}

int restore_run(const struct restore_conf *conf, const char *dir, int64_t now_ms, struct restored *ret)
{
	struct restoring r = { .conf = conf, .dir = dir, .now_ms = now_ms, .bytes = BUF_INIT(SEGMENT_MAX), .ret = ret };
	*ret = (struct restored){ 0 };
	CHECK((size_t) snprintf(r.work, sizeof r.work, "%s/.restore", dir) < sizeof r.work);
	int got = run(&r);
	r.w = week_close(r.w);
	buf_free(&r.bytes);
	buf_free(&r.span);
	buf_free(&r.texts);
	return got;
}
