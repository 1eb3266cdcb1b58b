/* Accounts, and the postings that change them. */
#include "ledger.h"

#include <errno.h>
#include <string.h>

#include "check.h"
#include "err.h"
#include "ledger_impl.h"
#include "schema.h"
#include "ulid.h"

static const char *const names[LEDGER_REFS] = {
	[LEDGER_BET] = "BET",
	[LEDGER_PAYOUT] = "PAYOUT",
	[LEDGER_REFUND] = "REFUND",
	[LEDGER_DEPOSIT] = "DEPOSIT",
	[LEDGER_WITHDRAWAL] = "WITHDRAWAL",
	[LEDGER_WITHDRAWAL_REVERSAL] = "WITHDRAWAL_REVERSAL",
	[LEDGER_ADJUSTMENT] = "ADJUSTMENT",
	[LEDGER_OPENING] = "OPENING",
};

const char *ledger_ref_name(enum ledger_ref r)
{
	CHECK(r >= LEDGER_BET && r < LEDGER_REFS);
	return names[r];
}

bool ledger_ref_parse(enum ledger_ref *ret, const char *name)
{
	for (enum ledger_ref r = LEDGER_BET; r < LEDGER_REFS; r++) {
		if (strcmp(names[r], name) == 0) {
			*ret = r;
			return true;
		}
	}
	return false;
}

void ledger_read_account(struct stmt *st, struct full_account *ret)
{
	size_t n;
	*ret = (struct full_account){
		.a = {
			.user = stmt_col_int(st, 0),
			.balance = money_of(stmt_col_int(st, 2)),
			.seq = stmt_col_int(st, 3),
			.open_bets = stmt_col_int(st, 4),
			.open_stake = money_of(stmt_col_int(st, 5)),
			.suspended = stmt_col_int(st, 6) != 0,
			.created_ms = stmt_col_int(st, 7),
			.limits_row = stmt_col_int(st, 10),
			.keys_row = stmt_col_int(st, 11),
		},
		.last_row = stmt_col_int(st, 8),
		.opened_version = stmt_col_int(st, 9),
	};
	const void *wallet = stmt_col_blob(st, 1, &n);
	if (n == WALLET_SIZE)
		memcpy(ret->a.wallet.b, wallet, WALLET_SIZE);
}

/* A bet is judged by its account and then posted to it: inside a transaction nobody else writes, so it is read once, and again
 * when this connection has written anything since. */
static int read_one(struct store *db, struct stmt *st, struct full_account *ret)
{
	struct ledger_tx *tx = ledger_tx(db);
	if (!tx)
		return -ENOMEM;
	int r = stmt_step(st);
	if (r <= 0)
		return r < 0 ? err_trace(r) : LEDGER_E_ABSENT;
	ledger_read_account(st, ret);
	stmt_reset(st);
	tx->account = *ret;
	tx->account_writes = store_writes(db);
	return 0;
}

int ledger_load(struct store *db, int64_t user, struct full_account *ret)
{
	const struct ledger_tx *tx = ledger_tx(db);
	if (tx && tx->account.a.user == user && tx->account_writes == store_writes(db)) {
		*ret = tx->account;
		return 0;
	}
	struct stmt *st = store_stmt(db, "SELECT " ACCOUNT_COLUMNS " FROM users WHERE id = ?1");
	stmt_int(st, 1, user);
	return read_one(db, st, ret);
}

static int load_by_wallet(struct store *db, const struct wallet *wallet, struct full_account *ret)
{
	struct stmt *st = store_stmt(db, "SELECT " ACCOUNT_COLUMNS " FROM users WHERE wallet = ?1");
	stmt_blob(st, 1, wallet->b, WALLET_SIZE);
	return read_one(db, st, ret);
}

int ledger_account(struct store *db, const struct wallet *wallet, struct account *ret)
{
	struct full_account a;
	int r = load_by_wallet(db, wallet, &a);
	if (r == 0)
		*ret = a.a;
	return r;
}

int ledger_account_by_id(struct store *db, int64_t user, struct account *ret)
{
	struct full_account a;
	int r = ledger_load(db, user, &a);
	if (r == 0)
		*ret = a.a;
	return r;
}

int ledger_account_open(struct store *db, const struct wallet *wallet, int64_t now_ms, struct account *ret)
{
	int r = ledger_account(db, wallet, ret);
	if (r != LEDGER_E_ABSENT)
		return r == 0 ? LEDGER_E_EXISTS : r;
	struct stmt *st = store_stmt(db, "INSERT INTO users(wallet, balance, version, last_row, open_bets, open_stake,"
			" suspended, created_at, opened_version) VALUES (?1, 0, 0, 0, 0, 0, 0, ?2, 0)");
	stmt_blob(st, 1, wallet->b, WALLET_SIZE);
	stmt_int(st, 2, now_ms);
	r = ledger_must(stmt_run(st), "new account");
	if (r < 0)
		return err_trace(r);
	*ret = (struct account){ .user = store_last_rowid(db), .wallet = *wallet, .created_ms = now_ms };
	return err_trace(seal_in(db, SEAL_ACCOUNT, ret->user));
}

int ledger_suspend(struct store *db, int64_t user, bool suspended)
{
	struct account a;
	int r = ledger_account_by_id(db, user, &a);
	if (r == 0)
		r = seal_out(db, SEAL_ACCOUNT, user);
	if (r != 0)
		return err_trace(r);
	struct stmt *st = store_stmt(db, "UPDATE users SET suspended = ?2 WHERE id = ?1");
	stmt_int(st, 1, user);
	stmt_int(st, 2, suspended);
	r = ledger_must(stmt_run(st), "suspend");
	return r == 0 ? err_trace(seal_in(db, SEAL_ACCOUNT, user)) : err_trace(r);
}

int ledger_save(struct store *db, const struct full_account *a)
{
	struct stmt *st = store_stmt(db, "UPDATE users SET balance = ?2, version = ?3, last_row = ?4, open_bets = ?5,"
			" open_stake = ?6 WHERE id = ?1");
	stmt_int(st, 1, a->a.user);
	stmt_int(st, 2, a->a.balance.micros);
	stmt_int(st, 3, a->a.seq);
	stmt_int(st, 4, a->last_row);
	stmt_int(st, 5, a->a.open_bets);
	stmt_int(st, 6, a->a.open_stake.micros);
	int r = ledger_must(stmt_run(st), "account");
	CHECK(r < 0 || store_changes(db) == 1); /* it was loaded in this transaction */
	return err_trace(r);
}

/* The account as the posting leaves it is in *a: the row, then the account, then the answer. */
static int post(struct store *db, struct full_account *a, struct raw_row *row, const struct bet *bet, struct account *ret)
{
	a->a.seq++;
	int r = row->amount != 0 ? ledger_append(db, a, row, bet) : 0;
	if (r == 0)
		r = ledger_save(db, a);
	if (r < 0)
		return err_trace(r);
	*ret = a->a;
	return 0;
}

bool ledger_name_bet(struct raw_row *row, const struct bet *bet, char ref[ULID_TEXT_SIZE])
{
	const struct bet_key key = { .placed_ms = bet->placed_ms, .t0_s = bet->cell.t0_s, .low_cents = bet->cell.low_cents,
		.user = bet->user };
	struct ulid id;
	if (!ledger_cell_ref(&row->cell_ref, &bet->cell) || !bet_id(&id, &key))
		return false;
	ulid_format(ref, &id);
	row->text = ref;
	row->text_len = ULID_TEXT_SIZE - 1;
	return true;
}

int ledger_stake(struct store *db, const struct bet *bet, struct account *ret, int64_t *ret_row)
{
	struct full_account a;
	char ref[ULID_TEXT_SIZE];
	struct raw_row row = { .ref_type = LEDGER_BET, .amount = amount_out(bet->stake).micros, .at_ms = bet->placed_ms };
	CHECK(bet->stake.micros > 0 && bet->state == BET_CONFIRMED);
	int r = ledger_load(db, bet->user, &a);
	if (r != 0)
		return err_trace(r);
	if (a.a.suspended)
		return LEDGER_E_SUSPENDED;
	if (!ledger_name_bet(&row, bet, ref) || !money_add(&a.a.open_stake, a.a.open_stake, bet->stake))
		return LEDGER_E_OVERFLOW;
	if (!money_sub(&a.a.balance, a.a.balance, bet->stake))
		return LEDGER_E_FUNDS;
	a.a.open_bets++;
	r = post(db, &a, &row, bet, ret);
	if (r == 0)
		*ret_row = row.id;
	return err_trace(r);
}

static bool well_formed(const struct posting *p)
{
	static const int signs[LEDGER_REFS] = { [LEDGER_DEPOSIT] = 1, [LEDGER_WITHDRAWAL] = -1,
		[LEDGER_WITHDRAWAL_REVERSAL] = 1, [LEDGER_ADJUSTMENT] = 2 /* either */ };
	if (p->ref_type < LEDGER_BET || p->ref_type >= LEDGER_REFS || p->amount.micros == 0 ||
			p->amount.micros == INT64_MIN)
		return false;
	int sign = signs[p->ref_type];
	if (sign == 0 || (sign == 1 && p->amount.micros < 0) || (sign == -1 && p->amount.micros > 0))
		return false;
	size_t n = strlen(p->ref_id);
	for (size_t i = 0; i < n; i++)
		if (p->ref_id[i] < ' ' || p->ref_id[i] > '~')
			return false;
	return n > 0 && n < LEDGER_REF_ID_MAX;
}

static int compare_posted(struct stmt *st, const struct posting *p)
{
	const char *name = ledger_ref_name(p->ref_type);
	stmt_text(st, 1, p->ref_id, strlen(p->ref_id));
	stmt_text(st, 2, name, strlen(name));
	int r = stmt_step(st);
	if (r <= 0)
		return err_trace(r);
	bool same = stmt_col_int(st, 0) == p->user && stmt_col_int(st, 1) == p->amount.micros;
	stmt_reset(st);
	return same ? LEDGER_E_EXISTS : LEDGER_E_CONFLICT;
}

/* 0: free; LEDGER_E_EXISTS, LEDGER_E_CONFLICT: taken, this week or in an earlier one. The first query's last term is what lets
 * the partial index serve. */
static int already_posted(struct store *db, const struct posting *p)
{
	int r = compare_posted(store_stmt(db, "SELECT user, amount FROM transaction_ledger WHERE ref_id = ?1 AND ref_type = ?2"
			" AND (" SCHEMA_EXTERNAL ")"), p);
	if (r == 0)
		r = compare_posted(store_stmt(db, "SELECT user, amount FROM external_refs WHERE ref_id = ?1 AND ref_type = ?2"), p);
	return r;
}

int ledger_post(struct store *db, const struct posting *p, struct account *ret)
{
	if (!well_formed(p))
		return err_say(-EINVAL, "a posting needs an amount of its type's sign and an id of 1 to %d printable bytes",
				LEDGER_REF_ID_MAX - 1);
	struct full_account a;
	int r = ledger_load(db, p->user, &a);
	if (r != 0)
		return err_trace(r);
	r = already_posted(db, p);
	if (r == LEDGER_E_EXISTS)
		*ret = a.a;
	if (r != 0)
		return err_trace(r);
	if (a.a.suspended && p->ref_type == LEDGER_WITHDRAWAL)
		return LEDGER_E_SUSPENDED;
	if (!money_apply(&a.a.balance, a.a.balance, p->amount))
		return p->amount.micros < 0 ? LEDGER_E_FUNDS : LEDGER_E_OVERFLOW;
	struct raw_row row = { .ref_type = p->ref_type, .amount = p->amount.micros, .text = p->ref_id,
		.text_len = strlen(p->ref_id), .at_ms = p->at_ms };
	return err_trace(post(db, &a, &row, NULL, ret));
}

int ledger_accounts(struct store *db, account_cb *cb, void *u)
{
	struct stmt *st = store_stmt(db, "SELECT " ACCOUNT_COLUMNS " FROM users ORDER BY id");
	int r;
	while ((r = stmt_step(st)) == STMT_ROW) {
		struct full_account a;
		ledger_read_account(st, &a);
		if (!cb(u, &a.a)) {
			stmt_reset(st);
			return 0;
		}
	}
	return err_trace(r);
}

int ledger_open(struct store *db, int64_t *ret_bets, struct money *ret_stake)
{
	struct stmt *st = store_stmt(db, "SELECT coalesce(sum(open_bets), 0), coalesce(sum(open_stake), 0) FROM users");
	int r = stmt_step(st);
	if (r < 0)
		return err_trace(r);
	*ret_bets = stmt_col_int(st, 0);
	*ret_stake = money_of(stmt_col_int(st, 1));
	stmt_reset(st);
	return 0;
}
