#include "bodies.h"

#include <string.h>

static bool is_preset(const struct settings *s, int64_t stake)
{
	for (size_t i = 0; i < s->stake_presets.n; i++)
		if (s->stake_presets.v[i] == stake)
			return true;
	return false;
}

/* Form, then cell and stake. */
static struct bad read_members(const struct api *a, const struct json_value *o, struct tap *t, struct signed_part *part)
{
	size_t n, cell_n;
	int64_t rate, stake;
	const char *text = json_string(json_get(o, "wallet"), &n);
	if (!text || !wallet_parse(&t->wallet, text, n))
		return MALFORMED("wallet is 0x and 40 hex digits; mixed case must pass EIP-55.");
	const char *cell = json_string(json_get(o, "cell"), &cell_n);
	if (!cell)
		return MALFORMED("cell is a text, <t0>_<low>_<high>.");
	if (!json_int(json_get(o, "stake"), &stake))
		return MALFORMED("stake is an integer of micro-USD.");
	if (!json_int(json_get(o, "rate"), &rate) || rate < RATE_LEAST || rate > a->s->max_rate)
		return MALFORMED("rate is an integer of 1e-4, from 10100 to max_rate.");
	struct bad bad = signed_read(o, part);
	if (bad.problem != PROBLEM_NONE)
		return bad;
	if (!cell_parse(&t->cell, cell, cell_n, &a->rules))
		return (struct bad){ PROBLEM_INVALID_CELL, "cell is <t0>_<low>_<high>, aligned to columns and rows." };
	if (!is_preset(a->s, stake))
		return (struct bad){ PROBLEM_INVALID_STAKE, "stake must be one of stake_presets." };
	t->stake = money_of(stake);
	t->rate_min = (struct rate){ (int32_t) rate };
	t->timestamp_s = part->timestamp_s;
	t->chain_id = part->chain_id;
	memcpy(t->nonce, part->nonce, sizeof t->nonce);
	return bad;
}

struct bad body_bet(const struct api *a, const char *body, size_t n, struct tap *t, struct wallet *signer)
{
	_cleanup_(json_freep) struct json *doc = NULL;
	char text[TAP_TEXT_MAX];
	struct signed_part part;

	struct bad bad = signed_body(&doc, body, n);
	if (bad.problem == PROBLEM_NONE)
		bad = read_members(a, json_root(doc), t, &part);
	if (bad.problem != PROBLEM_NONE)
		return bad;
	size_t text_n = tap_text(text, t);
	return signed_check(a, &part, text, text_n, signer);
}

const char *body_login(const struct json_value *root, struct login_body *ret)
{
	const struct json_value *key_value = json_get(root, "session_key_signature");
	size_t n;
	ret->text = json_string(json_get(root, "message"), &ret->n);
	if (!ret->text)
		return "message is the text of the challenge.";
	const char *text = json_string(json_get(root, "signature"), &n);
	if (!text || sig_parse(&ret->sig, text, n) != 0)
		return "signature is 0x and 130 hex digits.";
	ret->has_key_sig = key_value != NULL;
	text = json_string(key_value, &n);
	if (key_value && (!text || sig_parse(&ret->key_sig, text, n) != 0))
		return "session_key_signature is 0x and 130 hex digits.";
	return NULL;
}
