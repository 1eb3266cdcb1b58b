/* POST /bets, GET /bets, GET /bets/{id}. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "bodies.h"
#include "book.h"
#include "check.h"
#include "clk.h"
#include "log.h"
#include "outcome.h"
#include "priced.h"
#include "query.h"
#include "show.h"

enum { STALE_RETRY_S = 10, ANSWER_MAX = 1 << 20 };

struct placing {
	struct intake_tap tap; /* first: intake hands it back */
	struct api *api;
	struct httpd_req *req;
};

struct refusal {
	enum problem problem;
	const char *detail;
	int retry_after_s;
};

static const struct refusal refusals[] = {
	[INTAKE_NOT_SIGNER] = { PROBLEM_INVALID_SIGNATURE, "Neither the wallet nor a live session key of it signed this.", 0 },
	[INTAKE_RATE_LIMITED] = { PROBLEM_RATE_LIMITED, "Too many bets of this wallet.", 1 },
	[INTAKE_REPLAY_DETECTED] = { PROBLEM_REPLAY_DETECTED, "The nonce was spent before; sign again with a new one.", 0 },
	[INTAKE_FEED_STALE] = { PROBLEM_PRICE_FEED_STALE, "There is no live price to bet on; nothing was done.", STALE_RETRY_S },
	[INTAKE_BEYOND_GRID] = { PROBLEM_INVALID_CELL, "The cell lies beyond the newest grid.", 0 },
	[INTAKE_COLUMN_CLOSED] = { PROBLEM_COLUMN_CLOSED, "The past, the current and the next column are closed.", 0 },
	[INTAKE_QUOTE_CHANGED] = { PROBLEM_QUOTE_CHANGED, "The newest rate is below the least that was asked.", 0 },
	[INTAKE_BET_EXISTS] = { PROBLEM_BET_EXISTS, "One bet for each wallet and cell.", 0 },
	[INTAKE_FORBIDDEN] = { PROBLEM_FORBIDDEN, "You asked for a pause from betting.", 0 },
	[INTAKE_LIMIT_REACHED] = { PROBLEM_LIMIT_REACHED, "The stake would pass the player's limit in the column or in all.", 0 },
	[INTAKE_CELL_CLOSED] = { PROBLEM_CELL_CLOSED, "The cell takes no bet of this size.", 0 },
	[INTAKE_SUSPENDED] = { PROBLEM_ACCOUNT_SUSPENDED, "Ask the operator.", 0 },
	[INTAKE_NO_FUNDS] = { PROBLEM_INSUFFICIENT_FUNDS, "The balance does not cover the stake.", 0 },
	[INTAKE_OVERLOADED] = { PROBLEM_OVERLOADED, "Too many bets wait; nothing was done.", 1 },
	[INTAKE_UNAVAILABLE] = { PROBLEM_UNAVAILABLE, "A part that is needed is down; nothing was done.", 1 },
	[INTAKE_UNKNOWN] = { PROBLEM_OUTCOME_UNKNOWN, "Ask GET /bets whether the bet was written.", 1 },
};

/* In place of the server's limit. */
static const char *const reached[] = {
	[LIMIT_COLUMN] = "The stake would pass your own limit of stakes in a column.",
	[LIMIT_OPEN] = "The stake would pass your own limit of open stakes.",
	[LIMIT_DAY_STAKE] = "The stake would pass your own limit of stakes in a day (UTC).",
	[LIMIT_DAY_LOSS] = "The stake could pass your own limit of losses in a day (UTC).",
	[INTAKE_REACHED_KEY] = "The stake would pass what the message of your session key named; sign with the wallet, or sign in anew.",
};

/* Room for a detail that is made for this answer. */
enum { DETAIL_SIZE = 128 };
static const char *detail_of(const struct intake_tap *t, char made[DETAIL_SIZE])
{
	char until[CLK_RFC3339_SIZE];
	if (t->result == INTAKE_LIMIT_REACHED && t->reached != INTAKE_REACHED_SERVER)
		return reached[t->reached];
	if (t->result != INTAKE_FORBIDDEN)
		return refusals[t->result].detail;
	clk_rfc3339(until, t->until_ms);
	(void) snprintf(made, DETAIL_SIZE, "You asked for a pause from betting, which lasts until %s.", until);
	return made;
}

static void answer_refused(const struct placing *p)
{
	const struct intake_tap *t = &p->tap;
	const struct refusal *r = &refusals[t->result];
	char id[ULID_TEXT_SIZE], made[DETAIL_SIZE];
	struct problem_extra extra, *with = NULL;

	if (t->result == INTAKE_QUOTE_CHANGED) {
		extra = (struct problem_extra){ .name = "rate", .number = t->rate.e4 };
		with = &extra;
	} else if (t->result == INTAKE_BET_EXISTS) {
		bet_id_text(id, &t->bet);
		extra = (struct problem_extra){ .name = "bet_id", .text = id };
		with = &extra;
	} else if (t->result == INTAKE_FORBIDDEN) {
		extra = (struct problem_extra){ .name = "until", .number = t->until_ms };
		with = &extra;
	}
	httpd_problem(p->req, r->problem, detail_of(t, made), with,
			t->result == INTAKE_RATE_LIMITED ? t->retry_after_s : r->retry_after_s);
}

/* Before the answer: the request ends with it. */
static void tell(const struct placing *p)
{
	const struct intake_tap *t = &p->tap;
	bool placed = t->result == INTAKE_CONFIRMED || t->result == INTAKE_REPLAYED;
	char id[ULID_TEXT_SIZE], wallet[WALLET_TEXT_SIZE];
	if (!log_wants(LOG_LEVEL_DEBUG))
		return;
	if (placed)
		bet_id_text(id, &t->bet);
	wallet_format(wallet, &t->tap.wallet);
	const struct log_ctx ctx = { .request_id = httpd_id(p->req), .bet_id = placed ? id : NULL, .wallet = wallet };
	log_with(LOG_LEVEL_DEBUG, &ctx, "%s", t->result == INTAKE_CONFIRMED ? "confirmed" : placed ? "replayed" : intake_code(t->result));
}

static void answer_placed(const struct placing *p)
{
	const struct intake_tap *t = &p->tap;
	bool again = t->result == INTAKE_REPLAYED;
	char id[ULID_TEXT_SIZE], cell[CELL_TEXT_SIZE], location[64];
	struct buf body = BUF_INIT(1024);
	struct json_out out;

	bet_id_text(id, &t->bet);
	cell_format(cell, &t->bet.cell);
	jw_begin(&out, &body);
	jw_object(&out, NULL);
	jw_str(&out, "bet_id", id);
	jw_str(&out, "status", "confirmed");
	jw_str(&out, "cell", cell);
	jw_int(&out, "stake", t->bet.stake.micros);
	jw_int(&out, "rate", t->bet.rate.e4);
	jw_int(&out, "balance", t->balance.micros);
	jw_int(&out, "placed_at", t->bet.placed_ms);
	jw_end_object(&out);
	(void) snprintf(location, sizeof location, "/api/v1/bets/%s", id);
	httpd_set_header(p->req, "Location", location);
	if (again)
		httpd_set_header(p->req, "Idempotent-Replayed", "true");
	httpd_reply_json(p->req, again ? 200 : 202, &body);
}

/* On intake's threads. */
static void placed(struct intake_tap *t)
{
	struct placing *p = (struct placing *) t;
	ops_observe_us(&p->api->bet_seconds, clk_mono_us() - httpd_started_us(p->req));
	tell(p);
	if (t->more)
		httpd_more_follow(p->req);
	if (t->result == INTAKE_CONFIRMED || t->result == INTAKE_REPLAYED)
		answer_placed(p);
	else
		answer_refused(p);
	free(p);
}

void post_bet(struct httpd_req *req, void *ctx)
{
	struct api *a = ctx;
	size_t n;
	const char *body = httpd_body(req, &n);
	if (intake_busy(a->intake)) {
		httpd_problem(req, PROBLEM_OVERLOADED, refusals[INTAKE_OVERLOADED].detail, NULL, 1);
		return;
	}
	struct placing *p = calloc(1, sizeof *p);
	if (!p) {
		api_unavailable(req, -ENOMEM, "bet");
		return;
	}
	struct bad bad = body_bet(a, body, n, &p->tap.tap, &p->tap.signer);
	if (bad.problem == PROBLEM_NONE) {
		p->api = a;
		p->req = req;
		p->tap.done = placed;
		if (intake_submit(a->intake, &p->tap) == 0)
			return;
		bad = (struct bad){ PROBLEM_OVERLOADED, refusals[INTAKE_OVERLOADED].detail };
	}
	free(p);
	httpd_problem(req, bad.problem, bad.detail, NULL, problem_status(bad.problem) == 503 ? 1 : 0);
}

struct bet_list {
	struct bet *bets;
	size_t n, max;
	int64_t last_row;
};

static bool collect_bet(void *u, const struct bet *b, int64_t row)
{
	struct bet_list *l = u;
	CHECK(l->n < l->max);
	l->bets[l->n++] = *b;
	l->last_row = row;
	return true;
}

/* The columns of a list repeat: the last one read is kept. */
static int write_bets(struct json_out *out, struct week *week, const struct bet_list *l)
{
	struct store *db;
	struct column c;
	int64_t held = -1;
	for (size_t i = 0; i < l->n; i++) {
		const struct bet *b = &l->bets[i];
		bool decided = b->state != BET_CONFIRMED;
		if (decided && b->cell.t0_s != held) {
			int r = week_column(week, b->cell.t0_s, &c, &db);
			if (r < 0)
				return r;
			held = r == 0 ? b->cell.t0_s : -1;
		}
		show_bet(out, b, decided && held == b->cell.t0_s ? &c : NULL, NULL);
	}
	return 0;
}

static int list_bets(struct json_out *out, struct week *week, const struct bet_query *q, struct bet_list *l)
{
	struct week_missing missing;
	bool more;
	jw_object(out, NULL);
	jw_array(out, "bets");
	int r = week_bets(week, q, collect_bet, l, &more, &missing);
	if (r == 0)
		r = write_bets(out, week, l);
	jw_end_array(out);
	if (r == 0)
		write_cursor(out, more, l->last_row);
	if (r == 0)
		write_archived(out, &missing);
	jw_end_object(out);
	return r;
}

static bool read_bet_query(struct worker *w, struct httpd_req *req, struct bet_query *q)
{
	struct list_query list;
	enum bet_state state;
	const char *status = httpd_query(req, "status");
	if (!query_list(req, &list))
		return false;
	if (status && !bet_state_parse(&state, status)) {
		api_malformed(req, "status is confirmed, won, lost or void.");
		return false;
	}
	*q = (struct bet_query){ .from_ms = list.from_ms, .to_ms = list.to_ms, .limit = list.limit,
		.before_row = list.before_row, .status = status ? (int) state : 0, .row_cents = w->api->rules.row_cents };
	return true;
}

static void bets(struct worker *w, struct httpd_req *req, void *arg)
{
	struct account a;
	struct store *db;
	struct bet_query q;
	struct buf body = BUF_INIT(ANSWER_MAX);
	struct json_out out;
	(void) arg;

	if (!api_player(w, req, &db, &a))
		return;
	if (!read_bet_query(w, req, &q)) {
		worker_done(w);
		return;
	}
	q.user = a.user;
	struct bet_list list = { .bets = calloc(q.limit, sizeof *list.bets), .max = q.limit };
	jw_begin(&out, &body);
	int r = list.bets ? list_bets(&out, w->week, &q, &list) : -ENOMEM;
	worker_done(w);
	free(list.bets);
	if (r < 0) {
		buf_free(&body);
		api_unavailable(req, r, "bets");
		return;
	}
	httpd_reply_json(req, 200, &body);
}

void get_bets(struct httpd_req *req, void *ctx)
{
	api_defer(ctx, req, bets, NULL);
}

/* One bet with all that is known of why it ended as it did. */
struct looked {
	struct bet bet;
	bool decided, touched;
	struct column column;
	struct tick deciding; /* when touched */
	struct priced priced;
};

/* The tick that decided it, from the evidence: for a bet that won. */
static int read_deciding(struct worker *w, struct store *db, struct looked *l)
{
	const struct settings *s = w->api->s;
	struct tick *ticks = calloc(PATH_TICKS_MAX, sizeof *ticks);
	size_t n;
	int r = ticks ? book_evidence(db, l->bet.cell.t0_s, ticks, PATH_TICKS_MAX, &n) : -ENOMEM;
	if (r == 0) {
		struct path path = path_cut(ticks, n, l->bet.cell.t0_s, s->column_s, s->max_tick_gap_ms);
		size_t at = outcome_touch(&path, &l->bet.cell);
		l->touched = at < path.n;
		if (l->touched)
			l->deciding = path.ticks[at];
	}
	free(ticks);
	return r;
}

static int read_detail(struct worker *w, struct store *db, struct looked *l)
{
	const struct settings *s = w->api->s;
	int r = l->bet.state == BET_WON ? read_deciding(w, db, l) : 0;
	return r == 0 ? priced_by_book(&l->priced, w->week, s->quote_layer.v, s->quote_ttl_ms, &l->bet) : r;
}

/* 0: the player's own bet, with its column once decided; BOOK_E_ABSENT also for another's. */
static int read_bet(struct worker *w, struct httpd_req *req, int64_t user, struct looked *l)
{
	struct store *db;
	const char *text = httpd_param(req);
	struct ulid id;
	if (!ulid_parse(&id, text, strlen(text)))
		return BOOK_E_ABSENT;
	int r = week_bet_by_id(w->week, &id, w->api->rules.row_cents, &l->bet);
	if (r != 0)
		return r;
	if (l->bet.user != user)
		return BOOK_E_ABSENT;
	if (l->bet.state == BET_CONFIRMED)
		return 0;
	r = week_column(w->week, l->bet.cell.t0_s, &l->column, &db);
	l->decided = r == 0;
	if (r != 0)
		return r < 0 ? r : 0;
	return read_detail(w, db, l);
}

static void bet(struct worker *w, struct httpd_req *req, void *arg)
{
	struct account a;
	struct store *db;
	struct looked l = { .decided = false };
	struct buf body = BUF_INIT(8192);
	struct json_out out;
	(void) arg;

	if (!api_player(w, req, &db, &a))
		return;
	int r = read_bet(w, req, a.user, &l);
	worker_done(w);
	if (r < 0) {
		api_unavailable(req, r, "bet");
		return;
	}
	if (r != 0) {
		httpd_problem(req, PROBLEM_NOT_FOUND, "No bet of this wallet has this id.", NULL, 0);
		return;
	}
	struct bet_detail detail = { .deciding = l.touched ? &l.deciding : NULL, .priced = &l.priced };
	jw_begin(&out, &body);
	show_bet(&out, &l.bet, l.decided ? &l.column : NULL, l.decided ? &detail : NULL);
	httpd_reply_json(req, 200, &body);
}

void get_bet(struct httpd_req *req, void *ctx)
{
	api_defer(ctx, req, bet, NULL);
}
