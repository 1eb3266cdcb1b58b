/* The connection core on the real replay, with an adapter whose patience is short: what is silent, bookless, refused or gone is come
 * back to, and never faster than the pace allows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "../support/ingest_world.h"
#include "link.h"

static struct {
	struct wsock_loop *loop;
	struct link link;
	struct venue_adapter adapter;
	char url[64];
} us;

static int start(void **state)
{
	(void) state;
	(void) snprintf(it.dir, sizeof it.dir, "/tmp/tap-ingest-XXXXXX");
	if (!mkdtemp(it.dir))
		return -1;
	(void) snprintf(it.log, sizeof it.log, "%s/log", it.dir);
	(void) snprintf(it.control, sizeof it.control, "%s/control", it.dir);
	return start_replay() ? 0 : -1;
}

static int stop(void **state)
{
	(void) state;
	if (it.replay)
		(void) child_end(it.replay, SIGTERM);
	return folder_remove(it.dir);
}

static int connect_kraken(void **state)
{
	(void) state;
	us.adapter = venue_kraken;
	us.adapter.silence_ms = 60000;
	us.adapter.bookless_ms = 60000;
	(void) snprintf(us.url, sizeof us.url, "ws://127.0.0.1:%s/v2", it.port);
	if (wsock_loop_new(&us.loop) < 0)
		return -1;
	link_init(&us.link, &us.adapter, us.url, us.loop, 3600000);
	return 0;
}

static int leave(void **state)
{
	(void) state;
	command("off");
	link_leave(&us.link);
	(void) wsock_loop_free(us.loop);
	return 0;
}

/* Lets the link live until *what is at least so much. */
static void live_until(const uint64_t *what, uint64_t least)
{
	int64_t until = clk_mono_ms() + PATIENCE_MS;
	while (*what < least) {
		if (clk_mono_ms() > until)
			fail_msg("%llu, not %llu", (unsigned long long) *what, (unsigned long long) least);
		link_look(&us.link, clk_mono_ms());
		assert_int_equal(wsock_turn(us.loop, 10), 0);
	}
}

static void a_silent_connection_is_cut_and_made_again(void **state)
{
	(void) state;
	us.adapter.silence_ms = 500;
	live_until(&us.link.bbo.counts.books, 1);
	assert_true(link_connected(&us.link));
	command("stall kraken");
	live_until(&us.link.counts.losses, 1);
	assert_false(link_connected(&us.link));
	command("off");
	uint64_t books = us.link.bbo.counts.books;
	live_until(&us.link.bbo.counts.books, books + 1);
	assert_true(us.link.counts.connects >= 2);
}

/* Heartbeats and pongs come, books do not: the subscription is dead, though the connection is not. */
static void a_bookless_connection_is_made_again(void **state)
{
	(void) state;
	us.adapter.bookless_ms = 1500;
	us.adapter.ping_ms = 100;
	live_until(&us.link.bbo.counts.books, 1);
	command("mute kraken");
	uint64_t texts = us.link.bbo.counts.messages;
	live_until(&us.link.bbo.counts.messages, texts + 5); /* each ping has its pong */
	assert_int_equal(us.link.counts.losses, 0);
	live_until(&us.link.counts.losses, 1);
	command("off");
	uint64_t books = us.link.bbo.counts.books;
	live_until(&us.link.bbo.counts.books, books + 1);
}

static void subscribe_wrongly(struct buf *out)
{
	buf_puts(out, "{\"method\":\"subscribe\",\"params\":{\"channel\":\"ticker\",\"symbol\":[\"XBT/USD\"]}}");
}

static void who_is_refused_does_not_hammer(void **state)
{
	(void) state;
	us.adapter.subscribe = subscribe_wrongly;
	int64_t begun = clk_mono_ms();
	live_until(&us.link.counts.losses, 4);
	/* waits of at least 250, 500 and 1000 ms lie between four attempts */
	assert_true(clk_mono_ms() - begun >= 1750);
	assert_int_equal(us.link.bbo.mid_e4, 0);
	assert_int_equal(us.link.bbo.counts.books, 0);
}

static void a_venue_that_is_away_is_asked_again(void **state)
{
	(void) state;
	command("close kraken 1500ms");
	live_until(&us.link.counts.losses, 2);
	assert_int_equal(us.link.counts.connects, 0);
	live_until(&us.link.bbo.counts.books, 1);
	assert_int_equal(us.link.counts.connects, 1);
}

/* The old connection goes only when the new one has a book; nothing is lost between them. */
static void connections_follow_each_other(void **state)
{
	(void) state;
	us.link.renew_ms = 300;
	live_until(&us.link.bbo.counts.books, 1);
	live_until(&us.link.counts.renewals, 2);
	assert_int_equal(us.link.counts.losses, 0);
	command("mute kraken"); /* the new one gets its snapshot all the same */
	uint64_t renewals = us.link.counts.renewals;
	live_until(&us.link.counts.renewals, renewals + 1);
	assert_true(link_connected(&us.link));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_silent_connection_is_cut_and_made_again, connect_kraken, leave),
		cmocka_unit_test_setup_teardown(a_bookless_connection_is_made_again, connect_kraken, leave),
		cmocka_unit_test_setup_teardown(who_is_refused_does_not_hammer, connect_kraken, leave),
		cmocka_unit_test_setup_teardown(a_venue_that_is_away_is_asked_again, connect_kraken, leave),
		cmocka_unit_test_setup_teardown(connections_follow_each_other, connect_kraken, leave),
	};
	return cmocka_run_group_tests_name("ingest_link", tests, start, stop);
}
