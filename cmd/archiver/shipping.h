/* shipping.h - the thread that keeps the object store level with the book, a turn each second. Without an endpoint there is none.
 * Thread: shipping_report from any. */
#ifndef TAP_ARCHIVER_SHIPPING_H
#define TAP_ARCHIVER_SHIPPING_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "settings.h"
#include "shipper.h"

enum { SHIPPING_EACH_MS = 1000, SHIPPING_RETRY_MS = 2000, SHIPPING_SEGMENTS = 50, SHIPPING_STUCK_MS = 600000 };

struct shipping;
MUST_CHECK int shipping_start(struct shipping **ret, const struct settings *s);
struct shipping *shipping_stop(struct shipping *sh);

struct shipping_report {
	struct shipper_report shipper;
	bool failing;          /* the last turn met weather */
	bool stopped;          /* for good: see text */
	char text[256];        /* of the failure; "" when all is well */
	uint64_t failures;
	int64_t busy_since_ms; /* monotonic; 0: idle */
};
void shipping_report(struct shipping *sh, struct shipping_report *ret);

#endif
