#include "tell.h"

#include <errno.h>
#include <stdio.h>

#include "err.h"
#include "msg.h"

static int announce(struct bus *bus, const struct account *a, enum ledger_ref why)
{
	struct buf event = BUF_INIT(MSG_EVENT_MAX);
	msg_balance(&event, a, why);
	int r = msg_announce(bus, a, &event);
	if (r == 0)
		r = bus_flush(bus);
	if (r == 0 && bus_kind(bus_reply(bus, 0)) == BUS_ERROR)
		r = err_say(-EAGAIN, "Redis answered: %s", bus_text(bus_reply(bus, 0), NULL));
	buf_free(&event);
	return r;
}

void tell_balance(struct ctl *c, const struct account *a, enum ledger_ref why)
{
	struct bus *bus;
	int r = bus_open(&bus, &c->bus);
	if (r == 0) {
		r = announce(bus, a, why);
		bus_close(bus);
	}
	if (r < 0)
		(void) fprintf(stderr, "tap-trading-ctl: the player was not told, Redis is away: %s\n", err_text());
}
