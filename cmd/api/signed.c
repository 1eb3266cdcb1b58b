#include "signed.h"

#include <string.h>

#include "clk.h"

struct bad signed_body(struct json **ret, const char *body, size_t n)
{
	const char *why;
	int r = json_parse(ret, body, n, &why);
	if (r < 0)
		return (struct bad){ PROBLEM_UNAVAILABLE, "No memory; try again in a second." };
	if (r > 0)
		return MALFORMED(why);
	if (!json_is_object(json_root(*ret)))
		return MALFORMED("The body must be a JSON object.");
	return (struct bad){ PROBLEM_NONE, NULL };
}

struct bad signed_read(const struct json_value *o, struct signed_part *ret)
{
	size_t n;
	int64_t version;
	const char *text = json_string(json_get(o, "nonce"), &n);
	if (!text || !nonce_parse(ret->nonce, text, n))
		return MALFORMED("nonce is a UUID version 4 in lower case.");
	if (!json_int(json_get(o, "timestamp"), &ret->timestamp_s) || ret->timestamp_s < 0)
		return MALFORMED("timestamp is an integer of seconds since the Unix epoch.");
	if (!json_int(json_get(o, "chain_id"), &ret->chain_id))
		return MALFORMED("chain_id is an integer.");
	if (!json_int(json_get(o, "version"), &version) || version != TAP_VERSION)
		return MALFORMED("version is 1.");
	text = json_string(json_get(o, "signature"), &n);
	if (!text || sig_parse(&ret->sig, text, n) != 0)
		return MALFORMED("signature is 0x and 130 hex digits.");
	return (struct bad){ PROBLEM_NONE, NULL };
}

struct bad signed_check(const struct api *a, const struct signed_part *part, const char *text, size_t n, struct wallet *signer)
{
	if (part->chain_id != a->s->chain_id)
		return (struct bad){ PROBLEM_WRONG_CHAIN, "chain_id must be that of GET /grid's constants." };
	if (!signed_in_time(part->timestamp_s, clk_now_ms()))
		return (struct bad){ PROBLEM_SIGNATURE_EXPIRED, "timestamp must be within 30 seconds of now." };
	if (sig_recover(signer, &part->sig, text, n) != 0)
		return (struct bad){ PROBLEM_INVALID_SIGNATURE, "The signature is no valid one with low s." };
	return (struct bad){ PROBLEM_NONE, NULL };
}
