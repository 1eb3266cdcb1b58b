/* remote.h - what the archiver's jobs do with the object store beside shipping: a snapshot of each hour's backup, and once a week the
 * drill: a restore into a scratch folder, audited, which says how old it would be (RPO) and how long it took (RTO).
 * The drill's schedule and verdict outlive a restart in `drill.last` beside the backups.
 * Thread: the jobs' own. `stopping` is asked while they work. */
#ifndef TAP_ARCHIVER_REMOTE_H
#define TAP_ARCHIVER_REMOTE_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "settings.h"
#include "ship_place.h"

typedef bool remote_stopping(void *u);

/* The place's week has no snapshot yet: nothing of it could be restored. */
bool remote_snapshot_wanted(const struct settings *s);
/* A week was archived since the newest snapshot: a restore from that one would not know of it, and archive the week again. */
bool remote_archive_is_newer(const struct settings *s);
/* folder: a backup that was begun after `place` was read. */
MUST_CHECK int remote_snapshot(const struct settings *s, const char *folder, const struct ship_place *place, int64_t now_ms,
		remote_stopping *stopping, void *u);

struct drill {
	int64_t at_ms;            /* 0: never */
	bool good;
	int64_t rpo_ms, rto_ms;   /* of the last good one */
	int64_t good_ms;
};
/* 1: none is known. */
MUST_CHECK int remote_drill_read(const char *dir, struct drill *ret);
/* *d is brought up to date, and noted in dir, whichever way it went. <0: it failed, with a sentence. REMOTE_PUT_OFF, nothing noted: a week
 * began meanwhile, or shipping did, and the snapshot without which it cannot be restored is yet to be made. */
enum { REMOTE_PUT_OFF = 1 };
MUST_CHECK int remote_drill(const struct settings *s, const char *dir, int64_t now_ms, remote_stopping *stopping, void *u,
		struct drill *d);

#endif
