#include "market.h"

#include <string.h>

#include "layer.h"
#include "quote.h"
#include "quote_log.h"
#include "redis.h"
#include "sim.h"

enum { PRICES_LOW = 2000000, PRICES_HIGH = 20000000, RATES_EACH = 200 };

static struct {
	const struct settings *s;
	struct quote_layer layer;
	struct quote_vol vol;
	struct breaker breaker;
	struct quote_made made;
	struct quote_grid rates; /* a grid that was filled; its rates are laid on the columns and rows of now */
	struct quote_grid grid;
	bool has_rates;
	int64_t p_cents, swing, silent_until_ms, next_ms, every_ms, quote_id, quotes;
} m;

void market_begin(const struct settings *s)
{
	struct breaker_rules rules = settings_breaker(s);
	memset(&m, 0, sizeof m);
	m.s = s;
	m.p_cents = 9743210;
	m.swing = 60;
	m.every_ms = s->tick_ms;
	m.next_ms = sim.true_ms;
	MUST(layer_open(&m.layer, "") == 0, "no quote layer");
	quote_vol_init(&m.vol, 0.5, 0.03, 3);
	breaker_init(&m.breaker, &rules, 0);
	m.made = (struct quote_made){ .rules = settings_quote(s) };
	memcpy(m.made.layer, m.layer.id, sizeof m.made.layer);
}

void market_silent(int64_t ms)
{
	m.silent_until_ms = sim.true_ms + ms;
}

static void wander(void)
{
	if (one_in(2000))
		m.swing = 5 + (int64_t) dice(400);
	if (one_in(5000))
		m.every_ms = one_in(4) ? m.s->tick_ms * (1 + (int64_t) dice(12)) : m.s->tick_ms;
	m.p_cents += (int64_t) dice((uint64_t) (2 * m.swing + 1)) - m.swing;
	if (one_in(20000))
		m.p_cents += (int64_t) dice(200001) - 100000;
	m.p_cents = m.p_cents < PRICES_LOW ? PRICES_LOW : m.p_cents > PRICES_HIGH ? PRICES_HIGH : m.p_cents;
}

static int64_t mono_ms(void)
{
	return sim.true_ms - sim.start_ms;
}

void market_run_until(int64_t true_ms)
{
	for (; m.next_ms <= true_ms; m.next_ms += m.every_ms) {
		sim.true_ms = m.next_ms;
		wander();
		struct tick t = { sim_wall_ms(PROC_WORLD), m.p_cents };
		if (sim.true_ms < m.silent_until_ms || one_in(60) || !redis_append(&t))
			continue;
		(void) breaker_tick(&m.breaker, mono_ms());
		quote_vol_tick(&m.vol, &t);
		if (one_in(1000)) /* told twice: the second is refused */
			MUST(!redis_append(&t), "a tick is recorded twice");
	}
	sim.true_ms = true_ms;
	(void) breaker_time(&m.breaker, mono_ms());
}

static void fill_rates(void)
{
	m.made.t_ms = sim_wall_ms(PROC_WORLD);
	m.made.p_cents = m.p_cents;
	m.made.state = quote_vol_state(&m.vol);
	quote_fill(&m.rates, &m.made, &m.layer);
	m.has_rates = true;
}

void market_quote(void)
{
	struct grid_rules rules = settings_grid(m.s);
	if (m.quotes++ % RATES_EACH == 0)
		fill_rates();
	m.grid = m.rates;
	m.grid.quote_id = ++m.quote_id;
	m.grid.t_ms = sim_wall_ms(PROC_WORLD) - (int64_t) dice(one_in(30) ? 1500 : 900);
	m.grid.low_cents = grid_lowest(&rules, m.p_cents);
	for (int i = 0; i < m.grid.columns; i++)
		m.grid.t0_s[i] = column_first_placeable(&rules, m.grid.t_ms) + i * rules.column_s;
}

const struct quote_grid *market_grid_now(void)
{
	return &m.grid;
}

bool market_betting_now(void)
{
	return breaker_betting(&m.breaker);
}

static bool give_grid(void *u, struct quote_grid *ret)
{
	(void) u;
	*ret = m.grid;
	return m.has_rates;
}

static bool give_betting(void *u)
{
	(void) u;
	return market_betting_now();
}

static bool give_made(void *u, int64_t quote_id, struct buf *ret)
{
	struct quote_made made = m.made;
	(void) u;
	made.quote_id = quote_id;
	quote_log_encode(ret, &made, 1);
	return true;
}

const struct intake_market market_for_api = { .grid = give_grid, .betting = give_betting, .made = give_made };
