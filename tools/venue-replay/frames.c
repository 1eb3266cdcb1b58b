#include "frames.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "attr.h"
#include "clk.h"

void put_usd(struct buf *out, const char *name, int64_t cents, int decimals)
{
	const char *quote = decimals ? "\"" : "";
	buf_printf(out, ",\"%s\":%s%" PRId64 ".%02" PRId64 "%.*s%s", name, quote, cents / 100, cents % 100,
			decimals > 2 ? decimals - 2 : 0, "00000000", quote);
}

void put_size(struct buf *out, const char *name, const struct market *m, int64_t salt, bool text)
{
	int64_t v = 1000 + (m->id * 7919 + salt * 104729) % 400000;
	const char *quote = text ? "\"" : "";
	buf_printf(out, ",\"%s\":%s%" PRId64 ".%05" PRId64 "000%s", name, quote, v / 100000, v % 100000, quote);
}

void put_time(struct buf *out, const struct market *m)
{
	char text[CLK_RFC3339_SIZE];
	clk_rfc3339(text, m->now_ms);
	buf_printf(out, "\"%.23s%03dZ\"", text, (int) (m->id % 1000));
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

/* The same damage in each venue's spelling. */
struct spelling {
	const char *from, *to;
};

static const struct spelling other_market[] = {
	{ "BTCUSDT\"", "ETHUSDT\"" }, { "BTC-USD\"", "ETH-USD\"" }, { "BTC/USD\"", "ETH/USD\"" }, { "_btcusd\"", "_ethusd\"" },
};
static const struct spelling negative_bid[] = {
	{ "\"b\":\"", "\"b\":\"-" }, { "\"best_bid\":\"", "\"best_bid\":\"-" }, { "\"bid\":", "\"bid\":-" },
	{ "\"bids\":[[\"", "\"bids\":[[\"-" },
};
static const struct spelling strange_ask[] = {
	{ "\"a\":\"", "\"a\":\"1e" }, { "\"best_ask\":\"", "\"best_ask\":\"1e" }, { "\"ask\":", "\"ask\":1e" },
	{ "\"asks\":[[\"", "\"asks\":[[\"1e" },
};
static const struct spelling crossed[] = {
	{ "\"b\":\"", "\"b\":\"9" }, { "\"best_bid\":\"", "\"best_bid\":\"9" }, { "\"bid\":", "\"bid\":9" },
	{ "\"bids\":[[\"", "\"bids\":[[\"9" },
};
static const struct spelling long_ago[] = {
	{ "\"u\":1", "\"u\":" }, { "\"sequence\":1", "\"sequence\":" }, { "\"timestamp\":\"20", "\"timestamp\":\"19" },
	{ "\"microtimestamp\":\"1", "\"microtimestamp\":\"" },
};

static void respell(struct buf *frame, const struct spelling *rows, size_t n)
{
	for (size_t i = 0; i < n; i++)
		replace(frame, rows[i].from, rows[i].to);
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
	case 1:
		respell(frame, other_market, ARRAY_LEN(other_market));
		break;
	case 2:
		respell(frame, negative_bid, ARRAY_LEN(negative_bid));
		break;
	case 3:
		respell(frame, strange_ask, ARRAY_LEN(strange_ask));
		break;
	case 4:
		respell(frame, crossed, ARRAY_LEN(crossed));
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
	case 7:
		respell(frame, long_ago, ARRAY_LEN(long_ago));
		break;
	default:
		buf_clear(frame);
		buf_puts(frame, "<html>502 Bad Gateway</html>");
	}
}
