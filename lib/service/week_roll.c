/* The week's end. What the new file must hold is brought over by the same pass three times: twice from a snapshot of the old file,
 * while others write to it; then under the gate, when only what changed since the second is left to be made up. What was brought over
 * is kept in memory, so that a later pass compares and the opening's hash needs no reading back. */
#include "week_roll_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "clk.h"
#include "err.h"
#include "schema.h"

/* A pass from a snapshot: nobody waits. */
static int copy_from_snapshot(struct roll *r, bool first)
{
	struct store *from = NULL;
	int got = store_open_in(&from, r->w->gate, store_path(r->w->book), STORE_READ, &schema_week);
	if (got != 0)
		return got < 0 ? err_trace(got) : err_say(-ENOENT, "the current book is not there");
	r->from = from;
	r->to = r->m.db;
	got = store_begin(r->from);
	if (got == 0)
		got = store_begin(r->to);
	if (got == 0 && first)
		got = roll_lift_triggers(r);
	if (got == 0)
		got = roll_bring_all(r, first);
	if (got == 0)
		got = store_commit(r->to);
	else
		store_rollback(r->to);
	(void) store_close(from);
	r->from = NULL;
	(void) store_checkpointer(r->to);
	return got == 0 ? store_checkpoint(r->to, 1) : got;
}

/* The first pass is long, and much changes meanwhile; the second is short, and leaves little for the one under the gate. */
static int copy_most(struct roll *r)
{
	int got = copy_from_snapshot(r, true);
	return got == 0 ? copy_from_snapshot(r, false) : err_trace(got);
}

/* The new file's first chain row: over the openings and the bets that are carried over. */
static int close_opening(struct roll *r)
{
	struct book_page page = { .year = r->m.week.year, .week = r->m.week.week, .opened_ms = r->opened_ms }, old;
	struct sha256 h;
	int64_t chain_id, last_row;
	int got = ledger_chain_end(r->from, &chain_id, &last_row, &page.chain_start);
	if (got == 0)
		got = book_page(r->from, &old);
	if (got != 0)
		return got < 0 ? err_trace(got) : err_say(-EBADMSG, "the old book has no page");
	page.settled_until_s = old.settled_until_s;
	struct hash before = book_page_hash(&page);
	chain_begin(&h, &before);
	for (int64_t row = 1; row <= r->rows; row++) {
		const struct kept_user *k = &r->users[r->openings[row]];
		chain_add_row(&h, &(struct raw_row){ .id = row, .user = k->a.a.user, .amount = k->a.a.balance.micros,
				.balance_after = k->a.a.balance.micros, .ref_type = LEDGER_OPENING, .text = r->opening,
				.text_len = strlen(r->opening), .at_ms = r->now_ms });
		chain_add_account(&h, &k->a.a, k->a.opened_version);
	}
	for (size_t i = 0; i < r->n_bets; i++)
		chain_add_bet(&h, &r->bets[i]);
	struct hash hash = chain_end(&h, 1, r->rows);
	struct stmt *st = store_stmt(r->to, "INSERT INTO chain(id, first_row, last_row, hash) VALUES (1, 1, ?1, ?2)");
	stmt_int(st, 1, r->rows);
	stmt_blob(st, 2, hash.b, HASH_SIZE);
	got = ledger_must(stmt_run(st), "opening's chain");
	return got == 0 ? book_put_page(r->to, &page) : err_trace(got);
}

/* What may be many was summed up as it came; the rest is little. */
static int seal_opening(struct roll *r)
{
	static const enum seal_kind rest[] = { SEAL_COLUMN, SEAL_SETTLING, SEAL_WITHDRAWAL, SEAL_PAGE, SEAL_ANCHOR };
	struct hash before;
	bool known;
	int got = seal_end(r->from, &before, &known);
	for (size_t i = 0; got == 0 && i < ARRAY_LEN(rest); i++)
		got = seal_add_all(r->to, &r->sealed, rest[i]);
	return got == 0 ? seal_first(r->to, &before, &r->sealed) : err_trace(got);
}

static int make_up_the_rest(struct roll *r)
{
	r->from = r->w->book;
	int got = store_begin(r->from);
	if (got != 0)
		return err_trace(got);
	got = store_begin(r->to);
	if (got == 0)
		got = roll_bring_all(r, false);
	if (got == 0)
		got = close_opening(r);
	if (got == 0)
		got = seal_opening(r);
	if (got == 0)
		got = roll_set_triggers(r);
	if (got == 0)
		got = store_commit(r->to);
	else
		store_rollback(r->to);
	store_rollback(r->from); /* nothing was written to it */
	return err_trace(got);
}

/* Last pass: under the gate, from the file itself. */
static int finish(struct roll *r)
{
	int got = gate_enter(r->w->gate);
	if (got < 0)
		return err_trace(got);
	struct store *old = NULL;
	int64_t id = r->w->id;
	got = week_look(r->w);
	if (got == 0 && r->w->id != id)
		got = WEEK_E_CURRENT; /* another was faster */
	if (got == 0)
		got = make_up_the_rest(r);
	if (got == 0)
		got = week_make_end(&r->m, r->opened_ms);
	if (got == 0) {
		old = r->w->book;
		r->w->book = NULL;
		got = week_look(r->w);
	}
	gate_leave(r->w->gate);
	if (old) { /* its WAL moves into the file once more, as far as its last readers let it */
		if (store_checkpointer(old) && store_checkpoint(old, 1) < 0)
			err_clear(); /* the WAL keeps what it holds */
		store_checkpointer_leave(old); /* it is the directory's: the new file's keeper must get it */
		(void) store_close(old);
	}
	return err_trace(got);
}

bool week_is_over(const struct week *w, int64_t now_ms)
{
	return clk_week_start_ms(clk_iso_week(now_ms)) > clk_week_start_ms(w->current);
}

static int result_of(int got)
{
	return got == STORE_E_FULL || got == -ENOSPC ? WEEK_E_FULL : got;
}

static int roll(struct roll *r)
{
	int got = week_make_begin(&r->m, r->w, clk_iso_week(r->now_ms));
	if (got == 0)
		got = week_look(r->w); /* we may have waited for another who did it */
	if (got == 0 && !week_is_over(r->w, r->now_ms))
		got = WEEK_E_CURRENT;
	(void) snprintf(r->opening, sizeof r->opening, "%04d-W%02d", r->w->current.year % 10000, r->w->current.week % 100);
	if (got == 0)
		got = copy_most(r);
	return err_trace(got);
}

int week_roll(struct week *w, int64_t now_ms, struct week_rolled *ret)
{
	CHECK(w->mode == STORE_WRITE && !store_in_tx(w->book));
	if (!week_is_over(w, now_ms))
		return WEEK_E_CURRENT;
	struct roll r = { .w = w, .now_ms = now_ms, .opened_ms = now_ms };
	int got = roll(&r);
	int64_t from = clk_mono_us();
	if (got == 0)
		got = finish(&r);
	*ret = (struct week_rolled){ .openings = r.rows, .open_bets = (int64_t) r.n_bets, .pause_us = clk_mono_us() - from };
	for (int64_t i = 1; i <= r.users_max; i++)
		ret->accounts += r.users[i].there;
	week_make_close(&r.m);
	for (size_t i = 0; i < r.n_triggers; i++)
		free(r.triggers[i]);
	free(r.users);
	free(r.openings);
	free(r.bets);
	return err_trace(result_of(got));
}
