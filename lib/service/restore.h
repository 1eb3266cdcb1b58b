/* restore.h - from the object store back to a data folder: the newest snapshot, the segments after it made again, everything audited.
 * Service floor, on snapshot, segment, book_ship, integrity.
 * Always true: nothing that is there is touched: DIR holds no book, or it is refused; what is made is made aside, in DIR/.restore, and
 *   moved to its names only when it passed every audit, meta.db last; an earlier try that was cut short is cleared. A byte that
 *   was changed, a segment that is missing or stands in another's place, is refused and named.
 * A closed week that was not archived comes back too, from its own newest snapshot and the segments up to its end, which must be where
 *   the next week begins. What stays behind in the store is said (`lost`); shipping then goes on beyond it, from a new snapshot on.
 * What it cannot see by nature: that the newest segments of all were taken away; who has the newest moment of what he was told
 *   compares it with as_of_ms.
 * Thread: one owner. */
#ifndef TAP_RESTORE_H
#define TAP_RESTORE_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "integrity.h"
#include "s3.h"
#include "settings.h"
#include "snapshot.h"

enum {
	RESTORE_E_EXISTS = 1, /* there is a book already */
	RESTORE_E_ABSENT,     /* there is no snapshot */
	RESTORE_E_TAMPERED,   /* the sentence names the object */
	RESTORE_E_DRIFT,      /* what was made fails an audit */
	RESTORE_E_FULL
};

struct restore_conf {
	const struct settings *s;
	struct s3 *s3;
	const struct s3_conf *s3_conf; /* that of s3, for connections that fetch ahead; its `stopping` is asked from their threads too */
	const char *stamp;    /* of the snapshot to begin with; "": the newest */
	bool accept_loss;     /* a segment that is damaged or missing ends it there, instead of refusing it all */
	bool scratch;         /* a drill: only made and audited; the caller removes the folder */
	void (*step)(void *u, const char *text); /* may be NULL */
	void *u;
};

struct restored {
	char stamp[SNAPSHOT_STAMP_SIZE];
	struct clk_week week;
	struct ship_place place;     /* where it stands */
	int64_t segments, segment_bytes;
	int64_t book_bytes;          /* the files as they were made */
	int64_t fetch_ms, replay_ms, audit_ms;
	int64_t past_weeks;          /* closed weeks that were brought back */
	char lost[640];              /* what is in the store and is not in the books, why, and of which time; "" nothing */
	struct integrity found;      /* in the current week's book */
};
/* Removes a folder of plain files, such as a drill leaves; 0 also when it is not there. */
MUST_CHECK int restore_clear(const char *path);
MUST_CHECK int restore_run(const struct restore_conf *conf, const char *dir, int64_t now_ms, struct restored *ret);

#endif
