#include "bet.h"

#include <string.h>

#include "check.h"

#define TO(state) (1u << (state))

static const unsigned next[BET_STATES] = {
	[BET_CONFIRMED] = TO(BET_WON) | TO(BET_LOST) | TO(BET_VOID),
};

static const char *const names[BET_STATES] = {
	[BET_CONFIRMED] = "confirmed",
	[BET_WON] = "won",
	[BET_LOST] = "lost",
	[BET_VOID] = "void",
};

static bool is_state(enum bet_state s)
{
	return s >= BET_CONFIRMED && s < BET_STATES;
}

bool bet_may_move(enum bet_state from, enum bet_state to)
{
	return is_state(from) && is_state(to) && (next[from] & TO(to)) != 0;
}

void bet_move(struct bet *b, enum bet_state to)
{
	CHECK(bet_may_move(b->state, to));
	b->state = to;
}

const char *bet_state_name(enum bet_state s)
{
	CHECK(is_state(s));
	return names[s];
}

bool bet_state_parse(enum bet_state *ret, const char *name)
{
	for (enum bet_state s = BET_CONFIRMED; s < BET_STATES; s++) {
		if (strcmp(names[s], name) == 0) {
			*ret = s;
			return true;
		}
	}
	return false;
}

bool bet_id(struct ulid *ret, const struct bet_key *key)
{
	if (key->placed_ms < 0 || key->placed_ms >> 48 != 0 || key->low_cents < 0 || key->low_cents > UINT32_MAX ||
			key->user < 0 || key->user > UINT32_MAX)
		return false;
	int64_t placed_s = key->placed_ms / 1000;
	if (key->t0_s < placed_s || key->t0_s - placed_s > UINT16_MAX)
		return false;
	*ret = ulid_make(key->placed_ms, (uint16_t) (key->t0_s - placed_s),
			(uint64_t) key->low_cents << 32 | (uint64_t) key->user);
	return true;
}

void bet_id_text(char ret[ULID_TEXT_SIZE], const struct bet *b)
{
	struct ulid id;
	CHECK(bet_id(&id, &(struct bet_key){ .placed_ms = b->placed_ms, .t0_s = b->cell.t0_s, .low_cents = b->cell.low_cents,
		.user = b->user }));
	ulid_format(ret, &id);
}

void bet_key_of(struct bet_key *ret, const struct ulid *id)
{
	uint16_t ahead_s;
	uint64_t lo;
	ulid_split(id, &ret->placed_ms, &ahead_s, &lo);
	ret->t0_s = ret->placed_ms / 1000 + ahead_s;
	ret->low_cents = (int64_t) (lo >> 32);
	ret->user = (int64_t) (lo & UINT32_MAX);
}

bool bet_same_request(const struct bet *a, const struct bet *b)
{
	return cell_eq(&a->cell, &b->cell) && money_cmp(a->stake, b->stake) == 0 && a->rate_min.e4 == b->rate_min.e4 &&
			a->signed_s == b->signed_s && memcmp(a->nonce, b->nonce, NONCE_SIZE) == 0;
}
