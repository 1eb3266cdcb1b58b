#include "quote.h"

#include <math.h>
#include <string.h>

#include "check.h"
#include "rate.h"

int32_t quote_rate(const struct quote_rules *rules, double p)
{
	if (!(p * 1e6 >= (double) rules->min_p_ppm) || p <= 0)
		return 0;
	double e4 = floor((double) (RATE_ONE - rules->margin_bp) / p);
	if (e4 < RATE_LEAST)
		return 0;
	return e4 < (double) rules->max_rate_e4 ? (int32_t) e4 : (int32_t) rules->max_rate_e4;
}

int32_t quote_room(struct money room, struct money least_stake)
{
	struct money e4;
	if (!money_scale(&e4, room, RATE_ONE, least_stake.micros) || e4.micros > INT32_MAX)
		return INT32_MAX;
	return (int32_t) e4.micros;
}

static int32_t skewed(int32_t rate_e4, uint8_t steps)
{
	if (steps == QUOTE_SKEW_CLOSED)
		return 0;
	int64_t e4 = rate_e4 - (int64_t) rate_e4 * steps / QUOTE_SKEW_WHOLE;
	return e4 < RATE_LEAST ? 0 : (int32_t) e4;
}

static uint8_t steps_of(int32_t rate_e4, int32_t left_e4, int32_t empty_e4)
{
	int64_t taken = left_e4 < empty_e4 ? empty_e4 - left_e4 : 0;
	uint8_t steps = (uint8_t) (taken * QUOTE_SKEW_STEPS / empty_e4);
	return skewed(rate_e4, steps) > left_e4 ? QUOTE_SKEW_CLOSED : steps;
}

void quote_skew(struct quote_grid *g, struct quote_made *made, const struct quote_grid *room, int32_t empty_e4)
{
	struct rate left;
	for (int i = 0; empty_e4 > 0 && i < g->columns; i++)
		for (int j = 0; j < g->rows; j++) {
			int64_t low = g->low_cents + j * g->row_cents;
			struct cell c = { .t0_s = g->t0_s[i], .low_cents = low, .high_cents = low + g->row_cents };
			if (g->rates[i][j] == 0 || grid_rate(room, &c, &left) != GRID_FOUND)
				continue;
			made->skew[i][j] = steps_of(g->rates[i][j], left.e4, empty_e4);
			g->rates[i][j] = skewed(g->rates[i][j], made->skew[i][j]);
		}
}

/* What the cells of a column share. */
struct column_mix {
	const struct quote_made *made;
	double t1_s, t2_s;
	struct layer_mix mix;
};

static struct column_mix mix_of(const struct quote_made *m, const struct quote_layer *layer, int64_t t0_s)
{
	double t1_s = (double) (t0_s * 1000 - m->t_ms) / 1000, t2_s = t1_s + (double) m->rules.grid.column_s;
	return (struct column_mix){ m, t1_s, t2_s, layer_mix_of(layer, &m->state, 0.5 * (t1_s + t2_s)) };
}

static double touch_of(const struct column_mix *c, int64_t low_cents)
{
	const struct quote_rules *rules = &c->made->rules;
	double low = (double) low_cents;
	return layer_touch(&c->mix, (double) c->made->p_cents, low, low + (double) rules->grid.row_cents, c->t1_s, c->t2_s,
			(double) rules->tick_ms / 1000);
}

static void fill_column(int32_t *rates, const struct column_mix *c, const uint8_t *skew, int64_t low_cents)
{
	const struct grid_rules *grid = &c->made->rules.grid;
	for (int j = 0; j < grid->rows; j++)
		rates[j] = skewed(quote_rate(&c->made->rules, touch_of(c, low_cents + j * grid->row_cents)), skew[j]);
}

static void check_made(const struct quote_made *m, const struct quote_layer *layer)
{
	const struct grid_rules *grid = &m->rules.grid;
	CHECK(grid->columns > 0 && grid->columns <= GRID_COLUMNS_MAX && grid->rows > 0 && grid->rows <= GRID_ROWS_MAX);
	CHECK(m->p_cents > 0 && memcmp(m->layer, layer->id, sizeof m->layer) == 0);
}

void quote_fill(struct quote_grid *ret, const struct quote_made *m, const struct quote_layer *layer)
{
	const struct grid_rules *grid = &m->rules.grid;
	check_made(m, layer);
	*ret = (struct quote_grid){
		.quote_id = m->quote_id,
		.t_ms = m->t_ms,
		.columns = grid->columns,
		.rows = grid->rows,
		.low_cents = grid_lowest(grid, m->p_cents),
		.row_cents = grid->row_cents,
	};
	int64_t first_s = column_first_placeable(grid, m->t_ms);
	for (int i = 0; i < grid->columns; i++) {
		ret->t0_s[i] = first_s + i * grid->column_s;
		if (!m->stopped) {
			struct column_mix c = mix_of(m, layer, ret->t0_s[i]);
			fill_column(ret->rates[i], &c, m->skew[i], ret->low_cents);
		}
	}
}

bool quote_cell(struct quote_cell *ret, const struct quote_made *m, const struct quote_layer *layer, const struct cell *cell)
{
	const struct grid_rules *grid = &m->rules.grid;
	check_made(m, layer);
	int64_t ahead_s = cell->t0_s - column_first_placeable(grid, m->t_ms);
	int64_t above = cell->low_cents - grid_lowest(grid, m->p_cents);
	int64_t i = ahead_s / grid->column_s, j = above / grid->row_cents;
	if (ahead_s < 0 || ahead_s % grid->column_s || i >= grid->columns || above < 0 || above % grid->row_cents || j >= grid->rows)
		return false;
	struct column_mix c = mix_of(m, layer, cell->t0_s);
	double p = touch_of(&c, cell->low_cents);
	int32_t unskewed = m->stopped ? 0 : quote_rate(&m->rules, p);
	*ret = (struct quote_cell){ .touch_ppb = llround(p * 1e9), .unskewed_e4 = unskewed, .skew = m->skew[i][j],
		.rate_e4 = skewed(unskewed, m->skew[i][j]) };
	return true;
}
