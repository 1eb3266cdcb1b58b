/* verify: columns computed again from their evidence, and held against what Redis still has of their ticks. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "book.h"
#include "ctl.h"
#include "err.h"
#include "history.h"
#include "path.h"
#include "settle.h"

enum { COLUMNS_A_PAGE = 200, WEEKS_MAX = 1024 }; /* a page is one short transaction */

enum history_says { HISTORY_SAME, HISTORY_INCOMPLETE, HISTORY_GONE, HISTORY_DIFFERS, HISTORY_UNREADABLE, HISTORY_SAYS };
static const char *const history_words[] = {
	[HISTORY_SAME] = "same",
	[HISTORY_INCOMPLETE] = "incomplete", /* Redis lost some of it: the evidence was whole */
	[HISTORY_GONE] = "gone",
	[HISTORY_DIFFERS] = "differs",
	[HISTORY_UNREADABLE] = "unreadable",
};

/* Redis may lack ticks, since it may lose its memory; it may not have one that the evidence lacks. */
static enum history_says compare_ticks(const struct tick *evidence, size_t n, const struct tick *history, size_t n_history)
{
	size_t i = 0;
	for (size_t k = 0; k < n_history; k++) {
		while (i < n && evidence[i].t_ms < history[k].t_ms)
			i++;
		if (i == n || evidence[i].t_ms != history[k].t_ms || evidence[i].p_cents != history[k].p_cents)
			return HISTORY_DIFFERS;
		i++;
	}
	if (n_history == n)
		return HISTORY_SAME;
	return n_history ? HISTORY_INCOMPLETE : HISTORY_GONE;
}

/* An older anchor than the evidence's means that the true one is lost, not that another was used. */
static size_t without_older_anchor(const struct tick **ticks, size_t n, bool anchor, const struct tick *evidence, size_t n_evidence)
{
	if (n && anchor && n_evidence && (*ticks)->t_ms < evidence->t_ms) {
		(*ticks)++;
		return n - 1;
	}
	return n;
}

struct verifier {
	struct ctl *c;
	struct bus *bus;       /* NULL: Redis is away, or was once */
	struct tick *evidence, *history; /* [PATH_TICKS_MAX] */
	size_t n;              /* of the evidence */
	char text[256];        /* the first difference of the column that was looked at last */
};

static int verifier_open(struct verifier *v, struct ctl *c)
{
	*v = (struct verifier){ .c = c, .evidence = calloc(PATH_TICKS_MAX, sizeof *v->evidence),
		.history = calloc(PATH_TICKS_MAX, sizeof *v->history) };
	if (!v->evidence || !v->history)
		return -ENOMEM;
	if (bus_open(&v->bus, &c->bus) != 0)
		v->bus = NULL;
	err_clear();
	return 0;
}

static void verifier_close(struct verifier *v)
{
	(void) bus_close(v->bus);
	free(v->evidence);
	free(v->history);
}

/* Once it could not be asked it is not asked again: each try may last as long as the limit for a command. */
static enum history_says ask_history(struct verifier *v, int64_t t0_s)
{
	size_t n = 0;
	bool anchor = false;
	int64_t redis_ms;
	if (v->bus && history_column(v->bus, t0_s, v->c->settings.column_s, v->history, PATH_TICKS_MAX, &n, &anchor, &redis_ms) != 0)
		v->bus = bus_close(v->bus);
	err_clear();
	if (!v->bus)
		return HISTORY_UNREADABLE;
	const struct tick *first = v->history;
	n = without_older_anchor(&first, n, anchor, v->evidence, v->n);
	return compare_ticks(v->evidence, v->n, first, n);
}

/* Inside a transaction of db: 0 equal, SETTLE_E_DIFFERS with v->text, SETTLE_E_ABSENT, <0. */
static int verify_evidence(struct verifier *v, struct store *db, int64_t t0_s)
{
	v->text[0] = '\0';
	int r = settle_verify(db, &v->c->settings, t0_s, v->text, sizeof v->text);
	if (r != 0 && r != SETTLE_E_DIFFERS)
		return r;
	int e = book_evidence(db, t0_s, v->evidence, PATH_TICKS_MAX, &v->n);
	return e == 0 ? r : e > 0 ? -EBADMSG : e;
}

static int verify_one(struct ctl *c, struct week *w, int64_t t0_s)
{
	struct verifier v;
	struct column column;
	struct store *db;
	int r = verifier_open(&v, c);
	if (r == 0)
		r = week_begin(w, &db);
	if (r == 0) {
		r = week_column(w, t0_s, &column, &db);
		r = r == BOOK_E_ABSENT ? SETTLE_E_ABSENT : r == 0 ? verify_evidence(&v, db, t0_s) : r;
		week_rollback(w);
	}
	if (r == 0 || r == SETTLE_E_DIFFERS) {
		enum history_says says = ask_history(&v, t0_s);
		bool good = r == 0 && says != HISTORY_DIFFERS;
		out_text(&c->out, "verdict", good ? "equal" : "differs");
		out_text(&c->out, "evidence", r == 0 ? "equal" : v.text);
		out_text(&c->out, "history", history_words[says]);
		out_column(&c->out, &column);
		r = good ? 0 : SETTLE_E_DIFFERS;
	}
	verifier_close(&v);
	if (r == SETTLE_E_ABSENT)
		return ctl_fail(c, EX_NOINPUT, "column %lld is not recorded in the weeks that are here", (long long) t0_s);
	return r < 0 ? ctl_fail_errno(c, r, "the column") : r == 0 ? 0 : EX_DRIFT;
}

/* All columns of one week's file. */
struct tally {
	int64_t columns, voids, bets, differ;
	int64_t history[HISTORY_SAYS];
	char finding[320];
};

struct page {
	struct column columns[COLUMNS_A_PAGE];
	size_t n;
};

static bool take_column(void *u, const struct column *c)
{
	struct page *p = u;
	p->columns[p->n++] = *c;
	return p->n < COLUMNS_A_PAGE;
}

static void found(struct tally *t, int64_t t0_s, const char *what)
{
	if (t->differ++ == 0)
		(void) snprintf(t->finding, sizeof t->finding, "column %" PRId64 ": %s", t0_s, what);
}

/* A copy that a week carries on from the one before is compared, but counted where it was decided. */
static int tally_column(struct verifier *v, struct store *db, const struct column *c, int64_t history_from_s, struct tally *t)
{
	int r = verify_evidence(v, db, c->t0_s);
	if (r < 0 && r != -EBADMSG)
		return r;
	if (r != 0)
		found(t, c->t0_s, r < 0 ? err_text() : v->text);
	err_clear();
	if (c->carried)
		return 0;
	t->columns++;
	t->voids += c->status == COLUMN_VOID;
	t->bets += c->bets;
	if (r < 0 || c->t0_s < history_from_s)
		return 0;
	enum history_says says = ask_history(v, c->t0_s);
	t->history[says]++;
	if (says == HISTORY_DIFFERS && r == 0)
		found(t, c->t0_s, "Redis has a tick that the evidence lacks");
	return 0;
}

static int tally_page(struct verifier *v, struct store *db, int64_t from_s, int64_t history_from_s, struct tally *t, struct page *page)
{
	page->n = 0;
	int r = store_begin(db);
	if (r != 0)
		return r < 0 ? r : -EIO;
	r = book_columns(db, from_s, INT64_MAX, take_column, page);
	for (size_t i = 0; r == 0 && i < page->n; i++)
		r = tally_column(v, db, &page->columns[i], history_from_s, t);
	store_rollback(db);
	return r;
}

static int tally_week(struct verifier *v, struct week *w, struct clk_week week, struct tally *t)
{
	struct store *db;
	struct page *page = malloc(sizeof *page);
	int64_t from_s = 0, history_from_s = v->c->now_ms / 1000 - (int64_t) HISTORY_DAYS * 86400;
	int r = page ? week_open_past(w, week, &db) : -ENOMEM; /* the current one too: a handle of its own */
	if (r == 0) {
		do {
			r = tally_page(v, db, from_s, history_from_s, t, page);
			from_s = page->n ? page->columns[page->n - 1].t0_s + 1 : 0;
		} while (r == 0 && page->n == COLUMNS_A_PAGE);
		(void) store_close(db);
	}
	free(page);
	return r > 0 ? -EIO : r;
}

struct week_names {
	struct clk_week weeks[WEEKS_MAX];
	size_t n;
};

static bool take_local(void *u, const struct week_info *info)
{
	struct week_names *names = u;
	if (info->local && names->n < WEEKS_MAX)
		names->weeks[names->n++] = info->week;
	return true;
}

static void show_tally(struct out *o, const struct tally *t)
{
	out_text(o, "verdict", t->differ ? "differs" : "equal");
	out_text(o, "finding", t->differ ? t->finding : NULL);
	out_int(o, "columns", t->columns);
	out_int(o, "void", t->voids);
	out_int(o, "bets", t->bets);
	out_int(o, "differ", t->differ);
	for (int i = 0; i < HISTORY_SAYS; i++) {
		char name[32];
		(void) snprintf(name, sizeof name, "history_%s", history_words[i]);
		out_int(o, name, t->history[i]);
	}
}

static void add_tally(struct tally *sum, const struct tally *t)
{
	if (!sum->differ)
		memcpy(sum->finding, t->finding, sizeof sum->finding);
	sum->columns += t->columns;
	sum->voids += t->voids;
	sum->bets += t->bets;
	sum->differ += t->differ;
	for (int i = 0; i < HISTORY_SAYS; i++)
		sum->history[i] += t->history[i];
}

static void show_all(struct out *o, const struct week_names *names, const struct tally *tallies)
{
	struct tally sum = { 0 };
	for (size_t i = 0; i < names->n; i++)
		add_tally(&sum, &tallies[i]);
	show_tally(o, &sum);
	out_list(o, "weeks");
	for (size_t i = 0; i < names->n; i++) {
		char label[WEEK_LABEL_SIZE];
		week_label(label, names->weeks[i]);
		out_row(o);
		out_text(o, "week", label);
		show_tally(o, &tallies[i]);
		out_end_row(o);
	}
	out_end_list(o);
}

static int verify_all(struct ctl *c, struct week *w)
{
	struct verifier v;
	struct week_names *names = calloc(1, sizeof *names);
	int r = verifier_open(&v, c);
	if (!names)
		r = -ENOMEM;
	if (r == 0)
		r = week_list(w, take_local, names);
	struct tally *tallies = r == 0 ? calloc(names->n + 1, sizeof *tallies) : NULL;
	if (r == 0 && !tallies)
		r = -ENOMEM;
	for (size_t i = 0; r == 0 && i < names->n; i++)
		r = tally_week(&v, w, names->weeks[i], &tallies[i]);
	bool differs = false;
	for (size_t i = 0; r == 0 && i < names->n; i++)
		differs = differs || tallies[i].differ;
	if (r == 0)
		show_all(&c->out, names, tallies);
	verifier_close(&v);
	free(tallies);
	free(names);
	return r < 0 ? ctl_fail_errno(c, r, "the columns") : differs ? EX_DRIFT : 0;
}

int verb_verify(struct ctl *c)
{
	const char *text = ctl_word(c, 0), *bet = ctl_option(c, "bet"), *all = ctl_option(c, "all");
	long long t0_s = 0;
	char *end;
	int code;
	if (!!text + !!bet + !!all != 1)
		return ctl_fail(c, EX_USAGE, "verify: either T0, --bet ID or --all");
	if (bet)
		return ctl_verify_rate(c, bet);
	if (text) {
		t0_s = strtoll(text, &end, 10);
		if (*end || end == text || t0_s <= 0 || t0_s % c->settings.column_s)
			return ctl_fail(c, EX_USAGE, "%s is no start of a column: a multiple of %lld, in seconds", text,
					(long long) c->settings.column_s);
	}
	_cleanup_(week_closep) struct week *w = ctl_book(c, STORE_READ, &code);
	if (!w)
		return code;
	return text ? verify_one(c, w, t0_s) : verify_all(c, w);
}
