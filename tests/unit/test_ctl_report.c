/* `report`, run as an operator runs it, over two weeks of days: each day is what a plain model counted, and the totals are the
 * trial balance's. */
#include "books.h"

#include <fcntl.h>
#include <sys/wait.h>

#include "clk.h"
#include "json.h"
#include "settle.h"
#include "withdraw.h"

#define CTL "./bin/tap-trading-ctl"
#define DAY_MS INT64_C(86400000)
enum { DAYS = 11, USERS = 5, OUT_SIZE = 1 << 16, TICKS = 51 };
static const struct settings rules = { .column_s = COLUMN_S, .row_cents = ROW_CENTS, .max_tick_gap_ms = 3000 };

struct model {
	int64_t bets, won, lost, none, stakes, payouts, refunds, deposits, withdrawals;
};

static char out[OUT_SIZE];

/* Runs the line; its answer is in out. */
static int ctl(const char *line)
{
	char words[256], dir[128], *argv[16] = { CTL };
	int fds[2], status, argc = 1;
	size_t n = 0;
	ssize_t got;
	assert_int_equal(pipe(fds), 0);
	(void) snprintf(words, sizeof words, "%s", line);
	(void) snprintf(dir, sizeof dir, "TAP_DATA_DIR=%s", books_dir);
	for (char *save, *word = strtok_r(words, " ", &save); word && argc < 15; word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		char *env[] = { dir, "TAP_REDIS=unix:/nonexistent/redis.sock", "USER=tester", NULL };
		(void) dup2(fds[1], 1);
		(void) dup2(open("/dev/null", O_WRONLY), 2);
		(void) execve(CTL, argv, env);
		_exit(127);
	}
	(void) close(fds[1]);
	while (n < sizeof out - 1 && (got = read(fds[0], out + n, sizeof out - 1 - n)) > 0)
		n += (size_t) got;
	out[n] = '\0';
	(void) close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WEXITSTATUS(status);
}

static int64_t number(const struct json_value *v, const char *name)
{
	int64_t n = 0;
	if (!json_int(json_get(v, name), &n))
		fail_msg("%s is no integer in %s", name, out);
	return n;
}

static void bet_on(struct week *w, int64_t t0_s, int64_t at_ms, int day, struct model *m, bool is_void)
{
	struct store *db = books_begin(w);
	for (int64_t i = 0; i < 3 + day; i++) {
		struct account a;
		struct bet b = books_bet(1 + i % USERS, t0_s, 4868 + i, 1 + i);
		b.placed_ms = at_ms;
		assert_int_equal(books_place(db, &b, &a), 0);
		bool touched = i >= 2 && i <= 4; /* the path's rows, 4870 to 4872 */
		m->bets++;
		m->stakes += b.stake.micros;
		m->none += is_void;
		m->refunds += is_void ? b.stake.micros : 0;
		m->won += !is_void && touched;
		m->lost += !is_void && !touched;
		m->payouts += !is_void && touched ? b.stake.micros * 23500 / 10000 : 0;
	}
	assert_int_equal(week_commit(w), 0);
}

static void settle_at(struct week *w, int64_t t0_s, bool is_void)
{
	struct tick ticks[TICKS];
	struct settle_result got;
	for (int i = 0; i < TICKS; i++)
		ticks[i] = (struct tick){ t0_s * 1000 - 100 + 100 * i, 4870 * ROW_CENTS + 5 + 90 * i };
	struct path path = path_cut(ticks, is_void ? 0 : TICKS, t0_s, COLUMN_S, 3000);
	assert_int_equal(settle_column(w, &rules, &path, t0_s * 1000 + 5700, &got, NULL, NULL), 0);
}

static void deposit(struct week *w, int64_t at_ms, int64_t micros, int day, struct model *m)
{
	struct account a;
	char ref[32];
	struct store *db = books_begin(w);
	(void) snprintf(ref, sizeof ref, "day-%d", day);
	assert_int_equal(ledger_post(db, &(struct posting){ .user = 1, .amount = { micros }, .ref_type = LEDGER_DEPOSIT, .ref_id = ref,
			.at_ms = at_ms }, &a), 0);
	m->deposits += micros;
	if (day % 3 == 0) {
		const struct posting p = { .user = 1, .amount = { -micros / 4 }, .ref_type = LEDGER_WITHDRAWAL, .ref_id = ref,
			.at_ms = at_ms };
		assert_int_equal(ledger_post(db, &p, &a), 0);
		m->withdrawals += micros / 4;
	}
	assert_int_equal(week_commit(w), 0);
}

/* From the first day, a Monday, on: a column an hour after its bets, and one that begins before midnight and ends after it. */
static void play(struct week *w, struct model *days)
{
	struct store *db = books_begin(w);
	for (int i = 1; i <= USERS; i++)
		assert_int_equal(books_account(db, i, 1000), i);
	days[0].deposits += INT64_C(1000) * USERS * MICROS_PER_USD;
	assert_int_equal(week_commit(w), 0);
	for (int day = 0; day < DAYS; day++) {
		struct week_rolled rolled;
		int64_t start_ms = NOW_MS / DAY_MS * DAY_MS + day * DAY_MS, t0_s = start_ms / 1000 + 50000;
		if (day && week_is_over(w, start_ms + 1000))
			assert_int_equal(week_roll(w, start_ms + 1000, &rolled), 0);
		deposit(w, start_ms + 40000000, INT64_C(1) * (day + 1) * MICROS_PER_USD, day, &days[day]);
		bet_on(w, t0_s, t0_s * 1000 - 20000, day, &days[day], day % 4 == 3);
		settle_at(w, t0_s, day % 4 == 3);
	}
}

static void check_days(const struct json_value *list, const struct model *days, int from, int to)
{
	int day = from;
	for (const struct json_value *v = json_first(list); v; v = json_next(v), day++) {
		const struct model *m = &days[day];
		char date[CLK_RFC3339_SIZE];
		size_t len;
		const char *text = json_string(json_get(v, "day"), &len);
		assert_true(day <= to);
		clk_rfc3339(date, NOW_MS / DAY_MS * DAY_MS + day * DAY_MS);
		assert_non_null(text);
		assert_memory_equal(text, date, 10);
		assert_int_equal(number(v, "bets"), m->bets);
		assert_int_equal(number(v, "won"), m->won);
		assert_int_equal(number(v, "lost"), m->lost);
		assert_int_equal(number(v, "void"), m->none);
		assert_int_equal(number(v, "stakes"), m->stakes);
		assert_int_equal(number(v, "payouts"), m->payouts);
		assert_int_equal(number(v, "refunds"), m->refunds);
		assert_int_equal(number(v, "hold"), m->stakes - m->payouts - m->refunds);
		assert_int_equal(number(v, "deposits"), m->deposits);
		assert_int_equal(number(v, "withdrawals"), m->withdrawals);
	}
	assert_int_equal(day, to + 1);
}

static struct json *answer(const char *line, int code)
{
	struct json *j;
	const char *why;
	assert_int_equal(ctl(line), code);
	if (json_parse(&j, out, strlen(out), &why) != 0)
		fail_msg("%s: %s", why, out);
	return j;
}

static void each_day_is_the_models_and_totals_are_the_trial_balances(void **state)
{
	(void) state;
	struct model days[DAYS] = { 0 };
	struct week *w = books_open(STORE_WRITE);
	play(w, days);
	week_close(w);
	struct json *j = answer("report --json", 0);
	check_days(json_get(json_root(j), "days"), days, 0, DAYS - 1);
	const struct json_value *total = json_get(json_root(j), "total");
	int64_t hold = number(total, "hold"), paid_in = number(total, "deposits") - number(total, "withdrawals");
	assert_int_equal(number(total, "bets"), number(total, "won") + number(total, "lost") + number(total, "void"));
	assert_int_equal(number(json_root(j), "weeks"), 2);
	(void) json_free(j);
	j = answer("trial-balance --json", 0);
	assert_int_equal(number(json_root(j), "house"), hold);
	assert_int_equal(number(json_root(j), "custody"), -paid_in);
	(void) json_free(j);
	j = answer("report --from 2026-02-18 --to 2026-02-24 --json", 0);
	check_days(json_get(json_root(j), "days"), days, 2, 8);
	(void) json_free(j);
	assert_int_equal(ctl("report"), 0);
	assert_non_null(strstr(out, "2026-02-26"));
}

static void days_that_are_none_are_refused(void **state)
{
	(void) state;
	static const char *const lines[] = { "report --from 2026-02-30", "report --from 2026-2-3", "report --to yesterday",
		"report --from 2026-02-20 --to 2026-02-19", "report --to 2026-02-200" };
	week_close(books_open(STORE_WRITE));
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		assert_int_equal(ctl(lines[i]), 64);
	assert_int_equal(ctl("report --from 2028-02-29"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_day_is_the_models_and_totals_are_the_trial_balances, books_set_up, books_tear_down),
		cmocka_unit_test_setup_teardown(days_that_are_none_are_refused, books_set_up, books_tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
