/* due.h - which column is decided next. On the book's reader; the moment is passed in.
 * Always true: columns are named in rising order, older open bets first, and none before its end plus the grace. At the start:
 *   on from the last recorded column; when that is over DUE_CATCH_UP_S ago, of the time between only columns that have ticks or
 *   open bets (the caller skips the others, see due_sparse); in an empty book, from the column that is running.
 * One owner. */
#ifndef TAP_RESOLVER_DUE_H
#define TAP_RESOLVER_DUE_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "week.h"

enum { DUE_CATCH_UP_S = 900 };
enum { DUE_E_NONE = 1 };

struct due {
	struct week *book; /* a reader, borrowed */
	int64_t column_s, grace_ms;
	int64_t next_s;         /* the column after the newest one decided */
	int64_t sparse_until_s; /* before it, columns without ticks and bets are passed over */
	bool look_back;         /* there may be open bets before next_s */
};

MUST_CHECK int due_start(struct due *d, struct week *book, int64_t column_s, int64_t grace_ms, int64_t now_ms);
/* The column to decide now: 0, or DUE_E_NONE. */
MUST_CHECK int due_next(struct due *d, int64_t now_ms, int64_t *ret_t0_s);
/* It is decided (or was before). */
void due_done(struct due *d, int64_t t0_s);
/* When the next column is ripe, in wall time. */
int64_t due_ripe_ms(const struct due *d);

/* Between an old end and the start: the caller finds the first column at or after next_s that has ticks, or sparse_until_s. */
bool due_sparse(const struct due *d);
/* Goes on from there, or from an open bet that lies before it. */
MUST_CHECK int due_skip(struct due *d, int64_t to_s);

#endif
