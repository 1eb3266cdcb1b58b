#include "show.h"

#include "check.h"
#include "hex.h"

void show_bet_id(char out[ULID_TEXT_SIZE], const struct bet *b)
{
	struct bet_key key = { .placed_ms = b->placed_ms, .t0_s = b->cell.t0_s, .low_cents = b->cell.low_cents,
		.user = b->user };
	struct ulid id;
	CHECK(bet_id(&id, &key)); /* it was made when the bet was written */
	ulid_format(out, &id);
}

void show_bet(struct json_out *w, const struct bet *b, const struct column *evidence)
{
	char id[ULID_TEXT_SIZE], cell[CELL_TEXT_SIZE];
	bool open = b->state == BET_CONFIRMED;
	show_bet_id(id, b);
	cell_format(cell, &b->cell);
	jw_object(w, NULL);
	jw_str(w, "bet_id", id);
	jw_str(w, "cell", cell);
	jw_int(w, "stake", b->stake.micros);
	jw_int(w, "rate", b->rate.e4);
	jw_str(w, "status", bet_state_name(b->state));
	if (open) {
		jw_null(w, "payout");
	} else {
		jw_int(w, "payout", b->payout.micros);
	}
	jw_int(w, "placed_at", b->placed_ms);
	if (open) {
		jw_null(w, "resolved_at");
	} else {
		jw_int(w, "resolved_at", b->resolved_ms);
	}
	if (evidence)
		show_column(w, "evidence", evidence);
	jw_end_object(w);
}

static void show_hash(struct json_out *w, const char *name, const struct hash *h)
{
	char hex[2 * HASH_SIZE + 1];
	if (!h) {
		jw_null(w, name);
		return;
	}
	hex_encode(hex, h->b, HASH_SIZE);
	jw_str(w, name, hex);
}

static void show_tick(struct json_out *w, const char *name, const struct tick *t)
{
	jw_array(w, name);
	jw_int(w, NULL, t->t_ms);
	jw_int(w, NULL, t->p_cents);
	jw_end_array(w);
}

static void show_anchor(struct json_out *w, const struct tick *anchor)
{
	if (anchor)
		show_tick(w, "anchor", anchor);
	else
		jw_null(w, "anchor");
}

static void show_column_members(struct json_out *w, const struct column *c)
{
	jw_int(w, "t0", c->t0_s);
	jw_str(w, "status", c->status == COLUMN_VOID ? "void" : "settled");
	show_anchor(w, c->has_anchor ? &c->anchor : NULL);
	if (c->n_ticks > 0) {
		jw_int(w, "path_low", c->low_cents);
		jw_int(w, "path_high", c->high_cents);
	} else {
		jw_null(w, "path_low");
		jw_null(w, "path_high");
	}
	jw_int(w, "ticks", c->n_ticks);
	show_hash(w, "digest", &c->digest);
	show_hash(w, "prev_digest", &c->prev_digest);
}

void show_column(struct json_out *w, const char *name, const struct column *c)
{
	jw_object(w, name);
	show_column_members(w, c);
	jw_end_object(w);
}

void show_column_path(struct json_out *w, const struct column *c, const struct tick *ticks, size_t n)
{
	jw_object(w, NULL);
	show_column_members(w, c);
	if (ticks) {
		jw_array(w, "path");
		for (size_t i = 0; i < n; i++)
			show_tick(w, NULL, &ticks[i]);
		jw_end_array(w);
	}
	jw_end_object(w);
}

void show_open_column(struct json_out *w, int64_t t0_s, const struct tick *anchor, const struct hash *prev_digest)
{
	jw_object(w, NULL);
	jw_int(w, "t0", t0_s);
	jw_str(w, "status", "open");
	show_anchor(w, anchor);
	jw_null(w, "path_low");
	jw_null(w, "path_high");
	jw_null(w, "ticks");
	jw_null(w, "digest");
	show_hash(w, "prev_digest", prev_digest);
	jw_end_object(w);
}

void show_entry(struct json_out *w, const struct entry *e)
{
	char id[ULID_TEXT_SIZE];
	ulid_format(id, &e->id);
	jw_object(w, NULL);
	jw_str(w, "id", id);
	jw_int(w, "amount", e->amount.micros);
	jw_int(w, "balance_after", e->balance_after.micros);
	jw_str(w, "ref_type", ledger_ref_name(e->ref_type));
	jw_str(w, "ref_id", e->ref_id);
	jw_int(w, "at", e->at_ms);
	jw_end_object(w);
}
