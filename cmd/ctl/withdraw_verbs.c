/* withdrawals list, approve, reject. A rejected one is given back; either word is final, and saying it again changes nothing. */
#include <errno.h>
#include <string.h>

#include "ctl.h"
#include "err.h"
#include "ledger.h"
#include "tell.h"
#include "withdraw.h"

enum { ROWS_PER_PAGE = 500, ROWS_MAX = 100000 };

struct listing {
	struct ctl *c;
	struct store *db;
	int64_t left, last_row;
	int failed;
};

static void show(struct out *o, const struct withdrawal *w)
{
	out_ulid(o, "withdrawal_id", &w->id);
	out_text(o, "status", withdraw_state_name(w->state));
	out_money(o, "amount", w->amount.micros);
	out_wallet(o, "to", &w->to);
	out_time(o, "requested_at", w->requested_ms);
	out_time(o, "decided_at", w->decided_ms);
}

static bool show_row(void *u, const struct withdrawal *w)
{
	struct listing *l = u;
	struct account a;
	l->failed = ledger_account_by_id(l->db, w->user, &a);
	if (l->failed)
		return false;
	out_row(&l->c->out);
	out_wallet(&l->c->out, "wallet", &a.wallet);
	show(&l->c->out, w);
	out_end_row(&l->c->out);
	l->last_row = w->row;
	l->left--;
	return true;
}

static int list(struct ctl *c, struct store *db, struct withdraw_query *q, int64_t limit)
{
	struct listing l = { .c = c, .db = db, .left = limit };
	bool more = true;
	out_list(&c->out, "withdrawals");
	while (more && l.left > 0) {
		q->limit = (size_t) (l.left < ROWS_PER_PAGE ? l.left : ROWS_PER_PAGE);
		q->before_row = l.last_row;
		int r = withdraw_list(db, q, show_row, &l, &more);
		if (r == 0 && l.failed)
			r = l.failed < 0 ? l.failed : err_say(-EBADMSG, "a withdrawal of no account");
		if (r < 0)
			return ctl_fail_errno(c, r, "withdrawals");
	}
	out_end_list(&c->out);
	out_bool(&c->out, "more", more);
	return 0;
}

int verb_withdrawals_list(struct ctl *c)
{
	struct withdraw_query q = { .to_ms = INT64_MAX };
	enum withdraw_state state;
	struct store *db;
	int64_t limit;
	int code;
	if (!ctl_number(c, "limit", 1, ROWS_MAX, 50, &limit))
		return EX_USAGE;
	const char *status = ctl_option(c, "status");
	if (status && !withdraw_state_parse(&state, status))
		return ctl_fail(c, EX_USAGE, "--status %s: must be requested, approved or rejected", status);
	q.state = status ? (int) state : 0;
	_cleanup_(week_closep) struct week *w = ctl_book(c, STORE_READ, &code);
	if (!w)
		return code;
	int r = week_begin(w, &db);
	return r ? ctl_fail_errno(c, r > 0 ? -EIO : r, "the book") : list(c, db, &q, limit);
}

struct decision {
	struct ulid id;
	const char *text, *word;
	bool approve, changed;
	struct withdrawal done;
	struct account after;
};

static int refuse(struct ctl *c, struct week *w, const struct decision *d, int r)
{
	int code = ctl_audit(c, w, "withdrawal %s: %s refused", d->text, d->word);
	if (code)
		return code;
	if (r == WITHDRAW_E_ABSENT)
		return ctl_fail(c, EX_NOINPUT, "there is no withdrawal %s in this week's book", d->text);
	if (r == WITHDRAW_E_DECIDED)
		return ctl_fail(c, EX_DATAERR, "withdrawal %s was decided the other way", d->text);
	return ctl_fail(c, EX_DATAERR, "the ledger refuses it (%d)", r);
}

static int write_down(struct ctl *c, struct week *w, struct decision *d)
{
	struct store *db;
	int code = ctl_audit(c, w, "withdrawal %s: %s", d->text, d->word);
	if (code)
		return code;
	int r = week_begin(w, &db);
	if (r == 0) {
		r = withdraw_decide(db, &d->id, d->approve, c->now_ms, &d->done, &d->after, &d->changed);
		if (r != 0)
			week_rollback(w);
		if (r > 0)
			return refuse(c, w, d, r);
		if (r == 0)
			r = week_commit(w);
	}
	if (r > 0)
		return ctl_fail(c, EX_TEMPFAIL, "the disk is full");
	if (r < 0)
		return ctl_fail_errno(c, r, "the withdrawal");
	return d->changed ? 0 : ctl_audit(c, w, "withdrawal %s: it was so already", d->text);
}

static int decide(struct ctl *c, bool approve)
{
	struct decision d = { .text = ctl_word(c, 0), .word = approve ? "approve" : "reject", .approve = approve };
	int code;
	if (!ulid_parse(&d.id, d.text, strlen(d.text)))
		return ctl_fail(c, EX_USAGE, "%s is no id of a withdrawal: 26 characters of 0-9 A-Z", d.text);
	_cleanup_(week_closep) struct week *w = ctl_book(c, STORE_WRITE, &code);
	if (!w)
		return code;
	code = write_down(c, w, &d);
	if (code)
		return code;
	if (d.changed && !approve)
		tell_balance(c, &d.after, LEDGER_WITHDRAWAL_REVERSAL);
	if (!d.changed)
		out_say(&c->out, "it was so already; nothing was changed");
	show(&c->out, &d.done);
	out_bool(&c->out, "changed", d.changed);
	return 0;
}

int verb_withdrawals_approve(struct ctl *c)
{
	return decide(c, true);
}

int verb_withdrawals_reject(struct ctl *c)
{
	return decide(c, false);
}
