/* redis.h - the fake Redis: the history of ticks, the nonces, what the price channel brought, and how all of it is lost.
 * It stands behind the seams by which the services use Redis (history_*, auth_door_*, bus_sub_*, announcers), by --wrap. */
#ifndef TAP_SIM_REDIS_H
#define TAP_SIM_REDIS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tick.h"

enum { REDIS_TICKS = 16384 };

struct seen_tick { /* accepted, that is published; by each of the two witnesses */
	struct tick tick;
	bool recorded, heard;
};

void redis_begin(void);
void redis_down(bool down);
void redis_flush(void);
void redis_lose_last_second(void); /* its AOF is synced each second */
void redis_deaf(bool deaf);        /* the resolver's subscription is cut */
void redis_resolver_gone(void);    /* what it heard went with it */
bool redis_is_down(void);
bool redis_door_cut(void); /* the newest trip of the door failed */
/* ingest's tick: false when it was refused. */
bool redis_append(const struct tick *t);

/* Newest last; index 0 is the oldest that is kept. */
size_t redis_ticks(void);
const struct seen_tick *redis_tick(size_t i);

#endif
