/* players.h - wallets of the load generators: random keys, signed in over the public API, so that the welcome credit is
 * theirs. */
#ifndef BENCH_PLAYERS_H
#define BENCH_PLAYERS_H

#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "wallet.h"

enum { PLAYER_TOKEN_SIZE = 65 };

struct player {
	uint8_t secret[32];
	struct wallet wallet;
	char text[WALLET_TEXT_SIZE];
	char token[PLAYER_TOKEN_SIZE]; /* of its session */
};

/* Makes n players and signs them in: 0, or negative errno with a sentence. free(*ret). */
MUST_CHECK int players_new(struct player **ret, size_t n, const char *api, size_t connections);

#endif
