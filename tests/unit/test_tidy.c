/* House rules, read off the sources: who includes what, which calls have one home, how long things may be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include <ctype.h>
#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "attr.h"

enum { FILE_BYTES_MAX = 1 << 20, FILE_LINES_MAX = 600, TEST_LINES_MAX = 800, MAIN_LINES_MAX = 40, COLUMNS_MAX = 140 };

static unsigned broken, files;

static void complain(const char *path, int line, const char *what, const char *why)
{
	broken++;
	print_message("%s:%d: %s: %s\n", path, line, what, why);
}

/* ---- words that have one home, or none: in the code, outside comments and string literals ---- */

static const struct word_rule {
	const char *in;   /* path prefix, or several with | between */
	const char *but;  /* prefixes that are free of the rule; may be "" */
	const char *word; /* a whole word; one that ends in ( is a call */
	const char *why;
} word_rules[] = {
	{ "lib/|cmd/|tools/|bench/", "lib/base/clk.c", "time(", "the clock is asked in clk.c alone" },
	{ "lib/|cmd/|tools/|bench/", "lib/base/clk.c", "gettimeofday(", "the clock is asked in clk.c alone" },
	{ "lib/|cmd/|tools/|bench/", "lib/base/clk.c", "clock_gettime(", "the clock is asked in clk.c alone" },
	{ "lib/domain/", "", "clk_now_ms(", "the domain is given its clock" },
	{ "lib/domain/", "", "clk_mono_ms(", "the domain is given its clock" },
	{ "lib/base/money|lib/base/rate|lib/base/price", "", "double", "no floating point touches money" },
	{ "lib/domain/bet|lib/domain/outcome|lib/domain/exposure|lib/domain/path", "", "double", "nor a decision" },
	{ "lib/service/ledger|lib/service/book|lib/service/intake|lib/service/settle", "", "double", "nor an account" },
	{ "lib/service/ledger|lib/service/book|lib/service/intake|lib/service/settle", "", "float", "nor an account" },
	{ "cmd/ws/", "", "ledger_post(", "ws moves no money" },
	{ "lib/|cmd/", "", "gets(", "unbounded" },
	{ "lib/|cmd/", "", "strcpy(", "unbounded" },
	{ "lib/|cmd/", "", "strcat(", "unbounded" },
	{ "lib/|cmd/", "", "sprintf(", "unbounded" },
	{ "lib/|cmd/", "", "strtok(", "hidden state" },
	{ "lib/|cmd/", "", "atoi(", "tells no error" },
	{ "lib/|cmd/", "", "atol(", "tells no error" },
	{ "lib/|cmd/", "", "rand(", "use rnd_below()" },
	{ "lib/|cmd/", "lib/base/thread.c|lib/service/daemon", "pthread_create(", "thread_start() keeps signals away from it" },
	{ "lib/|cmd/", "lib/base/thread.c", "pthread_cond_timedwait(", "cond_wait_until() waits by the monotonic clock" },
	{ "lib/domain/|lib/infra/", "", "exit(", "only a daemon ends the process" },
	{ "lib/domain/|lib/infra/", "", "log_msg(", "libraries return, daemons log" },
	{ "lib/domain/|lib/infra/", "", "log_errno(", "libraries return, daemons log" },
	{ "lib/service/", "lib/service/daemon|lib/service/ops", "log_errno(", "libraries return, daemons log" },
};

/* ---- who may include what; a test may look at anything from the outside ---- */

static const struct include_rule {
	const char *header; /* prefix of what stands between the brackets or quotes */
	const char *only;   /* path prefixes that may, with | between */
} outside[] = {
	{ "sqlite3", "lib/infra/store" },
	{ "hiredis", "lib/infra/bus" },
	{ "microhttpd", "lib/infra/httpd" },
	{ "libwebsockets", "lib/infra/wsock" },
	{ "secp256k1", "lib/infra/sig" },
	{ "cjson", "lib/infra/json" },
	{ "cJSON", "lib/infra/json" },
	{ "curl/", "lib/infra/s3" },
	{ "zstd", "lib/infra/zst" },
	{ "nettle/", "lib/base/hash" },
	{ "systemd/", "lib/service/daemon" },
	{ "cmocka", "" },
};

/* A file of the first folder finds its quoted headers in these; other folders are not bound. */
static const struct floor_rule {
	const char *in;
	const char *may[6];
} floors[] = {
	{ "lib/base/", { "lib/base" } },
	{ "lib/domain/", { "lib/domain", "lib/base" } },
	{ "lib/infra/", { "lib/infra", "lib/base" } },
	{ "lib/service/", { "lib/service", "lib/infra", "lib/domain", "lib/base" } },
	{ "cmd/ws/", { "cmd/ws", "lib/service", "lib/infra", "lib/domain", "lib/base" } },
};

static const struct {
	const char *in, *header, *why;
} never[] = {
	{ "cmd/ws/", "ledger.h", "ws moves no money" },
	{ "cmd/ws/", "store.h", "ws keeps no book" },
	{ "cmd/ws/", "book.h", "ws keeps no book" },
	{ "cmd/ingest/", "ledger.h", "ingest moves no money" },
	{ "cmd/ingest/", "book.h", "ingest keeps no book" },
};

static bool under(const char *path, const char *prefixes)
{
	while (*prefixes) {
		size_t n = strcspn(prefixes, "|");
		if (strncmp(path, prefixes, n) == 0)
			return true;
		prefixes += n + (prefixes[n] == '|');
	}
	return false;
}

static bool word_char(char c)
{
	return isalnum((unsigned char) c) || c == '_';
}

/* The first whole word in text, or NULL. */
static const char *find_word(const char *text, const char *word)
{
	size_t n = strlen(word);
	bool call = word[n - 1] == '(';
	for (const char *at = text; (at = strstr(at, word)); at += n)
		if ((at == text || !word_char(at[-1])) && (call || !word_char(at[n])))
			return at;
	return NULL;
}

static int line_of(const char *text, const char *at)
{
	int line = 1;
	for (; text < at; text++)
		line += *text == '\n';
	return line;
}

/* Blanks comments, string and character literals; line ends stay. */
static void blank_what_is_no_code(char *s)
{
	enum { CODE, LINE, BLOCK, TEXT, LETTER } in = CODE;
	for (; *s; s++) {
		if (in == CODE) {
			in = s[0] == '/' && s[1] == '/' ? LINE : s[0] == '/' && s[1] == '*' ? BLOCK :
					*s == '"' ? TEXT : *s == '\'' ? LETTER : CODE;
			continue;
		}
		bool ends = (in == LINE && *s == '\n') || (in == TEXT && *s == '"') || (in == LETTER && *s == '\'');
		if (in == BLOCK && s[0] == '*' && s[1] == '/') {
			*s++ = ' ';
			ends = true;
		} else if ((in == TEXT || in == LETTER) && *s == '\\' && s[1]) {
			*s++ = ' ';
		}
		if (*s != '\n')
			*s = ' ';
		if (ends)
			in = CODE;
	}
}

static bool exists(const char *folder, const char *header)
{
	char path[768];
	(void) snprintf(path, sizeof path, "%s/%s/%s", TAP_SOURCE_DIR, folder, header);
	return access(path, R_OK) == 0;
}

static void check_outside(const char *path, int line, const char *header)
{
	for (size_t i = 0; i < ARRAY_LEN(outside); i++)
		if (strncmp(header, outside[i].header, strlen(outside[i].header)) == 0 && !under(path, outside[i].only) &&
				!under(path, "tests/"))
			complain(path, line, header, "one outside library, one module");
}

static void check_quoted(const char *path, int line, const char *header)
{
	for (size_t i = 0; i < ARRAY_LEN(never); i++)
		if (under(path, never[i].in) && strcmp(header, never[i].header) == 0)
			complain(path, line, header, never[i].why);
	for (size_t i = 0; i < ARRAY_LEN(floors); i++) {
		bool found = !under(path, floors[i].in);
		for (size_t k = 0; k < ARRAY_LEN(floors[i].may) && floors[i].may[k]; k++)
			found = found || exists(floors[i].may[k], header);
		if (!found)
			complain(path, line, header, "not on this floor nor below it");
	}
}

static void check_includes(const char *path, const char *text)
{
	int line = 1;
	for (const char *at = text; at; at = strchr(at, '\n'), line++) {
		char open[2], header[128];
		at += *at == '\n';
		if (sscanf(at, "#include %1[<\"]%127[^>\"\n]", open, header) != 2)
			continue;
		check_outside(path, line, header);
		if (*open == '"')
			check_quoted(path, line, header);
	}
}

static void check_words(const char *path, const char *code)
{
	for (size_t i = 0; i < ARRAY_LEN(word_rules); i++) {
		const struct word_rule *r = &word_rules[i];
		const char *at = under(path, r->in) && !under(path, r->but) ? find_word(code, r->word) : NULL;
		if (at)
			complain(path, line_of(code, at), r->word, r->why);
	}
}

static void check_marks(const char *path, const char *text)
{
	static const char *const marks[] = { "TO" "DO", "FIX" "ME", "X" "XX" };
	for (size_t i = 0; i < ARRAY_LEN(marks); i++) {
		const char *at = find_word(text, marks[i]);
		if (at)
			complain(path, line_of(text, at), marks[i], "done, or an issue; no debt in comments");
	}
}

static void check_size(const char *path, const char *text)
{
	int lines = 0, column = 0;
	const char *name = strrchr(path, '/');
	for (const char *at = text; *at; at++) {
		column = *at == '\n' ? 0 : *at == '\t' ? (column / 8 + 1) * 8 : column + 1;
		lines += *at == '\n';
		if (column == COLUMNS_MAX + 1 && !under(path, "tests/"))
			complain(path, lines + 1, "a long line", "break it");
	}
	if (lines > (under(path, "tests/") ? TEST_LINES_MAX : FILE_LINES_MAX)) /* tables of cases are long */
		complain(path, lines, "a long file", "split it by subject");
	if (under(path, "cmd/") && name && strcmp(name, "/main.c") == 0 && lines > MAIN_LINES_MAX)
		complain(path, lines, "a long main", "a main is a table and a call");
}

static char *read_file(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = calloc(1, FILE_BYTES_MAX + 1);
	assert_non_null(f);
	assert_non_null(text);
	size_t n = fread(text, 1, FILE_BYTES_MAX, f);
	assert_in_range(n, 0, FILE_BYTES_MAX - 1);
	(void) fclose(f);
	return text;
}

static void check_text(const char *path, char *text)
{
	check_includes(path, text);
	check_marks(path, text);
	check_size(path, text);
	blank_what_is_no_code(text);
	check_words(path, text);
}

static int visit(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void) st;
	const char *dot = strrchr(path + ftw->base, '.');
	if (type != FTW_F || !dot || (strcmp(dot, ".c") != 0 && strcmp(dot, ".h") != 0))
		return 0;
	char *text = read_file(path);
	files++;
	check_text(path + strlen(TAP_SOURCE_DIR) + 1, text);
	free(text);
	return 0;
}

static void the_tree_keeps_the_house_rules(void **state)
{
	(void) state;
	static const char *const roots[] = { "lib", "cmd", "tools", "bench", "tests" };
	broken = files = 0;
	for (size_t i = 0; i < ARRAY_LEN(roots); i++) {
		char path[512];
		(void) snprintf(path, sizeof path, "%s/%s", TAP_SOURCE_DIR, roots[i]);
		assert_int_equal(nftw(path, visit, 16, FTW_PHYS), 0);
	}
	assert_true(files > 40);
	if (broken)
		fail_msg("%u breaches of the house rules", broken);
}

/* ---- the rules must bite ---- */

static unsigned breaches(const char *path, const char *text)
{
	char *copy = strdup(text);
	assert_non_null(copy);
	broken = 0;
	check_text(path, copy);
	free(copy);
	return broken;
}

static void each_rule_bites(void **state)
{
	(void) state;
	static const struct { const char *path, *text; unsigned want; } cases[] = {
		{ "lib/domain/x.c", "#include \"tick.h\"\n#include \"money.h\"\n#include <stdint.h>\n", 0 },
		{ "lib/domain/x.c", "#include \"tick.h\"\n#include \"store.h\"\n", 1 },
		{ "lib/domain/x.c", "#include <sqlite3.h>\n", 1 },
		{ "lib/infra/bus_x.c", "#include <sqlite3.h>\n", 1 },
		{ "lib/infra/store_x.c", "#include <sqlite3.h>\n", 0 },
		{ "tests/unit/test_store.c", "#include <sqlite3.h>\n#include <cmocka.h>\n", 0 },
		{ "lib/infra/x.c", "#include <cmocka.h>\n", 1 },
		{ "lib/infra/x.c", "#include \"ledger.h\"\n", 1 },
		{ "cmd/ws/x.c", "#include \"msg.h\"\n", 0 },
		{ "cmd/ws/x.c", "#include \"ledger.h\"\n", 1 },
		{ "lib/service/x.c", "int t = time(NULL);\n", 1 },
		{ "lib/service/x.c", "int t = mktime(NULL); int at_time = 1;\n", 0 },
		{ "lib/service/x.c", "/* time( */ char *s = \"time(\"; // time(\n", 0 },
		{ "lib/service/x.c", "char q = '\"'; int t = time(NULL); char r = '\"';\n", 1 },
		{ "lib/service/x.c", "char *s = \"\\\"\"; int t = time(NULL);\n", 1 },
		{ "lib/base/clk.c", "clock_gettime(CLOCK_REALTIME, &t);\n", 0 },
		{ "lib/service/ledger_x.c", "double d;\n", 1 },
		{ "lib/service/ledger_x.c", "int doubled;\n", 0 },
		{ "lib/service/history.c", "double d;\n", 0 },
		{ "lib/base/x.c", "/* TO" "DO */\n", 1 },
	};
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		unsigned got = breaches(cases[i].path, cases[i].text);
		if (got != cases[i].want)
			fail_msg("case %zu: %u breaches, not %u", i, got, cases[i].want);
	}
	char lines[FILE_LINES_MAX + 2];
	memset(lines, '\n', sizeof lines);
	lines[FILE_LINES_MAX + 1] = '\0';
	assert_int_equal(breaches("lib/base/x.c", lines), 1);
	assert_int_equal(breaches("lib/base/x.c", lines + 1), 0);
	assert_int_equal(breaches("cmd/ws/main.c", lines + FILE_LINES_MAX - MAIN_LINES_MAX), 1);
	assert_int_equal(breaches("cmd/ws/main.c", lines + FILE_LINES_MAX - MAIN_LINES_MAX + 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_rule_bites),
		cmocka_unit_test(the_tree_keeps_the_house_rules),
	};
	return cmocka_run_group_tests_name("tidy", tests, NULL, NULL);
}
