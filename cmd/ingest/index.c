#include "index.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

enum {
	TEACHERS = 3, /* so that one that lies is outvoted */
	BASIS_SAMPLES = 3000,             /* 5 minutes of ten a second: the weight of one sample is never below 1 / this */
	BASIS_STEP_MAX = INDEX_BASIS_ONE / 5000 /* 2 bp: further off, a venue lags behind a move rather than tether's price changed */
};

const char *index_standing_name(enum index_standing s)
{
	static const char *const names[] = { "silent", "stale", "no_basis", "off_band", "live" };
	return names[s];
}

void index_init(struct index *ix, const struct index_rules *rules)
{
	*ix = (struct index){ .rules = *rules };
}

static bool within(int64_t v, int64_t of, int64_t bp)
{
	return llabs(v - of) * 10000 <= of * bp;
}

void index_recall(struct index *ix, size_t venue, int64_t basis_e9)
{
	if (ix->basis[venue].e9 != 0 || !within(basis_e9, INDEX_BASIS_ONE, INDEX_BASIS_OFF_MAX_BP))
		return;
	ix->basis[venue].e9 = basis_e9;
	ix->basis[venue].samples = INDEX_RECALLED_SAMPLES;
}

static int by_size(const void *a, const void *b)
{
	const int64_t *x = a, *y = b;
	return (*x > *y) - (*x < *y);
}

static int64_t median(int64_t *v, size_t n)
{
	qsort(v, n, sizeof *v, by_size);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

/* The median over those that `take` marks; 0 when there is none. */
static int64_t median_of(const int64_t *values, const bool *take, size_t n)
{
	int64_t taken[INDEX_VENUES_MAX];
	size_t count = 0;
	for (size_t i = 0; i < n; i++)
		if (take[i])
			taken[count++] = values[i];
	return count ? median(taken, count) : 0;
}

static int64_t basis_of(int64_t usdt_e4, int64_t usd_e4)
{
	return (int64_t) ((__int128) usdt_e4 * INDEX_BASIS_ONE / usd_e4);
}

/* A venue's price in dollars; 0 when that cannot be said. usd_e4: the dollar venues' median when they may teach a basis, else 0;
 * any_usd: there are such venues, though they may be silent. */
static int64_t in_dollars(const struct index *ix, size_t i, const struct index_input *in, int64_t usd_e4, bool any_usd)
{
	int64_t basis = ix->basis[i].e9;
	if (in->quote == QUOTED_USD)
		return in->mid_e4;
	if (basis == 0 && usd_e4)
		basis = basis_of(in->mid_e4, usd_e4);
	if (basis == 0)
		return any_usd ? 0 : in->mid_e4;
	if (!within(basis, INDEX_BASIS_ONE, INDEX_BASIS_OFF_MAX_BP))
		return 0;
	return (int64_t) ((__int128) in->mid_e4 * INDEX_BASIS_ONE / basis);
}

/* A running mean at first, an exponential one later, of what is seen no further than a step off. */
static void learn_basis(struct index *ix, size_t i, int64_t seen_e9)
{
	int64_t off = seen_e9 - ix->basis[i].e9;
	if (ix->basis[i].samples == 0) {
		ix->basis[i].e9 = seen_e9;
		ix->basis[i].samples = 1;
		return;
	}
	off = off > BASIS_STEP_MAX ? BASIS_STEP_MAX : off < -BASIS_STEP_MAX ? -BASIS_STEP_MAX : off;
	if (ix->basis[i].samples < BASIS_SAMPLES)
		ix->basis[i].samples++;
	ix->basis[i].e9 += off / ix->basis[i].samples;
}

/* After the standings are known. far: what it says now is further off than tether moves at once. */
static void doubt_basis(struct index *ix, size_t i, bool far, int64_t mono_ms)
{
	if (ix->standing[i] != VENUE_OFF_BAND && !far)
		ix->basis[i].apart_ms = 0;
	else if (ix->basis[i].apart_ms == 0)
		ix->basis[i].apart_ms = mono_ms;
	else if (mono_ms - ix->basis[i].apart_ms > INDEX_RELEARN_MS)
		memset(&ix->basis[i], 0, sizeof ix->basis[i]);
}

/* One round of the rule: each venue's prices, and who still counts. */
struct round {
	size_t n;
	int usd, usd_fresh; /* dollar venues there are, and that spoke in time */
	int64_t raw[INDEX_VENUES_MAX], value[INDEX_VENUES_MAX]; /* as told; in dollars */
	bool counts[INDEX_VENUES_MAX];
};

/* The median of the dollar venues that still count; 0 when there is none. */
static int64_t dollar_median(const struct round *r, const struct index_input *in)
{
	bool usd[INDEX_VENUES_MAX] = { false };
	for (size_t i = 0; i < r->n; i++)
		usd[i] = r->counts[i] && in[i].quote == QUOTED_USD;
	return median_of(r->raw, usd, r->n);
}

/* Can it be told what tether is worth? */
static bool is_taught(const struct round *r)
{
	return r->usd_fresh >= (r->usd < TEACHERS ? r->usd : TEACHERS);
}

static void keep_fresh(struct index *ix, struct round *r, const struct index_input *in, int64_t mono_ms)
{
	for (size_t i = 0; i < r->n; i++) {
		r->raw[i] = in[i].mid_e4;
		r->counts[i] = in[i].mid_e4 > 0 && mono_ms - in[i].heard_mono_ms < ix->rules.stale_ms;
		ix->standing[i] = in[i].mid_e4 <= 0 ? VENUE_SILENT : r->counts[i] ? VENUE_LIVE : VENUE_STALE;
		r->usd += in[i].quote == QUOTED_USD;
		r->usd_fresh += in[i].quote == QUOTED_USD && r->counts[i];
	}
}

static void leave_out(struct index *ix, struct round *r, size_t i)
{
	r->counts[i] = false;
	ix->standing[i] = VENUE_OFF_BAND;
}

static void convert(struct index *ix, struct round *r, const struct index_input *in)
{
	int64_t usd_e4 = is_taught(r) ? dollar_median(r, in) : 0;
	for (size_t i = 0; i < r->n; i++) {
		r->value[i] = r->counts[i] ? in_dollars(ix, i, &in[i], usd_e4, r->usd > 0) : 0;
		if (!r->counts[i] || r->value[i])
			continue;
		leave_out(ix, r, i);
		if (ix->basis[i].e9 == 0 && usd_e4 == 0)
			ix->standing[i] = VENUE_NO_BASIS;
	}
}

static bool is_pair_apart(const struct index *ix, const struct round *r)
{
	int64_t value[INDEX_VENUES_MAX];
	size_t count = 0;
	for (size_t i = 0; i < r->n; i++)
		if (r->counts[i])
			value[count++] = r->value[i];
	return count == 2 && !within(value[0], value[1], ix->rules.pair_bp);
}

static void keep_in_band(struct index *ix, struct round *r)
{
	int64_t middle = median_of(r->value, r->counts, r->n);
	bool apart = is_pair_apart(ix, r);
	for (size_t i = 0; i < r->n; i++)
		if (r->counts[i] && (apart || !within(r->value[i], middle, ix->rules.band_bp)))
			leave_out(ix, r, i);
}

static void learn(struct index *ix, const struct round *r, const struct index_input *in, int64_t mono_ms)
{
	int64_t usd_e4 = dollar_median(r, in);
	for (size_t i = 0; i < r->n; i++) {
		bool far = false;
		if (!is_taught(r)) {
			ix->basis[i].apart_ms = 0;
			continue;
		}
		if (usd_e4 && r->counts[i] && in[i].quote == QUOTED_USDT) {
			int64_t seen = basis_of(in[i].mid_e4, usd_e4);
			far = ix->basis[i].e9 && llabs(seen - ix->basis[i].e9) > BASIS_STEP_MAX;
			learn_basis(ix, i, seen);
		}
		doubt_basis(ix, i, far, mono_ms);
	}
}

bool index_price(struct index *ix, const struct index_input *in, size_t n, int64_t mono_ms, int64_t *ret_e4)
{
	struct round r = { .n = n };

	CHECK(n <= INDEX_VENUES_MAX);
	keep_fresh(ix, &r, in, mono_ms);
	convert(ix, &r, in);
	keep_in_band(ix, &r);
	learn(ix, &r, in, mono_ms);
	ix->live = 0;
	for (size_t i = 0; i < n; i++) {
		ix->value_e4[i] = r.counts[i] ? r.value[i] : 0;
		ix->live += r.counts[i];
	}
	if (ix->live == 0 || ix->live < ix->rules.min_venues)
		return false;
	*ret_e4 = median_of(r.value, r.counts, n);
	return true;
}
