/* limits_book_impl.h - a row of player_limits. Private to limits_book*.c, week_carry*.c.
 * hash = SHA-256(hash of the row before, zeros at first || id || user || kind || value || at || starts || length of who || who); every
 * integer is 8 bytes, big-endian. */
#ifndef TAP_LIMITS_BOOK_IMPL_H
#define TAP_LIMITS_BOOK_IMPL_H

#include "hash.h"
#include "limits_book.h"

#define LIMITS_COLUMNS "id, user, kind, value, at, starts, who, hash"
struct limits_row {
	int64_t id, user;
	struct limit_change change;
	const char *who; /* lives until the next step */
	size_t who_n;
	struct hash hash;
};
/* False: the columns are not what a row may hold. */
MUST_CHECK bool limits_read_row(struct stmt *st, struct limits_row *ret);
struct hash limits_row_hash(const struct hash *before, const struct limits_row *row);

#endif
