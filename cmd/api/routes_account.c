/* GET /me, GET /ledger. */
#include <stdlib.h>

#include "api.h"
#include "clk.h"
#include "ledger.h"
#include "limits_book.h"
#include "query.h"
#include "show.h"

enum { ANSWER_MAX = 1 << 20 };

static int64_t tighter(int64_t server, const struct limits *own, enum limit limit, int64_t now_ms)
{
	int64_t cap = limits_cap(own, limit, now_ms).now;
	return cap < server ? cap : server;
}

static void me(struct worker *w, struct httpd_req *req, void *arg)
{
	struct account a;
	struct store *db;
	char who[WALLET_TEXT_SIZE];
	const struct settings *s = w->api->s;
	struct buf body = BUF_INIT(1024);
	struct json_out out;
	struct limits own;
	(void) arg;

	if (!api_player(w, req, &db, &a))
		return;
	int r = limits_load(db, &a, &own);
	worker_done(w);
	if (r < 0) {
		api_unavailable(req, r, "limits");
		return;
	}
	const int64_t now_ms = clk_now_ms();
	wallet_format(who, &a.wallet);
	jw_begin(&out, &body);
	jw_object(&out, NULL);
	jw_str(&out, "wallet", who);
	jw_int(&out, "balance", a.balance.micros);
	jw_int(&out, "seq", a.seq);
	jw_int(&out, "open_bets", a.open_bets);
	jw_int(&out, "open_stake", a.open_stake.micros);
	jw_object(&out, "limits");
	jw_int(&out, "player_column", tighter(s->cap_player_column, &own, LIMIT_COLUMN, now_ms));
	jw_int(&out, "player_open", tighter(s->cap_player_open, &own, LIMIT_OPEN, now_ms));
	jw_int(&out, "withdrawal_min", s->withdrawal_min);
	jw_end_object(&out);
	jw_end_object(&out);
	httpd_reply_json(req, 200, &body);
}

void get_me(struct httpd_req *req, void *ctx)
{
	api_defer(ctx, req, me, NULL);
}

struct entries {
	struct json_out *w;
	int64_t last_row;
};

static bool add_entry(void *u, const struct entry *e)
{
	struct entries *list = u;
	show_entry(list->w, e);
	list->last_row = e->row;
	return true;
}

static bool read_ledger_query(struct httpd_req *req, struct ledger_query *q)
{
	struct list_query list;
	enum ledger_ref ref;
	const char *type = httpd_query(req, "ref_type");
	if (!query_list(req, &list))
		return false;
	if (type && !ledger_ref_parse(&ref, type)) {
		api_malformed(req, "ref_type is none of the ledger's.");
		return false;
	}
	*q = (struct ledger_query){ .from_ms = list.from_ms, .to_ms = list.to_ms, .limit = list.limit,
		.before_row = list.before_row, .ref_type = type ? (int) ref : 0, .ref_id = httpd_query(req, "ref_id") };
	return true;
}

static void ledger(struct worker *w, struct httpd_req *req, void *arg)
{
	struct account a;
	struct store *db;
	struct ledger_query q;
	struct buf body = BUF_INIT(ANSWER_MAX);
	struct json_out out;
	struct entries list = { .w = &out };
	struct week_missing missing;
	bool more;
	(void) arg;

	if (!api_player(w, req, &db, &a))
		return;
	if (!read_ledger_query(req, &q)) {
		worker_done(w);
		return;
	}
	q.user = a.user;
	jw_begin(&out, &body);
	jw_object(&out, NULL);
	jw_array(&out, "entries");
	int r = week_ledger(w->week, &q, add_entry, &list, &more, &missing);
	worker_done(w);
	if (r < 0) {
		buf_free(&body);
		api_unavailable(req, r, "ledger");
		return;
	}
	jw_end_array(&out);
	write_cursor(&out, more, list.last_row);
	write_archived(&out, &missing);
	jw_end_object(&out);
	httpd_reply_json(req, 200, &body);
}

void get_ledger(struct httpd_req *req, void *ctx)
{
	api_defer(ctx, req, ledger, NULL);
}
