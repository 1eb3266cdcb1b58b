/* The names of Redis keys and channels that carry a wallet, a token or a nonce. */
#include "msg.h"

#include <stdio.h>
#include <string.h>

#include "tap.h"

#define USER_PREFIX "user:"
#define USER_SUFFIX ":events"

static char *with_wallet(char out[KEY_MAX], const char *prefix, const struct wallet *w, const char *suffix)
{
	char text[WALLET_TEXT_SIZE];
	wallet_format(text, w);
	(void) snprintf(out, KEY_MAX, "%s%s%s", prefix, text, suffix);
	return out;
}

char *key_user_events(char out[KEY_MAX], const struct wallet *w)
{
	return with_wallet(out, USER_PREFIX, w, USER_SUFFIX);
}

char *key_balance(char out[KEY_MAX], const struct wallet *w)
{
	return with_wallet(out, "balance:", w, "");
}

char *key_seq(char out[KEY_MAX], const struct wallet *w)
{
	return with_wallet(out, "seq:", w, "");
}

char *key_rate_limit(char out[KEY_MAX], const struct wallet *w)
{
	return with_wallet(out, "rate_limit:", w, "");
}

char *key_withdraw_limit(char out[KEY_MAX], const struct wallet *w)
{
	return with_wallet(out, "rate_limit:", w, ":withdrawals");
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
	(void) snprintf(out, KEY_MAX, "nonce:%s", text);
	return out;
}

bool wallet_of_channel(struct wallet *ret, const char *channel)
{
	const size_t head = strlen(USER_PREFIX), middle = WALLET_TEXT_SIZE - 1;
	if (strlen(channel) != head + middle + strlen(USER_SUFFIX) || strncmp(channel, USER_PREFIX, head) != 0)
		return false;
	return strcmp(channel + head + middle, USER_SUFFIX) == 0 && wallet_parse(ret, channel + head, middle);
}
