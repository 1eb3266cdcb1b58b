#include "show.h"

#include "hex.h"

/* [t, p], or null. */
static void show_tick(struct json_out *w, const char *name, const struct tick *t)
{
	if (!t) {
		jw_null(w, name);
		return;
	}
	jw_array(w, name);
	jw_int(w, NULL, t->t_ms);
	jw_int(w, NULL, t->p_cents);
	jw_end_array(w);
}

/* What anybody needs to make the rate again. */
static void show_pricing(struct json_out *w, const struct priced *p)
{
	const struct quote_made *m = &p->made;
	char layer[2 * LAYER_ID_SIZE + 1];
	if (!p->known || !p->agrees) {
		jw_null(w, "pricing");
		return;
	}
	hex_encode(layer, m->layer, LAYER_ID_SIZE);
	jw_object(w, "pricing");
	jw_int(w, "quote_id", m->quote_id);
	jw_int(w, "t", m->t_ms);
	jw_int(w, "price", m->p_cents);
	jw_int(w, "touch_ppb", p->cell.touch_ppb);
	jw_int(w, "margin_bp", m->rules.margin_bp);
	jw_int(w, "unskewed", p->cell.unskewed_e4);
	jw_int(w, "skew", p->cell.skew);
	jw_int(w, "skew_whole", QUOTE_SKEW_WHOLE);
	jw_int(w, "rate", p->cell.rate_e4);
	jw_int(w, "max_rate", m->rules.max_rate_e4);
	jw_int(w, "tick_ms", m->rules.tick_ms);
	jw_int(w, "layer_version", p->layer_version);
	jw_str(w, "layer", layer);
	jw_array(w, "volatility");
	for (int i = 0; i < QUOTE_VOLS; i++) {
		jw_object(w, NULL);
		jw_int(w, "half_life_s", quote_half_lives_s[i]);
		jw_int(w, "ppm", m->state.vol_ppm[i]);
		jw_end_object(w);
	}
	jw_end_array(w);
	jw_int(w, "uneven_ppm", m->state.uneven_ppm);
	jw_int(w, "reach_ppm", m->state.reach_ppm);
	jw_int(w, "idle_ppm", m->state.idle_ppm);
	jw_end_object(w);
}

void show_bet(struct json_out *w, const struct bet *b, const struct column *evidence, const struct bet_detail *detail)
{
	char id[ULID_TEXT_SIZE], cell[CELL_TEXT_SIZE];
	bool open = b->state == BET_CONFIRMED;
	bet_id_text(id, b);
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
	if (detail) {
		show_tick(w, "deciding_tick", detail->deciding);
		show_pricing(w, detail->priced);
	}
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

static void show_column_members(struct json_out *w, const struct column *c)
{
	jw_int(w, "t0", c->t0_s);
	jw_str(w, "status", c->status == COLUMN_VOID ? "void" : "settled");
	show_tick(w, "anchor", c->has_anchor ? &c->anchor : NULL);
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
	show_tick(w, "anchor", anchor);
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
