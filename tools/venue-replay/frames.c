#include "frames.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clk.h"

enum { USD_SIZE = 40 };

/* Cents with so many decimals: Binance writes eight, Coinbase two. */
static const char *usd(char out[USD_SIZE], int64_t cents, int decimals)
{
	(void) snprintf(out, USD_SIZE, "%" PRId64 ".%02" PRId64 "%.*s", cents / 100, cents % 100, decimals - 2, "00000000");
	return out;
}

/* A quantity that differs from frame to frame, as a book's does: eight decimals. */
static void put_size(struct buf *out, const char *name, const struct market *m, int64_t salt)
{
	int64_t v = 1000 + (m->id * 7919 + salt * 104729) % 400000;
	buf_printf(out, ",\"%s\":\"%" PRId64 ".%05" PRId64 "000\"", name, v / 100000, v % 100000);
}

static void put_usd(struct buf *out, const char *name, int64_t cents, int decimals)
{
	char text[USD_SIZE];
	buf_printf(out, ",\"%s\":\"%s\"", name, usd(text, cents, decimals));
}

static void open_stream(struct buf *out, const char *stream, bool combined)
{
	if (combined)
		buf_printf(out, "{\"stream\":\"btcusdt@%s\",\"data\":", stream);
}

static void close_stream(struct buf *out, bool combined)
{
	buf_puts(out, combined ? "}}" : "}");
}

void binance_book(struct buf *out, const struct market *m, bool combined)
{
	open_stream(out, "bookTicker", combined);
	buf_printf(out, "{\"u\":%" PRId64 ",\"s\":\"BTCUSDT\"", m->id);
	put_usd(out, "b", m->bid_cents, 8);
	put_size(out, "B", m, 1);
	put_usd(out, "a", m->ask_cents, 8);
	put_size(out, "A", m, 2);
	close_stream(out, combined);
}

void binance_trade(struct buf *out, const struct market *m, bool combined)
{
	bool buyer_made = m->id % 2 == 0; /* the buyer was waiting: the trade is at the bid */
	open_stream(out, "trade", combined);
	buf_printf(out, "{\"e\":\"trade\",\"E\":%" PRId64 ",\"s\":\"BTCUSDT\",\"t\":%" PRId64, m->now_ms, m->id);
	put_usd(out, "p", buyer_made ? m->bid_cents : m->ask_cents, 8);
	put_size(out, "q", m, 3);
	buf_printf(out, ",\"T\":%" PRId64 ",\"m\":%s,\"M\":true", m->now_ms - 1, buyer_made ? "true" : "false");
	close_stream(out, combined);
}

void binance_shutdown(struct buf *out, const struct market *m, bool combined)
{
	(void) combined;
	buf_printf(out, "{\"e\":\"serverShutdown\",\"E\":%" PRId64 "}", m->now_ms);
}

/* Microseconds, as Coinbase writes them. */
static void put_time(struct buf *out, const struct market *m)
{
	char text[CLK_RFC3339_SIZE];
	clk_rfc3339(text, m->now_ms);
	buf_printf(out, "\"time\":\"%.23s%03dZ\"", text, (int) (m->id % 1000));
}

void coinbase_ticker(struct buf *out, const struct market *m)
{
	bool buy = m->id % 2 != 0; /* the taker's side */
	buf_printf(out, "{\"type\":\"ticker\",\"sequence\":%" PRId64 ",\"product_id\":\"BTC-USD\"", m->id);
	put_usd(out, "price", buy ? m->ask_cents : m->bid_cents, 2);
	put_usd(out, "open_24h", m->bid_cents - m->bid_cents / 100, 2);
	buf_puts(out, ",\"volume_24h\":\"8133.04216853\"");
	put_usd(out, "low_24h", m->bid_cents - m->bid_cents / 40, 2);
	put_usd(out, "high_24h", m->ask_cents + m->ask_cents / 40, 2);
	buf_puts(out, ",\"volume_30d\":\"312245.46382514\"");
	put_usd(out, "best_bid", m->bid_cents, 2);
	put_size(out, "best_bid_size", m, 4);
	put_usd(out, "best_ask", m->ask_cents, 2);
	put_size(out, "best_ask_size", m, 5);
	buf_printf(out, ",\"side\":\"%s\",", buy ? "buy" : "sell");
	put_time(out, m);
	buf_printf(out, ",\"trade_id\":%" PRId64, m->id);
	put_size(out, "last_size", m, 6);
	buf_putc(out, '}');
}

void coinbase_heartbeat(struct buf *out, const struct market *m)
{
	buf_printf(out, "{\"type\":\"heartbeat\",\"sequence\":%" PRId64 ",\"last_trade_id\":%" PRId64 ",\"product_id\":\"BTC-USD\",",
			m->id, m->id);
	put_time(out, m);
	buf_putc(out, '}');
}

void coinbase_subscriptions(struct buf *out, bool ticker, bool heartbeat)
{
	static const char channel[] = "{\"name\":\"%s\",\"product_ids\":[\"BTC-USD\"],\"account_ids\":null}";
	buf_puts(out, "{\"type\":\"subscriptions\",\"channels\":[");
	if (ticker)
		buf_printf(out, channel, "ticker");
	if (ticker && heartbeat)
		buf_putc(out, ',');
	if (heartbeat)
		buf_printf(out, channel, "heartbeat");
	buf_puts(out, "]}");
}

void coinbase_error(struct buf *out, const char *message, const char *reason)
{
	buf_printf(out, "{\"type\":\"error\",\"message\":\"%s\",\"reason\":\"%s\"}", message, reason);
}

/* Replaces the first `from` by `to`; a frame without it stays. */
static void replace(struct buf *frame, const char *from, const char *to)
{
	char *at = strstr(frame->p, from);
	if (!at)
		return;
	struct buf out = BUF_INIT(FRAME_MAX);
	buf_put(&out, frame->p, (size_t) (at - frame->p));
	buf_puts(&out, to);
	buf_puts(&out, at + strlen(from));
	free(frame->p);
	*frame = out;
}

void frame_garble(struct buf *frame, uint32_t dice)
{
	if (frame->failed || frame->n < 2)
		return;
	switch (dice % 9) {
	case 0: /* cut */
		frame->n = 1 + dice / 9 % (frame->n - 1);
		frame->p[frame->n] = '\0';
		break;
	case 1: /* another market */
		replace(frame, "BTCUSDT\"", "ETHUSDT\"");
		replace(frame, "BTC-USD\"", "ETH-USD\"");
		break;
	case 2: /* prices that are none */
		replace(frame, "\"b\":\"", "\"b\":\"-");
		replace(frame, "\"best_bid\":\"", "\"best_bid\":\"-");
		break;
	case 3:
		replace(frame, "\"a\":\"", "\"a\":\"1e");
		replace(frame, "\"best_ask\":\"", "\"best_ask\":\"1e");
		break;
	case 4: /* bid above ask */
		replace(frame, "\"b\":\"", "\"b\":\"9");
		replace(frame, "\"best_bid\":\"", "\"best_bid\":\"9");
		break;
	case 5: /* nested beyond reason */
		buf_clear(frame);
		for (int i = 0; i < 20000; i++)
			buf_putc(frame, '[');
		break;
	case 6: /* larger than anyone should take */
		for (int i = 0; i < 200000; i++)
			buf_putc(frame, ' ');
		break;
	case 7: /* an id of long ago */
		replace(frame, "\"u\":1", "\"u\":");
		replace(frame, "\"sequence\":1", "\"sequence\":");
		break;
	default:
		buf_clear(frame);
		buf_puts(frame, "<html>502 Bad Gateway</html>");
	}
}
