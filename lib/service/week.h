/* week.h - which file is the week's, and the transactions over it. Service floor, on store, ledger, book.
 * DIR/bets_<ISO year>_w<ISO week>.db holds the week's users, bets, ledger and columns; DIR/meta.db says which is current and which
 * were, and keeps the audit log, hash-chained.
 * Always true: one file is current; a writer works on the current one, because week_begin looks while it holds the gate (at the
 *   gate's epoch: one read of 8 bytes); a file is current only once it is whole and on disk; a closed file is never written.
 * Thread: one owner. Memory: week_open gives, week_close takes. */
#ifndef TAP_WEEK_H
#define TAP_WEEK_H

#include <stdbool.h>
#include <stddef.h>
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
/* The current file, for checkpoint and statistics; not inside a transaction of it. Borrowed until the next week_begin. */
struct store *week_store(struct week *w);
struct clk_week week_current(const struct week *w);
int64_t week_opened_ms(const struct week *w); /* when the current file was made */
/* bets_2026_w47.db */
enum { WEEK_NAME_SIZE = 32 };
void week_file_name(char out[WEEK_NAME_SIZE], struct clk_week week);

/* Operators' changes, with who and why, in meta.db's chained log. Outside a transaction of the week. 0, STORE_E_FULL, <0. */
MUST_CHECK int week_audit_log(struct week *w, const char *who, const char *what, const char *why, int64_t now_ms);
struct audit_row {
	int64_t id, at_ms;
	const char *who, *what, *why; /* live inside the callback */
};
typedef bool audit_cb(void *u, const struct audit_row *row);
/* Rising, from the first; the chain is checked on the way: 0 whole, 1 broken, with the finding. cb may be NULL. */
MUST_CHECK int week_audit_read(struct week *w, audit_cb *cb, void *u, char *finding, size_t size);

#endif
