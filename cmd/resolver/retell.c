#include "retell.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "book.h"
#include "err.h"
#include "ledger.h"
#include "msg.h"

enum { ASK_AT_ONCE = 256 };

struct gathered {
	struct bet *bets;
	size_t n;
	struct store *db;
	const struct settings *s;
	int64_t from_ms;
	int failed;
};

static bool gather_bet(void *u, const struct bet *b, int64_t row)
{
	struct gathered *g = u;
	(void) row;
	if (b->state == BET_CONFIRMED)
		return true; /* its column is being settled */
	if (g->n == RETELL_BETS_MAX)
		return false; /* the rest ask by themselves */
	g->bets[g->n++] = *b;
	return true;
}

/* One column's bets lie in the order in which they were decided, and columns come in theirs. */
static bool gather_column(void *u, const struct column *c)
{
	struct gathered *g = u;
	if (c->bets && c->settled_ms >= g->from_ms)
		g->failed = book_column_all(g->db, c->t0_s, g->s->row_cents, gather_bet, g);
	return g->failed == 0;
}

static int by_user_and_time(const void *a, const void *b)
{
	const struct bet *x = a, *y = b;
	if (x->user != y->user)
		return x->user < y->user ? -1 : 1;
	if (x->cell.t0_s != y->cell.t0_s)
		return x->cell.t0_s < y->cell.t0_s ? -1 : 1;
	return (x->cell.low_cents > y->cell.low_cents) - (x->cell.low_cents < y->cell.low_cents);
}

static size_t keep_last_of_each_user(struct bet *bets, size_t n)
{
	size_t kept = 0;
	qsort(bets, n, sizeof *bets, by_user_and_time);
	for (size_t i = 0; i < n; i++)
		if (i + 1 == n || bets[i + 1].user != bets[i].user)
			bets[kept++] = bets[i];
	return kept;
}

static bool note_entry(void *u, const struct entry *e)
{
	*(struct entry *) u = *e;
	return true;
}

/* The decision's own row may be later than its column: settlement went on after a stop. */
static bool is_of(const struct entry *e, const struct bet *b)
{
	struct bet_key key = { .placed_ms = b->placed_ms, .t0_s = b->cell.t0_s, .low_cents = b->cell.low_cents, .user = b->user };
	struct ulid id;
	char text[ULID_TEXT_SIZE];
	if ((e->ref_type != LEDGER_PAYOUT && e->ref_type != LEDGER_REFUND) || !bet_id(&id, &key))
		return false;
	ulid_format(text, &id);
	return strcmp(e->ref_id, text) == 0;
}

/* 0: the decision is the account's newest event; 1: something came after it; <0. */
static int is_newest(struct store *db, const struct bet *b, struct account *ret)
{
	const struct ledger_query q = { .user = b->user, .to_ms = INT64_MAX, .limit = 1 };
	struct entry newest = { .at_ms = 0 };
	bool more;
	int r = ledger_account_by_id(db, b->user, ret);
	if (r == 0)
		r = ledger_list(db, &q, note_entry, &newest, &more);
	if (r != 0)
		return r < 0 ? err_trace(r) : 1;
	return newest.at_ms > b->resolved_ms && !is_of(&newest, b);
}

/* From the book, in one snapshot: the decisions that may not have been told. */
static int find(struct store *db, struct gathered *g, int64_t now_ms, struct settled_bet *ret, size_t *ret_n)
{
	/* a column that waited long for Redis was still decided lately */
	int64_t from_s = (g->from_ms - g->s->resolve_wait_ms) / 1000 - g->s->column_s;
	int r = book_columns(db, from_s, now_ms / 1000, gather_column, g);
	if (r == 0)
		r = g->failed;
	if (r < 0)
		return err_trace(r);
	size_t n = keep_last_of_each_user(g->bets, g->n);
	*ret_n = 0;
	for (size_t i = 0; i < n; i++) {
		struct settled_bet *sb = &ret[*ret_n];
		sb->bet = g->bets[i];
		r = is_newest(db, &sb->bet, &sb->account);
		if (r < 0)
			return r;
		*ret_n += r == 0;
	}
	return 0;
}

static int tell_unheard(struct bus *bus, const struct settled_bet *bets, size_t n, settled_cb *cb, void *u, size_t *ret_told)
{
	for (size_t i = 0; i < n; i++) {
		char key[KEY_MAX];
		int r = bus_addf(bus, "GET %s", key_seq(key, &bets[i].account.wallet));
		if (r < 0)
			return err_trace(r);
	}
	int r = n ? bus_flush(bus) : 0;
	for (size_t i = 0; r == 0 && i < n; i++) {
		const struct bus_reply *reply = bus_reply(bus, i);
		if (bus_kind(reply) == BUS_ERROR)
			return err_say(-EAGAIN, "Redis answered: %s", bus_text(reply, NULL));
		if (bus_kind(reply) == BUS_TEXT && bus_int(reply) < bets[i].account.seq) {
			cb(u, &bets[i]);
			++*ret_told;
		}
	}
	return err_trace(r);
}

static int retell_with(struct gathered *g, struct settled_bet *bets, struct week *reader, struct bus *bus, int64_t now_ms,
		settled_cb *cb, void *u, size_t *ret_told)
{
	size_t n;
	int r = week_begin(reader, &g->db);
	if (r != 0)
		return r < 0 ? err_trace(r) : -EAGAIN;
	r = find(g->db, g, now_ms, bets, &n);
	week_rollback(reader);
	for (size_t i = 0; r == 0 && i < n; i += ASK_AT_ONCE)
		r = tell_unheard(bus, bets + i, n - i < ASK_AT_ONCE ? n - i : ASK_AT_ONCE, cb, u, ret_told);
	return r;
}

int retell(struct week *reader, struct bus *bus, const struct settings *s, int64_t now_ms, settled_cb *cb, void *u,
		size_t *ret_told)
{
	struct gathered g = { .s = s, .from_ms = now_ms - RETELL_MS, .bets = calloc(RETELL_BETS_MAX, sizeof *g.bets) };
	struct settled_bet *bets = calloc(RETELL_BETS_MAX, sizeof *bets);
	int r = g.bets && bets ? 0 : -ENOMEM;
	*ret_told = 0;
	if (r == 0)
		r = bus_ready(bus);
	if (r == 0)
		r = retell_with(&g, bets, reader, bus, now_ms, cb, u, ret_told);
	free(g.bets);
	free(bets);
	return r;
}
