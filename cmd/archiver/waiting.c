#include "waiting.h"

#include "clk.h"
#include "err.h"
#include "ops.h"
#include "week.h"
#include "withdraw.h"

enum { COUNTED_MAX = 100000 };

struct waiting {
	int64_t n, micros, oldest_ms; /* newest first: the last one seen is the oldest */
};

static bool count(void *u, const struct withdrawal *w)
{
	struct waiting *a = u;
	a->n++;
	a->micros += w->amount.micros;
	a->oldest_ms = w->requested_ms;
	return true;
}

static int look(struct waiting *ret, const struct settings *s)
{
	const struct withdraw_query q = { .to_ms = INT64_MAX, .state = WITHDRAW_REQUESTED, .limit = COUNTED_MAX };
	struct week *w;
	struct store *db;
	bool more;
	*ret = (struct waiting){ 0 };
	int r = week_open(&w, s->data_dir.v, STORE_READ, clk_now_ms());
	if (r != 0)
		return r;
	r = week_begin(w, &db);
	if (r == 0)
		r = withdraw_list(db, &q, count, ret, &more);
	(void) week_close(w);
	return r;
}

void waiting_metrics(struct buf *out, const struct settings *s)
{
	static struct waiting last;
	static int64_t looked_ms;
	static bool known;
	int64_t now_ms = clk_mono_ms();
	if (!looked_ms || now_ms - looked_ms >= WAITING_FRESH_MS) {
		known = look(&last, s) == 0;
		looked_ms = now_ms;
		err_clear(); /* a book that cannot be read is the integrity check's to tell */
	}
	if (!known)
		return;
	ops_gauge(out, "tap_withdrawals_waiting", "withdrawals that wait for the operator", (double) last.n);
	ops_gauge(out, "tap_withdrawals_waiting_dollars", "their sum in dollars", (double) last.micros / 1e6);
	ops_gauge(out, "tap_withdrawals_oldest_wait_seconds", "age of the oldest of them; 0: none",
			last.n ? (double) (clk_now_ms() - last.oldest_ms) / 1000 : 0);
}
