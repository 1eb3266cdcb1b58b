/* msg.h - every Redis key, channel and event, with its codec, declared once. Service floor, on bus and json.
 * The events on the channels are the very frames that players get (docs/clients.md), so ws passes them on without parsing them
 * again; what is for ws alone has a type that begins with "internal:". Thread: any; buffers are the caller's. */
#ifndef TAP_MSG_H
#define TAP_MSG_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "bet.h"
#include "breaker.h"
#include "buf.h"
#include "bus.h"
#include "grid.h"
#include "hash.h"
#include "ledger.h"
#include "outcome.h"
#include "settings.h"
#include "tick.h"
#include "wallet.h"

/* channels */
#define CHANNEL_PRICE    "prices:btc:usd"
#define CHANNEL_GRID     "grid:btc:usd"
#define CHANNEL_MADE     "quotes:btc:usd"   /* before each grid: a record of quote_log, what it is made from; for the api */
#define CHANNEL_STATUS   "system:status"
#define CHANNEL_OVERRIDE "circuit:override"
/* keys */
#define KEY_PRICE        "price:btc:usd"    /* newest price in cents, 1 h */
#define KEY_HISTORY      "prices:btc:usd:ts" /* stream, id <t_ms>-0, field p: 7 days */
#define KEY_QUOTES       "quotes:btc:usd:ts" /* stream, what the grids of three seconds were made from (quotes.h): 7 days */
#define KEY_STATUS       "status:btc:usd"   /* newest system:status event, 1 h: for who starts later */
#define KEY_ROOM     "room:btc:usd"     /* a grid event whose rates are quote_room of what the house may still take; 3 s */
#define KEY_OVERRIDE     "override:btc:usd" /* open|close, expires */
#define KEY_BASIS        "basis:btc:usdt"   /* hash: venue -> its USDT price over the dollar's, 1e-9; 7 days, for ingest's next start */
enum { KEY_MAX = 128 };
/* `user:{wallet}:events`, `balance:{wallet}`, `seq:{wallet}`, `rate_limit:{wallet}`, `session_key:{address}` with the EIP-55
 * form; `session:{token}`, `nonce:{uuid}`. Each writes into out and returns it. */
char *key_user_events(char out[KEY_MAX], const struct wallet *w);
char *key_balance(char out[KEY_MAX], const struct wallet *w);
char *key_seq(char out[KEY_MAX], const struct wallet *w);
/* Those that every event of a wallet needs: its text is written once. */
struct wallet_keys {
	char balance[KEY_MAX], seq[KEY_MAX], events[KEY_MAX];
};
void keys_of_wallet(struct wallet_keys *ret, const struct wallet *w);
char *key_rate_limit(char out[KEY_MAX], const char *wallet);     /* of its text: writing that costs a Keccak */
char *key_withdraw_limit(char out[KEY_MAX], const char *wallet); /* `rate_limit:{wallet}:withdrawals` */
char *key_session_key(char out[KEY_MAX], const struct wallet *address);
char *key_session(char out[KEY_MAX], const char *token);
char *key_nonce(char out[KEY_MAX], const uint8_t nonce[NONCE_SIZE]);
/* The wallet of a `user:{wallet}:events` channel. */
MUST_CHECK bool wallet_of_channel(struct wallet *ret, const char *channel);

enum { MSG_GRID_MAX = 65536, MSG_EVENT_MAX = 1024 };

/* public events: {"type":"price",...} */
void msg_price(struct buf *out, const struct tick *t);
MUST_CHECK bool msg_price_parse(struct tick *ret, const char *text, size_t n);
/* GET /grid is this frame with `constants` as a further member. */
void msg_grid(struct buf *out, const struct quote_grid *g);
MUST_CHECK bool msg_grid_parse(struct quote_grid *ret, const char *text, size_t n);
void msg_status(struct buf *out, enum feed_state feed, bool betting);
MUST_CHECK bool msg_status_parse(enum feed_state *feed, bool *betting, const char *text, size_t n);
/* The operator's word on CHANNEL_OVERRIDE and in KEY_OVERRIDE, as it stands: open, close or auto. */
const char *override_name(enum breaker_override o);
MUST_CHECK bool override_parse(enum breaker_override *ret, const char *text, size_t n);
void msg_constants(struct buf *out, const struct settings *s); /* the object alone: {"column_seconds":...} */
void msg_hello(struct buf *out, const struct settings *s, int64_t now_ms);

/* a player's events; balance and seq as in *a, the account after the event */
void msg_bet_confirmed(struct buf *out, const struct account *a, const struct bet *b);
void msg_bet_resolved(struct buf *out, const struct account *a, const struct bet *b);
void msg_bet_failed(struct buf *out, const struct cell *cell, const uint8_t nonce[NONCE_SIZE], const char *code);
void msg_balance(struct buf *out, const struct account *a, enum ledger_ref ref);
void msg_auth_ok(struct buf *out, const struct wallet *w, int64_t seq, struct money balance);
void msg_auth_failed(struct buf *out, const char *code);
/* a session ended (logout): sockets that signed in with the token whose SHA-256 this is close with 4401 */
#define MSG_SESSION_ENDED "internal:session_ended"
void msg_session_ended(struct buf *out, const struct hash *token_hash);
MUST_CHECK bool msg_session_ended_parse(struct hash *ret, const char *text, size_t n);
/* The seq of a player's event; 0 when it carries none (bet:failed, internal:...). */
int64_t msg_seq(const char *text, size_t n);

/* Persist, then speak: after a commit. balance:{wallet} and seq:{wallet} move forward to the account's (never back: two processes
 * announce), and the event is published. Gathered in groups, each of which is one script in the bus' pipeline: the call of a
 * script costs Redis more than what it does for one event. event NULL: the cache alone. */
enum { MSG_GROUP_MAX = 32, MSG_GROUP_PARTS = 6 };
struct msg_group {
	struct bus *bus;
	struct buf bytes;
	size_t ends[MSG_GROUP_MAX * MSG_GROUP_PARTS];
	size_t parts; /* so many */
};
void msg_group_begin(struct msg_group *g, struct bus *bus);
MUST_CHECK int msg_group_add(struct msg_group *g, const struct account *a, const struct buf *event); /* copied */
MUST_CHECK int msg_group_end(struct msg_group *g); /* what is gathered goes to the pipeline; g is as new */
void msg_group_free(struct msg_group *g);
/* A group of one. */
MUST_CHECK int msg_announce(struct bus *bus, const struct account *a, const struct buf *event);
/* bet:failed and internal events: no seq, no cache. Adds to the bus' pipeline too: the caller flushes. */
MUST_CHECK int msg_publish(struct bus *bus, const char *channel, const struct buf *event);

#endif
