#include "quote_jump.h"

#include <math.h>

#include "quote_touch.h"

void quote_jump_init(struct quote_jump *j, const struct quote_jump_rules *rules)
{
	*j = (struct quote_jump){ .rules = *rules };
}

/* Ticks older than the window go; one that does not rise in time begins anew. */
static void keep(struct quote_jump *j, const struct tick *t)
{
	while (j->n && (t->t_ms - j->at[j->first].t_ms > j->rules.window_ms || t->t_ms <= j->at[j->first].t_ms ||
			j->n == QUOTE_JUMP_TICKS)) {
		j->first = (j->first + 1) % QUOTE_JUMP_TICKS;
		j->n--;
	}
	j->at[(j->first + j->n) % QUOTE_JUMP_TICKS] = *t;
	j->n++;
}

/* The greatest move to *t from any tick of the window. */
static double greatest_move(const struct quote_jump *j, const struct tick *t)
{
	int64_t low = t->p_cents, high = t->p_cents;
	for (unsigned i = 0; i < j->n; i++) {
		int64_t p = j->at[(j->first + i) % QUOTE_JUMP_TICKS].p_cents;
		low = p < low ? p : low;
		high = p > high ? p : high;
	}
	return fmax(log((double) high / (double) t->p_cents), log((double) t->p_cents / (double) low));
}

bool quote_jump_tick(struct quote_jump *j, const struct tick *t, int64_t vol_ppm)
{
	const struct quote_jump_rules *r = &j->rules;
	if (r->sigmas == 0)
		return false;
	keep(j, t);
	double move = greatest_move(j, t);
	double sigma = (double) vol_ppm / 1e6 * sqrt((double) r->window_ms / 1000 / QUOTE_YEAR_S);
	double limit = fmax((double) r->sigmas * sigma, (double) r->least_bp / 1e4);
	if (!j->stopped && move > limit) {
		j->stopped = true;
		j->limit = limit;
		j->stops++;
	}
	if (!j->stopped)
		return false;
	if (move > j->limit / 2 || t->t_ms < j->uneasy_ms)
		j->uneasy_ms = t->t_ms;
	j->stopped = t->t_ms - j->uneasy_ms < r->calm_ms;
	return j->stopped;
}
