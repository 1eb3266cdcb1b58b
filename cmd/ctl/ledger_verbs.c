/* ledger: reading a wallet's rows of money. */
#include <errno.h>
#include <string.h>

#include "account.h"
#include "err.h"

enum { ROWS_PER_PAGE = 500, ROWS_MAX = 100000 };

struct listing {
	struct ctl *c;
	int64_t left, last_row;
};

static bool show_entry(void *u, const struct entry *e)
{
	struct listing *l = u;
	struct out *o = &l->c->out;
	out_row(o);
	out_ulid(o, "id", &e->id);
	out_time(o, "at", e->at_ms);
	out_text(o, "ref_type", ledger_ref_name(e->ref_type));
	out_money(o, "amount", e->amount.micros);
	out_money(o, "balance_after", e->balance_after.micros);
	out_text(o, "ref_id", e->ref_id);
	out_end_row(o);
	l->last_row = e->row;
	l->left--;
	return true;
}

static void show_missing(struct ctl *c, const struct week_missing *missing)
{
	out_list(&c->out, "archived_weeks");
	for (size_t i = 0; i < missing->n; i++) {
		char label[WEEK_LABEL_SIZE];
		week_label(label, missing->weeks[i]);
		out_row(&c->out);
		out_text(&c->out, "week", label);
		out_end_row(&c->out);
	}
	out_end_list(&c->out);
}

static int list_entries(struct ctl *c, struct account_of *a, struct ledger_query *q, int64_t limit)
{
	struct week_missing missing = { .n = 0 };
	struct listing l = { .c = c, .left = limit };
	bool more = true;
	out_list(&c->out, "entries");
	while (more && l.left > 0) {
		q->limit = (size_t) (l.left < ROWS_PER_PAGE ? l.left : ROWS_PER_PAGE);
		q->before_row = l.last_row;
		int r = week_ledger(a->w, q, show_entry, &l, &more, &missing);
		if (r < 0)
			return ctl_fail_errno(c, r, "the ledger");
	}
	out_end_list(&c->out);
	out_bool(&c->out, "more", more);
	show_missing(c, &missing);
	return 0;
}

int verb_ledger(struct ctl *c)
{
	_cleanup_(account_leave) struct account_of a = { 0 };
	struct ledger_query q = { .ref_id = ctl_option(c, "ref-id") };
	const char *type = ctl_option(c, "ref-type");
	enum ledger_ref ref;
	int64_t limit;
	if (!ctl_number(c, "from", 0, INT64_MAX, 0, &q.from_ms) || !ctl_number(c, "to", 0, INT64_MAX, INT64_MAX, &q.to_ms) ||
			!ctl_number(c, "limit", 1, ROWS_MAX, 50, &limit))
		return EX_USAGE;
	if (q.from_ms > q.to_ms)
		return ctl_fail(c, EX_USAGE, "--from is after --to");
	if (type) {
		if (!ledger_ref_parse(&ref, type))
			return ctl_fail(c, EX_USAGE, "--ref-type %s: must be BET, PAYOUT, REFUND, DEPOSIT, WITHDRAWAL, "
					"WITHDRAWAL_REVERSAL, ADJUSTMENT or OPENING", type);
		q.ref_type = (int) ref;
	}
	int code = account_read(c, &a);
	if (code)
		return code;
	q.user = a.account.user;
	out_wallet(&c->out, "wallet", &a.account.wallet);
	out_money(&c->out, "balance", a.account.balance.micros);
	return list_entries(c, &a, &q, limit);
}
