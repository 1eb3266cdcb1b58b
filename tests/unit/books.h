/* books.h - what the tests of ledger, book and week share: a directory, a week, accounts, bets, columns. */
#ifndef TAP_TEST_BOOKS_H
#define TAP_TEST_BOOKS_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "../support/folder.h"
#include "book.h"
#include "buf.h"
#include "ledger.h"
#include "outcome.h"
#include "path.h"
#include "week.h"

enum { ROW_CENTS = 2000, COLUMN_S = 5 };
static const int64_t NOW_MS = INT64_C(1771234565123); /* 2026-02-16, a Monday */
static const int64_t T0_S = INT64_C(1771234580);

static char books_dir[64];

static int books_set_up(void **state)
{
	(void) state;
	/* Memory, where there is such: these tests commit tens of thousands of times, and none of them pulls a real plug. */
	const char *base = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
	(void) snprintf(books_dir, sizeof books_dir, "%s/tap-books-XXXXXX", base);
	return mkdtemp(books_dir) ? 0 : -1;
}

static int books_tear_down(void **state)
{
	(void) state;
	return folder_remove(books_dir);
}

static inline struct week *books_open(enum store_mode mode)
{
	struct week *w = NULL;
	assert_int_equal(week_open(&w, books_dir, mode, NOW_MS), 0);
	return w;
}

static inline struct store *books_begin(struct week *w)
{
	struct store *db = NULL;
	assert_int_equal(week_begin(w, &db), 0);
	return db;
}

static inline struct wallet books_wallet(int n)
{
	struct wallet w = { { 0xaa, (uint8_t) (n >> 16), (uint8_t) (n >> 8), (uint8_t) n } };
	w.b[19] = 1;
	return w;
}

static inline struct bet books_bet(int64_t user, int64_t t0_s, int64_t row, int64_t usd)
{
	struct bet b = { .user = user, .cell = { t0_s, row * ROW_CENTS, (row + 1) * ROW_CENTS },
		.stake = money_of(usd * MICROS_PER_USD), .rate = { 23500 }, .rate_min = { 23400 }, .placed_ms = NOW_MS,
		.signed_s = NOW_MS / 1000 - 1, .state = BET_CONFIRMED };
	for (size_t i = 0; i < NONCE_SIZE; i++)
		b.nonce[i] = (uint8_t) ((uint64_t) (t0_s * 31 + row * 7 + user) >> (i & 7));
	return b;
}

/* An account with that much on it, by one deposit. */
static inline int64_t books_account(struct store *db, int n, int64_t usd)
{
	struct account a;
	struct wallet w = books_wallet(n);
	char ref[32];
	assert_int_equal(ledger_account_open(db, &w, NOW_MS, &a), 0);
	(void) snprintf(ref, sizeof ref, "welcome-%d", n);
	if (usd > 0)
		assert_int_equal(ledger_post(db, &(struct posting){ .user = a.user, .amount = { usd * MICROS_PER_USD },
				.ref_type = LEDGER_DEPOSIT, .ref_id = ref, .at_ms = NOW_MS }, &a), 0);
	return a.user;
}

/* As intake does it: what stands in the book first, then the money, then the bet. */
static inline int books_place(struct store *db, const struct bet *b, struct account *ret)
{
	int64_t row;
	int r = book_may_put(db, b->user, &b->cell);
	if (r != 0)
		return r < 0 ? r : 100 + r;
	r = ledger_stake(db, b, ret, &row);
	if (r != 0)
		return r;
	return book_put_bet(db, b, row);
}

/* As settle does it: every open bet of the column by the path, then the column. */
struct books_pick {
	struct bet bets[64];
	size_t n;
};

static inline bool books_on_bet(void *u, const struct bet *b, int64_t row)
{
	(void) row;
	struct books_pick *p = u;
	p->bets[p->n++] = *b;
	return true;
}

static inline int books_decide(struct store *db, struct bet *b, enum outcome o, int64_t now_ms, struct account *ret)
{
	static const enum bet_state states[] = { BET_WON, BET_LOST, BET_VOID };
	int64_t row = 0;
	bet_move(b, states[o]);
	if (!outcome_payout(&b->payout, o, b->stake, b->rate))
		return -ERANGE;
	b->resolved_ms = now_ms;
	int r = ledger_settle_bets(db, b, 1, ret, &row);
	return r == 0 ? book_decide_bets(db, b, 1, &row) : r;
}

static inline int books_settle(struct store *db, const struct tick *ticks, size_t n, int64_t t0_s, int64_t now_ms,
		int64_t *ret_bets)
{
	struct path path = path_cut(ticks, n, t0_s, COLUMN_S, 3000);
	struct column before, c = { .t0_s = t0_s, .status = path.is_void ? COLUMN_VOID : COLUMN_SETTLED,
		.has_anchor = path.has_anchor, .low_cents = path.low_cents, .high_cents = path.high_cents,
		.n_ticks = (int64_t) path.n, .settled_ms = now_ms };
	int64_t low = -1, user = 0;
	int r = 0;
	for (;;) {
		struct books_pick *p = calloc(1, sizeof *p);
		r = book_column_bets(db, t0_s, ROW_CENTS, low, user, ARRAY_LEN(p->bets), books_on_bet, p);
		for (size_t i = 0; r == 0 && i < p->n; i++) {
			struct account a;
			low = p->bets[i].cell.low_cents;
			user = p->bets[i].user;
			r = books_decide(db, &p->bets[i], outcome_of(&path, &p->bets[i].cell), now_ms, &a);
			c.bets++;
		}
		bool last = p->n < ARRAY_LEN(p->bets);
		free(p);
		if (r != 0)
			return r;
		if (last)
			break;
	}
	if (path.has_anchor)
		c.anchor = path.ticks[0];
	r = book_column(db, t0_s - COLUMN_S, &before);
	if (r < 0)
		return r;
	if (r == 0)
		c.prev_digest = before.digest;
	c.digest = path_digest(&path, &c.prev_digest);
	struct buf evidence = BUF_INIT(65536);
	path_encode(&path, &evidence);
	r = book_put_column(db, &c, evidence.p, evidence.n);
	buf_free(&evidence);
	if (ret_bets)
		*ret_bets = c.bets;
	return r;
}

/* Both audits over one snapshot; 0, or 1 with the finding printed. */
static inline int books_audit(struct week *w, bool loud)
{
	struct store *db = NULL;
	struct ledger_audit la;
	struct book_audit ba = { 0 };
	if (week_begin(w, &db) != 0)
		return -1;
	int r = ledger_audit(db, &la);
	if (r == 0)
		r = book_audit(db, &ba);
	week_rollback(w);
	if (r != 0 && loud)
		print_message("audit: %d %s%s\n", r, la.finding, ba.finding);
	return r;
}

#endif
