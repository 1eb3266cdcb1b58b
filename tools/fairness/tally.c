#include "tally.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

#define POINTS 0.03

const double tally_bucket_from[TALLY_BUCKETS + 1] = { 0.04, 0.06, 0.09, 0.13, 0.20, 0.30, 0.45, 0.65, 1.0 };

struct sums {
	double bets, p, hits, paid, cells, loss, brier;
};

struct block {
	int64_t at; /* t / block_ms */
	struct sums sums[TALLY_MODELS][TALLY_GROUPS];
};

struct tally {
	int64_t block_ms;
	struct money stake;
	struct block *blocks;
	size_t n, cap;
	bool no_memory;
	struct sums all[TALLY_MODELS][TALLY_GROUPS];
};

int tally_new(struct tally **ret, int64_t block_ms, int64_t stake_micros)
{
	struct tally *t = calloc(1, sizeof *t);
	if (!t)
		return -ENOMEM;
	t->block_ms = block_ms;
	t->stake = money_of(stake_micros);
	*ret = t;
	return 0;
}

struct tally *tally_free(struct tally *t)
{
	if (t)
		free(t->blocks);
	free(t);
	return NULL;
}

static struct block *block_at(struct tally *t, int64_t at)
{
	if (t->n && t->blocks[t->n - 1].at == at)
		return &t->blocks[t->n - 1];
	if (t->n == t->cap) {
		size_t cap = t->cap ? 2 * t->cap : 64;
		struct block *b = realloc(t->blocks, cap * sizeof *b);
		if (!b) {
			t->no_memory = true;
			return NULL;
		}
		t->blocks = b;
		t->cap = cap;
	}
	t->blocks[t->n] = (struct block){ .at = at };
	return &t->blocks[t->n++];
}

static int bucket_of(double p)
{
	int i = TALLY_BUCKETS - 1;
	while (i > 0 && p < tally_bucket_from[i])
		i--;
	return i;
}

/* In rows, from the price to the cell's middle. */
static int distance_of(const struct play_cell *c)
{
	int64_t h = c->made->rules.grid.row_cents;
	double rows = fabs((double) (2 * (c->low_cents - c->made->p_cents) + h) / (double) (2 * h));
	return rows >= TALLY_DISTANCES - 1 ? TALLY_DISTANCES - 1 : (int) lround(rows);
}

/* Paid for a stake of one. */
static double payout(const struct tally *t, const struct play_cell *c, int32_t rate)
{
	struct money paid;
	bool fits = outcome_payout(&paid, c->outcome, t->stake, (struct rate){ rate });
	CHECK(fits);
	return (double) paid.micros / (double) t->stake.micros;
}

static void count(struct sums *s, double p, bool hit, bool open, double paid)
{
	s->cells++;
	s->loss -= log(fmax(hit ? p : 1 - p, 1e-6));
	s->brier += (p - hit) * (p - hit);
	if (!open)
		return;
	s->bets++;
	s->p += p;
	s->hits += hit;
	s->paid += paid;
}

void tally_cell(void *u, const struct play_cell *c)
{
	struct tally *t = u;
	if (c->outcome == OUTCOME_VOID || (c->rate == 0 && c->plain_rate == 0))
		return;
	struct block *b = block_at(t, c->made->t_ms / t->block_ms);
	if (!b)
		return;
	int distance = distance_of(c);
	for (int m = 0; m < TALLY_MODELS; m++) {
		double p = m == TALLY_LAYER ? c->p : c->plain_p;
		int32_t rate = m == TALLY_LAYER ? c->rate : c->plain_rate;
		const int groups[] = { TALLY_ALL, TALLY_COLUMN + c->column, TALLY_DISTANCE + distance,
			TALLY_PLACE + c->column * TALLY_DISTANCES + distance, TALLY_BUCKET + bucket_of(p) };
		double paid = rate ? payout(t, c, rate) : 0;
		for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++)
			if (rate || groups[i] != TALLY_BUCKET + bucket_of(p))
				count(&b->sums[m][groups[i]], p, c->outcome == OUTCOME_WON, rate != 0, paid);
	}
}

/* Student's 97.5th percentile beside the normal one (Cornish-Fisher, Abramowitz and Stegun 26.7.5). */
static double student(double degrees)
{
	const double z = 1.959963984540054, z2 = z * z, d = degrees;
	return 1 + (z2 + 1) / (4 * d) + ((5 * z2 + 16) * z2 + 3) / (96 * d * d) +
			(((3 * z2 + 19) * z2 + 17) * z2 - 15) / (384 * d * d * d);
}

/* Sums what the blocks' residuals, which are nothing together, say of the error of that. */
struct residuals {
	double squares, common, before;
	int64_t at_before;
	double blocks;
};

static void add_residual(struct residuals *r, int64_t at, double v)
{
	if (r->blocks > 0 && at == r->at_before + 1)
		r->common += r->before * v;
	r->squares += v * v;
	r->before = v;
	r->at_before = at;
	r->blocks++;
}

static double error_of(const struct residuals *r)
{
	double degrees = r->blocks - 1;
	return degrees < 1 ? NAN : student(degrees) * sqrt((r->squares + 2 * fmax(r->common, 0)) * r->blocks / degrees);
}

static double edge_error(const struct tally *t, int m, int group)
{
	const struct sums *all = &t->all[m][group];
	struct residuals r = { 0 };
	for (size_t i = 0; i < t->n; i++) {
		const struct sums *s = &t->blocks[i].sums[m][group];
		if (s->bets > 0)
			add_residual(&r, t->blocks[i].at, s->paid - all->paid / all->bets * s->bets);
	}
	return error_of(&r) / all->bets;
}

static double gain_of(const struct sums sums[TALLY_MODELS][TALLY_GROUPS], int group)
{
	return sums[TALLY_PLAIN][group].loss - sums[TALLY_LAYER][group].loss;
}

static double gain_error(const struct tally *t, int group)
{
	double cells = t->all[TALLY_LAYER][group].cells;
	struct residuals r = { 0 };
	for (size_t i = 0; i < t->n; i++) {
		double of_block = t->blocks[i].sums[TALLY_LAYER][group].cells;
		if (of_block > 0)
			add_residual(&r, t->blocks[i].at, gain_of(t->blocks[i].sums, group) - gain_of(t->all, group) / cells * of_block);
	}
	return error_of(&r) / cells;
}

static void add_sums(struct sums *all, const struct sums *s)
{
	*all = (struct sums){ all->bets + s->bets, all->p + s->p, all->hits + s->hits, all->paid + s->paid, all->cells + s->cells,
		all->loss + s->loss, all->brier + s->brier };
}

int tally_end(struct tally *t)
{
	if (t->no_memory)
		return -ENOMEM;
	for (int m = 0; m < TALLY_MODELS; m++)
		for (int g = 0; g < TALLY_GROUPS; g++)
			for (size_t i = 0; i < t->n; i++)
				add_sums(&t->all[m][g], &t->blocks[i].sums[m][g]);
	return 0;
}

enum tally_verdict tally_verdict(const struct tally_row *row, double margin)
{
	double off = fabs(row->edge - margin);
	if (row->edge + 2 * row->edge_se < 0)
		return TALLY_EXPLOITABLE;
	if (off > POINTS + 2 * row->edge_se)
		return TALLY_OFF;
	return off <= POINTS && 2 * row->edge_se <= POINTS ? TALLY_WITHIN : TALLY_OPEN;
}

struct tally_row tally_row(const struct tally *t, enum tally_model model, int group)
{
	const struct sums *s = &t->all[model][group];
	bool bucket = group >= TALLY_BUCKET && group < TALLY_BUCKET + TALLY_BUCKETS;
	return (struct tally_row){ .bets = s->bets, .p = s->p / s->bets, .hit = s->hits / s->bets, .edge = 1 - s->paid / s->bets,
		.edge_se = edge_error(t, model, group), .gain = bucket ? NAN : gain_of(t->all, group) / s->cells,
		.gain_se = bucket ? NAN : gain_error(t, group), .cells = s->cells,
		.loss = s->loss / s->cells, .brier = s->brier / s->cells };
}

size_t tally_blocks(const struct tally *t)
{
	return t->n;
}
