/* book_ship_impl.h - the one table of sealed rows that are told as they stand, and the reader of a span. Private to book_ship*.c. */
#ifndef TAP_BOOK_SHIP_IMPL_H
#define TAP_BOOK_SHIP_IMPL_H

#include "book_ship.h"
#include "ledger_impl.h"
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

#endif
