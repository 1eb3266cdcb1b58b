/* What a new week's file takes over of what players allowed and forbade: rows that are only ever added, so that a later pass brings
 * those that came after the first. */
#include "err.h"
#include "limits_book_impl.h"
#include "week_roll_impl.h"

enum { KEY_SLACK_MS = 3600000 };

/* st's rows, whose first column is their id, with `columns` columns. The insert is asked for anew for each. */
static int copy(struct roll *r, struct stmt *st, const char *insert, int columns, int64_t *last, enum seal_kind kind)
{
	int got;
	while ((got = stmt_step(st)) == STMT_ROW) {
		struct stmt *to = store_stmt(r->to, insert);
		roll_bind_row(st, to, columns);
		*last = stmt_col_int(st, 0);
		got = ledger_must(stmt_run(to), "carried limit or session key");
		if (got == 0)
			got = seal_add_row(&r->sealed, kind, st);
		if (got < 0) {
			stmt_reset(st);
			break;
		}
	}
	return err_trace(got);
}

int roll_bring_limits(struct roll *r)
{
	static const char insert[] = "INSERT INTO player_limits(" LIMITS_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
	struct stmt *st = store_stmt(r->from, "SELECT " LIMITS_COLUMNS " FROM player_limits WHERE id > ?1 ORDER BY id");
	stmt_int(st, 1, r->limits_until);
	return copy(r, st, insert, 8, &r->limits_until, SEAL_LIMIT);
}

/* Those that live, those that signed a bet that is open, and each user's newest, which its account names. */
int roll_bring_keys(struct roll *r)
{
	static const char insert[] = "INSERT INTO session_keys(id, user, address, player_column, player_open, expires_at)"
		" VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
	struct stmt *st = store_stmt(r->from, "SELECT id, user, address, player_column, player_open, expires_at FROM session_keys"
			" WHERE id > ?1 AND (expires_at > ?2 OR id IN (SELECT keys_row FROM users) OR id IN (SELECT signer FROM bets"
			" WHERE t0 > (SELECT settled_until FROM book) AND status = 1)) ORDER BY id");
	stmt_int(st, 1, r->keys_until);
	stmt_int(st, 2, r->now_ms - KEY_SLACK_MS);
	return copy(r, st, insert, 6, &r->keys_until, SEAL_KEY);
}
