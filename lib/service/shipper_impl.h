/* shipper_impl.h - what the files of the shipper share. Private to shipper*.c. */
#ifndef TAP_SHIPPER_IMPL_H
#define TAP_SHIPPER_IMPL_H

#include "err.h"
#include "segment.h"
#include "shipper.h"
#include "week.h"

struct shipper {
	const struct settings *s;
	struct s3 *s3;
	int lock_fd;
	struct week *w;
	struct store *past;        /* the place's week, when it is not the current one */
	struct clk_week past_week;
	struct ship_place place;
	bool placed, stopped;
	uint64_t own;              /* segments that this life wrote */
	struct buf book, span, got, unpacked;
	struct buf out;            /* a segment, and where it leads; pending: it may be there or not, and is put again as it is */
	struct ship_place out_place;
	struct book_span out_told;
	bool pending;
	struct shipper_report report;
	char why[ERR_TEXT_MAX];    /* why it stopped */
};

static inline bool same_week(struct clk_week a, struct clk_week b)
{
	return a.year == b.year && a.week == b.week;
}

/* A transaction of the week's book: the current one, or a past one, which never changes again. -ENOENT: it is not here. */
MUST_CHECK int shipper_enter_book(struct shipper *sh, struct clk_week week, struct store **ret);
void shipper_leave_book(struct shipper *sh);
MUST_CHECK int shipper_open_book(struct shipper *sh);

/* The place is found, checked and noted: 0; SHIPPER_E_OTHER; <0. */
MUST_CHECK int shipper_find_place(struct shipper *sh);
/* 0: the place is one where this book has been; BOOK_SHIP_E_OTHER. */
MUST_CHECK int shipper_check_place(struct shipper *sh, struct clk_week week, const struct book_pos *at);
/* Is there a snapshot of the place's week, made here? */
void shipper_look_for_base(struct shipper *sh);
MUST_CHECK int shipper_save(struct shipper *sh);
MUST_CHECK int shipper_fetch(struct shipper *sh, int64_t number, struct segment *ret, struct hash *hash);
/* Where a segment leads. */
struct ship_place shipper_after(const struct segment *s, const struct hash *hash);
/* For good: SHIPPER_E_OTHER, with what and what err_text() says. */
int shipper_stop(struct shipper *sh, const char *what);

#endif
