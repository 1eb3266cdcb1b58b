/* POST /auth/challenge, POST /auth/login, DELETE /auth/session. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api.h"
#include "bodies.h"
#include "check.h"
#include "clk.h"
#include "json.h"
#include "ledger.h"
#include "limits_book.h"
#include "log.h"
#include "msg.h"
#include "session_keys.h"

enum { KEY_SLACK_MS = 60000 }; /* a key's row outlives the session that is made after it */

/* The body as an object; NULL: answered. The caller frees it. */
static struct json *read_object(struct httpd_req *req)
{
	size_t n;
	const char *why, *body = httpd_body(req, &n);
	struct json *doc = NULL;
	int r = json_parse(&doc, body, n, &why);
	if (r < 0) {
		api_unavailable(req, r, "body");
		return NULL;
	}
	if (r > 0 || !json_is_object(json_root(doc))) {
		api_malformed(req, r > 0 ? why : "The body must be a JSON object.");
		return json_free(doc);
	}
	return doc;
}

static bool read_wallet(const struct json_value *v, struct wallet *ret)
{
	size_t n;
	const char *text = json_string(v, &n);
	return text && wallet_parse(ret, text, n);
}

/* What the text says of its key, for programs. */
static void write_key_limits(struct json_out *w, const struct key_caps *caps)
{
	jw_object(w, "session_key_limits");
	jw_int(w, "player_column", caps->column.micros);
	jw_int(w, "player_open", caps->open.micros);
	jw_int(w, "seconds", AUTH_SESSION_S);
	jw_bool(w, "withdrawals", false);
	jw_end_object(w);
}

static void challenge(struct worker *w, struct httpd_req *req, void *arg)
{
	_cleanup_(json_freep) struct json *doc = read_object(req);
	struct buf text = BUF_INIT(AUTH_TEXT_MAX), body = BUF_INIT((size_t) 2 * AUTH_TEXT_MAX);
	struct wallet wallet, key;
	struct json_out out;
	int64_t expires_ms;
	(void) arg;

	if (!doc)
		return;
	const struct json_value *key_value = json_get(json_root(doc), "session_key");
	if (!read_wallet(json_get(json_root(doc), "wallet"), &wallet) || (key_value && !read_wallet(key_value, &key))) {
		api_malformed(req, "wallet and session_key are 0x and 40 hex digits; mixed case must pass EIP-55.");
		return;
	}
	int r = auth_challenge(w->bus, w->api->s, &wallet, key_value ? &key : NULL, clk_now_ms(), &text, &expires_ms);
	if (r < 0) {
		buf_free(&text);
		api_unavailable(req, r, "challenge");
		return;
	}
	jw_begin(&out, &body);
	jw_object(&out, NULL);
	jw_str(&out, "message", text.p);
	jw_int(&out, "expires_at", expires_ms);
	if (key_value) {
		const struct key_caps caps = auth_key_caps(w->api->s);
		write_key_limits(&out, &caps);
	}
	jw_end_object(&out);
	buf_free(&text);
	httpd_reply_json(req, 200, &body);
}

void post_challenge(struct httpd_req *req, void *ctx)
{
	api_defer(ctx, req, challenge, NULL);
}

/* A login on its way: checked by a reader, its account opened and its session key written down by the writer, its session made by a
 * reader. */
struct login {
	struct intake_job job; /* first: the writer hands it back */
	struct api *api;
	struct httpd_req *req;
	struct json *doc;      /* holds the body's text */
	struct login_body body;
	struct auth_session session;
	struct account account;
	bool fresh;            /* the account is */
	struct session_key key;
	int64_t excluded_ms;   /* until when; 0: not */
};

static void login_free(struct login *l)
{
	(void) json_free(l->doc);
	free(l);
}

static void answer_login(struct login *l)
{
	struct buf body = BUF_INIT(1024);
	struct json_out out;
	char who[WALLET_TEXT_SIZE], key[WALLET_TEXT_SIZE];

	wallet_format(who, &l->session.wallet);
	jw_begin(&out, &body);
	jw_object(&out, NULL);
	jw_str(&out, "session_token", l->session.token);
	jw_str(&out, "wallet", who);
	if (l->session.has_key) {
		wallet_format(key, &l->session.key);
		jw_str(&out, "session_key", key);
		write_key_limits(&out, &l->key.caps);
	}
	jw_int(&out, "balance", l->account.balance.micros);
	jw_int(&out, "expires_at", l->session.expires_ms);
	jw_end_object(&out);
	api_tell(l->req, LOG_LEVEL_INFO, &l->session.wallet, "signed in%s", l->session.has_key ? " with a session key" : "");
	httpd_reply_json(l->req, 201, &body);
	login_free(l);
}

static void refuse_login(struct login *l, int r)
{
	struct httpd_req *req = l->req;
	api_tell(req, LOG_LEVEL_DEBUG, &l->session.wallet, "not signed in (%d)", r);
	login_free(l);
	switch (r) {
	case AUTH_E_UNKNOWN:
	case AUTH_E_SPENT:
		api_unauthorized(req, "The challenge is unknown, over or spent; ask for a new one.");
		break;
	case AUTH_E_SIGNATURE:
		httpd_problem(req, PROBLEM_INVALID_SIGNATURE, "The message is not signed by the wallet (and the session key) it names.",
				NULL, 0);
		break;
	case AUTH_E_KEY_SIGNATURE_MISSING:
		api_malformed(req, "The message names a session key: session_key_signature is needed.");
		break;
	case AUTH_E_KEY_IN_USE:
		httpd_problem(req, PROBLEM_SESSION_KEY_IN_USE, "Make a new session key.", NULL, 0);
		break;
	default:
		api_unavailable(req, r, "login");
	}
}

static void make_session(struct worker *w, struct httpd_req *req, void *arg)
{
	struct login *l = arg;
	(void) req;
	if (l->account.suspended) {
		httpd_problem(l->req, PROBLEM_ACCOUNT_SUSPENDED, "Ask the operator.", NULL, 0);
		login_free(l);
		return;
	}
	int r = auth_login(w->bus, l->body.text, l->body.n, clk_now_ms(), &l->session);
	if (r != 0)
		refuse_login(l, r);
	else
		answer_login(l);
}

/* The welcome credit, a new account's first event. */
static int welcome(struct login *l, struct store *db, int64_t now_ms)
{
	char who[WALLET_TEXT_SIZE], ref_id[LEDGER_REF_ID_MAX];
	wallet_format(who, &l->session.wallet);
	(void) snprintf(ref_id, sizeof ref_id, "welcome:%s", who);
	struct posting p = { .user = l->account.user, .amount = amount_in(money_of(l->api->s->welcome_credit)),
		.ref_type = LEDGER_DEPOSIT, .ref_id = ref_id, .at_ms = now_ms };
	int r = ledger_post(db, &p, &l->account);
	CHECK(r <= 0); /* the account is new: nothing was posted to it */
	return r;
}

enum { LOGIN_E_EXCLUDED = 1, LOGIN_E_NOTHING }; /* the latter: there was nothing to write */

/* Who excluded himself may look at what is his, but gets no key to bet with. */
static int write_key(struct login *l, struct store *db, int64_t now_ms)
{
	struct limits limits;
	int r = limits_load(db, &l->account, &limits);
	if (r < 0)
		return r;
	l->excluded_ms = limits_excluded_until(&limits, now_ms);
	if (l->excluded_ms != 0)
		return LOGIN_E_EXCLUDED;
	return session_keys_put(db, &l->account, &l->session.key, &l->session.caps, now_ms,
			now_ms + (int64_t) AUTH_SESSION_S * 1000 + KEY_SLACK_MS, &l->key);
}

/* In the writer's transaction: the account when it is new, and the session key. */
static int open_account(struct intake_job *j, struct store *db, int64_t now_ms)
{
	struct login *l = (struct login *) j;
	int r = ledger_account_open(db, &l->session.wallet, now_ms, &l->account);
	if (r < 0)
		return r;
	l->fresh = r == 0;
	r = l->fresh && l->api->s->welcome_credit != 0 ? welcome(l, db, now_ms) : 0;
	if (r < 0)
		return r;
	if (l->session.has_key && !l->account.suspended)
		return write_key(l, db, now_ms);
	return l->fresh ? 0 : LOGIN_E_NOTHING;
}

static void refuse_excluded(struct login *l)
{
	char until[CLK_RFC3339_SIZE], detail[128];
	struct problem_extra extra = { .name = "until", .number = l->excluded_ms };
	clk_rfc3339(until, l->excluded_ms);
	(void) snprintf(detail, sizeof detail, "You excluded yourself until %s; sign in without a session key.", until);
	httpd_problem(l->req, PROBLEM_FORBIDDEN, detail, &extra, 0);
	login_free(l);
}

static void account_opened(struct intake_job *j, int result)
{
	struct login *l = (struct login *) j;
	if (result < 0) {
		refuse_login(l, result);
		return;
	}
	if (result == LOGIN_E_EXCLUDED) {
		refuse_excluded(l);
		return;
	}
	if (l->fresh) {
		struct buf event = BUF_INIT(MSG_EVENT_MAX);
		if (l->account.seq > 0)
			msg_balance(&event, &l->account, LEDGER_DEPOSIT);
		intake_announce(l->api->intake, &l->account, &event);
	}
	if (work_submit(l->api->work, make_session, l->req, l) != 0) {
		httpd_problem(l->req, PROBLEM_OVERLOADED, "Too many requests wait; try again in a second.", NULL, 1);
		login_free(l);
	}
}

/* 0: the account is there; LEDGER_E_ABSENT; <0. */
static int find_account(struct worker *w, struct login *l)
{
	struct store *db;
	int r = worker_db(w, &db);
	if (r < 0)
		return r;
	r = ledger_account(db, &l->session.wallet, &l->account);
	worker_done(w);
	return r;
}

static void carry_on(struct worker *w, struct login *l)
{
	int r = find_account(w, l);
	if (r == 0 && !l->session.has_key) {
		make_session(w, l->req, l);
	} else if (r < 0) {
		refuse_login(l, r);
	} else {
		l->job = (struct intake_job){ .fn = open_account, .done = account_opened };
		if (intake_submit_job(l->api->intake, &l->job) != 0) {
			httpd_problem(l->req, PROBLEM_OVERLOADED, "Too many requests wait; try again in a second.", NULL, 1);
			login_free(l);
		}
	}
}

static void login(struct worker *w, struct httpd_req *req, void *arg)
{
	(void) arg;
	struct json *doc = read_object(req);
	if (!doc)
		return;
	struct login *l = calloc(1, sizeof *l);
	if (!l) {
		(void) json_free(doc);
		api_unavailable(req, -1, "login");
		return;
	}
	*l = (struct login){ .api = w->api, .req = req, .doc = doc };
	const char *wrong = body_login(json_root(doc), &l->body);
	if (wrong) {
		login_free(l);
		api_malformed(req, wrong);
		return;
	}
	const struct login_body *b = &l->body;
	int r = auth_check(w->bus, b->text, b->n, &b->sig, b->has_key_sig ? &b->key_sig : NULL, &l->session);
	if (r != 0)
		refuse_login(l, r);
	else
		carry_on(w, l);
}

void post_login(struct httpd_req *req, void *ctx)
{
	api_defer(ctx, req, login, NULL);
}

static void logout(struct worker *w, struct httpd_req *req, void *arg)
{
	struct auth_session session;
	(void) arg;
	if (!api_session(w, req, &session))
		return;
	int r = auth_logout(w->bus, &session);
	if (r < 0)
		api_unavailable(req, r, "logout");
	else if (r != 0)
		api_unauthorized(req, "The session is over already.");
	if (r != 0)
		return;
	api_tell(req, LOG_LEVEL_INFO, &session.wallet, "signed out");
	httpd_reply_empty(req, 204);
}

void delete_session(struct httpd_req *req, void *ctx)
{
	api_defer(ctx, req, logout, NULL);
}
