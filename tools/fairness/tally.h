/* tally.h - what bets on every open cell of every grid would have won, in groups, with standard errors.
 * Cells overlap in time and columns: their outcomes are not independent. So sums are kept for each block of time, and the standard
 * error is that of a bootstrap that draws whole blocks (fixed seed: same input, same figures). A block is to be longer than the
 * grid reaches ahead; with fewer than ten blocks an error bar is a rough word. */
#ifndef FAIRNESS_TALLY_H
#define FAIRNESS_TALLY_H

#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "play.h"

enum tally_model { TALLY_LAYER, TALLY_PLAIN, TALLY_MODELS };
enum { TALLY_BUCKETS = 8, TALLY_DISTANCES = 8 };

/* Groups: all, by the probability that was quoted, by column, by distance in rows, by column and distance. */
enum {
	TALLY_ALL = 0,
	TALLY_BUCKET = 1,
	TALLY_COLUMN = TALLY_BUCKET + TALLY_BUCKETS,
	TALLY_DISTANCE = TALLY_COLUMN + GRID_COLUMNS_MAX,
	TALLY_PLACE = TALLY_DISTANCE + TALLY_DISTANCES,
	TALLY_GROUPS = TALLY_PLACE + GRID_COLUMNS_MAX * TALLY_DISTANCES
};
extern const double tally_bucket_from[TALLY_BUCKETS + 1];

struct tally_row {
	double bets;           /* one on each open cell of each grid; a void column's are left out */
	double p, hit;         /* mean predicted, and hit rate */
	double edge, edge_se;  /* 1 - payout / stake */
	double cells, loss, brier; /* over cells that either model leaves open */
};

struct tally;
MUST_CHECK int tally_new(struct tally **ret, int64_t block_ms, int64_t stake_micros);
struct tally *tally_free(struct tally *t);
play_cb tally_cell;
/* After the last cell: <0 without memory on the way. */
MUST_CHECK int tally_end(struct tally *t);
struct tally_row tally_row(const struct tally *t, enum tally_model model, int group);
size_t tally_blocks(const struct tally *t);

#endif
