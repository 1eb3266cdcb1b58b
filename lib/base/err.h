/* err.h - how failure travels. Base floor.
 * 0 is done; a positive value is an expected result that the caller handles (declared by each module as X_E_...); a negative
 * errno is fatal for the operation and is passed up. The lowest function that knows more than the number leaves a sentence with
 * err_say(); each err_trace() on the way up leaves its place. The daemon logs both once (log_errno) and clears them.
 * Thread: all state is the calling thread's own. */
#ifndef TAP_ERR_H
#define TAP_ERR_H

#include "attr.h"

enum { ERR_TEXT_MAX = 384 };

/* Returns r. Use at each hand-over of a negative result. */
#define err_trace(r) err_trace_at((r), __FILE__, __LINE__)
int err_trace_at(int r, const char *file, int line);

/* Replaces the thread's sentence and its places; returns r, so that `return err_say(-EIO, "...")` reads well. */
PRINTF_LIKE(2, 3) int err_say(int r, const char *fmt, ...);

/* The sentence and the places, "" when there are none. Valid until the thread's next err_ call. */
const char *err_text(void);
void err_clear(void);

#endif
