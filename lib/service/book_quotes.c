#include "book_quotes.h"

#include <errno.h>
#include <stdlib.h>

#include "err.h"
#include "ledger_impl.h"

/* A quote's id is its t, but for the time after a clock was set back, in which the ids go on from where they were. */
enum { SET_BACK_MS = 86400000 };

int book_put_quote(struct store *db, int64_t quote_id, int64_t t_ms, const void *bytes, size_t n)
{
	struct stmt *st = store_stmt(db, "INSERT OR IGNORE INTO quotes(id, t, made) VALUES (?1, ?2, ?3)");
	stmt_int(st, 1, quote_id);
	stmt_int(st, 2, t_ms);
	stmt_blob(st, 3, bytes, n);
	return ledger_must(stmt_run(st), "quote");
}

int book_quotes(struct store *db, int64_t from_ms, int64_t to_ms, book_quote_cb *cb, void *u)
{
	struct quote_made *made = calloc(QUOTE_LOG_RUN, sizeof *made);
	if (!made)
		return -ENOMEM;
	struct stmt *st = store_stmt(db, "SELECT id, made FROM quotes WHERE id BETWEEN ?1 AND ?3 AND t BETWEEN ?1 AND ?2 ORDER BY id");
	stmt_int(st, 1, from_ms);
	stmt_int(st, 2, to_ms);
	stmt_int(st, 3, to_ms + SET_BACK_MS);
	int r;
	while ((r = stmt_step(st)) == STMT_ROW) {
		size_t len, n;
		const uint8_t *bytes = stmt_col_blob(st, 1, &len);
		if (!quote_log_decode(bytes, len, made, &n) || n != 1 || made->quote_id != stmt_col_int(st, 0)) {
			stmt_reset(st);
			r = err_say(-EBADMSG, "a row of quotes is no record of its quote");
			break;
		}
		if (!cb(u, made)) {
			stmt_reset(st);
			r = 0;
			break;
		}
	}
	free(made);
	return err_trace(r);
}
