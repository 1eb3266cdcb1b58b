#include "ws_impl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "clk.h"
#include "err.h"
#include "thread.h"

enum { RETRY_MS = 50 };

bool helpers_ask(struct ws *w, const struct job *job)
{
	struct helpers *h = &w->helpers;
	struct job *j = malloc(sizeof *j);
	if (!j)
		return false;
	*j = *job;
	j->next = NULL;
	(void) pthread_mutex_lock(&h->lock);
	bool takes = h->n < WS_JOBS_MAX && !h->stop;
	if (takes) {
		*h->tail = j;
		h->tail = &j->next;
		h->n++;
		(void) pthread_cond_signal(&h->some);
	}
	(void) pthread_mutex_unlock(&h->lock);
	if (!takes)
		free(j);
	return takes;
}

/* NULL: stop. */
static struct job *next_job(struct helpers *h)
{
	(void) pthread_mutex_lock(&h->lock);
	while (!h->head && !h->stop)
		(void) pthread_cond_wait(&h->some, &h->lock);
	struct job *j = h->stop ? NULL : h->head;
	if (j) {
		h->head = j->next;
		h->n--;
		if (!h->head)
			h->tail = &h->head;
	}
	(void) pthread_mutex_unlock(&h->lock);
	return j;
}

static struct item *answer_to(const struct job *j, enum item_kind kind, enum answer answer)
{
	struct item *i = item_new(kind, NULL, 0);
	if (!i)
		return NULL;
	i->answer = answer;
	i->player = j->player;
	i->serial = j->serial;
	i->wallet = j->wallet;
	return i;
}

/* Whose session is it? 0: *ret is the answer; <0: Redis is not there. */
static int look_up(struct bus *bus, const struct job *j, struct item **ret)
{
	struct auth_session s;
	int r = auth_session(bus, j->token, clk_now_ms(), &s);
	if (r < 0)
		return r;
	*ret = answer_to(j, ITEM_WHO, r == 0 ? ANSWER_YES : ANSWER_NO);
	if (r == 0 && *ret) {
		(*ret)->wallet = s.wallet;
		(*ret)->token_hash = auth_token_hash(j->token);
		(*ret)->expires_ms = s.expires_ms;
	}
	return 0;
}

/* How does the wallet stand? Asked once its channel is listened to, so every event above the seq read here will be heard. The
 * session is looked at again: its end may have been announced before we listened. -EAGAIN: the cache does not know the wallet
 * yet (the api fills it when it starts and when somebody signs in). */
static int stand(struct bus *bus, const struct job *j, struct item **ret)
{
	struct auth_session s;
	char seq_key[KEY_MAX], balance_key[KEY_MAX];
	const struct bus_reply *reply;
	int r = auth_session(bus, j->token, clk_now_ms(), &s);
	if (r < 0)
		return r;
	if (r > 0 || !wallet_eq(&s.wallet, &j->wallet)) {
		*ret = answer_to(j, ITEM_STAND, ANSWER_NO);
		return 0;
	}
	r = bus_command(bus, &reply, "MGET %s %s", key_seq(seq_key, &j->wallet), key_balance(balance_key, &j->wallet));
	if (r < 0)
		return r;
	if (bus_count(reply) != 2 || bus_kind(bus_at(reply, 0)) != BUS_TEXT || bus_kind(bus_at(reply, 1)) != BUS_TEXT)
		return -EAGAIN;
	*ret = answer_to(j, ITEM_STAND, ANSWER_YES);
	if (*ret) {
		(*ret)->seq = bus_int(bus_at(reply, 0));
		(*ret)->balance = money_of(bus_int(bus_at(reply, 1)));
	}
	return 0;
}

static int read_status(struct bus *bus, struct item **ret)
{
	const struct bus_reply *reply;
	int r = bus_command(bus, &reply, "GET %s", KEY_STATUS);
	if (r < 0)
		return r;
	size_t n;
	const char *text = bus_text(reply, &n);
	if (bus_kind(reply) == BUS_TEXT)
		*ret = item_new(ITEM_STATUS, text, n);
	return 0;
}

static int do_job(struct bus *bus, const struct job *j, struct item **ret)
{
	switch (j->kind) {
	case JOB_WHO:
		return look_up(bus, j, ret);
	case JOB_STAND:
		return stand(bus, j, ret);
	case JOB_STATUS:
		return read_status(bus, ret);
	}
	return 0;
}

/* Whether the job is done with; if not it is asked again in a moment. */
static bool handle(struct ws *w, struct bus *bus, const struct job *j)
{
	struct item *item = NULL;
	bool is_late = j->deadline_ms && clk_mono_ms() >= j->deadline_ms;
	int r = is_late ? -ETIMEDOUT : do_job(bus, j, &item);
	if (r == 0) {
		if (item)
			inbox_put(w, item, true);
		return true;
	}
	err_clear();
	if (j->kind == JOB_STATUS)
		return true; /* asked again at the next connection */
	if (!is_late)
		return false;
	inbox_put(w, answer_to(j, j->kind == JOB_WHO ? ITEM_WHO : ITEM_STAND, ANSWER_LATE), true);
	return true;
}

static void *work(void *arg)
{
	struct ws *w = arg;
	struct bus *bus;
	struct job *j;
	if (bus_open(&bus, &w->bus_conf) < 0)
		return NULL; /* no memory at the start: jobs then run into their time limit, which the loop watches itself */
	while ((j = next_job(&w->helpers))) {
		if (!handle(w, bus, j)) {
			(void) clk_sleep_until_ms(clk_mono_ms() + RETRY_MS);
			if (!helpers_ask(w, j))
				inbox_put(w, answer_to(j, j->kind == JOB_WHO ? ITEM_WHO : ITEM_STAND, ANSWER_LATE), true);
		}
		explicit_bzero(j->token, sizeof j->token);
		free(j);
	}
	(void) bus_close(bus);
	return NULL;
}

int helpers_start(struct ws *w)
{
	struct helpers *h = &w->helpers;
	int r = 0;
	for (; h->n_threads < WS_HELPERS && r == 0; h->n_threads += r == 0)
		r = thread_start(&h->threads[h->n_threads], work, w);
	return r;
}

void helpers_stop(struct ws *w)
{
	struct helpers *h = &w->helpers;
	(void) pthread_mutex_lock(&h->lock);
	h->stop = true;
	(void) pthread_cond_broadcast(&h->some);
	(void) pthread_mutex_unlock(&h->lock);
	for (int i = 0; i < h->n_threads; i++)
		(void) pthread_join(h->threads[i], NULL);
	h->n_threads = 0;
	struct job *next;
	for (struct job *j = h->head; j; j = next) {
		next = j->next;
		free(j);
	}
	h->head = NULL;
	h->tail = &h->head;
	h->n = 0;
}
