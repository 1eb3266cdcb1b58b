/* schema.h - the tables of a week's file and of meta.db, as numbered migrations. Service floor. Private to ledger, book, week
 * and to the operator's `migrate`. */
#ifndef TAP_SCHEMA_H
#define TAP_SCHEMA_H

#include "store.h"

/* Rows under an external id. A query that says just this is served by the partial index ledger_external. */
#define SCHEMA_EXTERNAL \
	"ref_type = 'DEPOSIT' OR ref_type = 'WITHDRAWAL' OR ref_type = 'WITHDRAWAL_REVERSAL' OR ref_type = 'ADJUSTMENT'"

extern const struct store_schema schema_week; /* bets_YYYY_wWW.db */
extern const struct store_schema schema_meta; /* meta.db */

#endif
