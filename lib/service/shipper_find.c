/* Where to go on: what was noted here, or else what the bucket says; and whether this book has ever been there. */
#include "shipper_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ship_beyond.h"
#include "snapshot.h"

int shipper_stop(struct shipper *sh, const char *what)
{
	char why[ERR_TEXT_MAX];
	(void) snprintf(why, sizeof why, "%.200s", err_text());
	sh->stopped = true;
	(void) snprintf(sh->why, sizeof sh->why, "%s%s%.200s", what, why[0] ? ": " : "", why);
	(void) err_say(0, "%s", sh->why);
	return SHIPPER_E_OTHER;
}

int shipper_save(struct shipper *sh)
{
	return err_trace(ship_place_write(sh->s->data_dir.v, &sh->place));
}

void shipper_look_for_base(struct shipper *sh)
{
	struct clk_week week;
	int64_t ms;
	if (!sh->place.based && snapshot_note_read(sh->s->data_dir.v, &ms, &week) == 0)
		sh->place.based = same_week(week, sh->place.week);
}

int shipper_check_place(struct shipper *sh, struct clk_week week, const struct book_pos *at)
{
	struct store *db;
	int r = shipper_enter_book(sh, week, &db);
	if (r == -ENOENT)
		return BOOK_SHIP_E_OTHER;
	if (r == 0)
		r = book_pos_check(db, at);
	shipper_leave_book(sh);
	return r;
}

int shipper_fetch(struct shipper *sh, int64_t number, struct segment *ret, struct hash *hash)
{
	char key[SEGMENT_KEY_SIZE];
	segment_key(key, SHIP_PREFIX, number);
	buf_clear(&sh->got);
	int r = ship_s3(s3_get_buf(sh->s3, key, &sh->got, NULL), key);
	return r == 0 ? segment_read(sh->got.p, sh->got.n, ret, hash, &sh->unpacked) : err_trace(r);
}

struct ship_place shipper_after(const struct segment *s, const struct hash *hash)
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
	int r = shipper_open_book(sh);
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
		r = shipper_save(sh);
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
		return shipper_stop(sh, "the bucket's newest snapshot is damaged");
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
		r = shipper_fetch(sh, last.number, &s, &hash);
		if (r == -EBADMSG)
			return shipper_stop(sh, "the bucket's newest segment is damaged");
		if (r < 0)
			return err_trace(r);
		sh->place = shipper_after(&s, &hash);
	}
	sh->place.based = has_snapshot && same_week(snapshot.place.week, sh->place.week);
	return 0;
}

int shipper_find_place(struct shipper *sh)
{
	int r = ship_place_read(sh->s->data_dir.v, &sh->place);
	if (r == SHIP_PLACE_E_ABSENT)
		r = find_in_bucket(sh);
	if (r == 0)
		r = shipper_check_place(sh, sh->place.week, &sh->place.at);
	if (r == BOOK_SHIP_E_OTHER)
		return shipper_stop(sh, "the bucket holds the backups of another book");
	if (r == 0)
		r = shipper_save(sh);
	sh->placed = r == 0;
	return err_trace(r);
}
