#include "redis.h"

#include <errno.h>
#include <string.h>

#include "auth_door.h"
#include "err.h"
#include "heard.h"
#include "history.h"
#include "referee.h"
#include "resolver.h"
#include "resolver_proc.h"
#include "retell.h"
#include "sim.h"

enum { NONCES = 1 << 16, NONCE_LIFE_MS = 90000 };

struct nonce {
	uint8_t nonce[NONCE_SIZE], tag[NONCE_SIZE];
	int64_t until_ms;
};

static struct {
	bool down, deaf, door_cut;
	struct seen_tick ticks[REDIS_TICKS];
	size_t first, n;
	int64_t last_ms; /* the stream's last id */
	int64_t heard_ms; /* of the tick that was heard last */
	struct nonce nonces[NONCES]; /* by the number that the nonce begins with */
} redis;

int __wrap_history_column(struct bus *bus, int64_t t0_s, int64_t column_s, struct tick *ticks, size_t max, size_t *ret_n,
		bool *ret_anchor, int64_t *ret_redis_ms);
int __wrap_history_read(struct bus *bus, int64_t from_ms, int64_t to_ms, struct tick *ticks, size_t max, size_t *ret_n, bool *ret_more);
int __wrap_auth_door_open(struct auth_door **ret, const struct auth_door_conf *conf);
struct auth_door *__wrap_auth_door_close(struct auth_door *d);
int __wrap_auth_door_ask(struct auth_door *d, struct bus *bus, struct auth_knock *knocks, size_t n, bool spend, int64_t now_us);
int __wrap_bus_sub_open(struct bus_sub **ret, const struct bus_conf *conf, const char *const *channels, const struct bus_sub_ops *ops,
		void *u);
struct bus_sub *__wrap_bus_sub_close(struct bus_sub *s);
int __wrap_retell(struct week *reader, struct bus *bus, const struct settings *s, int64_t now_ms, settled_cb *cb, void *u,
		size_t *ret_told);
int __wrap_announcer_start(struct announcer **ret, const struct bus_conf *bus);
void __wrap_announcer_put(struct announcer *a, const struct settled_bet *bet);
struct announcer *__wrap_announcer_stop(struct announcer *a);
void __wrap_announcer_stats(struct announcer *a, struct announcer_stats *ret);

void redis_begin(void)
{
	memset(&redis, 0, sizeof redis);
}

void redis_down(bool down)
{
	redis.down = down;
}

bool redis_is_down(void)
{
	return redis.down;
}

bool redis_door_cut(void)
{
	return redis.door_cut;
}

void redis_deaf(bool deaf)
{
	redis.deaf = deaf;
}

static struct seen_tick *at(size_t i)
{
	return &redis.ticks[(redis.first + i) % REDIS_TICKS];
}

size_t redis_ticks(void)
{
	return redis.n;
}

const struct seen_tick *redis_tick(size_t i)
{
	return at(i);
}

static void forget_recorded(int64_t from_ms)
{
	redis.last_ms = 0;
	for (size_t i = 0; i < redis.n; i++) {
		struct seen_tick *t = at(i);
		t->recorded = t->recorded && t->tick.t_ms < from_ms;
		if (t->recorded && t->tick.t_ms > redis.last_ms)
			redis.last_ms = t->tick.t_ms;
	}
}

void redis_flush(void)
{
	forget_recorded(0);
	memset(redis.nonces, 0, sizeof redis.nonces);
}

void redis_lose_last_second(void)
{
	forget_recorded(sim_wall_ms(PROC_WORLD) - 1000);
}

void redis_resolver_gone(void)
{
	for (size_t i = 0; i < redis.n; i++)
		at(i)->heard = false;
}

/* A tick that does not rise says that the stream began anew: what was heard of later times counts no more. */
static void hear(struct seen_tick *t)
{
	struct heard *ear = resolver_proc_heard();
	if (redis.deaf || !ear)
		return;
	for (size_t i = redis.heard_ms < t->tick.t_ms ? 0 : redis.n; i-- > 0;)
		if (at(i)->tick.t_ms >= t->tick.t_ms)
			at(i)->heard = false;
	redis.heard_ms = t->tick.t_ms;
	t->heard = true;
	heard_take(ear, &t->tick);
}

bool redis_append(const struct tick *t)
{
	int64_t off_ms = t->t_ms - sim_wall_ms(PROC_WORLD);
	if (redis.down || t->t_ms <= redis.last_ms || off_ms > HISTORY_LATE_MS || off_ms < -HISTORY_LATE_MS)
		return false;
	struct seen_tick seen = { .tick = *t, .recorded = true };
	hear(&seen);
	if (redis.n == REDIS_TICKS) {
		redis.first = (redis.first + 1) % REDIS_TICKS;
		redis.n--;
	}
	*at(redis.n++) = seen;
	redis.last_ms = t->t_ms;
	return true;
}

/* Rising in t: after a flush and a clock set back the ring is not, but what of it is recorded is. */
static size_t recorded_in(int64_t from_ms, int64_t to_ms, struct tick *ticks, size_t max)
{
	size_t n = 0, i = redis.n;
	while (i > 0 && (at(i - 1)->tick.t_ms >= from_ms || !at(i - 1)->recorded))
		i--;
	for (; i < redis.n && n < max; i++)
		if (at(i)->recorded && at(i)->tick.t_ms >= from_ms && at(i)->tick.t_ms < to_ms)
			ticks[n++] = at(i)->tick;
	return n;
}

static bool recorded_before(int64_t at_ms, struct tick *ret)
{
	for (size_t i = redis.n; i-- > 0;)
		if (at(i)->recorded && at(i)->tick.t_ms < at_ms) {
			*ret = at(i)->tick;
			return true;
		}
	return false;
}

int __wrap_history_column(struct bus *bus, int64_t t0_s, int64_t column_s, struct tick *ticks, size_t max, size_t *ret_n,
		bool *ret_anchor, int64_t *ret_redis_ms)
{
	(void) bus;
	bool cut = redis.down || fault_one_in(50); /* an answer may be lost on its way */
	referee_asked(t0_s, !cut);
	if (cut)
		return err_say(-ENOTCONN, "the fake Redis is away");
	*ret_anchor = recorded_before(t0_s * 1000, ticks);
	size_t anchors = *ret_anchor;
	*ret_n = anchors + recorded_in(t0_s * 1000, (t0_s + column_s) * 1000, ticks + anchors, max - anchors);
	*ret_redis_ms = sim_wall_ms(PROC_WORLD);
	return 0;
}

int __wrap_history_read(struct bus *bus, int64_t from_ms, int64_t to_ms, struct tick *ticks, size_t max, size_t *ret_n, bool *ret_more)
{
	(void) bus;
	if (redis.down) {
		referee_history_away();
		return err_say(-ENOTCONN, "the fake Redis is away");
	}
	*ret_n = recorded_in(from_ms, to_ms, ticks, max);
	*ret_more = *ret_n == max;
	return 0;
}

static struct nonce *nonce_of(const uint8_t nonce[NONCE_SIZE])
{
	uint32_t number;
	memcpy(&number, nonce, sizeof number);
	return &redis.nonces[number % NONCES];
}

static enum auth_verdict verdict_of(struct auth_knock *k, bool spend, int64_t now_ms)
{
	struct nonce *n = nonce_of(k->nonce);
	if (!wallet_eq(&k->wallet, &k->signer))
		return AUTH_NOT_SIGNER;
	if (memcmp(n->nonce, k->nonce, NONCE_SIZE) == 0 && n->until_ms > now_ms)
		return memcmp(n->tag, k->tag, NONCE_SIZE) == 0 ? AUTH_NONCE_OURS : AUTH_NONCE_SPENT;
	if (!spend)
		return AUTH_ADMITTED;
	n->until_ms = now_ms + NONCE_LIFE_MS;
	memcpy(n->nonce, k->nonce, NONCE_SIZE);
	memcpy(n->tag, k->tag, NONCE_SIZE);
	return AUTH_ADMITTED;
}

int __wrap_auth_door_open(struct auth_door **ret, const struct auth_door_conf *conf)
{
	(void) conf;
	*ret = NULL;
	return 0;
}

struct auth_door *__wrap_auth_door_close(struct auth_door *d)
{
	(void) d;
	return NULL;
}

/* A cut trip may have spent the nonces before its answer was lost. */
int __wrap_auth_door_ask(struct auth_door *d, struct bus *bus, struct auth_knock *knocks, size_t n, bool spend, int64_t now_us)
{
	bool lost = fault_one_in(100);
	(void) d, (void) bus, (void) now_us;
	for (size_t i = 0; i < n && !redis.down; i++)
		knocks[i].verdict = verdict_of(&knocks[i], spend, sim.true_ms);
	redis.door_cut = redis.down || lost;
	return redis.door_cut ? err_say(-ENOTCONN, "the fake Redis is away") : 0;
}

int __wrap_bus_sub_open(struct bus_sub **ret, const struct bus_conf *conf, const char *const *channels, const struct bus_sub_ops *ops,
		void *u)
{
	(void) conf, (void) channels, (void) ops, (void) u;
	*ret = NULL;
	return 0;
}

struct bus_sub *__wrap_bus_sub_close(struct bus_sub *s)
{
	(void) s;
	return NULL;
}

int __wrap_retell(struct week *reader, struct bus *bus, const struct settings *s, int64_t now_ms, settled_cb *cb, void *u,
		size_t *ret_told)
{
	(void) reader, (void) bus, (void) s, (void) now_ms, (void) cb, (void) u;
	*ret_told = 0;
	return redis.down ? err_say(-ENOTCONN, "the fake Redis is away") : 0;
}

int __wrap_announcer_start(struct announcer **ret, const struct bus_conf *bus)
{
	(void) bus;
	*ret = NULL;
	return 0;
}

void __wrap_announcer_put(struct announcer *a, const struct settled_bet *bet)
{
	(void) a;
	referee_told(&bet->account, &bet->bet);
}

struct announcer *__wrap_announcer_stop(struct announcer *a)
{
	(void) a;
	return NULL;
}

void __wrap_announcer_stats(struct announcer *a, struct announcer_stats *ret)
{
	(void) a;
	*ret = (struct announcer_stats){ .up = !redis.down };
}
