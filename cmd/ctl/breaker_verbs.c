/* breaker open|close|auto: the operator's word on betting. It is kept in Redis with an end, so that a forgotten one ends itself. */
#include <errno.h>
#include <string.h>

#include "ctl.h"
#include "err.h"
#include "msg.h"

enum { SPAN_PRESET_S = 3600, SPAN_MAX_S = 7 * 24 * 3600 };

static int order(struct ctl *c, const char *word, int64_t span_s, int64_t *ret_heard)
{
	const struct bus_reply *reply;
	struct bus *bus;
	int r = bus_open(&bus, &c->bus);
	if (r < 0)
		return r;
	if (strcmp(word, "auto") == 0)
		r = bus_command(bus, &reply, "DEL %s", KEY_OVERRIDE);
	else
		r = bus_command(bus, &reply, "SET %s %s EX %lld", KEY_OVERRIDE, word, (long long) span_s);
	if (r == 0 && bus_kind(reply) == BUS_ERROR)
		r = err_say(-EAGAIN, "Redis answered: %s", bus_text(reply, NULL));
	if (r == 0)
		r = bus_command(bus, &reply, "PUBLISH %s %s", CHANNEL_OVERRIDE, word);
	if (r == 0)
		*ret_heard = bus_int(reply);
	bus_close(bus);
	return r;
}

static int breaker(struct ctl *c, const char *word)
{
	int64_t span_s, heard = 0;
	int code;
	if (!ctl_span(c, "for", SPAN_MAX_S, SPAN_PRESET_S, &span_s))
		return EX_USAGE;
	_cleanup_(week_closep) struct week *w = ctl_book(c, STORE_WRITE, &code);
	if (!w)
		return code;
	bool ends = strcmp(word, "auto") != 0;
	code = ends ? ctl_audit(c, w, "breaker %s for %lld s", word, (long long) span_s) : ctl_audit(c, w, "breaker %s", word);
	if (code)
		return code;
	int r = order(c, word, span_s, &heard);
	if (r < 0) {
		code = ctl_audit(c, w, "breaker %s: Redis could not be told", word);
		return code ? code : ctl_fail_errno(c, r, "Redis");
	}
	out_text(&c->out, "breaker", word);
	out_int(&c->out, "heard_by", heard);
	if (ends)
		out_time(&c->out, "until", c->now_ms + span_s * 1000);
	if (heard == 0)
		out_say(&c->out, "no daemon listens now; those that start later will find it");
	return 0;
}

int verb_breaker_open(struct ctl *c)
{
	return breaker(c, "open");
}

int verb_breaker_close(struct ctl *c)
{
	return breaker(c, "close");
}

int verb_breaker_auto(struct ctl *c)
{
	return breaker(c, "auto");
}
