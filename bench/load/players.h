/* players.h - wallets of the load generator: random keys, signed in over the public API, so that the welcome credit is
 * theirs. */
#ifndef LOAD_PLAYERS_H
#define LOAD_PLAYERS_H

#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "wallet.h"

struct player {
	uint8_t secret[32];
	struct wallet wallet;
	char text[WALLET_TEXT_SIZE];
};

/* Makes n players and signs them in: 0, or negative errno with a sentence. free(*ret). */
MUST_CHECK int players_new(struct player **ret, size_t n, const char *api, size_t connections);

#endif
