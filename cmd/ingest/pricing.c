#include "pricing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "layer.h"
#include "log.h"
#include "msg.h"
#include "quote.h"
#include "quote_jump.h"
#include "quotes.h"

struct pricing {
	const struct settings *settings;
	struct quote_layer layer;
	struct quote_vol vol;
	struct quote_jump jump;
	bool stopped;
	struct quote_grid room;
	bool has_room;
	int64_t quote_id;
	struct quote_made made;
	struct quote_grid grid;
	struct quotes_run run;
};

int pricing_new(struct pricing **ret, const struct settings *s)
{
	struct pricing *p = calloc(1, sizeof *p);
	struct quote_jump_rules jump = settings_jump(s);
	if (!p)
		return -ENOMEM;
	int r = layer_open(&p->layer, s->quote_layer.v);
	if (r < 0) {
		free(p);
		return err_trace(r);
	}
	p->settings = s;
	p->made.rules = settings_quote(s);
	memcpy(p->made.layer, p->layer.id, sizeof p->made.layer);
	quote_vol_init(&p->vol, (double) s->vol_start_bp / 1e4, (double) s->vol_floor_bp / 1e4, (double) s->vol_ceiling_bp / 1e4);
	quote_jump_init(&p->jump, &jump);
	log_info("quote layer %lld, fitted %s", (long long) p->layer.version, p->layer.fitted);
	*ret = p;
	return 0;
}

struct pricing *pricing_free(struct pricing *p)
{
	free(p);
	return NULL;
}

void pricing_tick(struct pricing *p, const struct tick *t)
{
	bool before = p->stopped;
	p->stopped = quote_jump_tick(&p->jump, t, quote_vol_state(&p->vol).vol_ppm[QUOTE_VOLS - 1]);
	quote_vol_tick(&p->vol, t);
	if (p->stopped != before)
		log_notice(p->stopped ? "the price jumps: the grid is closed" : "the jump is over: the grid is open again");
}

void pricing_room(struct pricing *p, const char *text, size_t n)
{
	p->has_room = text && msg_grid_parse(&p->room, text, n);
}

void pricing_grid(struct pricing *p, int64_t now_ms, int64_t p_cents, struct buf *event)
{
	struct quote_made *m = &p->made;
	p->quote_id = p->quote_id < now_ms ? now_ms : p->quote_id + 1; /* grows over restarts too */
	m->quote_id = p->quote_id;
	m->t_ms = now_ms;
	m->p_cents = p_cents;
	m->state = quote_vol_state(&p->vol);
	m->stopped = p->stopped;
	memset(m->skew, 0, sizeof m->skew);
	quote_fill(&p->grid, m, &p->layer);
	if (p->has_room)
		quote_skew(&p->grid, m, &p->room, settings_empty_room(p->settings));
	msg_grid(event, &p->grid);
}

void pricing_made(const struct pricing *p, struct buf *bytes)
{
	quote_log_encode(bytes, &p->made, 1);
}

int pricing_log(struct pricing *p, struct bus *bus, bool *ret_added)
{
	return err_trace(quotes_add(&p->run, bus, &p->made, ret_added));
}

int pricing_log_rest(struct pricing *p, struct bus *bus, bool *ret_added)
{
	return err_trace(quotes_flush(&p->run, bus, ret_added));
}

struct pricing_view pricing_view(const struct pricing *p)
{
	struct quote_state s = quote_vol_state(&p->vol);
	return (struct pricing_view){ .volatility = (double) s.vol_ppm[1] / 1e6, .uneven = (double) s.uneven_ppm / 1e6,
		.stopped = p->stopped, .stops = p->jump.stops, .layer = p->layer.version };
}
