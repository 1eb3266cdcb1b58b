#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clk.h"
#include "err.h"
#include "intake_impl.h"
#include "thread.h"

enum { RETRY_MS = 100, LOOK_MS = 1000, LAST_WORDS_MS = 1000 };

/* Set when the balance cache was built; gone when Redis was emptied, whoever did that. */
#define KEY_CACHE_BUILT "cache:built"

struct speech *speech_of_tap(const struct intake_tap *t, const struct account *after)
{
	struct speech *s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	s->bet = t->bet;
	if (after) {
		s->kind = SPEECH_CONFIRMED;
		s->account = *after;
	} else {
		s->kind = SPEECH_REFUSED;
		s->account.wallet = t->tap.wallet;
		s->bet.cell = t->tap.cell;
		memcpy(s->bet.nonce, t->tap.nonce, sizeof s->bet.nonce);
		s->code = intake_code(t->result);
	}
	return s;
}

static struct speech *speech_free(struct speech *s)
{
	buf_free(&s->event);
	free(s);
	return NULL;
}

struct speech *speech_of_room(const struct quote_grid *room)
{
	struct speech *s = calloc(1, sizeof *s);
	if (!s)
		return NULL;
	s->kind = SPEECH_ROOM;
	s->event = (struct buf) BUF_INIT(MSG_GRID_MAX);
	msg_grid(&s->event, room);
	return s->event.failed ? speech_free(s) : s;
}

void speeches_init(struct speeches *l)
{
	*l = (struct speeches){ .tail = &l->head };
}

void speeches_add(struct speeches *l, struct speech *s)
{
	if (!s) {
		l->lost++;
		return;
	}
	s->next = NULL;
	*l->tail = s;
	l->tail = &s->next;
	l->n++;
}

/* Beyond the bound the oldest go: players see the gap by seq. */
void announcer_say(struct intake *in, struct speeches *l)
{
	struct announcer *a = &in->announcer;
	struct speech *old = NULL, **old_tail = &old;

	(void) pthread_mutex_lock(&a->lock);
	a->dropped += l->lost;
	if (l->head) {
		*a->tail = l->head;
		a->tail = l->tail;
		a->n += l->n;
	}
	for (; a->n > ANNOUNCE_MAX; a->n--, a->dropped++) {
		*old_tail = a->head;
		old_tail = &a->head->next;
		a->head = a->head->next;
	}
	*old_tail = NULL;
	(void) pthread_cond_signal(&a->wake);
	(void) pthread_mutex_unlock(&a->lock);
	for (struct speech *next; old; old = next) {
		next = old->next;
		(void) speech_free(old);
	}
}

void intake_announce(struct intake *in, const struct account *account, struct buf *event)
{
	struct speeches one;
	struct speech *s = calloc(1, sizeof *s);
	if (s) {
		s->kind = SPEECH_EVENT;
		s->account = *account;
		s->event = *event;
		*event = (struct buf) BUF_INIT(event->max);
	} else {
		buf_free(event);
	}
	speeches_init(&one);
	speeches_add(&one, s);
	announcer_say(in, &one);
}

/* Adds one to the pipeline, or to what is gathered for it. */
static int add(struct msg_group *g, const struct speech *s, struct buf *text)
{
	char channel[KEY_MAX];
	buf_clear(text);
	switch (s->kind) {
	case SPEECH_CONFIRMED:
		msg_bet_confirmed(text, &s->account, &s->bet);
		return msg_group_add(g, &s->account, text);
	case SPEECH_REFUSED:
		msg_bet_failed(text, &s->bet.cell, s->bet.nonce, s->code);
		return msg_publish(g->bus, key_user_events(channel, &s->account.wallet), text);
	case SPEECH_EVENT:
		return msg_group_add(g, &s->account, s->event.n > 0 ? &s->event : NULL);
	default: /* SPEECH_ROOM */
		break;
	}
	return bus_addf(g->bus, "SET %s %b EX %d", KEY_ROOM, s->event.p, s->event.n, (int) ROOM_LIFE_S);
}

/* 0: all of them were said. */
static int say_all(struct msg_group *g, const struct speech *list, struct buf *text)
{
	int r = 0;
	for (const struct speech *s = list; s && r == 0; s = s->next)
		r = add(g, s, text);
	if (r == 0)
		r = msg_group_end(g);
	return r < 0 ? r : bus_flush(g->bus);
}

struct rebuild {
	struct msg_group *group;
	unsigned n;
	int r;
};

static bool rebuild_one(void *u, const struct account *a)
{
	struct rebuild *b = u;
	b->r = msg_group_add(b->group, a, NULL);
	if (b->r == 0 && ++b->n % ANNOUNCE_BATCH == 0)
		b->r = bus_flush(b->group->bus);
	return b->r == 0;
}

/* Every account's balance and seq go to Redis again. They only move forward there, so that what is announced meanwhile stays. */
static int rebuild_cache(struct announcer *a)
{
	const struct bus_reply *reply;
	struct rebuild b = { .group = &a->group };
	struct store *db;
	int r = week_begin(a->week, &db);
	if (r != 0)
		return r;
	r = ledger_accounts(db, rebuild_one, &b);
	week_rollback(a->week);
	if (b.r < 0)
		r = b.r;
	if (r == 0)
		r = msg_group_end(&a->group);
	if (r == 0)
		r = bus_flush(a->bus);
	if (r == 0)
		r = bus_command(a->bus, &reply, "SET %s 1", KEY_CACHE_BUILT);
	return r;
}

/* True: Redis answers and holds the cache. */
static bool look_after_cache(struct announcer *a, bool *built)
{
	const struct bus_reply *reply;
	int r = bus_command(a->bus, &reply, "EXISTS %s", KEY_CACHE_BUILT);
	if (r == 0 && (!*built || bus_int(reply) != 1)) {
		*built = false;
		r = rebuild_cache(a);
		*built = r == 0;
	}
	err_clear();
	return r == 0;
}

static struct speech *take(struct announcer *a, int64_t wait_ms, bool *ret_stopping)
{
	struct speech *list, *last;
	int64_t n = 1;

	(void) pthread_mutex_lock(&a->lock);
	if (!a->head && !a->stopping)
		cond_wait_until(&a->wake, &a->lock, clk_mono_ms() + wait_ms);
	list = a->head;
	if (list) {
		for (last = list; last->next && n < ANNOUNCE_BATCH; last = last->next)
			n++;
		a->head = last->next;
		if (!a->head)
			a->tail = &a->head;
		last->next = NULL;
		a->n -= n;
	}
	*ret_stopping = a->stopping;
	(void) pthread_mutex_unlock(&a->lock);
	return list;
}

/* Says them, however often it takes: a player's copy knows an event by its seq. Gives up LAST_WORDS_MS after the stop. */
static void speak(struct intake *in, struct speech *list, struct buf *text)
{
	struct announcer *a = &in->announcer;
	int64_t give_up_ms = INT64_MAX;
	uint64_t n = 0;
	bool said;

	while (!(said = say_all(&a->group, list, text) == 0)) {
		int64_t now_ms = clk_mono_ms();
		atomic_store(&in->announcer_ms, now_ms);
		err_clear();
		(void) pthread_mutex_lock(&a->lock);
		if (a->stopping && give_up_ms == INT64_MAX)
			give_up_ms = now_ms + LAST_WORDS_MS;
		if (now_ms < give_up_ms)
			cond_wait_until(&a->wake, &a->lock, clk_mono_ms() + RETRY_MS);
		(void) pthread_mutex_unlock(&a->lock);
		if (now_ms >= give_up_ms)
			break;
	}
	for (struct speech *s = list, *next; s; s = next, n++) {
		next = s->next;
		(void) speech_free(s);
	}
	(void) pthread_mutex_lock(&a->lock);
	*(said ? &a->announced : &a->dropped) += n;
	(void) pthread_mutex_unlock(&a->lock);
}

void *intake_announcer_run(void *u)
{
	struct intake *in = u;
	struct announcer *a = &in->announcer;
	_cleanup_(buf_free) struct buf text = BUF_INIT(MSG_EVENT_MAX);
	bool stopping = false, built = false;
	int64_t looked_ms = INT64_MIN / 2;

	thread_gathers();
	for (;;) {
		int64_t now_ms = clk_mono_ms();
		atomic_store(&in->announcer_ms, now_ms);
		if (now_ms - looked_ms >= LOOK_MS && !stopping) {
			atomic_store(&in->redis_up, look_after_cache(a, &built));
			looked_ms = now_ms;
		}
		struct speech *list = take(a, LOOK_MS, &stopping);
		if (list)
			speak(in, list, &text);
		else if (stopping)
			return NULL;
	}
}

int announcer_open(struct intake *in)
{
	struct announcer *a = &in->announcer;
	a->tail = &a->head;
	int r = bus_open(&a->bus, &in->bus_conf);
	msg_group_begin(&a->group, a->bus);
	if (r == 0)
		r = week_open(&a->week, in->s->data_dir.v, STORE_READ, clk_now_ms());
	return r == 0 ? 0 : err_trace(r < 0 ? r : -ENOENT);
}

void announcer_close(struct intake *in)
{
	struct announcer *a = &in->announcer;
	for (struct speech *s = a->head, *next; s; s = next) {
		next = s->next;
		(void) speech_free(s);
	}
	msg_group_free(&a->group);
	a->bus = bus_close(a->bus);
	a->week = week_close(a->week);
}
