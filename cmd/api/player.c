/* Who asks: the bearer's session and its account; and the answers that all routes share. */
#include <stdarg.h>
#include <stdio.h>

#include "api.h"
#include "clk.h"
#include "ledger.h"
#include "log.h"

void api_tell(const struct httpd_req *req, enum log_level level, const struct wallet *who, const char *fmt, ...)
{
	char text[256], wallet[WALLET_TEXT_SIZE];
	va_list ap;
	if (!log_wants(level))
		return;
	va_start(ap, fmt);
	(void) vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	wallet_format(wallet, who);
	const struct log_ctx ctx = { .request_id = httpd_id(req), .wallet = wallet };
	log_with(level, &ctx, "%s", text);
}

void api_malformed(struct httpd_req *req, const char *detail)
{
	httpd_problem(req, PROBLEM_MALFORMED_REQUEST, detail, NULL, 0);
}

void api_unauthorized(struct httpd_req *req, const char *detail)
{
	httpd_set_header(req, "WWW-Authenticate", "Bearer");
	httpd_problem(req, PROBLEM_UNAUTHORIZED, detail, NULL, 0);
}

void api_unavailable(struct httpd_req *req, int r, const char *what)
{
	const struct log_ctx ctx = { .request_id = httpd_id(req) };
	(void) log_errno_with(r, &ctx, "%s", what);
	httpd_problem(req, PROBLEM_UNAVAILABLE, "A part that this needs is down; try again in a second.", NULL, 1);
}

bool api_session(struct worker *w, struct httpd_req *req, struct auth_session *ret)
{
	const char *token = httpd_bearer(req);
	if (!token) {
		api_unauthorized(req, "Authorization: Bearer <session_token> is needed.");
		return false;
	}
	int r = auth_session(w->bus, token, clk_now_ms(), ret);
	if (r < 0) {
		api_unavailable(req, r, "session");
		return false;
	}
	if (r != 0) {
		api_unauthorized(req, "The session is unknown or over; sign in again.");
		return false;
	}
	return true;
}

bool api_player(struct worker *w, struct httpd_req *req, struct store **db, struct account *ret)
{
	struct auth_session session;
	if (!api_session(w, req, &session))
		return false;
	int r = worker_db(w, db);
	if (r < 0) {
		api_unavailable(req, r, "book");
		return false;
	}
	r = ledger_account(*db, &session.wallet, ret);
	if (r == 0)
		return true;
	worker_done(w);
	if (r < 0)
		api_unavailable(req, r, "account");
	else
		api_unauthorized(req, "The session's account is not in the book; sign in again.");
	return false;
}
