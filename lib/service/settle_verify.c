/* The other direction of settle.c: from the evidence to the column and its bets, and what is recorded against that. */
#include "settle.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "hex.h"
#include "outcome.h"

struct verdict {
	char *text;
	size_t size;
	bool differs;
};

/* Keeps the first difference. */
PRINTF_LIKE(2, 3) static void differ(struct verdict *v, const char *fmt, ...)
{
	if (v->differs)
		return;
	v->differs = true;
	va_list ap;
	va_start(ap, fmt);
	(void) vsnprintf(v->text, v->size, fmt, ap);
	va_end(ap);
}

static void compare_hash(struct verdict *v, const char *what, const struct hash *recorded, const struct hash *computed)
{
	if (memcmp(recorded->b, computed->b, HASH_SIZE) == 0)
		return;
	char a[2 * HASH_SIZE + 1], b[2 * HASH_SIZE + 1];
	hex_encode(a, recorded->b, HASH_SIZE);
	hex_encode(b, computed->b, HASH_SIZE);
	differ(v, "%s: recorded %s, computed %s", what, a, b);
}

static void compare_int(struct verdict *v, const char *what, int64_t recorded, int64_t computed)
{
	if (recorded != computed)
		differ(v, "%s: recorded %lld, computed %lld", what, (long long) recorded, (long long) computed);
}

static void compare_column(struct verdict *v, const struct column *c, const struct path *path)
{
	compare_int(v, "status", c->status, path->is_void ? COLUMN_VOID : COLUMN_SETTLED);
	compare_int(v, "ticks", c->n_ticks, (int64_t) path->n);
	compare_int(v, "anchor", c->has_anchor, path->has_anchor);
	if (path->has_anchor) {
		compare_int(v, "anchor's t", c->anchor.t_ms, path->ticks[0].t_ms);
		compare_int(v, "anchor's p", c->anchor.p_cents, path->ticks[0].p_cents);
	}
	if (path->n) {
		compare_int(v, "path_low", c->low_cents, path->low_cents);
		compare_int(v, "path_high", c->high_cents, path->high_cents);
	}
	struct hash digest = path_digest(path, &c->prev_digest);
	compare_hash(v, "digest", &c->digest, &digest);
}

/* The chain: what it names as its predecessor's digest is what the predecessor has, if that is recorded. */
static int compare_chain(struct store *db, struct verdict *v, const struct column *c, int64_t column_s)
{
	struct column before;
	int r = book_column(db, c->t0_s - column_s, &before);
	if (r < 0)
		return err_trace(r);
	if (r == 0)
		compare_hash(v, "prev_digest", &c->prev_digest, &before.digest);
	return 0;
}

struct bet_check {
	struct verdict *v;
	const struct path *path;
	int64_t bets;
	bool settling;
};

static bool compare_bet(void *u, const struct bet *b, int64_t row)
{
	static const enum bet_state states[] = { [OUTCOME_WON] = BET_WON, [OUTCOME_LOST] = BET_LOST, [OUTCOME_VOID] = BET_VOID };
	struct bet_check *check = u;
	(void) row;
	check->bets++;
	if (check->settling && b->state == BET_CONFIRMED)
		return true; /* its turn comes */
	enum outcome outcome = outcome_of(check->path, &b->cell);
	if (b->state != states[outcome])
		differ(check->v, "user %lld's bet on %lld: recorded %s, computed %s", (long long) b->user,
				(long long) b->cell.low_cents, bet_state_name(b->state), bet_state_name(states[outcome]));
	return !check->v->differs;
}

static int compare_bets(struct store *db, const struct settings *s, struct verdict *v, const struct column *c,
		const struct path *path)
{
	struct bet_check check = { .v = v, .path = path, .settling = c->settling };
	int r = book_column_all(db, c->t0_s, s->row_cents, compare_bet, &check);
	if (r == 0 && !v->differs && !c->carried)
		compare_int(v, "bets", c->bets, check.bets);
	return err_trace(r);
}

int settle_verify(struct store *db, const struct settings *s, int64_t t0_s, char *text, size_t size)
{
	struct column c;
	int r = book_column(db, t0_s, &c);
	if (r != 0)
		return r < 0 ? err_trace(r) : SETTLE_E_ABSENT;
	struct tick *ticks = calloc(PATH_TICKS_MAX, sizeof *ticks);
	if (!ticks)
		return -ENOMEM;
	size_t n = 0;
	struct verdict v = { .text = text, .size = size };
	r = book_evidence(db, t0_s, ticks, PATH_TICKS_MAX, &n);
	if (r == 0) {
		struct path path = path_cut(ticks, n, t0_s, s->column_s, s->max_tick_gap_ms);
		compare_column(&v, &c, &path);
		r = compare_chain(db, &v, &c, s->column_s);
		if (r == 0)
			r = compare_bets(db, s, &v, &c, &path);
	}
	free(ticks);
	if (r < 0)
		return err_trace(r);
	return v.differs ? SETTLE_E_DIFFERS : 0;
}
