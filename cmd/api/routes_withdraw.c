/* POST /withdrawals, GET /withdrawals. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "clk.h"
#include "msg.h"
#include "query.h"
#include "rnd.h"
#include "ship_place.h"
#include "signed.h"
#include "withdraw.h"

enum { ANSWER_MAX = 1 << 19, SHIP_RETRY_AFTER_S = 10 };

/* A request on its way: checked by a reader, written by the writer. */
struct request {
	struct intake_job job; /* first: the writer hands it back */
	struct api *api;
	struct httpd_req *req;
	struct withdraw withdraw;
	bool nonce_spent;
	struct withdrawal made;
	struct account after;
};

static struct bad read_members(const struct api *a, const struct json_value *o, struct withdraw *w, struct signed_part *part)
{
	size_t n;
	int64_t amount;
	const char *text = json_string(json_get(o, "wallet"), &n);
	if (!text || !wallet_parse(&w->wallet, text, n))
		return MALFORMED("wallet is 0x and 40 hex digits; mixed case must pass EIP-55.");
	if (!json_int(json_get(o, "amount"), &amount) || amount < a->s->withdrawal_min)
		return MALFORMED("amount is an integer of micro-USD, at least limits.withdrawal_min of GET /me.");
	text = json_string(json_get(o, "to"), &n);
	if (!text || !wallet_parse(&w->to, text, n))
		return MALFORMED("to is 0x and 40 hex digits; mixed case must pass EIP-55.");
	memcpy(w->to_text, text, n + 1);
	w->amount = money_of(amount);
	struct bad bad = signed_read(o, part);
	w->timestamp_s = part->timestamp_s;
	w->chain_id = part->chain_id;
	memcpy(w->nonce, part->nonce, sizeof w->nonce);
	return bad;
}

/* Form, chain, timestamp, and the wallet's own signature: a session key does not take money out. */
static struct bad check_body(const struct api *a, const char *body, size_t n, struct withdraw *w)
{
	_cleanup_(json_freep) struct json *doc = NULL;
	char text[TAP_TEXT_MAX];
	struct signed_part part;
	struct wallet signer;

	struct bad bad = signed_body(&doc, body, n);
	if (bad.problem == PROBLEM_NONE)
		bad = read_members(a, json_root(doc), w, &part);
	if (bad.problem != PROBLEM_NONE)
		return bad;
	size_t text_n = withdraw_text(text, w);
	bad = signed_check(a, &part, text, text_n, &signer);
	if (bad.problem == PROBLEM_NONE && !wallet_eq(&signer, &w->wallet))
		return (struct bad){ PROBLEM_INVALID_SIGNATURE, "The wallet itself must sign a withdrawal." };
	return bad;
}

/* The rate limit (its own bucket) and the nonce, as for a bet. False: answered. */
static bool pass_door(struct worker *w, struct request *q)
{
	struct auth_knock k = { .wallet = q->withdraw.wallet, .signer = q->withdraw.wallet };

	memcpy(k.nonce, q->withdraw.nonce, sizeof k.nonce);
	rnd_bytes(k.tag, sizeof k.tag); /* nobody remembers refusals here: a spent nonce is a spent nonce */
	int r = auth_door_ask(q->api->withdraw_door, w->bus, &k, 1, true, clk_now_ms() * 1000);
	if (r == 0 && k.verdict == AUTH_UNAVAILABLE)
		r = -EIO;
	if (r < 0) {
		api_unavailable(q->req, r, "withdrawal");
		return false;
	}
	if (k.verdict == AUTH_RATE_LIMITED) {
		httpd_problem(q->req, PROBLEM_RATE_LIMITED, "Too many withdrawals of this wallet.", NULL, k.retry_after_s);
		return false;
	}
	q->nonce_spent = k.verdict != AUTH_ADMITTED;
	return true;
}

/* In the writer's transaction. */
static int request(struct intake_job *j, struct store *db, int64_t now_ms)
{
	struct request *q = (struct request *) j;
	struct account a;
	int r = ledger_account(db, &q->withdraw.wallet, &a);
	if (r != 0)
		return r < 0 ? r : q->nonce_spent ? WITHDRAW_E_NONCE : WITHDRAW_E_FUNDS;
	if (!q->nonce_spent)
		return withdraw_request(db, a.user, &q->withdraw, now_ms, &q->made, &q->after);
	q->after = a;
	r = withdraw_replay(db, a.user, &q->withdraw, &q->made, &q->after);
	return r == 0 ? WITHDRAW_E_NONCE : r; /* spent, and by no request like this one */
}

static void answer(const struct request *q, bool again)
{
	char id[ULID_TEXT_SIZE], to[WALLET_TEXT_SIZE];
	struct buf body = BUF_INIT(1024);
	struct json_out out;

	ulid_format(id, &q->made.id);
	wallet_format(to, &q->made.to);
	jw_begin(&out, &body);
	jw_object(&out, NULL);
	jw_str(&out, "withdrawal_id", id);
	jw_str(&out, "status", withdraw_state_name(WITHDRAW_REQUESTED));
	jw_int(&out, "amount", q->made.amount.micros);
	jw_str(&out, "to", to);
	jw_int(&out, "balance", q->after.balance.micros);
	jw_int(&out, "requested_at", q->made.requested_ms);
	jw_end_object(&out);
	if (again)
		httpd_set_header(q->req, "Idempotent-Replayed", "true");
	else
		api_tell(q->req, LOG_LEVEL_INFO, &q->withdraw.wallet, "withdrawal %s: %lld micro-USD requested", id,
				(long long) q->made.amount.micros);
	httpd_reply_json(q->req, again ? 200 : 202, &body);
}

static void requested(struct intake_job *j, int result)
{
	struct request *q = (struct request *) j;
	if (result > 0)
		api_tell(q->req, LOG_LEVEL_DEBUG, &q->withdraw.wallet, "withdrawal not taken (%d)", result);
	if (result == 0) {
		struct buf event = BUF_INIT(MSG_EVENT_MAX);
		msg_balance(&event, &q->after, LEDGER_WITHDRAWAL);
		intake_announce(q->api->intake, &q->after, &event);
		answer(q, false);
	} else if (result == WITHDRAW_E_REPLAYED) {
		answer(q, true);
	} else if (result == WITHDRAW_E_NONCE) {
		httpd_problem(q->req, PROBLEM_REPLAY_DETECTED, "The nonce was spent before; sign again with a new one.", NULL, 0);
	} else if (result == WITHDRAW_E_SUSPENDED) {
		httpd_problem(q->req, PROBLEM_ACCOUNT_SUSPENDED, "Ask the operator.", NULL, 0);
	} else if (result > 0) {
		httpd_problem(q->req, PROBLEM_INSUFFICIENT_FUNDS, "The balance does not cover the amount.", NULL, 0);
	} else {
		api_unavailable(q->req, result, "withdrawal");
	}
	free(q);
}

/* Through the door and into the writer's queue one at a time: a replay that races its first stands behind it. */
static void enter(struct worker *w, struct request *q)
{
	static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
	(void) pthread_mutex_lock(&one_at_a_time);
	bool passed = pass_door(w, q);
	int r = passed ? intake_submit_job(q->api->intake, &q->job) : 0;
	(void) pthread_mutex_unlock(&one_at_a_time);
	if (r != 0)
		httpd_problem(q->req, PROBLEM_OVERLOADED, "Too many requests wait; try again in a second.", NULL, 1);
	if (!passed || r != 0)
		free(q);
}

/* Money that has left cannot be called back: none leaves by a book that a lost machine would take along. */
static bool shipping_lags(const struct settings *s)
{
	return s->s3_endpoint.v[0] && ship_lag_ms(s->data_dir.v, clk_now_ms()) > s->ship_lag_s * 1000;
}

/* One that the book holds takes nothing along: it goes on to its first answer. 1: it is there; 0; <0. */
static int is_there(struct worker *w, const struct request *q)
{
	struct account a, after;
	struct withdrawal made;
	struct store *db;
	int r = worker_db(w, &db);
	if (r < 0)
		return r;
	r = ledger_account(db, &q->withdraw.wallet, &a);
	if (r == 0)
		r = withdraw_replay(db, a.user, &q->withdraw, &made, &after) == WITHDRAW_E_REPLAYED;
	else if (r == LEDGER_E_ABSENT)
		r = 0;
	worker_done(w);
	return r;
}

static void withdraw(struct worker *w, struct httpd_req *req, void *arg)
{
	size_t n;
	const char *body = httpd_body(req, &n);
	(void) arg;
	struct request *q = calloc(1, sizeof *q);
	if (!q) {
		api_unavailable(req, -ENOMEM, "withdrawal");
		return;
	}
	*q = (struct request){ .job = { .fn = request, .done = requested }, .api = w->api, .req = req };
	struct bad bad = check_body(w->api, body, n, &q->withdraw);
	if (bad.problem != PROBLEM_NONE) {
		free(q);
		httpd_problem(req, bad.problem, bad.detail, NULL, problem_status(bad.problem) == 503 ? 1 : 0);
		return;
	}
	int there = shipping_lags(w->api->s) ? is_there(w, q) : 1;
	if (there < 0) {
		free(q);
		api_unavailable(req, there, "withdrawal");
		return;
	}
	if (!there) {
		free(q);
		httpd_problem(req, PROBLEM_UNAVAILABLE, "Withdrawals pause while the backup of the books is behind; nothing was debited.",
				NULL, SHIP_RETRY_AFTER_S);
		return;
	}
	enter(w, q);
}

void post_withdrawal(struct httpd_req *req, void *ctx)
{
	api_defer(ctx, req, withdraw, NULL);
}

struct list {
	struct json_out *w;
	int64_t last_row;
};

static bool add(void *u, const struct withdrawal *w)
{
	struct list *l = u;
	char id[ULID_TEXT_SIZE], to[WALLET_TEXT_SIZE];
	ulid_format(id, &w->id);
	wallet_format(to, &w->to);
	jw_object(l->w, NULL);
	jw_str(l->w, "withdrawal_id", id);
	jw_int(l->w, "amount", w->amount.micros);
	jw_str(l->w, "to", to);
	jw_str(l->w, "status", withdraw_state_name(w->state));
	jw_int(l->w, "requested_at", w->requested_ms);
	if (w->decided_ms) {
		jw_int(l->w, "decided_at", w->decided_ms);
	} else {
		jw_null(l->w, "decided_at");
	}
	jw_end_object(l->w);
	l->last_row = w->row;
	return true;
}

static void withdrawals(struct worker *w, struct httpd_req *req, void *arg)
{
	struct account a;
	struct store *db;
	struct list_query page;
	struct buf body = BUF_INIT(ANSWER_MAX);
	struct json_out out;
	struct list list = { .w = &out };
	enum withdraw_state state;
	bool more;
	(void) arg;

	if (!api_player(w, req, &db, &a))
		return;
	const char *status = httpd_query(req, "status");
	bool asked = query_list(req, &page);
	if (asked && status && !withdraw_state_parse(&state, status)) {
		api_malformed(req, "status is requested, approved or rejected.");
		asked = false;
	}
	if (!asked) {
		worker_done(w);
		return;
	}
	struct withdraw_query q = { .user = a.user, .from_ms = page.from_ms, .to_ms = page.to_ms, .limit = page.limit,
		.before_row = page.before_row, .state = status ? (int) state : 0 };
	jw_begin(&out, &body);
	jw_object(&out, NULL);
	jw_array(&out, "withdrawals");
	int r = withdraw_list(db, &q, add, &list, &more);
	worker_done(w);
	if (r < 0) {
		buf_free(&body);
		api_unavailable(req, r, "withdrawals");
		return;
	}
	jw_end_array(&out);
	write_cursor(&out, more, list.last_row);
	jw_end_object(&out);
	httpd_reply_json(req, 200, &body);
}

void get_withdrawals(struct httpd_req *req, void *ctx)
{
	api_defer(ctx, req, withdrawals, NULL);
}
