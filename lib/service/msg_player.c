/* The events that one player gets, and how they leave: the wallet's cache first, then its channel, in one script. */
#include "msg.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

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
	char text[ULID_TEXT_SIZE];
	bet_id_text(text, b);
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
 * event is published in either case, since ws puts events back in order. KEYS balance, seq, channel of each; ARGV their values. */
static struct bus_script announce_script = {
	.lua = "for i = 1, #KEYS, 3 do\n"
	       "  local have = redis.call('GET', KEYS[i + 1])\n"
	       "  if not have or tonumber(ARGV[i + 1]) > tonumber(have) then\n"
	       "    redis.call('MSET', KEYS[i], ARGV[i], KEYS[i + 1], ARGV[i + 1])\n"
	       "  end\n"
	       "  if ARGV[i + 2] ~= '' then redis.call('PUBLISH', KEYS[i + 2], ARGV[i + 2]) end\n"
	       "end\n"
	       "return 1\n",
};
enum { GROUP_BYTES_MAX = MSG_GROUP_MAX * (MSG_EVENT_MAX + 3 * KEY_MAX + 64) };
_Static_assert(MSG_GROUP_MAX * MSG_GROUP_PARTS <= BUS_ARGS_MAX, "a group is one command");

void msg_group_begin(struct msg_group *g, struct bus *bus)
{
	g->bus = bus;
	g->bytes = (struct buf) BUF_INIT(GROUP_BYTES_MAX);
	g->parts = 0;
}

void msg_group_free(struct msg_group *g)
{
	buf_free(&g->bytes);
}

int msg_group_end(struct msg_group *g)
{
	struct bus_arg keys[MSG_GROUP_MAX * MSG_GROUP_PARTS / 2], values[ARRAY_LEN(keys)];
	size_t from = 0, n = g->parts / 2;
	if (n == 0)
		return 0;
	for (size_t i = 0; i < g->parts; i++) {
		struct bus_arg part = { g->bytes.p + from, g->ends[i] - from };
		*(i % MSG_GROUP_PARTS < 3 ? &keys[i / MSG_GROUP_PARTS * 3 + i % 3] : &values[i / MSG_GROUP_PARTS * 3 + i % 3]) = part;
		from = g->ends[i];
	}
	int r = g->bytes.failed ? err_say(-ENOMEM, "no memory for a group of events") :
			bus_add_script(g->bus, &announce_script, keys, n, values, n);
	buf_clear(&g->bytes);
	g->parts = 0;
	return err_trace(r);
}

static void end_part(struct msg_group *g)
{
	g->ends[g->parts++] = g->bytes.n;
}

static void put_text(struct msg_group *g, const char *text)
{
	buf_puts(&g->bytes, text);
	end_part(g);
}

static void put_number(struct msg_group *g, int64_t v)
{
	buf_put_i64(&g->bytes, v);
	end_part(g);
}

int msg_group_add(struct msg_group *g, const struct account *a, const struct buf *event)
{
	struct wallet_keys keys;

	if (event && (event->failed || event->n == 0))
		return err_say(-ENOMEM, "an event that could not be written whole");
	keys_of_wallet(&keys, &a->wallet);
	put_text(g, keys.balance);
	put_text(g, keys.seq);
	put_text(g, keys.events);
	put_number(g, a->balance.micros);
	put_number(g, a->seq);
	if (event)
		buf_put(&g->bytes, event->p, event->n);
	end_part(g);
	return g->parts == ARRAY_LEN(g->ends) ? msg_group_end(g) : 0;
}

int msg_announce(struct bus *bus, const struct account *a, const struct buf *event)
{
	struct msg_group one;
	msg_group_begin(&one, bus);
	int r = msg_group_add(&one, a, event);
	if (r == 0)
		r = msg_group_end(&one);
	msg_group_free(&one);
	return r;
}

int msg_publish(struct bus *bus, const char *channel, const struct buf *event)
{
	if (event->failed || event->n == 0)
		return err_say(-ENOMEM, "an event that could not be written whole");
	const struct bus_arg args[] = { bus_arg_of("PUBLISH"), bus_arg_of(channel), { event->p, event->n } };
	return err_trace(bus_add(bus, args, ARRAY_LEN(args)));
}
