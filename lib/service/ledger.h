/* ledger.h - accounts and rows of money. Service floor, on store.
 * Always true at every commit, for each account of the week's file:
 *   balance = sum of its rows' amounts; balance >= 0; each row's balance_after = the one before it + its amount;
 *   seq (users.version) = the number of the wallet's events so far, growing by one with each event;
 *   rows are never changed or deleted (triggers refuse); the rows of each commit are chained by SHA-256.
 * One row for each (ref_type, ref_id) in effect: posting twice answers LEDGER_E_EXISTS.
 * Units: micro-USD; ms. Thread: the store's owner. All calls need an open transaction of the store (writing ones a WRITE store).
 * Results: 0 done; LEDGER_E_* expected; <0 fatal, roll back. An expected result has changed nothing. */
#ifndef TAP_LEDGER_H
#define TAP_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "bet.h"
#include "hash.h"
#include "money.h"
#include "store.h"
#include "ulid.h"
#include "wallet.h"

enum { LEDGER_E_ABSENT = 1, LEDGER_E_EXISTS, LEDGER_E_CONFLICT, LEDGER_E_FUNDS, LEDGER_E_OVERFLOW, LEDGER_E_SUSPENDED };

enum ledger_ref { /* stored: never renumber */
	LEDGER_BET = 1,
	LEDGER_PAYOUT = 2,
	LEDGER_REFUND = 3,
	LEDGER_DEPOSIT = 4,
	LEDGER_WITHDRAWAL = 5,
	LEDGER_WITHDRAWAL_REVERSAL = 6,
	LEDGER_ADJUSTMENT = 7,
	LEDGER_OPENING = 8,
	LEDGER_REFS
};
const char *ledger_ref_name(enum ledger_ref r); /* "BET" ... */
MUST_CHECK bool ledger_ref_parse(enum ledger_ref *ret, const char *name);

struct account {
	int64_t user;
	struct wallet wallet;
	struct money balance;
	int64_t seq;
	int64_t open_bets;
	struct money open_stake;
	bool suspended;
	int64_t created_ms;
	int64_t limits_row; /* the newest change of the player's own limits, see limits_book.h; 0: none */
	int64_t keys_row;   /* the newest session key, see session_keys.h; 0: none */
};

MUST_CHECK int ledger_account(struct store *db, const struct wallet *wallet, struct account *ret); /* LEDGER_E_ABSENT */
MUST_CHECK int ledger_account_by_id(struct store *db, int64_t user, struct account *ret);
/* Balance 0, seq 0. LEDGER_E_EXISTS fills *ret with the one that is there. */
MUST_CHECK int ledger_account_open(struct store *db, const struct wallet *wallet, int64_t now_ms, struct account *ret);
MUST_CHECK int ledger_suspend(struct store *db, int64_t user, bool suspended);

enum { LEDGER_REF_ID_MAX = 64 };

struct entry { /* one ledger row as it is shown */
	int64_t row;              /* rising; the cursor */
	struct ulid id;           /* made from (at_ms, row): stable */
	int64_t user;
	struct amount amount;
	struct money balance_after;
	enum ledger_ref ref_type;
	char ref_id[LEDGER_REF_ID_MAX]; /* the bet's ULID, or the external id */
	int64_t at_ms;
};

/* The stake of a new bet leaves the account: LEDGER_E_FUNDS, _SUSPENDED, _OVERFLOW, _ABSENT. open_bets, open_stake and
 * seq move with it.
 * *ret: the account afterwards. bet->user names it. Called by intake alone, in the transaction that puts the bet. */
MUST_CHECK int ledger_stake(struct store *db, const struct bet *bet, struct account *ret, int64_t *ret_row);
/* Decided bets of one column, in their order: won pays (PAYOUT), void refunds (REFUND), lost posts nothing but seq and open_* move.
 * LEDGER_E_OVERFLOW, _ABSENT of any of them: none is posted. accounts[i]: as bet i left it; rows[i]: its row, 0 when lost. At most
 * LEDGER_SETTLE_MAX in one call. Called by settle alone. */
enum { LEDGER_SETTLE_MAX = 128 };
MUST_CHECK int ledger_settle_bets(struct store *db, const struct bet *bets, size_t n, struct account *accounts, int64_t *rows);

/* Deposits, welcome credit, withdrawals, reversals, adjustments: by an external id of 1..LEDGER_REF_ID_MAX-1 printable bytes.
 * EXISTS: the same posting (account, amount) is there, *ret is the account now; CONFLICT: the id is there with other content. */
struct posting {
	int64_t user;
	struct amount amount;
	enum ledger_ref ref_type;
	const char *ref_id;
	int64_t at_ms;
};
MUST_CHECK int ledger_post(struct store *db, const struct posting *p, struct account *ret);

struct ledger_query {
	int64_t user;
	int64_t from_ms, to_ms;       /* [from, to); 0 and INT64_MAX for all */
	int ref_type;                 /* 0: any */
	const char *ref_id;           /* NULL: any */
	int64_t before_row;           /* the cursor: rows below it; 0: from the newest */
	size_t limit;
};
/* Newest first; cb returns false to stop. *ret_more: there is at least one further row. */
typedef bool ledger_cb(void *u, const struct entry *e);
MUST_CHECK int ledger_list(struct store *db, const struct ledger_query *q, ledger_cb *cb, void *u, bool *ret_more);

/* All accounts, by id. */
typedef bool account_cb(void *u, const struct account *a);
MUST_CHECK int ledger_accounts(struct store *db, account_cb *cb, void *u);

/* What all accounts have open, together. */
MUST_CHECK int ledger_open(struct store *db, int64_t *ret_bets, struct money *ret_stake);

/* Recomputes everything that is said above over the whole file, without holding writers (one read snapshot): 0 and the counts, or
 * 1 with the first finding in text. */
struct ledger_audit {
	int64_t accounts, rows, commits;
	struct money balances;
	char finding[256];
};
MUST_CHECK int ledger_audit(struct store *db, struct ledger_audit *ret);

#endif
