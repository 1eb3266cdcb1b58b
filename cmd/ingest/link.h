/* link.h - the connections to one venue: connect, subscribe, ping, notice silence, come back with jitter, and have a new connection take
 * over before the old one goes (its time is up, the venue says so, something was lost). What is heard goes to its bbo.
 * All on the feed's thread, inside its loop. */
#ifndef INGEST_LINK_H
#define INGEST_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "bbo.h"
#include "pace.h"
#include "wsock.h"

enum {
	LINK_MESSAGE_MAX = 65536,
	LINK_SETTLED_MS = 30000, /* a connection that served so long forgives the failures before it */
	LINK_CONNECT_MS = 5000
};

struct link_counts {
	uint64_t connects, losses, renewals;
};

struct line; /* one connection */

struct link {
	const char *url;
	struct wsock_loop *loop;
	int64_t renew_ms;         /* a connection as old as that is replaced: venues cut at 24 h */
	struct line *now, *next;  /* next: the one that is to take over */
	bool wants_next;
	struct pace pace;
	struct bbo bbo;
	struct link_counts counts;
};

/* url and loop are borrowed. */
void link_init(struct link *l, const struct venue_adapter *adapter, const char *url, struct wsock_loop *loop, int64_t renew_ms);
/* Does what is due; to be called about ten times a second. */
void link_look(struct link *l, int64_t mono_ms);
bool link_connected(const struct link *l);
/* Before the loop is freed: its connections are nobody's any more, and go in silence. */
void link_leave(struct link *l);

#endif
