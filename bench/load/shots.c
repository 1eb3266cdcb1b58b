#include "shots.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "board.h"
#include "clk.h"
#include "err.h"
#include "hex.h"
#include "rate.h"
#include "rnd.h"
#include "sig.h"
#include "tap.h"

enum { THREADS_MAX = 8, BODY_MAX = 512, CROWD_BEHIND = 8, CROWD_BUT = 15 /* each such bet goes elsewhere */ };

/* For the plan, not for the result. One thread signs so many a second, the daemons beside it; a closed loop is no slower and
 * no faster than this: who is slower finds cells closed. */
static const double SIGNED_A_SECOND = 10000, CLOSED_SLOWEST = 2500, CLOSED_FASTEST = 40000;

struct dealt {
	struct cell cell;
	int64_t timestamp_s;
};

struct signer {
	const struct shots_conf *conf;
	const struct player *players;
	const struct dealt *dealt;
	size_t n_players;
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

static int sign_one(const struct signer *s, const struct player *p, const struct dealt *d, struct shot *ret)
{
	struct tap tap = { .wallet = p->wallet, .cell = d->cell, .stake = money_of(s->conf->stake_micros),
		.rate_min = { RATE_LEAST }, .timestamp_s = d->timestamp_s, .chain_id = s->conf->chain_id };
	char text[TAP_TEXT_MAX], body[BODY_MAX];
	char cell_text[CELL_TEXT_SIZE], nonce[UUID_TEXT_SIZE], hex[2 * SIG_SIZE + 1];
	struct sig sig;
	fresh_nonce(tap.nonce);
	if (sig_sign(&sig, p->secret, text, tap_text(text, &tap)) != 0)
		return -EIO;
	cell_format(cell_text, &tap.cell);
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

static void *sign_some(void *u)
{
	struct signer *s = u;
	for (size_t k = s->from; k < s->to && s->failed == 0; k++)
		s->failed = sign_one(s, &s->players[k % s->n_players], &s->dealt[k], &s->shots[k]);
	return NULL;
}

static int sign_all(struct shots *ret, const struct signer *what, unsigned threads)
{
	pthread_t thread[THREADS_MAX];
	struct signer part[THREADS_MAX];
	unsigned started = 0;
	int r = 0;
	int64_t from_us = clk_mono_us();
	for (; started < threads; started++) {
		part[started] = *what;
		part[started].shots = ret->v;
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
	ret->sign_us = clk_mono_us() - from_us;
	return r < 0 ? err_say(r, "signing failed") : 0;
}

/* Between which moments, in seconds since the begin, shot k is sent. */
static void span_of(const struct shots_conf *conf, size_t k, double *ret_early, double *ret_late)
{
	*ret_early = conf->plan ? (double) plan_due_us(conf->plan, k) / 1e6 : (double) k / CLOSED_FASTEST;
	*ret_late = (conf->plan ? *ret_early : (double) k / CLOSED_SLOWEST) + SHOTS_LATE_S;
}

/* The column that is filled now: a far one, so that there is time. */
struct crowd {
	int64_t t0_s;
	size_t n;
};

static bool deal_into_crowd(struct crowd *c, size_t most, const struct board *board, const struct deal *any, struct hand *hand,
		struct cell *ret)
{
	struct deal d = *any;
	if (c->n >= most || c->t0_s < board_column(board, d.late_s, 0))
		*c = (struct crowd){ .t0_s = board_column(board, d.late_s, CROWD_BEHIND) };
	d.only_s = c->t0_s;
	if (!board_deal(board, &d, hand, ret))
		return false;
	c->n++;
	return true;
}

/* Shot k is player k mod P's next. */
static int deal_all(struct shots *ret, struct dealt *dealt, struct hand *hands, const struct board *board,
		const struct shots_conf *conf, size_t n_players)
{
	struct crowd crowd = { 0 };
	for (size_t k = 0; k < ret->n; k++) {
		struct deal d = { .base_s = ret->start_ms / 1000, .player = k % n_players, .round = k / n_players };
		double early, late;
		span_of(conf, k, &early, &late);
		d.early_s = (ret->start_ms + (int64_t) (early * 1e3)) / 1000;
		d.late_s = (ret->start_ms + (int64_t) (late * 1e3)) / 1000;
		struct hand *hand = conf->flood ? NULL : &hands[d.player];
		bool into_crowd = conf->crowd && k % CROWD_BUT != 0 &&
				deal_into_crowd(&crowd, conf->crowd, board, &d, hand, &dealt[k].cell);
		if (!into_crowd && !board_deal(board, &d, hand, &dealt[k].cell))
			return err_say(-EAGAIN, "too few cells are open for bet %zu of player %zu", d.round, d.player);
		dealt[k].timestamp_s = (d.early_s + d.late_s) / 2;
		if (dealt[k].cell.t0_s > ret->last_t0_s)
			ret->last_t0_s = dealt[k].cell.t0_s;
	}
	return 0;
}

static int deal_and_sign(struct shots *ret, const struct shots_conf *conf, const struct player *players, size_t n_players,
		unsigned threads)
{
	static struct board board;
	struct dealt *dealt = calloc(ret->n, sizeof *dealt);
	struct hand *hands = calloc(n_players, sizeof *hands);
	struct signer what = { .conf = conf, .players = players, .dealt = dealt, .n_players = n_players };
	ret->v = calloc(ret->n, sizeof *ret->v);
	int r = dealt && hands && ret->v ? board_read(&board, conf->api) : -ENOMEM;
	if (r == 0)
		r = deal_all(ret, dealt, hands, &board, conf, n_players);
	if (r == 0)
		r = sign_all(ret, &what, threads);
	free(dealt);
	free(hands);
	return r;
}

int shots_new(struct shots *ret, const struct shots_conf *conf, const struct player *players, size_t n_players)
{
	unsigned threads = conf->threads < THREADS_MAX ? conf->threads : THREADS_MAX;
	*ret = (struct shots){ .n = conf->plan ? conf->plan->shots : conf->wanted, .start_ms = conf->start_ms };
	if (ret->start_ms == 0)
		ret->start_ms = clk_now_ms() + 500 + (int64_t) ((double) ret->n * 1000 / SIGNED_A_SECOND / threads);
	int r = deal_and_sign(ret, conf, players, n_players, threads);
	if (r == 0 && clk_now_ms() > ret->start_ms + SHOTS_LATE_S * 1000)
		r = err_say(-ETIME, "signing %zu bets took %lld ms, more than was planned", ret->n, (long long) (ret->sign_us / 1000));
	if (r < 0)
		shots_free(ret);
	return err_trace(r);
}

void shots_free(struct shots *s)
{
	free(s->v);
	*s = (struct shots){ 0 };
}
