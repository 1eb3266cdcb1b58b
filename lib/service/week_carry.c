/* What a new week's file takes over from the old one: accounts with their openings, open bets, columns, external ids. Each pass
 * brings what is not there yet, corrects what changed, and drops what is no longer so. */
#include "week_roll_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "err.h"
#include "schema.h"

/* A withdrawal is remembered together with what was posted for it, and for as long as it is open. ?1: what is older is forgotten. */
#define WITHDRAWALS_KEPT "FROM withdrawals WHERE (max(requested_at, decided_at) > ?1 OR status = 1)"
#define ITS_WITHDRAWAL_KEPT "(ref_type NOT IN ('WITHDRAWAL', 'WITHDRAWAL_REVERSAL') OR ref_id IN (SELECT ref " WITHDRAWALS_KEPT "))"

enum {
	COLUMNS_CARRIED_S = 600,              /* the newest columns, for prev_digest and for "decided already" */
	REFS_KEPT_DAYS = 400
};

static bool room_for(void **array, int64_t *cap, int64_t n, size_t each)
{
	if (n < *cap)
		return true;
	int64_t more = n < 512 ? 1024 : n * 2;
	char *grown = realloc(*array, (size_t) more * each);
	if (!grown)
		return false;
	memset(grown + (size_t) *cap * each, 0, (size_t) (more - *cap) * each);
	*array = grown;
	*cap = more;
	return true;
}

int roll_lift_triggers(struct roll *r)
{
	struct stmt *st = store_stmt(r->to, "SELECT sql FROM sqlite_schema WHERE type = 'trigger'");
	int got;
	while ((got = stmt_step(st)) == STMT_ROW) {
		size_t n;
		const char *sql = stmt_col_text(st, 0, &n);
		CHECK(r->n_triggers < TRIGGERS_MAX);
		r->triggers[r->n_triggers] = strdup(sql);
		if (!r->triggers[r->n_triggers++]) {
			stmt_reset(st);
			return -ENOMEM;
		}
	}
	for (size_t i = 0; got == 0 && i < r->n_triggers; i++) {
		char name[64], drop[96];
		CHECK(sscanf(r->triggers[i], "CREATE TRIGGER %63s", name) == 1); /* this file is of our own making */
		(void) snprintf(drop, sizeof drop, "DROP TRIGGER %s", name);
		got = ledger_must(store_script(r->to, drop), "triggers");
	}
	return err_trace(got);
}

int roll_set_triggers(struct roll *r)
{
	for (size_t i = 0; i < r->n_triggers; i++) {
		int got = ledger_must(store_script(r->to, r->triggers[i]), "triggers");
		if (got < 0)
			return err_trace(got);
	}
	return 0;
}

static int write_user(struct roll *r, const struct kept_user *k, bool fresh)
{
	struct stmt *st = fresh ?
			store_stmt(r->to, "INSERT INTO users(id, wallet, balance, version, open_bets, open_stake, suspended,"
					" created_at, last_row, opened_version, limits_row, keys_row)"
					" VALUES (?1, ?11, ?2, ?3, ?4, ?5, ?6, ?10, ?7, ?3, ?8, ?9)") :
			store_stmt(r->to, "UPDATE users SET balance = ?2, version = ?3, open_bets = ?4, open_stake = ?5,"
					" suspended = ?6, last_row = ?7, opened_version = ?3, limits_row = ?8, keys_row = ?9"
					" WHERE id = ?1");
	const struct account *a = &k->a.a;
	stmt_int(st, 1, a->user);
	stmt_int(st, 2, a->balance.micros);
	stmt_int(st, 3, a->seq);
	stmt_int(st, 4, a->open_bets);
	stmt_int(st, 5, a->open_stake.micros);
	stmt_int(st, 6, a->suspended);
	stmt_int(st, 7, k->row);
	stmt_int(st, 8, a->limits_row);
	stmt_int(st, 9, a->keys_row);
	if (fresh) {
		stmt_int(st, 10, a->created_ms);
		stmt_blob(st, 11, a->wallet.b, WALLET_SIZE);
	}
	return ledger_must(stmt_run(st), "account of the new week");
}

static int write_opening(struct roll *r, int64_t row, bool fresh)
{
	const struct account *a = &r->users[r->openings[row]].a.a;
	struct stmt *st = fresh ?
			store_stmt(r->to, "INSERT INTO transaction_ledger(" ROW_COLUMNS ")"
					" VALUES (?1, ?2, ?3, ?3, 'OPENING', ?4, 0, ?5)") :
			store_stmt(r->to, "UPDATE transaction_ledger SET user = ?2, amount = ?3, balance_after = ?3 WHERE id = ?1");
	stmt_int(st, 1, row);
	stmt_int(st, 2, a->user);
	stmt_int(st, 3, a->balance.micros);
	if (fresh) {
		stmt_text(st, 4, r->opening, strlen(r->opening));
		stmt_int(st, 5, r->now_ms);
	}
	return ledger_must(stmt_run(st), "opening");
}

/* The last row moves into the place of one that is no longer wanted: rows are without a gap. */
static int drop_opening(struct roll *r, struct kept_user *k)
{
	int64_t row = k->row, last = r->rows--;
	struct stmt *st = store_stmt(r->to, "DELETE FROM transaction_ledger WHERE id = ?1");
	stmt_int(st, 1, last);
	int got = ledger_must(stmt_run(st), "opening");
	k->row = 0;
	if (got < 0 || row == last)
		return err_trace(got);
	struct kept_user *moved = &r->users[r->openings[last]];
	r->openings[row] = r->openings[last];
	moved->row = row;
	got = write_opening(r, row, false);
	return got == 0 ? write_user(r, moved, false) : err_trace(got);
}

static int place_opening(struct roll *r, struct kept_user *k)
{
	if (k->a.a.balance.micros == 0)
		return k->row > 0 ? drop_opening(r, k) : 0;
	if (k->row > 0)
		return write_opening(r, k->row, false);
	if (!room_for((void **) &r->openings, &r->rows_cap, r->rows + 1, sizeof *r->openings))
		return -ENOMEM;
	k->row = ++r->rows;
	r->openings[k->row] = k->a.a.user;
	return 0; /* written once its account is there, which it names */
}

/* No balance and no open bet changes without an event, which seq counts. */
static bool user_same(const struct account *a, const struct account *b)
{
	return a->seq == b->seq && a->suspended == b->suspended && a->limits_row == b->limits_row && a->keys_row == b->keys_row;
}

/* What is sealed of an account seldom changes between the passes. */
static int write_sealed(struct roll *r, const struct kept_user *k, bool fresh, bool suspended)
{
	bool same = !fresh && suspended == k->a.a.suspended;
	int got = fresh || same ? 0 : seal_add(r->to, &r->sealed, SEAL_ACCOUNT, k->a.a.user, true);
	if (got == 0)
		got = write_user(r, k, fresh);
	if (got == 0 && !same)
		got = seal_add(r->to, &r->sealed, SEAL_ACCOUNT, k->a.a.user, false);
	return err_trace(got);
}

static int bring_user(struct roll *r, const struct full_account *a)
{
	int64_t id = a->a.user;
	if (id < 1 || id > UINT32_MAX)
		return err_say(-EBADMSG, "user id %" PRId64, id);
	if (!room_for((void **) &r->users, &r->users_cap, id, sizeof *r->users))
		return -ENOMEM;
	struct kept_user *k = &r->users[id];
	bool fresh = !k->there, suspended = k->a.a.suspended;
	if (!fresh && user_same(&k->a.a, &a->a))
		return 0;
	k->a = *a;
	k->a.opened_version = a->a.seq;
	k->there = true;
	r->users_max = id > r->users_max ? id : r->users_max;
	int64_t rows = r->rows;
	int got = place_opening(r, k);
	if (got == 0)
		got = write_sealed(r, k, fresh, suspended);
	if (got == 0 && r->rows > rows)
		got = write_opening(r, k->row, true);
	return err_trace(got);
}

static int bring_users(struct roll *r)
{
	struct stmt *st = store_stmt(r->from, "SELECT " ACCOUNT_COLUMNS " FROM users ORDER BY id");
	int got;
	while ((got = stmt_step(st)) == STMT_ROW) {
		struct full_account a;
		ledger_read_account(st, &a);
		got = bring_user(r, &a);
		if (got < 0) {
			stmt_reset(st);
			break;
		}
	}
	return err_trace(got);
}

static int key_cmp(const struct bet *a, const struct bet *b)
{
	if (a->cell.t0_s != b->cell.t0_s)
		return a->cell.t0_s < b->cell.t0_s ? -1 : 1;
	if (a->cell.low_cents != b->cell.low_cents)
		return a->cell.low_cents < b->cell.low_cents ? -1 : 1;
	return a->user < b->user ? -1 : a->user > b->user;
}

static int drop_bet(struct roll *r, const struct bet *b)
{
	struct stmt *st = store_stmt(r->to, "DELETE FROM bets WHERE t0 = ?1 AND low = ?2 AND user = ?3");
	stmt_int(st, 1, b->cell.t0_s);
	stmt_int(st, 2, b->cell.low_cents);
	stmt_int(st, 3, b->user);
	return ledger_must(stmt_run(st), "carried bet");
}

struct bet_pass {
	struct roll *r;
	struct bet *bets;
	size_t n, cap, old; /* old: how far the last pass's list is compared */
	int got;
};

static bool bring_bet(void *u, const struct bet *b, int64_t row)
{
	(void) row;
	struct bet_pass *p = u;
	struct roll *r = p->r;
	int order = 1;
	while (p->got == 0 && p->old < r->n_bets && (order = key_cmp(&r->bets[p->old], b)) < 0)
		p->got = drop_bet(r, &r->bets[p->old++]);
	if (p->old < r->n_bets && order == 0)
		p->old++;
	else if (p->got == 0)
		p->got = ledger_must(book_insert_bet(r->to, b, 0), "carried bet");
	if (p->n == p->cap) {
		size_t more = p->cap ? p->cap * 2 : 1024;
		struct bet *grown = realloc(p->bets, more * sizeof *grown);
		if (!grown) {
			p->got = -ENOMEM;
			return false;
		}
		p->bets = grown;
		p->cap = more;
	}
	p->bets[p->n++] = *b;
	if (b->placed_ms > r->opened_ms)
		r->opened_ms = b->placed_ms;
	return p->got == 0;
}

static int bring_bets(struct roll *r)
{
	struct bet_pass p = { .r = r };
	int got = book_open_bets(r->from, 0, bring_bet, &p);
	if (got == 0)
		got = p.got;
	while (got == 0 && p.old < r->n_bets)
		got = drop_bet(r, &r->bets[p.old++]);
	free(r->bets);
	r->bets = p.bets;
	r->n_bets = p.n;
	return err_trace(got);
}

void roll_bind_row(struct stmt *from, struct stmt *to, int columns)
{
	for (int i = 0; i < columns; i++) {
		size_t n;
		const void *p;
		switch (stmt_col_type(from, i)) {
		case STMT_INT:
			stmt_int(to, i + 1, stmt_col_int(from, i));
			break;
		case STMT_TEXT:
			p = stmt_col_text(from, i, &n);
			stmt_text(to, i + 1, p, n);
			break;
		case STMT_BLOB:
			p = stmt_col_blob(from, i, &n);
			stmt_blob(to, i + 1, p, n);
			break;
		default:
			stmt_null(to, i + 1);
		}
	}
}

/* A column in the middle of its settlement goes on in the new file: how far it has come. */
static int bring_settling(struct roll *r)
{
	int got = ledger_must(stmt_run(store_stmt(r->to, "DELETE FROM settling")), "carried settlement");
	if (got < 0)
		return err_trace(got);
	struct stmt *st = store_stmt(r->from, "SELECT t0, after_low, after_user, open_bets FROM settling ORDER BY t0");
	while ((got = stmt_step(st)) == STMT_ROW) {
		struct stmt *to = store_stmt(r->to, "INSERT INTO settling(t0, after_low, after_user, open_bets)"
				" VALUES (?1, ?2, ?3, ?4)");
		roll_bind_row(st, to, 4);
		got = ledger_must(stmt_run(to), "carried settlement");
		if (got < 0) {
			stmt_reset(st);
			break;
		}
	}
	return err_trace(got);
}

static int bring_columns(struct roll *r)
{
	int got = ledger_must(stmt_run(store_stmt(r->to, "DELETE FROM columns")), "carried columns");
	if (got < 0)
		return err_trace(got);
	struct stmt *st = store_stmt(r->from, "SELECT t0, status, anchor_t, anchor_p, path_low, path_high, ticks, path, digest,"
			" prev_digest, settled_at, bets FROM columns WHERE t0 > (SELECT max(t0) FROM columns) - ?1"
			" OR t0 IN (SELECT t0 FROM settling) ORDER BY t0");
	stmt_int(st, 1, COLUMNS_CARRIED_S);
	while ((got = stmt_step(st)) == STMT_ROW) {
		struct stmt *to = store_stmt(r->to, "INSERT INTO columns(t0, status, anchor_t, anchor_p, path_low, path_high,"
				" ticks, path, digest, prev_digest, settled_at, bets)"
				" VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)");
		roll_bind_row(st, to, 12);
		if (stmt_col_int(st, 10) >= r->opened_ms)
			r->opened_ms = stmt_col_int(st, 10) + 1; /* what was settled before the opening is the old file's */
		got = ledger_must(stmt_run(to), "carried column");
		if (got < 0) {
			stmt_reset(st);
			break;
		}
	}
	return err_trace(got);
}

static int put_ref(struct roll *r, struct stmt *from)
{
	struct stmt *to = store_stmt(r->to, "INSERT INTO external_refs(ref_id, ref_type, user, amount, at)"
			" VALUES (?1, ?2, ?3, ?4, ?5)");
	roll_bind_row(from, to, 5);
	int got = ledger_must(stmt_run(to), "external id");
	return got == 0 ? seal_add_row(&r->sealed, SEAL_EXTERNAL, from) : err_trace(got);
}

static int walk_refs(struct roll *r, struct stmt *st, bool of_ledger)
{
	int got;
	while ((got = stmt_step(st)) == STMT_ROW) {
		if (of_ledger)
			r->refs_until = stmt_col_int(st, 5);
		got = put_ref(r, st);
		if (got < 0) {
			stmt_reset(st);
			break;
		}
	}
	return err_trace(got);
}

static int64_t forget_before(const struct roll *r)
{
	return r->now_ms - REFS_KEPT_DAYS * INT64_C(86400000);
}

static int bring_refs(struct roll *r, bool first)
{
	struct stmt *st;
	int got = 0;
	if (first) {
		st = store_stmt(r->from, "SELECT ref_id, ref_type, user, amount, at FROM external_refs"
				" WHERE (at > ?1 OR ref_type IN ('WITHDRAWAL', 'WITHDRAWAL_REVERSAL')) AND " ITS_WITHDRAWAL_KEPT
				" ORDER BY ref_id, ref_type");
		stmt_int(st, 1, forget_before(r));
		got = walk_refs(r, st, false);
	}
	if (got < 0)
		return err_trace(got);
	st = store_stmt(r->from, "SELECT ref_id, ref_type, user, amount, at, id FROM transaction_ledger WHERE id > ?2"
			" AND (" SCHEMA_EXTERNAL ") AND " ITS_WITHDRAWAL_KEPT
			" ORDER BY id");
	stmt_int(st, 1, forget_before(r));
	stmt_int(st, 2, r->refs_until);
	return err_trace(walk_refs(r, st, true));
}

/* All of them: they are few, and a request is decided, listed and recognised as replayed long after its week. */
static int bring_withdrawals(struct roll *r, bool first)
{
	if (!first) { /* decided meanwhile, or new */
		struct stmt *drop = store_stmt(r->to, "DELETE FROM withdrawals WHERE id >= ?1");
		stmt_int(drop, 1, r->withdrawals_from);
		int got = ledger_must(stmt_run(drop), "withdrawals");
		if (got < 0)
			return err_trace(got);
	}
	struct stmt *st = store_stmt(r->from, "SELECT id, ref, user, amount, dest, nonce, signed_at, status, requested_at,"
			" decided_at " WITHDRAWALS_KEPT " AND id >= ?2 ORDER BY id");
	stmt_int(st, 1, forget_before(r));
	stmt_int(st, 2, first ? 0 : r->withdrawals_from);
	int64_t oldest_open = INT64_MAX, next = 0;
	int got;
	while ((got = stmt_step(st)) == STMT_ROW) {
		struct stmt *to = store_stmt(r->to, "INSERT INTO withdrawals(id, ref, user, amount, dest, nonce, signed_at, status,"
				" requested_at, decided_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)");
		roll_bind_row(st, to, 10);
		next = stmt_col_int(st, 0) + 1;
		if (oldest_open == INT64_MAX && stmt_col_int(st, 7) == 1)
			oldest_open = stmt_col_int(st, 0);
		got = ledger_must(stmt_run(to), "withdrawal");
		if (got < 0) {
			stmt_reset(st);
			break;
		}
	}
	if (first)
		r->withdrawals_from = oldest_open < next ? oldest_open : next;
	return err_trace(got);
}

/* The newest alone: each follows all those before it. */
static int bring_anchor(struct roll *r)
{
	int got = ledger_must(stmt_run(store_stmt(r->to, "DELETE FROM anchors")), "anchor");
	if (got < 0)
		return err_trace(got);
	struct stmt *st = store_stmt(r->from, "SELECT id, hash FROM anchors ORDER BY id DESC LIMIT 1");
	got = stmt_step(st);
	if (got != STMT_ROW)
		return err_trace(got);
	struct stmt *to = store_stmt(r->to, "INSERT INTO anchors(id, hash) VALUES (?1, ?2)");
	roll_bind_row(st, to, 2);
	got = ledger_must(stmt_run(to), "anchor");
	stmt_reset(st);
	return err_trace(got);
}

int roll_bring_all(struct roll *r, bool first)
{
	int got = bring_users(r);
	if (got == 0)
		got = bring_bets(r);
	if (got == 0)
		got = bring_columns(r);
	if (got == 0)
		got = bring_settling(r);
	if (got == 0)
		got = bring_refs(r, first);
	if (got == 0)
		got = bring_withdrawals(r, first);
	if (got == 0)
		got = bring_anchor(r);
	if (got == 0)
		got = roll_bring_limits(r);
	if (got == 0)
		got = roll_bring_keys(r);
	return err_trace(got);
}
