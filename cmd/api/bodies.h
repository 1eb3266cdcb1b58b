/* bodies.h - the bodies of a bet and of a login, read strictly: what needs neither Redis nor the book. Pure but for the clock. */
#ifndef TAP_API_BODIES_H
#define TAP_API_BODIES_H

#include <stddef.h>

#include "json.h"
#include "sig.h"
#include "signed.h"
#include "tap.h"

/* Form and stake, chain, timestamp, signature, in this order. NONE: *t is the bet and *signer who signed it. */
MUST_CHECK struct bad body_bet(const struct api *a, const char *body, size_t n, struct tap *t, struct wallet *signer);

struct login_body {
	const char *text; /* lives as long as the document */
	size_t n;
	struct sig sig, key_sig;
	bool has_key_sig;
};
/* NULL when all is well formed, else what is wrong. */
const char *body_login(const struct json_value *root, struct login_body *ret);

#endif
