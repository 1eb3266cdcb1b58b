/* status: each daemon by its own word, and the book. */
#include <stdio.h>
#include <string.h>

#include "book.h"
#include "ctl.h"
#include "err.h"
#include "http_get.h"
#include "ledger.h"

enum { ASK_MS = 1500 };

struct daemon_at {
	const char *name;
	const struct conf_listen *at;
};

/* The `status` of the answer, "unknown" when it is not what it should be. */
static void read_health(const char *text, size_t n, char *out, size_t size)
{
	struct json *j = NULL;
	const char *why;
	(void) snprintf(out, size, "unknown");
	if (n == 0 || json_parse(&j, text, n, &why) != 0)
		return;
	const char *status = json_string(json_get(json_root(j), "status"), NULL);
	if (status)
		(void) snprintf(out, size, "%s", status);
	json_free(j);
}

/* True when the daemon answers and is not critical. */
static bool ask_daemon(struct ctl *c, const struct daemon_at *d)
{
	_cleanup_(buf_free) struct buf health = BUF_INIT(HTTP_GET_MAX), ready = BUF_INIT(HTTP_GET_MAX);
	int health_status = 0, ready_status = 0;
	char is[32] = "down";
	int r = http_get(d->at, "/health", ASK_MS, &health_status, &health);
	if (r == 0)
		read_health(health.p, health.n, is, sizeof is);
	if (r == 0)
		r = http_get(d->at, "/ready", ASK_MS, &ready_status, &ready);
	out_row(&c->out);
	out_text(&c->out, "daemon", d->name);
	out_text(&c->out, "status", is);
	out_bool(&c->out, "ready", r == 0 && ready_status == 200);
	if (r < 0)
		out_text(&c->out, "error", strerror(-r));
	if (strcmp(is, "down") != 0 && strcmp(is, "unknown") != 0)
		out_json(&c->out, "health", health.p, health.n);
	out_end_row(&c->out);
	err_clear();
	return r == 0 && health_status == 200;
}

static bool ask_daemons(struct ctl *c)
{
	const struct settings *s = &c->settings;
	const struct daemon_at daemons[] = {
		{ "ingest", &s->ingest_ops }, { "api", &s->api_ops }, { "ws", &s->ws_ops },
		{ "resolver", &s->resolver_ops }, { "archiver", &s->archiver_ops },
	};
	bool good = true;
	out_list(&c->out, "daemons");
	for (size_t i = 0; i < ARRAY_LEN(daemons); i++)
		good = ask_daemon(c, &daemons[i]) && good;
	out_end_list(&c->out);
	return good;
}

struct totals {
	int64_t accounts, open_bets, balances, open_stake;
};

static bool add_account(void *u, const struct account *a)
{
	struct totals *t = u;
	t->accounts++;
	t->open_bets += a->open_bets;
	t->balances += a->balance.micros;
	t->open_stake += a->open_stake.micros;
	return true;
}

static int show_book(struct ctl *c, struct week *w, struct store *db)
{
	struct totals t = { 0 };
	struct clk_week week = week_current(w);
	int64_t last_s = 0;
	char name[32];
	int r = book_last_column(db, &last_s);
	if (r < 0)
		return r;
	bool any = r == 0;
	r = ledger_accounts(db, add_account, &t);
	if (r < 0)
		return r;
	(void) snprintf(name, sizeof name, "bets_%04d_w%02d.db", week.year, week.week);
	out_group(&c->out, "book");
	out_text(&c->out, "file", name);
	out_int(&c->out, "accounts", t.accounts);
	out_money(&c->out, "balances", t.balances);
	out_int(&c->out, "open_bets", t.open_bets);
	out_money(&c->out, "open_stake", t.open_stake);
	out_time(&c->out, "last_column", any ? last_s * 1000 : 0);
	out_end_group(&c->out);
	return 0;
}

int verb_status(struct ctl *c)
{
	struct store *db;
	int code;
	bool good = ask_daemons(c);
	_cleanup_(week_closep) struct week *w = ctl_book(c, STORE_READ, &code);
	if (!w)
		return code;
	int r = week_begin(w, &db);
	if (r == 0)
		r = show_book(c, w, db);
	if (r != 0)
		return ctl_fail_errno(c, r, "the book");
	out_text(&c->out, "status", good ? "up" : "not all is well");
	return good ? 0 : EX_UNAVAILABLE;
}
