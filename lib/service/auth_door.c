#include "auth_door.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "err.h"
#include "hex.h"
#include "rnd.h"

enum { SETS = 4096, WAYS = 4, BUCKETS = SETS * WAYS, NUMBER_SIZE = 24, NONCE_LIFE_S = 90, US_A_MINUTE = 60000000 };

struct bucket {
	struct wallet wallet;
	int64_t full_us; /* past: it is full, and the slot free */
};

struct auth_door {
	struct auth_door_conf conf;
	int64_t step_us, room_us;
	uint64_t secret[2]; /* players choose their wallets */
	struct bucket buckets[BUCKETS];
};

int auth_door_open(struct auth_door **ret, const struct auth_door_conf *conf)
{
	CHECK(conf->rate_per_minute > 0 && conf->burst > 0);
	struct auth_door *d = calloc(1, sizeof *d);
	if (!d)
		return -ENOMEM;
	d->conf = *conf;
	d->step_us = US_A_MINUTE / conf->rate_per_minute;
	d->room_us = d->step_us * conf->burst;
	rnd_bytes(d->secret, sizeof d->secret);
	*ret = d;
	return 0;
}

struct auth_door *auth_door_close(struct auth_door *d)
{
	free(d);
	return NULL;
}

static struct bucket *set_of(struct auth_door *d, const struct wallet *w)
{
	uint64_t a, b;
	memcpy(&a, w->b, sizeof a);
	memcpy(&b, w->b + WALLET_SIZE - sizeof b, sizeof b);
	unsigned __int128 m = (unsigned __int128) (a ^ d->secret[0]) * (b ^ d->secret[1]);
	return &d->buckets[((uint64_t) m ^ (uint64_t) (m >> 64)) % SETS * WAYS];
}

/* The wallet's, or the one that may be forgotten for it. */
static struct bucket *bucket_of(struct auth_door *d, const struct wallet *w, bool *ret_found)
{
	struct bucket *set = set_of(d, w), *soonest = set;
	*ret_found = true;
	for (int i = 0; i < WAYS; i++) {
		if (wallet_eq(&set[i].wallet, w))
			return &set[i];
		if (set[i].full_us < soonest->full_us)
			soonest = &set[i];
	}
	*ret_found = false;
	return soonest;
}

/* One more out of a bucket that will be full at full_us. A clock that was set back leaves no bucket emptier than empty. */
static int64_t take(const struct auth_door *d, int64_t full_us, int64_t now_us)
{
	if (full_us < now_us)
		full_us = now_us;
	else if (full_us > now_us + d->room_us)
		full_us = now_us + d->room_us;
	return full_us + d->step_us;
}

static void turn_off(const struct auth_door *d, struct auth_knock *k, int64_t now_us)
{
	int64_t wait_us = k->full_us - now_us - d->room_us;
	k->full = true;
	k->retry_after_s = (int) ((wait_us + 999999) / 1000000);
}

static void count(struct auth_door *d, struct auth_knock *k, int64_t now_us)
{
	bool found;
	struct bucket *b = bucket_of(d, &k->wallet, &found);
	k->first_seen = !found || b->full_us <= now_us;
	k->full_us = take(d, k->first_seen ? 0 : b->full_us, now_us);
	k->full = false;
	k->retry_after_s = 1;
	if (k->full_us > now_us + d->room_us)
		turn_off(d, k, now_us);
	else
		*b = (struct bucket){ k->wallet, k->full_us };
}

static void give_back(struct auth_door *d, const struct auth_knock *k)
{
	bool found;
	struct bucket *b = bucket_of(d, &k->wallet, &found);
	if (found && !k->full)
		b->full_us -= d->step_us;
}

static bool by_key(const struct auth_knock *k)
{
	return !wallet_eq(&k->wallet, &k->signer);
}

static int add_get(struct bus *bus, const char *key)
{
	const struct bus_arg args[] = { BUS_LITERAL("GET"), bus_arg_of(key) };
	return bus_add(bus, args, ARRAY_LEN(args));
}

static int add_bucket(struct auth_door *d, struct bus *bus, const struct auth_knock *k, int64_t now_us)
{
	char key[KEY_MAX], full[NUMBER_SIZE], life[NUMBER_SIZE];
	long long life_ms = (k->full_us - now_us) / 1000 + 1;
	(void) snprintf(full, sizeof full, "%lld", (long long) k->full_us);
	(void) snprintf(life, sizeof life, "%lld", life_ms);
	const struct bus_arg args[] = { BUS_LITERAL("SET"), bus_arg_of(d->conf.bucket_key(key, k->wallet_text)), bus_arg_of(full),
		BUS_LITERAL("PX"), bus_arg_of(life), BUS_LITERAL("GET") };
	return bus_add(bus, args, ARRAY_LEN(args) - !k->first_seen);
}

static int add_nonce(struct bus *bus, const struct auth_knock *k, bool spend)
{
	char key[KEY_MAX], tag[2 * NONCE_SIZE + 1];
	if (!spend)
		return add_get(bus, key_nonce(key, k->nonce));
	hex_encode(tag, k->tag, sizeof k->tag);
	const struct bus_arg args[] = { BUS_LITERAL("SET"), bus_arg_of(key_nonce(key, k->nonce)), bus_arg_of(tag), BUS_LITERAL("NX"),
		BUS_LITERAL("EX"), BUS_LITERAL("90"), BUS_LITERAL("GET") };
	_Static_assert(NONCE_LIFE_S == 90, "told to Redis");
	return bus_add(bus, args, ARRAY_LEN(args));
}

/* What is asked for one: [session key] [bucket, nonce]. */
static int add_knock(struct auth_door *d, struct bus *bus, const struct auth_knock *k, bool spend, int64_t now_us)
{
	char key[KEY_MAX];
	int r = by_key(k) ? add_get(bus, key_session_key(key, &k->signer)) : 0;
	if (r == 0 && !k->full)
		r = add_bucket(d, bus, k, now_us);
	if (r == 0 && !k->full)
		r = add_nonce(bus, k, spend);
	return r;
}

static enum auth_verdict verdict_of_nonce(const struct auth_knock *k, const struct bus_reply *reply)
{
	char tag[2 * NONCE_SIZE + 1];
	if (bus_kind(reply) == BUS_NIL)
		return AUTH_ADMITTED;
	hex_encode(tag, k->tag, sizeof k->tag);
	return strcmp(bus_text(reply, NULL), tag) == 0 ? AUTH_NONCE_OURS : AUTH_NONCE_SPENT;
}

/* Before this process another one may have counted for the wallet. */
static void take_over(struct auth_door *d, struct auth_knock *k, int64_t left_us, int64_t now_us)
{
	bool found;
	if (left_us <= now_us)
		return;
	k->full_us = take(d, left_us, now_us);
	if (k->full_us > now_us + d->room_us) {
		turn_off(d, k, now_us);
		k->full_us -= d->step_us;
	}
	struct bucket *b = bucket_of(d, &k->wallet, &found);
	*b = (struct bucket){ k->wallet, k->full_us };
}

/* Judges one by its replies, from the at-th; *ret_undo: its nonce was spent for nothing. The number of replies that were its. */
static size_t judge(struct auth_door *d, const struct bus *bus, size_t at, struct auth_knock *k, int64_t now_us, bool *ret_undo)
{
	size_t first = at;
	bool may_sign = true;
	*ret_undo = false;
	const struct bus_reply *key = by_key(k) ? bus_reply(bus, at++) : NULL;
	const struct bus_reply *bucket = k->full ? NULL : bus_reply(bus, at++);
	const struct bus_reply *nonce = k->full ? NULL : bus_reply(bus, at++);

	if (key)
		may_sign = bus_kind(key) == BUS_TEXT && strcmp(bus_text(key, NULL), k->wallet_text) == 0;
	if ((key && bus_kind(key) == BUS_ERROR) || (nonce && (bus_kind(bucket) == BUS_ERROR || bus_kind(nonce) == BUS_ERROR))) {
		k->verdict = AUTH_UNAVAILABLE;
		give_back(d, k);
		return at - first;
	}
	if (bucket && k->first_seen)
		take_over(d, k, bus_int(bucket), now_us);
	if (nonce)
		k->verdict = verdict_of_nonce(k, nonce);
	*ret_undo = nonce && k->verdict == AUTH_ADMITTED && (!may_sign || k->full);
	if (!may_sign) {
		give_back(d, k);
		k->verdict = AUTH_NOT_SIGNER;
	} else if (k->full) {
		k->verdict = AUTH_RATE_LIMITED;
	}
	return at - first;
}

/* The bucket as it is now, and the nonce new again. Should Redis go just now, the nonce stays spent under its own tag. */
static int add_undo(struct auth_door *d, struct bus *bus, const struct auth_knock *k, int64_t now_us)
{
	char key[KEY_MAX];
	bool found;
	const struct bucket *b = bucket_of(d, &k->wallet, &found);
	struct auth_knock now = *k;
	const struct bus_arg args[] = { BUS_LITERAL("DEL"), bus_arg_of(key_nonce(key, k->nonce)) };
	int r = bus_add(bus, args, ARRAY_LEN(args));
	now.full_us = found && b->full_us > now_us ? b->full_us : now_us;
	return r == 0 ? add_bucket(d, bus, &now, now_us) : r;
}

static void undo(struct auth_door *d, struct bus *bus, const struct auth_knock *knocks, size_t n, const bool *which,
		int64_t now_us)
{
	int r = 0;
	for (size_t i = 0; i < n && r == 0; i++)
		if (which[i])
			r = add_undo(d, bus, &knocks[i], now_us);
	if (bus_flush(bus) < 0 || r < 0)
		err_clear();
}

/* Strangers took from the wallet's bucket until they were known for what they are: whoever found it full by them asks once more. */
static bool has_room_now(struct auth_door *d, const struct auth_knock *k, int64_t now_us)
{
	bool found;
	const struct bucket *b = bucket_of(d, &k->wallet, &found);
	return take(d, found ? b->full_us : 0, now_us) <= now_us + d->room_us;
}

int auth_door_ask(struct auth_door *d, struct bus *bus, struct auth_knock *knocks, size_t n, bool spend, int64_t now_us)
{
	bool spent_for_nothing[AUTH_KNOCKS_MAX], any = false;
	size_t counted = 0, at = 0;
	int r = 0;

	CHECK(n <= AUTH_KNOCKS_MAX);
	for (; counted < n && r == 0; counted++) {
		struct auth_knock *k = &knocks[counted];
		wallet_format(k->wallet_text, &k->wallet);
		count(d, k, now_us);
		r = add_knock(d, bus, k, spend, now_us);
	}
	int flushed = bus_flush(bus);
	if (r == 0)
		r = flushed;
	if (r < 0) {
		for (size_t i = 0; i < counted; i++)
			give_back(d, &knocks[i]);
		return err_trace(r);
	}
	for (size_t i = 0; i < n; i++) {
		at += judge(d, bus, at, &knocks[i], now_us, &spent_for_nothing[i]);
		any |= spent_for_nothing[i];
	}
	if (any && spend)
		undo(d, bus, knocks, n, spent_for_nothing, now_us);
	for (size_t i = 0; i < n && n > 1; i++)
		if (knocks[i].verdict == AUTH_RATE_LIMITED && has_room_now(d, &knocks[i], now_us) &&
				auth_door_ask(d, bus, &knocks[i], 1, spend, now_us) < 0)
			knocks[i].verdict = AUTH_UNAVAILABLE;
	return 0;
}
