#include "bus_impl.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "check.h"
#include "clk.h"
#include "err.h"
#include "rnd.h"
#include "thread.h"

enum {
	CHANNELS_MAX = 131072,
	SLOTS = 32768,          /* of the hash table: a power of two */
	NAMES_PER_COMMAND = 256,
	QUIET_MS = 1000,        /* without a byte for as long we ask whether the server is there */
	RETRY_JITTER_MS = 150   /* on top of BUS_RETRY_MS, so that daemons do not come back in step */
};

struct channel {
	struct channel *next;    /* in its slot */
	struct channel *changed; /* in the list of changes */
	bool is_changed;
	bool wanted;
	bool added;              /* by bus_sub_add: its confirmations are told */
	char name[];
};

struct bus_sub {
	struct link_conf conf;
	struct bus_sub_ops ops;
	void *u;
	pthread_t thread;
	int wake_fd;             /* something changed */
	int stop_fd;             /* ends a connection attempt and the pause before one */
	atomic_bool stop;

	pthread_mutex_t lock;    /* all below up to `link`; never held over a callback or a wait */
	struct channel *slots[SLOTS];
	size_t n_channels;
	struct channel *changes; /* newest first: each channel at most once */

	/* the thread's own */
	struct link link;
	size_t unconfirmed;      /* of the channels asked for at the connection: up is told at 0 */
	bool up;
};

static size_t slot_of(const char *name)
{
	uint64_t h = 14695981039346656037ULL; /* FNV-1a */
	for (const char *p = name; *p; p++)
		h = (h ^ (uint8_t) *p) * 1099511628211ULL;
	return (size_t) (h ^ h >> 32) & (SLOTS - 1);
}

static struct channel *find(struct bus_sub *s, const char *name)
{
	struct channel *c = s->slots[slot_of(name)];
	while (c && strcmp(c->name, name) != 0)
		c = c->next;
	return c;
}

static struct channel *find_or_make(struct bus_sub *s, const char *name)
{
	struct channel *c = find(s, name);
	if (c || s->n_channels == CHANNELS_MAX)
		return c;
	size_t n = strlen(name) + 1;
	c = calloc(1, sizeof *c + n);
	if (!c)
		return NULL;
	memcpy(c->name, name, n);
	struct channel **slot = &s->slots[slot_of(name)];
	c->next = *slot;
	*slot = c;
	s->n_channels++;
	return c;
}

static void forget(struct bus_sub *s, struct channel *gone)
{
	struct channel **at = &s->slots[slot_of(gone->name)];
	while (*at != gone)
		at = &(*at)->next;
	*at = gone->next;
	s->n_channels--;
	free(gone);
}

static void note_change(struct bus_sub *s, struct channel *c)
{
	if (c->is_changed)
		return;
	c->is_changed = true;
	c->changed = s->changes;
	s->changes = c;
}

static void signal_fd(int fd)
{
	uint64_t one = 1;
	ssize_t n = write(fd, &one, sizeof one);
	(void) n; /* full means that it is awake already */
}

int bus_sub_add(struct bus_sub *s, const char *channel)
{
	(void) pthread_mutex_lock(&s->lock);
	struct channel *c = find_or_make(s, channel);
	int r = c ? 0 : s->n_channels == CHANNELS_MAX ? -ENOBUFS : -ENOMEM;
	if (c) {
		c->wanted = c->added = true;
		note_change(s, c);
	}
	(void) pthread_mutex_unlock(&s->lock);
	if (r == 0)
		signal_fd(s->wake_fd);
	return r;
}

int bus_sub_remove(struct bus_sub *s, const char *channel)
{
	(void) pthread_mutex_lock(&s->lock);
	struct channel *c = find(s, channel);
	if (c && c->wanted) {
		c->wanted = false;
		note_change(s, c);
	}
	(void) pthread_mutex_unlock(&s->lock);
	if (c)
		signal_fd(s->wake_fd);
	return 0;
}

static void drain_wake(struct bus_sub *s)
{
	uint64_t n;
	ssize_t got = read(s->wake_fd, &n, sizeof n);
	(void) got; /* nothing to read is as good */
}

static void put_one(struct buf *out, const char *verb, const char *name)
{
	resp_count(out, 2);
	resp_arg(out, verb, strlen(verb));
	resp_arg(out, name, strlen(name));
}

/* What was sent is dropped from the buffer once it is all sent, so that a long life does not grow it. */
static void trim_sent(struct link *l)
{
	if (l->sent == l->out.n) {
		buf_clear(&l->out);
		l->sent = 0;
	}
}

/* Says to the server what bus_sub_add and bus_sub_remove changed. A channel added again is asked for again: the server
 * confirms each time, which is what the caller waits for. */
static void tell_changes(struct bus_sub *s)
{
	(void) pthread_mutex_lock(&s->lock);
	struct channel *next;
	for (struct channel *c = s->changes; c; c = next) {
		next = c->changed;
		c->is_changed = false;
		put_one(&s->link.out, c->wanted ? "SUBSCRIBE" : "UNSUBSCRIBE", c->name);
		if (!c->wanted)
			forget(s, c);
	}
	s->changes = NULL;
	(void) pthread_mutex_unlock(&s->lock);
}

/* On a new connection: all channels that are wanted. */
static void tell_all(struct bus_sub *s)
{
	(void) pthread_mutex_lock(&s->lock);
	struct channel *next;
	for (struct channel *c = s->changes; c; c = next) {
		next = c->changed;
		c->is_changed = false;
		if (!c->wanted)
			forget(s, c);
	}
	s->changes = NULL;
	const char *names[NAMES_PER_COMMAND];
	size_t n = 0, left = s->n_channels;
	s->unconfirmed = left;
	for (size_t i = 0; i < SLOTS && left; i++) {
		for (const struct channel *c = s->slots[i]; c; c = c->next) {
			names[n++] = c->name;
			left--;
			if (n < NAMES_PER_COMMAND && left)
				continue;
			resp_count(&s->link.out, n + 1);
			resp_arg(&s->link.out, "SUBSCRIBE", 9);
			for (size_t k = 0; k < n; k++)
				resp_arg(&s->link.out, names[k], strlen(names[k]));
			n = 0;
		}
	}
	(void) pthread_mutex_unlock(&s->lock);
}

static void set_up(struct bus_sub *s, bool up)
{
	if (s->up == up)
		return;
	s->up = up;
	if (s->ops.state)
		s->ops.state(s->u, up);
}

static void on_confirmed(struct bus_sub *s, const char *channel)
{
	(void) pthread_mutex_lock(&s->lock);
	struct channel *c = find(s, channel);
	bool tell = c && c->wanted && c->added;
	(void) pthread_mutex_unlock(&s->lock);
	if (tell && s->ops.added)
		s->ops.added(s->u, channel);
	if (s->unconfirmed && --s->unconfirmed == 0)
		set_up(s, true);
}

static int on_reply(struct bus_sub *s, const redisReply *r)
{
	if (r->type == REDIS_REPLY_ERROR)
		return err_say(-EPROTO, "redis: %s", r->str);
	if (r->type != REDIS_REPLY_ARRAY || r->elements < 2 || r->element[0]->type != REDIS_REPLY_STRING)
		return 0; /* a PONG before the first subscription */
	const char *kind = r->element[0]->str;
	const redisReply *channel = r->element[1];
	if (r->elements < 3 || channel->type != REDIS_REPLY_STRING)
		return 0;
	if (strcmp(kind, "message") == 0 && r->element[2]->type == REDIS_REPLY_STRING)
		s->ops.message(s->u, channel->str, r->element[2]->str, r->element[2]->len);
	else if (strcmp(kind, "subscribe") == 0)
		on_confirmed(s, channel->str);
	return 0;
}

static int take_replies(struct bus_sub *s)
{
	while (!atomic_load(&s->stop)) {
		redisReply *reply = NULL;
		int r = link_reply(&s->link, &reply);
		if (r < 0 || !reply)
			return r;
		r = on_reply(s, reply);
		freeReplyObject(reply);
		if (r < 0)
			return r;
	}
	return 0;
}

/* One connection's life: returns when it is lost or the owner stops. */
static void listen_on(struct bus_sub *s)
{
	bool asked = false; /* a PING waits for its answer */
	tell_all(s);
	if (s->unconfirmed == 0)
		set_up(s, true);
	while (!atomic_load(&s->stop)) {
		trim_sent(&s->link);
		if (s->link.out.failed || link_push(&s->link) < 0)
			return;
		int64_t limit_ms = asked || s->unconfirmed ? s->conf.timeout_ms : QUIET_MS;
		int r = link_wait(&s->link, clk_mono_ms() + limit_ms, s->wake_fd);
		if (r == -ECANCELED) {
			drain_wake(s);
			tell_changes(s);
			continue;
		}
		if (r == -ETIMEDOUT && !asked && !s->unconfirmed) {
			resp_count(&s->link.out, 1);
			resp_arg(&s->link.out, "PING", 4);
			asked = true;
			continue;
		}
		if (r < 0 || link_pull(&s->link) < 0 || take_replies(s) < 0)
			return;
		s->link.received = 0;
		asked = false;
	}
}

static void pause_before_retry(struct bus_sub *s)
{
	struct pollfd stop = { .fd = s->stop_fd, .events = POLLIN };
	(void) poll(&stop, 1, BUS_RETRY_MS + (int) rnd_below(RETRY_JITTER_MS));
}

static void *run(void *arg)
{
	struct bus_sub *s = arg;
	while (!atomic_load(&s->stop)) {
		int r = link_open(&s->link, &s->conf, clk_mono_ms() + s->conf.timeout_ms, s->stop_fd);
		if (r == 0) {
			listen_on(s);
			link_close(&s->link);
			set_up(s, false);
		}
		pause_before_retry(s);
		err_clear();
	}
	return NULL;
}

static struct bus_sub *release(struct bus_sub *s)
{
	for (size_t i = 0; i < SLOTS; i++) {
		while (s->slots[i])
			forget(s, s->slots[i]);
	}
	if (s->wake_fd >= 0)
		(void) close(s->wake_fd);
	if (s->stop_fd >= 0)
		(void) close(s->stop_fd);
	link_free(&s->link);
	(void) pthread_mutex_destroy(&s->lock);
	explicit_bzero(&s->conf, sizeof s->conf);
	free(s);
	return NULL;
}

int bus_sub_open(struct bus_sub **ret, const struct bus_conf *conf, const char *const *channels,
		const struct bus_sub_ops *ops, void *u)
{
	CHECK(ops->message);
	struct bus_sub *s = calloc(1, sizeof *s);
	if (!s)
		return -ENOMEM;
	s->ops = *ops;
	s->u = u;
	s->link = (struct link) LINK_DOWN;
	(void) pthread_mutex_init(&s->lock, NULL);
	s->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	s->stop_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	int r = s->wake_fd < 0 || s->stop_fd < 0 ? -errno : link_conf_copy(&s->conf, conf);
	for (size_t i = 0; r == 0 && channels && channels[i]; i++) {
		struct channel *c = find_or_make(s, channels[i]);
		if (c)
			c->wanted = true;
		else
			r = -ENOMEM;
	}
	if (r == 0)
		r = thread_start(&s->thread, run, s);
	if (r < 0) {
		(void) release(s);
		return err_trace(r);
	}
	*ret = s;
	return 0;
}

struct bus_sub *bus_sub_close(struct bus_sub *s)
{
	if (!s)
		return NULL;
	atomic_store(&s->stop, true);
	signal_fd(s->stop_fd);
	signal_fd(s->wake_fd);
	(void) pthread_join(s->thread, NULL);
	return release(s);
}
