/* session_keys.h - which session keys signed for which account, and what their messages let them do. Service floor, on ledger.
 * Redis says which key lives now; the book remembers what it was allowed and which bet it signed, so that both outlive Redis.
 * Always true at every commit: users.keys_row is the id of the user's newest row, 0 while there is none; a row is never changed or
 *   deleted (triggers refuse): a key that signs in again gets a further row, which takes the place of the earlier ones and allows
 *   no more than any of them that still lives; bets.signer is 0 for the wallet itself, else a row of the bet's own user.
 * Units, thread, results: as ledger.h. All calls need an open transaction; an expected result has changed nothing. */
#ifndef TAP_SESSION_KEYS_H
#define TAP_SESSION_KEYS_H

#include <stdint.h>

#include "attr.h"
#include "ledger.h"
#include "money.h"
#include "store.h"
#include "wallet.h"

enum { SESSION_KEYS_E_ABSENT = 1 };

struct key_caps { /* of the player's stakes, whoever signed them, that a bet of this key may bring about */
	struct money column, open;
};

struct session_key {
	int64_t id;
	struct wallet address;
	struct key_caps caps;
	int64_t expires_ms; /* of its last session */
};

/* The key's newest row of this user. */
MUST_CHECK int session_keys_find(struct store *db, int64_t user, const struct wallet *address, struct session_key *ret);
/* A session that names the key; *ret is the row as written. Moves a->keys_row. */
MUST_CHECK int session_keys_put(struct store *db, struct account *a, const struct wallet *address, const struct key_caps *caps,
		int64_t now_ms, int64_t expires_ms, struct session_key *ret);
/* Was the row `id` this key, of this user? 0 yes, SESSION_KEYS_E_ABSENT no. id 0 is the wallet itself: no. */
MUST_CHECK int session_keys_is(struct store *db, int64_t id, int64_t user, const struct wallet *address);

/* The rules above: 0 and the count, or 1 with the finding. */
struct session_keys_audit {
	int64_t keys;
	char finding[256];
};
MUST_CHECK int session_keys_audit(struct store *db, struct session_keys_audit *ret);

#endif
