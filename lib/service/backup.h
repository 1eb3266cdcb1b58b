/* backup.h - local copies of the week's book, each verified before it has its name. Service floor, on week, integrity.
 * DIR/<YYYYMMDDTHHMMSS.mmmZ>/ holds bets_YYYY_wWW.db and meta.db, compacted: a data folder as it stands, ready to be used as one.
 * Always true: a folder with such a name was written whole, synced, opened again, and passed every audit; what is in the making
 *   is called .partial-*, and left over only by a crash (the next one clears it). One maker at a time, by a lock in DIR.
 * Thread: one owner. Holds no writer up. */
#ifndef TAP_BACKUP_H
#define TAP_BACKUP_H

#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "integrity.h"
#include "settings.h"

enum { BACKUP_PATH_MAX = 320 };
enum { BACKUP_E_BAD = 1, BACKUP_E_BUSY, BACKUP_E_FULL };

struct backup {
	char path[BACKUP_PATH_MAX];
	int64_t bytes, took_ms;
	struct integrity found; /* in the copy */
};

/* RFC 3339's basic form: a name without colons that sorts by time. */
enum { BACKUP_STAMP_SIZE = 21 }; /* 20261121T033000.123Z */
void backup_stamp(char out[BACKUP_STAMP_SIZE], int64_t ms);
/* TAP_BACKUP_DIR, or backups/ in the data folder. */
void backup_dir(const struct settings *s, char out[BACKUP_PATH_MAX]);
/* 0; BACKUP_E_BAD: the copy failed its audits (found.finding says how) and was removed; BACKUP_E_BUSY: another is made just
 * now; BACKUP_E_FULL: no room; STORE results of the opening are <0 here: there is no book to copy is -ENOENT. */
MUST_CHECK int backup_make(const char *data_dir, const char *dir, int64_t now_ms, struct backup *ret);
/* Removes the oldest beyond `keep`. */
MUST_CHECK int backup_prune(const char *dir, int64_t keep);
/* When the newest was made: 0; 1 when there is none. */
MUST_CHECK int backup_newest(const char *dir, int64_t *ret_ms);
/* The sizes of the files that lie in a folder, not of those below it; 0 for one that cannot be read. */
int64_t backup_bytes_in(const char *dir);

#endif
