/* Recomputes every account and the chain from the rows, over one snapshot. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "err.h"
#include "ledger_impl.h"

struct tally { /* what the rows say of an account, beside what its own row says */
	bool there;
	struct full_account stored;
	int64_t balance, last_row, events, open_bets, open_stake;
};

struct auditor {
	struct store *db;
	struct ledger_audit *ret;
	struct tally *tallies; /* by user id */
	int64_t users;         /* greatest id */
	struct sha256 hash;
};

PRINTF_LIKE(2, 3) static int found(struct auditor *a, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	(void) vsnprintf(a->ret->finding, sizeof a->ret->finding, fmt, ap);
	va_end(ap);
	return 1;
}

static struct tally *tally_of(struct auditor *a, int64_t user)
{
	return user > 0 && user <= a->users && a->tallies[user].there ? &a->tallies[user] : NULL;
}

static int read_users(struct auditor *a)
{
	struct stmt *st = store_stmt(a->db, "SELECT coalesce(max(id), 0) FROM users");
	int r = stmt_step(st);
	if (r < 0)
		return err_trace(r);
	a->users = stmt_col_int(st, 0);
	stmt_reset(st);
	if (a->users < 0 || a->users > UINT32_MAX)
		return found(a, "user id %" PRId64, a->users);
	a->tallies = calloc((size_t) a->users + 1, sizeof *a->tallies);
	if (!a->tallies)
		return -ENOMEM;
	st = store_stmt(a->db, "SELECT " ACCOUNT_COLUMNS " FROM users ORDER BY id");
	while ((r = stmt_step(st)) == STMT_ROW) {
		int64_t id = stmt_col_int(st, 0);
		if (id < 1) {
			stmt_reset(st);
			return found(a, "user id %" PRId64, id);
		}
		a->tallies[id].there = true;
		ledger_read_account(st, &a->tallies[id].stored);
		a->ret->accounts++;
	}
	return err_trace(r);
}

/* Open and lost bets belong to the account's counts; those carried over belong to the file's first chain row. */
static int read_bets(struct auditor *a)
{
	struct stmt *st = store_stmt(a->db, "SELECT " BET_COLUMNS_UNDATED " FROM bets ORDER BY t0, low, user");
	int r;
	while ((r = stmt_step(st)) == STMT_ROW) {
		struct stored_bet b;
		struct tally *t = book_read_bet(st, &b) == 0 ? tally_of(a, b.bet.user) : NULL;
		if (!t) {
			stmt_reset(st);
			return found(a, "a bet's row is damaged or has no account");
		}
		t->events += b.bet.state == BET_LOST;
		if (b.bet.state == BET_CONFIRMED) {
			t->open_bets++;
			if (__builtin_add_overflow(t->open_stake, b.bet.stake.micros, &t->open_stake)) {
				stmt_reset(st);
				return found(a, "user %" PRId64 ": open stake overflows", b.bet.user);
			}
		}
	}
	return err_trace(r);
}

static int add_carried(struct auditor *a)
{
	struct stmt *st = store_stmt(a->db, "SELECT " BET_COLUMNS_UNDATED " FROM bets WHERE bet_row = 0 ORDER BY t0, low, user");
	int r;
	while ((r = stmt_step(st)) == STMT_ROW) {
		struct stored_bet b;
		CHECK(book_read_bet(st, &b) == 0); /* read_bets read it, in this snapshot */
		chain_add_bet(&a->hash, &b.bet);
	}
	return err_trace(r);
}

static int add_bet_of(struct auditor *a, const struct raw_row *row)
{
	struct cell cell;
	struct stored_bet b;
	ledger_cell_of_ref(&cell, row->cell_ref);
	int r = book_load_undated(a->db, row->user, cell.t0_s, cell.low_cents, &b);
	if (r != 0)
		return r < 0 ? err_trace(r) : found(a, "row %" PRId64 ": its bet is not there", row->id);
	chain_add_bet(&a->hash, &b.bet);
	return 0;
}

static int take_row(struct auditor *a, const struct raw_row *row, int64_t expected)
{
	struct tally *t = tally_of(a, row->user);
	int64_t sum;
	if (row->id != expected)
		return found(a, "row %" PRId64 " is missing", expected);
	if (!t)
		return found(a, "row %" PRId64 ": no account %" PRId64, row->id, row->user);
	if (row->prev != t->last_row)
		return found(a, "row %" PRId64 ": the one before it is %" PRId64 ", not %" PRId64, row->id, t->last_row, row->prev);
	if (__builtin_add_overflow(t->balance, row->amount, &sum) || sum < 0 || sum != row->balance_after)
		return found(a, "row %" PRId64 ": balance_after %" PRId64 " is not %" PRId64 " and %" PRId64, row->id,
				row->balance_after, t->balance, row->amount);
	if (row->ref_type == LEDGER_OPENING && row->prev != 0)
		return found(a, "row %" PRId64 ": an OPENING amid other rows", row->id);
	t->balance = sum;
	t->last_row = row->id;
	t->events += row->ref_type != LEDGER_OPENING;
	a->ret->rows++;
	chain_add_row(&a->hash, row);
	int r = row->ref_type == LEDGER_BET ? add_bet_of(a, row) : 0;
	if (r == 0 && row->prev == 0)
		chain_add_account(&a->hash, &t->stored.a, t->stored.opened_version);
	return r;
}

struct link { /* a chain row */
	int64_t id, first_row, last_row;
	struct hash hash;
};

static int next_link(struct auditor *a, int64_t after, struct link *ret)
{
	struct stmt *st = store_stmt(a->db, "SELECT id, first_row, last_row, hash FROM chain WHERE id > ?1 ORDER BY id LIMIT 1");
	stmt_int(st, 1, after);
	int r = stmt_step(st);
	if (r <= 0)
		return r < 0 ? err_trace(r) : LEDGER_E_ABSENT;
	size_t n;
	*ret = (struct link){ .id = stmt_col_int(st, 0), .first_row = stmt_col_int(st, 1), .last_row = stmt_col_int(st, 2) };
	const void *hash = stmt_col_blob(st, 3, &n);
	if (n == HASH_SIZE)
		memcpy(ret->hash.b, hash, HASH_SIZE);
	stmt_reset(st);
	return 0;
}

static int check_link(struct auditor *a, struct stmt *rows, const struct link *l, const struct hash *before)
{
	chain_begin(&a->hash, before);
	for (int64_t row = l->first_row; row <= l->last_row; row++) {
		struct walk_row w;
		int r = stmt_step(rows);
		if (r <= 0)
			return r < 0 ? err_trace(r) : found(a, "row %" PRId64 " is missing", row);
		if (ledger_read_row(rows, &w) != 0)
			return found(a, "row %" PRId64 " is damaged", row);
		r = take_row(a, &w.raw, row);
		if (r != 0)
			return r;
	}
	int r = l->id == 1 ? add_carried(a) : 0;
	if (r != 0)
		return r;
	struct hash hash = chain_end(&a->hash, l->first_row, l->last_row);
	if (memcmp(hash.b, l->hash.b, HASH_SIZE) != 0)
		return found(a, "the chain breaks at commit %" PRId64 ", rows %" PRId64 " to %" PRId64, l->id, l->first_row,
				l->last_row);
	return 0;
}

static int check_chain(struct auditor *a)
{
	struct book_page page;
	int r = book_page(a->db, &page);
	if (r != 0)
		return r < 0 ? err_trace(r) : found(a, "the book page is missing");
	struct hash before = book_page_hash(&page);
	struct link l = { 0 };
	struct stmt *rows = store_stmt(a->db, "SELECT " ROW_COLUMNS " FROM transaction_ledger ORDER BY id");
	int64_t last_id = 0, last_row = 0;
	while ((r = next_link(a, last_id, &l)) == 0) {
		if (l.id != last_id + 1 || l.first_row != last_row + 1)
			r = found(a, "the chain has a gap after commit %" PRId64, last_id);
		else
			r = check_link(a, rows, &l, &before);
		if (r != 0)
			break;
		before = l.hash;
		last_id = l.id;
		last_row = l.last_row;
		a->ret->commits++;
	}
	if (r == LEDGER_E_ABSENT && a->ret->finding[0] == '\0') {
		r = stmt_step(rows);
		if (r == STMT_ROW)
			r = found(a, "row %" PRId64 " and those after it are not chained", last_row + 1);
	}
	stmt_reset(rows);
	return err_trace(r);
}

static int check_accounts(struct auditor *a)
{
	for (int64_t id = 1; id <= a->users; id++) {
		const struct tally *t = &a->tallies[id];
		const struct account *s = &t->stored.a;
		if (!t->there)
			continue;
		if (s->balance.micros != t->balance || t->stored.last_row != t->last_row)
			return found(a, "user %" PRId64 ": balance %" PRId64 ", but its rows sum to %" PRId64, id, s->balance.micros,
					t->balance);
		if (s->seq != t->stored.opened_version + t->events)
			return found(a, "user %" PRId64 ": seq %" PRId64 ", but %" PRId64 " events", id, s->seq,
					t->stored.opened_version + t->events);
		if (s->open_bets != t->open_bets || s->open_stake.micros != t->open_stake)
			return found(a, "user %" PRId64 ": %" PRId64 " open bets of %" PRId64 ", but %" PRId64 " of %" PRId64, id,
					s->open_bets, s->open_stake.micros, t->open_bets, t->open_stake);
		if (!money_add(&a->ret->balances, a->ret->balances, s->balance))
			return found(a, "the balances' sum overflows");
	}
	return 0;
}

int ledger_audit(struct store *db, struct ledger_audit *ret)
{
	*ret = (struct ledger_audit){ 0 };
	struct auditor a = { .db = db, .ret = ret };
	int r = read_users(&a);
	if (r == 0)
		r = read_bets(&a);
	if (r == 0)
		r = check_chain(&a);
	if (r == 0)
		r = check_accounts(&a);
	free(a.tallies);
	/* A file that cannot be read as a database is a finding, not a failure of the check. */
	return r == -EBADMSG ? found(&a, "%s", err_text()) : err_trace(r);
}
