/* snapshot.h - a whole, verified copy of the week's book in the object store, from which a restore goes on by segments.
 * Service floor, on s3, zst, backup, ship_place.
 * PREFIXsnapshots/<stamp>/ holds bets_YYYY_wWW.db.zst, meta.db.zst and, written last and once, `manifest`: lines of text.
 * First "tap-trading snapshot 1", then where shipping stood when the copy was begun (ship_place.h), a line for each
 * file, `file NAME bytes sha256 bytes sha256` (as it is, and as it is stored), last `sha256` of all lines before.
 * Always true: what is in a snapshot passed every audit (backup.h); it holds at least what was shipped by the segment that it
 *   names, so that the segments after that one, made again over it, lead on without a gap.
 * Thread: one owner of the s3. Memory: bounded. */
#ifndef TAP_SNAPSHOT_H
#define TAP_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "backup.h"
#include "s3.h"
#include "ship_place.h"

#define SHIP_PREFIX "backups/"
enum { SNAPSHOT_STAMP_SIZE = 24, SNAPSHOT_FILES = 2, SNAPSHOT_E_ABSENT = 1, SNAPSHOT_E_BAD };

struct snapshot_file {
	char name[WEEK_NAME_SIZE];
	int64_t bytes, stored_bytes;
	struct hash hash, stored_hash;
};
struct snapshot {
	char stamp[SNAPSHOT_STAMP_SIZE];
	struct ship_place place;
	struct snapshot_file files[SNAPSHOT_FILES]; /* the week's book, meta.db */
};

/* Sends a backup's folder, whose name is the stamp; place: as shipping stood before the backup was begun. <0: s3's weather, or
 * a result of its own with a sentence. Again is harmless. */
MUST_CHECK int snapshot_put(struct s3 *s3, const char *folder, const struct ship_place *place, struct snapshot *ret);
/* The manifest of `stamp`; "": of the newest. SNAPSHOT_E_ABSENT; SNAPSHOT_E_BAD with the place. */
MUST_CHECK int snapshot_find(struct s3 *s3, const char *stamp, struct snapshot *ret);
/* The newest one of that week, which was closed at closed_ms; results as of snapshot_find. A damaged one is passed over. */
MUST_CHECK int snapshot_find_week(struct s3 *s3, struct clk_week week, int64_t closed_ms, struct snapshot *ret);
/* Its files into DIR, compared with the manifest and synced. SNAPSHOT_E_BAD with the place. */
MUST_CHECK int snapshot_fetch(struct s3 *s3, const struct snapshot *s, const char *dir);
/* Any positive result of s3 is passed up as <0 by the above, with a sentence. */
MUST_CHECK int ship_s3(int r, const char *key);

/* Of which week the newest snapshot of this data folder is, in DIR/ship.snapshot; 1: not known. */
MUST_CHECK int snapshot_note_read(const char *data_dir, int64_t *ret_ms, struct clk_week *ret);
MUST_CHECK int snapshot_note_write(const char *data_dir, int64_t ms, struct clk_week week);
MUST_CHECK int snapshot_note_forget(const char *data_dir);

#endif
