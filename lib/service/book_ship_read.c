/* A span's bytes, read with every bound checked, without a book. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "book_ship_impl.h"
#include "err.h"

int ship_columns(enum seal_kind kind)
{
	static const int columns[SEAL_KINDS] = { [SEAL_ACCOUNT] = 4, [SEAL_COLUMN] = 12, [SEAL_WITHDRAWAL] = 10, [SEAL_ANCHOR] = 2,
		[SEAL_LIMIT] = 8, [SEAL_KEY] = 6 };
	return columns[kind];
}

static bool get_bytes(struct ship_reader *r, const void **ret, size_t *ret_n)
{
	int64_t n;
	if (!varint_get_up_to(&r->in, (uint64_t) (r->in.end - r->in.at), &n) || n > r->in.end - r->in.at)
		return false;
	*ret = r->in.at;
	*ret_n = (size_t) n;
	r->in.at += n;
	return true;
}

static bool get_value(struct ship_reader *r, struct ship_value *ret)
{
	int64_t type;
	*ret = (struct ship_value){ 0 };
	if (!varint_get_up_to(&r->in, STMT_NULL, &type))
		return false;
	ret->type = (enum stmt_type) type;
	if (ret->type == STMT_INT)
		return varint_get_difference(&r->in, 0, &ret->i);
	return ret->type == STMT_NULL || get_bytes(r, &ret->p, &ret->n);
}

static bool room_for_change(struct ship_reader *r)
{
	if (r->n_changes < r->cap)
		return true;
	size_t more = r->cap ? 2 * r->cap : 64;
	struct ship_change *grown = more <= SHIP_CHANGES_MAX ? reallocarray(r->changes, more, sizeof *grown) : NULL;
	if (!grown)
		return false;
	r->changes = grown;
	r->cap = more;
	return true;
}

static bool get_seal(struct ship_reader *r, struct ship_seal *ret)
{
	const void *changed;
	size_t n;
	if (!get_bytes(r, &changed, &n))
		return false;
	struct varint_reader in = { changed, (const uint8_t *) changed + n };
	*ret = (struct ship_seal){ 0 };
	while (in.at < in.end) {
		if (!room_for_change(r))
			return false;
		struct ship_change *c = &r->changes[r->n_changes];
		if (!seal_read_change(&in, &c->c))
			return false;
		for (int i = 0; i < ship_columns(c->c.kind); i++)
			if (!get_value(r, &c->row[i]))
				return false;
		r->n_changes++;
		ret->n++;
	}
	return true;
}

static bool get_seals(struct ship_reader *r, int64_t n)
{
	if ((size_t) n > r->seals_cap) {
		struct ship_seal *grown = reallocarray(r->seals, (size_t) n, sizeof *grown);
		if (!grown)
			return false;
		r->seals = grown;
		r->seals_cap = (size_t) n;
	}
	for (r->n_seals = 0; r->n_seals < (size_t) n; r->n_seals++)
		if (!get_seal(r, &r->seals[r->n_seals]))
			return false;
	size_t at = 0;
	for (size_t i = 0; i < r->n_seals; at += r->seals[i++].n)
		r->seals[i].changes = &r->changes[at]; /* the array has moved for the last time */
	return true;
}

int ship_next_unit(struct ship_reader *r)
{
	int64_t rows, seals;
	uint64_t left = (uint64_t) (r->in.end - r->in.at);
	r->n_changes = r->n_seals = 0;
	if (!varint_get_up_to(&r->in, left, &rows))
		return -EBADMSG;
	if (rows == 0)
		return 0;
	r->has_chain = rows > 1;
	r->rows = rows - 1;
	if (!varint_get_up_to(&r->in, left, &seals) || seals > SHIP_CHANGES_MAX || !get_seals(r, seals))
		return -EBADMSG;
	return r->has_chain || seals > 0 ? 1 : -EBADMSG;
}

static bool get_bet(struct ship_reader *r, struct ship_row *row)
{
	int64_t stake, rate, rate_min, signed_s, signer;
	if (!varint_get_up_to(&r->in, INT64_MAX, &stake) || !varint_get_up_to(&r->in, INT32_MAX, &rate) ||
			!varint_get_difference(&r->in, rate, &rate_min) || rate_min < 0 || rate_min > INT32_MAX ||
			!varint_get_difference(&r->in, row->at_ms / 1000, &signed_s) ||
			!varint_get_up_to(&r->in, INT64_MAX, &signer) || r->in.end - r->in.at < NONCE_SIZE || stake == 0)
		return false;
	row->bet = (struct bet){ .user = row->user, .cell = { .t0_s = row->t0_s, .low_cents = row->low_cents },
		.stake = money_of(stake), .rate = { (int32_t) rate }, .rate_min = { (int32_t) rate_min }, .placed_ms = row->at_ms,
		.signed_s = signed_s, .state = BET_CONFIRMED, .signer = signer };
	memcpy(row->bet.nonce, r->in.at, NONCE_SIZE);
	r->in.at += NONCE_SIZE;
	return true;
}

bool ship_next_row(struct ship_reader *r, struct ship_row *ret)
{
	const void *text;
	int64_t type;
	*ret = (struct ship_row){ 0 };
	if (!varint_get_up_to(&r->in, LEDGER_REFS - 1, &type) || type < LEDGER_BET ||
			!varint_get_difference(&r->in, r->at.user, &ret->user) ||
			!varint_get_difference(&r->in, r->at.at_ms, &ret->at_ms))
		return false;
	ret->type = (enum ledger_ref) type;
	r->at.user = ret->user;
	r->at.at_ms = ret->at_ms;
	r->rows--;
	if (ret->type == LEDGER_BET || ret->type == LEDGER_PAYOUT || ret->type == LEDGER_REFUND) {
		if (!varint_get_difference(&r->in, r->at.t0_s, &ret->t0_s) ||
				!varint_get_difference(&r->in, r->at.low_cents, &ret->low_cents))
			return false;
		r->at.t0_s = ret->t0_s;
		r->at.low_cents = ret->low_cents;
		return ret->type != LEDGER_BET || get_bet(r, ret);
	}
	if (!varint_get_difference(&r->in, 0, &ret->amount) || !get_bytes(r, &text, &ret->text_n) ||
			ret->text_n >= LEDGER_REF_ID_MAX)
		return false;
	ret->text = text;
	return true;
}

int ship_next_quote(struct ship_reader *r, struct ship_quote *q)
{
	int64_t more;
	if (!varint_get_up_to(&r->in, 1, &more))
		return -EBADMSG;
	if (more == 0)
		return r->in.at == r->in.end ? 0 : -EBADMSG;
	if (!varint_get_difference(&r->in, q->id, &q->id) || !varint_get_difference(&r->in, q->t_ms, &q->t_ms) ||
			!get_bytes(r, &q->made, &q->n))
		return -EBADMSG;
	return 1;
}

void ship_reader_free(struct ship_reader *r)
{
	free(r->changes);
	free(r->seals);
	*r = (struct ship_reader){ 0 };
}

static int read_unit(struct ship_reader *r, struct book_span *ret)
{
	int unit = ship_next_unit(r);
	for (size_t i = 0; i < r->n_changes; i++)
		ret->columns += r->changes[i].c.kind == SEAL_COLUMN;
	ret->sealed += (int64_t) r->n_changes;
	while (unit == 1 && r->rows > 0) {
		struct ship_row row;
		if (!ship_next_row(r, &row))
			return -EBADMSG;
		ret->rows++;
		ret->bets += row.type == LEDGER_BET;
	}
	return unit;
}

int book_span_read(const void *bytes, size_t n, struct book_span *ret)
{
	struct ship_reader r = { .in = { bytes, (const uint8_t *) bytes + n } };
	struct ship_quote q = { 0 };
	int got;
	*ret = (struct book_span){ 0 };
	while ((got = read_unit(&r, ret)) == 1)
		continue;
	if (got == 0)
		while ((got = ship_next_quote(&r, &q)) == 1)
			ret->quotes++;
	if (got < 0)
		(void) err_say(got, "the span is malformed at byte %zu of %zu", (size_t) (r.in.at - (const uint8_t *) bytes), n);
	ship_reader_free(&r);
	return got;
}
