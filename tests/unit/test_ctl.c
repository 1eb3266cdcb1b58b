/* The operator's command as an operator runs it: the binary, a scratch data folder, exit codes and answers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>
#include <cmocka.h>

#include <sqlite3.h>

#include "../support/folder.h"
#include "bet.h"
#include "book.h"
#include "book_quotes.h"
#include "clk.h"
#include "json.h"
#include "layer.h"
#include "ledger.h"
#include "msg.h"
#include "path.h"
#include "quotes.h"
#include "../support/redis_server.h"
#include "settle.h"
#include "week.h"
#include "withdraw.h"

#define CTL "./bin/tap-trading-ctl"
#define WALLET "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
#define OTHER "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359"
enum { OUT_SIZE = 65536, ENV_MAX = 16, W = 5, H = 2000 };

struct world {
	char dir[64];
	char out[OUT_SIZE];
	char env[ENV_MAX][160];
	int n_env;
};

static void set_env(struct world *w, const char *name, const char *value)
{
	int i = 0;
	while (i < w->n_env && (strncmp(w->env[i], name, strlen(name)) != 0 || w->env[i][strlen(name)] != '='))
		i++;
	assert_true(i < ENV_MAX - 1);
	(void) snprintf(w->env[i], sizeof w->env[i], "%s=%s", name, value);
	if (i == w->n_env)
		w->n_env++;
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof *w);
	(void) snprintf(w->dir, sizeof w->dir, "/tmp/tap-ctl-XXXXXX");
	*state = w;
	if (!mkdtemp(w->dir))
		return -1;
	set_env(w, "TAP_DATA_DIR", w->dir);
	set_env(w, "TAP_REDIS", "unix:/nonexistent/redis.sock");
	set_env(w, "USER", "tester");
	set_env(w, "ASAN_OPTIONS", "exitcode=99");
	static const char *const ops[] = { "API", "WS", "INGEST", "RESOLVER", "ARCHIVER" };
	for (size_t i = 0; i < ARRAY_LEN(ops); i++) {
		char name[48];
		(void) snprintf(name, sizeof name, "TAP_%s_OPS_LISTEN", ops[i]);
		set_env(w, name, "127.0.0.1:1"); /* nobody listens there */
	}
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	int r = folder_remove(w->dir);
	free(w);
	return r;
}

static void exec_ctl(struct world *w, int to, const char *line)
{
	char words[512], *argv[24] = { CTL }, *env[ENV_MAX + 1] = { 0 };
	int argc = 1;
	(void) snprintf(words, sizeof words, "%s", line);
	for (char *save, *word = strtok_r(words, " ", &save); word && argc < 23; word = strtok_r(NULL, " ", &save))
		argv[argc++] = word;
	for (int i = 0; i < w->n_env; i++)
		env[i] = w->env[i];
	int null = open("/dev/null", O_WRONLY);
	(void) dup2(to, 1);
	(void) dup2(null, 2);
	(void) execve(CTL, argv, env);
	_exit(127);
}

/* Runs the line; its stdout is in w->out. */
static int ctl(struct world *w, const char *line)
{
	int fds[2], status;
	size_t n = 0;
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		exec_ctl(w, fds[1], line);
	(void) close(fds[1]);
	for (ssize_t got; n < OUT_SIZE - 1 && (got = read(fds[0], w->out + n, OUT_SIZE - 1 - n)) > 0;)
		n += (size_t) got;
	w->out[n] = '\0';
	(void) close(fds[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

/* A member of the newest JSON answer; a dot goes down. */
static int64_t number(struct world *w, const char *name)
{
	struct json *j;
	const char *why;
	int64_t v = -1;
	assert_int_equal(json_parse(&j, w->out, strlen(w->out), &why), 0);
	assert_true(json_int(json_get(json_root(j), name), &v));
	json_free(j);
	return v;
}

static bool truth(struct world *w, const char *name)
{
	struct json *j;
	const char *why;
	bool v = false;
	assert_int_equal(json_parse(&j, w->out, strlen(w->out), &why), 0);
	assert_true(json_bool(json_get(json_root(j), name), &v));
	json_free(j);
	return v;
}

static bool text_is(struct world *w, const char *name, const char *want)
{
	struct json *j;
	const char *why;
	assert_int_equal(json_parse(&j, w->out, strlen(w->out), &why), 0);
	const char *got = json_string(json_get(json_root(j), name), NULL);
	bool same = got && strcmp(got, want) == 0;
	if (!same)
		print_error("%s is %s, not %s\n", name, got ? got : "absent", want);
	json_free(j);
	return same;
}

static void a_deposit_is_made_once(void **state)
{
	struct world *w = *state;
	assert_int_equal(ctl(w, "deposit --wallet " WALLET " --amount 5000000 --ref bank-1 --json"), 0);
	assert_true(truth(w, "opened"));
	assert_false(truth(w, "already"));
	assert_int_equal(number(w, "balance"), 5000000);
	assert_int_equal(number(w, "seq"), 1);
	assert_int_equal(ctl(w, "deposit --json --wallet " WALLET " --amount 5000000 --ref bank-1"), 0);
	assert_true(truth(w, "already"));
	assert_int_equal(number(w, "balance"), 5000000);
	assert_int_equal(number(w, "seq"), 1);
	assert_int_equal(ctl(w, "deposit --wallet " WALLET " --amount 5000001 --ref bank-1"), EX_DATAERR);
	assert_int_equal(ctl(w, "deposit --wallet " OTHER " --amount 5000000 --ref bank-1"), EX_DATAERR);
	assert_int_equal(ctl(w, "user show " OTHER), EX_NOUSER); /* the refused one opened no account */
	assert_int_equal(ctl(w, "deposit --wallet " WALLET " --amount 9223372036854775807 --ref much"), EX_DATAERR);
	assert_int_equal(ctl(w, "deposit --wallet " OTHER " --amount 9223372036854775807 --ref much"), EX_DATAERR);
	assert_int_equal(ctl(w, "user show " OTHER), EX_NOUSER);
	assert_int_equal(ctl(w, "ledger --wallet " WALLET " --json"), 0);
	assert_int_equal(number(w, "balance"), 5000000);
	assert_non_null(strstr(w->out, "\"ref_id\":\"bank-1\""));
	assert_null(strstr(w->out, "much"));
	assert_int_equal(ctl(w, "ledger --wallet " WALLET), 0);
	assert_non_null(strstr(w->out, "5.000000 USD"));
	assert_int_equal(ctl(w, "trial-balance --json"), 0);
	assert_int_equal(number(w, "custody"), -5000000);
	assert_int_equal(number(w, "total"), 0);
	assert_int_equal(ctl(w, "integrity --json"), 0);
	assert_int_equal(number(w, "rows"), 1);
}

static void what_is_wrong_on_the_line_is_64(void **state)
{
	static const char *const wrong[] = {
		"", "nothing", "user", "user nothing", "--nothing status", "deposit", "deposit --wallet " WALLET,
		"deposit --wallet " WALLET " --amount 1 --ref", "deposit --wallet " WALLET " --amount 0 --ref a",
		"deposit --wallet " WALLET " --amount -5 --ref a", "deposit --wallet " WALLET " --amount 1.5 --ref a",
		"deposit --wallet " WALLET " --amount 1e3 --ref a", "deposit --wallet " WALLET " --amount 0x10 --ref a",
		"deposit --wallet " WALLET " --amount 9223372036854775808 --ref a",
		"deposit --wallet " WALLET " --amount 1 --ref a --ref b",
		"deposit --wallet " WALLET " --amount 1 --ref a --cell 5",
		"deposit --wallet " WALLET " --amount 1 --ref a surplus",
		"deposit --wallet 0x5aaeb6053F3E94C9b9A09f33669435E7Ef1BeAed --amount 1 --ref a",
		"deposit --wallet " WALLET " --amount 1 --ref 1234567890123456789012345678901234567890123456789012345678901234",
		"ledger --wallet " WALLET " --from 5 --to 4", "ledger --wallet " WALLET " --ref-type bet",
		"ledger --wallet " WALLET " --limit 0", "bet show", "bet show 5", "verify", "verify --bet 5", "verify 7", "verify x",
		"verify 1771234565 --bet 01KJ3D3R2HG00000000000000A", "verify -5",
		"verify 1771234565 --all", "verify --all --bet 01KJ3D3R2HG00000000000000A",
		"breaker", "breaker open --for 0s", "breaker open --for 5", "breaker open --for 8d",
		"breaker open --for -5m", "breaker open --for m", "breaker open --for 5mm", "breaker open --for 9999999999s",
		"breaker auto --for 5m",
	};
	struct world *w = *state;
	for (size_t i = 0; i < ARRAY_LEN(wrong); i++) {
		int code = ctl(w, wrong[i]);
		if (code != EX_USAGE)
			fail_msg("`%s` exits with %d", wrong[i], code);
		char path[96];
		(void) snprintf(path, sizeof path, "%s/meta.db", w->dir);
		assert_int_not_equal(access(path, F_OK), 0); /* and made nothing */
	}
	assert_int_equal(ctl(w, "--json deposit"), EX_USAGE);
	assert_int_equal(number(w, "exit"), EX_USAGE);
}

static void other_failures_have_their_codes(void **state)
{
	struct world *w = *state;
	char path[sizeof w->dir + 16];
	assert_int_equal(ctl(w, "--help"), 0);
	assert_non_null(strstr(w->out, "trial-balance"));
	assert_non_null(strstr(w->out, "TAP_DATA_DIR"));
	assert_int_equal(ctl(w, "deposit --help"), 0);
	assert_int_equal(ctl(w, "--version"), 0);
	assert_int_equal(ctl(w, "integrity"), EX_NOINPUT);
	assert_int_equal(ctl(w, "migrate status"), EX_NOINPUT);
	assert_int_equal(ctl(w, "archive run"), EX_CONFIG); /* no object store; and it makes nothing */
	assert_int_equal(ctl(w, "archive fetch 2026_w07"), EX_NOINPUT);
	set_env(w, "TAP_S3_ENDPOINT", "http://127.0.0.1:1");
	assert_int_equal(ctl(w, "archive run"), EX_NOINPUT);
	(void) snprintf(path, sizeof path, "%s/meta.db", w->dir);
	assert_int_not_equal(access(path, F_OK), 0);
	assert_int_equal(ctl(w, "deposit --wallet " WALLET " --amount 1 --ref a"), 0);
	assert_int_equal(ctl(w, "user show " OTHER), EX_NOUSER);
	assert_int_equal(ctl(w, "user suspend " OTHER), EX_NOUSER);
	assert_int_equal(ctl(w, "verify 1771234565"), EX_NOINPUT);
	assert_int_equal(ctl(w, "bet show 01KJ3D3R2HG00000000000000A"), EX_NOINPUT);
	assert_int_equal(ctl(w, "breaker open"), EX_UNAVAILABLE); /* no Redis */
	assert_int_equal(ctl(w, "migrate status"), 0);
	assert_int_equal(ctl(w, "week list"), 0);
	assert_non_null(strstr(w->out, "state=current"));
	set_env(w, "TAP_DATA_DIR", "/nonexistent/books");
	assert_int_equal(ctl(w, "deposit --wallet " WALLET " --amount 1 --ref a"), EX_UNAVAILABLE);
	set_env(w, "TAP_COLUMN_SECONDS", "0");
	assert_int_equal(ctl(w, "integrity"), EX_CONFIG);
}

struct seen {
	int suspended, resumed, why;
};

static bool look_at(void *u, const struct audit_row *row)
{
	struct seen *s = u;
	bool ours = strcmp(row->who, "tester") == 0 && strstr(row->what, WALLET);
	s->suspended += ours && strncmp(row->what, "user suspend", 12) == 0;
	s->resumed += ours && strncmp(row->what, "user resume", 11) == 0;
	s->why += strcmp(row->why, "chargeback-7") == 0;
	return true;
}

static bool count_orders(void *u, const struct audit_row *row)
{
	int *n = u;
	*n += strcmp(row->who, "tester") == 0 &&
	      (strcmp(row->what, "breaker open for 300 s") == 0 || strcmp(row->what, "breaker auto") == 0);
	return true;
}

static void a_suspension_is_logged_with_who_and_why(void **state)
{
	struct world *w = *state;
	struct seen seen = { 0 };
	struct week *week;
	char finding[128];
	assert_int_equal(ctl(w, "deposit --wallet " WALLET " --amount 1 --ref a"), 0);
	assert_int_equal(ctl(w, "user suspend " WALLET " --reason chargeback-7 --json"), 0);
	assert_true(truth(w, "suspended"));
	assert_int_equal(ctl(w, "user show --wallet " WALLET " --json"), 0);
	assert_true(truth(w, "suspended"));
	assert_int_equal(ctl(w, "user resume --wallet " WALLET " --json"), 0);
	assert_false(truth(w, "suspended"));
	assert_int_equal(week_open(&week, w->dir, STORE_READ, clk_now_ms()), 0);
	assert_int_equal(week_audit_read(week, look_at, &seen, finding, sizeof finding), 0);
	week_close(week);
	assert_int_equal(seen.suspended, 1);
	assert_int_equal(seen.resumed, 1);
	assert_int_equal(seen.why, 1);
}

static const struct settings rules = { .column_s = W, .row_cents = H, .max_tick_gap_ms = 3000 };

/* A bet, its column, decided: the bet's id and the column's start. */
static int64_t a_decided_column(struct world *w, char id[ULID_TEXT_SIZE], struct tick ticks[12])
{
	struct week *week;
	struct store *db;
	struct account a;
	struct wallet wallet;
	struct ulid ulid;
	struct settle_result result;
	int64_t t0 = (clk_now_ms() / 1000 - 100) / W * W, row;
	struct bet b = { .cell = { t0, 9700000, 9700000 + H }, .stake = money_of(1000000), .rate = { 23500 },
		.rate_min = { RATE_LEAST }, .placed_ms = (t0 - 12) * 1000, .signed_s = t0 - 12, .state = BET_CONFIRMED };
	assert_int_equal(ctl(w, "deposit --wallet " WALLET " --amount 5000000 --ref a"), 0);
	assert_true(wallet_parse(&wallet, WALLET, 42));
	assert_int_equal(week_open(&week, w->dir, STORE_WRITE, clk_now_ms()), 0);
	assert_int_equal(week_begin(week, &db), 0);
	assert_int_equal(ledger_account(db, &wallet, &a), 0);
	b.user = a.user;
	assert_int_equal(ledger_stake(db, &b, &a, &row), 0);
	assert_int_equal(book_put_bet(db, &b, row), 0);
	assert_int_equal(week_commit(week), 0);
	for (int i = 0; i < 11; i++)
		ticks[i] = (struct tick){ t0 * 1000 - 100 + i * 500, 9700000 + i };
	struct path path = path_cut(ticks, 11, t0, W, 3000);
	assert_int_equal(settle_column(week, &rules, &path, t0 * 1000 + 5700, &result, NULL, NULL), 0);
	week_close(week);
	const struct bet_key key = { b.placed_ms, t0, b.cell.low_cents, b.user };
	assert_true(bet_id(&ulid, &key));
	ulid_format(id, &ulid);
	return t0;
}

static void add_tick(struct bus *bus, int64_t t_ms, int64_t p)
{
	const struct bus_reply *reply;
	assert_int_equal(bus_command(bus, &reply, "XADD %s %lld-0 p %lld", KEY_HISTORY, (long long) t_ms, (long long) p), 0);
	assert_int_equal(bus_kind(reply), BUS_TEXT);
}

static void a_column_is_verified_from_evidence_and_history(void **state)
{
	struct world *w = *state;
	struct redis_server redis;
	struct bus *bus;
	struct tick ticks[12];
	const struct bus_reply *reply;
	char id[ULID_TEXT_SIZE], line[64];
	int64_t t0 = a_decided_column(w, id, ticks);
	(void) snprintf(line, sizeof line, "verify %lld --json", (long long) t0);
	assert_int_equal(ctl(w, line), 0);
	assert_true(text_is(w, "verdict", "equal"));
	assert_true(text_is(w, "history", "unreadable"));

	assert_true(redis_server_start(&redis));
	set_env(w, "TAP_REDIS", redis.address);
	const struct bus_conf conf = { .address = redis.address, .user = "", .password = "", .timeout_ms = 1000 };
	assert_int_equal(bus_open(&bus, &conf), 0);
	assert_int_equal(ctl(w, line), 0);
	assert_true(text_is(w, "history", "gone"));
	add_tick(bus, ticks[0].t_ms - 5000, 1); /* an older anchor is no contradiction */
	for (int i = 1; i < 11; i++) {
		add_tick(bus, ticks[i].t_ms, ticks[i].p_cents);
		if (i < 10) {
			assert_int_equal(ctl(w, line), 0);
			assert_true(text_is(w, "history", "incomplete"));
		}
	}
	assert_int_equal(bus_command(bus, &reply, "FLUSHALL"), 0);
	for (int i = 0; i < 11; i++)
		add_tick(bus, ticks[i].t_ms, ticks[i].p_cents);
	assert_int_equal(ctl(w, line), 0);
	assert_true(text_is(w, "history", "same"));
	add_tick(bus, ticks[10].t_ms + 1, 1); /* a tick that the evidence lacks */
	assert_int_equal(ctl(w, line), 1);
	assert_true(text_is(w, "verdict", "differs"));
	assert_true(text_is(w, "evidence", "equal"));
	bus_close(bus);

	/* the order is kept for who starts later, and told to who listens */
	assert_int_equal(ctl(w, "breaker open --for 5m --json"), 0);
	assert_true(text_is(w, "breaker", "open"));
	assert_int_equal(bus_open(&bus, &conf), 0);
	assert_int_equal(bus_command(bus, &reply, "GET %s", KEY_OVERRIDE), 0);
	assert_string_equal(bus_text(reply, NULL), "open");
	assert_int_equal(bus_command(bus, &reply, "TTL %s", KEY_OVERRIDE), 0);
	assert_in_range(bus_int(reply), 290, 300);
	assert_int_equal(ctl(w, "breaker auto"), 0);
	assert_int_equal(bus_command(bus, &reply, "EXISTS %s", KEY_OVERRIDE), 0);
	assert_int_equal(bus_int(reply), 0);
	bus_close(bus);
	redis_server_stop(&redis);

	/* and written down, with how long */
	struct week *week;
	char finding[128];
	int orders = 0;
	assert_int_equal(week_open(&week, w->dir, STORE_READ, clk_now_ms()), 0);
	assert_int_equal(week_audit_read(week, count_orders, &orders, finding, sizeof finding), 0);
	week_close(week);
	assert_int_equal(orders, 2);
}

/* A quote that lives at placed_ms, and the first cell of it that is open, with its rate. */
static struct quote_made a_quote(int64_t placed_ms, struct cell *cell, struct rate *rate)
{
	static struct quote_grid g;
	struct quote_layer layer;
	struct quote_made m = { .rules = { .grid = { .column_s = W, .row_cents = H, .columns = 12, .rows = 24 }, .margin_bp = 500,
			.max_rate_e4 = 60000, .min_p_ppm = 40000, .tick_ms = 100 },
		.quote_id = placed_ms - 150, .t_ms = placed_ms - 150, .p_cents = 9743210,
		.state = { .vol_ppm = { 410000, 450000, 470000, 500000 }, .uneven_ppm = 350000 } };
	assert_int_equal(layer_open(&layer, ""), 0);
	memcpy(m.layer, layer.id, sizeof m.layer);
	quote_fill(&g, &m, &layer);
	int j = 0;
	while (g.rates[3][j] != m.rules.max_rate_e4) /* which a quote of a moment later gives as well */
		assert_true(++j < g.rows);
	*cell = (struct cell){ g.t0_s[3], g.low_cents + j * H, g.low_cents + (j + 1) * H };
	rate->e4 = g.rates[3][j];
	return m;
}

/* The bet's id; with the quote beside it in the book, when it is given. */
static void put_bet(struct world *w, struct cell cell, struct rate rate, int64_t placed_ms, const struct quote_made *made,
		char id[ULID_TEXT_SIZE])
{
	struct buf bytes = BUF_INIT(QUOTE_LOG_MAX);
	struct bet b = { .cell = cell, .stake = money_of(1000000), .rate = rate, .rate_min = { RATE_LEAST }, .placed_ms = placed_ms,
		.signed_s = placed_ms / 1000, .state = BET_CONFIRMED };
	struct week *week;
	struct store *db;
	struct account a;
	struct wallet wallet;
	struct ulid ulid;
	int64_t row;
	assert_true(wallet_parse(&wallet, WALLET, 42));
	assert_int_equal(week_open(&week, w->dir, STORE_WRITE, clk_now_ms()), 0);
	assert_int_equal(week_begin(week, &db), 0);
	assert_int_equal(ledger_account(db, &wallet, &a), 0);
	b.user = a.user;
	assert_int_equal(ledger_stake(db, &b, &a, &row), 0);
	assert_int_equal(book_put_bet(db, &b, row), 0);
	if (made) {
		quote_log_encode(&bytes, made, 1);
		assert_int_equal(book_put_quote(db, made->quote_id, made->t_ms, bytes.p, bytes.n), 0);
		assert_int_equal(book_put_quote(db, made->quote_id, made->t_ms, "other", 5), 0); /* the first stays */
	}
	assert_int_equal(week_commit(week), 0);
	week_close(week);
	buf_free(&bytes);
	const struct bet_key key = { b.placed_ms, cell.t0_s, cell.low_cents, b.user };
	assert_true(bet_id(&ulid, &key));
	ulid_format(id, &ulid);
}

static void assert_verdict(struct world *w, const char *id, int code, const char *verdict)
{
	char line[80];
	(void) snprintf(line, sizeof line, "verify --bet %s --json", id);
	assert_int_equal(ctl(w, line), code);
	assert_true(text_is(w, verdict ? "verdict" : "error", verdict ? verdict :
			"what the bet's rate was made from is not known: older than the log, or Redis is away"));
}

static void a_rate_is_made_again_from_its_quote(void **state)
{
	struct world *w = *state;
	struct cell cell;
	struct rate rate;
	char id[ULID_TEXT_SIZE], other[ULID_TEXT_SIZE];
	int64_t placed = clk_now_ms() - 5000;
	struct quote_made made = a_quote(placed, &cell, &rate), later = made;
	assert_int_equal(ctl(w, "deposit --wallet " WALLET " --amount 9000000 --ref a"), 0);
	put_bet(w, cell, rate, placed, NULL, id);
	assert_verdict(w, id, EX_NOINPUT, NULL);

	/* Redis knows every quote of 7 days: one that is older, the bet's, and one that came after it */
	struct redis_server redis;
	struct bus *bus;
	bool added;
	assert_true(redis_server_start(&redis));
	set_env(w, "TAP_REDIS", redis.address);
	const struct bus_conf conf = { .address = redis.address, .user = "", .password = "", .timeout_ms = 1000 };
	assert_int_equal(bus_open(&bus, &conf), 0);
	assert_verdict(w, id, EX_NOINPUT, NULL);
	static struct quotes_run run;
	later.t_ms -= 200;
	later.quote_id = later.t_ms;
	later.state.vol_ppm[3] = 700000;
	assert_int_equal(quotes_add(&run, bus, &later, &added), 0);
	assert_int_equal(quotes_add(&run, bus, &made, &added), 0);
	later.t_ms += 400;
	later.quote_id = later.t_ms;
	assert_int_equal(quotes_add(&run, bus, &later, &added), 0);
	assert_false(added);
	struct quote_made alike = made; /* a later one that gives the same rate has not priced it */
	alike.t_ms = later.t_ms + 50;
	alike.quote_id = alike.t_ms;
	assert_int_equal(quotes_add(&run, bus, &alike, &added), 0);
	assert_int_equal(quotes_flush(&run, bus, &added), 0);
	assert_true(added);
	assert_int_equal(bus_flush(bus), 0);
	assert_verdict(w, id, 0, "equal");
	assert_int_equal(number(w, "rate"), rate.e4);
	assert_int_equal(number(w, "recomputed"), rate.e4);
	assert_non_null(strstr(w->out, "\"source\":\"redis\""));
	char quote_id[48];
	(void) snprintf(quote_id, sizeof quote_id, "\"quote_id\":%lld,", (long long) made.quote_id);
	assert_non_null(strstr(w->out, quote_id));

	/* the book knows what its own bets were made from, also when Redis is gone for good */
	bus_close(bus);
	redis_server_stop(&redis);
	cell.low_cents += H;
	cell.high_cents += H;
	put_bet(w, cell, (struct rate){ rate.e4 + 500 }, placed, &made, other);
	assert_verdict(w, id, 0, "equal");
	assert_non_null(strstr(w->out, "\"source\":\"book\""));
	assert_verdict(w, other, 1, "differs");
	assert_int_equal(ctl(w, "verify --bet 01KJ3D3R2HG00000000000000A"), EX_NOINPUT);
}

static void a_bet_is_shown_with_its_column(void **state)
{
	struct world *w = *state;
	struct tick ticks[12];
	char id[ULID_TEXT_SIZE], line[64];
	(void) a_decided_column(w, id, ticks);
	(void) snprintf(line, sizeof line, "bet show %s --json", id);
	assert_int_equal(ctl(w, line), 0);
	assert_true(text_is(w, "status", "won"));
	assert_true(text_is(w, "wallet", WALLET));
	assert_int_equal(number(w, "payout"), 2350000);
	assert_int_equal(ctl(w, "trial-balance --json"), 0);
	assert_int_equal(number(w, "house"), -1350000);
	assert_int_equal(number(w, "total"), 0);
}

/* n columns in a row, each with a tick a second. */
static void decide_columns(struct week *week, int64_t t0, int n)
{
	for (int i = 0; i < n; i++, t0 += W) {
		struct tick ticks[6];
		struct settle_result result;
		for (int k = 0; k < 6; k++)
			ticks[k] = (struct tick){ t0 * 1000 - 1000 + k * 1000, 9700000 + 10 * i + k };
		struct path path = path_cut(ticks, i == 2 ? 0 : 6, t0, W, 3000);
		assert_int_equal(settle_column(week, &rules, &path, t0 * 1000 + 5700, &result, NULL, NULL), 0);
	}
}

/* As nobody may: past the trigger. */
static void change_book(struct world *w, int64_t at_ms, const char *sql)
{
	char name[WEEK_NAME_SIZE], path[320];
	sqlite3 *db;
	week_file_name(name, clk_iso_week(at_ms));
	(void) snprintf(path, sizeof path, "%s/%s", w->dir, name);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, "DROP TRIGGER IF EXISTS columns_no_update", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void all_columns_of_all_weeks_are_verified(void **state)
{
	enum { COLUMNS = 450 }; /* more than two pages */
	struct world *w = *state;
	struct week *week;
	struct week_rolled rolled;
	int64_t monday = clk_week_start_ms(clk_iso_week(clk_now_ms())), before = monday - 8 * INT64_C(86400000);
	assert_int_equal(week_open(&week, w->dir, STORE_WRITE, before), 0);
	decide_columns(week, before / 1000 / W * W, COLUMNS);
	assert_int_equal(week_roll(week, monday, &rolled), 0);
	decide_columns(week, monday / 1000, 10);
	week_close(week);
	assert_int_equal(ctl(w, "verify --all --json"), 0);
	assert_true(text_is(w, "verdict", "equal"));
	assert_int_equal(number(w, "columns"), COLUMNS + 10); /* what was carried over is counted once */
	assert_int_equal(number(w, "void"), 2);
	assert_int_equal(number(w, "history_unreadable"), 10); /* of the last 7 days */

	struct redis_server redis;
	struct bus *bus;
	assert_true(redis_server_start(&redis));
	set_env(w, "TAP_REDIS", redis.address);
	const struct bus_conf conf = { .address = redis.address, .user = "", .password = "", .timeout_ms = 1000 };
	assert_int_equal(bus_open(&bus, &conf), 0);
	add_tick(bus, monday + 45000, 9700091);
	assert_int_equal(ctl(w, "verify --all --json"), 0);
	assert_int_equal(number(w, "history_incomplete"), 1);
	assert_int_equal(number(w, "history_gone"), 8);
	add_tick(bus, monday + 46001, 1); /* a tick that the last column's evidence lacks */
	assert_int_equal(ctl(w, "verify --all --json"), 1);
	assert_int_equal(number(w, "history_differs"), 1);
	bus_close(bus);
	redis_server_stop(&redis);

	change_book(w, before, "UPDATE columns SET path_high = path_high + 1 WHERE t0 = (SELECT t0 FROM columns ORDER BY t0 LIMIT 1 OFFSET 300)");
	change_book(w, before, "UPDATE columns SET digest = zeroblob(32) WHERE t0 = (SELECT t0 FROM columns ORDER BY t0 LIMIT 1 OFFSET 440)");
	assert_int_equal(ctl(w, "verify --all --json"), 1);
	assert_true(text_is(w, "verdict", "differs"));
	assert_int_equal(number(w, "differ"), 3); /* the second is also not what the column after it is chained to */
	assert_non_null(strstr(w->out, "path_high"));
}

/* As the api writes it down: its id. */
static void request_withdrawal(struct world *w, uint8_t nonce, char id[ULID_TEXT_SIZE])
{
	struct week *week;
	struct store *db;
	struct account a;
	struct withdrawal made;
	struct withdraw asked = { .amount = money_of(2000000), .timestamp_s = clk_now_ms() / 1000, .chain_id = 1,
		.nonce = { nonce } };
	assert_true(wallet_parse(&asked.wallet, WALLET, 42));
	asked.to = asked.wallet;
	(void) snprintf(asked.to_text, sizeof asked.to_text, "%s", WALLET);
	assert_int_equal(week_open(&week, w->dir, STORE_WRITE, clk_now_ms()), 0);
	assert_int_equal(week_begin(week, &db), 0);
	assert_int_equal(ledger_account(db, &asked.wallet, &a), 0);
	assert_int_equal(withdraw_request(db, a.user, &asked, clk_now_ms(), &made, &a), 0);
	assert_int_equal(week_commit(week), 0);
	week_close(week);
	ulid_format(id, &made.id);
}

static void a_withdrawal_is_decided_once(void **state)
{
	struct world *w = *state;
	char paid[ULID_TEXT_SIZE], back[ULID_TEXT_SIZE], line[96];
	assert_int_equal(ctl(w, "deposit --wallet " WALLET " --amount 5000000 --ref a"), 0);
	request_withdrawal(w, 1, paid);
	request_withdrawal(w, 2, back);
	assert_int_equal(ctl(w, "withdrawals list --status requested --json"), 0);
	assert_non_null(strstr(w->out, paid));
	assert_non_null(strstr(w->out, back));
	(void) snprintf(line, sizeof line, "withdrawals approve %s --json", paid);
	assert_int_equal(ctl(w, line), 0);
	assert_true(text_is(w, "status", "approved"));
	assert_true(truth(w, "changed"));
	assert_int_equal(ctl(w, line), 0);
	assert_false(truth(w, "changed"));
	(void) snprintf(line, sizeof line, "withdrawals reject %s", paid);
	assert_int_equal(ctl(w, line), EX_DATAERR);
	(void) snprintf(line, sizeof line, "withdrawals reject %s", back);
	assert_int_equal(ctl(w, line), 0);
	assert_int_equal(ctl(w, "user show " WALLET " --json"), 0);
	assert_int_equal(number(w, "balance"), 3000000);
	assert_int_equal(ctl(w, "withdrawals reject 01KJ3D3R2HG00000000000000A"), EX_NOINPUT);
	assert_int_equal(ctl(w, "withdrawals list --status done"), EX_USAGE);
	assert_int_equal(ctl(w, "integrity"), 0);
	assert_int_equal(ctl(w, "trial-balance"), 0);
}

/* One byte of a copy: the wallet's, which the chain covers. */
static void damage(const char *path)
{
	static const uint8_t wallet[] = { 0x5a, 0xae, 0xb6, 0x05 };
	char bytes[131072];
	FILE *f = fopen(path, "r+");
	assert_non_null(f);
	size_t n = fread(bytes, 1, sizeof bytes, f);
	for (size_t i = 0; i + sizeof wallet < n; i++) {
		if (memcmp(bytes + i, wallet, sizeof wallet) == 0) {
			(void) fseek(f, (long) i + 2, SEEK_SET);
			(void) fputc(0x01, f);
			break;
		}
	}
	assert_int_equal(fclose(f), 0);
}

static void drift_is_1(void **state)
{
	struct world *w = *state;
	struct week *week;
	char name[WEEK_NAME_SIZE], path[320], copy[200] = "";
	assert_int_equal(ctl(w, "deposit --wallet " WALLET " --amount 7000000 --ref a"), 0);
	assert_int_equal(ctl(w, "backup run"), 0);
	assert_int_equal(sscanf(w->out, "backup: %199s", copy), 1);
	set_env(w, "TAP_DATA_DIR", copy); /* a backup is a data folder */
	assert_int_equal(ctl(w, "integrity"), 0);
	assert_int_equal(ctl(w, "user show " WALLET " --json"), 0);
	assert_int_equal(number(w, "balance"), 7000000);
	assert_int_equal(week_open(&week, copy, STORE_READ, clk_now_ms()), 0);
	week_file_name(name, week_current(week));
	week_close(week);
	(void) snprintf(path, sizeof path, "%s/%s", copy, name);
	damage(path);
	assert_int_equal(ctl(w, "integrity --json"), 1);
	assert_true(text_is(w, "integrity", "drift"));
}

static void a_daemon_that_hangs_does_not_hang_the_status(void **state)
{
	struct world *w = *state;
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof at;
	char address[32];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (struct sockaddr *) &at, sizeof at), 0);
	assert_int_equal(listen(fd, 4), 0); /* and never accepts */
	assert_int_equal(getsockname(fd, (struct sockaddr *) &at, &size), 0);
	(void) snprintf(address, sizeof address, "127.0.0.1:%u", ntohs(at.sin_port));
	set_env(w, "TAP_API_OPS_LISTEN", address);
	assert_int_equal(ctl(w, "deposit --wallet " WALLET " --amount 1 --ref a"), 0);
	int64_t from_ms = clk_mono_ms();
	assert_int_equal(ctl(w, "status --json"), EX_UNAVAILABLE);
	assert_true(clk_mono_ms() - from_ms < 10000);
	assert_non_null(strstr(w->out, "\"daemon\":\"resolver\",\"status\":\"down\""));
	(void) close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_deposit_is_made_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_wrong_on_the_line_is_64, set_up, tear_down),
		cmocka_unit_test_setup_teardown(other_failures_have_their_codes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_suspension_is_logged_with_who_and_why, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_column_is_verified_from_evidence_and_history, set_up, tear_down),
		cmocka_unit_test_setup_teardown(all_columns_of_all_weeks_are_verified, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_rate_is_made_again_from_its_quote, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_bet_is_shown_with_its_column, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_withdrawal_is_decided_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(drift_is_1, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_daemon_that_hangs_does_not_hang_the_status, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
