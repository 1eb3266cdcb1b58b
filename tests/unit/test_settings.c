/* What --check-config refuses beyond types and ranges, and what --help names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "attr.h"
#include "settings.h"

static char said[65536];

static int load(const char *assignment)
{
	static struct settings s;
	char text[256];
	char *env[] = { text, NULL };
	(void) snprintf(text, sizeof text, "%s", assignment);
	memset(said, 0, sizeof said);
	FILE *report = fmemopen(said, sizeof said, "w");
	assert_non_null(report);
	int wrong = settings_load(&s, env, report);
	(void) fclose(report);
	return wrong;
}

static void forms_are_checked(void **state)
{
	(void) state;
	static const char *const good[] = { "TAP_REDIS=unix:/x", "TAP_REDIS=localhost:6379", "TAP_REDIS=[::1]:6379",
		"TAP_PUBLIC_ORIGIN=https://tap.example", "TAP_ALLOWED_ORIGINS=http://a,https://b:81", "TAP_COINBASE_URL=",
		"TAP_COINBASE_URL=ws://127.0.0.1:1/", "TAP_S3_ENDPOINT=https://s3.example", "TAP_S3_ENDPOINT=http://[::1]:9000/", "TAP_S3_ENDPOINT=" };
	static const char *const bad[] = { "TAP_REDIS=foo", "TAP_REDIS=redis://127.0.0.1:6379", "TAP_REDIS=unix:x",
		"TAP_REDIS=host:", "TAP_REDIS=host:0", "TAP_REDIS=host:65536", "TAP_REDIS=:1", "TAP_PUBLIC_ORIGIN=foo",
		"TAP_PUBLIC_ORIGIN=foo.example.org", "TAP_PUBLIC_ORIGIN=http://x/", "TAP_PUBLIC_ORIGIN=https://:80",
		"TAP_ALLOWED_ORIGINS=*", "TAP_COINBASE_URL=foo", "TAP_BINANCE_URL=http://x", "TAP_S3_ENDPOINT=foo",
		"TAP_S3_ENDPOINT=http://h/bucket", "TAP_S3_ENDPOINT=http://u:secret@h", "TAP_S3_ENDPOINT=http://",
		"TAP_S3_ENDPOINT=http://h?x", "TAP_S3_ENDPOINT=ftp://h",
		"TAP_GRID_ROWS=", "TAP_NOPE=1" };
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		if (load(good[i]) != 0)
			fail_msg("%s: %s", good[i], said);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (load(bad[i]) != 1)
			fail_msg("%s is taken", bad[i]);
		char *line = strchr(said, '\n'); /* one line for the key */
		assert_non_null(line);
		assert_string_equal(line, "\n");
		assert_memory_equal(said, bad[i], strcspn(bad[i], "="));
		assert_null(strstr(said, "secret")); /* what looks like one is not printed */
	}
}

static void help_names_every_key(void **state)
{
	(void) state;
	static const char *const keys[] = { "TAP_MIN_P\n", "TAP_CAP_CELL\n", "TAP_S3_ENDPOINT\n", "TAP_WS_CONNECTIONS\n",
		"TAP_RESOLVE_GRACE_MS\n", "TAP_API_LISTEN\n" };
	for (unsigned who = 1; who & FOR_ALL; who <<= 1) {
		memset(said, 0, sizeof said);
		FILE *out = fmemopen(said, sizeof said, "w");
		assert_non_null(out);
		settings_help(who, &(struct manual){ .to = out });
		(void) fclose(out);
		for (size_t i = 0; i < ARRAY_LEN(keys); i++)
			assert_non_null(strstr(said, keys[i]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms_are_checked),
		cmocka_unit_test(help_names_every_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
