/* bet show, verify: one bet, one column. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "book.h"
#include "ctl.h"
#include "err.h"
#include "hex.h"
#include "history.h"
#include "ledger.h"
#include "path.h"
#include "settle.h"
#include "tap.h"

static void out_hash(struct out *o, const char *name, const struct hash *h)
{
	char hex[2 * HASH_SIZE + 1];
	hex_encode(hex, h->b, HASH_SIZE);
	out_text(o, name, hex);
}

static void show_column(struct out *o, const struct column *c)
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
			show_column(&c->out, &column);
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

enum history_says { HISTORY_SAME, HISTORY_INCOMPLETE, HISTORY_GONE, HISTORY_DIFFERS, HISTORY_UNREADABLE };
static const char *const history_words[] = {
	[HISTORY_SAME] = "same",
	[HISTORY_INCOMPLETE] = "incomplete", /* Redis lost some of it: the evidence was whole */
	[HISTORY_GONE] = "gone",
	[HISTORY_DIFFERS] = "differs",
	[HISTORY_UNREADABLE] = "unreadable",
};

/* Redis may lack ticks, since it may lose its memory; it may not have one that the evidence lacks. */
static enum history_says compare_ticks(const struct tick *evidence, size_t n, const struct tick *history, size_t n_history)
{
	size_t i = 0;
	for (size_t k = 0; k < n_history; k++) {
		while (i < n && evidence[i].t_ms < history[k].t_ms)
			i++;
		if (i == n || evidence[i].t_ms != history[k].t_ms || evidence[i].p_cents != history[k].p_cents)
			return HISTORY_DIFFERS;
		i++;
	}
	if (n_history == n)
		return HISTORY_SAME;
	return n_history ? HISTORY_INCOMPLETE : HISTORY_GONE;
}

/* An older anchor than the evidence's means that the true one is lost, not that another was used. */
static size_t without_older_anchor(const struct tick **ticks, size_t n, bool anchor, const struct tick *evidence, size_t n_evidence)
{
	if (n && anchor && n_evidence && (*ticks)->t_ms < evidence->t_ms) {
		(*ticks)++;
		return n - 1;
	}
	return n;
}

static enum history_says ask_history(struct ctl *c, int64_t t0_s, const struct tick *evidence, size_t n)
{
	struct bus *bus;
	struct tick *ticks = calloc(PATH_TICKS_MAX, sizeof *ticks);
	enum history_says says = HISTORY_UNREADABLE;
	size_t n_history = 0;
	bool anchor = false;
	int64_t redis_ms;
	if (!ticks || bus_open(&bus, &c->bus) != 0) {
		free(ticks);
		return says;
	}
	if (history_column(bus, t0_s, c->settings.column_s, ticks, PATH_TICKS_MAX, &n_history, &anchor, &redis_ms) == 0) {
		const struct tick *first = ticks;
		n_history = without_older_anchor(&first, n_history, anchor, evidence, n);
		says = compare_ticks(evidence, n, first, n_history);
	}
	bus_close(bus);
	free(ticks);
	err_clear();
	return says;
}

static int verify(struct ctl *c, struct week *w, int64_t t0_s, struct tick *ticks)
{
	char text[256] = "";
	struct column column;
	struct store *db;
	size_t n = 0;
	int r = week_column(w, t0_s, &column, &db);
	if (r < 0)
		return ctl_fail_errno(c, r, "the column");
	r = r == BOOK_E_ABSENT ? SETTLE_E_ABSENT : settle_verify(db, &c->settings, t0_s, text, sizeof text);
	if (r == SETTLE_E_ABSENT)
		return ctl_fail(c, EX_NOINPUT, "column %lld is not recorded in the weeks that are here", (long long) t0_s);
	bool differs = r == SETTLE_E_DIFFERS;
	if (r >= 0)
		r = book_evidence(db, t0_s, ticks, PATH_TICKS_MAX, &n);
	if (r != 0)
		return ctl_fail_errno(c, r > 0 ? -EBADMSG : r, "the column");
	enum history_says says = ask_history(c, t0_s, ticks, n);
	bool good = !differs && says != HISTORY_DIFFERS;
	out_text(&c->out, "verdict", good ? "equal" : "differs");
	out_text(&c->out, "evidence", differs ? text : "equal");
	out_text(&c->out, "history", history_words[says]);
	show_column(&c->out, &column);
	return good ? 0 : EX_DRIFT;
}

int verb_verify(struct ctl *c)
{
	const char *text = ctl_word(c, 0), *bet = ctl_option(c, "bet");
	struct store *db;
	char *end;
	int code;
	if (!text == !bet)
		return ctl_fail(c, EX_USAGE, "verify: either T0 or --bet ID");
	if (bet)
		return ctl_verify_rate(c, bet);
	long long t0_s = strtoll(text, &end, 10);
	if (*end || end == text || t0_s <= 0 || t0_s % c->settings.column_s)
		return ctl_fail(c, EX_USAGE, "%s is no start of a column: a multiple of %lld, in seconds", text,
				(long long) c->settings.column_s);
	_cleanup_(week_closep) struct week *w = ctl_book(c, STORE_READ, &code);
	if (!w)
		return code;
	struct tick *ticks = calloc(PATH_TICKS_MAX, sizeof *ticks);
	int r = ticks ? week_begin(w, &db) : -ENOMEM;
	code = r ? ctl_fail_errno(c, r, "the book") : verify(c, w, t0_s, ticks);
	free(ticks);
	return code;
}
