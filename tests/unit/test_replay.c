/* The venue replay: a tape without a jump at its seams, commands, and frames that the real adapters' documentation would know. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "dialect.h"
#include "json.h"
#include "mischief.h"
#include "peer.h"
#include "stage.h"
#include "tape.h"

#define RECORDED TAP_SOURCE_DIR "/data/binance_btcusdt_20240808.csv"

static struct tape *tape_of(const char *lines, int expected)
{
	char path[] = "/tmp/tap-tape-XXXXXX";
	struct tape *t = NULL;
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, lines, strlen(lines)), strlen(lines));
	(void) close(fd);
	int r = tape_load(&t, path, 0);
	(void) unlink(path);
	assert_int_equal(r < 0 ? -1 : 0, expected);
	return t;
}

static void the_tape_goes_to_and_fro(void **state)
{
	(void) state;
	struct tape *t = tape_of("ms,bid_cents,ask_cents\n50,100,101\n150,200,201\n350,300,301\n", 0);
	/* times count from the first point; the end stands for 100 ms, then the way back, mirrored */
	static const struct { int64_t at, bid; } expected[] = {
		{ 0, 100 }, { 100, 200 }, { 300, 300 },           /* forward; turns at 400 */
		{ 500, 200 }, { 700, 100 },                        /* backward; turns at 800 */
		{ 800, 100 }, { 900, 200 }, { 1100, 300 },         /* forward again; turns at 1200 */
		{ 1300, 200 }, { 1500, 100 },
	};
	struct tape_point p;
	size_t next = 0;
	for (int64_t ms = 0; ms < 1600; ms++)
		while (tape_next(t, ms, &p)) {
			assert_true(next < ARRAY_LEN(expected));
			assert_int_equal(ms, expected[next].at);
			assert_int_equal(p.bid_cents, expected[next].bid);
			next++;
		}
	assert_int_equal(next, ARRAY_LEN(expected));
	tape_free(t);
}

/* Also when the player was halted for laps: every point comes, in order. */
static void a_late_player_misses_nothing(void **state)
{
	(void) state;
	struct tape *t = tape_of("0,100,101\n100,200,201\n", 0);
	struct tape_point p;
	int n = 0;
	int64_t last = 0;
	while (tape_next(t, 4000, &p)) {
		assert_true(last == 0 || llabs(p.bid_cents - last) <= 100);
		last = p.bid_cents;
		n++;
	}
	assert_int_equal(n, 10 * 3 + 1); /* ten laps of 400 ms: two points forward, one back; and the eleventh's first */
	tape_free(t);
}

static void recorded_seams_have_no_jump(void **state)
{
	(void) state;
	struct tape *t = NULL;
	struct tape_point p;
	int64_t last = 0, largest = 0;
	int n = 0;
	assert_int_equal(tape_load(&t, RECORDED, 9750000), 0);
	assert_true(tape_count(t) > 5000);
	for (int64_t ms = 0; ms < 3 * 1300000; ms += 50)
		while (tape_next(t, ms, &p)) {
			int64_t step = last ? llabs(p.bid_cents - last) : 0;
			largest = step > largest ? step : largest;
			assert_true(p.ask_cents > p.bid_cents);
			last = p.bid_cents;
			n++;
		}
	assert_true(n > 30000);
	assert_true(largest < 9750000 / 100); /* never a per cent between two points */
	tape_free(t);
}

static void wrong_tapes_are_refused(void **state)
{
	(void) state;
	static const char *const wrong[] = { "", "ms,bid_cents,ask_cents\n", "0,100,101\n", "0,100,101\n0,100,101\n",
		"0,100,101\n100,101,101\n", "0,100,101\nx\n", "0,100,101\n50,-1,5\n", "0,100,101\n50,100,2000000000\n" };
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++)
		assert_null(tape_of(wrong[i], -1));
	struct tape *t = NULL;
	assert_true(tape_load(&t, "/nowhere/at/all", 0) < 0);
}

static void commands_switch_for_a_time(void **state)
{
	(void) state;
	struct mischief m = { 0 };
	char answer[MISCHIEF_ANSWER_MAX];
	assert_true(mischief_command(&m, "stall coinbase 15s\n", 1000, answer));
	assert_string_equal(answer, "ok");
	assert_true(mischief_on(&m, VENUE_COINBASE, MISCHIEF_STALL, 15999));
	assert_false(mischief_on(&m, VENUE_COINBASE, MISCHIEF_STALL, 16000));
	assert_false(mischief_on(&m, VENUE_BINANCE, MISCHIEF_STALL, 1000));
	assert_true(mischief_command(&m, "drop binance 0.2", 0, answer));
	assert_int_equal(mischief_amount(&m, VENUE_BINANCE, MISCHIEF_DROP, 1 << 30), 200000);
	assert_true(mischief_command(&m, "lag all 800ms 2m", 0, answer));
	assert_int_equal(mischief_amount(&m, VENUE_COINBASE, MISCHIEF_LAG, 119999), 800);
	assert_int_equal(mischief_amount(&m, VENUE_COINBASE, MISCHIEF_LAG, 120000), 0);
	assert_true(mischief_command(&m, "outlier coinbase -50", 0, answer));
	assert_int_equal(mischief_amount(&m, VENUE_COINBASE, MISCHIEF_OUTLIER, 0), -50);
	assert_true(mischief_command(&m, "close binance", 0, answer));
	assert_true(m.once[VENUE_BINANCE][MISCHIEF_CLOSE]);
	assert_false(m.once[VENUE_COINBASE][MISCHIEF_CLOSE]);
	assert_false(mischief_on(&m, VENUE_BINANCE, MISCHIEF_CLOSE, 0)); /* once; new ones may come */
	assert_true(mischief_command(&m, "close all 5s", 0, answer));
	assert_true(mischief_on(&m, VENUE_BINANCE, MISCHIEF_CLOSE, 4999));
	assert_true(mischief_command(&m, "status", 0, answer));
	assert_non_null(strstr(answer, "lag coinbase"));
	assert_true(mischief_command(&m, "off binance", 0, answer));
	assert_false(mischief_on(&m, VENUE_BINANCE, MISCHIEF_DROP, 0));
	assert_true(mischief_on(&m, VENUE_COINBASE, MISCHIEF_LAG, 0));
	assert_true(mischief_command(&m, "off", 0, answer));
	assert_true(mischief_command(&m, "status", 0, answer));
	assert_string_equal(answer, "off");
}

static void wrong_commands_change_nothing(void **state)
{
	(void) state;
	struct mischief m = { 0 }, before = { 0 };
	char answer[MISCHIEF_ANSWER_MAX];
	static const char *const wrong[] = { "", "\n", "stall", "stall bitfinex", "stall coinbase 15", "stall coinbase -5s",
		"drop coinbase", "drop coinbase 1.5", "drop coinbase x", "lag binance", "lag binance 800", "outlier all",
		"outlier all -10000", "off bitfinex", "off all now", "dance all", "stall all 5s more", "a b c d e f" };
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		if (mischief_command(&m, wrong[i], 0, answer))
			fail_msg("taken: %s", wrong[i]);
		assert_memory_equal(answer, "error: ", 7);
		assert_memory_equal(&m, &before, sizeof m);
	}
	char endless[1000];
	memset(endless, 'a', sizeof endless - 1);
	endless[sizeof endless - 1] = '\0';
	assert_false(mischief_command(&m, endless, 0, answer));
}

static void frames_are_the_venues_own(void **state)
{
	(void) state;
	struct market m = { .bid_cents = 6183763, .ask_cents = 6183764, .id = 1771234560001, .now_ms = 1723161254087 };
	struct buf out = BUF_INIT(FRAME_MAX);
	dialect_binance.book(&out, &m, true);
	static const char head[] = "{\"stream\":\"btcusdt@bookTicker\",\"data\":{\"u\":1771234560001,\"s\":\"BTCUSDT\","
				   "\"b\":\"61837.63000000\",\"B\":\"";
	assert_memory_equal(out.p, head, strlen(head));
	assert_non_null(strstr(out.p, "\"a\":\"61837.64000000\",\"A\":\""));
	buf_clear(&out);
	dialect_coinbase.book(&out, &m, false);
	assert_non_null(strstr(out.p, "\"best_bid\":\"61837.63\""));
	assert_non_null(strstr(out.p, "\"time\":\"2024-08-08T23:54:14.087001Z\""));
	buf_clear(&out);
	dialect_kraken.book(&out, &m, false);
	assert_non_null(strstr(out.p, "\"symbol\":\"BTC/USD\",\"bid\":61837.63,\"bid_qty\":"));
	assert_non_null(strstr(out.p, "\"ask\":61837.64,"));
	buf_clear(&out);
	dialect_bitstamp.book(&out, &m, false);
	assert_non_null(strstr(out.p, "\"microtimestamp\":\"1723161254087001\",\"bids\":[[\"61837.63\",\""));
	assert_non_null(strstr(out.p, "],\"asks\":[[\"61837.64\",\""));
	for (int i = 0; i < 2 * VENUES; i++) { /* each is strict JSON, wrapped or not */
		const struct dialect *d = dialect_of((enum venue_id) (i / 2));
		frame_writer *const writers[] = { d->book, d->trade, d->heartbeat, d->retire };
		for (size_t k = 0; k < ARRAY_LEN(writers); k++) {
			struct json *doc = NULL;
			const char *why;
			if (!writers[k])
				continue;
			buf_clear(&out);
			writers[k](&out, &m, i % 2);
			assert_int_equal(json_parse(&doc, out.p, out.n, &why), 0);
			assert_true(json_is_object(json_root(doc)));
			json_free(doc);
		}
	}
	buf_free(&out);
}

static void garbled_frames_stay_texts(void **state)
{
	(void) state;
	struct market m = { .bid_cents = 6183763, .ask_cents = 6183764, .id = 1771234560001, .now_ms = 1723161254087 };
	for (uint32_t dice = 0; dice < 400; dice++) {
		struct buf frame = BUF_INIT(FRAME_MAX), whole = BUF_INIT(FRAME_MAX);
		enum venue_id v = (enum venue_id) (dice % VENUES);
		dialect_of(v)->book(&frame, &m, true);
		dialect_of(v)->book(&whole, &m, true);
		frame_garble(&frame, dice / VENUES);
		assert_false(frame.failed);
		assert_true(frame.n > 0);
		assert_true(frame.n != whole.n || memcmp(frame.p, whole.p, whole.n) != 0);
		for (size_t i = 0; i < frame.n; i++)
			assert_true(frame.p[i] > 0); /* ASCII: valid UTF-8 in any case */
		buf_free(&frame);
		buf_free(&whole);
	}
}

/* What a venue says to a client's text; static. */
static const char *answer_of(struct peer *p, const char *text)
{
	static char answer[1024];
	_cleanup_(buf_free) struct buf out = BUF_INIT(sizeof answer - 1);
	bool stays = peer_hear(p, text, strlen(text), 0, &out);
	(void) snprintf(answer, sizeof answer, "%s", !stays ? "hangs up" : out.n ? out.p : "");
	return answer;
}

static void wrong_requests_are_refused_as_the_venue_would(void **state)
{
	(void) state;
	static const struct { const char *path, *text, *answer; unsigned topics; } rows[] = {
		{ "/", "{\"type\":\"subscribe\",\"product_ids\":[\"BTC-USD\"],\"channels\":[\"ticker\",\"heartbeat\"]}",
			"{\"type\":\"subscriptions\"", TOPIC_BOOK | TOPIC_HEARTBEAT },
		{ "/", "{\"type\":\"subscribe\",\"product_ids\":[\"BTC-EUR\"],\"channels\":[\"ticker\"]}", "{\"type\":\"error\"", 0 },
		{ "/", "{\"type\":\"subscribe\"}", "{\"type\":\"error\"", 0 },
		{ "/", "nonsense", "{\"type\":\"error\"", 0 },
		{ "/v2", "{\"method\":\"subscribe\",\"params\":{\"channel\":\"ticker\",\"symbol\":[\"BTC/USD\"],\"event_trigger\":"
			 "\"bbo\"}}", "{\"method\":\"subscribe\"", TOPIC_BOOK | TOPIC_HEARTBEAT },
		{ "/v2", "{\"method\":\"subscribe\",\"params\":{\"channel\":\"ticker\",\"symbol\":[\"BTC/USD\"]}}",
			"{\"method\":\"subscribe\"", TOPIC_HEARTBEAT }, /* comes with trades alone */
		{ "/v2", "{\"method\":\"subscribe\",\"params\":{\"channel\":\"ticker\",\"symbol\":[\"XBT/USD\"],\"event_trigger\":"
			 "\"bbo\"}}", "{\"error\":\"Currency pair not supported\"", 0 },
		{ "/v2", "{\"method\":\"subscribe\",\"params\":{\"channel\":\"tick\",\"symbol\":[\"BTC/USD\"]}}",
			"{\"error\":\"Subscription channel", 0 },
		{ "/v2", "{\"method\":\"ping\",\"req_id\":42}", "{\"method\":\"pong\",\"req_id\":42,", 0 },
		{ "/v2", "{\"method\":\"dance\"}", "{\"error\":\"Method not supported\"", 0 },
		{ "/v2", "[]", "{\"error\":\"Malformed request\"", 0 },
		{ "/bitstamp", "{\"event\":\"bts:subscribe\",\"data\":{\"channel\":\"order_book_btcusd\"}}",
			"{\"event\":\"bts:subscription_succeeded\"", TOPIC_BOOK },
		{ "/bitstamp", "{\"event\":\"bts:subscribe\",\"data\":{\"channel\":\"order_book_btceur\"}}", "{\"event\":\"bts:error\"", 0 },
		{ "/bitstamp", "{\"event\":\"bts:subscribe\"}", "{\"event\":\"bts:error\"", 0 },
		{ "/bitstamp", "{\"event\":\"bts:heartbeat\"}", "{\"event\":\"bts:heartbeat\"", 0 },
		{ "/bitstamp", "nonsense", "{\"event\":\"bts:error\"", 0 },
		{ "/ws", "{\"method\":\"SUBSCRIBE\",\"params\":[\"btcusdt@bookTicker\"],\"id\":1}", "{\"result\":null,\"id\":1}", TOPIC_BOOK },
		{ "/ws", "{\"method\":\"SUBSCRIBE\",\"params\":[\"btcusdt@bookTicker\"]}", "{\"error\"", 0 },
		{ "/stream?streams=btcusdt@trade/btcusdt@bookTicker", "{}", "{\"error\"", TOPIC_BOOK | TOPIC_TRADE },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf said = BUF_INIT(1024);
		struct peer *p = peer_new(NULL, rows[i].path, 0, &said);
		assert_non_null(p);
		const char *answer = answer_of(p, rows[i].text);
		if (strncmp(answer, rows[i].answer, strlen(rows[i].answer)) != 0 || p->sub.topics != rows[i].topics)
			fail_msg("%s %s: %s, topics %u", rows[i].path, rows[i].text, answer, p->sub.topics);
		peer_free(p);
		buf_free(&said);
	}
	assert_int_equal(venue_of_path("/nothing"), VENUES);
	assert_int_equal(venue_of_path("/v2x"), VENUES);
}

static void who_talks_too_much_is_cut(void **state)
{
	(void) state;
	struct buf said = BUF_INIT(1024);
	struct peer *p = peer_new(NULL, "/ws", 0, &said);
	for (int i = 0; i < 5; i++)
		assert_string_not_equal(answer_of(p, "{}"), "hangs up");
	assert_string_equal(answer_of(p, "{}"), "hangs up");
	peer_free(p);
	buf_free(&said);
}

/* What came over the stage, a letter a frame: its venue's first. */
struct heard {
	char order[4096];
	size_t n;
	struct buf last[VENUES];
	int64_t delay_ms;
};

static void hear(void *u, const struct staged *frame)
{
	struct heard *h = u;
	if (frame->topic != TOPIC_BOOK || (frame->venue == VENUE_BINANCE && !frame->combined))
		return;
	h->order[h->n++] = "ckbB"[frame->venue];
	h->delay_ms = frame->delay_ms;
	h->last[frame->venue].max = FRAME_MAX;
	buf_clear(&h->last[frame->venue]);
	buf_put(&h->last[frame->venue], frame->text->p, frame->text->n);
}

static void the_stage_spoils_what_it_was_told_to(void **state)
{
	(void) state;
	static struct heard h;
	struct mischief m = { 0 };
	char answer[MISCHIEF_ANSWER_MAX];
	struct stage s;
	int64_t ms = 0;
	stage_init(&s, &m, hear, &h, 1, 1771234560000);
	static const struct { const char *command, *order; } rows[] = { /* three points each */
		{ "off", "ckbBckbBckbB" }, { "stall kraken", "cbBcbBcbB" }, { "drop bitstamp 1", "ckBckBckB" },
		{ "repeat binance", "ckbBBckbBBckbBB" }, { "shuffle coinbase", "kbBckbBckbB" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		memset(h.order, 0, sizeof h.order);
		h.n = 0;
		assert_true(mischief_command(&m, "off", ms, answer));
		assert_true(mischief_command(&m, rows[i].command, ms, answer));
		for (int k = 0; k < 3; k++, ms += 100)
			stage_point(&s, &(struct tape_point){ ms, 6000000 + ms, 6000100 + ms }, ms, 1771234560000 + ms);
		if (i < 4 ? strcmp(h.order, rows[i].order) != 0 : strlen(h.order) != strlen(rows[i].order))
			fail_msg("%s: %s", rows[i].command, h.order);
	}
	assert_true(mischief_command(&m, "off", ms, answer));
	assert_true(mischief_command(&m, "clock kraken 1300ms", ms, answer));
	assert_true(mischief_command(&m, "clock bitstamp -1300ms", ms, answer));
	assert_true(mischief_command(&m, "lag binance 700ms", ms, answer));
	stage_point(&s, &(struct tape_point){ ms, 6000000, 6000100 }, ms, 1771234565000);
	assert_non_null(strstr(h.last[VENUE_KRAKEN].p, "2026-02-16T09:36:03.7"));
	assert_non_null(strstr(h.last[VENUE_BITSTAMP].p, "\"microtimestamp\":\"1771234566300"));
	assert_int_equal(h.delay_ms, 700); /* Binance speaks last */
	for (int v = 0; v < VENUES; v++)
		buf_free(&h.last[v]);
	stage_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_tape_goes_to_and_fro),
		cmocka_unit_test(a_late_player_misses_nothing),
		cmocka_unit_test(recorded_seams_have_no_jump),
		cmocka_unit_test(wrong_tapes_are_refused),
		cmocka_unit_test(commands_switch_for_a_time),
		cmocka_unit_test(wrong_commands_change_nothing),
		cmocka_unit_test(frames_are_the_venues_own),
		cmocka_unit_test(garbled_frames_stay_texts),
		cmocka_unit_test(wrong_requests_are_refused_as_the_venue_would),
		cmocka_unit_test(who_talks_too_much_is_cut),
		cmocka_unit_test(the_stage_spoils_what_it_was_told_to),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
