/* api.h - the api daemon's parts and how they hang together. One struct api a process.
 * The way of a request: httpd's pool (must not block) -> POST /bets to intake, all else to a reader of the pool in work.c,
 * which has its own connections to the book and to Redis. */
#ifndef TAP_API_H
#define TAP_API_H

#include <stdbool.h>
#include <stdint.h>

#include "attr.h"
#include "auth.h"
#include "auth_door.h"
#include "buf.h"
#include "grid.h"
#include "httpd.h"
#include "intake.h"
#include "log.h"
#include "market.h"
#include "ops.h"
#include "settings.h"
#include "work.h"

struct api {
	const struct settings *s;
	struct grid_rules rules;
	struct market *market;
	struct intake *intake;
	struct work *work;
	struct auth_door *withdraw_door; /* one at a time, see routes_withdraw.c */
	struct httpd *http;
	struct roller *roller;
	struct ops_histogram bet_seconds; /* from the request to its answer */
};

/* daemon.h's table; the process' one api. */
int api_start(const struct settings *s);
int api_turn(void);
void api_stop(void);
bool api_alive(void);
bool api_ready(void *u);
void api_health(struct ops_health *h, void *u);
void api_metrics(struct buf *out, void *u);
void api_exposure(struct json_out *w, void *u);

extern const struct httpd_route api_routes[];

/* httpd's handlers, by the file that holds them. */
httpd_handler post_challenge, post_login, delete_session;                /* routes_auth.c */
httpd_handler post_bet, get_bets, get_bet;                               /* routes_bets.c */
httpd_handler get_me, get_ledger;                                        /* routes_account.c */
httpd_handler get_limits, put_limits, post_cool_off, post_self_exclusion; /* routes_limits.c */
httpd_handler get_grid, get_column, get_prices, get_public_health;       /* routes_market.c */
httpd_handler post_withdrawal, get_withdrawals;                          /* routes_withdraw.c */

/* Hands the request to a reader; refused with overloaded when too many wait. */
void api_defer(struct api *a, struct httpd_req *req, work_fn *fn, void *arg);

/* The answers for weather: Redis or the book is not there (logged), or too much waits. */
void api_unavailable(struct httpd_req *req, int r, const char *what);
/* A line that is found by the request and by the wallet. Never before what it tells is so. */
PRINTF_LIKE(4, 5) void api_tell(const struct httpd_req *req, enum log_level level, const struct wallet *who, const char *fmt, ...);
void api_malformed(struct httpd_req *req, const char *detail);
void api_unauthorized(struct httpd_req *req, const char *detail);

/* Signs the request's bearer in: false when it was answered. */
MUST_CHECK bool api_session(struct worker *w, struct httpd_req *req, struct auth_session *ret);
/* The same, and opens a read of the book that holds its account: the caller ends it with worker_done. */
MUST_CHECK bool api_player(struct worker *w, struct httpd_req *req, struct store **db, struct account *ret);

#endif
