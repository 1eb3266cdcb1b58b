#include "history.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "msg.h"
#include "price.h"

#define PRICE_LIFE_S "3600"

/* The stream itself refuses an id that does not rise; what else may go wrong in XADD (no memory) is a failure. Numbers go through
 * %.0f, because Lua writes a large one with an exponent. The trim is approximate: whole nodes, never more than is too old. */
static struct bus_script append_script = {
	.lua = "local now = redis.call('TIME')\n"
	       "local ms = now[1] * 1000 + math.floor(now[2] / 1000)\n"
	       "if math.abs(ARGV[1] - ms) > tonumber(ARGV[3]) then return 0 end\n"
	       "local oldest = string.format('%.0f', math.max(ms - ARGV[4], 0))\n"
	       "local id = redis.pcall('XADD', KEYS[1], 'MINID', '~', oldest, ARGV[1] .. '-0', 'p', ARGV[2])\n"
	       "if type(id) == 'table' and id.err then\n"
	       "  if string.find(id.err, 'equal or smaller', 1, true) then return 0 end\n"
	       "  return id\n"
	       "end\n"
	       "redis.call('SET', KEYS[2], ARGV[2], 'EX', ARGV[5])\n"
	       "redis.call('PUBLISH', KEYS[3], ARGV[6])\n"
	       "return 1\n",
};

/* What a reply says when it is an error, as a result. */
static int reply_error(const struct bus_reply *r)
{
	return err_say(-EIO, "Redis answered: %s", bus_text(r, NULL));
}

int history_append(struct bus *bus, const struct tick *t)
{
	char time_text[24], price_text[24], late[24], kept[24];
	_cleanup_(buf_free) struct buf event = BUF_INIT(MSG_EVENT_MAX);

	(void) snprintf(time_text, sizeof time_text, "%" PRId64, t->t_ms);
	(void) snprintf(price_text, sizeof price_text, "%" PRId64, t->p_cents);
	(void) snprintf(late, sizeof late, "%d", HISTORY_LATE_MS);
	(void) snprintf(kept, sizeof kept, "%" PRId64, (int64_t) HISTORY_DAYS * 24 * 3600 * 1000);
	msg_price(&event, t);
	if (event.failed)
		return err_say(-ENOMEM, "no memory for a tick's event");
	const struct bus_arg keys[] = { bus_arg_of(KEY_HISTORY), bus_arg_of(KEY_PRICE), bus_arg_of(CHANNEL_PRICE) };
	const struct bus_arg args[] = { bus_arg_of(time_text), bus_arg_of(price_text), bus_arg_of(late), bus_arg_of(kept),
		bus_arg_of(PRICE_LIFE_S), { event.p, event.n } };
	int r = bus_add_script(bus, &append_script, keys, ARRAY_LEN(keys), args, ARRAY_LEN(args));
	if (r == 0)
		r = bus_flush(bus);
	if (r < 0)
		return err_trace(r);
	const struct bus_reply *reply = bus_reply(bus, bus_replies(bus) - 1);
	if (bus_kind(reply) == BUS_ERROR)
		return reply_error(reply);
	return bus_int(reply) == 1 ? 0 : HISTORY_E_REFUSED;
}

/* One entry of the stream: [id, [field, value]]. */
static int tick_of(const struct bus_reply *entry, struct tick *ret)
{
	size_t n;
	const char *id = bus_text(bus_at(entry, 0), &n);
	const struct bus_reply *pairs = bus_at(entry, 1);
	char *end;

	if (bus_count(entry) != 2 || bus_count(pairs) != 2)
		return err_say(-EBADMSG, "an entry of %s is no tick", KEY_HISTORY);
	errno = 0;
	long long t = strtoll(id, &end, 10);
	*ret = (struct tick){ .t_ms = t, .p_cents = bus_int(bus_at(pairs, 1)) };
	if (errno || end == id || strcmp(end, "-0") != 0 || ret->p_cents <= 0 || ret->p_cents > PRICE_MAX_CENTS)
		return err_say(-EBADMSG, "an entry of %s is no tick: %.40s", KEY_HISTORY, id);
	return 0;
}

/* All entries of a range's reply into ticks[max]. */
static int ticks_of(const struct bus_reply *range, struct tick *ticks, size_t max, size_t *ret_n)
{
	if (bus_kind(range) == BUS_ERROR)
		return reply_error(range);
	if (bus_kind(range) != BUS_ARRAY || bus_count(range) > max)
		return err_say(-EBADMSG, "a range of %s has the wrong shape", KEY_HISTORY);
	for (size_t i = 0; i < bus_count(range); i++) {
		int r = tick_of(bus_at(range, i), &ticks[i]);
		if (r < 0)
			return r;
	}
	*ret_n = bus_count(range);
	return 0;
}

/* The newest tick at or below the id: 0; 1 when there is none. */
static int newest_below(struct bus *bus, const char *from_id, struct tick *ret)
{
	const struct bus_reply *reply;
	size_t n = 0;
	int r = bus_command(bus, &reply, "XREVRANGE %s %s - COUNT 1", KEY_HISTORY, from_id);
	if (r == 0)
		r = ticks_of(reply, ret, 1, &n);
	if (r < 0)
		return err_trace(r);
	return n == 1 ? 0 : 1;
}

int history_last(struct bus *bus, struct tick *ret)
{
	return newest_below(bus, "+", ret);
}

int history_before(struct bus *bus, int64_t at_ms, struct tick *ret)
{
	char id[24];
	if (at_ms <= 0)
		return 1;
	(void) snprintf(id, sizeof id, "%" PRId64, at_ms - 1); /* without -n: the last id of that millisecond */
	return newest_below(bus, id, ret);
}

int history_read(struct bus *bus, int64_t from_ms, int64_t to_ms, struct tick *ticks, size_t max, size_t *ret_n,
		bool *ret_more)
{
	size_t n = 0;
	bool more = false;

	from_ms = from_ms < 0 ? 0 : from_ms;
	while (from_ms < to_ms) {
		/* one beyond what fits tells whether there is more */
		size_t want = max - n + 1 < HISTORY_PAGE ? max - n + 1 : HISTORY_PAGE;
		const struct bus_reply *reply;
		int r = bus_command(bus, &reply, "XRANGE %s %lld %lld COUNT %lld", KEY_HISTORY, (long long) from_ms,
				(long long) to_ms - 1, (long long) want);
		if (r < 0)
			return err_trace(r);
		if (bus_kind(reply) == BUS_ERROR)
			return reply_error(reply);
		size_t got = bus_count(reply), kept = got < max - n ? got : max - n;
		for (size_t i = 0; i < kept; i++) {
			r = tick_of(bus_at(reply, i), &ticks[n + i]);
			if (r < 0)
				return err_trace(r);
		}
		n += kept;
		more = got > kept;
		if (more || got < want)
			break;
		from_ms = ticks[n - 1].t_ms + 1;
	}
	*ret_n = n;
	*ret_more = more;
	return 0;
}

/* TIME stands before the ranges: when it says that the column can grow no more, the ranges behind it are whole. */
static int ask_column(struct bus *bus, int64_t from_ms, int64_t to_ms, size_t max)
{
	int r = bus_addf(bus, "TIME");
	if (r == 0)
		r = bus_addf(bus, "XREVRANGE %s %lld - COUNT 1", KEY_HISTORY, (long long) from_ms - 1);
	if (r == 0)
		r = bus_addf(bus, "XRANGE %s %lld %lld COUNT %lld", KEY_HISTORY, (long long) from_ms, (long long) to_ms - 1,
				(long long) max);
	return r == 0 ? bus_flush(bus) : r;
}

int history_column(struct bus *bus, int64_t t0_s, int64_t column_s, struct tick *ticks, size_t max, size_t *ret_n,
		bool *ret_anchor, int64_t *ret_redis_ms)
{
	size_t anchors = 0, inside = 0;

	if (t0_s <= 0 || column_s <= 0 || max < 2)
		return err_say(-EINVAL, "no such column");
	int r = ask_column(bus, t0_s * 1000, (t0_s + column_s) * 1000, max);
	if (r < 0)
		return err_trace(r);
	const struct bus_reply *now = bus_reply(bus, 0);
	if (bus_kind(now) == BUS_ERROR)
		return reply_error(now);
	r = ticks_of(bus_reply(bus, 1), ticks, 1, &anchors);
	if (r == 0 && anchors + bus_count(bus_reply(bus, 2)) > max)
		r = err_say(-EOVERFLOW, "a column of %s has more than %zu ticks", KEY_HISTORY, max);
	if (r == 0)
		r = ticks_of(bus_reply(bus, 2), ticks + anchors, max - anchors, &inside);
	if (r < 0)
		return err_trace(r);
	*ret_n = anchors + inside;
	*ret_anchor = anchors == 1;
	*ret_redis_ms = bus_int(bus_at(now, 0)) * 1000 + bus_int(bus_at(now, 1)) / 1000;
	return 0;
}
