/* tally.h - what bets on every open cell of every grid would have won, in groups, with standard errors.
 * Cells overlap in time and columns: their outcomes are not independent. So sums are kept for each block of time, which is to be longer
 * than the grid reaches ahead: then a block shares its paths with none but its neighbours. An error is that of the blocks' sums, with
 * what neighbours have in common where that makes it more, and wider as fewer blocks speak (Student's t): two errors are 95 % in ten
 * blocks as in a thousand. Of a group that one block alone has there is none. */
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
	double gain, gain_se;  /* the plain formula's log-loss less the layer's, a cell; of buckets, where their cells differ, no word */
};

/* What an edge is beside the margin. TALLY_EXPLOITABLE: below zero by two errors; TALLY_OFF: further from the margin than three points
 * and two errors; TALLY_WITHIN: within three points, and two errors are no more; else TALLY_OPEN: the sample does not say. */
enum tally_verdict { TALLY_EXPLOITABLE, TALLY_OFF, TALLY_WITHIN, TALLY_OPEN, TALLY_VERDICTS };
enum tally_verdict tally_verdict(const struct tally_row *row, double margin);

struct tally;
MUST_CHECK int tally_new(struct tally **ret, int64_t block_ms, int64_t stake_micros);
struct tally *tally_free(struct tally *t);
play_cb tally_cell;
/* After the last cell: <0 without memory on the way. */
MUST_CHECK int tally_end(struct tally *t);
struct tally_row tally_row(const struct tally *t, enum tally_model model, int group);
size_t tally_blocks(const struct tally *t);

#endif
