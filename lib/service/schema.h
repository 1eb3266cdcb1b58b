/* schema.h - the tables of a week's file and of meta.db, as numbered migrations. Service floor. Private to ledger, book, week
 * and to the operator's `migrate`. */
#ifndef TAP_SCHEMA_H
#define TAP_SCHEMA_H

#include "store.h"

/* Rows under an external id. A query that says just this is served by the partial index ledger_external. */
#define SCHEMA_EXTERNAL \
	"ref_type = 'DEPOSIT' OR ref_type = 'WITHDRAWAL' OR ref_type = 'WITHDRAWAL_REVERSAL' OR ref_type = 'ADJUSTMENT'"

/* The ULID of the bets row b, in SQL. */
#define SCHEMA_CHAR(v, shift) "substr('0123456789ABCDEFGHJKMNPQRSTVWXYZ', 1 + ((" v " >> " shift ") & 31), 1)"
#define SCHEMA_EIGHT(v) SCHEMA_CHAR(v, "35") "||" SCHEMA_CHAR(v, "30") "||" SCHEMA_CHAR(v, "25") "||" SCHEMA_CHAR(v, "20") "||" \
	SCHEMA_CHAR(v, "15") "||" SCHEMA_CHAR(v, "10") "||" SCHEMA_CHAR(v, "5") "||" SCHEMA_CHAR(v, "0")
#define SCHEMA_BET_ID SCHEMA_CHAR("b.placed_at", "45") "||" SCHEMA_CHAR("b.placed_at", "40") "||" SCHEMA_EIGHT("b.placed_at") "||" \
	SCHEMA_EIGHT("((b.t0 - b.placed_at / 1000 << 24) | (b.low >> 8))") "||" SCHEMA_EIGHT("(((b.low & 255) << 32) | b.user)")

extern const struct store_schema schema_week; /* bets_YYYY_wWW.db */
extern const struct store_schema schema_meta; /* meta.db */

#endif
