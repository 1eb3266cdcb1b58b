/* Reading events back: by those who hear a channel. A text that is not what we write answers false and leaves *ret alone. */
#include "msg.h"

#include <string.h>

#include "hex.h"
#include "json.h"
#include "price.h"

/* The root object of an event of the type; *doc is the caller's to free in either case. */
static const struct json_value *open_event(struct json **doc, const char *text, size_t n, const char *type)
{
	const char *why;
	if (json_parse(doc, text, n, &why) != 0)
		return NULL;
	const struct json_value *root = json_root(*doc);
	const char *found = json_string(json_get(root, "type"), NULL);
	return found && strcmp(found, type) == 0 ? root : NULL;
}

static bool int_of(const struct json_value *object, const char *name, int64_t least, int64_t most, int64_t *ret)
{
	int64_t v;
	if (!json_int(json_get(object, name), &v) || v < least || v > most)
		return false;
	*ret = v;
	return true;
}

bool msg_price_parse(struct tick *ret, const char *text, size_t n)
{
	_cleanup_(json_freep) struct json *doc = NULL;
	const struct json_value *root = open_event(&doc, text, n, "price");
	struct tick t;
	if (!root || !int_of(root, "t", 1, INT64_MAX, &t.t_ms) || !int_of(root, "p", 1, PRICE_MAX_CENTS, &t.p_cents))
		return false;
	*ret = t;
	return true;
}

static bool parse_columns(struct quote_grid *g, const struct json_value *columns)
{
	if (!json_is_array(columns) || json_count(columns) > GRID_COLUMNS_MAX)
		return false;
	for (const struct json_value *v = json_first(columns); v; v = json_next(v))
		if (!json_int(v, &g->t0_s[g->columns++]))
			return false;
	return true;
}

static bool parse_rates(struct quote_grid *g, const struct json_value *rates)
{
	if (!json_is_array(rates) || json_count(rates) != (size_t) g->columns)
		return false;
	int i = 0;
	for (const struct json_value *column = json_first(rates); column; column = json_next(column), i++) {
		if (!json_is_array(column) || json_count(column) != (size_t) g->rows)
			return false;
		int j = 0;
		for (const struct json_value *v = json_first(column); v; v = json_next(v)) {
			int64_t rate;
			if (!json_int(v, &rate) || rate < 0 || rate > INT32_MAX)
				return false;
			g->rates[i][j++] = (int32_t) rate;
		}
	}
	return true;
}

bool msg_grid_parse(struct quote_grid *ret, const char *text, size_t n)
{
	_cleanup_(json_freep) struct json *doc = NULL;
	const struct json_value *root = open_event(&doc, text, n, "grid");
	struct quote_grid g = { 0 };
	int64_t rows;

	if (!root || !int_of(root, "quote_id", 1, INT64_MAX, &g.quote_id) || !int_of(root, "t", 1, INT64_MAX, &g.t_ms))
		return false;
	const struct json_value *r = json_get(root, "rows");
	if (!int_of(r, "low", 0, PRICE_MAX_CENTS, &g.low_cents) || !int_of(r, "height", 1, PRICE_MAX_CENTS, &g.row_cents) ||
			!int_of(r, "count", 0, GRID_ROWS_MAX, &rows))
		return false;
	g.rows = (int) rows;
	if (!parse_columns(&g, json_get(root, "columns")) || !parse_rates(&g, json_get(root, "rates")))
		return false;
	*ret = g;
	return true;
}

bool msg_status_parse(enum feed_state *feed, bool *betting, const char *text, size_t n)
{
	_cleanup_(json_freep) struct json *doc = NULL;
	const struct json_value *root = open_event(&doc, text, n, "system:status");
	const char *name = json_string(json_get(root, "price_feed"), NULL);
	enum feed_state f;
	bool b;
	if (!name || !feed_state_parse(&f, name) || !json_bool(json_get(root, "betting"), &b))
		return false;
	*feed = f;
	*betting = b;
	return true;
}

bool msg_session_ended_parse(struct hash *ret, const char *text, size_t n)
{
	_cleanup_(json_freep) struct json *doc = NULL;
	const struct json_value *root = open_event(&doc, text, n, MSG_SESSION_ENDED);
	size_t len;
	const char *hex = json_string(json_get(root, "token_hash"), &len);
	struct hash h;
	if (!hex || len != sizeof h.b * 2 || !hex_decode(h.b, sizeof h.b, hex))
		return false;
	*ret = h;
	return true;
}

int64_t msg_seq(const char *text, size_t n)
{
	_cleanup_(json_freep) struct json *doc = NULL;
	const char *why;
	int64_t seq;
	if (json_parse(&doc, text, n, &why) != 0 || !int_of(json_root(doc), "seq", 1, INT64_MAX, &seq))
		return 0;
	return seq;
}

static const char *const overrides[] = {
	[BREAKER_AUTO] = "auto",
	[BREAKER_OPEN] = "open",
	[BREAKER_CLOSED] = "close",
};

const char *override_name(enum breaker_override o)
{
	return overrides[o];
}

bool override_parse(enum breaker_override *ret, const char *text, size_t n)
{
	for (size_t i = 0; i < ARRAY_LEN(overrides); i++)
		if (n == strlen(overrides[i]) && memcmp(text, overrides[i], n) == 0) {
			*ret = (enum breaker_override) i;
			return true;
		}
	return false;
}
