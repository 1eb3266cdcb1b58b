/* What decided bets pay, a range of them at a time: one statement reads the accounts, one writes the rows, one the accounts. The sums
 * are made here and not in SQL, so that money is counted in one place, checked, and the rows are chained as they are written. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "err.h"
#include "ledger_impl.h"

struct payments {
	int64_t users[LEDGER_SETTLE_MAX];                /* rising, each once */
	struct full_account accounts[LEDGER_SETTLE_MAX]; /* theirs */
	size_t n_users;
	struct raw_row rows[LEDGER_SETTLE_MAX];
	const struct full_account *of[LEDGER_SETTLE_MAX]; /* whose each row is */
	char refs[LEDGER_SETTLE_MAX][ULID_TEXT_SIZE];
	size_t n_rows;
	int64_t ints[LEDGER_SETTLE_MAX][STORE_GIVEN_INTS];
};

_Static_assert(ULID_TEXT_SIZE == STORE_GIVEN_TEXT + 1, "a ULID is what a given text holds");

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *) a, y = *(const int64_t *) b;
	return (x > y) - (x < y);
}

static void gather_users(struct payments *p, const struct bet *bets, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p->users[i] = bets[i].user;
	qsort(p->users, n, sizeof p->users[0], by_value);
	p->n_users = 0;
	for (size_t i = 0; i < n; i++)
		if (i == 0 || p->users[i] != p->users[i - 1])
			p->users[p->n_users++] = p->users[i];
}

static int load_accounts(struct store *db, struct payments *p)
{
	struct stmt *st = store_stmt(db, "SELECT " ACCOUNT_COLUMNS " FROM given(?1) g CROSS JOIN users WHERE users.id = g.a");
	size_t n = 0;
	int r;
	for (size_t i = 0; i < p->n_users; i++)
		p->ints[i][0] = p->users[i];
	stmt_given(st, 1, &(struct store_given){ .n = p->n_users, .ints = p->ints });
	while ((r = stmt_step(st)) == STMT_ROW) {
		CHECK(n < p->n_users);
		ledger_read_account(st, &p->accounts[n]);
		CHECK(p->accounts[n].a.user >= p->users[n]);
		if (p->accounts[n].a.user != p->users[n])
			break;
		n++;
	}
	if (r == STMT_ROW)
		stmt_reset(st);
	if (r < 0)
		return err_trace(r);
	return n == p->n_users ? 0 : LEDGER_E_ABSENT;
}

static struct full_account *account_of(struct payments *p, int64_t user)
{
	const int64_t *at = bsearch(&user, p->users, p->n_users, sizeof p->users[0], by_value);
	CHECK(at);
	return &p->accounts[at - p->users];
}

/* What the account is after this bet, and the row that says so. */
static int pay(struct payments *p, struct ledger_tx *tx, const struct bet *bet, struct account *ret, int64_t *ret_row)
{
	struct full_account *a = account_of(p, bet->user);
	CHECK(bet->state == BET_WON || bet->state == BET_LOST || bet->state == BET_VOID);
	CHECK((bet->state == BET_LOST) == (bet->payout.micros == 0));
	struct raw_row *row = &p->rows[p->n_rows];
	*row = (struct raw_row){ .user = bet->user, .amount = bet->payout.micros, .at_ms = bet->resolved_ms,
		.ref_type = bet->state == BET_WON ? LEDGER_PAYOUT : LEDGER_REFUND };
	if (!ledger_name_bet(row, bet, p->refs[p->n_rows]) ||
			!money_apply(&a->a.balance, a->a.balance, (struct amount){ row->amount }))
		return LEDGER_E_OVERFLOW;
	if (a->a.open_bets < 1 || !money_sub(&a->a.open_stake, a->a.open_stake, bet->stake))
		return err_say(-EBADMSG, "account %lld has fewer open bets than are settled", (long long) bet->user);
	a->a.open_bets--;
	a->a.seq++;
	*ret = a->a;
	*ret_row = 0;
	if (row->amount == 0)
		return 0;
	row->id = *ret_row = tx->next_row + (int64_t) p->n_rows;
	row->balance_after = a->a.balance.micros;
	row->prev = a->last_row;
	a->last_row = row->id;
	p->of[p->n_rows++] = a;
	return 0;
}

static int pay_all(struct store *db, struct payments *p, const struct bet *bets, size_t n, struct account *accounts, int64_t *rows,
		struct ledger_tx *tx)
{
	gather_users(p, bets, n);
	int r = load_accounts(db, p);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = pay(p, tx, &bets[i], &accounts[i], &rows[i]);
	return r;
}

/* Of one kind and moment: bets of one column are paid, or refunded, not both. */
static int write_rows(struct store *db, struct payments *p)
{
	const struct raw_row *first = &p->rows[0];
	const char *name = ledger_ref_name(first->ref_type);
	for (size_t i = 0; i < p->n_rows; i++) {
		const struct raw_row *row = &p->rows[i];
		CHECK(row->ref_type == first->ref_type && row->at_ms == first->at_ms);
		const int64_t ints[STORE_GIVEN_INTS] = { row->id, row->user, row->amount, row->balance_after, row->prev };
		memcpy(p->ints[i], ints, sizeof ints);
	}
	struct stmt *st = store_stmt(db, "INSERT INTO transaction_ledger(" ROW_COLUMNS ")"
			" SELECT g.a, g.b, g.c, g.d, ?2, g.text, g.e, ?3 FROM given(?1) g");
	stmt_given(st, 1, &(struct store_given){ .n = p->n_rows, .ints = p->ints, .texts = p->refs });
	stmt_text(st, 2, name, strlen(name));
	stmt_int(st, 3, first->at_ms);
	return ledger_must(stmt_run(st), "ledger rows");
}

static void chain_rows(struct payments *p, struct ledger_tx *tx)
{
	for (size_t i = 0; i < p->n_rows; i++) {
		chain_add_row(&tx->hash, &p->rows[i]);
		if (p->rows[i].prev == 0)
			chain_add_account(&tx->hash, &p->of[i]->a, p->of[i]->opened_version);
	}
	tx->next_row += (int64_t) p->n_rows;
}

static int save_accounts(struct store *db, struct payments *p)
{
	for (size_t i = 0; i < p->n_users; i++) {
		const struct full_account *a = &p->accounts[i];
		const int64_t ints[STORE_GIVEN_INTS] = { a->a.user, a->a.balance.micros, a->a.seq, a->last_row, a->a.open_bets,
			a->a.open_stake.micros };
		memcpy(p->ints[i], ints, sizeof ints);
	}
	struct stmt *st = store_stmt(db, "UPDATE users SET balance = g.b, version = g.c, last_row = g.d, open_bets = g.e,"
			" open_stake = g.f FROM given(?1) g WHERE users.id = g.a");
	stmt_given(st, 1, &(struct store_given){ .n = p->n_users, .ints = p->ints });
	int r = ledger_must(stmt_run(st), "accounts");
	CHECK(r < 0 || store_changes(db) == (int64_t) p->n_users); /* they were read in this transaction */
	return err_trace(r);
}

static int write_all(struct store *db, struct payments *p, struct ledger_tx *tx)
{
	int r = p->n_rows ? write_rows(db, p) : 0;
	if (r < 0)
		return err_trace(r);
	chain_rows(p, tx);
	return save_accounts(db, p);
}

static bool any_is_paid(const struct bet *bets, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (bets[i].payout.micros)
			return true;
	return false;
}

int ledger_settle_bets(struct store *db, const struct bet *bets, size_t n, struct account *accounts, int64_t *rows)
{
	CHECK(n > 0 && n <= LEDGER_SETTLE_MAX);
	struct ledger_tx *tx = ledger_tx(db);
	struct payments *p = malloc(sizeof *p);
	int r = p && tx ? 0 : -ENOMEM;
	bool begun = tx && tx->begun;
	if (r == 0 && any_is_paid(bets, n))
		r = ledger_tx_begin(db, &tx);
	if (r == 0) {
		p->n_rows = 0;
		r = pay_all(db, p, bets, n, accounts, rows, tx);
	}
	if (r > 0)
		tx->begun = begun; /* who begins the chain appends to it */
	if (r == 0)
		r = write_all(db, p, tx);
	free(p);
	return err_trace(r);
}
