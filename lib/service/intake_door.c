#include <string.h>

#include "clk.h"
#include "intake_impl.h"
#include "thread.h"

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

static struct hash signer_mark(const struct intake *in, const struct intake_tap *t)
{
	struct hash tag = tag_of(in, &t->tap);
	struct sha256 h;
	sha256_start(&h);
	sha256_add(&h, tag.b, sizeof tag.b);
	sha256_add(&h, t->signer.b, sizeof t->signer.b);
	return sha256_end(&h);
}

void intake_remember_signer(struct intake *in, const struct intake_tap *t)
{
	if (wallet_eq(&t->signer, &t->tap.wallet))
		return;
	struct hash mark = signer_mark(in, t);
	(void) pthread_mutex_lock(&in->signers_lock);
	int r = nonces_add(in->signers, mark.b);
	(void) r; /* without room, a replay after Redis was emptied is refused: no more than that */
	(void) pthread_mutex_unlock(&in->signers_lock);
}

bool intake_knows_signer(struct intake *in, const struct intake_tap *t)
{
	struct hash mark = signer_mark(in, t);
	(void) pthread_mutex_lock(&in->signers_lock);
	bool knows = nonces_has(in->signers, mark.b);
	(void) pthread_mutex_unlock(&in->signers_lock);
	return knows;
}

/* Redis does not know the signer. Who was a signer in this process' life is remembered; of the life before the book knows, which is
 * asked as long as a replay of then may come. */
static bool may_be_replay(struct intake *in, const struct intake_tap *t)
{
	return clk_mono_ms() <= in->recall_until_ms || intake_knows_signer(in, t);
}

/* Asks for all of them in one trip. */
static int ask(struct intake *in, const struct tap_list *l, bool spend)
{
	for (const struct intake_tap *t = l->head; t; t = t->next) {
		struct auth_door door = { .wallet = t->tap.wallet, .signer = t->signer, .spend = spend,
			.tag = tag_of(in, &t->tap) };
		memcpy(door.nonce, t->tap.nonce, sizeof door.nonce);
		int r = auth_door_add(in->door_bus, in->s, &door);
		if (r < 0)
			return r;
	}
	return bus_flush(in->door_bus);
}

/* True: the tap goes on to the writer. Else it was answered. */
static bool pass(struct intake *in, struct intake_tap *t, const struct bus_reply *reply)
{
	if (bus_kind(reply) == BUS_ERROR) {
		intake_answer(in, t, INTAKE_UNAVAILABLE);
		return false;
	}
	t->verdict = (int) auth_door_verdict(reply, &t->retry_after_s);
	if (t->verdict == AUTH_NOT_SIGNER && !may_be_replay(in, t)) {
		intake_answer(in, t, INTAKE_NOT_SIGNER);
		return false;
	}
	if (t->verdict == AUTH_RATE_LIMITED) {
		intake_answer(in, t, INTAKE_RATE_LIMITED);
		return false;
	}
	return true;
}

/* In the order in which they came: a replay that races its first stands behind it in the writer's queue too. */
static void let_in(struct intake *in, struct tap_list *l)
{
	struct tap_list through;
	size_t i = 0;

	tap_list_init(&through);
	for (struct intake_tap *t = l->head, *next; t; t = next) {
		next = t->next;
		if (pass(in, t, bus_reply(in->door_bus, i++)))
			tap_list_push(&through, t);
	}
	if (through.n == 0)
		return;
	(void) pthread_mutex_lock(&in->lock);
	*in->at_writer.tail = through.head;
	in->at_writer.tail = through.tail;
	in->at_writer.n += through.n;
	(void) pthread_cond_signal(&in->writer_wake);
	(void) pthread_mutex_unlock(&in->lock);
}

static void turn_away(struct intake *in, struct tap_list *l)
{
	for (struct intake_tap *t = l->head, *next; t; t = next) {
		next = t->next;
		intake_answer(in, t, INTAKE_UNAVAILABLE);
	}
}

void *intake_door_run(void *u)
{
	struct intake *in = u;
	struct tap_list l;

	for (;;) {
		atomic_store(&in->door_ms, clk_mono_ms());
		(void) pthread_mutex_lock(&in->lock);
		if (!in->at_door.head && !in->stopping)
			cond_wait_until(&in->door_wake, &in->lock, clk_mono_ms() + IDLE_MS);
		tap_list_take(&l, &in->at_door, DOOR_BATCH_MAX);
		bool last = in->stopping && !l.head;
		if (last) {
			in->door_gone = true;
			(void) pthread_cond_signal(&in->writer_wake);
		}
		(void) pthread_mutex_unlock(&in->lock);
		if (last)
			return NULL;
		if (!l.head)
			continue;
		/* While bets are not taken a nonce is looked at, not spent: the same bet may come again when they are. */
		int r = ask(in, &l, in->market.betting(in->market.u));
		atomic_store(&in->redis_up, r == 0);
		if (r == 0)
			let_in(in, &l);
		else
			turn_away(in, &l);
	}
}
