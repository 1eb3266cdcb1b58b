/* One week's book: the snapshot, and the segments after it made again. */
#include "restore_impl.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "clk.h"
#include "err.h"
#include "segment.h"
#include "segment_ahead.h"
#include "week.h"

enum { WAL_PAGES = 16000, TELL_MS = 2000, MORE = 100 /* apart from every RESTORE_E_* */ };

/* ---- the snapshot */

static int fetch_snapshot(struct remake *m, const struct snapshot *s)
{
	int64_t from_ms = clk_mono_ms();
	restore_tell(m->conf, "snapshot %s: %" PRId64 " bytes, after segment %" PRId64, s->stamp, s->files[0].bytes + s->files[1].bytes,
			s->place.number);
	int r = snapshot_fetch(m->conf->s3, s, m->dir);
	if (r != 0)
		return r == SNAPSHOT_E_BAD ? RESTORE_E_TAMPERED : err_trace(r);
	(void) snprintf(m->stamp, sizeof m->stamp, "%s", s->stamp);
	m->place = s->place;
	m->place.based = true;
	m->fetch_ms = clk_mono_ms() - from_ms;
	return 0;
}

static bool same_week(struct clk_week a, struct clk_week b)
{
	return a.year == b.year && a.week == b.week;
}

static int open_books(struct remake *m)
{
	int r = week_open(&m->w, m->dir, STORE_WRITE, m->now_ms);
	if (r == 0 && !same_week(week_current(m->w), m->place.week))
		return err_say(-EBADMSG, "snapshot %s: its meta.db names another week current", m->stamp);
	if (r == 0) {
		(void) store_checkpointer(week_store(m->w));
		r = store_unsynced(week_store(m->w));
	}
	return r > 0 ? err_say(-EBADMSG, "snapshot %s: its books cannot be opened (%d)", m->stamp, r) : err_trace(r);
}

/* ---- segments */

static int tampered(const char *key, const char *what)
{
	(void) err_say(0, "%s: %s", key, what);
	return RESTORE_E_TAMPERED;
}

struct beyond {
	int64_t n;
	char first[SEGMENT_KEY_SIZE], last[SEGMENT_KEY_SIZE];
};

static bool count_beyond(void *u, const struct s3_item *item)
{
	struct beyond *b = u;
	(void) snprintf(b->last, sizeof b->last, "%.90s", item->key);
	if (b->n++ == 0)
		(void) snprintf(b->first, sizeof b->first, "%.90s", item->key);
	return true;
}

/* It is not there. 0: nor is any after it, so it is the end; RESTORE_E_TAMPERED: a gap; MORE: it came meanwhile. */
static int is_the_end(struct remake *m, const char *key)
{
	char before[SEGMENT_KEY_SIZE];
	struct beyond b = { 0 };
	segment_key(before, SHIP_PREFIX, m->place.number);
	int r = ship_s3(s3_list(m->conf->s3, SHIP_PREFIX "segments/", before, count_beyond, &b), key);
	if (r < 0)
		return r;
	if (b.n == 0)
		return 0;
	if (strcmp(b.first, key) == 0)
		return MORE;
	(void) err_say(0, "%s: it is missing, but %" PRId64 " come after it, up to %s", key, b.n, b.last);
	return RESTORE_E_TAMPERED;
}

/* Into m->bytes. What was fetched ahead and was not there then is asked for now: a drill runs while others ship. MORE; 0: the end. */
static int next_bytes(struct remake *m, struct segment_ahead *ahead, const char *key)
{
	int r = m->at_end ? S3_E_NOT_FOUND : segment_ahead_next(ahead, &m->bytes);
	while (r == S3_E_NOT_FOUND) {
		m->at_end = true;
		buf_clear(&m->bytes);
		r = s3_get_buf(m->conf->s3, key, &m->bytes, NULL);
		int end = r == S3_E_NOT_FOUND ? is_the_end(m, key) : MORE;
		if (end != MORE)
			return end;
	}
	if (r == S3_E_BIG)
		return tampered(key, "it is longer than any segment");
	return r == 0 ? MORE : ship_s3(r, key);
}

/* MORE: read, *s; 0: there is no more. */
static int next_segment(struct remake *m, struct segment_ahead *ahead, const char *key, struct segment *s, struct hash *hash)
{
	int r = next_bytes(m, ahead, key);
	if (r != MORE)
		return r;
	r = segment_read(m->bytes.p, m->bytes.n, s, hash, &m->span);
	if (r == -EBADMSG) {
		char why[ERR_TEXT_MAX];
		(void) snprintf(why, sizeof why, "%.300s", err_text());
		return tampered(key, why);
	}
	if (r < 0)
		return err_trace(r);
	if (s->number != m->place.number + 1 || memcmp(&s->before, &m->place.hash, sizeof s->before) != 0)
		return tampered(key, "it does not follow the one before it");
	return MORE;
}

static int apply_log(struct remake *m, struct segment_span *parts)
{
	struct audit_row row;
	int r;
	while ((r = segment_span_next_log(parts, &row, &m->texts)) == 1) {
		r = week_audit_again(m->w, &row);
		if (r == WEEK_E_LOG)
			return tampered("the operators' log", "its row does not follow");
		if (r < 0)
			return err_trace(r);
	}
	return r;
}

static int apply_book(struct remake *m, const struct segment *s, const struct segment_span *parts)
{
	struct store *db;
	int r = week_begin(m->w, &db);
	if (r == 0) {
		r = book_make_again(db, m->conf->s, &s->from, &s->to, parts->book, parts->book_n);
		if (r == 0)
			return week_commit(m->w) == 0 ? 0 : err_say(-ENOSPC, "the disk is full, or failed");
		week_rollback(m->w);
	}
	return r;
}

static int apply(struct remake *m, const char *key, const struct segment *s)
{
	struct segment_span parts;
	int r = segment_span_open(s, &parts);
	if (r == 0)
		r = apply_book(m, s, &parts);
	if (r == BOOK_SHIP_E_OTHER || r == -EBADMSG) {
		char why[ERR_TEXT_MAX];
		(void) snprintf(why, sizeof why, "%.300s", err_text());
		return tampered(key, why);
	}
	if (r == 0)
		r = apply_log(m, &parts);
	if (r == 0 && store_checkpoint(week_store(m->w), WAL_PAGES) < 0)
		r = err_say(-EIO, "checkpoint");
	return err_trace(r);
}

/* MORE; 0: a past week's end. A current week that is gone on to needs a snapshot: that its segments are useless without it is nothing
 * to be passed over in silence. */
static int of_our_week(struct remake *m, const struct segment *s, const char *key)
{
	char label[WEEK_LABEL_SIZE], why[120];
	if (same_week(s->week, m->place.week))
		return MORE;
	if (m->past)
		return 0;
	week_label(label, s->week);
	(void) snprintf(why, sizeof why, "segments from here on are of %s, of which there is no snapshot", label);
	return tampered(key, why);
}

/* A place that cannot be passed, if the operator accepts what is behind it as lost. */
static int give_up(struct remake *m, int r)
{
	if (r != RESTORE_E_TAMPERED || !m->conf->accept_loss)
		return r;
	(void) snprintf(m->lost, sizeof m->lost, "%.300s", err_text());
	return 0;
}

/* MORE: one is made again; 0: that was the last. */
static int one_segment(struct remake *m, struct segment_ahead *ahead)
{
	struct segment s;
	struct hash hash;
	char key[SEGMENT_KEY_SIZE];
	segment_key(key, SHIP_PREFIX, m->place.number + 1);
	int r = next_segment(m, ahead, key, &s, &hash);
	if (r != MORE)
		return r;
	r = of_our_week(m, &s, key);
	if (r != MORE)
		return r;
	r = apply(m, key, &s);
	if (r != 0)
		return r > 0 ? r : err_trace(r);
	m->place = (struct ship_place){ .number = s.number, .hash = hash, .week = s.week, .at = s.to, .log = s.log_to,
		.as_of_ms = s.as_of_ms, .based = true };
	m->segments++;
	m->segment_bytes += (int64_t) m->bytes.n;
	return MORE;
}

static int replay(struct remake *m)
{
	struct segment_ahead *ahead = NULL;
	int64_t from_ms = clk_mono_ms(), told_ms = from_ms;
	int r = segment_ahead_open(&ahead, m->conf->s3_conf, SHIP_PREFIX, m->place.number + 1);
	if (r < 0)
		return err_trace(r);
	do {
		r = one_segment(m, ahead);
		if (r == MORE && clk_mono_ms() - told_ms > TELL_MS) {
			told_ms = clk_mono_ms();
			restore_tell(m->conf, "segment %" PRId64, m->place.number);
		}
	} while (r == MORE);
	(void) segment_ahead_close(ahead);
	m->replay_ms = clk_mono_ms() - from_ms;
	return give_up(m, r);
}

int remake_run(struct remake *m, const struct snapshot *from)
{
	m->bytes.max = SEGMENT_MAX;
	int r = fetch_snapshot(m, from);
	if (r == 0)
		r = open_books(m);
	return r == 0 ? replay(m) : r;
}

/* ---- the end */

static int sync_files(const char *dir)
{
	DIR *d = opendir(dir);
	int r = d ? 0 : restore_fail(dir);
	for (struct dirent *e; d && r == 0 && (e = readdir(d));) {
		char path[RESTORE_PATH + 264];
		(void) snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
		if (e->d_name[0] != '.' && e->d_type != DT_DIR)
			r = store_sync(path);
	}
	if (d)
		(void) closedir(d);
	return err_trace(r);
}

int remake_settle(struct remake *m)
{
	int r = store_checkpoint(week_store(m->w), 1);
	if (r >= 0)
		r = week_checkpoint_meta(m->w);
	m->w = week_close(m->w);
	return r < 0 ? err_trace(r) : sync_files(m->dir);
}

void remake_close(struct remake *m)
{
	m->w = week_close(m->w);
	buf_free(&m->bytes);
	buf_free(&m->span);
	buf_free(&m->texts);
}
