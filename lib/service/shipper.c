#include "shipper.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "check.h"
#include "clk.h"
#include "err.h"
#include "segment.h"
#include "ship_beyond.h"
#include "snapshot.h"
#include "week.h"

enum { LOG_ROWS = 1000, PATH_SIZE = 320 };

struct shipper {
	const struct settings *s;
	struct s3 *s3;
	int lock_fd;
	struct week *w;
	struct store *past;        /* the place's week, when it is not the current one */
	struct clk_week past_week;
	struct ship_place place;
	bool placed, stopped;
	uint64_t own;              /* segments that this life wrote */
	struct buf book, span, got, unpacked;
	struct buf out;            /* a segment, and where it leads; pending: it may be there or not, and is put again as it is */
	struct ship_place out_place;
	struct book_span out_told;
	bool pending;
	struct shipper_report report;
	char why[ERR_TEXT_MAX];    /* why it stopped */
};

static bool same_week(struct clk_week a, struct clk_week b)
{
	return a.year == b.year && a.week == b.week;
}

/* ---- opening */

static int lock(struct shipper *sh)
{
	char path[PATH_SIZE];
	(void) snprintf(path, sizeof path, "%s/ship.lock", sh->s->data_dir.v);
	sh->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
	if (sh->lock_fd < 0)
		return err_say(-errno, "%s: %s", path, strerror(errno));
	if (flock(sh->lock_fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? SHIPPER_E_BUSY : err_say(-errno, "%s: %s", path, strerror(errno));
	return 0;
}

int shipper_open(struct shipper **ret, const struct settings *s, const struct s3_conf *conf)
{
	struct shipper *sh = calloc(1, sizeof *sh);
	if (!sh)
		return -ENOMEM;
	sh->s = s;
	sh->lock_fd = -1;
	sh->book.max = sh->span.max = BOOK_SHIP_BYTES_MAX;
	sh->out.max = sh->got.max = SEGMENT_MAX;
	int r = lock(sh);
	if (r == 0)
		r = s3_open(&sh->s3, conf);
	if (r != 0) {
		(void) shipper_close(sh);
		return err_trace(r);
	}
	*ret = sh;
	return 0;
}

struct shipper *shipper_close(struct shipper *sh)
{
	if (!sh)
		return NULL;
	(void) store_close(sh->past);
	(void) week_close(sh->w);
	(void) s3_close(sh->s3);
	if (sh->lock_fd >= 0)
		(void) close(sh->lock_fd);
	buf_free(&sh->book);
	buf_free(&sh->span);
	buf_free(&sh->out);
	buf_free(&sh->got);
	buf_free(&sh->unpacked);
	free(sh);
	return NULL;
}

void shipper_report(const struct shipper *sh, struct shipper_report *ret)
{
	*ret = sh->report;
	ret->place = sh->place;
	ret->placed = sh->placed;
}

/* ---- the book that is being told */

static void leave_book(struct shipper *sh)
{
	if (sh->past)
		store_rollback(sh->past);
	if (sh->w)
		week_rollback(sh->w);
}

/* A transaction of the week's book: the current one, or a past one, which never changes again. */
static int enter_book(struct shipper *sh, struct clk_week week, struct store **ret)
{
	int r = week_begin(sh->w, ret);
	if (r != 0 || same_week(week_current(sh->w), week))
		return r > 0 ? err_say(-EIO, "the book cannot be read (%d)", r) : err_trace(r);
	week_rollback(sh->w);
	if (!sh->past || !same_week(sh->past_week, week)) {
		sh->past = store_close(sh->past);
		r = week_open_past(sh->w, week, &sh->past);
		sh->past_week = week;
	}
	if (r == 0)
		r = store_begin(sh->past);
	*ret = sh->past;
	return r > 0 ? err_say(-ENOENT, "the book of %d week %d is not here", week.year, week.week) : err_trace(r);
}

static int open_book(struct shipper *sh)
{
	if (sh->w)
		return 0;
	int r = week_open(&sh->w, sh->s->data_dir.v, STORE_READ, clk_now_ms());
	if (r == STORE_E_ABSENT)
		return SHIPPER_E_NO_BOOK;
	return r > 0 ? err_say(-EIO, "the book cannot be opened (%d)", r) : err_trace(r);
}

/* ---- where to go on */

static int stop(struct shipper *sh, const char *what)
{
	char why[ERR_TEXT_MAX];
	(void) snprintf(why, sizeof why, "%.200s", err_text());
	sh->stopped = true;
	(void) snprintf(sh->why, sizeof sh->why, "%s%s%.200s", what, why[0] ? ": " : "", why);
	(void) err_say(0, "%s", sh->why);
	return SHIPPER_E_OTHER;
}

static int save(struct shipper *sh)
{
	return err_trace(ship_place_write(sh->s->data_dir.v, &sh->place));
}

/* Is there a snapshot of the place's week, made here? */
static void look_for_base(struct shipper *sh)
{
	struct clk_week week;
	int64_t ms;
	if (!sh->place.based && snapshot_note_read(sh->s->data_dir.v, &ms, &week) == 0)
		sh->place.based = same_week(week, sh->place.week);
}

/* 0: the place is one where this book has been; BOOK_SHIP_E_OTHER. */
static int check_place(struct shipper *sh, struct clk_week week, const struct book_pos *at)
{
	struct store *db;
	int r = enter_book(sh, week, &db);
	if (r == -ENOENT)
		return BOOK_SHIP_E_OTHER;
	if (r == 0)
		r = book_pos_check(db, at);
	leave_book(sh);
	return r;
}

static int fetch(struct shipper *sh, int64_t number, struct segment *ret, struct hash *hash)
{
	char key[SEGMENT_KEY_SIZE];
	segment_key(key, SHIP_PREFIX, number);
	buf_clear(&sh->got);
	int r = ship_s3(s3_get_buf(sh->s3, key, &sh->got, NULL), key);
	return r == 0 ? segment_read(sh->got.p, sh->got.n, ret, hash, &sh->unpacked) : err_trace(r);
}

static struct ship_place after(const struct segment *s, const struct hash *hash)
{
	return (struct ship_place){ .number = s->number, .hash = *hash, .week = s->week, .at = s->to, .log = s->log_to,
		.as_of_ms = s->as_of_ms };
}

struct last_key {
	int64_t number;
};

static bool on_segment(void *u, const struct s3_item *item)
{
	struct last_key *last = u;
	if (sscanf(item->key, SHIP_PREFIX "segments/%" SCNd64, &last->number) != 1)
		last->number = INT64_MAX; /* no segment of ours is called so */
	return true;
}

/* Nothing is in the bucket: shipping begins here and now, and a snapshot will hold what was before. */
static int begin_anew(struct shipper *sh)
{
	struct store *db;
	int r = week_begin(sh->w, &db);
	if (r != 0)
		return r > 0 ? err_say(-EIO, "the book cannot be read (%d)", r) : err_trace(r);
	sh->place = (struct ship_place){ .week = week_current(sh->w) };
	r = book_pos_end(db, &sh->place.at);
	week_rollback(sh->w);
	if (r == 0)
		r = week_audit_newest(sh->w, &sh->place.log);
	return r > 0 ? err_say(-EIO, "the operators' log cannot be read (%d)", r) : err_trace(r);
}

int shipper_begin_anew(struct shipper *sh, struct ship_place *ret)
{
	struct snapshot newest;
	int64_t until_ms;
	int r = open_book(sh);
	if (r == 0)
		r = begin_anew(sh);
	if (r == 0) {
		r = snapshot_find(sh->s3, "", &newest);
		if (r == 0) { /* no segment before its own is of interest */
			sh->place.number = newest.place.number;
			sh->place.hash = newest.place.hash;
		}
		r = r > 0 ? 0 : r;
	}
	if (r == 0)
		r = ship_beyond(sh->s3, &sh->place, &until_ms);
	if (r == 0)
		r = snapshot_note_forget(sh->s->data_dir.v);
	if (r == 0)
		r = save(sh);
	*ret = sh->place;
	return err_trace(r);
}

/* Without a note of our own, the bucket says. */
static int find_in_bucket(struct shipper *sh)
{
	struct snapshot snapshot;
	struct segment s;
	struct hash hash;
	char from[SEGMENT_KEY_SIZE] = "";
	int r = snapshot_find(sh->s3, "", &snapshot);
	if (r < 0)
		return err_trace(r);
	if (r == SNAPSHOT_E_BAD)
		return stop(sh, "the bucket's newest snapshot is damaged");
	bool has_snapshot = r == 0;
	struct last_key last = { has_snapshot ? snapshot.place.number : 0 };
	if (has_snapshot)
		segment_key(from, SHIP_PREFIX, snapshot.place.number);
	r = ship_s3(s3_list(sh->s3, SHIP_PREFIX "segments/", from, on_segment, &last), SHIP_PREFIX "segments/");
	if (r < 0)
		return r;
	if (last.number == 0 && !has_snapshot)
		return begin_anew(sh);
	if (has_snapshot && last.number == snapshot.place.number) {
		sh->place = snapshot.place;
		sh->place.as_of_ms = 0; /* of long ago: the next turn says */
	} else {
		r = fetch(sh, last.number, &s, &hash);
		if (r == -EBADMSG)
			return stop(sh, "the bucket's newest segment is damaged");
		if (r < 0)
			return err_trace(r);
		sh->place = after(&s, &hash);
	}
	sh->place.based = has_snapshot && same_week(snapshot.place.week, sh->place.week);
	return 0;
}

static int find_place(struct shipper *sh)
{
	int r = ship_place_read(sh->s->data_dir.v, &sh->place);
	if (r == SHIP_PLACE_E_ABSENT)
		r = find_in_bucket(sh);
	if (r == 0)
		r = check_place(sh, sh->place.week, &sh->place.at);
	if (r == BOOK_SHIP_E_OTHER)
		return stop(sh, "the bucket holds the backups of another book");
	if (r == 0)
		r = save(sh);
	sh->placed = r == 0;
	return err_trace(r);
}

/* ---- one segment */

struct telling {
	struct shipper *sh;
	int64_t at_ms, last, rows;
};

static bool on_log(void *u, const struct audit_row *row)
{
	struct telling *t = u;
	segment_span_log(&t->sh->span, row, &t->at_ms);
	t->last = row->id;
	t->rows++;
	return true;
}

/* What came after the place, in sh->span. The log is read after the book, which names its rows. *ret_new false: nothing did. */
static int tell(struct shipper *sh, struct segment *s, struct book_span *told, bool *ret_more, bool *ret_new)
{
	struct store *db;
	struct telling t = { .sh = sh, .last = sh->place.log };
	*s = (struct segment){ .number = sh->place.number + 1, .before = sh->place.hash, .week = sh->place.week,
		.as_of_ms = clk_now_ms(), .from = sh->place.at, .log_from = sh->place.log };
	buf_clear(&sh->book);
	buf_clear(&sh->span);
	int r = enter_book(sh, sh->place.week, &db);
	if (r == 0)
		r = book_tell(db, &sh->place.at, SHIPPER_ROWS, &sh->book, &s->to, told, ret_more);
	if (r == 0) {
		segment_span_begin(&sh->span, &sh->book);
		r = week_audit_after(sh->w, sh->place.log, LOG_ROWS, on_log, &t);
	}
	leave_book(sh);
	if (r == 0 && sh->span.failed)
		r = -ENOMEM;
	s->log_to = t.last;
	s->span = sh->span.p;
	s->span_n = sh->span.n;
	if (*ret_more)
		s->as_of_ms = sh->place.as_of_ms;
	*ret_more = *ret_more || t.rows == LOG_ROWS;
	*ret_new = told->rows > 0 || told->sealed > 0 || told->quotes > 0 || t.rows > 0;
	return r > 0 ? err_say(-EIO, "the operators' log cannot be read (%d)", r) : err_trace(r);
}

/* Its number is taken. By ourselves before we died, when it follows where we stand and leads to where our book has been. */
static int compare(struct shipper *sh, struct ship_place *ret)
{
	struct segment s;
	struct hash hash;
	int r = fetch(sh, sh->place.number + 1, &s, &hash);
	if (r == -EBADMSG)
		return stop(sh, "the segment that is next is there, but damaged");
	if (r < 0)
		return err_trace(r);
	bool same = sh->got.n == sh->out.n && memcmp(sh->got.p, sh->out.p, sh->out.n) == 0;
	bool follows = s.number == sh->place.number + 1 && memcmp(&s.before, &sh->place.hash, sizeof hash) == 0 &&
			same_week(s.week, sh->place.week) && memcmp(&s.from, &sh->place.at, sizeof s.from) == 0;
	err_clear();
	if (!same && (sh->own > 0 || !follows))
		return stop(sh, "another archiver ships to this bucket");
	r = same ? 0 : check_place(sh, s.week, &s.to);
	if (r == BOOK_SHIP_E_OTHER)
		return stop(sh, "another archiver ships to this bucket");
	*ret = after(&s, &hash);
	return err_trace(r);
}

static void count(struct shipper *sh)
{
	sh->own++;
	sh->report.segments++;
	sh->report.bytes += sh->out.n;
	sh->report.rows += (uint64_t) sh->out_told.rows;
	sh->report.bets += (uint64_t) sh->out_told.bets;
}

/* What is in sh->out. After weather it is not known whether it was written: the same bytes are put again until it is. */
static int put(struct shipper *sh, struct ship_place *ret)
{
	char key[SEGMENT_KEY_SIZE];
	const struct s3_put object = { .body = { .bytes = sh->out.p, .n = (int64_t) sh->out.n }, .once = true };
	segment_key(key, SHIP_PREFIX, sh->out_place.number);
	int r = s3_put(sh->s3, key, &object);
	sh->pending = r < 0;
	*ret = sh->out_place;
	if (r == S3_E_EXISTS) {
		r = compare(sh, ret);
		sh->pending = r < 0;
		return err_trace(r);
	}
	if (r == 0)
		count(sh);
	return ship_s3(r, key);
}

static int write_and_put(struct shipper *sh, const struct segment *s, const struct book_span *told, struct ship_place *ret)
{
	struct hash hash;
	buf_clear(&sh->out);
	int r = segment_write(s, &sh->out, &hash);
	if (r < 0)
		return err_trace(r);
	sh->out_place = after(s, &hash);
	sh->out_told = *told;
	return put(sh, ret);
}

/* ---- from week to week */

struct next_week {
	struct clk_week of, week;
	bool found, has_next;
};

/* Newest first: the one told before the place's is the one after it. */
static bool on_week(void *u, const struct week_info *info)
{
	struct next_week *n = u;
	n->found = same_week(info->week, n->of);
	if (!n->found) {
		n->week = info->week;
		n->has_next = true;
	}
	return !n->found;
}

/* The place's week is closed and told to its end: the next one begins where its first commit left it. */
static int turn_the_page(struct shipper *sh)
{
	struct next_week next = { .of = sh->place.week };
	struct ship_place place = sh->place;
	struct store *db;
	int r = week_begin(sh->w, &db);
	if (r == 0)
		r = week_list(sh->w, on_week, &next);
	week_rollback(sh->w);
	if (r != 0)
		return r > 0 ? err_say(-EIO, "the weeks cannot be listed (%d)", r) : err_trace(r);
	CHECK(next.found && next.has_next);
	place.week = next.week;
	place.based = false;
	r = enter_book(sh, place.week, &db);
	if (r == 0)
		r = book_pos_start(db, &place.at);
	leave_book(sh);
	if (r < 0)
		return err_trace(r);
	sh->place = place;
	return save(sh);
}

/* ---- a turn */

static int move_on(struct shipper *sh, struct ship_place place)
{
	int64_t as_of_ms = sh->place.as_of_ms;
	place.based = sh->place.based;
	sh->place = place;
	look_for_base(sh);
	if (!sh->place.based)
		sh->place.as_of_ms = as_of_ms; /* it could not be restored */
	return save(sh);
}

static int one_step(struct shipper *sh, bool *ret_more)
{
	struct segment s;
	struct book_span told;
	struct ship_place place;
	bool fresh;
	if (sh->pending) {
		int r = put(sh, &place);
		*ret_more = r == 0;
		return r == 0 ? move_on(sh, place) : err_trace(r);
	}
	int r = tell(sh, &s, &told, ret_more, &fresh);
	if (r < 0)
		return err_trace(r);
	bool last_of_past = !same_week(s.week, week_current(sh->w)) && !*ret_more;
	place = sh->place;
	place.as_of_ms = s.as_of_ms;
	if (fresh)
		r = write_and_put(sh, &s, &told, &place);
	if (r != 0)
		return err_trace(r);
	r = move_on(sh, place);
	if (r == 0 && last_of_past) {
		*ret_more = true;
		/* what was there already, from before we died, may end earlier */
		if (memcmp(&place.at, &s.to, sizeof s.to) == 0 && place.log == s.log_to)
			r = turn_the_page(sh);
	}
	return err_trace(r);
}

int shipper_turn(struct shipper *sh, int segments, bool *ret_more)
{
	*ret_more = false;
	if (sh->stopped) {
		(void) err_say(0, "%s", sh->why);
		return SHIPPER_E_OTHER;
	}
	int r = open_book(sh);
	if (r == 0 && !sh->placed)
		r = find_place(sh);
	do {
		if (r == 0)
			r = one_step(sh, ret_more);
	} while (r == 0 && *ret_more && --segments > 0);
	if (r == -EPROTO) /* the files were migrated under us */
		sh->w = week_close(sh->w);
	return err_trace(r);
}
