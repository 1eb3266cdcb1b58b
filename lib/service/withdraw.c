#include "withdraw.h"

#include <errno.h>
#include <string.h>

#include "check.h"
#include "err.h"
#include "seal.h"

#define COLUMNS "id, ref, user, amount, dest, status, requested_at, decided_at, signed_at"

static const char *const names[WITHDRAW_STATES] = {
	[WITHDRAW_REQUESTED] = "requested",
	[WITHDRAW_APPROVED] = "approved",
	[WITHDRAW_REJECTED] = "rejected",
};

const char *withdraw_state_name(enum withdraw_state s)
{
	CHECK(s >= WITHDRAW_REQUESTED && s < WITHDRAW_STATES);
	return names[s];
}

bool withdraw_state_parse(enum withdraw_state *ret, const char *name)
{
	for (enum withdraw_state s = WITHDRAW_REQUESTED; s < WITHDRAW_STATES; s++) {
		if (strcmp(names[s], name) == 0) {
			*ret = s;
			return true;
		}
	}
	return false;
}

static int read_row(struct stmt *st, struct withdrawal *ret)
{
	size_t ref_n, dest_n;
	const char *ref = stmt_col_text(st, 1, &ref_n), *dest = stmt_col_text(st, 4, &dest_n);
	int64_t state = stmt_col_int(st, 5);
	*ret = (struct withdrawal){ .row = stmt_col_int(st, 0), .user = stmt_col_int(st, 2),
		.amount = money_of(stmt_col_int(st, 3)), .state = (enum withdraw_state) state,
		.requested_ms = stmt_col_int(st, 6), .decided_ms = stmt_col_int(st, 7) };
	if (!ref || !dest || !ulid_parse(&ret->id, ref, ref_n) || !wallet_parse(&ret->to, dest, dest_n) ||
			state < WITHDRAW_REQUESTED || state >= WITHDRAW_STATES)
		return err_say(-EBADMSG, "withdrawal %lld is damaged", (long long) ret->row);
	return 0;
}

static bool take_balance(void *u, const struct entry *e)
{
	((struct account *) u)->balance = e->balance_after;
	return false;
}

/* The balance that its own ledger row left, as it was answered first. */
static int first_balance(struct store *db, const struct withdrawal *w, struct account *after)
{
	char ref[ULID_TEXT_SIZE];
	bool more;
	ulid_format(ref, &w->id);
	struct ledger_query q = { .user = w->user, .from_ms = w->requested_ms, .to_ms = INT64_MAX,
		.ref_type = LEDGER_WITHDRAWAL, .ref_id = ref, .limit = 1 };
	return err_trace(ledger_list(db, &q, take_balance, after, &more));
}

int withdraw_replay(struct store *db, int64_t user, const struct withdraw *w, struct withdrawal *ret, struct account *after)
{
	struct stmt *st = store_stmt(db, "SELECT " COLUMNS " FROM withdrawals WHERE user = ?1 AND nonce = ?2");
	stmt_int(st, 1, user);
	stmt_blob(st, 2, w->nonce, NONCE_SIZE);
	int r = stmt_step(st);
	if (r <= 0)
		return err_trace(r);
	size_t n;
	const char *dest = stmt_col_text(st, 4, &n);
	bool same = dest && n == strlen(w->to_text) && memcmp(dest, w->to_text, n) == 0 &&
		stmt_col_int(st, 3) == w->amount.micros && stmt_col_int(st, 8) == w->timestamp_s;
	r = read_row(st, ret);
	stmt_reset(st);
	if (r < 0)
		return r;
	if (!same)
		return WITHDRAW_E_NONCE;
	r = first_balance(db, ret, after);
	return r < 0 ? r : WITHDRAW_E_REPLAYED;
}

static int insert(struct store *db, const struct withdrawal *made, const struct withdraw *w, const char *ref)
{
	struct stmt *st = store_stmt(db, "INSERT INTO withdrawals(ref, user, amount, dest, nonce, signed_at, status, requested_at,"
			" decided_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 1, ?7, 0)");
	stmt_text(st, 1, ref, strlen(ref));
	stmt_int(st, 2, made->user);
	stmt_int(st, 3, made->amount.micros);
	stmt_text(st, 4, w->to_text, strlen(w->to_text));
	stmt_blob(st, 5, w->nonce, NONCE_SIZE);
	stmt_int(st, 6, w->timestamp_s);
	stmt_int(st, 7, made->requested_ms);
	int r = stmt_run(st);
	if (r > 0)
		return err_say(r == STORE_E_FULL ? -ENOSPC : -EBADMSG, "withdrawal not written");
	return r == 0 ? err_trace(seal_in(db, SEAL_WITHDRAWAL, store_last_rowid(db))) : err_trace(r);
}

int withdraw_request(struct store *db, int64_t user, const struct withdraw *w, int64_t now_ms, struct withdrawal *ret,
		struct account *after)
{
	char ref[ULID_TEXT_SIZE];
	int r = ledger_account_by_id(db, user, after);
	if (r != 0)
		return r < 0 ? err_trace(r) : WITHDRAW_E_ABSENT;
	r = withdraw_replay(db, user, w, ret, after);
	if (r != 0)
		return r;
	struct withdrawal made = { .id = ulid_new(now_ms), .user = user, .amount = w->amount, .to = w->to,
		.state = WITHDRAW_REQUESTED, .requested_ms = now_ms };
	ulid_format(ref, &made.id);
	struct posting p = { .user = user, .amount = amount_out(w->amount), .ref_type = LEDGER_WITHDRAWAL, .ref_id = ref,
		.at_ms = now_ms };
	r = ledger_post(db, &p, after);
	if (r == LEDGER_E_FUNDS)
		return WITHDRAW_E_FUNDS;
	if (r == LEDGER_E_SUSPENDED)
		return WITHDRAW_E_SUSPENDED;
	if (r != 0)
		return r < 0 ? err_trace(r) : err_say(-EBADMSG, "a new withdrawal's id is taken");
	r = insert(db, &made, w, ref);
	if (r < 0)
		return r;
	made.row = store_last_rowid(db);
	*ret = made;
	return 0;
}

static int find(struct store *db, const char *ref, struct withdrawal *ret)
{
	struct stmt *st = store_stmt(db, "SELECT " COLUMNS " FROM withdrawals WHERE ref = ?1");
	stmt_text(st, 1, ref, strlen(ref));
	int r = stmt_step(st);
	if (r <= 0)
		return r < 0 ? err_trace(r) : WITHDRAW_E_ABSENT;
	r = read_row(st, ret);
	stmt_reset(st);
	return r;
}

static int write_decision(struct store *db, const struct withdrawal *w)
{
	int r = seal_out(db, SEAL_WITHDRAWAL, w->row);
	if (r < 0)
		return err_trace(r);
	struct stmt *st = store_stmt(db, "UPDATE withdrawals SET status = ?2, decided_at = ?3 WHERE id = ?1 AND status = 1");
	stmt_int(st, 1, w->row);
	stmt_int(st, 2, (int64_t) w->state);
	stmt_int(st, 3, w->decided_ms);
	r = stmt_run(st);
	if (r > 0 || (r == 0 && store_changes(db) != 1))
		return err_say(r == STORE_E_FULL ? -ENOSPC : -EBADMSG, "withdrawal not decided");
	return r == 0 ? err_trace(seal_in(db, SEAL_WITHDRAWAL, w->row)) : err_trace(r);
}

int withdraw_decide(struct store *db, const struct ulid *id, bool approve, int64_t now_ms, struct withdrawal *ret,
		struct account *after, bool *changed)
{
	enum withdraw_state to = approve ? WITHDRAW_APPROVED : WITHDRAW_REJECTED;
	char ref[ULID_TEXT_SIZE];

	*changed = false;
	ulid_format(ref, id);
	int r = find(db, ref, ret);
	if (r != 0)
		return r;
	r = ledger_account_by_id(db, ret->user, after);
	if (r != 0)
		return r < 0 ? err_trace(r) : err_say(-EBADMSG, "withdrawal %s has no account", ref);
	if (ret->state != WITHDRAW_REQUESTED)
		return ret->state == to ? 0 : WITHDRAW_E_DECIDED;
	if (!approve) {
		struct posting p = { .user = ret->user, .amount = amount_in(ret->amount), .ref_type = LEDGER_WITHDRAWAL_REVERSAL,
			.ref_id = ref, .at_ms = now_ms };
		r = ledger_post(db, &p, after);
		if (r != 0)
			return r < 0 ? err_trace(r) : err_say(-EBADMSG, "withdrawal %s cannot be given back", ref);
	}
	ret->state = to;
	ret->decided_ms = now_ms;
	r = write_decision(db, ret);
	*changed = r == 0;
	return r;
}

static struct stmt *list_stmt(struct store *db, const struct withdraw_query *q)
{
	struct stmt *st;
	if (q->user != 0) {
		st = store_stmt(db, "SELECT " COLUMNS " FROM withdrawals WHERE user = ?1 AND id < ?2 AND requested_at >= ?3"
				" AND requested_at < ?4 AND (?5 = 0 OR status = ?5) ORDER BY id DESC");
		stmt_int(st, 1, q->user);
	} else {
		st = store_stmt(db, "SELECT " COLUMNS " FROM withdrawals WHERE id < ?2 AND requested_at >= ?3"
				" AND requested_at < ?4 AND (?5 = 0 OR status = ?5) ORDER BY id DESC");
	}
	stmt_int(st, 2, q->before_row ? q->before_row : INT64_MAX);
	stmt_int(st, 3, q->from_ms);
	stmt_int(st, 4, q->to_ms);
	stmt_int(st, 5, q->state);
	return st;
}

int withdraw_list(struct store *db, const struct withdraw_query *q, withdrawal_cb *cb, void *u, bool *ret_more)
{
	struct stmt *st = list_stmt(db, q);
	struct withdrawal w;
	size_t n = 0;
	int r;

	*ret_more = false;
	while ((r = stmt_step(st)) == STMT_ROW) {
		*ret_more = n == q->limit;
		r = *ret_more ? 1 : read_row(st, &w);
		if (r != 0 || !cb(u, &w)) {
			stmt_reset(st);
			return r < 0 ? err_trace(r) : 0;
		}
		n++;
	}
	return err_trace(r);
}
