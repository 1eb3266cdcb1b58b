#include "play.h"

#include <math.h>
#include <string.h>

#include "check.h"

enum { PLAIN_HALF_LIFE_S = 60, PLAIN_SAMPLE_MS = 1000, PLAIN_FORGET_MS = 3000, COLUMNS_KEPT = 64 };

struct plain {
	double var_per_s;
	struct tick last;
};

static void plain_tick(struct plain *v, const struct tick *t)
{
	int64_t gap_ms = t->t_ms - v->last.t_ms;
	bool usable = v->last.p_cents > 0 && gap_ms <= PLAIN_FORGET_MS;
	if (usable && gap_ms < PLAIN_SAMPLE_MS)
		return;
	if (usable) {
		double seconds = (double) gap_ms / 1000, r = log((double) t->p_cents / (double) v->last.p_cents);
		v->var_per_s += (1 - exp2(-seconds / PLAIN_HALF_LIFE_S)) * (r * r / seconds - v->var_per_s);
	}
	v->last = *t;
}

struct kept_column {
	int64_t t0_s;
	bool known; /* the recording covers it */
	struct path path;
};

struct game {
	const struct play_rules *rules;
	const struct quote_layer *layer;
	const struct tick *ticks;
	size_t n, at; /* ticks[0 .. at) were heard */
	struct quote_vol vol;
	struct quote_jump jump;
	struct plain plain;
	bool stopped;
	struct kept_column kept[COLUMNS_KEPT];
	struct quote_made made;
	struct quote_grid grid;
	play_cb *cb;
	void *u;
	struct play_counts *counts;
};

static void hear(struct game *g, int64_t now_ms)
{
	for (; g->at < g->n && g->ticks[g->at].t_ms <= now_ms; g->at++) {
		const struct tick *t = &g->ticks[g->at];
		g->stopped = quote_jump_tick(&g->jump, t, quote_vol_state(&g->vol).vol_ppm[QUOTE_VOLS - 1]);
		quote_vol_tick(&g->vol, t);
		plain_tick(&g->plain, t);
	}
}

/* A column beyond the recording's end is nobody's. */
static const struct path *path_of(struct game *g, int64_t t0_s)
{
	int64_t column_s = g->rules->quote.grid.column_s;
	struct kept_column *k = &g->kept[t0_s / column_s % COLUMNS_KEPT];
	if (k->t0_s != t0_s) {
		*k = (struct kept_column){ .t0_s = t0_s,
			.known = (t0_s + column_s) * 1000 <= g->ticks[g->n - 1].t_ms + g->rules->quote.tick_ms };
		if (k->known) {
			k->path = path_cut(g->ticks, g->n, t0_s, column_s, g->rules->max_gap_ms);
			g->counts->columns++;
			g->counts->void_columns += k->path.is_void;
		}
	}
	return k->known ? &k->path : NULL;
}

static double plain_sigma(const struct game *g)
{
	return fmin(fmax(sqrt(g->plain.var_per_s * QUOTE_YEAR_S), g->rules->vol_floor), g->rules->vol_ceiling);
}

static void show_column(struct game *g, int i)
{
	const struct quote_rules *q = &g->rules->quote;
	const struct path *path = path_of(g, g->grid.t0_s[i]);
	if (!path)
		return;
	struct play_cell c = { .made = &g->made, .column = i, .t1_s = (double) (g->grid.t0_s[i] * 1000 - g->made.t_ms) / 1000,
		.plain_sigma = plain_sigma(g), .stopped = g->made.stopped };
	double s = (double) g->made.p_cents, t2_s = c.t1_s + (double) q->grid.column_s, tick_s = (double) q->tick_ms / 1000;
	struct layer_mix mix = layer_mix_of(g->layer, &g->made.state, 0.5 * (c.t1_s + t2_s));
	for (c.row = 0; c.row < g->grid.rows; c.row++) {
		c.low_cents = g->grid.low_cents + c.row * g->grid.row_cents;
		double low = (double) c.low_cents, high = low + (double) g->grid.row_cents;
		struct cell cell = { g->grid.t0_s[i], c.low_cents, c.low_cents + g->grid.row_cents };
		c.p = layer_touch(&mix, s, low, high, c.t1_s, t2_s, tick_s);
		c.plain_p = touch_probability_ticks(s, c.plain_sigma, low, high, c.t1_s, t2_s, tick_s);
		c.rate = g->grid.rates[i][c.row];
		c.plain_rate = c.stopped ? 0 : quote_rate(q, c.plain_p);
		c.outcome = outcome_of(path, &cell);
		CHECK(c.stopped || c.rate == quote_rate(q, c.p)); /* the report speaks of the probability that was quoted */
		g->cb(g->u, &c);
	}
}

static void make_grid(struct game *g, int64_t now_ms)
{
	if (g->at == 0 || now_ms - g->ticks[g->at - 1].t_ms > g->rules->quote_ttl_ms) {
		g->counts->stale++;
		return;
	}
	g->made = (struct quote_made){ .rules = g->rules->quote, .quote_id = now_ms, .t_ms = now_ms,
		.p_cents = g->ticks[g->at - 1].p_cents, .state = quote_vol_state(&g->vol), .stopped = g->stopped };
	memcpy(g->made.layer, g->layer->id, sizeof g->made.layer);
	quote_fill(&g->grid, &g->made, g->layer);
	g->counts->grids++;
	g->counts->stopped += g->stopped;
	for (int i = 0; i < g->grid.columns; i++)
		show_column(g, i);
}

void play(const struct play_rules *rules, const struct quote_layer *layer, const struct tick *ticks, size_t n, play_cb *cb,
		void *u, struct play_counts *ret)
{
	static struct game g; /* 70 KB */
	CHECK(n > 0 && rules->quote.grid.columns + 2 < COLUMNS_KEPT);
	g = (struct game){ .rules = rules, .layer = layer, .ticks = ticks, .n = n, .cb = cb, .u = u, .counts = ret };
	*ret = (struct play_counts){ 0 };
	quote_vol_init(&g.vol, rules->vol_start, rules->vol_floor, rules->vol_ceiling);
	quote_jump_init(&g.jump, &rules->jump);
	g.plain.var_per_s = rules->vol_start * rules->vol_start / QUOTE_YEAR_S;
	int64_t from = rules->from_ms > ticks[0].t_ms ? rules->from_ms : ticks[0].t_ms;
	int64_t to = rules->to_ms < ticks[n - 1].t_ms ? rules->to_ms : ticks[n - 1].t_ms;
	for (int64_t slot = from / rules->quote_ms + 1; slot * rules->quote_ms < to; slot++) {
		hear(&g, slot * rules->quote_ms);
		make_grid(&g, slot * rules->quote_ms);
	}
}
