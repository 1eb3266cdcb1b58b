#include "session_keys.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "err.h"
#include "ledger_impl.h"

int session_keys_find(struct store *db, int64_t user, const struct wallet *address, struct session_key *ret)
{
	struct stmt *st = store_stmt(db, "SELECT id, player_column, player_open, expires_at FROM session_keys"
			" WHERE user = ?1 AND address = ?2 ORDER BY id DESC LIMIT 1");
	stmt_int(st, 1, user);
	stmt_blob(st, 2, address->b, WALLET_SIZE);
	int r = stmt_step(st);
	if (r <= 0)
		return r < 0 ? err_trace(r) : SESSION_KEYS_E_ABSENT;
	*ret = (struct session_key){ .id = stmt_col_int(st, 0), .address = *address,
		.caps = { money_of(stmt_col_int(st, 1)), money_of(stmt_col_int(st, 2)) }, .expires_ms = stmt_col_int(st, 3) };
	stmt_reset(st);
	return 0;
}

static void tighten(struct money *cap, struct money other)
{
	if (money_cmp(other, *cap) < 0)
		*cap = other;
}

static int insert(struct store *db, int64_t user, struct session_key *k)
{
	struct stmt *st = store_stmt(db, "INSERT INTO session_keys(user, address, player_column, player_open, expires_at)"
			" VALUES (?1, ?2, ?3, ?4, ?5)");
	stmt_int(st, 1, user);
	stmt_blob(st, 2, k->address.b, WALLET_SIZE);
	stmt_int(st, 3, k->caps.column.micros);
	stmt_int(st, 4, k->caps.open.micros);
	stmt_int(st, 5, k->expires_ms);
	int r = ledger_must(stmt_run(st), "session key");
	if (r < 0)
		return err_trace(r);
	k->id = store_last_rowid(db);
	return err_trace(seal_in(db, SEAL_KEY, k->id));
}

int session_keys_put(struct store *db, struct account *a, const struct wallet *address, const struct key_caps *caps,
		int64_t now_ms, int64_t expires_ms, struct session_key *ret)
{
	struct session_key before;
	struct session_key k = { .address = *address, .caps = *caps, .expires_ms = expires_ms };
	int r = session_keys_find(db, a->user, address, &before);
	if (r < 0)
		return err_trace(r);
	if (r == 0 && before.expires_ms > now_ms) {
		tighten(&k.caps.column, before.caps.column);
		tighten(&k.caps.open, before.caps.open);
		k.expires_ms = before.expires_ms > expires_ms ? before.expires_ms : expires_ms;
	}
	r = insert(db, a->user, &k);
	if (r < 0)
		return err_trace(r);
	struct stmt *st = store_stmt(db, "UPDATE users SET keys_row = ?2 WHERE id = ?1");
	stmt_int(st, 1, a->user);
	stmt_int(st, 2, k.id);
	a->keys_row = k.id;
	*ret = k;
	return ledger_must(stmt_run(st), "account's session key");
}

int session_keys_is(struct store *db, int64_t id, int64_t user, const struct wallet *address)
{
	struct stmt *st = store_stmt(db, "SELECT 1 FROM session_keys WHERE id = ?1 AND user = ?2 AND address = ?3");
	stmt_int(st, 1, id);
	stmt_int(st, 2, user);
	stmt_blob(st, 3, address->b, WALLET_SIZE);
	int r = stmt_step(st);
	if (r < 0)
		return err_trace(r);
	stmt_reset(st);
	return r == STMT_ROW ? 0 : SESSION_KEYS_E_ABSENT;
}

/* The first value of the query's only row; 0 without one. */
static int look(struct stmt *st, int64_t *ret)
{
	int r = stmt_step(st);
	*ret = 0;
	if (r <= 0)
		return err_trace(r);
	*ret = stmt_col_int(st, 0);
	stmt_reset(st);
	return 0;
}

int session_keys_audit(struct store *db, struct session_keys_audit *ret)
{
	int64_t user, bet;
	*ret = (struct session_keys_audit){ 0 };
	int r = look(store_stmt(db, "SELECT count(*) FROM session_keys"), &ret->keys);
	if (r == 0)
		r = look(store_stmt(db, "SELECT u.id FROM users u WHERE u.keys_row <>"
				" coalesce((SELECT max(k.id) FROM session_keys k WHERE k.user = u.id), 0) LIMIT 1"), &user);
	if (r == 0 && user != 0) {
		(void) snprintf(ret->finding, sizeof ret->finding, "user %" PRId64 ": its newest session key is another", user);
		return 1;
	}
	if (r == 0)
		r = look(store_stmt(db, "SELECT b.t0 FROM bets b WHERE b.signer <> 0 AND NOT EXISTS(SELECT 1 FROM session_keys k"
				" WHERE k.id = b.signer AND k.user = b.user) LIMIT 1"), &bet);
	if (r == 0 && bet != 0) {
		(void) snprintf(ret->finding, sizeof ret->finding, "a bet of column %" PRId64 " was signed by no key of its user", bet);
		return 1;
	}
	return err_trace(r);
}
