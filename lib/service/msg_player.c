/* The events that one player gets, and how they leave: the wallet's cache first, then its channel, in one script. */
#include "msg.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "err.h"
#include "hex.h"
#include "json.h"
#include "tap.h"

static void begin(struct json_out *w, struct buf *out, const char *type)
{
	jw_begin(w, out);
	jw_object(w, NULL);
	jw_str(w, "type", type);
}

static void put_bet_id(struct json_out *w, const struct bet *b)
{
	struct ulid id;
	char text[ULID_TEXT_SIZE];
	/* a bet that is in the book got its id when it was admitted */
	CHECK(bet_id(&id, &(struct bet_key){ .placed_ms = b->placed_ms, .t0_s = b->cell.t0_s,
		.low_cents = b->cell.low_cents, .user = b->user }));
	ulid_format(text, &id);
	jw_str(w, "bet_id", text);
}

static void put_cell(struct json_out *w, const struct cell *cell)
{
	char text[CELL_TEXT_SIZE];
	cell_format(text, cell);
	jw_str(w, "cell", text);
}

void msg_bet_confirmed(struct buf *out, const struct account *a, const struct bet *b)
{
	struct json_out w;
	begin(&w, out, "bet:confirmed");
	jw_int(&w, "seq", a->seq);
	put_bet_id(&w, b);
	put_cell(&w, &b->cell);
	jw_int(&w, "stake", b->stake.micros);
	jw_int(&w, "rate", b->rate.e4);
	jw_int(&w, "balance", a->balance.micros);
	jw_int(&w, "placed_at", b->placed_ms);
	jw_end_object(&w);
}

void msg_bet_resolved(struct buf *out, const struct account *a, const struct bet *b)
{
	struct json_out w;
	begin(&w, out, "bet:resolved");
	jw_int(&w, "seq", a->seq);
	put_bet_id(&w, b);
	jw_str(&w, "outcome", bet_state_name(b->state));
	jw_int(&w, "payout", b->payout.micros);
	jw_int(&w, "balance", a->balance.micros);
	jw_end_object(&w);
}

void msg_bet_failed(struct buf *out, const struct cell *cell, const uint8_t nonce[NONCE_SIZE], const char *code)
{
	struct json_out w;
	char text[UUID_TEXT_SIZE];
	nonce_format(text, nonce);
	begin(&w, out, "bet:failed");
	put_cell(&w, cell);
	jw_str(&w, "nonce", text);
	jw_str(&w, "code", code);
	jw_end_object(&w);
}

void msg_balance(struct buf *out, const struct account *a, enum ledger_ref ref)
{
	struct json_out w;
	begin(&w, out, "balance");
	jw_int(&w, "seq", a->seq);
	jw_int(&w, "balance", a->balance.micros);
	jw_str(&w, "ref_type", ledger_ref_name(ref));
	jw_end_object(&w);
}

void msg_auth_ok(struct buf *out, const struct wallet *wallet, int64_t seq, struct money balance)
{
	struct json_out w;
	char text[WALLET_TEXT_SIZE];
	wallet_format(text, wallet);
	begin(&w, out, "auth:ok");
	jw_str(&w, "wallet", text);
	jw_int(&w, "seq", seq);
	jw_int(&w, "balance", balance.micros);
	jw_end_object(&w);
}

void msg_auth_failed(struct buf *out, const char *code)
{
	struct json_out w;
	begin(&w, out, "auth:failed");
	jw_str(&w, "code", code);
	jw_end_object(&w);
}

void msg_session_ended(struct buf *out, const struct hash *token_hash)
{
	struct json_out w;
	char text[2 * HASH_SIZE + 1];
	hex_encode(text, token_hash->b, HASH_SIZE);
	begin(&w, out, MSG_SESSION_ENDED);
	jw_str(&w, "token_hash", text);
	jw_end_object(&w);
}

/* Two processes announce (api and resolver), and their trips may cross: the cache keeps what the higher seq says, while the
 * event is published in either case, since ws puts events back in order. */
static struct bus_script announce_script = {
	.lua = "local have = tonumber(redis.call('GET', KEYS[2]) or '-1')\n"
	       "if tonumber(ARGV[2]) > have then\n"
	       "  redis.call('SET', KEYS[1], ARGV[1])\n"
	       "  redis.call('SET', KEYS[2], ARGV[2])\n"
	       "end\n"
	       "if ARGV[3] ~= '' then redis.call('PUBLISH', KEYS[3], ARGV[3]) end\n"
	       "return 1\n",
};

int msg_announce(struct bus *bus, const struct account *a, const struct buf *event)
{
	char balance_key[KEY_MAX], seq_key[KEY_MAX], channel[KEY_MAX], balance[24], seq[24];

	if (event && (event->failed || event->n == 0))
		return err_say(-ENOMEM, "an event that could not be written whole");
	(void) snprintf(balance, sizeof balance, "%lld", (long long) a->balance.micros);
	(void) snprintf(seq, sizeof seq, "%lld", (long long) a->seq);
	const struct bus_arg keys[] = { bus_arg_of(key_balance(balance_key, &a->wallet)),
		bus_arg_of(key_seq(seq_key, &a->wallet)), bus_arg_of(key_user_events(channel, &a->wallet)) };
	const struct bus_arg args[] = { bus_arg_of(balance), bus_arg_of(seq),
		event ? (struct bus_arg){ event->p, event->n } : bus_arg_of("") };
	return err_trace(bus_add_script(bus, &announce_script, keys, ARRAY_LEN(keys), args, ARRAY_LEN(args)));
}

int msg_publish(struct bus *bus, const char *channel, const struct buf *event)
{
	if (event->failed || event->n == 0)
		return err_say(-ENOMEM, "an event that could not be written whole");
	const struct bus_arg args[] = { bus_arg_of("PUBLISH"), bus_arg_of(channel), { event->p, event->n } };
	return err_trace(bus_add(bus, args, ARRAY_LEN(args)));
}
