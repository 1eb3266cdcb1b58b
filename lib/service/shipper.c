/* What is new, told to the object store segment by segment, week by week. */
#include "shipper_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "check.h"
#include "clk.h"
#include "snapshot.h"

enum { LOG_ROWS = 1000, PATH_SIZE = 320 };

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

void shipper_leave_book(struct shipper *sh)
{
	if (sh->past)
		store_rollback(sh->past);
	if (sh->w)
		week_rollback(sh->w);
}

int shipper_enter_book(struct shipper *sh, struct clk_week week, struct store **ret)
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

int shipper_open_book(struct shipper *sh)
{
	if (sh->w)
		return 0;
	int r = week_open(&sh->w, sh->s->data_dir.v, STORE_READ, clk_now_ms());
	if (r == STORE_E_ABSENT)
		return SHIPPER_E_NO_BOOK;
	return r > 0 ? err_say(-EIO, "the book cannot be opened (%d)", r) : err_trace(r);
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
	int r = shipper_enter_book(sh, sh->place.week, &db);
	if (r == 0)
		r = book_tell(db, &sh->place.at, SHIPPER_ROWS, &sh->book, &s->to, told, ret_more);
	if (r == 0) {
		segment_span_begin(&sh->span, &sh->book);
		r = week_audit_after(sh->w, sh->place.log, LOG_ROWS, on_log, &t);
	}
	shipper_leave_book(sh);
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
	int r = shipper_fetch(sh, sh->place.number + 1, &s, &hash);
	if (r == -EBADMSG)
		return shipper_stop(sh, "the segment that is next is there, but damaged");
	if (r < 0)
		return err_trace(r);
	bool same = sh->got.n == sh->out.n && memcmp(sh->got.p, sh->out.p, sh->out.n) == 0;
	bool follows = s.number == sh->place.number + 1 && memcmp(&s.before, &sh->place.hash, sizeof hash) == 0 &&
			same_week(s.week, sh->place.week) && memcmp(&s.from, &sh->place.at, sizeof s.from) == 0;
	err_clear();
	if (!same && (sh->own > 0 || !follows))
		return shipper_stop(sh, "another archiver ships to this bucket");
	r = same ? 0 : shipper_check_place(sh, s.week, &s.to);
	if (r == BOOK_SHIP_E_OTHER)
		return shipper_stop(sh, "another archiver ships to this bucket");
	*ret = shipper_after(&s, &hash);
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
	sh->out_place = shipper_after(s, &hash);
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
	r = shipper_enter_book(sh, place.week, &db);
	if (r == 0)
		r = book_pos_start(db, &place.at);
	shipper_leave_book(sh);
	if (r < 0)
		return err_trace(r);
	sh->place = place;
	return shipper_save(sh);
}

/* ---- a turn */

static int move_on(struct shipper *sh, struct ship_place place)
{
	int64_t as_of_ms = sh->place.as_of_ms;
	place.based = sh->place.based;
	sh->place = place;
	shipper_look_for_base(sh);
	if (!sh->place.based)
		sh->place.as_of_ms = as_of_ms; /* it could not be restored */
	return shipper_save(sh);
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
	int r = shipper_open_book(sh);
	if (r == 0 && !sh->placed)
		r = shipper_find_place(sh);
	do {
		if (r == 0)
			r = one_step(sh, ret_more);
	} while (r == 0 && *ret_more && --segments > 0);
	if (r == -EPROTO) /* the files were migrated under us */
		sh->w = week_close(sh->w);
	return err_trace(r);
}
