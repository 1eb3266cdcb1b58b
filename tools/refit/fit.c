#include "fit.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"

/* Cells that the plain formula would not reach with so many times the volatility say nothing about an open cell. */
#define WIDER   1.5
#define LEAST_P 0.02
/* What keeps a coefficient at nothing where the ticks do not ask for it. */
#define PULL 0.02

enum { ROUNDS = 6, STEPS_MAX = 64 };

struct seen {
	struct quote_state state;
	double s, low, high, t1_s, t2_s, tick_s, plain_p;
	size_t source;
	bool hit;
};

struct fit {
	struct seen *v;
	size_t n, cap;
	struct layer_source source[LAYER_SOURCES_MAX];
	size_t sources;
	bool no_memory;
};

int fit_new(struct fit **ret)
{
	*ret = calloc(1, sizeof **ret);
	return *ret ? 0 : -ENOMEM;
}

struct fit *fit_free(struct fit *f)
{
	if (f)
		free(f->v);
	free(f);
	return NULL;
}

int fit_source(struct fit *f, const struct layer_source *source)
{
	if (f->sources == LAYER_SOURCES_MAX)
		return err_say(-EINVAL, "at most %d sources", LAYER_SOURCES_MAX);
	f->source[f->sources++] = *source;
	return 0;
}

static struct seen *next_seen(struct fit *f)
{
	if (f->n == f->cap) {
		size_t cap = f->cap ? 2 * f->cap : 65536;
		struct seen *v = realloc(f->v, cap * sizeof *v);
		if (!v) {
			f->no_memory = true;
			return NULL;
		}
		f->v = v;
		f->cap = cap;
	}
	return &f->v[f->n++];
}

static bool tells(const struct play_cell *c, double high)
{
	const struct quote_made *m = c->made;
	double sigma = fmax(c->plain_sigma, 1e-6 * (double) (m->state.vol_ppm[2] > m->state.vol_ppm[3] ? m->state.vol_ppm[2] :
			m->state.vol_ppm[3]));
	double p = touch_probability_ticks((double) m->p_cents, WIDER * sigma, (double) c->low_cents, high, c->t1_s,
			c->t1_s + (double) m->rules.grid.column_s, (double) m->rules.tick_ms / 1000);
	return !c->stopped && c->outcome != OUTCOME_VOID && p >= LEAST_P;
}

void fit_cell(void *u, const struct play_cell *c)
{
	struct fit *f = u;
	const struct quote_made *m = c->made;
	double high = (double) (c->low_cents + m->rules.grid.row_cents);
	struct seen *s = tells(c, high) ? next_seen(f) : NULL;
	if (!s)
		return;
	*s = (struct seen){ .state = m->state, .s = (double) m->p_cents, .low = (double) c->low_cents, .high = high,
		.t1_s = c->t1_s, .t2_s = c->t1_s + (double) m->rules.grid.column_s, .tick_s = (double) m->rules.tick_ms / 1000,
		.plain_p = c->plain_p, .source = f->sources - 1, .hit = c->outcome == OUTCOME_WON };
	f->source[f->sources - 1].cells++;
}

static double loss_of(double p, bool hit)
{
	return -log(fmax(hit ? p : 1 - p, 1e-6));
}

/* Mean over the sources of each source's mean; NULL: of the plain formula. */
static double loss(const struct fit *f, const struct quote_layer *l)
{
	double of_source[LAYER_SOURCES_MAX] = { 0 }, sum = 0;
	struct layer_mix mix = { 0 };
	const struct seen *before = NULL;
	for (size_t i = 0; i < f->n; i++) {
		const struct seen *s = &f->v[i];
		/* the cells of one column stand together and share their mixture */
		if (l && (!before || before->t1_s != s->t1_s || before->s != s->s || before->source != s->source))
			mix = layer_mix_of(l, &s->state, 0.5 * (s->t1_s + s->t2_s));
		before = s;
		double p = l ? layer_touch(&mix, s->s, s->low, s->high, s->t1_s, s->t2_s, s->tick_s) : s->plain_p;
		of_source[s->source] += loss_of(p, s->hit);
	}
	for (size_t k = 0; k < f->sources; k++)
		sum += of_source[k] / (double) f->source[k].cells;
	return sum / (double) f->sources;
}

static double pulled(const struct fit *f, const struct quote_layer *l)
{
	double even = (double) l->even_e6 / 1e6, scale = (double) l->scale_e6 / 1e6;
	return loss(f, l) + PULL * (even * even + 4 * scale * scale);
}

/* One coefficient, its bounds as layer_parse has them, and its first step. The blends' last one takes what the others leave. */
struct knob {
	int64_t *at;
	int64_t least, most, step;
	bool of_blend;
	int form; /* the first that has it */
};

static bool move(const struct knob *k, struct quote_layer *l, int64_t by)
{
	int64_t *rest = &l->blend_e6[QUOTE_VOLS - 1];
	if (*k->at + by < k->least || *k->at + by > k->most || (k->of_blend && (*rest - by < 0 || *rest - by > 1000000)))
		return false;
	*k->at += by;
	if (k->of_blend)
		*rest -= by;
	return true;
}

/* Walks while it gets better; back by the last step. */
static void walk(const struct fit *f, const struct knob *k, struct quote_layer *l, int64_t by, double *best)
{
	for (int i = 0; i < STEPS_MAX && move(k, l, by); i++) {
		double now = pulled(f, l);
		if (now >= *best - 1e-8) {
			bool back = move(k, l, -by);
			(void) back; /* it came from there */
			return;
		}
		*best = now;
	}
}

static void descend(const struct fit *f, struct quote_layer *l)
{
	struct knob knobs[] = {
		{ &l->blend_e6[0], 0, 1000000, 100000, true, 1 },
		{ &l->blend_e6[1], 0, 1000000, 100000, true, 1 },
		{ &l->blend_e6[2], 0, 1000000, 100000, true, 1 },
		{ &l->even_e6, 0, 1000000, 50000, false, 1 },
		{ &l->rough_e6, 0, 2000000, 200000, false, 1 },
		{ &l->lean_e6, -3000000, 3000000, 200000, false, 1 },
		{ &l->scale_e6, -1000000, 1000000, 100000, false, 1 },
		{ &l->fade_e6, 0, 2000000, 200000, false, 1 },
		{ &l->still_e6, l->form == 2 ? LAYER_STILL_LEAST_E6 : 0, 1000000, 50000, false, 1 },
		{ &l->bounce_e6, 0, 1000000, 50000, false, 2 },
		{ &l->pause_e6, 0, 1000000, 200000, false, 2 },
	};
	double best = pulled(f, l);
	for (int round = 0; round < ROUNDS; round++)
		for (size_t i = 0; i < sizeof knobs / sizeof knobs[0]; i++) {
			if (l->form < knobs[i].form)
				continue;
			walk(f, &knobs[i], l, knobs[i].step, &best);
			walk(f, &knobs[i], l, -knobs[i].step, &best);
			if (round % 2)
				knobs[i].step /= 2;
		}
}

void fit_begin(struct quote_layer *l, int form)
{
	static const struct quote_layer begins[LAYER_FORMS] = {
		{ .form = 1, .blend_e6 = { 200000, 100000, 200000, 500000 }, .even_e6 = 5000, .rough_e6 = 150000, .lean_e6 = 300000,
			.fade_e6 = 500000, .still_e6 = 150000 },
		{ .form = 2, .blend_e6 = { 175000, 175000, 400000, 250000 }, .even_e6 = 62500, .rough_e6 = 600000, .lean_e6 = 400000,
			.scale_e6 = 110000, .still_e6 = 820000, .bounce_e6 = 150000, .pause_e6 = 1000000 },
	};
	const struct quote_layer named = *l;
	*l = begins[form - 1];
	l->version = named.version;
	memcpy(l->fitted, named.fitted, sizeof l->fitted);
}

int fit_run(struct fit *f, struct quote_layer *layer)
{
	if (f->no_memory)
		return -ENOMEM;
	for (size_t k = 0; k < f->sources; k++)
		if (f->source[k].cells == 0)
			return err_say(-EINVAL, "%s has no cell to learn from in that span", f->source[k].name);
	if (f->sources == 0)
		return err_say(-EINVAL, "nothing to fit on");
	descend(f, layer);
	layer->plain_loss_e6 = llround(loss(f, NULL) * 1e6);
	layer->loss_e6 = llround(loss(f, layer) * 1e6);
	layer->sources = f->sources;
	for (size_t k = 0; k < f->sources; k++)
		layer->source[k] = f->source[k];
	return 0;
}
