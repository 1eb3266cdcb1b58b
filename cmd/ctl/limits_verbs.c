/* user limits, exclude. */
#include <stdio.h>

#include "account.h"
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

int verb_user_limits(struct ctl *c)
{
	_cleanup_(account_leave) struct account_of a = { 0 };
	struct limits l;
	int code = account_read(c, &a);
	if (code)
		return code;
	int r = limits_load(a.db, &a.account, &l);
	if (r != 0)
		return ctl_fail_errno(c, r, "the limits");
	show(c, &a.account, &l);
	return 0;
}

static int refuse(struct ctl *c, struct account_of *a)
{
	week_rollback(a->w);
	int code = ctl_audit(c, a->w, "user exclude wallet=%s: too many changes", a->wallet);
	return code ? code : ctl_fail(c, EX_TEMPFAIL, "too many changes of this player's limits since a day ago");
}

/* Longer than what is there, or it changes nothing. */
int verb_user_exclude(struct ctl *c)
{
	_cleanup_(account_leave) struct account_of a = { 0 };
	struct limits l;
	char more[32], who[LIMITS_WHO_MAX + 16];
	int64_t days;
	if (!ctl_number(c, "days", LIMITS_EXCLUSION_MIN_MS / DAY_MS, LIMITS_EXCLUSION_MAX_MS / DAY_MS, 0, &days))
		return EX_USAGE;
	(void) snprintf(who, sizeof who, "operator %.*s", CTL_WHO_MAX - 16, c->who);
	(void) snprintf(more, sizeof more, " days=%lld", (long long) days);
	int code = account_write(c, more, &a);
	if (code)
		return code;
	struct limit_wish wish = { LIMIT_EXCLUSION, c->now_ms + days * DAY_MS };
	int64_t before = a.account.limits_row;
	int r = limits_change(a.db, &a.account, &wish, 1, who, c->now_ms, &l);
	if (r > 0)
		return refuse(c, &a);
	code = account_commit(c, &a, r);
	if (code)
		return code;
	if (a.account.limits_row == before)
		out_say(&c->out, "a longer one was there already");
	show(c, &a.account, &l);
	return 0;
}
