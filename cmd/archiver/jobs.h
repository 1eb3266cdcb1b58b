/* jobs.h - the archiver's periodic works, on a thread of their own: a verified backup (and, with an object store, its snapshot there),
 * the integrity check, and the drill.
 * The schedule outlives a restart: the newest backup's name says when it was made, and `integrity.last` beside the backups says
 * when the book was checked and what was found. Thread: jobs_report from any. */
#ifndef TAP_ARCHIVER_JOBS_H
#define TAP_ARCHIVER_JOBS_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "backup.h"
#include "remote.h"
#include "settings.h"

enum {
	JOBS_START_MS = 3000,   /* the daemons that make the book come up first */
	JOBS_RETRY_MS = 30000,  /* after a failure, or while there is no book */
	JOBS_STUCK_MS = 7200000 /* a job that takes longer hangs */
};

struct jobs;
/* Nothing is due before first_after_ms from now. */
MUST_CHECK int jobs_start(struct jobs **ret, const struct settings *s, int64_t first_after_ms);
struct jobs *jobs_stop(struct jobs *j); /* waits for the job that runs */

struct jobs_report {
	int64_t backup_ms;       /* when the newest good one was made; 0: never */
	int64_t backup_bytes, backup_took_ms;
	uint64_t backups, backup_failures;
	bool backup_failing;     /* the last try went wrong */
	bool checked;            /* integrity is known */
	int64_t checked_ms;
	bool integrity_ok;
	char finding[320];
	uint64_t checks, check_failures; /* failures: could not be looked at */
	int64_t check_took_ms;
	int64_t snapshot_ms;     /* the newest in the object store; 0: none */
	uint64_t snapshot_failures;
	struct drill drill;
	char drill_failure[256]; /* of the last one */
	int64_t busy_since_ms;   /* monotonic; 0: idle */
};
void jobs_report(struct jobs *j, struct jobs_report *ret);

#endif
