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
#include "book.h"
#include "book_quotes.h"
#include "clk.h"
#include "ledger.h"
#include "store.h"

struct week;

/* WRITE makes the directory's files when there are none (the current week's). READ: STORE_E_ABSENT while there are none. */
MUST_CHECK int week_open(struct week **ret, const char *dir, enum store_mode mode, int64_t now_ms);
struct week *week_close(struct week *w);

/* meta.db's WAL moves into its file; for whom store_checkpointer lets. Outside a transaction. */
MUST_CHECK int week_checkpoint_meta(struct week *w);

/* The current week's store inside a transaction (WRITE: under the gate). 0, or <0, or STORE_E_FULL. */
MUST_CHECK int week_begin(struct week *w, struct store **ret_db);
MUST_CHECK int week_commit(struct week *w);
void week_rollback(struct week *w);
/* A look at the file that the newest week_begin found, over a read-only connection of its own: one snapshot, which holds no writer up.
 * Also inside a transaction of the week, whose changes it does not see. Ended by week_look_end. Results as week_begin's. */
MUST_CHECK int week_look_begin(struct week *w, struct store **ret_db);
void week_look_end(struct week *w);
/* The current file, for checkpoint and statistics; not inside a transaction of it. Borrowed until the next week_begin. */
struct store *week_store(struct week *w);
/* meta.db, for a check of its pages; not inside a transaction of it. Borrowed until week_close. */
struct store *week_meta(struct week *w);
struct clk_week week_current(const struct week *w);
int64_t week_opened_ms(const struct week *w); /* when the current file was made */
/* bets_2026_w47.db */
enum { WEEK_NAME_SIZE = 32 };
void week_file_name(char out[WEEK_NAME_SIZE], struct clk_week week);

/* The week's end. The current file is closed as an accountant does it: a new one for the ISO week of now_ms gets the accounts
 * with their ids, an OPENING row for each balance, the bets that are open, and the newest columns; then it is current.
 * Most of it is copied while others write; only the last difference is made up under the gate (pause_us). Any process may
 * call it, on a WRITE handle of its own, outside a transaction; two at once are harmless.
 * 0 rolled; WEEK_E_CURRENT: the file is this week's (or a later one's: the clock was set back); WEEK_E_FULL: the disk is; <0. */
enum { WEEK_E_CURRENT = 1, WEEK_E_FULL = 12 };
struct week_rolled {
	int64_t accounts, openings, open_bets, pause_us;
};
bool week_is_over(const struct week *w, int64_t now_ms);
MUST_CHECK int week_roll(struct week *w, int64_t now_ms, struct week_rolled *ret);

/* Every week that was, the current one included, newest first. */
struct week_info {
	int64_t id;
	struct clk_week week;
	int64_t opened_ms, closed_ms; /* closed 0: current */
	bool local;                   /* its file is here */
};
/* 2026_w47: as the file's name spells it. */
enum { WEEK_LABEL_SIZE = 16 };
void week_label(char out[WEEK_LABEL_SIZE], struct clk_week week);
typedef bool week_cb(void *u, const struct week_info *info);
MUST_CHECK int week_list(struct week *w, week_cb *cb, void *u);
/* A closed week's file, read-only: the caller's to close. STORE_E_ABSENT: it is not here. */
MUST_CHECK int week_open_past(struct week *w, struct clk_week week, struct store **ret);

/* Brings past weeks' files to this program's version, one at a time, under DIR/next's gate, so that nobody waits: past files have no
 * other writer, and no reader while they are behind. Any process may call it, outside a transaction. 0, STORE_E_FULL or the like, <0. */
MUST_CHECK int week_bring_up_past(struct week *w);

/* Reading over all weeks that are here, newest first, inside the transaction of week_begin. As book_bets, ledger_list and the
 * like, but a row and a cursor also say of which week: they are week_cursor(week's id, row). A bet that was open at its week's end
 * is shown as a later week decided it. Weeks of the span that are not here are named in *ret_missing. */
enum { WEEKS_MISSING_MAX = 64 };
struct week_missing {
	struct clk_week weeks[WEEKS_MISSING_MAX];
	size_t n;
};
MUST_CHECK int week_bets(struct week *w, const struct bet_query *q, bet_cb *cb, void *u, bool *ret_more,
		struct week_missing *ret_missing);
MUST_CHECK int week_ledger(struct week *w, const struct ledger_query *q, ledger_cb *cb, void *u, bool *ret_more,
		struct week_missing *ret_missing);
MUST_CHECK int week_bet_by_id(struct week *w, const struct ulid *id, int64_t row_cents, struct bet *ret);
/* The column in the week that decided it; a copy that a later week carries on only when that file is not here.
 * *ret_db: the store that holds it, in a transaction, for book_evidence; valid until week_rollback. BOOK_E_ABSENT. */
MUST_CHECK int week_column(struct week *w, int64_t t0_s, struct column *ret, struct store **ret_db);

/* The quotes of bets that were placed in [from_ms, to_ms] or so, of all weeks that are here, oldest first within a week; as book_quotes. */
MUST_CHECK int week_quotes(struct week *w, int64_t from_ms, int64_t to_ms, book_quote_cb *cb, void *u);

/* Operators' changes, with who and why, in meta.db's chained log; the book is told where the log ends. Outside a transaction of the
 * week. 0, STORE_E_FULL, <0. */
MUST_CHECK int week_audit_log(struct week *w, const char *who, const char *what, const char *why, int64_t now_ms);
struct audit_row {
	int64_t id, at_ms;
	const char *who, *what, *why; /* live inside the callback */
};
typedef bool audit_cb(void *u, const struct audit_row *row);
/* Rising, from the first; the chain is checked on the way, and that nothing is missing which the book knows of: 0 whole, 1 broken,
 * with the finding. cb may be NULL. Outside a transaction of the week. */
MUST_CHECK int week_audit_read(struct week *w, audit_cb *cb, void *u, char *finding, size_t size);
/* Those after a row, as they stand, at most limit. */
MUST_CHECK int week_audit_after(struct week *w, int64_t id, int64_t limit, audit_cb *cb, void *u);
/* The newest row's id; 0: none. */
MUST_CHECK int week_audit_newest(struct week *w, int64_t *ret);
/* A row that was logged before is logged again, without the book's anchor, which comes with the book: 0, also when it is there already;
 * WEEK_E_LOG: another stands in its place, or the one before it is missing. */
enum { WEEK_E_LOG = 2 };
MUST_CHECK int week_audit_again(struct week *w, const struct audit_row *row);

#endif
