#include "tally.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

enum { DRAWS = 400 };

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
	double se[TALLY_MODELS][TALLY_GROUPS];
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

static uint64_t next_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* The edge's deviation over draws of as many blocks as there are. */
static double deviation(const struct tally *t, int m, int group, const uint32_t *draws)
{
	double sum = 0, squares = 0;
	int good = 0;
	for (int d = 0; d < DRAWS; d++) {
		double bets = 0, paid = 0;
		for (size_t i = 0; i < t->n; i++) {
			const struct sums *s = &t->blocks[draws[(size_t) d * t->n + i]].sums[m][group];
			bets += s->bets;
			paid += s->paid;
		}
		if (bets == 0)
			continue;
		double edge = 1 - paid / bets;
		sum += edge;
		squares += edge * edge;
		good++;
	}
	return good > 1 ? sqrt(fmax(squares - sum * sum / good, 0) / (good - 1)) : NAN;
}

int tally_end(struct tally *t)
{
	uint64_t seed = 1;
	if (t->no_memory)
		return -ENOMEM;
	uint32_t *draws = calloc(t->n ? t->n * DRAWS : 1, sizeof *draws);
	if (!draws)
		return -ENOMEM;
	for (size_t i = 0; i < t->n * DRAWS; i++)
		draws[i] = (uint32_t) (next_random(&seed) % t->n);
	for (int m = 0; m < TALLY_MODELS; m++)
		for (int g = 0; g < TALLY_GROUPS; g++) {
			struct sums *all = &t->all[m][g];
			for (size_t i = 0; i < t->n; i++) {
				const struct sums *s = &t->blocks[i].sums[m][g];
				*all = (struct sums){ all->bets + s->bets, all->p + s->p, all->hits + s->hits,
					all->paid + s->paid, all->cells + s->cells, all->loss + s->loss,
					all->brier + s->brier };
			}
			t->se[m][g] = all->bets > 0 ? deviation(t, m, g, draws) : NAN;
		}
	free(draws);
	return 0;
}

struct tally_row tally_row(const struct tally *t, enum tally_model model, int group)
{
	const struct sums *s = &t->all[model][group];
	return (struct tally_row){ .bets = s->bets, .p = s->p / s->bets, .hit = s->hits / s->bets, .edge = 1 - s->paid / s->bets,
		.edge_se = t->se[model][group], .cells = s->cells, .loss = s->loss / s->cells, .brier = s->brier / s->cells };
}

size_t tally_blocks(const struct tally *t)
{
	return t->n;
}
