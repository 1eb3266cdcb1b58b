/* waiting.h - the withdrawals that wait for the operator, counted for /metrics: an account was debited, and nobody was paid yet.
 * Thread: the operations port's alone. */
#ifndef TAP_ARCHIVER_WAITING_H
#define TAP_ARCHIVER_WAITING_H

#include "buf.h"
#include "settings.h"

/* Looked up at most each WAITING_FRESH_MS; while there is no book, or it cannot be read, nothing is written. */
enum { WAITING_FRESH_MS = 15000 };
void waiting_metrics(struct buf *out, const struct settings *s);

#endif
