/* The whole body of POST /bets: refused with one of the codes that its reading may give, or a bet that keeps every rule of form and
 * whose signed text, read back line by line, says what the body said. The clock stands still, so that a bet's time can be met. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bodies.h"
#include "check.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NOW_S = 1771234565 };
int64_t __wrap_clk_now_ms(void);
int64_t __wrap_clk_now_ms(void)
{
	return NOW_S * INT64_C(1000);
}

static struct settings settings;
static struct api api;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char *const none[] = { NULL };
	(void) argc;
	(void) argv;
	CHECK(settings_load(&settings, none, stderr) == 0 && sig_init() == 0);
	api.s = &settings;
	api.rules = settings_grid(&settings);
	return 0;
}

static bool preset(int64_t stake)
{
	bool is = false;
	for (size_t i = 0; i < settings.stake_presets.n; i++)
		is = is || settings.stake_presets.v[i] == stake;
	return is;
}

static void check_form(const struct tap *t)
{
	const struct grid_rules *g = &api.rules;
	CHECK(preset(t->stake.micros) && t->rate_min.e4 >= RATE_LEAST && t->rate_min.e4 <= settings.max_rate);
	CHECK(t->cell.t0_s % g->column_s == 0 && t->cell.low_cents % g->row_cents == 0);
	CHECK(t->cell.high_cents == t->cell.low_cents + g->row_cents && t->cell.low_cents >= 0);
	CHECK(t->nonce[6] >> 4 == 4 && t->nonce[8] >> 6 == 2);
	CHECK(t->timestamp_s >= 0);
}

static void check_text(const struct tap *t)
{
	char text[TAP_TEXT_MAX], cell[CELL_TEXT_SIZE], again[CELL_TEXT_SIZE], nonce[UUID_TEXT_SIZE], uuid[UUID_TEXT_SIZE];
	int64_t stake, rate, timestamp, chain;
	int end = 0;
	size_t n = tap_text(text, t);
	CHECK(n == strlen(text) && n < sizeof text);
	CHECK(sscanf(text, "Tap Trading Bet\nAction: place_bet\nCell: %[0-9_]\nStake: %" SCNd64 "\nRate: %" SCNd64
			"\nNonce: %[0-9a-f-]\nTimestamp: %" SCNd64 "\nChain: %" SCNd64 "\nVersion: 1%n", again, &stake, &rate, uuid,
			&timestamp, &chain, &end) == 6 && (size_t) end == n);
	cell_format(cell, &t->cell);
	nonce_format(nonce, t->nonce);
	CHECK(strcmp(cell, again) == 0 && strcmp(nonce, uuid) == 0);
	CHECK(stake == t->stake.micros && rate == t->rate_min.e4 && timestamp == t->timestamp_s && chain == t->chain_id);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct tap t = { .timestamp_s = 0 };
	struct wallet signer;
	struct bad bad = body_bet(&api, (const char *) data, size, &t, &signer);
	switch (bad.problem) {
	case PROBLEM_MALFORMED_REQUEST:
	case PROBLEM_INVALID_CELL:
	case PROBLEM_INVALID_STAKE:
		break;
	case PROBLEM_WRONG_CHAIN:
		CHECK(t.chain_id != settings.chain_id);
		break;
	case PROBLEM_SIGNATURE_EXPIRED:
		CHECK(t.timestamp_s < NOW_S - 30 || t.timestamp_s > NOW_S + 30);
		break;
	case PROBLEM_NONE:
	case PROBLEM_INVALID_SIGNATURE:
		CHECK(t.chain_id == settings.chain_id && t.timestamp_s >= NOW_S - 31 && t.timestamp_s <= NOW_S + 31);
		check_form(&t);
		check_text(&t);
		break;
	default:
		CHECK(false);
	}
	CHECK(!bad.detail == (bad.problem == PROBLEM_NONE));
	return 0;
}
