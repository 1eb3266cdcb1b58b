/* restore_impl.h - one week's book while it is made again. Private to restore*.c. */
#ifndef TAP_RESTORE_IMPL_H
#define TAP_RESTORE_IMPL_H

#include "restore.h"

enum { RESTORE_PATH = 400 };

struct remake {
	const struct restore_conf *conf;
	char dir[RESTORE_PATH];    /* where: it is this one's alone */
	int64_t now_ms;
	bool past;                 /* a closed week: the first segment of another week is its end */
	struct week *w;            /* while it is made */
	char stamp[SNAPSHOT_STAMP_SIZE];
	struct ship_place place;   /* where it stands */
	int64_t segments, segment_bytes, fetch_ms, replay_ms;
	char lost[320];            /* why it does not go on, where the store does; "": it came to the end */
	struct buf bytes, span, texts;
	bool at_end;               /* what was fetched ahead is used up */
};
/* The snapshot, then the segments after it. 0: m->w is open, at m->place. Nothing is synced before remake_settle. */
MUST_CHECK int remake_run(struct remake *m, const struct snapshot *from);
/* The files are whole, closed and on disk. */
MUST_CHECK int remake_settle(struct remake *m);
void remake_close(struct remake *m);

PRINTF_LIKE(2, 3) void restore_tell(const struct restore_conf *conf, const char *fmt, ...);
int restore_fail(const char *path); /* of errno */

/* Every week that meta.db of m names as closed and not as archived, made again in DIR/past and moved into DIR, m's own folder: m->w is
 * open. What cannot be is told in `lost`. */
MUST_CHECK int restore_past(struct remake *m, struct restored *ret);

#endif
