/* The body of a login: refused with a sentence, or a text inside the body and one or two signatures, of which a signer is found or
 * not, and the same both times. */
#include <string.h>

#include "bodies.h"
#include "check.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void) argc;
	(void) argv;
	CHECK(sig_init() == 0);
	return 0;
}

static void check_signer(const struct sig *sig, const char *text, size_t n)
{
	struct wallet one, two;
	int first = sig_recover(&one, sig, text, n), second = sig_recover(&two, sig, text, n);
	CHECK((first == 0) == (second == 0) && (first != 0 || wallet_eq(&one, &two)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(json_freep) struct json *doc = NULL;
	struct login_body b = { .text = NULL };
	const char *why;
	if (json_parse(&doc, (const char *) data, size, &why) != 0)
		return 0;
	if (body_login(json_root(doc), &b))
		return 0;
	CHECK(b.text && b.n == strlen(b.text) && b.n <= size);
	check_signer(&b.sig, b.text, b.n);
	if (b.has_key_sig)
		check_signer(&b.key_sig, b.text, b.n);
	CHECK(b.has_key_sig == (json_get(json_root(doc), "session_key_signature") != NULL));
	return 0;
}
