#include "priced.h"

#include <string.h>

#include "err.h"
#include "layer.h"
#include "quotes.h"

/* The exponential of another processor's library may differ in its last bit, and a floor make a unit of that. */
enum { RATE_SLACK = 1 };

struct search {
	struct priced *found;
	const struct bet *bet;
	const char *layer_path;
	struct quote_layer layer; /* version 0: none yet */
};

static bool layer_of(struct search *s, const struct quote_made *made)
{
	if (s->layer.version != 0 && memcmp(s->layer.id, made->layer, LAYER_ID_SIZE) == 0)
		return true;
	if (layer_find(&s->layer, s->layer_path, made->layer) == 0)
		return true;
	s->layer.version = 0;
	s->found->layer_unknown = true;
	err_clear();
	return false;
}

static bool try_quote(void *u, const struct quote_made *made)
{
	struct search *s = u;
	struct priced *p = s->found;
	struct quote_cell cell;
	int32_t want = s->bet->rate.e4;
	p->quotes++;
	if (!layer_of(s, made) || !quote_cell(&cell, made, &s->layer, &s->bet->cell))
		return true;
	bool agrees = cell.rate_e4 >= want - RATE_SLACK && cell.rate_e4 <= want + RATE_SLACK;
	/* the newest at the bet's moment that gives its rate; a later one may give the same, a rate at its cap above all */
	bool later = made->t_ms > s->bet->placed_ms;
	if (p->agrees && (!agrees || (later && p->made.t_ms <= s->bet->placed_ms)))
		return true;
	p->known = true;
	p->agrees = agrees;
	p->made = *made;
	p->cell = cell;
	p->layer_version = s->layer.version;
	return true;
}

int priced_by_book(struct priced *ret, struct week *w, const char *layer_path, int64_t ttl_ms, const struct bet *bet)
{
	struct search s = { .found = ret, .bet = bet, .layer_path = layer_path };
	*ret = (struct priced){ .known = false };
	return err_trace(week_quotes(w, bet->placed_ms - ttl_ms, bet->placed_ms + ttl_ms, try_quote, &s));
}

int priced_by_redis(struct priced *ret, struct bus *bus, const char *layer_path, int64_t ttl_ms, const struct bet *bet)
{
	struct search s = { .found = ret, .bet = bet, .layer_path = layer_path };
	*ret = (struct priced){ .known = false };
	return err_trace(quotes_read(bus, bet->placed_ms - ttl_ms, bet->placed_ms + ttl_ms, try_quote, &s));
}
