#include "quote_log.h"

#include <string.h>

#include "check.h"
#include "price.h"
#include "varint.h"

/* Form 2 has reach and idle too, which older releases did not measure. */
enum { FORM_ONE = 1, FORM_TWO = 2, STOPPED = 1, SKEWED = 2 };

/* What a decoded number may be at most: the settings' own bounds, and what a double holds exactly. */
#define RULE_MAX 10000000
#define TIME_MAX ((uint64_t) 1 << 48)

static uint8_t form_of(const struct quote_made *m)
{
	return m->state.reach_ppm ? FORM_TWO : FORM_ONE;
}

bool quote_log_same(const struct quote_made *a, const struct quote_made *b)
{
	const struct quote_rules *x = &a->rules, *y = &b->rules;
	return form_of(a) == form_of(b) && x->grid.column_s == y->grid.column_s && x->grid.row_cents == y->grid.row_cents &&
			x->grid.columns == y->grid.columns && x->grid.rows == y->grid.rows && x->margin_bp == y->margin_bp &&
			x->max_rate_e4 == y->max_rate_e4 && x->min_p_ppm == y->min_p_ppm && x->tick_ms == y->tick_ms &&
			memcmp(a->layer, b->layer, sizeof a->layer) == 0;
}

static bool has_skew(const struct quote_made *m)
{
	for (int i = 0; i < m->rules.grid.columns; i++)
		for (int j = 0; j < m->rules.grid.rows; j++)
			if (m->skew[i][j])
				return true;
	return false;
}

/* Column after column: how many cells, and what they have. */
static void put_skew(struct buf *out, const struct quote_made *m)
{
	int rows = m->rules.grid.rows, cells = m->rules.grid.columns * rows;
	for (int from = 0, to; from < cells; from = to) {
		uint8_t v = m->skew[from / rows][from % rows];
		for (to = from + 1; to < cells && m->skew[to / rows][to % rows] == v; to++)
			;
		varint_put(out, (uint64_t) (to - from));
		buf_putc(out, (char) v);
	}
}

static void put_quote(struct buf *out, const struct quote_made *m, const struct quote_made *before)
{
	bool skewed = has_skew(m);
	buf_putc(out, (char) ((m->stopped ? STOPPED : 0) | (skewed ? SKEWED : 0)));
	varint_put_difference(out, m->t_ms, before->t_ms);
	varint_put_difference(out, m->quote_id - m->t_ms, before->quote_id - before->t_ms);
	varint_put_difference(out, m->p_cents, before->p_cents);
	for (int i = 0; i < QUOTE_VOLS; i++)
		varint_put_difference(out, m->state.vol_ppm[i], before->state.vol_ppm[i]);
	varint_put_difference(out, m->state.uneven_ppm, before->state.uneven_ppm);
	if (form_of(m) == FORM_TWO) {
		varint_put_difference(out, m->state.reach_ppm, before->state.reach_ppm);
		varint_put_difference(out, m->state.idle_ppm, before->state.idle_ppm);
	}
	if (skewed)
		put_skew(out, m);
}

void quote_log_encode(struct buf *out, const struct quote_made *made, size_t n)
{
	static const struct quote_made nothing;
	const struct quote_rules *r = &made->rules;
	CHECK(n > 0 && n <= QUOTE_LOG_RUN);
	buf_putc(out, (char) form_of(made));
	varint_put(out, (uint64_t) r->grid.column_s);
	varint_put(out, (uint64_t) r->grid.row_cents);
	varint_put(out, (uint64_t) r->grid.columns);
	varint_put(out, (uint64_t) r->grid.rows);
	varint_put(out, (uint64_t) r->margin_bp);
	varint_put(out, (uint64_t) r->max_rate_e4);
	varint_put(out, (uint64_t) r->min_p_ppm);
	varint_put(out, (uint64_t) r->tick_ms);
	buf_put(out, made->layer, sizeof made->layer);
	varint_put(out, n);
	for (size_t i = 0; i < n; i++) {
		CHECK(quote_log_same(&made[0], &made[i]));
		put_quote(out, &made[i], i ? &made[i - 1] : &nothing);
	}
}

static bool get_byte(struct varint_reader *r, uint8_t *ret)
{
	if (r->at == r->end)
		return false;
	*ret = *r->at++;
	return true;
}

static bool get_rules(struct varint_reader *r, struct quote_made *m)
{
	int64_t columns, rows;
	struct quote_rules *q = &m->rules;
	if (!varint_get_up_to(r, RULE_MAX, &q->grid.column_s) || !varint_get_up_to(r, RULE_MAX, &q->grid.row_cents) ||
			!varint_get_up_to(r, GRID_COLUMNS_MAX, &columns) || !varint_get_up_to(r, GRID_ROWS_MAX, &rows) ||
			!varint_get_up_to(r, 10000, &q->margin_bp) || !varint_get_up_to(r, RULE_MAX, &q->max_rate_e4) ||
			!varint_get_up_to(r, 1000000, &q->min_p_ppm) || !varint_get_up_to(r, RULE_MAX, &q->tick_ms) ||
			r->end - r->at < LAYER_ID_SIZE)
		return false;
	q->grid.columns = (int) columns;
	q->grid.rows = (int) rows;
	memcpy(m->layer, r->at, LAYER_ID_SIZE);
	r->at += LAYER_ID_SIZE;
	return q->grid.column_s > 0 && q->grid.row_cents > 0 && columns > 0 && rows > 0;
}

static bool get_skew(struct varint_reader *r, struct quote_made *m)
{
	int rows = m->rules.grid.rows, cells = m->rules.grid.columns * rows, at = 0;
	int before = -1;
	while (at < cells) {
		int64_t n;
		uint8_t v;
		if (!varint_get_up_to(r, (uint64_t) (cells - at), &n) || n == 0 || !get_byte(r, &v) || v == before ||
				(v > QUOTE_SKEW_STEPS && v != QUOTE_SKEW_CLOSED))
			return false;
		for (before = v; n > 0; n--, at++)
			m->skew[at / rows][at % rows] = v;
	}
	return has_skew(m);
}

static bool get_manner(struct varint_reader *r, struct quote_state *s, const struct quote_state *before)
{
	return varint_get_difference(r, before->reach_ppm, &s->reach_ppm) && s->reach_ppm >= QUOTE_REACH_MIN &&
			s->reach_ppm <= QUOTE_REACH_MAX && varint_get_difference(r, before->idle_ppm, &s->idle_ppm) &&
			s->idle_ppm >= 0 && s->idle_ppm <= 1000000;
}

static bool get_quote(struct varint_reader *r, uint8_t form, struct quote_made *m, const struct quote_made *before)
{
	uint8_t flags;
	int64_t ahead;
	if (!get_byte(r, &flags) || flags > (STOPPED | SKEWED) || !varint_get_difference(r, before->t_ms, &m->t_ms) ||
			m->t_ms <= 0 || (uint64_t) m->t_ms >= TIME_MAX ||
			!varint_get_difference(r, before->quote_id - before->t_ms, &ahead) ||
			ahead < 0 || (uint64_t) ahead >= TIME_MAX ||
			!varint_get_difference(r, before->p_cents, &m->p_cents) || m->p_cents <= 0 || m->p_cents > PRICE_MAX_CENTS)
		return false;
	m->quote_id = m->t_ms + ahead;
	for (int i = 0; i < QUOTE_VOLS; i++)
		if (!varint_get_difference(r, before->state.vol_ppm[i], &m->state.vol_ppm[i]) || m->state.vol_ppm[i] <= 0 ||
				m->state.vol_ppm[i] > QUOTE_VOL_MAX)
			return false;
	if (!varint_get_difference(r, before->state.uneven_ppm, &m->state.uneven_ppm) || m->state.uneven_ppm < 0 ||
			m->state.uneven_ppm > QUOTE_UNEVEN_MAX)
		return false;
	if (form == FORM_TWO && !get_manner(r, &m->state, &before->state))
		return false;
	m->stopped = flags & STOPPED;
	memset(m->skew, 0, sizeof m->skew);
	return !(flags & SKEWED) || get_skew(r, m);
}

bool quote_log_decode(const uint8_t *bytes, size_t len, struct quote_made *made, size_t *ret_n)
{
	static const struct quote_made nothing;
	struct varint_reader r = { bytes, bytes + len };
	struct quote_made rules = { 0 };
	uint8_t form;
	int64_t n;
	if (!get_byte(&r, &form) || (form != FORM_ONE && form != FORM_TWO))
		return false;
	if (!get_rules(&r, &rules) || !varint_get_up_to(&r, QUOTE_LOG_RUN, &n) || n == 0)
		return false;
	for (int64_t i = 0; i < n; i++) {
		made[i] = rules;
		if (!get_quote(&r, form, &made[i], i ? &made[i - 1] : &nothing))
			return false;
	}
	*ret_n = (size_t) n;
	return r.at == r.end;
}
