#include <string.h>

#include "clk.h"
#include "intake_impl.h"

/* What the nonce is kept with in Redis: the message, and this process. */
static struct hash tag_of(const struct intake *in, const struct tap *t)
{
	struct sha256 h;
	sha256_start(&h);
	sha256_add(&h, in->boot, sizeof in->boot);
	sha256_add(&h, t->wallet.b, sizeof t->wallet.b);
	sha256_add(&h, t->nonce, sizeof t->nonce);
	sha256_add_be64(&h, t->cell.t0_s);
	sha256_add_be64(&h, t->cell.low_cents);
	sha256_add_be64(&h, t->stake.micros);
	sha256_add_be64(&h, t->rate_min.e4);
	sha256_add_be64(&h, t->timestamp_s);
	return sha256_end(&h);
}

/* Redis does not know the signer, or no more: the book knows who signed what it holds, and is asked when the nonce was decided in
 * this process' life, or may have been in the life before. */
static bool may_be_replay(struct intake *in, const struct intake_tap *t)
{
	return clk_mono_ms() <= in->recall_until_ms || nonces_has(in->decided, t->tap.nonce);
}

/* Asks for n of them in one trip. */
static int ask(struct intake *in, const struct intake_tap *t, size_t n)
{
	for (struct auth_knock *k = in->knocks; k < in->knocks + n; k++, t = t->next) {
		struct hash tag = tag_of(in, &t->tap);
		k->wallet = t->tap.wallet;
		k->signer = t->signer;
		memcpy(k->nonce, t->tap.nonce, sizeof k->nonce);
		memcpy(k->tag, tag.b, sizeof k->tag);
	}
	/* While bets are not taken a nonce is looked at, not spent: the same bet may come again when they are. */
	return auth_door_ask(in->door, in->door_bus, in->knocks, n, in->market.betting(in->market.u), clk_now_ms() * 1000);
}

/* CONFIRMED: it may go on to the book. */
static enum intake_result judge(struct intake *in, struct intake_tap *t, const struct auth_knock *k)
{
	t->verdict = (int) k->verdict;
	t->retry_after_s = k->retry_after_s;
	switch (k->verdict) {
	case AUTH_UNAVAILABLE:
		return INTAKE_UNAVAILABLE;
	case AUTH_NOT_SIGNER:
		return may_be_replay(in, t) ? INTAKE_CONFIRMED : INTAKE_NOT_SIGNER;
	case AUTH_RATE_LIMITED:
		return INTAKE_RATE_LIMITED;
	default: /* admitted, or its nonce is spent: the book knows by whom */
		return INTAKE_CONFIRMED;
	}
}

/* In the order in which they came, so that a replay that races its first stands behind it. */
void intake_pass_door(struct intake *in, struct tap_list *l)
{
	struct tap_list all;

	tap_list_take(&all, l, l->n);
	while (all.head) {
		struct tap_list some;
		tap_list_take(&some, &all, AUTH_KNOCKS_MAX);
		int r = ask(in, some.head, (size_t) some.n);
		atomic_store(&in->redis_up, r == 0);
		const struct auth_knock *k = in->knocks;
		for (struct intake_tap *t = some.head, *next; t; t = next, k++) {
			next = t->next;
			enum intake_result result = r == 0 ? judge(in, t, k) : INTAKE_UNAVAILABLE;
			if (result == INTAKE_CONFIRMED)
				tap_list_push(l, t);
			else
				intake_answer(in, t, result);
		}
	}
}
