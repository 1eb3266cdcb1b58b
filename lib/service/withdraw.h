/* withdraw.h - withdrawals: requested and debited at once, then approved, or rejected and given back. Service floor, on ledger.
 * Always true at every commit: each withdrawal has exactly one WITHDRAWAL row whose ref_id is its id; a rejected one has exactly
 *   one WITHDRAWAL_REVERSAL row of the same id and amount, others have none; it is decided once (triggers refuse).
 * Units, thread, results: as ledger.h. All calls need an open transaction; an expected result has changed nothing. */
#ifndef TAP_WITHDRAW_H
#define TAP_WITHDRAW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "ledger.h"
#include "store.h"
#include "tap.h"
#include "ulid.h"

enum {
	WITHDRAW_E_ABSENT = 1,
	WITHDRAW_E_REPLAYED, /* the same request is there: *ret and the balance of its first answer */
	WITHDRAW_E_NONCE,    /* another request of the account has this nonce */
	WITHDRAW_E_FUNDS,
	WITHDRAW_E_SUSPENDED,
	WITHDRAW_E_DECIDED   /* the other way, earlier */
};

enum withdraw_state { WITHDRAW_REQUESTED = 1, WITHDRAW_APPROVED = 2, WITHDRAW_REJECTED = 3, WITHDRAW_STATES }; /* stored */
const char *withdraw_state_name(enum withdraw_state s); /* "requested", "approved", "rejected" */
MUST_CHECK bool withdraw_state_parse(enum withdraw_state *ret, const char *name);

struct withdrawal {
	int64_t row; /* rising; the cursor */
	struct ulid id;
	int64_t user;
	struct money amount;
	struct wallet to;
	enum withdraw_state state;
	int64_t requested_ms;
	int64_t decided_ms; /* 0: not yet */
};

/* Debits at once. *after: the account as the first answer shows it; its balance alone counts for a replay. */
MUST_CHECK int withdraw_request(struct store *db, int64_t user, const struct withdraw *w, int64_t now_ms, struct withdrawal *ret,
		struct account *after);
/* Looks alone: 0 when no request of the account has this nonce, WITHDRAW_E_NONCE, WITHDRAW_E_REPLAYED with *ret and the balance of
 * its first answer in *after. */
MUST_CHECK int withdraw_replay(struct store *db, int64_t user, const struct withdraw *w, struct withdrawal *ret,
		struct account *after);
/* The operator's word. Deciding again the same way is 0 and changes nothing; *changed tells. */
MUST_CHECK int withdraw_decide(struct store *db, const struct ulid *id, bool approve, int64_t now_ms, struct withdrawal *ret,
		struct account *after, bool *changed);

struct withdraw_query {
	int64_t user;         /* 0: any */
	int64_t from_ms, to_ms;
	int state;            /* 0: any */
	int64_t before_row;   /* cursor; 0: from the newest */
	size_t limit;
};
typedef bool withdrawal_cb(void *u, const struct withdrawal *w);
/* Newest first. */
MUST_CHECK int withdraw_list(struct store *db, const struct withdraw_query *q, withdrawal_cb *cb, void *u, bool *ret_more);

/* The rule above, over the whole file and what it took over from earlier weeks: 0 and the count, or 1 with the finding. */
struct withdraw_audit {
	int64_t withdrawals;
	char finding[256];
};
MUST_CHECK int withdraw_audit(struct store *db, struct withdraw_audit *ret);

#endif
