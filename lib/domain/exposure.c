#include "exposure.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "exposure_sums.h"

struct column {
	int64_t t0_s;
	struct money worst;
	size_t bets;
	struct sums cells;   /* low bound -> the sum of payouts */
	struct sums players; /* user -> the sum of stakes */
};

struct exposure {
	struct exposure_caps caps;
	struct money open;
	size_t n;
	struct column *columns[EXPOSURE_COLUMNS_MAX]; /* by rising t0 */
};

int exposure_new(struct exposure **ret, const struct exposure_caps *caps)
{
	struct exposure *e = calloc(1, sizeof *e);
	if (!e)
		return -ENOMEM;
	e->caps = *caps;
	*ret = e;
	return 0;
}

static struct column *column_free(struct column *c)
{
	sums_free(&c->cells);
	sums_free(&c->players);
	free(c);
	return NULL;
}

struct exposure *exposure_free(struct exposure *e)
{
	if (!e)
		return NULL;
	for (size_t i = 0; i < e->n; i++)
		(void) column_free(e->columns[i]);
	free(e);
	return NULL;
}

/* Where the column stands, or would. */
static size_t place_of(const struct exposure *e, int64_t t0_s)
{
	size_t lo = 0, hi = e->n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (e->columns[mid]->t0_s < t0_s)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct column *column_at(const struct exposure *e, int64_t t0_s)
{
	size_t at = place_of(e, t0_s);
	return at < e->n && e->columns[at]->t0_s == t0_s ? e->columns[at] : NULL;
}

static int column_make(struct exposure *e, int64_t t0_s, struct column **ret)
{
	size_t at = place_of(e, t0_s);
	if (e->n == EXPOSURE_COLUMNS_MAX)
		return -ENOBUFS;
	struct column *c = calloc(1, sizeof *c);
	if (!c)
		return -ENOMEM;
	c->t0_s = t0_s;
	memmove(&e->columns[at + 1], &e->columns[at], (e->n - at) * sizeof e->columns[0]);
	e->columns[at] = c;
	e->n++;
	*ret = c;
	return 0;
}

static void column_remove(struct exposure *e, struct column *c)
{
	size_t at = place_of(e, c->t0_s);
	e->n--;
	memmove(&e->columns[at], &e->columns[at + 1], (e->n - at) * sizeof e->columns[0]);
	(void) column_free(c);
}

static bool fits(struct money now, struct money more, struct money cap)
{
	struct money sum;
	return money_add(&sum, now, more) && money_cmp(sum, cap) <= 0;
}

struct money exposure_player_column(const struct exposure *e, int64_t user, int64_t t0_s)
{
	const struct column *c = column_at(e, t0_s);
	return c ? sums_get(&c->players, user) : money_of(0);
}

bool exposure_player_fits(const struct exposure *e, const struct bet *bet, struct money player_open)
{
	struct money in_column = exposure_player_column(e, bet->user, bet->cell.t0_s);
	return fits(in_column, bet->stake, e->caps.player_column) && fits(player_open, bet->stake, e->caps.player_open);
}

bool exposure_house_fits(const struct exposure *e, const struct bet *bet)
{
	const struct column *c = column_at(e, bet->cell.t0_s);
	struct money on_cell = c ? sums_get(&c->cells, bet->cell.low_cents) : money_of(0);
	struct money on_column = c ? c->worst : money_of(0), payout;
	return rate_payout(&payout, bet->stake, bet->rate) && fits(on_cell, payout, e->caps.cell) &&
			fits(on_column, payout, e->caps.column) && fits(e->open, payout, e->caps.open);
}

/* Makes room for both entries before either sum moves, so that a failure leaves all sums as they were. */
static int add_to(struct exposure *e, struct column *c, const struct bet *bet, struct money payout)
{
	struct money open, worst, *cell, *player;
	int r = sums_slot(&c->players, bet->user, &player);
	if (r == 0)
		r = sums_slot(&c->cells, bet->cell.low_cents, &cell);
	if (r < 0)
		return r;
	/* a cell's sum is within its column's, and that within the whole: the whole tells of every overflow */
	struct money stake;
	if (!money_add(&open, e->open, payout) || !money_add(&stake, *player, bet->stake))
		return -EOVERFLOW;
	CHECK(money_add(&worst, c->worst, payout) && money_add(cell, *cell, payout));
	*player = stake;
	c->worst = worst;
	e->open = open;
	c->bets++;
	return 0;
}

int exposure_add(struct exposure *e, const struct bet *bet)
{
	struct money payout;
	if (!rate_payout(&payout, bet->stake, bet->rate))
		return -EOVERFLOW;
	struct column *c = column_at(e, bet->cell.t0_s);
	int r = c ? 0 : column_make(e, bet->cell.t0_s, &c);
	if (r < 0)
		return r;
	r = add_to(e, c, bet, payout);
	if (c->bets == 0)
		column_remove(e, c);
	return r;
}

void exposure_undo(struct exposure *e, const struct bet *bet)
{
	struct column *c = column_at(e, bet->cell.t0_s);
	struct money payout, *cell, *player;
	CHECK(c && rate_payout(&payout, bet->stake, bet->rate));
	CHECK(sums_slot(&c->players, bet->user, &player) == 0 && sums_slot(&c->cells, bet->cell.low_cents, &cell) == 0);
	CHECK(money_sub(player, *player, bet->stake) && money_sub(cell, *cell, payout));
	CHECK(money_sub(&c->worst, c->worst, payout) && money_sub(&e->open, e->open, payout));
	if (--c->bets == 0)
		column_remove(e, c);
}

void exposure_drop_column(struct exposure *e, int64_t t0_s)
{
	struct column *c = column_at(e, t0_s);
	if (!c)
		return;
	CHECK(money_sub(&e->open, e->open, c->worst));
	column_remove(e, c);
}

size_t exposure_columns_before(const struct exposure *e, int64_t t0_s, int64_t *out, size_t max)
{
	size_t n = 0;
	for (; n < e->n && n < max && e->columns[n]->t0_s < t0_s; n++)
		out[n] = e->columns[n]->t0_s;
	return n;
}

static struct money least_room(struct money room, struct money cap, struct money taken)
{
	struct money left;
	if (money_cmp(taken, cap) >= 0 || !money_sub(&left, cap, taken))
		return money_of(0);
	return money_cmp(left, room) < 0 ? left : room;
}

struct money exposure_room(const struct exposure *e, int64_t t0_s, int64_t low_cents)
{
	const struct column *c = column_at(e, t0_s);
	struct money room = least_room(e->caps.open, e->caps.open, e->open);
	room = least_room(room, e->caps.column, c ? c->worst : money_of(0));
	return least_room(room, e->caps.cell, c ? sums_get(&c->cells, low_cents) : money_of(0));
}

struct money exposure_open(const struct exposure *e)
{
	return e->open;
}

size_t exposure_cells(const struct exposure *e, struct exposure_cell *out, size_t max)
{
	size_t n = 0;
	for (size_t i = 0; i < e->n; i++) {
		const struct sums *cells = &e->columns[i]->cells;
		for (size_t k = 0; k < cells->cap; k++) {
			if (!cells->at[k].used || cells->at[k].sum.micros == 0)
				continue;
			if (n < max)
				out[n] = (struct exposure_cell){ e->columns[i]->t0_s, cells->at[k].key, cells->at[k].sum };
			n++;
		}
	}
	return n;
}

struct money exposure_column(const struct exposure *e, int64_t t0_s)
{
	const struct column *c = column_at(e, t0_s);
	return c ? c->worst : money_of(0);
}
