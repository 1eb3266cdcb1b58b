/* ledger, trial-balance: reading the rows of money. */
#include <errno.h>
#include <string.h>

#include "ctl.h"
#include "err.h"
#include "ledger.h"

enum { ROWS_PER_PAGE = 500, ROWS_MAX = 100000 };

struct account_of {
	struct week *w;
	struct store *db;
	struct account account;
};

/* Opens a reading transaction and finds the account; the caller closes w. 0, or the exit code. */
static int find_account(struct ctl *c, struct account_of *ret)
{
	struct wallet wallet;
	int code = 0;
	if (!ctl_wallet(c, &wallet))
		return EX_USAGE;
	ret->w = ctl_book(c, STORE_READ, &code);
	if (!ret->w)
		return code;
	int r = week_begin(ret->w, &ret->db);
	if (r == 0)
		r = ledger_account(ret->db, &wallet, &ret->account);
	if (r == LEDGER_E_ABSENT)
		return ctl_fail(c, EX_NOUSER, "%s has no account", ctl_option(c, "wallet"));
	return r ? ctl_fail_errno(c, r, "the ledger") : 0;
}

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

static int list_entries(struct ctl *c, struct account_of *a, struct ledger_query *q, int64_t limit)
{
	struct listing l = { .c = c, .left = limit };
	bool more = true;
	out_list(&c->out, "entries");
	while (more && l.left > 0) {
		q->limit = (size_t) (l.left < ROWS_PER_PAGE ? l.left : ROWS_PER_PAGE);
		q->before_row = l.last_row;
		int r = ledger_list(a->db, q, show_entry, &l, &more);
		if (r < 0)
			return ctl_fail_errno(c, r, "the ledger");
	}
	out_end_list(&c->out);
	out_bool(&c->out, "more", more);
	return 0;
}

int verb_ledger(struct ctl *c)
{
	struct account_of a = { 0 };
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
	int code = find_account(c, &a);
	if (code == 0) {
		q.user = a.account.user;
		out_wallet(&c->out, "wallet", &a.account.wallet);
		out_money(&c->out, "balance", a.account.balance.micros);
		code = list_entries(c, &a, &q, limit);
	}
	week_close(a.w);
	return code;
}

/* The sums by which the house's and the custody's accounts are derived: what players' rows took, they gave. */
struct balance_sheet {
	struct store *db;
	int64_t by_type[LEDGER_REFS];
	int64_t players, accounts, rows;
	int64_t last_row;
	int failed;
};

static bool add_entry(void *u, const struct entry *e)
{
	struct balance_sheet *b = u;
	int64_t *sum = &b->by_type[e->ref_type];
	if (__builtin_add_overflow(*sum, e->amount.micros, sum))
		b->failed = err_say(-EOVERFLOW, "a sum is beyond 64 bits");
	b->last_row = e->row;
	b->rows++;
	return !b->failed;
}

static bool add_account(void *u, const struct account *a)
{
	struct balance_sheet *b = u;
	struct ledger_query q = { .user = a->user, .to_ms = INT64_MAX, .limit = ROWS_PER_PAGE };
	bool more = true;
	b->accounts++;
	if (__builtin_add_overflow(b->players, a->balance.micros, &b->players))
		b->failed = err_say(-EOVERFLOW, "a sum is beyond 64 bits");
	b->last_row = 0;
	while (more && !b->failed) {
		q.before_row = b->last_row;
		int r = ledger_list(b->db, &q, add_entry, b, &more);
		if (r < 0)
			b->failed = r;
	}
	return !b->failed;
}

static int show_sheet(struct ctl *c, const struct balance_sheet *b)
{
	int64_t house = -(b->by_type[LEDGER_BET] + b->by_type[LEDGER_PAYOUT] + b->by_type[LEDGER_REFUND]);
	int64_t custody = -(b->by_type[LEDGER_DEPOSIT] + b->by_type[LEDGER_WITHDRAWAL] +
			    b->by_type[LEDGER_WITHDRAWAL_REVERSAL]);
	int64_t adjustments = -b->by_type[LEDGER_ADJUSTMENT], opening = -b->by_type[LEDGER_OPENING];
	int64_t total = b->players + house + custody + adjustments + opening;
	out_money(&c->out, "players", b->players);
	out_money(&c->out, "house", house);
	out_money(&c->out, "custody", custody);
	out_money(&c->out, "adjustments", adjustments);
	out_money(&c->out, "opening", opening);
	out_money(&c->out, "total", total);
	out_int(&c->out, "accounts", b->accounts);
	out_int(&c->out, "rows", b->rows);
	out_bool(&c->out, "balanced", total == 0);
	return total == 0 ? 0 : EX_DRIFT;
}

int verb_trial_balance(struct ctl *c)
{
	int code;
	struct balance_sheet b = { 0 };
	_cleanup_(week_closep) struct week *w = ctl_book(c, STORE_READ, &code);
	if (!w)
		return code;
	int r = week_begin(w, &b.db);
	if (r == 0)
		r = ledger_accounts(b.db, add_account, &b);
	if (r == 0)
		r = b.failed;
	if (r != 0)
		return ctl_fail_errno(c, r, "trial balance");
	return show_sheet(c, &b);
}
