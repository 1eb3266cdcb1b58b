/* shots.h - signed bets, ready to be sent: cells dealt to the players, each at most once to each. */
#ifndef LOAD_SHOTS_H
#define LOAD_SHOTS_H

#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "plan.h"
#include "players.h"

/* A wallet may place 5 a second and 60 at once: so many of each are never refused, however fast they are sent. */
enum { SHOT_SIZE = 768, SHOTS_A_PLAYER = 25, SHOTS_LATE_S = 4 };

struct shot {
	uint16_t n;
	char request[SHOT_SIZE - sizeof(uint16_t)];
};

struct shots {
	struct shot *v;
	size_t n;
	int64_t start_ms;  /* wall: when the first is to be sent; at most SHOTS_LATE_S later */
	int64_t last_t0_s;
	int64_t sign_us;   /* wall time of the signing */
};

struct shots_conf {
	const char *api;
	const struct plan *plan;  /* NULL: a closed loop */
	size_t wanted;            /* of a closed loop */
	int64_t start_ms;         /* 0: as soon as they are signed */
	int64_t chain_id, stake_micros;
	unsigned threads;
	size_t crowd;             /* one column after another gets so many, few bets go elsewhere; 0: all columns alike */
	bool flood;               /* cells may come again: most are refused before anyone looks at those */
};

MUST_CHECK int shots_new(struct shots *ret, const struct shots_conf *conf, const struct player *players, size_t n_players);
void shots_free(struct shots *s);

#endif
