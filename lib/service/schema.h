/* schema.h - the tables of a week's file and of meta.db, as numbered migrations. Service floor. Private to ledger, book, week
 * and to the operator's `migrate`. */
#ifndef TAP_SCHEMA_H
#define TAP_SCHEMA_H

#include "store.h"

extern const struct store_schema schema_week; /* bets_YYYY_wWW.db */
extern const struct store_schema schema_meta; /* meta.db */

#endif
