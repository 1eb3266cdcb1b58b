#include "shots.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "clk.h"
#include "err.h"
#include "grid.h"
#include "hex.h"
#include "http.h"
#include "json.h"
#include "rate.h"
#include "rnd.h"
#include "sig.h"
#include "tap.h"

enum { CELLS_MAX = GRID_COLUMNS_MAX * GRID_ROWS_MAX, THREADS_MAX = 8, BODY_MAX = 512 };

/* One thread signs so many a second here, the daemons beside it; for the plan, not for the result. */
#define SIGNED_A_SECOND 8000.0

struct open_cell {
	struct cell cell;
	int64_t rate;
};

struct board {
	int64_t column_s;
	struct open_cell cells[CELLS_MAX];
	size_t n;
};

/* ---- the grid ---- */

static bool int_of(const struct json_value *v, int64_t *ret)
{
	return v && json_int(v, ret);
}

static void take_column(struct board *b, const struct json_value *rates, int64_t t0_s, int64_t low, int64_t height)
{
	for (const struct json_value *v = json_first(rates); v && b->n < CELLS_MAX; v = json_next(v), low += height) {
		int64_t rate;
		if (int_of(v, &rate) && rate >= RATE_LEAST)
			b->cells[b->n++] = (struct open_cell){ { t0_s, low, low + height }, rate };
	}
}

static int parse_board(struct board *b, const char *text, int64_t after_s)
{
	_cleanup_(json_freep) struct json *j = NULL;
	const char *why;
	int64_t low, height, t0_s;
	if (json_parse(&j, text, strlen(text), &why) != 0)
		return err_say(-EPROTO, "the grid is no JSON: %s", why);
	const struct json_value *g = json_root(j), *rows = json_get(g, "rows");
	if (!int_of(json_get(rows, "low"), &low) || !int_of(json_get(rows, "height"), &height) ||
			!int_of(json_get(json_get(g, "constants"), "column_seconds"), &b->column_s))
		return err_say(-EPROTO, "the grid lacks its rows or constants");
	const struct json_value *column = json_first(json_get(g, "columns")), *rates = json_first(json_get(g, "rates"));
	for (; column && rates; column = json_next(column), rates = json_next(rates))
		if (int_of(column, &t0_s) && t0_s > after_s)
			take_column(b, rates, t0_s, low, height);
	return 0;
}

/* The surest cells first: those stay open when the price moves. */
static int by_rate(const void *a, const void *b)
{
	const struct open_cell *x = a, *y = b;
	return (x->rate > y->rate) - (x->rate < y->rate);
}

static int read_board(struct board *b, const char *api, int64_t after_s)
{
	static char text[HTTP_REPLY_MAX];
	unsigned status;
	b->n = 0;
	int r = http_once(api, "GET /api/v1/grid HTTP/1.1\r\nHost: bench\r\n\r\n", 5000, &status, text, sizeof text);
	if (r < 0)
		return err_trace(r);
	if (status != 200)
		return err_say(-EPROTO, "grid: status %u %.200s", status, text);
	r = parse_board(b, text, after_s);
	if (r < 0)
		return err_trace(r);
	qsort(b->cells, b->n, sizeof b->cells[0], by_rate);
	return 0;
}

/* ---- signing ---- */

struct signer {
	const struct shots_conf *conf;
	const struct player *players;
	const struct board *board;
	size_t n_players, cells;
	int64_t timestamp_s;
	struct shot *shots;
	size_t from, to;
	int failed;
};

static void fresh_nonce(uint8_t nonce[NONCE_SIZE])
{
	rnd_bytes(nonce, NONCE_SIZE);
	nonce[6] = (uint8_t) (0x40 | (nonce[6] & 0x0f));
	nonce[8] = (uint8_t) (0x80 | (nonce[8] & 0x3f));
}

static int sign_one(const struct signer *s, const struct player *p, const struct cell *cell, struct shot *ret)
{
	struct tap tap = { .wallet = p->wallet, .cell = *cell, .stake = money_of(s->conf->stake_micros),
		.rate_min = { RATE_LEAST }, .timestamp_s = s->timestamp_s, .chain_id = s->conf->chain_id };
	char text[TAP_TEXT_MAX], body[BODY_MAX];
	char cell_text[CELL_TEXT_SIZE], nonce[UUID_TEXT_SIZE], hex[2 * SIG_SIZE + 1];
	struct sig sig;
	fresh_nonce(tap.nonce);
	if (sig_sign(&sig, p->secret, text, tap_text(text, &tap)) != 0)
		return -EIO;
	cell_format(cell_text, cell);
	nonce_format(nonce, tap.nonce);
	hex_encode(hex, sig.b, SIG_SIZE);
	int n = snprintf(body, sizeof body,
			"{\"wallet\":\"%s\",\"cell\":\"%s\",\"stake\":%" PRId64 ",\"rate\":%d,\"nonce\":\"%s\","
			"\"timestamp\":%" PRId64 ",\"chain_id\":%" PRId64 ",\"version\":1,\"signature\":\"0x%s\"}",
			p->text, cell_text, tap.stake.micros, RATE_LEAST, nonce, tap.timestamp_s, tap.chain_id, hex);
	if (n < 0 || (size_t) n >= sizeof body)
		return -EMSGSIZE;
	n = snprintf(ret->request, sizeof ret->request,
			"POST /api/v1/bets HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
			"Content-Length: %d\r\n\r\n%s", n, body);
	if (n < 0 || (size_t) n >= sizeof ret->request)
		return -EMSGSIZE;
	ret->n = (uint16_t) n;
	return 0;
}

/* Shot k is player k mod P's next cell; players begin at different cells, so that one batch spreads over many. */
static void *sign_some(void *u)
{
	struct signer *s = u;
	for (size_t k = s->from; k < s->to && s->failed == 0; k++) {
		size_t player = k % s->n_players, round = k / s->n_players;
		const struct cell *cell = &s->board->cells[(player + round) % s->cells].cell;
		s->failed = sign_one(s, &s->players[player], cell, &s->shots[k]);
	}
	return NULL;
}

static int sign_all(struct shots *ret, const struct signer *what, unsigned threads)
{
	pthread_t thread[THREADS_MAX];
	struct signer part[THREADS_MAX];
	unsigned started = 0;
	int r = 0;
	for (; started < threads; started++) {
		part[started] = *what;
		part[started].from = ret->n * started / threads;
		part[started].to = ret->n * (started + 1) / threads;
		r = -pthread_create(&thread[started], NULL, sign_some, &part[started]);
		if (r < 0)
			break;
	}
	while (started-- > 0) {
		(void) pthread_join(thread[started], NULL);
		if (r == 0)
			r = part[started].failed;
	}
	return r < 0 ? err_say(r, "signing failed") : 0;
}

static void note_span(struct shots *s, const struct board *b)
{
	s->first_t0_s = INT64_MAX;
	for (size_t i = 0; i < s->cells; i++) {
		int64_t t0 = b->cells[i].cell.t0_s;
		s->first_t0_s = t0 < s->first_t0_s ? t0 : s->first_t0_s;
		s->last_t0_s = t0 > s->last_t0_s ? t0 : s->last_t0_s;
	}
}

int shots_new(struct shots *ret, const struct shots_conf *conf, const struct player *players, size_t n_players,
		size_t wanted)
{
	static struct board board;
	unsigned threads = conf->threads < THREADS_MAX ? conf->threads : THREADS_MAX;
	double sign_s = (double) wanted / SIGNED_A_SECOND / threads;
	int64_t now_ms = clk_now_ms();
	int64_t until_s = now_ms / 1000 + (int64_t) (sign_s + conf->send_s) + 1;

	*ret = (struct shots){ 0 };
	int r = read_board(&board, conf->api, until_s + 2 * 5);
	if (r < 0)
		return err_trace(r);
	if (board.n == 0)
		return err_say(-EAGAIN, "no cell stays open until %lld: send fewer bets at once", (long long) until_s);
	ret->cells = board.n < SHOTS_A_PLAYER_MAX ? board.n : SHOTS_A_PLAYER_MAX;
	ret->n = wanted < ret->cells * n_players ? wanted : ret->cells * n_players;
	ret->v = calloc(ret->n, sizeof *ret->v);
	if (!ret->v)
		return -ENOMEM;
	note_span(ret, &board);
	struct signer what = { .conf = conf, .players = players, .board = &board, .n_players = n_players,
		.cells = ret->cells, .timestamp_s = now_ms / 1000 + (int64_t) (sign_s + conf->send_s / 2), .shots = ret->v };
	int64_t from_us = clk_mono_us();
	r = sign_all(ret, &what, threads);
	ret->sign_us = clk_mono_us() - from_us;
	if (r < 0)
		shots_free(ret);
	return r;
}

void shots_free(struct shots *s)
{
	free(s->v);
	*s = (struct shots){ 0 };
}
