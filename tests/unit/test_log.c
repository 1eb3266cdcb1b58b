/* log: a line is one JSON object that can be found by what it is about. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "err.h"
#include "json.h"
#include "log.h"

static int pipe_fds[2], real_stderr;

static void catch_stderr(void)
{
	assert_int_equal(pipe(pipe_fds), 0);
	real_stderr = dup(STDERR_FILENO);
	assert_int_equal(dup2(pipe_fds[1], STDERR_FILENO), STDERR_FILENO);
	(void) close(pipe_fds[1]);
}

/* What was written since; a document of the one line, or NULL when there was none. */
static struct json *caught(void)
{
	char text[4096];
	const char *why;
	struct json *j = NULL;
	assert_int_equal(dup2(real_stderr, STDERR_FILENO), STDERR_FILENO);
	(void) close(real_stderr);
	ssize_t n = read(pipe_fds[0], text, sizeof text);
	(void) close(pipe_fds[0]);
	if (n == 0)
		return NULL;
	assert_true(n > 1 && text[n - 1] == '\n');
	assert_null(memchr(text, '\n', (size_t) n - 1));
	assert_int_equal(json_parse(&j, text, (size_t) n - 1, &why), 0);
	return j;
}

static void assert_member(struct json *j, const char *name, const char *want)
{
	const char *text = json_string(json_get(json_root(j), name), NULL);
	if (want)
		assert_string_equal(text, want);
	else
		assert_null(text);
}

static void a_line_says_what_it_is_about(void **state)
{
	(void) state;
	const struct log_ctx ctx = { .request_id = "R1", .wallet = "0xab" };
	catch_stderr();
	log_with(LOG_LEVEL_NOTICE, &ctx, "it is \"%s\"\n", "so");
	struct json *j = caught();
	assert_member(j, "level", "notice");
	assert_member(j, "component", "test");
	assert_member(j, "request_id", "R1");
	assert_member(j, "bet_id", NULL);
	assert_member(j, "wallet", "0xab");
	assert_member(j, "msg", "it is \"so\"\n");
	(void) json_free(j);
}

static void a_failure_is_told_once_and_whole(void **state)
{
	(void) state;
	const struct log_ctx ctx = { .bet_id = "B1" };
	catch_stderr();
	assert_int_equal(log_errno_with(err_say(-EIO, "the plug is out"), &ctx, "part %d", 7), -EIO);
	struct json *j = caught();
	assert_member(j, "level", "err");
	assert_member(j, "bet_id", "B1");
	assert_member(j, "msg", "part 7: Input/output error: the plug is out");
	assert_string_equal(err_text(), "");
	(void) json_free(j);
}

static void what_is_not_wanted_is_not_written(void **state)
{
	(void) state;
	catch_stderr();
	assert_false(log_wants(LOG_LEVEL_DEBUG));
	assert_true(log_wants(LOG_LEVEL_INFO));
	log_debug("hush");
	assert_null(caught());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_says_what_it_is_about),
		cmocka_unit_test(a_failure_is_told_once_and_whole),
		cmocka_unit_test(what_is_not_wanted_is_not_written),
	};
	log_init("test", LOG_LEVEL_INFO);
	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
