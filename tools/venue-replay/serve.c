#include "serve.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "clk.h"
#include "err.h"
#include "peer.h"
#include "rnd.h"
#include "stage.h"
#include "wsock.h"

enum {
	MESSAGE_MAX = 4096,
	PING_MS = 20000,         /* Binance's: a pong within a minute */
	IDLE_MS = 60000,
	STEP_MS = 10,            /* how fine the tape is played */
	POINTS_PER_STEP_MAX = 64, /* after a halt the rest is played in the next steps */
	CONNECTIONS_MAX = 64
};

static struct {
	struct serve_conf conf;
	struct wsock_loop *loop;
	struct peer *peers;
	struct stage stage;
	int64_t start_ms;
	struct {
		int64_t window_ms; /* when the present window of the venue's connection limit began */
		int n;
	} connects[VENUES];
} serve;

static void send_frame(struct peer *p, struct wsock_frame *frame, int64_t delay_ms)
{
	int64_t mono_ms = clk_mono_ms();
	if (!peer_push(p, frame, mono_ms + delay_ms))
		wsock_close(p->conn, 1008, "slow consumer");
	else if (peer_due(p, mono_ms))
		wsock_want_write(p->conn);
}

static void send_text(struct peer *p, const struct buf *text)
{
	int64_t mono_ms = clk_mono_ms();
	if (text->n == 0 || text->failed || mischief_on(serve.conf.mischief, p->venue, MISCHIEF_STALL, mono_ms))
		return;
	struct wsock_frame *frame = wsock_frame_new(text->p, text->n);
	if (frame)
		send_frame(p, frame, mischief_amount(serve.conf.mischief, p->venue, MISCHIEF_LAG, mono_ms));
	(void) wsock_frame_unref(frame);
}

/* To all who asked for the topic. */
static void broadcast(void *u, const struct staged *staged)
{
	(void) u;
	struct wsock_frame *frame = wsock_frame_new(staged->text->p, staged->text->n);
	if (!frame)
		return;
	for (struct peer *p = serve.peers; p; p = p->next)
		if (p->venue == staged->venue && (p->sub.topics & staged->topic) && p->sub.combined == staged->combined)
			send_frame(p, frame, staged->delay_ms);
	(void) wsock_frame_unref(frame);
}

static void note_sent(const struct tape_point *p)
{
	if (serve.conf.sent)
		(void) fprintf(serve.conf.sent, "%" PRId64 " %" PRId64 " %" PRId64 "\n", clk_now_ms(), p->bid_cents, p->ask_cents);
}

static void play(int64_t mono_ms)
{
	int64_t played = (int64_t) ((double) (mono_ms - serve.start_ms) * serve.conf.speed);
	struct tape_point p;
	for (int i = 0; i < POINTS_PER_STEP_MAX && tape_next(serve.conf.tape, played, &p); i++) {
		note_sent(&p);
		stage_point(&serve.stage, &p, mono_ms, clk_now_ms());
	}
	stage_turn(&serve.stage, mono_ms, clk_now_ms());
}

static void send_snapshot(struct peer *p, int64_t mono_ms)
{
	_cleanup_(buf_free) struct buf text = BUF_INIT(FRAME_MAX);
	p->sub.wants_snapshot = false;
	if ((p->sub.topics & TOPIC_BOOK) &&
			stage_snapshot(&serve.stage, &text, p->venue, p->sub.combined, mono_ms, clk_now_ms()))
		send_text(p, &text);
}

static void look_after(struct peer *p, int64_t mono_ms)
{
	const struct mischief *wrong = serve.conf.mischief;
	int subscribe_ms = dialect_of(p->venue)->subscribe_ms;
	int64_t age_ms = mono_ms - p->opened_ms, cut_ms = mischief_amount(wrong, p->venue, MISCHIEF_CUT, mono_ms);
	if (wrong->once[p->venue][MISCHIEF_CLOSE])
		wsock_close(p->conn, 1001, "going away");
	else if (cut_ms && age_ms >= cut_ms)
		wsock_close(p->conn, 1001, "connected for too long");
	else if (subscribe_ms && !p->sub.greeted && age_ms > subscribe_ms)
		wsock_close(p->conn, 1008, "no subscribe in time");
	else if (p->sub.wants_snapshot && serve.stage.now.bid_cents)
		send_snapshot(p, mono_ms);
	else if (peer_due(p, mono_ms))
		wsock_want_write(p->conn);
}

static void step(void *u)
{
	(void) u;
	int64_t mono_ms = clk_mono_ms();
	play(mono_ms);
	for (struct peer *p = serve.peers, *next; p; p = next) {
		next = p->next; /* closing may take p off the list */
		look_after(p, mono_ms);
	}
	memset(serve.conf.mischief->once, 0, sizeof serve.conf.mischief->once);
}

/* Every connection comes from one address: the limit of one is that of all. */
static bool too_many_connects(enum venue_id v, int64_t mono_ms)
{
	const struct dialect *d = dialect_of(v);
	if (d->connects.n == 0)
		return false;
	if (serve.connects[v].n == 0 || mono_ms - serve.connects[v].window_ms >= d->connects.window_ms) {
		serve.connects[v].window_ms = mono_ms;
		serve.connects[v].n = 0;
	}
	return ++serve.connects[v].n > d->connects.n;
}

static unsigned on_handshake(const char *path, const char *origin, const char *peer_ip, void *u)
{
	(void) origin, (void) peer_ip, (void) u;
	enum venue_id v = venue_of_path(path);
	int64_t mono_ms = clk_mono_ms();
	if (v == VENUES)
		return 404;
	if (too_many_connects(v, mono_ms))
		return 429;
	return mischief_on(serve.conf.mischief, v, MISCHIEF_CLOSE, mono_ms) ? 503 : 0;
}

static bool on_open(struct wsock_conn *c, void **u)
{
	_cleanup_(buf_free) struct buf said = BUF_INIT(MESSAGE_MAX);
	struct peer *p = peer_new(c, wsock_path(c), clk_mono_ms(), &said);
	*u = p;
	if (!p)
		return false;
	p->next = serve.peers;
	serve.peers = p;
	send_text(p, &said);
	return true;
}

static void on_text(struct wsock_conn *c, void *u, const char *text, size_t n)
{
	struct peer *p = u;
	_cleanup_(buf_free) struct buf answer = BUF_INIT(MESSAGE_MAX);
	if (peer_hear(p, text, n, clk_mono_ms(), &answer))
		send_text(p, &answer);
	else
		wsock_close(c, 1008, "too many requests");
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
	/* ids are above every one of an earlier run */
	stage_init(&serve.stage, conf->mischief, broadcast, NULL, rnd_below(UINT32_MAX), clk_now_ms());
	serve.stage.basis_bp = conf->basis_bp;
	serve.stage.noise_cents = conf->noise_cents;
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
	stage_free(&serve.stage);
}
