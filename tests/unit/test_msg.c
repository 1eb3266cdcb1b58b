/* Events and keys: their very bytes, back and forth, and the announcement that moves a wallet's cache only forward. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../support/redis_server.h"
#include "clk.h"
#include "json.h"
#include "msg.h"

static const struct wallet someone = { { 0x5a, 0xae, 0xb6, 0x05, 0x3f, 0x3e, 0x94, 0xc9, 0xb9, 0xa0, 0x9f, 0x33, 0x66, 0x94,
	0x35, 0xe7, 0xef, 0x1b, 0xea, 0xed } };
#define SOMEONE "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"

static struct account account_of(int64_t seq, int64_t micros)
{
	return (struct account){ .user = 7, .wallet = someone, .balance = money_of(micros), .seq = seq };
}

static struct bet a_bet(void)
{
	return (struct bet){ .user = 7, .cell = { 1771234565, 9742000, 9744000 }, .stake = money_of(5000000), .rate = { 23500 },
		.rate_min = { 10100 }, .placed_ms = 1771234550123, .signed_s = 1771234550, .state = BET_CONFIRMED };
}

#define ASSERT_WRITES(call, expected)                             \
	do {                                                      \
		_cleanup_(buf_free) struct buf out = BUF_INIT(MSG_GRID_MAX); \
		call;                                             \
		assert_false(out.failed);                         \
		assert_string_equal(out.p, expected);             \
	} while (0)

static void keys_are_named_as_agreed(void **state)
{
	(void) state;
	char out[KEY_MAX];
	struct wallet w;
	static const uint8_t nonce[NONCE_SIZE] = { 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0x4d, 0xef, 0x80, 1, 2, 3, 4, 5, 6, 7 };
	assert_string_equal(key_user_events(out, &someone), "user:" SOMEONE ":events");
	assert_true(wallet_of_channel(&w, out));
	assert_true(wallet_eq(&w, &someone));
	assert_string_equal(key_balance(out, &someone), "balance:" SOMEONE);
	assert_string_equal(key_seq(out, &someone), "seq:" SOMEONE);
	assert_string_equal(key_rate_limit(out, SOMEONE), "rate_limit:" SOMEONE);
	assert_string_equal(key_session_key(out, &someone), "session_key:" SOMEONE);
	assert_string_equal(key_session(out, "abc"), "session:abc");
	assert_string_equal(key_nonce(out, nonce), "nonce:12345678-9abc-4def-8001-020304050607");
	static const char *const others[] = { "", "user:", "user:" SOMEONE, "user:" SOMEONE ":event", "user:" SOMEONE ":eventss",
		"uses:" SOMEONE ":events", "user:0x5aaeb6053F3E94C9b9A09f33669435E7Ef1BeAed:events", "prices:btc:usd" };
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_false(wallet_of_channel(&w, others[i]));
}

static void a_price_goes_back_and_forth(void **state)
{
	(void) state;
	struct tick t = { 1771234560100, 9743210 }, back;
	ASSERT_WRITES(msg_price(&out, &t), "{\"type\":\"price\",\"t\":1771234560100,\"p\":9743210}");
	const char *text = "{\"type\":\"price\",\"t\":1771234560100,\"p\":9743210}";
	assert_true(msg_price_parse(&back, text, strlen(text)));
	assert_int_equal(back.t_ms, t.t_ms);
	assert_int_equal(back.p_cents, t.p_cents);
	static const char *const bad[] = { "", "{}", "[]", "price", "{\"type\":\"grid\",\"t\":1,\"p\":1}", "{\"type\":\"price\",\"t\":1}",
		"{\"type\":\"price\",\"t\":1,\"p\":0}", "{\"type\":\"price\",\"t\":0,\"p\":5}", "{\"type\":\"price\",\"t\":1,\"p\":-5}",
		"{\"type\":\"price\",\"t\":1,\"p\":1.5}", "{\"type\":\"price\",\"t\":\"1\",\"p\":5}",
		"{\"type\":\"price\",\"t\":1,\"p\":1000000001}", "{\"type\":\"price\",\"t\":1,\"p\":5}x" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(msg_price_parse(&back, bad[i], strlen(bad[i])));
	assert_int_equal(back.p_cents, t.p_cents); /* left alone */
}

static struct quote_grid small_grid(void)
{
	return (struct quote_grid){ .quote_id = 42, .t_ms = 1771234560123, .columns = 2, .rows = 3, .t0_s = { 1771234570, 1771234575 },
		.low_cents = 9740000, .row_cents = 2000, .rates = { { 0, 23500, 10100 }, { 1, 2, 200000 } } };
}

#define SMALL_GRID                                                                                                     \
	"{\"type\":\"grid\",\"quote_id\":42,\"t\":1771234560123,\"columns\":[1771234570,1771234575]," \
	"\"rows\":{\"low\":9740000,\"height\":2000,\"count\":3},\"rates\":[[0,23500,10100],[1,2,200000]]}"

static void a_grid_goes_back_and_forth(void **state)
{
	(void) state;
	struct quote_grid g = small_grid(), back;
	ASSERT_WRITES(msg_grid(&out, &g), SMALL_GRID);
	assert_true(msg_grid_parse(&back, SMALL_GRID, strlen(SMALL_GRID)));
	assert_memory_equal(&back, &g, sizeof g);
}

static void the_largest_grid_fits(void **state)
{
	(void) state;
	struct quote_grid *g = calloc(1, sizeof *g), *back = calloc(1, sizeof *back);
	_cleanup_(buf_free) struct buf out = BUF_INIT(MSG_GRID_MAX);
	assert_true(g && back);
	*g = (struct quote_grid){ .quote_id = INT64_MAX, .t_ms = INT64_MAX, .columns = GRID_COLUMNS_MAX, .rows = GRID_ROWS_MAX,
		.low_cents = 999999999, .row_cents = 1000000 };
	for (int i = 0; i < GRID_COLUMNS_MAX; i++) {
		g->t0_s[i] = INT64_MAX / 1000 - i;
		for (int j = 0; j < GRID_ROWS_MAX; j++)
			g->rates[i][j] = INT32_MAX - j;
	}
	msg_grid(&out, g);
	assert_false(out.failed);
	assert_true(msg_grid_parse(back, out.p, out.n));
	assert_memory_equal(back, g, sizeof *g);
	free(g);
	free(back);
}

/* Each damaged in one place. */
static void a_wrong_grid_is_refused(void **state)
{
	(void) state;
	static const struct { const char *from, *to; } damage[] = {
		{ "\"grid\"", "\"price\"" }, { "\"quote_id\":42", "\"quote_id\":0" }, { "\"quote_id\":42", "\"quote_id\":\"42\"" },
		{ "\"count\":3", "\"count\":2" }, { "\"count\":3", "\"count\":65" }, { "\"count\":3", "\"count\":-1" },
		{ "23500", "-23500" }, { "23500", "2147483648" }, { "23500", "2.5" }, { "23500", "null" },
		{ "[1,2,200000]", "[1,2]" }, { ",[1,2,200000]", "" }, { "[1,2,200000]", "7" }, { "1771234575", "\"a\"" },
		{ "\"low\":9740000", "\"low\":-2000" }, { "\"height\":2000", "\"height\":0" }, { "[1771234570,", "[" },
	};
	struct quote_grid back;
	for (size_t i = 0; i < ARRAY_LEN(damage); i++) {
		char text[512];
		const char *at = strstr(SMALL_GRID, damage[i].from);
		assert_non_null(at);
		(void) snprintf(text, sizeof text, "%.*s%s%s", (int) (at - SMALL_GRID), SMALL_GRID, damage[i].to,
				at + strlen(damage[i].from));
		assert_false(msg_grid_parse(&back, text, strlen(text)));
	}
	for (size_t n = 0; n < strlen(SMALL_GRID); n++)
		assert_false(msg_grid_parse(&back, SMALL_GRID, n));
}

static void status_and_hello(void **state)
{
	(void) state;
	enum feed_state feed;
	bool betting;
	const char *text = "{\"type\":\"system:status\",\"price_feed\":\"degraded\",\"betting\":true}";
	ASSERT_WRITES(msg_status(&out, FEED_DEGRADED, true), text);
	assert_true(msg_status_parse(&feed, &betting, text, strlen(text)));
	assert_int_equal(feed, FEED_DEGRADED);
	assert_true(betting);
	text = "{\"type\":\"system:status\",\"price_feed\":\"poorly\",\"betting\":true}";
	assert_false(msg_status_parse(&feed, &betting, text, strlen(text)));
	text = "{\"type\":\"system:status\",\"price_feed\":\"healthy\",\"betting\":1}";
	assert_false(msg_status_parse(&feed, &betting, text, strlen(text)));
	struct settings s;
	char *none[] = { NULL };
	assert_int_equal(settings_load(&s, none, NULL), 0);
	ASSERT_WRITES(msg_hello(&out, &s, 5),
			"{\"type\":\"hello\",\"t\":5,\"constants\":{\"column_seconds\":5,\"row_cents\":2000,\"grid_columns\":12,"
			"\"grid_rows\":24,\"stake_presets\":[1000000,5000000,10000000,25000000,100000000],\"tick_ms\":100,"
			"\"quote_ttl_ms\":1000,\"max_tick_gap_ms\":3000,\"margin_bp\":500,\"max_rate\":200000,\"chain_id\":1,"
			"\"domain\":\"127.0.0.1:8000\",\"allowed_origins\":[\"http://127.0.0.1:8000\"]}}");
}

static void player_events_have_their_members(void **state)
{
	(void) state;
	struct account a = account_of(9, 995000000);
	struct bet b = a_bet();
	struct ulid id;
	char id_text[ULID_TEXT_SIZE], expected[512];
	assert_true(bet_id(&id, &(struct bet_key){ b.placed_ms, b.cell.t0_s, b.cell.low_cents, b.user }));
	ulid_format(id_text, &id);
	(void) snprintf(expected, sizeof expected, "{\"type\":\"bet:confirmed\",\"seq\":9,\"bet_id\":\"%s\",\"cell\":"
			"\"1771234565_9742000_9744000\",\"stake\":5000000,\"rate\":23500,\"balance\":995000000,"
			"\"placed_at\":1771234550123}", id_text);
	ASSERT_WRITES(msg_bet_confirmed(&out, &a, &b), expected);
	assert_int_equal(msg_seq(expected, strlen(expected)), 9);
	b.state = BET_WON;
	b.payout = money_of(11750000);
	(void) snprintf(expected, sizeof expected, "{\"type\":\"bet:resolved\",\"seq\":9,\"bet_id\":\"%s\",\"outcome\":\"won\","
			"\"payout\":11750000,\"balance\":995000000}", id_text);
	ASSERT_WRITES(msg_bet_resolved(&out, &a, &b), expected);
	static const uint8_t nonce[NONCE_SIZE] = { 0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0x4d, 0xef, 0x80, 1, 2, 3, 4, 5, 6, 7 };
	const char *failed = "{\"type\":\"bet:failed\",\"cell\":\"1771234565_9742000_9744000\",\"nonce\":"
			     "\"12345678-9abc-4def-8001-020304050607\",\"code\":\"cell_closed\"}";
	ASSERT_WRITES(msg_bet_failed(&out, &b.cell, nonce, "cell_closed"), failed);
	assert_int_equal(msg_seq(failed, strlen(failed)), 0);
	ASSERT_WRITES(msg_balance(&out, &a, LEDGER_DEPOSIT),
			"{\"type\":\"balance\",\"seq\":9,\"balance\":995000000,\"ref_type\":\"DEPOSIT\"}");
	ASSERT_WRITES(msg_auth_ok(&out, &someone, 3, money_of(1)),
			"{\"type\":\"auth:ok\",\"wallet\":\"" SOMEONE "\",\"seq\":3,\"balance\":1}");
	ASSERT_WRITES(msg_auth_failed(&out, "unauthorized"), "{\"type\":\"auth:failed\",\"code\":\"unauthorized\"}");
}

static void an_ended_session_goes_back_and_forth(void **state)
{
	(void) state;
	struct hash h = sha256_of("token", 5), back;
	_cleanup_(buf_free) struct buf out = BUF_INIT(MSG_EVENT_MAX);
	msg_session_ended(&out, &h);
	assert_non_null(strstr(out.p, "\"type\":\"internal:"));
	assert_true(msg_session_ended_parse(&back, out.p, out.n));
	assert_memory_equal(&back, &h, sizeof h);
	assert_int_equal(msg_seq(out.p, out.n), 0);
	assert_false(msg_session_ended_parse(&back, out.p, out.n - 1));
}

/* With Redis. */
static struct redis_server redis;

static int start_redis(void **state)
{
	(void) state;
	return redis_server_start(&redis) ? 0 : -1;
}

static int stop_redis(void **state)
{
	(void) state;
	redis_server_stop(&redis);
	return 0;
}

static struct bus *open_bus(void)
{
	struct bus *bus = NULL;
	assert_int_equal(bus_open(&bus, &(struct bus_conf){ .address = redis.address, .user = "", .password = "", .timeout_ms = 2000 }), 0);
	return bus;
}

static int64_t stored(struct bus *bus, const char *key)
{
	const struct bus_reply *r;
	assert_int_equal(bus_command(bus, &r, "GET %s", key), 0);
	return bus_kind(r) == BUS_NIL ? -1 : bus_int(r);
}

static void announce(struct bus *bus, int64_t seq, int64_t micros, bool with_event)
{
	struct account a = account_of(seq, micros);
	_cleanup_(buf_free) struct buf event = BUF_INIT(MSG_EVENT_MAX);
	msg_balance(&event, &a, LEDGER_PAYOUT);
	assert_int_equal(msg_announce(bus, &a, with_event ? &event : NULL), 0);
	assert_int_equal(bus_flush(bus), 0);
	assert_int_equal(bus_kind(bus_reply(bus, 0)), BUS_INT);
}

static void the_cache_moves_only_forward(void **state)
{
	(void) state;
	char balance[KEY_MAX], seq[KEY_MAX];
	struct bus *bus = open_bus();
	(void) key_balance(balance, &someone);
	(void) key_seq(seq, &someone);
	announce(bus, 0, 0, false); /* seq 0 is a wallet at first sight */
	assert_int_equal(stored(bus, seq), 0);
	announce(bus, 5, 500, true);
	assert_int_equal(stored(bus, balance), 500);
	announce(bus, 4, 400, true); /* the other process, late */
	assert_int_equal(stored(bus, balance), 500);
	assert_int_equal(stored(bus, seq), 5);
	announce(bus, 10, 9007199254740993, false); /* as text: no double in between */
	assert_int_equal(stored(bus, balance), 9007199254740993);
	assert_int_equal(stored(bus, seq), 10);
	struct buf broken = { .max = 8, .failed = true };
	struct account a = account_of(11, 1);
	assert_true(msg_announce(bus, &a, &broken) < 0);
	assert_true(msg_publish(bus, CHANNEL_PRICE, &broken) < 0);
	bus_close(bus);
}

struct ear {
	_Atomic int heard;
	_Atomic int64_t seqs[8];
};

static void hear(void *u, const char *channel, const char *payload, size_t n)
{
	struct ear *ear = u;
	int i = ear->heard;
	(void) channel;
	if (i < 8)
		ear->seqs[i] = msg_seq(payload, n);
	ear->heard = i + 1;
}

static void hear_state(void *u, bool up)
{
	(void) u;
	(void) up;
}

/* Also an event that came late is published: who listens puts them in order. */
static void every_event_is_published(void **state)
{
	(void) state;
	struct bus *bus = open_bus();
	struct bus_sub *sub = NULL;
	struct ear ear = { 0 };
	char channel[KEY_MAX];
	const char *const channels[] = { key_user_events(channel, &someone), NULL };
	static const struct bus_sub_ops ops = { .message = hear, .state = hear_state };
	assert_int_equal(bus_sub_open(&sub, &(struct bus_conf){ .address = redis.address, .user = "", .password = "",
		.timeout_ms = 2000 }, channels, &ops, &ear), 0);
	const struct bus_reply *r;
	int64_t until = clk_mono_ms() + 20000, listeners = 0;
	while (listeners == 0 && clk_mono_ms() < until) {
		assert_int_equal(bus_command(bus, &r, "PUBSUB NUMSUB %s", channel), 0);
		listeners = bus_int(bus_at(r, 1));
	}
	assert_int_equal(listeners, 1);
	announce(bus, 21, 1, true);
	announce(bus, 20, 2, true);
	announce(bus, 22, 3, false);
	while (ear.heard < 2 && clk_mono_ms() < until)
		(void) usleep(1000);
	(void) usleep(50000);
	assert_int_equal(ear.heard, 2);
	assert_int_equal(ear.seqs[0], 21);
	assert_int_equal(ear.seqs[1], 20);
	bus_sub_close(sub);
	bus_close(bus);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_named_as_agreed),
		cmocka_unit_test(a_price_goes_back_and_forth),
		cmocka_unit_test(a_grid_goes_back_and_forth),
		cmocka_unit_test(the_largest_grid_fits),
		cmocka_unit_test(a_wrong_grid_is_refused),
		cmocka_unit_test(status_and_hello),
		cmocka_unit_test(player_events_have_their_members),
		cmocka_unit_test(an_ended_session_goes_back_and_forth),
		cmocka_unit_test(the_cache_moves_only_forward),
		cmocka_unit_test(every_event_is_published),
	};
	return cmocka_run_group_tests(tests, start_redis, stop_redis);
}
