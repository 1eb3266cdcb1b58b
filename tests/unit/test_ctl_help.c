/* What the operator's command says about itself: help, the nearest verb, the manual page that roff takes without a word, the
 * completion as bash runs it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <cmocka.h>

#include "ctl.h"
#include "help.h"
#include "json.h"
#include "nearest.h"
#include "usage.h"

enum { OUT_SIZE = 1 << 17 };
static char out[OUT_SIZE];

/* A line for bash -c in the build folder; both streams in `out`. */
static int sh(const char *line)
{
	char command[4096];
	(void) snprintf(command, sizeof command, "{ %s ; } 2>&1", line);
	FILE *p = popen(command, "re");
	assert_non_null(p);
	size_t n = fread(out, 1, sizeof out - 1, p);
	out[n] = '\0';
	int status = pclose(p);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int ctl(const char *words)
{
	char line[1024];
	(void) snprintf(line, sizeof line, "env -i TAP_DATA_DIR=/nonexistent TAP_REDIS=unix:/nonexistent/redis.sock "
					   "ASAN_OPTIONS=exitcode=99 ./bin/tap-trading-ctl %s", words);
	return sh(line);
}

static void assert_out(const char *text)
{
	if (!strstr(out, text))
		fail_msg("`%s` is not in: %s", text, out);
}

static void every_verb_explains_itself(void **state)
{
	(void) state;
	for (const struct ctl_verb *v = ctl_verbs; v->name; v++) {
		char line[128];
		struct usage_item item;
		assert_true(v->says && v->says[0] && v->more && v->more[0] && v->examples);
		for (const char *at = v->usage; usage_next(&at, &item);)
			if (item.name[0] && !help_option(item.name))
				fail_msg("%s: --%s is explained nowhere: see help.c", v->name, item.name);
		/* each example is a call of this verb */
		for (const char *at = v->examples; *at; at += strcspn(at, "\n") + 1) {
			(void) snprintf(line, sizeof line, "tap-trading-ctl %s", v->name);
			assert_memory_equal(at, line, strlen(line));
			assert_non_null(strchr(at, '\n'));
		}
		(void) snprintf(line, sizeof line, "%s --help", v->name);
		assert_int_equal(ctl(line), 0);
		assert_out(v->says);
		assert_out("Examples");
		(void) snprintf(line, sizeof line, "help %s", v->name);
		assert_int_equal(ctl(line), 0);
		assert_out(v->usage);
	}
}

/* Without books and without Redis each fails; as JSON it says so in one object. */
static void every_verb_speaks_json(void **state)
{
	(void) state;
	for (const struct ctl_verb *v = ctl_verbs; v->name; v++) {
		char line[512];
		const char *why;
		int n = snprintf(line, sizeof line, "%s --json", v->name);
		struct usage_item item;
		struct json *j = NULL;
		for (const char *at = v->usage; usage_next(&at, &item);) {
			const char *value = strcmp(item.name, "wallet") == 0 ? "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed" :
					strcmp(item.arg, "ID") == 0 ? "01KJ3D3R2HG00000000000000A" : item.arg[0] ? "30" : "";
			if (!item.optional)
				n += snprintf(line + n, sizeof line - (size_t) n, " %s%s %s", item.name[0] ? "--" : "", item.name, value);
		}
		(void) snprintf(line + n, sizeof line - (size_t) n, " 2>/dev/null");
		int code = ctl(line);
		if (code == 0 || json_parse(&j, out, strlen(out), &why) != 0)
			fail_msg("`%s` exits with %d and says %s", line, code, out);
		int64_t exit_code = -1;
		assert_true(json_int(json_get(json_root(j), "exit"), &exit_code));
		assert_int_equal(exit_code, code);
		json_free(j);
	}
}

static void a_slip_finds_what_was_meant(void **state)
{
	(void) state;
	static const struct {
		const char *said, *meant;
	} slips[] = { { "usr show", "user show" }, { "stauts", "status" }, { "deposti 1 2", "deposit" },
		{ "withdrawal list", "withdrawals list" }, { "braeker open", "breaker open" }, { "trialbalance", "trial-balance" },
		{ "integrty", "integrity" }, { "week lst", "week list" } };
	for (size_t i = 0; i < ARRAY_LEN(slips); i++) {
		char want[64];
		assert_int_equal(ctl(slips[i].said), EX_USAGE);
		(void) snprintf(want, sizeof want, "did you mean `%s`?", slips[i].meant);
		assert_out(want);
	}
	for (const struct ctl_verb *v = ctl_verbs; v->name; v++)
		assert_string_equal(nearest_verb(ctl_verbs, v->name), v->name);
	assert_null(nearest_verb(ctl_verbs, "fandango"));
	assert_null(nearest_verb(ctl_verbs, ""));
	assert_null(nearest_verb(ctl_verbs, "a word that is longer than any verb could ever be, far longer"));
	assert_int_equal(ctl("fandango"), EX_USAGE);
	assert_null(strstr(out, "did you mean"));
	assert_int_equal(ctl("user"), EX_USAGE);
	assert_out("more words are needed");
	assert_int_equal(ctl("help usr"), EX_USAGE);
	assert_int_equal(ctl("user --help"), 0);
	assert_out("user suspend");
	assert_null(strstr(out, "deposit"));
}

static void roff_takes_every_page(void **state)
{
	(void) state;
	static const char *const names[] = { "api", "ws", "ingest", "resolver", "archiver", "ctl" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		char line[256];
		(void) snprintf(line, sizeof line, "./bin/tap-trading-%s --manual | groff -ww -man -Tutf8 -z", names[i]);
		int code = sh(line);
		if (code != 0 || out[0])
			fail_msg("tap-trading-%s.8: %d: %s", names[i], code, out);
		(void) snprintf(line, sizeof line, "cmp man/tap-trading-%s.8 <(./bin/tap-trading-%s --manual)", names[i], names[i]);
		char quoted[320];
		(void) snprintf(quoted, sizeof quoted, "bash -c '%s'", line);
		if (sh(quoted) != 0)
			fail_msg("the page of the build is another: %s", out);
	}
	assert_int_equal(sh("groff -ww -man -Tascii -P-c man/tap-trading-ctl.8 | sed 's/.\\x08//g'"), 0);
	assert_out("verify [T0] [--bet ID]");
	assert_out("breaker open --for 30m --reason 'drift found'");
	assert_out("TAP_DATA_DIR");
}

/* What bash offers for the words so far; the last is the one that is being typed. */
static void assert_offers(const char *words, const char *want)
{
	char line[1024];
	(void) snprintf(line, sizeof line,
			"bash -uc '. <(./bin/tap-trading-ctl --completion); COMP_WORDS=(tap-trading-ctl %s); "
			"COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _tap_trading_ctl; echo \"${COMPREPLY[*]:-}\"'", words);
	assert_int_equal(sh(line), 0);
	out[strcspn(out, "\n")] = '\0';
	if (strcmp(out, want) != 0)
		fail_msg("%s: `%s`, not `%s`", words, out, want);
}

static void bash_completes_verbs_options_and_words(void **state)
{
	(void) state;
	assert_offers("dep", "deposit");
	assert_offers("we", "week");
	assert_offers("week \"\"", "list close");
	assert_offers("user su", "suspend");
	assert_offers("--json breaker \"\"", "open close auto");
	assert_offers("help user ex", "exclude");
	assert_offers("deposit --a", "--amount");
	assert_offers("user exclude --", "--wallet --days --reason --json --help");
	assert_offers("deposit --wallet \"\"", "");
	assert_offers("withdrawals list --status a", "approved");
	assert_offers("breaker open --for \"\"", "30m 1h 2h 1d 7d");
	assert_offers("ledger --ref-type REF", "REFUND");
	assert_offers("fandango \"\"", "");
	assert_int_equal(sh("bash -n completions/tap-trading-ctl"), 0);
	/* and every verb, word for word */
	for (const struct ctl_verb *v = ctl_verbs; v->name; v++) {
		const char *last = strrchr(v->name, ' ');
		char want[64];
		(void) snprintf(want, sizeof want, "%s", last ? last + 1 : v->name);
		char words[80];
		(void) snprintf(words, sizeof words, "%.*s\"%s\"", last ? (int) (last + 1 - v->name) : 0, v->name, want);
		char line[1024];
		(void) snprintf(line, sizeof line,
				"bash -uc '. <(./bin/tap-trading-ctl --completion); COMP_WORDS=(tap-trading-ctl %s); "
				"COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _tap_trading_ctl; "
				"[[ \" ${COMPREPLY[*]:-} \" == *\" %s \"* ]]'", words, want);
		if (sh(line) != 0)
			fail_msg("%s is not completed: %s", v->name, out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_verb_explains_itself),
		cmocka_unit_test(every_verb_speaks_json),
		cmocka_unit_test(a_slip_finds_what_was_meant),
		cmocka_unit_test(roff_takes_every_page),
		cmocka_unit_test(bash_completes_verbs_options_and_words),
	};
	return cmocka_run_group_tests_name("ctl_help", tests, NULL, NULL);
}
