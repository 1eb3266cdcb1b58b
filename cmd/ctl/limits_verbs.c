/* user limits, exclude. */
#include <stdio.h>

#include "ctl.h"
#include "limits_book.h"

enum { DAY_MS = 86400000 };

static void show_cap(struct ctl *c, const struct limits *l, enum limit limit)
{
	char name[48];
	const struct limit_cap cap = limits_cap(l, limit, c->now_ms);
	if (cap.now != LIMIT_NONE)
		out_money(&c->out, limit_name(limit), cap.now);
	if (cap.next_ms == 0)
		return;
	if (cap.next != LIMIT_NONE) {
		(void) snprintf(name, sizeof name, "%s_pending", limit_name(limit));
		out_money(&c->out, name, cap.next);
	}
	(void) snprintf(name, sizeof name, "%s_pending_at", limit_name(limit));
	out_time(&c->out, name, cap.next_ms);
}

static void show(struct ctl *c, const struct account *a, const struct limits *l)
{
	out_wallet(&c->out, "wallet", &a->wallet);
	for (int i = LIMIT_COLUMN; i < LIMIT_CAPS_END; i++)
		show_cap(c, l, (enum limit) i);
	if (l->cool_off_ms > c->now_ms)
		out_time(&c->out, "cool_off_until", l->cool_off_ms);
	out_bool(&c->out, "self_excluded", limits_excluded_until(l, c->now_ms) != 0);
	if (limits_excluded_until(l, c->now_ms) != 0)
		out_time(&c->out, "self_excluded_until", l->exclusion_ms);
}

static int no_account(struct ctl *c)
{
	return ctl_fail(c, EX_NOUSER, "%s has no account", ctl_option(c, "wallet"));
}

int verb_user_limits(struct ctl *c)
{
	struct wallet wallet;
	struct account a;
	struct limits l;
	struct store *db;
	int code;
	if (!ctl_wallet(c, &wallet))
		return EX_USAGE;
	_cleanup_(week_closep) struct week *w = ctl_book(c, STORE_READ, &code);
	if (!w)
		return code;
	int r = week_begin(w, &db);
	if (r == 0)
		r = ledger_account(db, &wallet, &a);
	if (r == LEDGER_E_ABSENT)
		return no_account(c);
	if (r == 0)
		r = limits_load(db, &a, &l);
	if (r != 0)
		return ctl_fail_errno(c, r, "the limits");
	show(c, &a, &l);
	return 0;
}

static int refuse(struct ctl *c, struct week *w, const char *text, bool absent)
{
	week_rollback(w);
	int code = ctl_audit(c, w, "user exclude wallet=%s: %s", text, absent ? "no account" : "too many changes");
	if (code)
		return code;
	return absent ? no_account(c) : ctl_fail(c, EX_TEMPFAIL, "too many changes of this player's limits since a day ago");
}

/* Longer than what is there, or it changes nothing. */
int verb_user_exclude(struct ctl *c)
{
	struct wallet wallet;
	struct account a;
	struct limits l;
	struct store *db;
	char text[WALLET_TEXT_SIZE], who[LIMITS_WHO_MAX + 16];
	int64_t days, before = 0;
	int code;
	if (!ctl_wallet(c, &wallet) || !ctl_number(c, "days", LIMITS_EXCLUSION_MIN_MS / DAY_MS, LIMITS_EXCLUSION_MAX_MS / DAY_MS, 0,
			&days))
		return EX_USAGE;
	wallet_format(text, &wallet);
	(void) snprintf(who, sizeof who, "operator %.*s", CTL_WHO_MAX - 16, c->who);
	_cleanup_(week_closep) struct week *w = ctl_book(c, STORE_WRITE, &code);
	if (!w)
		return code;
	code = ctl_audit(c, w, "user exclude wallet=%s days=%lld", text, (long long) days);
	if (code)
		return code;
	struct limit_wish wish = { LIMIT_EXCLUSION, c->now_ms + days * DAY_MS };
	int r = week_begin(w, &db);
	if (r == 0)
		r = ledger_account(db, &wallet, &a);
	if (r == LEDGER_E_ABSENT)
		return refuse(c, w, text, true);
	if (r == 0) {
		before = a.limits_row;
		r = limits_change(db, &a, &wish, 1, who, c->now_ms, &l);
		if (r > 0)
			return refuse(c, w, text, false);
	}
	if (r == 0)
		r = week_commit(w);
	if (r > 0)
		return ctl_fail(c, EX_TEMPFAIL, "the disk is full");
	if (r < 0)
		return ctl_fail_errno(c, r, "the limits");
	if (a.limits_row == before)
		out_say(&c->out, "a longer one was there already");
	show(c, &a, &l);
	return 0;
}
