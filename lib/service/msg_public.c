/* The events that every player gets: price, grid, status, hello. */
#include "msg.h"

#include "json.h"

static void begin(struct json_out *w, struct buf *out, const char *type)
{
	jw_begin(w, out);
	jw_object(w, NULL);
	jw_str(w, "type", type);
}

void msg_price(struct buf *out, const struct tick *t)
{
	struct json_out w;
	begin(&w, out, "price");
	jw_int(&w, "t", t->t_ms);
	jw_int(&w, "p", t->p_cents);
	jw_end_object(&w);
}

void msg_grid(struct buf *out, const struct quote_grid *g)
{
	struct json_out w;
	begin(&w, out, "grid");
	jw_int(&w, "quote_id", g->quote_id);
	jw_int(&w, "t", g->t_ms);
	jw_array(&w, "columns");
	for (int i = 0; i < g->columns; i++)
		jw_int(&w, NULL, g->t0_s[i]);
	jw_end_array(&w);
	jw_object(&w, "rows");
	jw_int(&w, "low", g->low_cents);
	jw_int(&w, "height", g->row_cents);
	jw_int(&w, "count", g->rows);
	jw_end_object(&w);
	jw_array(&w, "rates");
	for (int i = 0; i < g->columns; i++) {
		jw_array(&w, NULL);
		for (int j = 0; j < g->rows; j++)
			jw_int(&w, NULL, g->rates[i][j]);
		jw_end_array(&w);
	}
	jw_end_array(&w);
	jw_end_object(&w);
}

void msg_status(struct buf *out, enum feed_state feed, bool betting)
{
	struct json_out w;
	begin(&w, out, "system:status");
	jw_str(&w, "price_feed", feed_state_name(feed));
	jw_bool(&w, "betting", betting);
	jw_end_object(&w);
}

static void write_constants(struct json_out *w, const char *name, const struct settings *s)
{
	jw_object(w, name);
	jw_int(w, "column_seconds", s->column_s);
	jw_int(w, "row_cents", s->row_cents);
	jw_int(w, "grid_columns", s->grid_columns);
	jw_int(w, "grid_rows", s->grid_rows);
	jw_array(w, "stake_presets");
	for (size_t i = 0; i < s->stake_presets.n; i++)
		jw_int(w, NULL, s->stake_presets.v[i]);
	jw_end_array(w);
	jw_int(w, "tick_ms", s->tick_ms);
	jw_int(w, "quote_ttl_ms", s->quote_ttl_ms);
	jw_int(w, "max_tick_gap_ms", s->max_tick_gap_ms);
	jw_int(w, "margin_bp", s->margin_bp);
	jw_int(w, "max_rate", s->max_rate);
	jw_int(w, "chain_id", s->chain_id);
	jw_str(w, "domain", settings_domain(s));
	jw_array(w, "allowed_origins");
	for (size_t i = 0; i < s->allowed_origins.n; i++)
		jw_str(w, NULL, s->allowed_origins.v[i]);
	jw_end_array(w);
	jw_end_object(w);
}

void msg_constants(struct buf *out, const struct settings *s)
{
	struct json_out w;
	jw_begin(&w, out);
	write_constants(&w, NULL, s);
}

void msg_hello(struct buf *out, const struct settings *s, int64_t now_ms)
{
	struct json_out w;
	begin(&w, out, "hello");
	jw_int(&w, "t", now_ms);
	write_constants(&w, "constants", s);
	jw_end_object(&w);
}
