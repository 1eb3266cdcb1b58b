#include "serve.h"

#include <stdlib.h>
#include <string.h>

#include "clk.h"
#include "err.h"
#include "frames.h"
#include "peer.h"
#include "rnd.h"
#include "wsock.h"

enum {
	MESSAGE_MAX = 4096,
	PING_MS = 20000,         /* Binance's: a pong within a minute */
	IDLE_MS = 60000,
	GREETING_MS = 5000,      /* Coinbase's: subscribe by then */
	HEARTBEAT_MS = 1000,
	STEP_MS = 10,            /* how fine the tape is played */
	POINTS_PER_STEP_MAX = 64, /* after a halt the rest is played in the next steps */
	CONNECTIONS_MAX = 64
};

static struct {
	struct serve_conf conf;
	struct wsock_loop *loop;
	struct peer *peers;
	struct tape_point now;         /* what stands at present */
	struct tape_point seen[VENUES]; /* what each venue shows: it may be frozen */
	int64_t id;
	int64_t start_ms, heartbeat_ms;
} serve;

static struct market market_of(enum venue_id v, int64_t mono_ms)
{
	const struct mischief *wrong = serve.conf.mischief;
	if (serve.seen[v].bid_cents == 0 || !mischief_on(wrong, v, MISCHIEF_FREEZE, mono_ms))
		serve.seen[v] = serve.now;
	int64_t off = 10000 + mischief_amount(wrong, v, MISCHIEF_OUTLIER, mono_ms) +
		      (v == VENUE_BINANCE ? serve.conf.basis_bp : 0);
	struct market m = { .bid_cents = serve.seen[v].bid_cents * off / 10000, .ask_cents = serve.seen[v].ask_cents * off / 10000,
		.id = serve.id, .now_ms = clk_now_ms() };
	if (m.ask_cents <= m.bid_cents)
		m.ask_cents = m.bid_cents + 1;
	return m;
}

static void send_frame(struct peer *p, struct wsock_frame *frame, int64_t mono_ms)
{
	int64_t due = mono_ms + mischief_amount(serve.conf.mischief, p->venue, MISCHIEF_LAG, mono_ms);
	if (!peer_push(p, frame, due))
		wsock_close(p->conn, 1008, "slow consumer");
	else if (peer_due(p, mono_ms))
		wsock_want_write(p->conn);
}

/* Sends what was written to all who asked for the topic, spoilt as the venue's mischief has it. */
static void broadcast(enum venue_id v, enum peer_topic topic, bool combined, struct buf *text, int64_t mono_ms)
{
	const struct mischief *wrong = serve.conf.mischief;
	if (mischief_on(wrong, v, MISCHIEF_STALL, mono_ms))
		return;
	if ((int64_t) rnd_below(1000000) < mischief_amount(wrong, v, MISCHIEF_DROP, mono_ms))
		return;
	if (mischief_on(wrong, v, MISCHIEF_GARBLE, mono_ms))
		frame_garble(text, rnd_below(UINT32_MAX));
	struct wsock_frame *frame = text->failed ? NULL : wsock_frame_new(text->p, text->n);
	if (!frame)
		return;
	for (struct peer *p = serve.peers; p; p = p->next)
		if (p->venue == v && (p->topics & topic) && (v != VENUE_BINANCE || p->combined == combined))
			send_frame(p, frame, mono_ms);
	(void) wsock_frame_unref(frame);
}

static void broadcast_binance(enum peer_topic topic, void (*write)(struct buf *, const struct market *, bool), int64_t mono_ms)
{
	struct market m = market_of(VENUE_BINANCE, mono_ms);
	for (int combined = 0; combined < 2; combined++) {
		_cleanup_(buf_free) struct buf text = BUF_INIT(FRAME_MAX);
		write(&text, &m, combined);
		broadcast(VENUE_BINANCE, topic, combined, &text, mono_ms);
	}
}

static void broadcast_coinbase(enum peer_topic topic, void (*write)(struct buf *, const struct market *), int64_t mono_ms)
{
	_cleanup_(buf_free) struct buf text = BUF_INIT(FRAME_MAX);
	struct market m = market_of(VENUE_COINBASE, mono_ms);
	write(&text, &m);
	broadcast(VENUE_COINBASE, topic, false, &text, mono_ms);
}

static void play(int64_t mono_ms)
{
	int64_t played = (int64_t) ((double) (mono_ms - serve.start_ms) * serve.conf.speed);
	for (int i = 0; i < POINTS_PER_STEP_MAX && tape_next(serve.conf.tape, played, &serve.now); i++) {
		serve.id++;
		broadcast_binance(TOPIC_BOOK, binance_book, mono_ms);
		broadcast_binance(TOPIC_TRADE, binance_trade, mono_ms);
		broadcast_coinbase(TOPIC_TICKER, coinbase_ticker, mono_ms);
	}
	if (serve.conf.mischief->once[VENUE_BINANCE][MISCHIEF_RETIRE]) {
		broadcast_binance(TOPIC_BOOK, binance_shutdown, mono_ms);
		broadcast_binance(TOPIC_TRADE, binance_shutdown, mono_ms);
	}
	if (mono_ms - serve.heartbeat_ms >= HEARTBEAT_MS) {
		serve.heartbeat_ms = mono_ms;
		broadcast_coinbase(TOPIC_HEARTBEAT, coinbase_heartbeat, mono_ms);
	}
}

/* Who subscribes is told at once what stands. */
static void send_snapshot(struct peer *p, int64_t mono_ms)
{
	_cleanup_(buf_free) struct buf text = BUF_INIT(FRAME_MAX);
	struct market m = market_of(p->venue, mono_ms);
	p->wants_snapshot = false;
	if (p->topics & TOPIC_BOOK)
		binance_book(&text, &m, p->combined);
	else if (p->topics & TOPIC_TICKER)
		coinbase_ticker(&text, &m);
	if (text.n == 0 || text.failed || mischief_on(serve.conf.mischief, p->venue, MISCHIEF_STALL, mono_ms))
		return;
	struct wsock_frame *frame = wsock_frame_new(text.p, text.n);
	if (frame)
		send_frame(p, frame, mono_ms);
	(void) wsock_frame_unref(frame);
}

static void look_after_peers(int64_t mono_ms)
{
	for (struct peer *p = serve.peers, *next; p; p = next) {
		next = p->next; /* closing may take p off the list */
		if (serve.conf.mischief->once[p->venue][MISCHIEF_CLOSE])
			wsock_close(p->conn, 1001, "going away");
		else if (p->venue == VENUE_COINBASE && !p->greeted && mono_ms - p->opened_ms > GREETING_MS)
			wsock_close(p->conn, 1008, "no subscribe within 5 s");
		else if (p->wants_snapshot && serve.now.bid_cents)
			send_snapshot(p, mono_ms);
		else if (peer_due(p, mono_ms))
			wsock_want_write(p->conn);
	}
	memset(serve.conf.mischief->once, 0, sizeof serve.conf.mischief->once);
}

static void step(void *u)
{
	(void) u;
	int64_t mono_ms = clk_mono_ms();
	play(mono_ms);
	look_after_peers(mono_ms);
}

static unsigned on_handshake(const char *path, const char *origin, const char *peer_ip, void *u)
{
	(void) origin, (void) peer_ip, (void) u;
	enum venue_id v = venue_of_path(path);
	if (v == VENUES)
		return 404;
	return mischief_on(serve.conf.mischief, v, MISCHIEF_CLOSE, clk_mono_ms()) ? 503 : 0;
}

static bool on_open(struct wsock_conn *c, void **u)
{
	struct peer *p = peer_new(c, wsock_path(c), clk_mono_ms());
	*u = p;
	if (!p)
		return false;
	p->next = serve.peers;
	serve.peers = p;
	return true;
}

static void on_text(struct wsock_conn *c, void *u, const char *text, size_t n)
{
	(void) c;
	int64_t mono_ms = clk_mono_ms();
	struct peer *p = u;
	_cleanup_(buf_free) struct buf answer = BUF_INIT(MESSAGE_MAX);
	peer_hear(p, text, n, &answer);
	if (answer.n == 0 || answer.failed || mischief_on(serve.conf.mischief, p->venue, MISCHIEF_STALL, mono_ms))
		return;
	struct wsock_frame *frame = wsock_frame_new(answer.p, answer.n);
	if (frame)
		send_frame(p, frame, mono_ms);
	(void) wsock_frame_unref(frame);
}

static struct wsock_frame *on_writable(struct wsock_conn *c, void *u)
{
	struct peer *p = u;
	int64_t mono_ms = clk_mono_ms();
	struct wsock_frame *frame = peer_pop(p, mono_ms);
	if (peer_due(p, mono_ms))
		wsock_want_write(c);
	return frame;
}

static void on_close(struct wsock_conn *c, void *u, unsigned code, const char *why)
{
	(void) c, (void) code, (void) why;
	for (struct peer **at = &serve.peers; *at; at = &(*at)->next)
		if (*at == u) {
			*at = (*at)->next;
			(void) peer_free(u);
			return;
		}
}

static const struct wsock_ops ops = {
	.on_open = on_open, .on_text = on_text, .on_writable = on_writable, .on_close = on_close, .on_handshake = on_handshake,
};

int serve_start(const struct serve_conf *conf, uint16_t *ret_port)
{
	serve.conf = *conf;
	serve.start_ms = clk_mono_ms();
	serve.id = clk_now_ms(); /* above every id of an earlier run */
	int r = wsock_loop_new(&serve.loop);
	if (r == 0)
		r = wsock_listen(serve.loop, &(struct wsock_server_conf){ .host = conf->listen.host, .port = conf->listen.port,
			.listen_fd = -1, .message_max = MESSAGE_MAX, .ping_ms = PING_MS, .idle_ms = IDLE_MS,
			.connections_max = CONNECTIONS_MAX, .plain_upgrade_only = true, .ops = &ops });
	if (r < 0)
		return err_trace(r);
	wsock_every(serve.loop, STEP_MS, step, NULL);
	*ret_port = wsock_server_port(serve.loop);
	return 0;
}

int serve_turn(int timeout_ms)
{
	return err_trace(wsock_turn(serve.loop, timeout_ms));
}

void serve_stop(void)
{
	if (serve.loop)
		serve.loop = wsock_loop_free(serve.loop);
	while (serve.peers) {
		struct peer *p = serve.peers;
		serve.peers = p->next;
		(void) peer_free(p);
	}
}
