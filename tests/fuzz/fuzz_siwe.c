/* The sign-in text, made from any wallet, key, caps and moment, against the ABNF of EIP-4361 read here anew: whatever goes in, it is
 * one message of that grammar, with the values in it and no line more. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "auth.h"
#include "check.h"
#include "clk.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct settings settings;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	char *const none[] = { NULL };
	(void) argc;
	(void) argv;
	CHECK(settings_load(&settings, none, stderr) == 0);
	return 0;
}

/* Takes n bytes of the input; zeros where it ends. */
struct input {
	const uint8_t *p;
	size_t n;
};

static void take(struct input *in, void *to, size_t n)
{
	size_t have = n < in->n ? n : in->n;
	memset(to, 0, n);
	if (have)
		memcpy(to, in->p, have);
	in->p += have;
	in->n -= have;
}

static int64_t take_number(struct input *in)
{
	int64_t v;
	take(in, &v, sizeof v);
	return v & INT64_MAX;
}

/* The reader: *at moves over what it wants. */
static void want(const char **at, const char *text)
{
	CHECK(strncmp(*at, text, strlen(text)) == 0);
	*at += strlen(text);
}

static void want_wallet(const char **at, const struct wallet *w)
{
	char text[WALLET_TEXT_SIZE];
	wallet_format(text, w);
	want(at, text);
}

static void want_number(const char **at, int64_t v)
{
	char text[24];
	(void) snprintf(text, sizeof text, "%lld", (long long) v);
	want(at, text);
}

/* date-time of RFC 3339 in UTC, with milliseconds. */
static void want_time(const char **at, int64_t ms)
{
	char text[CLK_RFC3339_SIZE];
	static const char form[] = "dddd-dd-ddTdd:dd:dd.dddZ";
	for (size_t i = 0; i < sizeof form - 1; i++)
		CHECK(form[i] == 'd' ? (*at)[i] >= '0' && (*at)[i] <= '9' : (*at)[i] == form[i]);
	clk_rfc3339(text, ms);
	want(at, text);
}

/* statement = 1*( reserved / unreserved / " " ) */
static void want_statement(const char **at)
{
	size_t n = strspn(*at, " :/?#[]@!$&'()*+,;=-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");
	CHECK(n > 0 && (*at)[n] == '\n');
	*at += n;
}

static void want_nonce(const char **at)
{
	size_t n = strspn(*at, "0123456789abcdef");
	CHECK(n == 32);
	*at += n;
}

static void want_key(const char **at, const struct wallet *key, const struct key_caps *caps)
{
	want(at, "\nResources:\n- urn:tap-trading:session-key:");
	want_wallet(at, key);
	want(at, "\n- urn:tap-trading:session-key:player-column:");
	want_number(at, caps->column.micros);
	want(at, "\n- urn:tap-trading:session-key:player-open:");
	want_number(at, caps->open.micros);
	want(at, "\n- urn:tap-trading:session-key:seconds:86400\n- urn:tap-trading:session-key:withdrawals:none");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	struct wallet wallet, key;
	uint8_t has_key;
	_cleanup_(buf_free) struct buf text = BUF_INIT(AUTH_TEXT_MAX);
	take(&in, &has_key, 1);
	take(&in, wallet.b, sizeof wallet.b);
	take(&in, key.b, sizeof key.b);
	const struct key_caps caps = { money_of(take_number(&in)), money_of(take_number(&in)) };
	const int64_t now_ms = take_number(&in) % INT64_C(253402300000000), ends_ms = now_ms + 300000; /* the year 9999 */
	settings.chain_id = take_number(&in);
	has_key &= 1;
	auth_text(&text, &settings, &wallet, has_key ? &key : NULL, &caps, now_ms, ends_ms);
	CHECK(!text.failed);
	const char *at = text.p;
	want(&at, settings_domain(&settings));
	want(&at, " wants you to sign in with your Ethereum account:\n");
	want_wallet(&at, &wallet);
	want(&at, "\n\n");
	want_statement(&at);
	want(&at, "\n\nURI: ");
	want(&at, settings.public_origin.v);
	want(&at, "\nVersion: 1\nChain ID: ");
	want_number(&at, settings.chain_id);
	want(&at, "\nNonce: ");
	want_nonce(&at);
	want(&at, "\nIssued At: ");
	want_time(&at, now_ms);
	want(&at, "\nExpiration Time: ");
	want_time(&at, ends_ms);
	if (has_key)
		want_key(&at, &key, &caps);
	CHECK(*at == '\0' && at == text.p + text.n);
	return 0;
}
