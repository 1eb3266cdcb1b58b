#include "smoke.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "clk.h"
#include "hex.h"
#include "json.h"
#include "msg.h"
#include "rate.h"
#include "rnd.h"
#include "sig.h"
#include "tap.h"

enum { SECRET_SIZE = 32, BODY_MAX = 1024, WANTED_RATE = 2 * RATE_ONE };

static const char usage[] =
	"tap-trading-smoke - one signed bet, to see whether bets are taken\n\n"
	"usage: tap-trading-smoke --key FILE --address\n"
	"       tap-trading-smoke --key FILE [--chain-id 1] <GRID >BODY\n\n"
	"  --key FILE       a secret key: 64 hex digits\n"
	"  --address        writes the key's wallet\n"
	"  --chain-id N     EIP-155 id that the bet names\n"
	"  --help           this\n"
	"  --version        the version\n\n"
	"GRID is what GET /api/v1/grid answers, BODY what POST /api/v1/bets takes: the smallest stake on a cell of a middle column\n"
	"whose rate is near 2. The daemons' TAP_* variables do not concern it.\n";

struct options {
	const char *key;
	bool address;
	int64_t chain_id;
};

enum parsed { PARSED_RUN, PARSED_DONE, PARSED_WRONG };

static bool read_positive(const char *text, int64_t *ret)
{
	char *end;
	errno = 0;
	long long v = strtoll(text, &end, 10);
	*ret = v;
	return errno == 0 && end != text && *end == '\0' && v > 0;
}

static enum parsed parse(struct options *o, int argc, char **argv)
{
	static const struct option names[] = { { "key", required_argument, NULL, 'k' }, { "address", no_argument, NULL, 'a' },
		{ "chain-id", required_argument, NULL, 'c' }, { "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'v' }, { 0 } };
	bool good = true;
	for (int c; good && (c = getopt_long(argc, argv, "", names, NULL)) != -1;) {
		switch (c) {
		case 'k': o->key = optarg; break;
		case 'a': o->address = true; break;
		case 'c': good = read_positive(optarg, &o->chain_id); break;
		case 'h': (void) fputs(usage, stdout); return PARSED_DONE;
		case 'v': (void) printf("tap-trading-smoke %s\n", TAP_RELEASE); return PARSED_DONE;
		default: good = false;
		}
	}
	if (good && o->key && optind == argc)
		return PARSED_RUN;
	(void) fputs("tap-trading-smoke: --key FILE is needed, and a chain id is a positive number; --help tells more\n", stderr);
	return PARSED_WRONG;
}

static bool read_key(uint8_t secret[SECRET_SIZE], const char *path)
{
	char text[2 * SECRET_SIZE + 1] = "";
	FILE *f = fopen(path, "re");
	bool good = f && fread(text, 1, 2 * SECRET_SIZE, f) == 2 * SECRET_SIZE && hex_decode(secret, SECRET_SIZE, text);
	if (f)
		(void) fclose(f);
	explicit_bzero(text, sizeof text);
	return good;
}

static int off(int32_t rate)
{
	return abs(rate - WANTED_RATE);
}

/* Of the middle column, which neither the clock nor a slow answer closes meanwhile. */
static bool choose(const struct quote_grid *g, struct cell *ret)
{
	int column = g->columns / 2, best = -1;
	for (int i = 0; i < g->rows; i++)
		if (g->rates[column][i] && (best < 0 || off(g->rates[column][i]) < off(g->rates[column][best])))
			best = i;
	if (best < 0)
		return false;
	int64_t low = g->low_cents + best * g->row_cents;
	*ret = (struct cell){ .t0_s = g->t0_s[column], .low_cents = low, .high_cents = low + g->row_cents };
	return true;
}

/* The grid's own presets, the smallest first. */
static bool smallest_stake(const char *text, size_t n, struct money *ret)
{
	_cleanup_(json_freep) struct json *j = NULL;
	const char *why;
	int64_t least = INT64_MAX, v;
	if (json_parse(&j, text, n, &why) != 0)
		return false;
	const struct json_value *presets = json_get(json_get(json_root(j), "constants"), "stake_presets");
	for (const struct json_value *at = presets ? json_first(presets) : NULL; at; at = json_next(at))
		if (json_int(at, &v) && v > 0 && v < least)
			least = v;
	*ret = money_of(least);
	return least != INT64_MAX;
}

static bool read_grid(struct tap *tap)
{
	static struct quote_grid grid;
	_cleanup_(buf_free) struct buf text = BUF_INIT(MSG_GRID_MAX);
	char piece[4096];
	for (size_t n; (n = fread(piece, 1, sizeof piece, stdin)) > 0;)
		buf_put(&text, piece, n);
	return !text.failed && text.n && msg_grid_parse(&grid, text.p, text.n) && choose(&grid, &tap->cell) &&
			smallest_stake(text.p, text.n, &tap->stake);
}

static void fresh_nonce(uint8_t nonce[NONCE_SIZE])
{
	rnd_bytes(nonce, NONCE_SIZE);
	nonce[6] = (uint8_t) (0x40 | (nonce[6] & 0x0f));
	nonce[8] = (uint8_t) (0x80 | (nonce[8] & 0x3f));
}

static void write_body(const struct tap *tap, const struct sig *sig)
{
	_cleanup_(buf_free) struct buf body = BUF_INIT(BODY_MAX);
	char wallet[WALLET_TEXT_SIZE], cell[CELL_TEXT_SIZE], nonce[UUID_TEXT_SIZE], hex[2 * SIG_SIZE + 3] = "0x";
	struct json_out w;
	wallet_format(wallet, &tap->wallet);
	cell_format(cell, &tap->cell);
	nonce_format(nonce, tap->nonce);
	hex_encode(hex + 2, sig->b, SIG_SIZE);
	jw_begin(&w, &body);
	jw_object(&w, NULL);
	jw_str(&w, "wallet", wallet);
	jw_str(&w, "cell", cell);
	jw_int(&w, "stake", tap->stake.micros);
	jw_int(&w, "rate", tap->rate_min.e4);
	jw_str(&w, "nonce", nonce);
	jw_int(&w, "timestamp", tap->timestamp_s);
	jw_int(&w, "chain_id", tap->chain_id);
	jw_int(&w, "version", TAP_VERSION);
	jw_str(&w, "signature", hex);
	jw_end_object(&w);
	(void) printf("%s\n", body.p);
}

static int sign_bet(const struct options *o, const uint8_t secret[SECRET_SIZE], const struct wallet *wallet)
{
	struct tap tap = { .wallet = *wallet, .rate_min = { RATE_LEAST }, .timestamp_s = clk_now_ms() / 1000,
		.chain_id = o->chain_id };
	char text[TAP_TEXT_MAX];
	struct sig sig;
	if (!read_grid(&tap)) {
		(void) fputs("tap-trading-smoke: there is no grid with an open cell on stdin\n", stderr);
		return EX_DATAERR;
	}
	fresh_nonce(tap.nonce);
	if (sig_sign(&sig, secret, text, tap_text(text, &tap)) != 0)
		return EX_SOFTWARE;
	write_body(&tap, &sig);
	return EX_OK;
}

int smoke_main(int argc, char **argv)
{
	struct options o = { .chain_id = 1 };
	uint8_t secret[SECRET_SIZE];
	struct wallet wallet;
	char text[WALLET_TEXT_SIZE];
	enum parsed what = parse(&o, argc, argv);
	if (what != PARSED_RUN)
		return what == PARSED_DONE ? EX_OK : EX_USAGE;
	if (sig_init() != 0)
		return EX_SOFTWARE;
	if (!read_key(secret, o.key) || sig_address(&wallet, secret) != 0) {
		(void) fprintf(stderr, "tap-trading-smoke: %s: must hold a secret key, 64 hex digits\n", o.key);
		return EX_NOINPUT;
	}
	wallet_format(text, &wallet);
	int r = o.address ? EX_OK : sign_bet(&o, secret, &wallet);
	if (o.address)
		(void) puts(text);
	explicit_bzero(secret, sizeof secret);
	return r;
}
