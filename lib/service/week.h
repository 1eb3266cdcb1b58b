/* week.h - which file is the week's, and the transactions over it. Service floor, on store, ledger, book.
 * DIR/bets_<ISO year>_w<ISO week>.db holds the week's users, bets, ledger and columns; DIR/meta.db says which is current (its
 * generation grows), what was archived, and keeps the audit log, hash-chained.
 * Always true: one file is current; a writer works on the current generation, because week_begin looks while it holds the
 *   gate. Thread: one owner. Memory: week_open gives, week_close takes. */
#ifndef TAP_WEEK_H
#define TAP_WEEK_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "clk.h"
#include "store.h"

struct week;

/* WRITE makes the directory's files when there are none (the current week's). READ: STORE_E_ABSENT while there are none. */
MUST_CHECK int week_open(struct week **ret, const char *dir, enum store_mode mode, int64_t now_ms);
struct week *week_close(struct week *w);

/* The current week's store inside a transaction (WRITE: under the gate). 0, or <0, or STORE_E_FULL. */
MUST_CHECK int week_begin(struct week *w, struct store **ret_db);
MUST_CHECK int week_commit(struct week *w);
void week_rollback(struct week *w);
/* The current file, for checkpoint and statistics; not inside a transaction of it. */
struct store *week_store(struct week *w);
struct clk_week week_current(const struct week *w);
int64_t week_opened_ms(const struct week *w); /* when the current file was made */

/* Operators' changes, with who and why, in meta.db's chained log. Outside a transaction of the week. */
MUST_CHECK int week_audit_log(struct week *w, const char *who, const char *what, const char *why, int64_t now_ms);

#endif
