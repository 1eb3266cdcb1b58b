/* week_roll_impl.h - a week's end under way: what was brought over so far. Private to week_roll.c, week_carry*.c. */
#ifndef TAP_WEEK_ROLL_IMPL_H
#define TAP_WEEK_ROLL_IMPL_H

#include "ledger_impl.h"
#include "week_impl.h"

enum { TRIGGERS_MAX = 32 };

struct kept_user {
	bool there;
	int64_t row; /* its OPENING row, 0: none */
	struct full_account a;
};

struct roll {
	struct week *w;
	struct making m;
	struct store *from, *to;
	int64_t now_ms, opened_ms;
	char opening[LEDGER_REF_ID_MAX];
	struct kept_user *users; /* by id */
	int64_t users_max, users_cap;
	int64_t *openings;       /* user by row */
	int64_t rows, rows_cap;
	struct bet *bets;        /* by key */
	size_t n_bets;
	int64_t withdrawals_from; /* later passes take those from this id again */
	int64_t refs_until;      /* ledger row up to which external ids were brought over */
	struct seal_sum sealed;  /* accounts, external ids, limits, session keys */
	int64_t limits_until, keys_until; /* rows up to which they were */
	char *triggers[TRIGGERS_MAX];
	size_t n_triggers;
};

/* The new file's rows are for ever once it is a book; until then later passes must correct them. */
MUST_CHECK int roll_lift_triggers(struct roll *r);
MUST_CHECK int roll_set_triggers(struct roll *r);
/* Binds a row's columns as they are. Borrowed until the next step of `from`. */
void roll_bind_row(struct stmt *from, struct stmt *to, int columns);
MUST_CHECK int roll_bring_limits(struct roll *r);
MUST_CHECK int roll_bring_keys(struct roll *r);
/* One pass: what `from` holds now, compared with what was brought before. */
MUST_CHECK int roll_bring_all(struct roll *r, bool first);

#endif
