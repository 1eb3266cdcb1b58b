#include "ws_impl.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "check.h"
#include "clk.h"

static struct wallet_entry **slot_of(struct ws *w, const struct wallet *wallet)
{
	return &w->wallets[be64_get(wallet->b) % WS_WALLET_SLOTS]; /* an address is a hash already */
}

static struct wallet_entry *find(struct ws *w, const struct wallet *wallet)
{
	struct wallet_entry *e = *slot_of(w, wallet);
	while (e && !wallet_eq(&e->wallet, wallet))
		e = e->next;
	return e;
}

static void unlist_late(struct ws *w, struct wallet_entry *e)
{
	if (!e->waiting_until_ms)
		return;
	e->waiting_until_ms = 0;
	if (e->late_prev)
		e->late_prev->late_next = e->late_next;
	else
		w->late = e->late_next;
	if (e->late_next)
		e->late_next->late_prev = e->late_prev;
	e->late_prev = e->late_next = NULL;
}

static void list_late(struct ws *w, struct wallet_entry *e)
{
	if (e->waiting_until_ms)
		return;
	e->waiting_until_ms = clk_mono_ms() + WS_REORDER_MS;
	e->late_next = w->late;
	if (w->late)
		w->late->late_prev = e;
	w->late = e;
}

static void forget(struct ws *w, struct wallet_entry *e)
{
	struct wallet_entry **at = slot_of(w, &e->wallet);
	unlist_late(w, e);
	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	for (unsigned i = 0; i < e->n_waiting; i++)
		(void) wsock_frame_unref(e->waiting[i].frame);
	free(e);
}

bool wallet_join(struct player *p, const struct wallet *wallet)
{
	struct ws *w = p->ws;
	char channel[KEY_MAX];
	struct wallet_entry *e = find(w, wallet);
	p->held = calloc(WS_REORDER_MAX, sizeof *p->held);
	if (!p->held)
		return false;
	if (!e) {
		e = calloc(1, sizeof *e);
		if (!e)
			return false;
		struct wallet_entry **slot = slot_of(w, wallet);
		e->wallet = *wallet;
		e->next = *slot;
		*slot = e;
	}
	p->wallet = e;
	p->wallet_next = e->players;
	if (e->players)
		e->players->wallet_prev = p;
	e->players = p;
	/* Also for a wallet that is listened to already: its confirmation is what comes next for this player too. */
	return bus_sub_add(w->sub, key_user_events(channel, wallet)) == 0;
}

void wallet_leave(struct player *p)
{
	struct wallet_entry *e = p->wallet;
	char channel[KEY_MAX];
	for (unsigned i = 0; i < p->held_n; i++)
		(void) wsock_frame_unref(p->held[i].frame);
	free(p->held);
	p->held = NULL;
	p->held_n = 0;
	if (!e)
		return;
	if (p->wallet_prev)
		p->wallet_prev->wallet_next = p->wallet_next;
	else
		e->players = p->wallet_next;
	if (p->wallet_next)
		p->wallet_next->wallet_prev = p->wallet_prev;
	p->wallet = NULL;
	p->wallet_prev = p->wallet_next = NULL;
	if (e->players)
		return;
	if (p->ws->sub) { /* at the end it goes before the players do */
		int r = bus_sub_remove(p->ws->sub, key_user_events(channel, &e->wallet));
		(void) r; /* at worst we hear what nobody asks for */
	}
	forget(p->ws, e);
}

void wallet_on_added(struct ws *w, const struct wallet *wallet)
{
	struct wallet_entry *e = find(w, wallet);
	for (struct player *p = e ? e->players : NULL; p; p = p->wallet_next) {
		if (p->state != PLAYER_CHECKED || p->is_looked_up || p->is_closing)
			continue;
		struct job job = { .kind = JOB_STAND, .player = p->id, .serial = p->serial, .wallet = *wallet,
			.deadline_ms = p->auth_deadline_ms };
		memcpy(job.token, p->token, sizeof job.token);
		p->state = PLAYER_ASKED;
		if (!helpers_ask(w, &job))
			player_close(p, WS_CLOSE_LATER, "too many sign in");
		explicit_bzero(job.token, sizeof job.token);
	}
}

static void hold(struct player *p, struct wsock_frame *frame, int64_t seq)
{
	if (!p->held || p->held_n == WS_REORDER_MAX) {
		player_close(p, WS_CLOSE_LATER, "too slow for its own events");
		return;
	}
	p->held[p->held_n++] = (struct own_frame){ .frame = wsock_frame_ref(frame), .seq = seq };
}

static void deliver(struct wallet_entry *e, struct wsock_frame *frame, int64_t seq)
{
	for (struct player *p = e->players; p; p = p->wallet_next) {
		if (p->is_closing)
			continue;
		if (p->state != PLAYER_IN)
			hold(p, frame, seq);
		else if (seq == 0 || seq > p->base_seq)
			player_send(p, wsock_frame_ref(frame), seq);
	}
}

/* Delivers from the front of what waits: those whose turn it is, and, when `all`, the others too. */
static void release(struct ws *w, struct wallet_entry *e, bool all)
{
	unsigned n = 0;
	for (; n < e->n_waiting && (all || e->waiting[n].seq <= e->seq + 1); n++) {
		struct own_frame *f = &e->waiting[n];
		if (f->seq > e->seq) {
			atomic_fetch_add(&w->counts.gaps, f->seq > e->seq + 1);
			e->seq = f->seq;
			deliver(e, f->frame, f->seq);
		}
		(void) wsock_frame_unref(f->frame);
	}
	e->n_waiting -= n;
	memmove(e->waiting, e->waiting + n, e->n_waiting * sizeof *e->waiting);
	unlist_late(w, e);
	if (e->n_waiting)
		list_late(w, e);
}

void wallet_start_at(struct wallet_entry *e, int64_t seq)
{
	if (e->has_seq || !e->players)
		return;
	e->has_seq = true;
	e->seq = seq;
	release(e->players->ws, e, false);
}

/* In its place by seq; takes the reference over. A seq that waits already is the same event. */
static void wait_turn(struct wallet_entry *e, struct wsock_frame *frame, int64_t seq)
{
	unsigned at = e->n_waiting;
	while (at && e->waiting[at - 1].seq >= seq)
		at--;
	if (at < e->n_waiting && e->waiting[at].seq == seq) {
		(void) wsock_frame_unref(frame);
		return;
	}
	memmove(e->waiting + at + 1, e->waiting + at, (e->n_waiting - at) * sizeof *e->waiting);
	e->waiting[at] = (struct own_frame){ .frame = frame, .seq = seq };
	e->n_waiting++;
}

/* Before the first player is in nobody knows where the count stands: the lowest give way. */
static void make_room(struct ws *w, struct wallet_entry *e)
{
	if (e->n_waiting < WS_REORDER_MAX)
		return;
	if (e->has_seq) {
		release(w, e, true);
		return;
	}
	(void) wsock_frame_unref(e->waiting[0].frame);
	e->n_waiting--;
	memmove(e->waiting, e->waiting + 1, e->n_waiting * sizeof *e->waiting);
}

static void end_session(struct wallet_entry *e, const struct item *item)
{
	struct hash ended;
	if (!msg_session_ended_parse(&ended, item->text, item->n))
		return;
	for (struct player *p = e->players; p; p = p->wallet_next)
		if (memcmp(ended.b, p->token_hash.b, sizeof ended.b) == 0)
			player_close(p, WS_CLOSE_SESSION, "session ended");
}

void wallet_on_event(struct ws *w, const struct item *item)
{
	static const char internal[] = "{\"type\":\"internal:";
	struct wallet_entry *e = find(w, &item->wallet);
	if (!e)
		return; /* the last one left meanwhile */
	if (item->n >= sizeof internal - 1 && memcmp(item->text, internal, sizeof internal - 1) == 0) {
		end_session(e, item);
		return;
	}
	if (e->has_seq && item->seq && item->seq <= e->seq)
		return; /* told before, or given up */
	struct wsock_frame *frame = wsock_frame_new(item->text, item->n);
	if (!frame) {
		atomic_fetch_add(&w->counts.events_lost, 1);
		return;
	}
	if (item->seq == 0) {
		deliver(e, frame, 0);
		(void) wsock_frame_unref(frame);
		return;
	}
	make_room(w, e);
	wait_turn(e, frame, item->seq);
	if (e->has_seq)
		release(w, e, false);
}

/* The api and the resolver announce over two connections, so that a later event may come first; one that never comes was lost
 * with Redis, and the player sees the gap. */
void wallets_timer(struct ws *w, int64_t mono_ms)
{
	struct wallet_entry *next;
	for (struct wallet_entry *e = w->late; e; e = next) {
		next = e->late_next;
		if (mono_ms >= e->waiting_until_ms)
			release(w, e, true);
	}
}
