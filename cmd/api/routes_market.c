/* GET /grid, GET /columns/{t0}, GET /prices, the public GET /health: open to all. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "book.h"
#include "clk.h"
#include "history.h"
#include "msg.h"
#include "path.h"
#include "query.h"
#include "show.h"

enum {
	GRID_ANSWER_MAX = MSG_GRID_MAX + 4096,
	PRICES_SPAN_MS = 3600000,
	PRICES_ANSWER_MAX = 4 << 20,
	COLUMN_ANSWER_MAX = 4096 + PATH_TICKS_MAX * 48, /* with its path: two numbers a tick */
	CATCH_UP_S = 900, /* how far back a resolver that starts records columns without bets */
	STALE_RETRY_S = 10
};

void get_grid(struct httpd_req *req, void *ctx)
{
	struct api *a = ctx;
	struct buf body = BUF_INIT(GRID_ANSWER_MAX), constants = BUF_INIT(4096);
	if (!market_grid_event(a->market, &body)) {
		buf_free(&body);
		httpd_problem(req, PROBLEM_PRICE_FEED_STALE, "No quote was published yet.", NULL, STALE_RETRY_S);
		return;
	}
	/* the event's own object, with one member more */
	while (body.n > 0 && body.p[body.n - 1] != '}')
		body.n--;
	if (body.n > 0)
		body.n--;
	msg_constants(&constants, a->s);
	buf_puts(&body, ",\"constants\":");
	buf_put(&body, constants.p, constants.n);
	buf_putc(&body, '}');
	body.failed = body.failed || constants.failed;
	buf_free(&constants);
	httpd_reply_json(req, 200, &body);
}

/* What is known of a column that is not recorded (yet). */
struct open_column {
	struct tick anchor;
	struct hash prev_digest;
	bool has_anchor, has_prev;
};

/* The anchor is known once a tick at or after t0 stands behind it. Redis may be away: then it is not known. */
static void find_anchor(struct bus *bus, int64_t t0_s, struct open_column *ret)
{
	struct tick newest, anchor;
	int64_t t0_ms = t0_s * 1000;
	if (history_last(bus, &newest) != 0 || newest.t_ms < t0_ms || history_before(bus, t0_ms, &anchor) != 0)
		return;
	ret->anchor = anchor;
	ret->has_anchor = anchor.t_ms >= t0_ms - PATH_ANCHOR_REACH_MS;
}

/* May it still be recorded? Columns are decided in order: what the resolver has passed stays as it is. Without any record the
 * first one will be the column that ran when the service began. */
static int may_come(struct worker *w, struct store *db, int64_t t0_s, int64_t now_s, bool *ret)
{
	int64_t last_s, oldest_s;
	*ret = true;
	if (now_s < t0_s + w->api->rules.column_s)
		return 0;
	int r = book_last_column(db, &last_s);
	if (r < 0)
		return r;
	if (r == 0 && t0_s <= last_s) {
		*ret = false;
		return 0;
	}
	if (t0_s >= now_s - CATCH_UP_S && (r == 0 || t0_s >= column_of_ms(&w->api->rules, week_opened_ms(w->week))))
		return 0;
	r = book_oldest_open(db, t0_s, &oldest_s);
	if (r < 0)
		return r;
	*ret = r == 0 && oldest_s == t0_s;
	return 0;
}

/* Its evidence stands, but not all of its bets are decided by it: for all who ask it is open until then. */
static int still_open(const struct column *c, struct open_column *open, bool *ret_open)
{
	static const struct hash zeros;
	open->anchor = c->anchor;
	open->has_anchor = c->has_anchor;
	open->prev_digest = c->prev_digest;
	open->has_prev = memcmp(&c->prev_digest, &zeros, sizeof zeros) != 0;
	*ret_open = true;
	return BOOK_E_ABSENT;
}

/* The ticks of a recorded column, for who asked for them. */
struct column_path {
	struct tick *ticks; /* [PATH_TICKS_MAX]; NULL: not asked for */
	size_t n;
};

/* 0: recorded; BOOK_E_ABSENT: it is open when *ret_open. */
static int read_column(struct worker *w, int64_t t0_s, struct column *ret, struct column_path *path, struct open_column *open,
		bool *ret_open)
{
	struct store *db, *found;
	struct column prev;
	int64_t now_s = clk_now_ms() / 1000;
	int r = worker_db(w, &db);
	if (r < 0)
		return r;
	r = week_column(w->week, t0_s, ret, &found);
	*ret_open = false;
	if (r == 0 && ret->settling)
		r = still_open(ret, open, ret_open);
	else if (r == 0 && path->ticks)
		r = book_evidence(found, t0_s, path->ticks, PATH_TICKS_MAX, &path->n);
	else if (r == BOOK_E_ABSENT && t0_s <= now_s) {
		int e = may_come(w, db, t0_s, now_s, ret_open);
		if (e == 0 && *ret_open) {
			e = book_column(db, t0_s - w->api->rules.column_s, &prev);
			open->has_prev = e == 0;
			if (e == 0)
				open->prev_digest = prev.digest;
		}
		if (e < 0)
			r = e;
	}
	worker_done(w);
	return r;
}

static void reply_column(struct worker *w, struct httpd_req *req, int64_t t0_s, struct column_path *path)
{
	struct column c;
	struct open_column open = { .has_anchor = false };
	struct buf body = BUF_INIT(COLUMN_ANSWER_MAX);
	struct json_out out;
	bool is_open;

	int r = read_column(w, t0_s, &c, path, &open, &is_open);
	if (r < 0) {
		api_unavailable(req, r, "column");
		return;
	}
	if (r == BOOK_E_ABSENT && !is_open) {
		httpd_problem(req, PROBLEM_NOT_FOUND, "This column has not begun, or was never recorded.", NULL, 0);
		return;
	}
	jw_begin(&out, &body);
	if (r == 0) {
		show_column_path(&out, &c, path->ticks, path->n);
	} else {
		if (!open.has_anchor)
			find_anchor(w->bus, t0_s, &open);
		show_open_column(&out, t0_s, open.has_anchor ? &open.anchor : NULL, open.has_prev ? &open.prev_digest : NULL);
	}
	httpd_reply_json(req, 200, &body);
}

static void column(struct worker *w, struct httpd_req *req, void *arg)
{
	struct column_path path = { .ticks = NULL };
	int64_t t0_s, with_path = 0;
	(void) arg;

	if (!number_parse(&t0_s, httpd_param(req)) || t0_s % w->api->rules.column_s != 0) {
		api_malformed(req, "A column's t0 is a multiple of column_seconds, in seconds since the Unix epoch.");
		return;
	}
	if (!httpd_query_ok(req) || !query_number(req, "path", &with_path) || with_path > 1) {
		api_malformed(req, "path is 1 for the column with its ticks, 0 or absent without.");
		return;
	}
	if (with_path && !(path.ticks = calloc(PATH_TICKS_MAX, sizeof *path.ticks))) {
		api_unavailable(req, -ENOMEM, "column");
		return;
	}
	reply_column(w, req, t0_s, &path);
	free(path.ticks);
}

void get_column(struct httpd_req *req, void *ctx)
{
	api_defer(ctx, req, column, NULL);
}

/* Ticks of [from, to), page by page. */
static int write_ticks(struct worker *w, struct json_out *out, int64_t from_ms, int64_t to_ms)
{
	struct tick *page = malloc(HISTORY_PAGE * sizeof *page);
	size_t n;
	bool more = true;
	int r = page ? 0 : -1;
	while (r == 0 && more && from_ms < to_ms) {
		r = history_read(w->bus, from_ms, to_ms, page, HISTORY_PAGE, &n, &more);
		for (size_t i = 0; r == 0 && i < n; i++) {
			jw_array(out, NULL);
			jw_int(out, NULL, page[i].t_ms);
			jw_int(out, NULL, page[i].p_cents);
			jw_end_array(out);
			from_ms = page[i].t_ms + 1;
		}
		more = more && n > 0;
	}
	free(page);
	return r;
}

static void prices(struct worker *w, struct httpd_req *req, void *arg)
{
	int64_t from_ms = -1, to_ms = -1;
	struct buf body = BUF_INIT(PRICES_ANSWER_MAX);
	struct json_out out;
	(void) arg;

	if (!httpd_query_ok(req) || !query_number(req, "from", &from_ms) || !query_number(req, "to", &to_ms) ||
			from_ms < 0 || to_ms < 0 || from_ms > to_ms || to_ms - from_ms > PRICES_SPAN_MS) {
		api_malformed(req, "from and to are milliseconds since the Unix epoch, at most an hour apart; both are needed.");
		return;
	}
	jw_begin(&out, &body);
	jw_object(&out, NULL);
	jw_array(&out, "ticks");
	int r = write_ticks(w, &out, from_ms, to_ms);
	if (r < 0) {
		buf_free(&body);
		api_unavailable(req, r, "prices");
		return;
	}
	jw_end_array(&out);
	jw_end_object(&out);
	httpd_reply_json(req, 200, &body);
}

void get_prices(struct httpd_req *req, void *ctx)
{
	api_defer(ctx, req, prices, NULL);
}

void get_public_health(struct httpd_req *req, void *ctx)
{
	struct buf body = BUF_INIT(8192);
	(void) ctx;
	unsigned status = ops_health_write(&body, api_health, NULL);
	httpd_reply_json(req, status, &body);
}
