/* GET and PUT /me/limits, POST /me/cool-off, POST /me/self-exclusion: what a player forbids himself. */
#include <stdlib.h>

#include "api.h"
#include "clk.h"
#include "json.h"
#include "limits_book.h"
#include "signed.h"

enum { HOUR_MS = 3600000, DAY_MS = 86400000 };

static void write_cap(struct json_out *w, const char *name, int64_t cap)
{
	if (cap == LIMIT_NONE) {
		jw_null(w, name);
	} else {
		jw_int(w, name, cap);
	}
}

static void write_until(struct json_out *w, const char *name, int64_t until_ms)
{
	if (until_ms == 0) {
		jw_null(w, name);
	} else {
		jw_int(w, name, until_ms);
	}
}

static int64_t server_cap(const struct settings *s, enum limit limit)
{
	return limit == LIMIT_COLUMN ? s->cap_player_column : limit == LIMIT_OPEN ? s->cap_player_open : LIMIT_NONE;
}

static void write_limit(struct json_out *w, const struct settings *s, const struct limits *l, enum limit limit, int64_t now_ms)
{
	const struct limit_cap cap = limits_cap(l, limit, now_ms);
	const int64_t server = server_cap(s, limit);
	jw_object(w, limit_name(limit));
	write_cap(w, "effective", cap.now < server ? cap.now : server);
	write_cap(w, "own", cap.now);
	if (cap.next_ms != 0) {
		jw_object(w, "pending");
		write_cap(w, "own", cap.next);
		jw_int(w, "at", cap.next_ms);
		jw_end_object(w);
	} else {
		jw_null(w, "pending");
	}
	jw_end_object(w);
}

static void answer(struct httpd_req *req, const struct settings *s, const struct limits *l)
{
	struct buf body = BUF_INIT(2048);
	struct json_out out;
	const int64_t now_ms = clk_now_ms();
	jw_begin(&out, &body);
	jw_object(&out, NULL);
	for (int i = LIMIT_COLUMN; i < LIMIT_CAPS_END; i++)
		write_limit(&out, s, l, (enum limit) i, now_ms);
	write_until(&out, "cool_off_until", l->cool_off_ms > now_ms ? l->cool_off_ms : 0);
	write_until(&out, "self_excluded_until", limits_excluded_until(l, now_ms));
	jw_end_object(&out);
	httpd_reply_json(req, 200, &body);
}

static void limits(struct worker *w, struct httpd_req *req, void *arg)
{
	struct account a;
	struct store *db;
	struct limits l;
	(void) arg;
	if (!api_player(w, req, &db, &a))
		return;
	int r = limits_load(db, &a, &l);
	worker_done(w);
	if (r < 0)
		api_unavailable(req, r, "limits");
	else
		answer(req, w->api->s, &l);
}

void get_limits(struct httpd_req *req, void *ctx)
{
	api_defer(ctx, req, limits, NULL);
}

/* A change on its way: read and signed in by a reader, written by the writer. */
struct change {
	struct intake_job job; /* first: the writer hands it back */
	struct api *api;
	struct httpd_req *req;
	struct wallet wallet;
	struct limit_wish wishes[LIMIT_END]; /* a pause's value: how long, until the writer's clock makes it until when */
	size_t n;
	struct limits after;
};

static int change(struct intake_job *j, struct store *db, int64_t now_ms)
{
	struct change *c = (struct change *) j;
	struct account a;
	int r = ledger_account(db, &c->wallet, &a);
	if (r != 0)
		return r < 0 ? r : -1; /* it was there when the session was looked at, and accounts are for ever */
	for (size_t i = 0; i < c->n; i++)
		if (c->wishes[i].limit >= LIMIT_CAPS_END)
			c->wishes[i].value += now_ms;
	return limits_change(db, &a, c->wishes, c->n, "player", now_ms, &c->after);
}

static void changed(struct intake_job *j, int result)
{
	struct change *c = (struct change *) j;
	if (result == 0) {
		api_tell(c->req, LOG_LEVEL_INFO, &c->wallet, "the player's limits are others");
		answer(c->req, c->api->s, &c->after);
	} else if (result == LIMITS_BOOK_E_OFTEN) {
		httpd_problem(c->req, PROBLEM_RATE_LIMITED, "Too many changes of limits since yesterday.", NULL, HOUR_MS / 1000);
	} else if (result > 0) {
		api_malformed(c->req, "The limit's value is beyond what it may be.");
	} else {
		api_unavailable(c->req, result, "limits");
	}
	free(c);
}

/* Each reads its body into c: NULL, or what is wrong. */
typedef const char *read_body(struct change *c, const struct json_value *root);

static const char *read_caps(struct change *c, const struct json_value *root)
{
	for (int i = LIMIT_COLUMN; i < LIMIT_CAPS_END; i++) {
		const struct json_value *v = json_get(root, limit_name((enum limit) i));
		int64_t cap = LIMIT_NONE;
		if (!v)
			continue;
		if (!json_is_null(v) && (!json_int(v, &cap) || cap < 0 || cap == LIMIT_NONE))
			return "A limit is an integer of micro-USD, 0 or more, or null for none of your own.";
		c->wishes[c->n++] = (struct limit_wish){ (enum limit) i, cap };
	}
	return c->n > 0 ? NULL : "Name one of player_column, player_open, day_stake, day_loss.";
}

static const char *read_hours(struct change *c, const struct json_value *root)
{
	int64_t hours;
	if (!json_int(json_get(root, "hours"), &hours) || hours < LIMITS_COOL_OFF_MIN_MS / HOUR_MS ||
			hours > LIMITS_COOL_OFF_MAX_MS / HOUR_MS)
		return "hours is an integer from 1 to 1008, six weeks.";
	c->wishes[c->n++] = (struct limit_wish){ LIMIT_COOL_OFF, hours * HOUR_MS };
	return NULL;
}

static const char *read_days(struct change *c, const struct json_value *root)
{
	int64_t days;
	if (!json_int(json_get(root, "days"), &days) || days < LIMITS_EXCLUSION_MIN_MS / DAY_MS ||
			days > LIMITS_EXCLUSION_MAX_MS / DAY_MS)
		return "days is an integer from 180 to 1830, half a year to five years.";
	c->wishes[c->n++] = (struct limit_wish){ LIMIT_EXCLUSION, days * DAY_MS };
	return NULL;
}

/* 0: c is whole. Else the request was answered. */
static int read_change(struct httpd_req *req, read_body *read, struct change *c)
{
	_cleanup_(json_freep) struct json *doc = NULL;
	size_t n;
	const char *body = httpd_body(req, &n);
	struct bad bad = signed_body(&doc, body, n);
	if (bad.problem != PROBLEM_NONE) {
		httpd_problem(req, bad.problem, bad.detail, NULL, problem_status(bad.problem) == 503 ? 1 : 0);
		return -1;
	}
	const char *wrong = read(c, json_root(doc));
	if (wrong)
		api_malformed(req, wrong);
	return wrong ? -1 : 0;
}

static void submit(struct worker *w, struct httpd_req *req, read_body *read)
{
	struct account a;
	struct store *db;
	if (!api_player(w, req, &db, &a))
		return;
	worker_done(w);
	struct change *c = calloc(1, sizeof *c);
	if (!c) {
		api_unavailable(req, -1, "limits");
		return;
	}
	*c = (struct change){ .job = { .fn = change, .done = changed }, .api = w->api, .req = req, .wallet = a.wallet };
	if (read_change(req, read, c) < 0) {
		free(c);
	} else if (intake_submit_job(w->api->intake, &c->job) != 0) {
		free(c);
		httpd_problem(req, PROBLEM_OVERLOADED, "Too many requests wait; try again in a second.", NULL, 1);
	}
}

static void set_caps(struct worker *w, struct httpd_req *req, void *arg)
{
	(void) arg;
	submit(w, req, read_caps);
}

static void cool_off(struct worker *w, struct httpd_req *req, void *arg)
{
	(void) arg;
	submit(w, req, read_hours);
}

static void exclude(struct worker *w, struct httpd_req *req, void *arg)
{
	(void) arg;
	submit(w, req, read_days);
}

void put_limits(struct httpd_req *req, void *ctx)
{
	api_defer(ctx, req, set_caps, NULL);
}

void post_cool_off(struct httpd_req *req, void *ctx)
{
	api_defer(ctx, req, cool_off, NULL);
}

void post_self_exclusion(struct httpd_req *req, void *ctx)
{
	api_defer(ctx, req, exclude, NULL);
}
