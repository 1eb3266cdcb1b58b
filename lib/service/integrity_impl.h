/* integrity_impl.h - how thoroughly, and on how many threads. Private to integrity*.c. */
#ifndef TAP_INTEGRITY_IMPL_H
#define TAP_INTEGRITY_IMPL_H

#include "integrity.h"

enum integrity_how { INTEGRITY_QUICK, INTEGRITY_FULL, INTEGRITY_STILL };
MUST_CHECK int integrity_of_current(struct week *w, enum integrity_how how, struct integrity *ret);
MUST_CHECK int integrity_of_store(struct store *db, enum integrity_how how, struct integrity *ret);

#endif
