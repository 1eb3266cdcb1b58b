/* The whole recorded history, replayed, gives the bytes that its predecessors gave: tests/golden/README.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "err.h"
#include "replay.h"

#define DATA TAP_SOURCE_DIR "/data/"

static char expected[1 << 16];

static int read_expected(void **state)
{
	(void) state;
	FILE *in = fopen(TAP_SOURCE_DIR "/tests/golden/history.txt", "r");
	size_t n = in ? fread(expected, 1, sizeof expected - 1, in) : 0;
	return in && fclose(in) == 0 && n > 0 ? 0 : -1;
}

/* Names the first line that differs, and of which hour. */
static void compare(const char *got, const char *want)
{
	const char *heading = got;
	while (*got && *want) {
		size_t n = strcspn(got, "\n"), m = strcspn(want, "\n");
		if (*got != ' ')
			heading = got;
		if (n != m || memcmp(got, want, n) != 0)
			fail_msg("%.*s:\nplayed   %.*s\nrecorded %.*s", (int) strcspn(heading, "\n"), heading, (int) n, got, (int) m, want);
		got += n + (got[n] == '\n');
		want += m + (want[m] == '\n');
	}
	assert_string_equal(got, want);
}

static void history_gives_the_same_bytes(void **state)
{
	struct buf out = BUF_INIT(1 << 20);
	(void) state;
	if (replay_file(&out, DATA "binance_btcusdt_20240808.csv", "binance_btcusdt_20240808.csv", 1) < 0 ||
			replay_file(&out, DATA "coinbase_btcusd_1s_2016.csv", "coinbase_btcusd_1s_2016.csv", 100) < 0)
		fail_msg("%s", err_text());
	compare(out.p, expected);
	buf_free(&out);
}

static void another_price_gives_other_bytes(void **state)
{
	struct buf out = BUF_INIT(1 << 20);
	(void) state;
	assert_int_equal(replay_file(&out, DATA "binance_btcusdt_20240808.csv", "binance_btcusdt_20240808.csv", 2), 0);
	for (const char *line = strstr(out.p, "\n  "); line; line = strstr(line + 1, "\n  ")) {
		char one[96];
		(void) snprintf(one, sizeof one, "%.*s", (int) strcspn(line + 1, "\n"), line + 1);
		assert_null(strstr(expected, one));
	}
	buf_free(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(history_gives_the_same_bytes),
		cmocka_unit_test(another_price_gives_other_bytes),
	};
	return cmocka_run_group_tests(tests, read_expected, NULL);
}
