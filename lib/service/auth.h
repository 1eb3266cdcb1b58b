/* auth.h - challenges, sessions, session keys. Service floor, on bus, sig, msg.
 * Source of the message: EIP-4361 (https://eips.ethereum.org/EIPS/eip-4361). A challenge is kept by the SHA-256 of its text: a
 * text that differs in a byte is an unknown one. Redis holds all of it: flushed, players sign in again.
 * A text that names a session key says in words and as resources what the key may do: the caps that were in force when it was made
 * go with the challenge to who writes the key down (session_keys.h); they never rise with the server's.
 * Thread: the bus' owner. Results: 0; AUTH_E_*; <0 Redis is not there. */
#ifndef TAP_AUTH_H
#define TAP_AUTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "bet.h"
#include "buf.h"
#include "bus.h"
#include "session_keys.h"
#include "settings.h"
#include "sig.h"
#include "wallet.h"

enum { AUTH_TOKEN_SIZE = 65, AUTH_TEXT_MAX = 2048, AUTH_CHALLENGE_S = 300, AUTH_SESSION_S = 86400 };
enum {
	AUTH_E_UNKNOWN = 1, /* no such challenge or session, or it is over */
	AUTH_E_SIGNATURE,
	AUTH_E_KEY_SIGNATURE_MISSING,
	AUTH_E_KEY_IN_USE,
	AUTH_E_SPENT
};

struct auth_session {
	char token[AUTH_TOKEN_SIZE];
	struct wallet wallet;
	bool has_key;
	struct wallet key;
	struct key_caps caps; /* as the text named them; known between auth_check and auth_login */
	int64_t expires_ms;
};

/* What a text that is made now names for its session key. */
struct key_caps auth_key_caps(const struct settings *s);

/* The text of EIP-4361, by its ABNF, with a new nonce. key NULL: none, and caps do not count. */
void auth_text(struct buf *out, const struct settings *s, const struct wallet *wallet, const struct wallet *key,
		const struct key_caps *caps, int64_t now_ms, int64_t expires_ms);
/* Makes and keeps a challenge; the text goes to *text. key NULL: none. */
MUST_CHECK int auth_challenge(struct bus *bus, const struct settings *s, const struct wallet *wallet,
		const struct wallet *key, int64_t now_ms, struct buf *text, int64_t *ret_expires_ms);

/* Checks a signed challenge without spending it: AUTH_E_UNKNOWN, _SIGNATURE, _KEY_SIGNATURE_MISSING, _KEY_IN_USE.
 * Fills wallet, key and caps of *ret. key_sig NULL: none was given. */
MUST_CHECK int auth_check(struct bus *bus, const char *text, size_t n, const struct sig *sig, const struct sig *key_sig,
		struct auth_session *ret);
/* Spends the challenge and makes the session, in one script: AUTH_E_SPENT, _KEY_IN_USE. After the account exists. */
MUST_CHECK int auth_login(struct bus *bus, const char *text, size_t n, int64_t now_ms, struct auth_session *session);
/* AUTH_E_UNKNOWN: no such session. */
MUST_CHECK int auth_session(struct bus *bus, const char *token, int64_t now_ms, struct auth_session *ret);
/* Ends it, with its key when no other session names it, and tells ws. AUTH_E_UNKNOWN: it was over already. */
MUST_CHECK int auth_logout(struct bus *bus, const struct auth_session *session);
struct hash auth_token_hash(const char *token);

#endif
