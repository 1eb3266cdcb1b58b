/* bet.h - a bet's states, its legal moves, and its id. Domain floor, pure. Thread: any.
 * The stored numbers are fixed: never renumber.
 * A bet's id carries its key, so that no index is needed to find it: see bet_id(). */
#ifndef TAP_BET_H
#define TAP_BET_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "grid.h"
#include "money.h"
#include "rate.h"
#include "ulid.h"

enum bet_state {
	BET_CONFIRMED = 1, /* on disk, column undecided */
	BET_WON = 2,
	BET_LOST = 3,
	BET_VOID = 4,
	BET_STATES
};

enum { NONCE_SIZE = 16 };

struct bet {
	int64_t user;        /* row id of its account */
	struct cell cell;    /* (t0, low, user) is the bet's key: one bet for each wallet and cell, for ever */
	struct money stake;
	struct rate rate;    /* written by the server */
	struct rate rate_min; /* asked by the player: part of the signed message */
	int64_t placed_ms;
	int64_t signed_s;    /* the message's timestamp */
	uint8_t nonce[NONCE_SIZE];
	enum bet_state state;
	int64_t signer;      /* row of the session key that signed; 0: the wallet itself */
	struct money payout; /* 0 while open and when lost */
	int64_t resolved_ms; /* 0 while open */
};

/* CHECKs that the move is legal: CONFIRMED to any of the other three, once. */
void bet_move(struct bet *b, enum bet_state to);
bool bet_may_move(enum bet_state from, enum bet_state to);
const char *bet_state_name(enum bet_state s); /* "confirmed", "won", "lost", "void" */
/* False for a name that is none. */
MUST_CHECK bool bet_state_parse(enum bet_state *ret, const char *name);

/* What an id says: where the bet stands. */
struct bet_key {
	int64_t placed_ms;
	int64_t t0_s;
	int64_t low_cents;
	int64_t user;
};

/* 48 bits placed_ms | 16 bits t0 - floor(placed_ms / 1000) | 32 bits low_cents | 32 bits user.
 * False when a part does not fit (t0 further than 65535 s ahead, low over 42 million dollars, 4 billion users). */
MUST_CHECK bool bet_id(struct ulid *ret, const struct bet_key *key);
/* Of a bet that is in the book, and thereby has one. */
void bet_id_text(char ret[ULID_TEXT_SIZE], const struct bet *b);
void bet_key_of(struct bet_key *ret, const struct ulid *id);

/* Same signed message: cell, stake, least rate, nonce and timestamp (the wallet is in the key). */
bool bet_same_request(const struct bet *a, const struct bet *b);

#endif
