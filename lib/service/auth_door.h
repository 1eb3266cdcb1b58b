/* auth_door.h - the door of bets and withdrawals: may the signer sign for the wallet (itself, or a live session key of it), has
 * the wallet room in its bucket, is the nonce new. Service floor, on bus, msg.
 * All that knock together make one trip to Redis, of plain commands: a script for each would cost Redis more than the rest of a
 * bet. What such a trip does for one that is then turned away (a signer who may not, a full bucket) is undone before the answer.
 * Bucket: burst, refilled by rate a minute (GCRA, https://en.wikipedia.org/wiki/Generic_cell_rate_algorithm), kept as the moment
 *   at which it will be full again. It is counted here and kept in Redis, where the next process finds it when it first sees the
 *   wallet; at most BUCKETS wallets are counted at once, then the one that is full soonest is forgotten.
 * Nonce: SET NX with the tag; whoever finds another's tag there is a replay.
 * Thread: one at a time, the bus' owner. */
#ifndef TAP_AUTH_DOOR_H
#define TAP_AUTH_DOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "bet.h"
#include "bus.h"
#include "hash.h"
#include "msg.h"
#include "wallet.h"

enum { AUTH_KNOCKS_MAX = 256 }; /* in one trip */

enum auth_verdict {
	AUTH_ADMITTED = 0,
	AUTH_NOT_SIGNER,   /* invalid_signature */
	AUTH_RATE_LIMITED, /* retry_after_s is set */
	AUTH_NONCE_SPENT,  /* a replay, or replay_detected: the book knows */
	AUTH_NONCE_OURS,   /* spent under this very tag: unless that was decided (the spender knows), it counts as new, so that a
	                    * trip whose answer was lost spends nothing */
	AUTH_UNAVAILABLE   /* Redis refused */
};

struct auth_knock {
	struct wallet wallet, signer;
	uint8_t nonce[NONCE_SIZE];
	uint8_t tag[NONCE_SIZE]; /* of the message and of the process that spends: the nonce is kept with it */
	/* the answer */
	enum auth_verdict verdict;
	int retry_after_s;
	/* the door's own */
	char wallet_text[WALLET_TEXT_SIZE];
	int64_t full_us;
	bool full, first_seen;
};

struct auth_door_conf {
	char *(*bucket_key)(char out[KEY_MAX], const char *wallet); /* bets and withdrawals have buckets of their own */
	int64_t rate_per_minute, burst;
};

struct auth_door;
MUST_CHECK int auth_door_open(struct auth_door **ret, const struct auth_door_conf *conf);
struct auth_door *auth_door_close(struct auth_door *d);

/* Fills the verdicts. spend false: the nonce is looked at, not spent (bets are not taken now, and the same may come again).
 * now_us: wall clock. <0: Redis is not there; the buckets are as before, and a nonce may be spent under its own tag. */
MUST_CHECK int auth_door_ask(struct auth_door *d, struct bus *bus, struct auth_knock *knocks, size_t n, bool spend, int64_t now_us);

#endif
