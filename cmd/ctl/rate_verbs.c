/* verify --bet: a bet's rate, made again from what its quote was made from. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "book.h"
#include "book_quotes.h"
#include "ctl.h"
#include "err.h"
#include "hex.h"
#include "layer.h"
#include "quotes.h"

/* The exponential of another processor's library may differ in its last bit, and a floor make a unit of that. */
enum { RATE_SLACK = 1 };

struct search {
	const struct bet *bet;
	const char *layer_path;
	struct quote_layer layer;
	struct quote_grid grid;
	int64_t quotes;          /* that lived when the bet was placed */
	int64_t unknown_layers;
	bool found;              /* one of them gives the bet's rate */
	struct quote_made made;  /* that one; else the newest with the cell */
	int64_t rate;            /* made from it; -1: none has the cell */
	int64_t layer_version;
};

static bool rate_again(struct search *s, const struct quote_made *made, int64_t *ret)
{
	struct rate rate;
	if (s->layer.version == 0 || memcmp(s->layer.id, made->layer, LAYER_ID_SIZE) != 0) {
		s->layer.version = 0;
		if (layer_find(&s->layer, s->layer_path, made->layer) != 0) {
			s->layer.version = 0;
			s->unknown_layers++;
			err_clear();
			return false;
		}
	}
	quote_fill(&s->grid, made, &s->layer);
	if (grid_rate(&s->grid, &s->bet->cell, &rate) != GRID_FOUND)
		return false;
	*ret = rate.e4;
	return true;
}

/* The newest that gives the rate counts. */
static bool try_quote(void *u, const struct quote_made *made)
{
	struct search *s = u;
	int64_t rate, want = s->bet->rate.e4;
	s->quotes++;
	if (!rate_again(s, made, &rate))
		return true;
	bool gives = rate >= want - RATE_SLACK && rate <= want + RATE_SLACK;
	if (s->found && !gives)
		return true;
	s->found = gives;
	s->made = *made;
	s->rate = rate;
	s->layer_version = s->layer.version;
	return true;
}

/* The book has the quotes of its bets for ever, Redis every quote of 7 days. */
static int search(struct ctl *c, struct week *w, struct search *s, const char **ret_source)
{
	int64_t ttl = c->settings.quote_ttl_ms, from = s->bet->placed_ms - ttl, to = s->bet->placed_ms + ttl;
	struct bus *bus;
	*ret_source = "book";
	int r = week_quotes(w, from, to, try_quote, s);
	if (r < 0 || s->quotes)
		return r;
	*ret_source = "redis";
	if (bus_open(&bus, &c->bus) == 0) {
		/* Redis that is away is no drift: the rate is then unknown */
		if (quotes_read(bus, from, to, try_quote, s) < 0)
			err_clear();
		(void) bus_close(bus);
	}
	return 0;
}

static void show_quote(struct out *o, const struct search *s, const char *source)
{
	char layer[2 * LAYER_ID_SIZE + 1];
	hex_encode(layer, s->made.layer, LAYER_ID_SIZE);
	out_group(o, "quote");
	out_text(o, "source", source);
	out_int(o, "quote_id", s->made.quote_id);
	out_time(o, "t", s->made.t_ms);
	out_int(o, "p", s->made.p_cents);
	out_int(o, "layer_version", s->layer_version);
	out_text(o, "layer", layer);
	out_list(o, "volatility_ppm");
	for (int i = 0; i < QUOTE_VOLS; i++) {
		out_row(o);
		out_int(o, "half_life_s", quote_half_lives_s[i]);
		out_int(o, "ppm", s->made.state.vol_ppm[i]);
		out_end_row(o);
	}
	out_end_list(o);
	out_int(o, "uneven_ppm", s->made.state.uneven_ppm);
	out_end_group(o);
}

static int answer(struct ctl *c, const struct search *s, const char *source)
{
	char cell[CELL_TEXT_SIZE];
	bool known = s->rate >= 0;
	cell_format(cell, &s->bet->cell);
	out_text(&c->out, "verdict", s->found ? "equal" : known ? "differs" : "unknown");
	out_text(&c->out, "cell", cell);
	out_time(&c->out, "placed_at", s->bet->placed_ms);
	out_int(&c->out, "rate", s->bet->rate.e4);
	if (known) {
		out_int(&c->out, "recomputed", s->rate);
		show_quote(&c->out, s, source);
		return s->found ? 0 : EX_DRIFT;
	}
	return ctl_fail(c, EX_NOINPUT, s->unknown_layers ? "the layer of the bet's quote is not in this release: set TAP_QUOTE_LAYER" :
			"what the bet's rate was made from is not known: older than the log, or Redis is away");
}

int ctl_verify_rate(struct ctl *c, const char *text)
{
	struct ulid id;
	struct store *db;
	struct bet b;
	const char *source;
	int code;
	if (!ulid_parse(&id, text, strlen(text)))
		return ctl_fail(c, EX_USAGE, "%s is no id of a bet: 26 characters of 0-9 A-Z", text);
	_cleanup_(week_closep) struct week *w = ctl_book(c, STORE_READ, &code);
	if (!w)
		return code;
	struct search *s = calloc(1, sizeof *s);
	if (!s)
		return ctl_fail_errno(c, -ENOMEM, "the bet");
	*s = (struct search){ .bet = &b, .layer_path = c->settings.quote_layer.v, .rate = -1 };
	int r = week_begin(w, &db);
	if (r == 0)
		r = week_bet_by_id(w, &id, c->settings.row_cents, &b);
	if (r == BOOK_E_ABSENT) {
		code = ctl_fail(c, EX_NOINPUT, "there is no bet %s in the weeks that are here", text);
	} else {
		r = r == 0 ? search(c, w, s, &source) : r;
		code = r ? ctl_fail_errno(c, r > 0 ? -EBADMSG : r, "the bet") : answer(c, s, source);
	}
	free(s);
	return code;
}
