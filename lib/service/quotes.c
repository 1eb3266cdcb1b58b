#include "quotes.h"

#include <errno.h>
#include <stdlib.h>

#include "buf.h"
#include "err.h"
#include "history.h"
#include "msg.h"

enum { PAGE = 256 };

int quotes_flush(struct quotes_run *run, struct bus *bus, bool *ret_added)
{
	_cleanup_(buf_free) struct buf bytes = BUF_INIT(QUOTE_LOG_MAX);
	*ret_added = false;
	if (run->n == 0)
		return 0;
	long long first = run->made[0].t_ms, kept = first - (long long) HISTORY_DAYS * 24 * 3600 * 1000;
	quote_log_encode(&bytes, run->made, run->n);
	run->n = 0;
	if (bytes.failed)
		return err_say(-ENOMEM, "no memory for a record of quotes");
	int r = bus_addf(bus, "XADD %s MINID ~ %lld %lld-0 q %b", KEY_QUOTES, kept > 0 ? kept : 0, first, bytes.p, bytes.n);
	*ret_added = r == 0;
	return err_trace(r);
}

int quotes_add(struct quotes_run *run, struct bus *bus, const struct quote_made *made, bool *ret_added)
{
	int r = 0;
	*ret_added = false;
	if (run->n) {
		int64_t age_ms = made->t_ms - run->made[0].t_ms;
		if (run->n == QUOTE_LOG_RUN || age_ms < 0 || age_ms >= QUOTES_SPAN_MS || !quote_log_same(made, run->made))
			r = quotes_flush(run, bus, ret_added);
	}
	run->made[run->n++] = *made;
	return r;
}

/* 0: go on; 1: enough. */
static int show(const struct bus_reply *entry, struct quote_made *made, int64_t from_ms, int64_t to_ms, quotes_cb *cb, void *u)
{
	const struct bus_reply *pairs = bus_at(entry, 1);
	size_t len, n;
	if (bus_count(entry) != 2 || bus_count(pairs) != 2)
		return err_say(-EBADMSG, "an entry of %s is no record of quotes", KEY_QUOTES);
	const char *bytes = bus_text(bus_at(pairs, 1), &len);
	if (!quote_log_decode((const uint8_t *) bytes, len, made, &n))
		return err_say(-EBADMSG, "the entry %.40s of %s is no record of quotes", bus_text(bus_at(entry, 0), NULL), KEY_QUOTES);
	for (size_t i = 0; i < n; i++)
		if (made[i].t_ms >= from_ms && made[i].t_ms <= to_ms && !cb(u, &made[i]))
			return 1;
	return 0;
}

int quotes_read(struct bus *bus, int64_t from_ms, int64_t to_ms, quotes_cb *cb, void *u)
{
	const struct bus_reply *reply;
	if (to_ms < from_ms || to_ms - from_ms > QUOTES_READ_MS)
		return err_say(-EINVAL, "at most %d ms of quotes are read at once", QUOTES_READ_MS);
	struct quote_made *made = calloc(QUOTE_LOG_RUN, sizeof *made);
	if (!made)
		return -ENOMEM;
	/* the entry that holds the first one may have begun before it */
	long long at = from_ms > QUOTES_SPAN_MS ? from_ms - QUOTES_SPAN_MS : 0;
	int r = 0;
	for (size_t got = PAGE; r == 0 && got == PAGE && at <= to_ms;) {
		r = bus_command(bus, &reply, "XRANGE %s %lld %lld COUNT %d", KEY_QUOTES, at, (long long) to_ms, PAGE);
		if (r == 0 && bus_kind(reply) == BUS_ERROR)
			r = err_say(-EIO, "Redis answered: %s", bus_text(reply, NULL));
		got = r == 0 ? bus_count(reply) : 0;
		for (size_t i = 0; i < got && r == 0; i++)
			r = show(bus_at(reply, i), made, from_ms, to_ms, cb, u);
		if (r == 0 && got)
			at = strtoll(bus_text(bus_at(bus_at(reply, got - 1), 0), NULL), NULL, 10) + 1;
	}
	free(made);
	return r < 0 ? err_trace(r) : 0;
}
