/* What the player forbade himself and what his session key's message named, held against one bet. The account says by two row ids
 * whether there is anything to know, so that for most players nothing is asked; for the others what the book said is kept as
 * long as the account names the same rows, whoever wrote them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "intake_impl.h"
#include "limits_book.h"

enum { LIMITS_SLOTS = 4096, KEY_SLOTS = 32768 };

struct limits_slot {
	int64_t user, row;
	struct limits limits;
	int64_t day_ms, seen; /* of the sums: their day, and the newest of his ledger rows that is in them */
	int64_t staked, lost; /* may be below 0: what earlier days' bets brought back */
};

struct key_slot {
	int64_t user, row;
	struct session_key key;
};

struct own {
	struct limits_slot *limits; /* [LIMITS_SLOTS]; a slot is taken by whoever came last */
	struct key_slot *keys;      /* [KEY_SLOTS] */
};

int own_new(struct own **ret)
{
	struct own *o = calloc(1, sizeof *o);
	if (!o)
		return -ENOMEM;
	o->limits = calloc(LIMITS_SLOTS, sizeof *o->limits);
	o->keys = calloc(KEY_SLOTS, sizeof *o->keys);
	if (!o->limits || !o->keys) {
		(void) own_free(o);
		return -ENOMEM;
	}
	*ret = o;
	return 0;
}

struct own *own_free(struct own *o)
{
	if (o) {
		free(o->limits);
		free(o->keys);
		free(o);
	}
	return NULL;
}

void own_forget(struct own *o)
{
	memset(o->limits, 0, LIMITS_SLOTS * sizeof *o->limits);
	memset(o->keys, 0, KEY_SLOTS * sizeof *o->keys);
}

static size_t key_slot_of(int64_t user, const struct wallet *address)
{
	uint32_t part;
	memcpy(&part, address->b, sizeof part);
	return ((size_t) user ^ part) % KEY_SLOTS;
}

/* A key that lives in Redis but not in the book signed in under an older release, whose message named no caps: the server's. */
static int learn_key(struct intake *in, struct store *db, const struct intake_tap *t, struct account *a, struct session_key *ret)
{
	const struct key_caps caps = auth_key_caps(in->s);
	int r = session_keys_find(db, a->user, &t->signer, ret);
	if (r != SESSION_KEYS_E_ABSENT)
		return err_trace(r);
	return err_trace(session_keys_put(db, a, &t->signer, &caps, t->bet.placed_ms,
			t->bet.placed_ms + (int64_t) AUTH_SESSION_S * 1000, ret));
}

static int key_of(struct intake *in, struct store *db, const struct intake_tap *t, struct account *a,
		const struct session_key **ret)
{
	struct key_slot *slot = &in->own->keys[key_slot_of(a->user, &t->signer)];
	*ret = &slot->key;
	if (slot->user == a->user && slot->row == a->keys_row && wallet_eq(&slot->key.address, &t->signer))
		return 0;
	slot->user = 0;
	int r = learn_key(in, db, t, a, &slot->key);
	if (r < 0)
		return err_trace(r);
	slot->user = a->user;
	slot->row = a->keys_row;
	return 0;
}

static int limits_of(struct intake *in, struct store *db, const struct account *a, struct limits_slot **ret)
{
	struct limits_slot *slot = &in->own->limits[(size_t) a->user % LIMITS_SLOTS];
	*ret = slot;
	if (slot->user == a->user && slot->row == a->limits_row)
		return 0;
	*slot = (struct limits_slot){ .user = 0 };
	int r = limits_load(db, a, &slot->limits);
	if (r < 0)
		return err_trace(r);
	slot->user = a->user;
	slot->row = a->limits_row;
	return 0;
}

struct day_walk {
	struct limits_slot *slot;
	int64_t newest;
};

static bool add_entry(void *u, const struct entry *e)
{
	struct day_walk *d = u;
	if (e->row <= d->slot->seen)
		return false;
	if (d->newest == 0)
		d->newest = e->row;
	if (e->ref_type == LEDGER_BET || e->ref_type == LEDGER_REFUND)
		d->slot->staked -= e->amount.micros;
	if (e->ref_type == LEDGER_BET || e->ref_type == LEDGER_REFUND || e->ref_type == LEDGER_PAYOUT)
		d->slot->lost -= e->amount.micros;
	return true;
}

/* The day's sums, from the ledger rows that came since they were last looked at. */
static int sum_day(struct intake *in, struct limits_slot *slot, int64_t now_ms)
{
	struct day_walk d = { .slot = slot };
	struct week_missing missing;
	bool more;
	int64_t day_ms = limits_day_ms(now_ms);
	if (slot->day_ms != day_ms) {
		slot->day_ms = day_ms;
		slot->seen = slot->staked = slot->lost = 0;
	}
	struct ledger_query q = { .user = slot->user, .from_ms = day_ms, .to_ms = INT64_MAX, .limit = SIZE_MAX };
	int r = week_ledger(in->week, &q, add_entry, &d, &more, &missing);
	if (r < 0) {
		slot->user = 0;
		return err_trace(r);
	}
	if (d.newest != 0)
		slot->seen = d.newest;
	return 0;
}

static bool passes(int64_t had, struct money stake, int64_t cap)
{
	int64_t sum;
	return __builtin_add_overflow(had, stake.micros, &sum) || sum > cap;
}

static int check_limits(struct intake *in, struct store *db, struct intake_tap *t, const struct account *a, struct money in_column)
{
	struct limits_slot *slot;
	const int64_t now_ms = t->bet.placed_ms;
	int64_t had[LIMIT_CAPS_END] = { [LIMIT_COLUMN] = in_column.micros, [LIMIT_OPEN] = a->open_stake.micros };
	int r = limits_of(in, db, a, &slot);
	if (r < 0)
		return r;
	t->until_ms = limits_paused_until(&slot->limits, now_ms);
	if (t->until_ms != 0) {
		t->result = INTAKE_FORBIDDEN;
		return 0;
	}
	if (limits_cap(&slot->limits, LIMIT_DAY_STAKE, now_ms).now != LIMIT_NONE ||
			limits_cap(&slot->limits, LIMIT_DAY_LOSS, now_ms).now != LIMIT_NONE) {
		r = sum_day(in, slot, now_ms);
		if (r < 0)
			return r;
		had[LIMIT_DAY_STAKE] = slot->staked;
		had[LIMIT_DAY_LOSS] = slot->lost;
	}
	for (int i = LIMIT_COLUMN; i < LIMIT_CAPS_END && t->result == INTAKE_CONFIRMED; i++) {
		if (passes(had[i], t->bet.stake, limits_cap(&slot->limits, (enum limit) i, now_ms).now)) {
			t->result = INTAKE_LIMIT_REACHED;
			t->reached = (enum intake_reached) i;
		}
	}
	return 0;
}

static int check_key(struct intake *in, struct store *db, struct intake_tap *t, struct account *a, struct money in_column)
{
	const struct session_key *key;
	int r = key_of(in, db, t, a, &key);
	if (r < 0)
		return r;
	t->bet.signer = key->id;
	if (passes(in_column.micros, t->bet.stake, key->caps.column.micros) ||
			passes(a->open_stake.micros, t->bet.stake, key->caps.open.micros)) {
		t->result = INTAKE_LIMIT_REACHED;
		t->reached = INTAKE_REACHED_KEY;
	}
	return 0;
}

int own_check(struct intake *in, struct store *db, struct intake_tap *t, struct account *a)
{
	const bool by_key = !wallet_eq(&t->signer, &t->tap.wallet);
	int r = 0;
	t->result = INTAKE_CONFIRMED;
	if (a->limits_row == 0 && !by_key)
		return 0;
	struct money in_column = exposure_player_column(in->exposure, a->user, t->bet.cell.t0_s);
	if (by_key)
		r = check_key(in, db, t, a, in_column);
	if (r == 0 && a->limits_row != 0 && t->result == INTAKE_CONFIRMED)
		r = check_limits(in, db, t, a, in_column);
	return r;
}
