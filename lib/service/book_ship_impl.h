/* book_ship_impl.h - the one table of sealed rows that are told as they stand, the reader of a span, and a book while it is made again.
 * Private to book_ship*.c. */
#ifndef TAP_BOOK_SHIP_IMPL_H
#define TAP_BOOK_SHIP_IMPL_H

#include "book_ship.h"
#include "ledger_impl.h"
#include "path.h"
#include "seal.h"
#include "varint.h"

enum { SHIP_COLUMNS_MAX = 12, SHIP_CHANGES_MAX = 1 << 16 };

struct ship_value {
	enum stmt_type type; /* INT, TEXT, BLOB, NULL */
	int64_t i;
	const void *p;       /* into the span's bytes */
	size_t n;
};
struct ship_change {
	struct seal_change c;
	struct ship_value row[SHIP_COLUMNS_MAX]; /* none of the page and of a settlement */
};
struct ship_seal {
	struct ship_change *changes; /* into the unit's array */
	size_t n;
};
/* How many columns of a kind's row are told. */
int ship_columns(enum seal_kind kind);

/* A ledger row as it is told: balances, ids and links follow from it. */
struct ship_row {
	enum ledger_ref type;
	int64_t user, at_ms, t0_s, low_cents;   /* the cell: of BET, PAYOUT, REFUND */
	struct bet bet;                         /* of BET */
	int64_t amount;                         /* of the others, with text */
	const char *text;
	size_t text_n;
};
/* Where a span's reading or writing stands: differences are from the row before. */
struct ship_at {
	int64_t user, at_ms, t0_s, low_cents;
};

struct ship_reader {
	struct varint_reader in;
	struct ship_at at;
	struct ship_change *changes; /* of the unit; ship_reader_free */
	size_t n_changes, cap;
	struct ship_seal *seals;
	size_t n_seals, seals_cap;
	int64_t rows;                /* of the unit, not read yet */
	bool has_chain;
};
void ship_reader_free(struct ship_reader *r);
/* 1: a unit, its seals read and its rows next; 0: the last was read; -EBADMSG. */
MUST_CHECK int ship_next_unit(struct ship_reader *r);
MUST_CHECK bool ship_next_row(struct ship_reader *r, struct ship_row *ret);
struct ship_quote {
	int64_t id, t_ms;
	const void *made;
	size_t n;
};
/* 1: *q, which comes in as the one before; 0: the span's end; -EBADMSG. After the last unit. */
MUST_CHECK int ship_next_quote(struct ship_reader *r, struct ship_quote *q);

struct maker {
	struct store *db;
	const struct settings *rules;
	struct ship_reader in;
	struct book_pos at, here; /* at: of the unit that is read; here: where the book stands */
	struct tick *ticks;       /* of the column that bets were decided by last */
	struct path path;
	bool has_path;
	struct bet paid[LEDGER_SETTLE_MAX]; /* judged, of one column, kind and moment, not written yet */
	size_t n_paid;
};
/* BOOK_SHIP_E_OTHER and -EBADMSG with the commit. */
PRINTF_LIKE(2, 3) int ship_other(const struct maker *m, const char *fmt, ...);
int ship_malformed(const struct maker *m, const char *what);

/* The column of a sealed row; false: it is none. */
MUST_CHECK bool ship_column_of(const struct ship_change *c, struct column *ret);
/* The column's evidence, compared with its digest: the unit that is read brings it, or the book has it. */
MUST_CHECK int ship_find_path(struct maker *m, int64_t t0_s);
/* A PAYOUT or REFUND row. Those that follow each other are written together, in their order: by ship_pay_gathered at the latest. */
MUST_CHECK int ship_gather_payout(struct maker *m, const struct ship_row *row);
MUST_CHECK int ship_pay_gathered(struct maker *m);
/* What a slice of settlement decided without a row: every bet up to its mark that is still open has lost. */
MUST_CHECK int ship_decide_lost(struct maker *m, const struct settling *until);

#endif
