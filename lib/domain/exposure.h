/* exposure.h - what the house could lose, what a player has at stake, and the caps on both. Domain floor, pure state.
 * The house's worst case on a cell is the sum of its payouts; on a column the sum over its cells (one path can sweep them
 * all); on everything the sum over columns. All in micro-USD. Thread: one owner. Memory: exposure_new gives, exposure_free
 * takes. Bound: GRID columns ahead plus those that wait for their settlement; see EXPOSURE_COLUMNS_MAX. */
#ifndef TAP_EXPOSURE_H
#define TAP_EXPOSURE_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "bet.h"
#include "money.h"

enum { EXPOSURE_COLUMNS_MAX = 4096 };

struct exposure_caps { /* each a sum that may be reached, not passed */
	struct money player_column, player_open;
	struct money cell, column, open;
};

struct exposure;
MUST_CHECK int exposure_new(struct exposure **ret, const struct exposure_caps *caps);
struct exposure *exposure_free(struct exposure *e);

/* May the bet be taken? Neither changes anything. The player's half (else: limit_reached), where player_open is the player's stake
 * open before it, which the book knows; and the house's half (else: cell_closed). */
bool exposure_player_fits(const struct exposure *e, const struct bet *bet, struct money player_open);
bool exposure_house_fits(const struct exposure *e, const struct bet *bet);
struct money exposure_player_column(const struct exposure *e, int64_t user, int64_t t0_s); /* his stakes in the column */
/* Counts a bet that is in the book (at start: every open one). Negative errno when memory or columns run out. */
MUST_CHECK int exposure_add(struct exposure *e, const struct bet *bet);
/* Takes back an exposure_add whose transaction rolled back. */
void exposure_undo(struct exposure *e, const struct bet *bet);
/* Forgets a column once the book has decided it. */
void exposure_drop_column(struct exposure *e, int64_t t0_s);
/* Columns held that start before t0_s, oldest first; returns how many of at most max. */
size_t exposure_columns_before(const struct exposure *e, int64_t t0_s, int64_t *out, size_t max);

/* What a further payout on the cell may come to, by the tightest of the house's caps. */
struct money exposure_room(const struct exposure *e, int64_t t0_s, int64_t low_cents);
struct money exposure_open(const struct exposure *e);

/* What a win of each cell would cost, column by column from the oldest. Writes at most max of them, gives how many there are. */
struct exposure_cell {
	int64_t t0_s, low_cents;
	struct money payout;
};
size_t exposure_cells(const struct exposure *e, struct exposure_cell *out, size_t max);
struct money exposure_column(const struct exposure *e, int64_t t0_s);

#endif
