/* board.h - the open cells of the newest grid, and their dealing: which bet is on which cell, so that the cell is open when the
 * bet will be sent and no player has a cell twice. Columns that are not in the grid yet are dealt too: they will be when their
 * bets are due, and the rows that are surest now are open there as well. */
#ifndef LOAD_BOARD_H
#define LOAD_BOARD_H

#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "grid.h"

enum { BOARD_CELLS_MAX = GRID_COLUMNS_MAX * GRID_ROWS_MAX, BOARD_AHEAD_MAX = 64 };

struct board_cell {
	int column, row; /* column: so many behind the first placeable one */
	int64_t rate;
};

struct board {
	int64_t column_s, columns;
	int64_t low, height;  /* of row 0 */
	struct board_cell cells[BOARD_CELLS_MAX]; /* the surest first: those that stay open when the price moves */
	size_t n;
};

MUST_CHECK int board_read(struct board *ret, const char *api);

/* What one player has; zeroed to begin with. Columns count from the first that was placeable at base_s. */
struct hand {
	uint64_t rows[BOARD_AHEAD_MAX];
};

struct deal {
	int64_t base_s;          /* of the whole dealing */
	int64_t early_s, late_s; /* the bet is sent in between */
	size_t player, round;    /* where to begin looking */
	int64_t only_s;          /* this column alone; 0: any */
};

/* A cell that the hand has not and that is placeable all the while; false: there is none. hand NULL: any. */
bool board_deal(const struct board *b, const struct deal *d, struct hand *hand, struct cell *ret);

/* The column that so many behind the first placeable one is, at a moment. */
int64_t board_column(const struct board *b, int64_t at_s, int64_t behind);

#endif
