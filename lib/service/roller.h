/* roller.h - a thread that ends the week when it is over, and after an upgrade brings past weeks' files to its version. Service floor, on
 * week.
 * Every daemon that writes to the book may have one: who comes first rolls, the others find it done. It works on a handle of its
 * own, so its owner goes on writing; each writer sees the new file with its next transaction. patience_ms: for how long the week
 * must have been over by our clock before this one rolls (who has the least is first, and a clock that jumps for a moment ends
 * no week). Thread: start and stop have one owner; cb is called on the roller's own. */
#ifndef TAP_ROLLER_H
#define TAP_ROLLER_H

#include <stdint.h>

#include "attr.h"
#include "week.h"

enum {
	ROLLER_PATIENCE_API_MS = 1000,
	ROLLER_PATIENCE_RESOLVER_MS = 8000, /* the api is down then */
	ROLLER_RETRY_MS = 30000
};

struct roller;
/* result: 0, the week is the new one; WEEK_E_FULL or <0 (err.h has the sentence): tried again after ROLLER_RETRY_MS. */
typedef void roller_cb(void *u, int result, struct clk_week week, const struct week_rolled *rolled);
MUST_CHECK int roller_start(struct roller **ret, const char *dir, int64_t patience_ms, roller_cb *cb, void *u);
struct roller *roller_stop(struct roller *r); /* waits for a roll that runs */

#endif
