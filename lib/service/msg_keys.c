/* The names of Redis keys and channels that carry a wallet, a token or a nonce. */
#include "msg.h"

#include <stdio.h>
#include <string.h>

#include "check.h"
#include "tap.h"

#define USER_PREFIX "user:"
#define USER_SUFFIX ":events"
#define BALANCE_PREFIX "balance:"
#define SEQ_PREFIX "seq:"
#define RATE_PREFIX "rate_limit:"

static char *with_text(char out[KEY_MAX], const char *prefix, const char *text, const char *suffix)
{
	const char *const parts[] = { prefix, text, suffix };
	size_t n = 0;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		size_t more = strlen(parts[i]);
		CHECK(n + more < KEY_MAX);
		memcpy(out + n, parts[i], more);
		n += more;
	}
	out[n] = '\0';
	return out;
}

static char *with_wallet(char out[KEY_MAX], const char *prefix, const struct wallet *w, const char *suffix)
{
	char text[WALLET_TEXT_SIZE];
	wallet_format(text, w);
	return with_text(out, prefix, text, suffix);
}

void keys_of_wallet(struct wallet_keys *ret, const struct wallet *w)
{
	char text[WALLET_TEXT_SIZE];
	wallet_format(text, w);
	with_text(ret->balance, BALANCE_PREFIX, text, "");
	with_text(ret->seq, SEQ_PREFIX, text, "");
	with_text(ret->events, USER_PREFIX, text, USER_SUFFIX);
}

char *key_user_events(char out[KEY_MAX], const struct wallet *w)
{
	return with_wallet(out, USER_PREFIX, w, USER_SUFFIX);
}

char *key_balance(char out[KEY_MAX], const struct wallet *w)
{
	return with_wallet(out, BALANCE_PREFIX, w, "");
}

char *key_seq(char out[KEY_MAX], const struct wallet *w)
{
	return with_wallet(out, SEQ_PREFIX, w, "");
}

char *key_rate_limit(char out[KEY_MAX], const char *wallet)
{
	return with_text(out, RATE_PREFIX, wallet, "");
}

char *key_withdraw_limit(char out[KEY_MAX], const char *wallet)
{
	return with_text(out, RATE_PREFIX, wallet, ":withdrawals");
}

char *key_session_key(char out[KEY_MAX], const struct wallet *address)
{
	return with_wallet(out, "session_key:", address, "");
}

char *key_session(char out[KEY_MAX], const char *token)
{
	(void) snprintf(out, KEY_MAX, "session:%.100s", token);
	return out;
}

char *key_nonce(char out[KEY_MAX], const uint8_t nonce[NONCE_SIZE])
{
	char text[UUID_TEXT_SIZE];
	nonce_format(text, nonce);
	return with_text(out, "nonce:", text, "");
}

bool wallet_of_channel(struct wallet *ret, const char *channel)
{
	const size_t head = strlen(USER_PREFIX), middle = WALLET_TEXT_SIZE - 1;
	if (strlen(channel) != head + middle + strlen(USER_SUFFIX) || strncmp(channel, USER_PREFIX, head) != 0)
		return false;
	return strcmp(channel + head + middle, USER_SUFFIX) == 0 && wallet_parse(ret, channel + head, middle);
}
