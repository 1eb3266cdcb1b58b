/* archive.h - closed weeks in the object store, for ever: sent, fetched back, compared; then, after the weeks that are kept, gone from
 * here; and brought back for a dispute. Service floor, on week, book_press, s3, zst. docs/adr/0025 has the format and the level.
 * A week's way: VACUUM INTO, synced, quick_check -> pressed (book_press.h), thawed and compared; what does not come back row by row goes
 *   as it is -> zstd, synced -> bets/bets_2026_w47.db.zst, STANDARD_IA, in parts when it is long ->
 *   fetched back and unpacked to the same SHA-256 -> recorded in meta.db and its audit log. Each step is recorded once it is done
 *   (week_archives.h): whoever comes next goes on from there, after whatever end.
 * Always true: no local file of a week is removed before the object in the store was fetched, whole, and unpacked to the bytes whose
 *   hash is recorded, in the same call that removes it; no object that somebody else put there is written over.
 * Work files are DIR/archive/; a lock in it lets one work at a time. Memory is bounded, whatever the week's size. All of the
 *   work runs on a thread that takes cpu_percent of one processor at most, half a millisecond at a time, and bytes_per_second of the
 *   disk, a quarter of a MiB at a time, so that no one else's sync finds more before it; transfers keep to the s3 settings' bandwidth.
 * Thread: the week's owner. Results: 0; ARCHIVE_E_*, with a sentence in err_text(); <0 weather (-ECANCELED: told to stop). */
#ifndef TAP_ARCHIVE_H
#define TAP_ARCHIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "s3.h"
#include "settings.h"
#include "week.h"
#include "week_archives.h"

enum {
	ARCHIVE_E_BUSY = 20,   /* another works here just now */
	ARCHIVE_E_OFF,         /* no endpoint is configured */
	ARCHIVE_E_ABSENT,      /* no such week, or it is not archived */
	ARCHIVE_E_CURRENT,     /* the week is not closed */
	ARCHIVE_E_BAD,         /* the week's file here fails its check */
	ARCHIVE_E_REFUSED,     /* the endpoint does not let us: credentials, bucket, quota */
	ARCHIVE_E_TAMPERED,    /* what is in the store is not what was archived: the sentence names the place */
	ARCHIVE_E_FULL         /* this disk is */
};

struct archive_conf {
	const char *data_dir;
	struct s3_conf s3;
	int64_t level, window_log;
	int64_t cpu_percent;                 /* of one processor, at most */
	int64_t bytes_per_second;            /* read from and written to this machine's disk, at most; 0: no bound */
	int64_t multipart_bytes, part_bytes; /* longer objects are sent in parts of that size */
	int64_t keep_weeks;                  /* from a week's end, or its last fetch, to its purge */
	/* Told of each step when it is done and recorded, "2026_w47: packed"; may be NULL. */
	void (*step)(void *u, const char *text);
	/* Told of each step when it begins, "2026_w47: being packed"; may be NULL. */
	void (*begins)(void *u, const char *text);
	/* Told, on another thread too, whenever the step at hand came on: bytes were read or written here, perhaps none while something was
	 * reckoned; may be NULL. What goes over the line is told to .s3.moved. */
	void (*moved)(void *u, int64_t bytes);
	void *u;
};
/* stopping and moved of .s3, .step, .begins and .moved are the caller's to set. */
void archive_conf(const struct settings *s, struct archive_conf *ret);

struct archive_done {
	int64_t verified, purged;            /* weeks, by this call */
	int64_t waiting;                     /* closed weeks that are here and not yet verified, after it */
};
/* Every closed week that is due goes as far as it can. A week that is BAD or TAMPERED lets the others go on; its result is told in the
 * end. */
MUST_CHECK int archive_run(const struct archive_conf *conf, struct week *w, int64_t now_ms, struct archive_done *ret);
/* The week's file is here afterwards, compared, checked, and brought to this program's version; readers find it with their next look.
 * 0 also when it was here. */
MUST_CHECK int archive_fetch(const struct archive_conf *conf, struct week *w, struct clk_week week, int64_t now_ms);

/* Closed weeks and how far each has come, newest first. */
typedef bool archive_cb(void *u, const struct week_info *info, const struct week_archive *a);
MUST_CHECK int archive_list(struct week *w, archive_cb *cb, void *u);
/* bets/bets_2026_w47.db.zst */
enum { ARCHIVE_KEY_SIZE = 64 };
void archive_key(char out[ARCHIVE_KEY_SIZE], struct clk_week week);

#endif
