/* Bets against ledger rows and columns, columns against their evidence. */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "err.h"
#include "ledger_impl.h"
#include "ulid.h"

struct auditor {
	struct store *db;
	struct book_audit *ret;
	struct book_page page;
	int64_t own[BET_STATES]; /* bets by state, those with their BET row in this file */
	int64_t decided[BET_STATES];
	struct column column;    /* of the bets that are being looked at */
	bool has_column;
	int64_t column_of;
	struct tick *ticks;
};

PRINTF_LIKE(2, 3) static int found(struct auditor *a, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	(void) vsnprintf(a->ret->finding, sizeof a->ret->finding, fmt, ap);
	va_end(ap);
	return 1;
}

static int bet_found(struct auditor *a, const struct stored_bet *b, const char *what)
{
	return found(a, "bet %" PRId64 "_%" PRId64 " of user %" PRId64 ": %s", b->bet.cell.t0_s, b->bet.cell.low_cents,
			b->bet.user, what);
}

static bool names_bet(const struct walk_row *w, const struct bet *bet)
{
	struct ulid id;
	char name[ULID_TEXT_SIZE];
	if (!bet_id(&id, &(struct bet_key){ .placed_ms = bet->placed_ms, .t0_s = bet->cell.t0_s,
			.low_cents = bet->cell.low_cents, .user = bet->user }))
		return false;
	ulid_format(name, &id);
	return strcmp(name, w->text) == 0;
}

/* The row is of this bet, of this type and amount. */
static int check_row(struct auditor *a, const struct stored_bet *b, int64_t row, enum ledger_ref type, int64_t amount)
{
	struct walk_row w;
	int r = ledger_row(a->db, row, &w);
	if (r < 0)
		return err_trace(r);
	if (r != 0 || w.raw.ref_type != type || w.raw.user != b->bet.user || w.raw.amount != amount ||
			!names_bet(&w, &b->bet))
		return bet_found(a, b, type == LEDGER_BET ? "its BET row is another's" : "its PAYOUT or REFUND row is another's");
	return 0;
}

static int find_column(struct auditor *a, int64_t t0_s)
{
	if (a->column_of == t0_s)
		return 0;
	int r = book_column(a->db, t0_s, &a->column);
	if (r < 0)
		return err_trace(r);
	a->has_column = r == 0;
	a->column_of = t0_s;
	return 0;
}

static int check_state(struct auditor *a, const struct stored_bet *b)
{
	enum bet_state state = b->bet.state;
	int r = find_column(a, b->bet.cell.t0_s);
	if (r < 0)
		return err_trace(r);
	bool open = state == BET_CONFIRMED;
	if (!a->has_column && !open)
		return bet_found(a, b, "decided without a recorded column");
	if (a->has_column && open && !a->column.settling)
		return bet_found(a, b, "open in a settled column");
	if (!open && (a->column.status == COLUMN_VOID) != (state == BET_VOID))
		return bet_found(a, b, "decided otherwise than its column");
	if ((b->pay_row != 0) != (state == BET_WON || state == BET_VOID))
		return bet_found(a, b, "a PAYOUT or REFUND row too many or too few");
	if (b->pay_row == 0)
		return 0;
	return check_row(a, b, b->pay_row, state == BET_WON ? LEDGER_PAYOUT : LEDGER_REFUND, b->bet.payout.micros);
}

static int check_bet(struct auditor *a, const struct stored_bet *b)
{
	a->ret->bets++;
	a->ret->open_bets += b->bet.state == BET_CONFIRMED;
	a->decided[b->bet.state]++;
	if (b->bet.state == BET_CONFIRMED && b->bet.cell.t0_s <= a->page.settled_until_s)
		return bet_found(a, b, "open below the mark of what is settled");
	if (b->bet_row == 0)
		return b->bet.placed_ms <= a->page.opened_ms ? check_state(a, b) : bet_found(a, b, "it has no BET row");
	a->own[b->bet.state]++;
	int r = check_row(a, b, b->bet_row, LEDGER_BET, amount_out(b->bet.stake).micros);
	return r == 0 ? check_state(a, b) : r;
}

static int check_bets(struct auditor *a)
{
	struct stmt *st = store_stmt(a->db, "SELECT " BET_COLUMNS_UNDATED " FROM bets ORDER BY t0, low, user");
	int r;
	while ((r = stmt_step(st)) == STMT_ROW) {
		struct stored_bet b;
		r = book_read_bet(st, &b) == 0 ? check_bet(a, &b) : found(a, "a bet's row is damaged");
		if (r != 0) {
			stmt_reset(st);
			break;
		}
	}
	return err_trace(r);
}

/* Each bet named a row of its own; with equal counts no row is left over. */
static int check_counts(struct auditor *a)
{
	int64_t rows[LEDGER_REFS] = { 0 };
	struct stmt *st = store_stmt(a->db, "SELECT ref_type, count(*) FROM transaction_ledger GROUP BY ref_type");
	int r;
	while ((r = stmt_step(st)) == STMT_ROW) {
		size_t n;
		enum ledger_ref type;
		if (!ledger_ref_parse(&type, stmt_col_text(st, 0, &n))) {
			stmt_reset(st);
			return found(a, "a ledger row of no known type");
		}
		rows[type] = stmt_col_int(st, 1);
	}
	if (r < 0)
		return err_trace(r);
	int64_t own = 0;
	for (int s = BET_CONFIRMED; s < BET_STATES; s++)
		own += a->own[s];
	if (rows[LEDGER_BET] != own)
		return found(a, "%" PRId64 " BET rows, but %" PRId64 " bets", rows[LEDGER_BET], own);
	if (rows[LEDGER_PAYOUT] != a->decided[BET_WON])
		return found(a, "%" PRId64 " PAYOUT rows, but %" PRId64 " bets won", rows[LEDGER_PAYOUT], a->decided[BET_WON]);
	if (rows[LEDGER_REFUND] != a->decided[BET_VOID])
		return found(a, "%" PRId64 " REFUND rows, but %" PRId64 " void bets", rows[LEDGER_REFUND], a->decided[BET_VOID]);
	return 0;
}

static int count_bets(struct auditor *a, const struct column *c)
{
	struct stmt *st = store_stmt(a->db, "SELECT count(*) FROM bets WHERE t0 = ?1");
	stmt_int(st, 1, c->t0_s);
	int r = stmt_step(st);
	if (r < 0)
		return err_trace(r);
	int64_t n = stmt_col_int(st, 0);
	stmt_reset(st);
	return n == c->bets ? 0 : found(a, "column %" PRId64 ": %" PRId64 " bets, but it decided %" PRId64, c->t0_s, n, c->bets);
}

static bool bounds_hold(const struct column *c, const struct tick *ticks, size_t n)
{
	if (n == 0)
		return c->low_cents == 0 && c->high_cents == 0;
	int64_t low = INT64_MAX, high = INT64_MIN;
	for (size_t i = 0; i < n; i++) {
		low = ticks[i].p_cents < low ? ticks[i].p_cents : low;
		high = ticks[i].p_cents > high ? ticks[i].p_cents : high;
	}
	return c->low_cents == low && c->high_cents == high;
}

static int check_column(struct auditor *a, const struct column *c, const struct column *before)
{
	static const struct hash zeros;
	size_t n;
	a->ret->columns++;
	int r = book_evidence(a->db, c->t0_s, a->ticks, PATH_TICKS_MAX, &n);
	CHECK(r <= 0); /* the column is there */
	if (r < 0)
		return err_trace(r);
	if ((int64_t) n != c->n_ticks)
		return found(a, "column %" PRId64 ": %zu ticks in evidence, %" PRId64 " in its row", c->t0_s, n, c->n_ticks);
	bool anchored = n > 0 && a->ticks[0].t_ms < c->t0_s * 1000;
	if (anchored != c->has_anchor || (anchored && (a->ticks[0].t_ms != c->anchor.t_ms ||
			a->ticks[0].p_cents != c->anchor.p_cents)) || !bounds_hold(c, a->ticks, n))
		return found(a, "column %" PRId64 ": anchor or bounds are not its evidence's", c->t0_s);
	struct path path = { .t0_s = c->t0_s, .has_anchor = anchored, .ticks = a->ticks, .n = n };
	struct hash digest = path_digest(&path, &c->prev_digest);
	if (memcmp(&digest, &c->digest, sizeof digest) != 0)
		return found(a, "column %" PRId64 ": the digest is not its evidence's", c->t0_s);
	/* A column that was carried over lies beside the one before it only in its own week's file. */
	if (before && !c->carried && memcmp(&c->prev_digest, &zeros, sizeof zeros) != 0 &&
			memcmp(&c->prev_digest, &before->digest, sizeof zeros) != 0)
		return found(a, "column %" PRId64 ": prev_digest is not the digest before it", c->t0_s);
	return c->carried ? 0 : count_bets(a, c);
}

struct column_walk {
	struct auditor *a;
	struct column before;
	bool has_before;
	int r;
};

static bool on_column(void *u, const struct column *c)
{
	struct column_walk *w = u;
	w->r = check_column(w->a, c, w->has_before ? &w->before : NULL);
	w->before = *c;
	w->has_before = true;
	return w->r == 0;
}

static int check_columns(struct auditor *a)
{
	struct column_walk w = { .a = a };
	int r = book_columns(a->db, INT64_MIN, INT64_MAX, on_column, &w);
	return r < 0 ? err_trace(r) : w.r;
}

/* The bets that a column's settlement has still to decide are all there, and all after its mark. */
static int check_settling(struct auditor *a)
{
	struct stmt *st = store_stmt(a->db, "SELECT s.t0, s.open_bets, EXISTS(SELECT 1 FROM columns c WHERE c.t0 = s.t0),"
			" (SELECT count(*) FROM bets b WHERE b.t0 = s.t0 AND b.status = 1),"
			" (SELECT count(*) FROM bets b WHERE b.t0 = s.t0 AND (b.low, b.user) > (s.after_low, s.after_user))"
			" FROM settling s ORDER BY s.t0");
	int r;
	while ((r = stmt_step(st)) == STMT_ROW) {
		int64_t t0_s = stmt_col_int(st, 0), open = stmt_col_int(st, 1);
		bool recorded = stmt_col_int(st, 2) != 0, counted = stmt_col_int(st, 3) == open && stmt_col_int(st, 4) == open;
		a->ret->settling++;
		if (recorded && counted)
			continue;
		stmt_reset(st);
		if (!recorded)
			return found(a, "column %" PRId64 " is being settled, but not recorded", t0_s);
		return found(a, "column %" PRId64 ": its open bets are not the %" PRId64 " that settlement has to decide", t0_s, open);
	}
	return err_trace(r);
}

static int check_seals(struct auditor *a)
{
	struct seal_audit s;
	int r = seal_audit(a->db, &s);
	a->ret->seals = s.seals;
	return r > 0 ? found(a, "%s", s.finding) : err_trace(r);
}

int book_audit(struct store *db, struct book_audit *ret)
{
	*ret = (struct book_audit){ 0 };
	struct auditor a = { .db = db, .ret = ret, .column_of = INT64_MIN,
		.ticks = malloc(PATH_TICKS_MAX * sizeof(struct tick)) };
	if (!a.ticks)
		return -ENOMEM;
	int r = book_page(db, &a.page);
	if (r > 0)
		r = found(&a, "the book page is missing");
	if (r == 0)
		r = check_bets(&a);
	if (r == 0)
		r = check_counts(&a);
	if (r == 0)
		r = check_columns(&a);
	if (r == 0)
		r = check_settling(&a);
	if (r == 0)
		r = check_seals(&a);
	free(a.ticks);
	return r == -EBADMSG ? found(&a, "%s", err_text()) : err_trace(r);
}
