/* sig: vectors made with viem 2.21.0 (hashMessage, signMessage); what must not count as a signature. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <string.h>

#include "hex.h"
#include "sig.h"

static const char secret_hex[] = "4c0883a69102937d6231471b5dbb6204fe5129617082792ae468d01a3f362318";
static const char wallet_text[] = "0x2c7536E3605D9C16a7a3D7b1898e529396a65c23";

static const struct vector {
	const char *text, *hash, *signature;
} vectors[] = {
	{ "tap login nonce=42", "f8b7ec19a890d2d70201771ec2b9361e284d2021707715fbe589b58b55372198",
		"0x4887bbb6f684216c9866f9caba51dec0da602611b670560ad7678e99696bae0c7adfc15c45007838c0d23a16fa1afc39"
		"bfdb98a5942e1d39e45228f3354b8aa61c" },
	{ "", "5f35dce98ba4fba25530a026ed80b2cecdaa31091ba4958b99b52ea1d068adad",
		"0x8a68b4e66cd2b575338e16069d7b65f6f67c7ceae8945dccf8cb7bdb06278d933dd9c888f3444ca4698464079a067ad3"
		"cfffe96d493b8ecf56885169d0fdfe7d1b" },
	{ "\xc3\xa9\xe2\x82\xac na\xc3\xafve \xf0\x9f\x8e\xaf", "7fe7c4c7c112fe8cd5496de40aff6ca56aa144739bb28b024e3c00ee41739e0e",
		"0xebf1407be54b716e4da49491edd9d39fe486c29eff05299b0d2f445aa5f40a682154087ff7b45866f08071f9a7d3d2d9"
		"96049aca39d31f34a62860098d116a431b" },
	{ "Tap Trading Bet\nAction: place_bet\nCell: 1771234565_9742000_9744000\nStake: 1000000\nRate: 23500\n"
	  "Nonce: 00000000-0000-4000-8000-000000000001\nTimestamp: 1771234560\nChain: 1\nVersion: 1", NULL,
		/* by the key 1, 0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf */
		"0x2ab06db6c28eeac91ac323ace47ae6ea0969c454f2df92f2e8f1ed76b73a74d66313b8df2f390d7b7a75c53fc604cfec"
		"2b7d5b77bb95083c26b485bb7e83ba8d1c" },
};

static struct sig signature_of(const struct vector *v)
{
	struct sig sig;
	assert_int_equal(sig_parse(&sig, v->signature, strlen(v->signature)), 0);
	return sig;
}

static void assert_signer(const struct sig *sig, const char *text, const char *wallet)
{
	struct wallet w;
	char spelled[WALLET_TEXT_SIZE];
	assert_int_equal(sig_recover(&w, sig, text, strlen(text)), 0);
	wallet_format(spelled, &w);
	assert_string_equal(spelled, wallet);
}

static int recover(const struct sig *sig)
{
	struct wallet w;
	return sig_recover(&w, sig, vectors[0].text, strlen(vectors[0].text));
}

static void signers_are_recovered(void **state)
{
	(void) state;
	for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
		const struct vector *v = &vectors[i];
		struct sig sig = signature_of(v);
		assert_signer(&sig, v->text, v->hash ? wallet_text : "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf");
		if (v->hash) {
			uint8_t want[HASH_SIZE];
			assert_true(hex_decode(want, sizeof want, v->hash));
			struct hash h = sig_message_hash(v->text, strlen(v->text));
			assert_memory_equal(h.b, want, sizeof want);
		}
	}
}

static void signing_is_viems(void **state)
{
	(void) state;
	uint8_t secret[32];
	struct wallet w;
	char spelled[WALLET_TEXT_SIZE];
	assert_true(hex_decode(secret, sizeof secret, secret_hex));
	assert_int_equal(sig_address(&w, secret), 0);
	wallet_format(spelled, &w);
	assert_string_equal(spelled, wallet_text);
	for (size_t i = 0; i < 3; i++) { /* RFC 6979 makes it the same signature */
		struct sig want = signature_of(&vectors[i]), made;
		assert_int_equal(sig_sign(&made, secret, vectors[i].text, strlen(vectors[i].text)), 0);
		assert_memory_equal(made.b, want.b, SIG_SIZE);
	}
	memset(secret, 0, sizeof secret);
	struct sig none;
	assert_int_equal(sig_sign(&none, secret, "x", 1), SIG_E_INVALID);
	assert_int_equal(sig_address(&w, secret), SIG_E_INVALID);
	memset(secret, 0xff, sizeof secret);
	assert_int_equal(sig_address(&w, secret), SIG_E_INVALID);
}

static void v_is_one_of_four(void **state)
{
	(void) state;
	struct sig sig = signature_of(&vectors[0]);
	struct wallet w;
	assert_int_equal(sig.b[64], 28);
	for (int v = 0; v < 256; v++) {
		sig.b[64] = (uint8_t) v;
		int r = recover(&sig);
		if (v == 1 || v == 28) {
			assert_int_equal(r, 0);
			assert_signer(&sig, vectors[0].text, wallet_text);
		} else if (v == 0 || v == 27) { /* the other point: someone, but not the signer */
			char spelled[WALLET_TEXT_SIZE];
			if (r == 0) {
				assert_int_equal(sig_recover(&w, &sig, vectors[0].text, strlen(vectors[0].text)), 0);
				wallet_format(spelled, &w);
				assert_string_not_equal(spelled, wallet_text);
			}
		} else {
			assert_int_equal(r, SIG_E_INVALID);
		}
	}
}

/* s' = n - s with the other v recovers the same signer in plain ECDSA: the twin must not count. */
static void high_s_is_refused(void **state)
{
	(void) state;
	static const uint8_t order[32] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
		0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b, 0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41,
	};
	struct sig twin = signature_of(&vectors[0]);
	int borrow = 0;
	for (int i = 31; i >= 0; i--) {
		int d = order[i] - twin.b[32 + i] - borrow;
		borrow = d < 0;
		twin.b[32 + i] = (uint8_t) (d & 0xff);
	}
	twin.b[64] ^= 27 ^ 28;
	assert_int_equal(recover(&twin), SIG_E_INVALID);
	/* exactly half is allowed, one more is not; whether a point exists does not matter for the second */
	struct sig edge = signature_of(&vectors[0]);
	assert_true(hex_decode(edge.b + 32, 32, "7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0"));
	assert_int_equal(recover(&edge), 0);
	edge.b[63]++;
	assert_int_equal(recover(&edge), SIG_E_INVALID);
}

static void r_and_s_are_in_range(void **state)
{
	(void) state;
	struct sig sig = signature_of(&vectors[0]);
	memset(sig.b, 0, 32);
	assert_int_equal(recover(&sig), SIG_E_INVALID);
	sig = signature_of(&vectors[0]);
	memset(sig.b + 32, 0, 32);
	assert_int_equal(recover(&sig), SIG_E_INVALID);
	sig = signature_of(&vectors[0]);
	memset(sig.b, 0xff, 32);
	assert_int_equal(recover(&sig), SIG_E_INVALID);
	memset(&sig, 0, sizeof sig);
	assert_int_equal(recover(&sig), SIG_E_INVALID);
}

static void a_changed_byte_is_another_signer(void **state)
{
	(void) state;
	char text[] = "tap login nonce=42";
	struct sig sig = signature_of(&vectors[0]);
	struct wallet w, right;
	assert_true(wallet_parse(&right, wallet_text, strlen(wallet_text)));
	for (size_t i = 0; i < sizeof text - 1; i++) {
		text[i] ^= 1;
		assert_true(sig_recover(&w, &sig, text, sizeof text - 1) != 0 || !wallet_eq(&w, &right));
		text[i] ^= 1;
	}
	assert_int_equal(sig_recover(&w, &sig, text, sizeof text - 1), 0);
	assert_true(wallet_eq(&w, &right));
}

static void forms_are_exact(void **state)
{
	(void) state;
	struct sig sig;
	char text[2 + 2 * SIG_SIZE + 2] = "0x";
	memset(text + 2, 'A', 2 * SIG_SIZE + 1);
	assert_int_equal(sig_parse(&sig, text, 2 + 2 * SIG_SIZE), 0);
	assert_int_equal(sig.b[64], 0xaa);
	assert_int_equal(sig_parse(&sig, text, 2 + 2 * SIG_SIZE - 1), SIG_E_FORM);
	assert_int_equal(sig_parse(&sig, text, 2 + 2 * SIG_SIZE + 1), SIG_E_FORM);
	assert_int_equal(sig_parse(&sig, text, 0), SIG_E_FORM);
	text[1] = 'X';
	assert_int_equal(sig_parse(&sig, text, 2 + 2 * SIG_SIZE), SIG_E_FORM);
	text[1] = 'x';
	text[40] = 'g';
	assert_int_equal(sig_parse(&sig, text, 2 + 2 * SIG_SIZE), SIG_E_FORM);
}

static void long_texts_are_refused(void **state)
{
	(void) state;
	static char text[SIG_TEXT_MAX + 1];
	struct sig sig = signature_of(&vectors[0]);
	struct wallet w;
	memset(text, 'x', sizeof text);
	assert_int_equal(sig_recover(&w, &sig, text, SIG_TEXT_MAX), 0);
	assert_int_equal(sig_recover(&w, &sig, text, SIG_TEXT_MAX + 1), SIG_E_INVALID);
}

static char passed; /* its address says that all went well */

static void *recover_often(void *unused)
{
	struct sig sig = signature_of(&vectors[0]);
	struct wallet w, right;
	(void) unused;
	if (!wallet_parse(&right, wallet_text, strlen(wallet_text)))
		return NULL;
	for (int i = 0; i < 50; i++)
		if (sig_recover(&w, &sig, vectors[0].text, strlen(vectors[0].text)) != 0 || !wallet_eq(&w, &right))
			return NULL;
	return &passed;
}

static void threads_share_the_context(void **state)
{
	(void) state;
	pthread_t threads[4];
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, recover_often, NULL), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
		void *ok = NULL;
		assert_int_equal(pthread_join(threads[i], &ok), 0);
		assert_non_null(ok);
	}
}

static int init(void **state)
{
	(void) state;
	return sig_init() || sig_init();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(signers_are_recovered),
		cmocka_unit_test(signing_is_viems),
		cmocka_unit_test(v_is_one_of_four),
		cmocka_unit_test(high_s_is_refused),
		cmocka_unit_test(r_and_s_are_in_range),
		cmocka_unit_test(a_changed_byte_is_another_signer),
		cmocka_unit_test(forms_are_exact),
		cmocka_unit_test(long_texts_are_refused),
		cmocka_unit_test(threads_share_the_context),
	};
	return cmocka_run_group_tests_name("sig", tests, init, NULL);
}
