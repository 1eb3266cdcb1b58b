/* shipper.h - keeps the object store level with the book: a segment for whatever is new. Service floor, on book_ship, segment, s3.
 * Where it stands is recorded (ship_place.h); what is new lies in the book: so there is no queue, and an endpoint that was away for an hour
 * is made up for segment by segment, each of about SHIPPER_ROWS rows at most.
 * Always true: a segment is written once (If-None-Match): who finds that its number is taken compares, goes on when it is what he would
 *   have told himself (he died before he noted it), and stops for good when it is not: then another archiver ships here, or the bucket
 *   is of another book. One shipper for a data folder, by a lock in it.
 * Reads the book through READ connections: no writer waits. Thread: one owner. */
#ifndef TAP_SHIPPER_H
#define TAP_SHIPPER_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "s3.h"
#include "settings.h"
#include "ship_place.h"

enum {
	SHIPPER_ROWS = 20000,
	SHIPPER_E_BUSY = 1, /* another process ships this data folder */
	SHIPPER_E_NO_BOOK,  /* there is none yet */
	SHIPPER_E_OTHER     /* see above: for good, with a sentence */
};

struct shipper;
/* stopping of conf is asked while it works. Borrowed: s. */
MUST_CHECK int shipper_open(struct shipper **ret, const struct settings *s, const struct s3_conf *conf);
struct shipper *shipper_close(struct shipper *sh);
DEFINE_CLEANUP(struct shipper, shipper_close)

/* The operator's word, on one that was just opened, where the place is not found in the book any more (an older copy of it, a version
 * gone down): shipping begins at the book's end, beyond what is in the bucket (ship_beyond.h), and from a snapshot yet to be made. */
MUST_CHECK int shipper_begin_anew(struct shipper *sh, struct ship_place *ret);

struct shipper_report {
	struct ship_place place;
	bool placed;
	uint64_t segments, bytes, rows, bets;
};
/* Ships until there is nothing new, at most `segments` of them. 0: level with the book as it was at the call, or that many were sent
 * (*ret_more). <0: weather; try again. */
MUST_CHECK int shipper_turn(struct shipper *sh, int segments, bool *ret_more);
void shipper_report(const struct shipper *sh, struct shipper_report *ret);

#endif
