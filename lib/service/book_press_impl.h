/* book_press_impl.h - what pressing and thawing share. Private to book_press*.c. */
#ifndef TAP_BOOK_PRESS_IMPL_H
#define TAP_BOOK_PRESS_IMPL_H

#include <stdbool.h>

#include "book_press.h"
#include "ledger_impl.h"

enum {
	COMMITS_EACH = 4096,
	NONCES_EACH = 1024, /* said again in the view `bets` */
	ROWS_A_LOOK = 32    /* a quarter of a millisecond */
};

struct press_units { /* what divides all of them; low_base: the least low, in units */
	int64_t t0, low, low_base, stake;
};

/* One write transaction, so that a page is written once, not with each commit that it gets rows in. */
struct press_writer {
	struct store *to;
	const struct book_pace *pace;
	int64_t rows;
};
/* After each row. */
MUST_CHECK int press_row(struct press_writer *w);
/* All rows of a table. */
MUST_CHECK int press_table(struct press_writer *w, struct store *from, const char *table);
/* Is the table one of the three whose rows are not taken as they stand? */
bool press_is_left_out(const char *table);

/* The tables in an order in which each row finds what it refers to, and no trigger refuses it. */
typedef int press_table_cb(void *u, const char *table, const char *sql);
MUST_CHECK int press_tables(struct store *from, press_table_cb *cb, void *u);

/* What is kept of each user while the ledger is walked through. */
struct press_user {
	int64_t balance, last_row, signer;
};
MUST_CHECK int press_users(struct store *db, struct press_user **ret, int64_t *ret_n);

MUST_CHECK int press_cannot(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif
