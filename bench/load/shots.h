/* shots.h - signed bets, ready to be sent: the open cells of the newest grid, dealt to the players, each cell at most
 * once to each. */
#ifndef LOAD_SHOTS_H
#define LOAD_SHOTS_H

#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "players.h"

enum { SHOT_SIZE = 768, SHOTS_A_PLAYER_MAX = 50 };

struct shot {
	uint16_t n;
	char request[SHOT_SIZE - sizeof(uint16_t)];
};

struct shots {
	struct shot *v;
	size_t n;
	size_t cells;     /* of how many each player has some */
	int64_t first_t0_s, last_t0_s;
	int64_t sign_us;  /* wall time of the signing */
};

struct shots_conf {
	const char *api;
	int64_t chain_id, stake_micros;
	double send_s;    /* how long the sending will take: cells must stay open, and signatures good, as long */
	unsigned threads;
};

/* Signs up to `wanted` bets: fewer when the grid has too few cells for the players. */
MUST_CHECK int shots_new(struct shots *ret, const struct shots_conf *conf, const struct player *players, size_t n_players,
		size_t wanted);
void shots_free(struct shots *s);

#endif
