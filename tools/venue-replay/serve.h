/* serve.h - the WebSocket side of the replay: who is connected, what each asked for, and sending it.
 * Coinbase Exchange answers at / and /coinbase, Kraken at /v2, Bitstamp at /bitstamp, Binance at /stream and /ws. What the venue would
 * refuse is refused here too. One server a process, one thread. */
#ifndef REPLAY_SERVE_H
#define REPLAY_SERVE_H

#include <stdint.h>
#include <stdio.h>

#include "attr.h"
#include "conf.h"
#include "mischief.h"
#include "tape.h"

struct serve_conf {
	struct conf_listen listen;
	double speed;       /* the tape's; frames carry the present time whatever it is */
	int64_t basis_bp;   /* Binance's prices off the others', 1e-4 */
	int64_t noise_cents; /* each venue's own, at most, either way */
	struct tape *tape;  /* borrowed */
	struct mischief *mischief; /* borrowed */
	FILE *sent;         /* borrowed; NULL: nowhere. A line for each point when its frames go: ms of the wall clock, bid, ask in cents */
};

MUST_CHECK int serve_start(const struct serve_conf *conf, uint16_t *ret_port);
/* Plays what is due and serves, for at most about timeout_ms. */
MUST_CHECK int serve_turn(int timeout_ms);
void serve_stop(void);

#endif
