#include "ws_impl.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "clk.h"
#include "json.h"
#include "log.h"

static void drop_own(struct player *p)
{
	for (; p->own_n; p->own_n--, p->own_first = (p->own_first + 1) % WS_OWN_MAX)
		(void) wsock_frame_unref(p->own[p->own_first].frame);
}

void player_close(struct player *p, unsigned code, const char *why)
{
	if (p->is_closing)
		return;
	p->is_closing = true;
	drop_own(p);
	wsock_close(p->conn, code, why);
}

/* A frame of the player's own: never dropped, so one too many ends the connection. */
void player_send(struct player *p, struct wsock_frame *frame, int64_t seq)
{
	if (p->is_closing) {
		(void) wsock_frame_unref(frame);
		return;
	}
	if (!frame || p->own_n == WS_OWN_MAX) {
		(void) wsock_frame_unref(frame);
		player_close(p, WS_CLOSE_LATER, "too slow for its own events");
		return;
	}
	p->own[(p->own_first + p->own_n++) % WS_OWN_MAX] = (struct own_frame){ .frame = frame, .seq = seq };
	wsock_want_write(p->conn);
}

void player_send_text(struct player *p, const struct buf *text)
{
	player_send(p, text->failed ? NULL : wsock_frame_new(text->p, text->n), 0);
}

static void send_error(struct player *p, const char *code)
{
	_cleanup_(buf_free) struct buf b = BUF_INIT(MSG_EVENT_MAX);
	struct json_out w;
	jw_begin(&w, &b);
	jw_object(&w, NULL);
	jw_str(&w, "type", "error");
	jw_str(&w, "code", code);
	jw_end_object(&w);
	player_send_text(p, &b);
}

static void send_pong(struct player *p)
{
	_cleanup_(buf_free) struct buf b = BUF_INIT(MSG_EVENT_MAX);
	struct json_out w;
	jw_begin(&w, &b);
	jw_object(&w, NULL);
	jw_str(&w, "type", "pong");
	jw_int(&w, "t", clk_now_ms());
	jw_end_object(&w);
	player_send_text(p, &b);
}

static void send_auth_failed(struct player *p)
{
	_cleanup_(buf_free) struct buf b = BUF_INIT(MSG_EVENT_MAX);
	msg_auth_failed(&b, "unauthorized");
	player_send_text(p, &b);
}

struct player *player_find(struct ws *w, uint64_t id)
{
	uint32_t slot = (uint32_t) id;
	struct player *p = slot < w->n_slots ? w->slots[slot] : NULL;
	return p && p->id == id ? p : NULL;
}

/* --- signing in --- */

static void tell(const struct wallet *who, const char *what)
{
	char wallet[WALLET_TEXT_SIZE];
	if (!log_wants(LOG_LEVEL_DEBUG))
		return;
	wallet_format(wallet, who);
	log_with(LOG_LEVEL_DEBUG, &(struct log_ctx){ .wallet = wallet }, "%s", what);
}

static void leave_wallet(struct player *p)
{
	if (p->state == PLAYER_IN)
		atomic_fetch_sub(&p->ws->counts.signed_in, 1);
	wallet_leave(p);
	p->state = PLAYER_GUEST;
	p->expires_ms = 0;
}

static void on_auth(struct player *p, const struct json_value *root)
{
	size_t n;
	const char *token = json_string(json_get(root, "token"), &n);
	if (!token || n == 0 || n >= sizeof p->token) {
		send_auth_failed(p);
		return;
	}
	memcpy(p->token, token, n + 1);
	p->serial++;
	p->auth_deadline_ms = clk_mono_ms() + WS_AUTH_MS;
	p->is_looked_up = true;
	struct job job = { .kind = JOB_WHO, .player = p->id, .serial = p->serial, .deadline_ms = p->auth_deadline_ms };
	memcpy(job.token, token, n + 1);
	if (!helpers_ask(p->ws, &job))
		player_close(p, WS_CLOSE_LATER, "too many sign in");
	explicit_bzero(job.token, sizeof job.token);
}

/* The player that asked, if it is still there and has not asked anew since. */
static struct player *asker(struct ws *w, const struct item *item)
{
	struct player *p = player_find(w, item->player);
	return p && !p->is_closing && p->serial == item->serial ? p : NULL;
}

static void refuse_sign_in(struct player *p)
{
	p->auth_deadline_ms = 0;
	if (p->state != PLAYER_IN) /* who is in already stays in: the refused token changes nothing */
		leave_wallet(p);
	send_auth_failed(p);
}

void player_on_who(struct ws *w, const struct item *item)
{
	struct player *p = asker(w, item);
	if (!p)
		return;
	p->is_looked_up = false;
	if (item->answer == ANSWER_LATE) {
		player_close(p, WS_CLOSE_LATER, "cannot sign in now");
		return;
	}
	if (item->answer == ANSWER_NO) {
		refuse_sign_in(p);
		return;
	}
	leave_wallet(p);
	p->token_hash = item->token_hash;
	p->expires_ms = item->expires_ms;
	p->state = PLAYER_CHECKED;
	if (!wallet_join(p, &item->wallet))
		player_close(p, WS_CLOSE_LATER, "cannot sign in now");
}

/* Everything that was announced up to seq is in what auth:ok says; what came after it follows, in order. */
static void let_in(struct player *p, const struct item *item)
{
	_cleanup_(buf_free) struct buf b = BUF_INIT(MSG_EVENT_MAX);
	p->auth_deadline_ms = 0;
	p->state = PLAYER_IN;
	p->base_seq = item->seq;
	atomic_fetch_add(&p->ws->counts.signed_in, 1);
	tell(&item->wallet, "a socket signed in");
	msg_auth_ok(&b, &item->wallet, item->seq, item->balance);
	player_send_text(p, &b);
	struct own_frame *held = p->held;
	unsigned n = p->held_n;
	p->held = NULL;
	p->held_n = 0;
	for (unsigned i = 0; i < n; i++) {
		if (held[i].seq == 0 || held[i].seq > item->seq)
			player_send(p, held[i].frame, held[i].seq);
		else
			(void) wsock_frame_unref(held[i].frame);
	}
	free(held);
	wallet_start_at(p->wallet, item->seq);
}

void player_on_stand(struct ws *w, const struct item *item)
{
	struct player *p = asker(w, item);
	if (!p || p->state != PLAYER_ASKED)
		return;
	if (item->answer == ANSWER_LATE)
		player_close(p, WS_CLOSE_LATER, "cannot sign in now");
	else if (item->answer == ANSWER_NO)
		refuse_sign_in(p);
	else
		let_in(p, item);
}

void players_timer(struct ws *w, int64_t mono_ms, int64_t wall_ms)
{
	for (struct player *p = w->players; p; p = p->next) {
		if (p->auth_deadline_ms && mono_ms >= p->auth_deadline_ms) {
			p->auth_deadline_ms = 0;
			player_close(p, WS_CLOSE_LATER, "cannot sign in now");
		} else if (p->state != PLAYER_GUEST && wall_ms >= p->expires_ms)
			player_close(p, WS_CLOSE_SESSION, "session ended");
	}
}

/* --- the connection --- */

static bool player_register(struct ws *w, struct player *p)
{
	if (w->n_free == 0)
		return false;
	uint32_t slot = w->free_slots[--w->n_free];
	w->slots[slot] = p;
	p->id = (uint64_t) ++w->generation << 32 | slot;
	p->next = w->players;
	if (p->next)
		p->next->prev = p;
	w->players = p;
	return true;
}

static void player_unregister(struct player *p)
{
	struct ws *w = p->ws;
	uint32_t slot = (uint32_t) p->id;
	w->slots[slot] = NULL;
	w->free_slots[w->n_free++] = slot;
	if (p->prev)
		p->prev->next = p->next;
	else
		w->players = p->next;
	if (p->next)
		p->next->prev = p->prev;
}

static bool on_open(struct wsock_conn *c, void **u)
{
	struct ws *w = *u;
	_cleanup_(buf_free) struct buf hello = BUF_INIT(MSG_GRID_MAX);
	struct player *p = calloc(1, sizeof *p);
	*u = p;
	if (!p)
		return false;
	p->ws = w;
	p->conn = c;
	if (!player_register(w, p)) {
		free(p);
		*u = NULL;
		return false;
	}
	address_add(w, wsock_peer(c));
	atomic_fetch_add(&w->counts.connections, 1);
	atomic_fetch_add(&w->counts.opened, 1);
	msg_hello(&hello, w->settings, clk_now_ms());
	player_send_text(p, &hello);
	return true;
}

static void on_close(struct wsock_conn *c, void *u, unsigned code, const char *why)
{
	struct player *p = u;
	(void) why;
	if (!p)
		return;
	struct ws *w = p->ws;
	p->is_closing = true;
	leave_wallet(p);
	drop_own(p);
	address_remove(w, wsock_peer(c));
	player_unregister(p);
	atomic_fetch_sub(&w->counts.connections, 1);
	count_close(w, code);
	explicit_bzero(p->token, sizeof p->token);
	free(p);
}

/* True when this frame is one too many within a second. */
static bool is_too_fast(struct player *p)
{
	int64_t now_ms = clk_mono_ms();
	int64_t *oldest = &p->heard_ms[p->heard_at];
	bool fast = *oldest && now_ms - *oldest < 1000;
	*oldest = now_ms;
	p->heard_at = (p->heard_at + 1) % WS_FRAMES_A_SECOND;
	return fast;
}

static void on_text(struct wsock_conn *c, void *u, const char *text, size_t n)
{
	struct player *p = u;
	_cleanup_(json_freep) struct json *doc = NULL;
	const char *why;
	(void) c;
	if (!p || p->is_closing)
		return;
	atomic_fetch_add(&p->ws->counts.frames_in, 1);
	if (is_too_fast(p)) {
		player_close(p, WS_CLOSE_POLICY, "more than 20 frames a second");
		return;
	}
	const char *type = json_parse(&doc, text, n, &why) == 0 ? json_string(json_get(json_root(doc), "type"), NULL) : NULL;
	if (!type)
		send_error(p, "malformed_request");
	else if (strcmp(type, "ping") == 0)
		send_pong(p);
	else if (strcmp(type, "auth") == 0)
		on_auth(p, json_root(doc));
	else
		send_error(p, "unknown_type");
}

/* The newest of a public frame, unless it was sent to this player before. */
static struct wsock_frame *newest(const struct board *b, uint64_t *seen)
{
	if (!b->frame || *seen == b->number)
		return NULL;
	*seen = b->number;
	return wsock_frame_ref(b->frame);
}

static struct wsock_frame *on_writable(struct wsock_conn *c, void *u)
{
	struct player *p = u;
	if (!p || p->is_closing)
		return NULL;
	struct ws *w = p->ws;
	struct wsock_frame *f = NULL;
	if (p->own_n) {
		f = p->own[p->own_first].frame;
		p->own_first = (p->own_first + 1) % WS_OWN_MAX;
		p->own_n--;
		atomic_fetch_add(&w->counts.events_out, 1);
	}
	if (!f)
		f = newest(&w->status, &p->status_seen);
	if (!f)
		f = newest(&w->price, &p->price_seen);
	if (!f)
		f = newest(&w->grid, &p->grid_seen);
	if (!f)
		return NULL;
	atomic_fetch_add(&w->counts.frames_out, 1);
	wsock_want_write(c); /* asked again: what is left, and what came meanwhile */
	return f;
}

static unsigned on_handshake(const char *path, const char *origin, const char *peer_ip, void *u)
{
	struct ws *w = u;
	const struct conf_texts *allowed = &w->settings->allowed_origins;
	bool fine = !origin; /* not a browser: nobody else's page can have made it come */
	(void) path;
	for (size_t i = 0; origin && i < allowed->n; i++)
		fine = fine || strcmp(allowed->v[i], origin) == 0;
	if (!fine) {
		atomic_fetch_add(&w->counts.refused_origin, 1);
		return 403;
	}
	if (address_full(w, peer_ip)) {
		atomic_fetch_add(&w->counts.refused_address, 1);
		return 429;
	}
	return 0;
}

const struct wsock_ops player_ops = { .on_open = on_open, .on_text = on_text, .on_writable = on_writable,
	.on_close = on_close, .on_handshake = on_handshake };
