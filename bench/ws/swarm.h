/* swarm.h - many WebSocket connections on one epoll loop, from several loopback addresses, that read what they are sent and judge
 * it: how old each price is, whether a player's own events come one by one. Framing is its own, so that the measure does not
 * share a mistake with what is measured.
 * A price's age is this machine's clock at reading less the price's `t`, so the swarm's own slowness counts too.
 * Thread: one owner. Memory: swarm_open gives, swarm_close takes; players are borrowed. */
#ifndef BENCH_SWARM_H
#define BENCH_SWARM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "players.h"

enum { SWARM_MAX = 19000, SWARM_ADDRESSES = 100, AGES_MAX = 10000, OLD_MS = 250 };

enum link_kind {
	LINK_READER,
	LINK_STALLED, /* opens, signs in, reads no more */
	LINK_RUBBISH  /* sends what no player sends, and comes back whenever it is thrown out */
};

enum link_state { LINK_DOWN, LINK_CONNECTING, LINK_HEAD, LINK_OPEN };

struct link {
	int fd;
	enum link_kind kind;
	enum link_state state;
	bool is_new;           /* its first sign in is still to come */
	bool is_back;          /* signed in and shown a price since the last swarm_mark */
	bool is_in, has_price;
	const struct player *player; /* NULL: a guest */
	int64_t try_at_ms;
	int64_t since_ms;      /* of the attempt that is under way */
	int64_t price_t_ms;    /* of the newest price */
	int64_t first_seq, seq; /* at the first sign in; the newest that was told */
	uint32_t prices, old;  /* since the last swarm_mark */
	char *kept;            /* the beginning of a frame whose end has not come */
	size_t n_kept;
};

struct swarm_sums {
	uint64_t frames, bytes, prices, grids, skipped; /* skipped: prices that a newer one replaced */
	uint64_t own, gaps, doubles;                    /* players' events; out of turn */
	uint64_t lost, readers_lost;                    /* connections that ended; of readers */
	uint64_t refused, wrong;                        /* that were not let in; frames that are none */
	uint64_t stale[AGES_MAX + 1];                   /* prices by age in ms */
};

/* A frame as it came, and when. */
struct take {
	int64_t at_us;
	size_t n;
	char *bytes;
};

struct takes {
	struct take *v;
	size_t n, cap;
};

struct swarm {
	struct link *links;
	size_t n, up;
	int epoll_fd;
	uint16_t port;
	int64_t newest_t_ms, tick_ms;
	int64_t rubbish_at_ms;
	struct swarm_sums sums;
	struct takes *takes;   /* what the first reader is sent, while it is set */
	char *in;
};

/* address: 127.x host:port. players NULL: guests. */
MUST_CHECK int swarm_open(struct swarm *s, const char *address, size_t n, const struct player *players);
void swarm_close(struct swarm *s);
/* Connects who is down and reads what came; waits at most wait_ms. */
MUST_CHECK int swarm_turn(struct swarm *s, int wait_ms);
/* Turns for so long. */
MUST_CHECK int swarm_watch(struct swarm *s, int64_t ms);
/* The sums start anew. */
void swarm_mark(struct swarm *s);
void swarm_become(struct swarm *s, size_t i, enum link_kind kind);
/* Readers that are open, have a price, and, being players, are signed in. */
size_t swarm_back(const struct swarm *s);
size_t swarm_readers(const struct swarm *s);
/* The age that the share q of the prices did not exceed, in ms. */
int64_t swarm_age(const struct swarm_sums *sums, double q);
/* Readers of whose prices since the mark more than one in a hundred was older than OLD_MS, or that saw none. */
size_t swarm_late_readers(const struct swarm *s);
void takes_free(struct takes *t);

#endif
