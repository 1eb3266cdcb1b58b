/* verify --bet: a bet's rate, made again from what its quote was made from. */
#include <errno.h>
#include <string.h>

#include "book.h"
#include "ctl.h"
#include "err.h"
#include "hex.h"
#include "priced.h"

static void show_quote(struct out *o, const struct priced *p, const char *source)
{
	char layer[2 * LAYER_ID_SIZE + 1];
	hex_encode(layer, p->made.layer, LAYER_ID_SIZE);
	out_group(o, "quote");
	out_text(o, "source", source);
	out_int(o, "quote_id", p->made.quote_id);
	out_time(o, "t", p->made.t_ms);
	out_int(o, "p", p->made.p_cents);
	out_int(o, "layer_version", p->layer_version);
	out_text(o, "layer", layer);
	out_list(o, "volatility_ppm");
	for (int i = 0; i < QUOTE_VOLS; i++) {
		out_row(o);
		out_int(o, "half_life_s", quote_half_lives_s[i]);
		out_int(o, "ppm", p->made.state.vol_ppm[i]);
		out_end_row(o);
	}
	out_end_list(o);
	out_int(o, "uneven_ppm", p->made.state.uneven_ppm);
	out_int(o, "reach_ppm", p->made.state.reach_ppm);
	out_int(o, "idle_ppm", p->made.state.idle_ppm);
	out_end_group(o);
}

static int answer(struct ctl *c, const struct bet *b, const struct priced *p, const char *source)
{
	char cell[CELL_TEXT_SIZE];
	cell_format(cell, &b->cell);
	out_text(&c->out, "verdict", p->agrees ? "equal" : p->known ? "differs" : "unknown");
	out_text(&c->out, "cell", cell);
	out_time(&c->out, "placed_at", b->placed_ms);
	out_int(&c->out, "rate", b->rate.e4);
	if (p->known) {
		out_int(&c->out, "recomputed", p->cell.rate_e4);
		show_quote(&c->out, p, source);
		return p->agrees ? 0 : EX_DRIFT;
	}
	return ctl_fail(c, EX_NOINPUT, p->layer_unknown ? "the layer of the bet's quote is not in this release: set TAP_QUOTE_LAYER" :
			"what the bet's rate was made from is not known: older than the log, or Redis is away");
}

/* Redis that is away is no drift: the rate is then not known. */
static int find(struct ctl *c, struct week *w, const struct bet *b, struct priced *p, const char **ret_source)
{
	const char *layer = c->settings.quote_layer.v;
	int64_t ttl_ms = c->settings.quote_ttl_ms;
	struct bus *bus;
	*ret_source = "book";
	int r = priced_by_book(p, w, layer, ttl_ms, b);
	if (r < 0 || p->quotes || bus_open(&bus, &c->bus) != 0)
		return r;
	*ret_source = "redis";
	if (priced_by_redis(p, bus, layer, ttl_ms, b) < 0)
		err_clear();
	(void) bus_close(bus);
	return 0;
}

int ctl_verify_rate(struct ctl *c, const char *text)
{
	struct ulid id;
	struct store *db;
	struct bet b;
	struct priced p;
	const char *source;
	int code;
	if (!ulid_parse(&id, text, strlen(text)))
		return ctl_fail(c, EX_USAGE, "%s is no id of a bet: 26 characters of 0-9 A-Z", text);
	_cleanup_(week_closep) struct week *w = ctl_book(c, STORE_READ, &code);
	if (!w)
		return code;
	int r = week_begin(w, &db);
	if (r == 0)
		r = week_bet_by_id(w, &id, c->settings.row_cents, &b);
	if (r == BOOK_E_ABSENT)
		return ctl_fail(c, EX_NOINPUT, "there is no bet %s in the weeks that are here", text);
	if (r == 0)
		r = find(c, w, &b, &p, &source);
	return r ? ctl_fail_errno(c, r > 0 ? -EBADMSG : r, "the bet") : answer(c, &b, &p, source);
}
