/* signed.h - what signed bodies share: nonce, timestamp, chain, version, signature, and the order in which they are checked. */
#ifndef TAP_API_SIGNED_H
#define TAP_API_SIGNED_H

#include <stddef.h>
#include <stdint.h>

#include "api.h"
#include "json.h"
#include "sig.h"
#include "tap.h"

/* What is wrong with a body; problem NONE: nothing. */
struct bad {
	enum problem problem;
	const char *detail;
};
#define MALFORMED(detail) ((struct bad){ PROBLEM_MALFORMED_REQUEST, (detail) })

struct signed_part {
	uint8_t nonce[NONCE_SIZE];
	int64_t timestamp_s, chain_id;
	struct sig sig;
};

/* The body as an object in *ret (the caller frees it). */
MUST_CHECK struct bad signed_body(struct json **ret, const char *body, size_t n);
/* Form alone. */
MUST_CHECK struct bad signed_read(const struct json_value *o, struct signed_part *ret);
/* Chain, timestamp, signature, in this order; the signer of the text goes to *signer. */
MUST_CHECK struct bad signed_check(const struct api *a, const struct signed_part *part, const char *text, size_t n,
		struct wallet *signer);

#endif
