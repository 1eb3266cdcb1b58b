/* bet show: one bet and its column. */
#include <errno.h>
#include <string.h>

#include "book.h"
#include "ctl.h"
#include "err.h"
#include "hex.h"
#include "ledger.h"
#include "tap.h"

static void out_hash(struct out *o, const char *name, const struct hash *h)
{
	char hex[2 * HASH_SIZE + 1];
	hex_encode(hex, h->b, HASH_SIZE);
	out_text(o, name, hex);
}

void out_column(struct out *o, const struct column *c)
{
	out_group(o, "column");
	out_int(o, "t0", c->t0_s);
	out_text(o, "status", c->status == COLUMN_VOID ? "void" : "settled");
	out_text(o, "settlement", c->settling ? "going on" : "done");
	out_int(o, "ticks", c->n_ticks);
	if (c->has_anchor) {
		out_int(o, "anchor_t", c->anchor.t_ms);
		out_int(o, "anchor_p", c->anchor.p_cents);
	}
	if (c->n_ticks) {
		out_int(o, "path_low", c->low_cents);
		out_int(o, "path_high", c->high_cents);
	}
	out_int(o, "bets", c->bets);
	out_time(o, "settled_at", c->settled_ms);
	out_hash(o, "digest", &c->digest);
	out_hash(o, "prev_digest", &c->prev_digest);
	out_end_group(o);
}

static void show_bet(struct out *o, const char *id, const struct bet *b, const struct account *a)
{
	char cell[CELL_TEXT_SIZE], nonce[UUID_TEXT_SIZE];
	cell_format(cell, &b->cell);
	nonce_format(nonce, b->nonce);
	out_text(o, "bet_id", id);
	out_wallet(o, "wallet", &a->wallet);
	out_text(o, "cell", cell);
	out_money(o, "stake", b->stake.micros);
	out_int(o, "rate", b->rate.e4);
	out_int(o, "rate_min", b->rate_min.e4);
	out_text(o, "status", bet_state_name(b->state));
	out_money(o, "payout", b->payout.micros);
	out_time(o, "placed_at", b->placed_ms);
	out_time(o, "resolved_at", b->resolved_ms);
	out_text(o, "nonce", nonce);
	out_int(o, "signed_at", b->signed_s);
}

static int find_bet(struct ctl *c, struct week *w, struct store *db, const struct ulid *id, const char *text)
{
	struct store *of_column;
	struct bet b;
	struct account a;
	struct column column;
	int r = week_bet_by_id(w, id, c->settings.row_cents, &b);
	if (r == BOOK_E_ABSENT)
		return ctl_fail(c, EX_NOINPUT, "there is no bet %s in the weeks that are here", text);
	if (r == 0)
		r = ledger_account_by_id(db, b.user, &a);
	if (r == 0)
		show_bet(&c->out, text, &b, &a);
	if (r == 0 && b.state != BET_CONFIRMED) {
		r = week_column(w, b.cell.t0_s, &column, &of_column);
		if (r == 0)
			out_column(&c->out, &column);
	}
	return r ? ctl_fail_errno(c, r > 0 ? -EBADMSG : r, "the bet") : 0;
}

int verb_bet_show(struct ctl *c)
{
	const char *text = ctl_word(c, 0);
	struct ulid id;
	struct store *db;
	int code;
	if (!ulid_parse(&id, text, strlen(text)))
		return ctl_fail(c, EX_USAGE, "%s is no id of a bet: 26 characters of 0-9 A-Z", text);
	_cleanup_(week_closep) struct week *w = ctl_book(c, STORE_READ, &code);
	if (!w)
		return code;
	int r = week_begin(w, &db);
	return r ? ctl_fail_errno(c, r, "the book") : find_bet(c, w, db, &id, text);
}
