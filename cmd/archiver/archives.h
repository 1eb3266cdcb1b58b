/* archives.h - the archiver's weekly work, on a thread of its own beside jobs: looks each few seconds whether a closed week is to be
 * archived or purged (meta.db says how far each has come, so a restart or a missed time changes nothing), and tries again what met
 * weather. Thread: archives_report from any. */
#ifndef TAP_ARCHIVER_ARCHIVES_H
#define TAP_ARCHIVER_ARCHIVES_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "settings.h"

enum {
	ARCHIVES_START_MS = 3000,
	ARCHIVES_LOOK_MS = 5000,
	ARCHIVES_RETRY_MS = 60000,
	ARCHIVES_STILL_MS = 10000 /* a step that comes no further for as long is told as a problem, while it is still tried */
};

struct archives;
/* Nothing is looked at before first_after_ms from now. */
MUST_CHECK int archives_start(struct archives **ret, const struct settings *s, int64_t first_after_ms);
struct archives *archives_stop(struct archives *a); /* ends what runs; it goes on where it was */

struct archives_report {
	bool on;                 /* an endpoint is configured */
	int64_t verified_ms;     /* when a week was last archived and compared; 0: never */
	int64_t waiting;         /* closed weeks that are here and not yet archived */
	int64_t failing_since_ms; /* wall; 0: the last try went well */
	char problem[320];       /* of it */
	uint64_t verified, purged, failures;
	char step[64];           /* at hand, "2026_w47: being sent"; "": none */
	int64_t step_since_ms;   /* wall */
	int64_t still_ms;        /* since it last came on */
	uint64_t moved_bytes;    /* read, written, sent and received, since the start */
};
void archives_report(struct archives *a, struct archives_report *ret);

#endif
