/* json: RFC 8259 and nothing else, exact integers, and what is written can be read again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

static int parse(struct json **ret, const char *text)
{
	const char *why = NULL;
	int r = json_parse(ret, text, strlen(text), &why);
	assert_true(r == 0 ? why == NULL : why != NULL && *why);
	return r;
}

static void good_texts_are_taken(void **state)
{
	(void) state;
	static const char *const good[] = {
		"{}", "[]", "0", "-0", "-0.0", "1e9", "1E+9", "1.5e-3", "\"\"", "true", "false", "null", " \t\r\n1 \t\r\n",
		"[1,2,3]", "[ 1 , 2 ]", "{\"a\":1}", "{ \"a\" : { \"b\" : [ ] } }", "{\"\":1}",
		"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\u00e9\\u20AC\\ud83c\\udfaf\"", "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x8e\xaf\"",
		"\"\x7f\"", "\"\xef\xbf\xbf\"", "\"\xf4\x8f\xbf\xbf\"", "\"\xed\x9f\xbf\"", "\"\xee\x80\x80\"",
		"[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]", "99999999999999999999999999", "{\"a\":1,\"A\":2}",
	};
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct json *j = NULL;
		if (parse(&j, good[i]) != 0)
			fail_msg("refused: %s", good[i]);
		json_free(j);
	}
}

static void bad_texts_are_refused(void **state)
{
	(void) state;
	static const char *const bad[] = {
		"", " ", "{", "}", "[", "]", "{]", "[}", "[1", "[1,", "[1,]", "[,1]", "[,]", "[1 2]", "[1,,2]", "{\"a\"}",
		"{\"a\":}", "{\"a\":1,}", "{,}", "{a:1}", "{'a':1}", "{\"a\" 1}", "{\"a\":1 \"b\":2}", "{1:2}", "{\"a\"::1}",
		"01", "-", "-01", "+1", "1.", ".5", "1.e5", "1e", "1e+", "0x10", "1_000", "NaN", "Infinity", "-Infinity", "00",
		"tru", "True", "TRUE", "nul", "nulll", "falsee", "undefined", "1 2", "{} {}", "{}x", "[]]", "\"", "\"a", "a\"",
		"\"\\\"", "\"\\x41\"", "\"\\u12\"", "\"\\u12g4\"", "\"\\u0000\"", "\"\\U0041\"", "\"\\'\"", "\"\\\n\"",
		"\"a\nb\"", "\"a\tb\"", "\"\x1f\"", "\"\x01\"",
		"\"\\ud800\"", "\"\\udc00\"", "\"\\ud800\\u0041\"", "\"\\ud800x\"", "\"\\udc00\\ud800\"", "\"\\ud800\\ud800\"",
		"\"\\ud83c\\", "\"\\ud83c\\u", "\"\\ud83c\\udfa",
		"\"\x80\"", "\"\xc3\"", "\"\xc3(\"", "\"\xc0\x80\"", "\"\xc1\xbf\"", "\"\xe0\x80\x80\"", "\"\xe0\x9f\xbf\"",
		"\"\xed\xa0\x80\"", "\"\xed\xbf\xbf\"", "\"\xf0\x80\x80\x80\"", "\"\xf0\x8f\xbf\xbf\"", "\"\xf4\x90\x80\x80\"",
		"\"\xf5\x80\x80\x80\"", "\"\xff\"", "\"\xfe\"", "\"\xe2\x82\"", "\"\xf0\x9f\x8e\"", "\xef\xbb\xbf{}",
		"\xef\xbb\xbf", "// c\n1", "/* c */1", "1//c", "\v1", "\f1", "\xc2\xa0\x31", "[\"a\":1]", "{\"a\":1:2}",
		"[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]", "{\"\xff\":1}", "{\"a\\u0000\":1}", "{\"a\nb\":1}",
		"{\"a\":1,\"a\":1}", "{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":1,\"\\u0061\":2}", "[{\"x\":{\"k\":0,\"k\":0}}]",
		"{\"\":1,\"\":2}", "{\"stake\":1,\"st\\u0061ke\":2}",
	};
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		struct json *j = NULL;
		if (parse(&j, bad[i]) != 1)
			fail_msg("taken: %s (%zu)", bad[i], i);
		assert_null(j);
	}
}

static void a_nul_byte_is_no_end(void **state)
{
	(void) state;
	struct json *j;
	const char *why;
	assert_int_equal(json_parse(&j, "{}\0{}", 5, &why), 1);
	assert_int_equal(json_parse(&j, "1\0", 2, &why), 1);
	assert_int_equal(json_parse(&j, "\"a\0b\"", 5, &why), 1);
	assert_int_equal(json_parse(&j, "12", 1, &why), 0); /* the length counts, not what follows */
	assert_string_equal(json_number_text(json_root(j)), "1");
	json_free(j);
}

static void members_are_bounded(void **state)
{
	(void) state;
	for (int n = JSON_MEMBERS_MAX; n <= JSON_MEMBERS_MAX + 1; n++) {
		_cleanup_(buf_free) struct buf b = BUF_INIT(65536);
		struct json *j = NULL;
		for (int i = 0; i < n; i++)
			buf_printf(&b, "%c\"m%d\":%d", i ? ',' : '{', i, i);
		buf_putc(&b, '}');
		assert_int_equal(parse(&j, b.p), n > JSON_MEMBERS_MAX);
		if (j) {
			assert_int_equal(json_count(json_root(j)), JSON_MEMBERS_MAX);
			json_free(j);
		}
	}
}

static void integers_are_exact(void **state)
{
	(void) state;
	static const struct { const char *text; int64_t v; } good[] = {
		{ "0", 0 }, { "-0", 0 }, { "7", 7 }, { "-7", -7 }, { "9007199254740993", 9007199254740993 },
		{ "9223372036854775807", INT64_MAX }, { "-9223372036854775808", INT64_MIN },
	};
	static const char *const bad[] = { "9223372036854775808", "-9223372036854775809", "1.0", "1e2", "0.0", "-0.0", "0e0",
		"123456789012345678901234567890", "\"1\"", "\"n1\"", "true", "null", "[]", "{}" };
	struct json *j;
	int64_t v;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(parse(&j, good[i].text), 0);
		assert_true(json_int(json_root(j), &v));
		assert_true(v == good[i].v);
		assert_string_equal(json_number_text(json_root(j)), good[i].text);
		json_free(j);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		v = 42;
		assert_int_equal(parse(&j, bad[i]), 0);
		assert_false(json_int(json_root(j), &v));
		assert_int_equal(v, 42);
		json_free(j);
	}
	assert_false(json_int(NULL, &v));
}

static void no_text_passes_for_a_number(void **state)
{
	(void) state;
	static const char *const texts[] = { "n1", "s1", "1", "", "nn1", "\\u006e1" };
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		_cleanup_(buf_free) struct buf b = BUF_INIT(64);
		struct json *j;
		size_t n = 99;
		buf_printf(&b, "{\"n1\":\"%s\"}", texts[i]);
		assert_int_equal(parse(&j, b.p), 0);
		const struct json_value *v = json_get(json_root(j), "n1");
		assert_non_null(v);
		assert_null(json_number_text(v));
		assert_string_equal(json_string(v, &n), *texts[i] == '\\' ? "n1" : texts[i]);
		assert_int_equal(n, strlen(json_string(v, NULL)));
		json_free(j);
	}
	struct json *j;
	assert_int_equal(parse(&j, "1"), 0);
	assert_null(json_string(json_root(j), NULL));
	json_free(j);
}

static void values_are_found(void **state)
{
	(void) state;
	struct json *j;
	bool b = false;
	int64_t sum = 0, v;
	assert_int_equal(parse(&j, "{\"l\":[1,2,4],\"t\":true,\"z\":null,\"s\":\"\\ud83c\\udfaf\\n\",\"o\":{\"k\":-12.50}}"), 0);
	const struct json_value *root = json_root(j), *l = json_get(root, "l");
	assert_true(json_is_object(root));
	assert_int_equal(json_count(root), 5);
	assert_true(json_is_array(l));
	for (const struct json_value *e = json_first(l); e; e = json_next(e)) {
		assert_true(json_int(e, &v));
		sum += v;
	}
	assert_int_equal(sum, 7);
	assert_true(json_bool(json_get(root, "t"), &b) && b);
	assert_false(json_bool(json_get(root, "s"), &b));
	assert_true(json_is_null(json_get(root, "z")));
	assert_string_equal(json_string(json_get(root, "s"), NULL), "\xf0\x9f\x8e\xaf\n");
	assert_string_equal(json_number_text(json_get(json_get(root, "o"), "k")), "-12.50");
	assert_null(json_get(root, "T"));
	assert_null(json_get(l, "l"));
	assert_null(json_get(NULL, "l"));
	assert_null(json_get(json_get(root, "z"), "l"));
	assert_int_equal(json_count(json_get(root, "s")), 0);
	assert_false(json_is_null(NULL));
	json_free(j);
	assert_null(json_free(NULL));
}

static void what_is_written_can_be_read(void **state)
{
	(void) state;
	_cleanup_(buf_free) struct buf b = BUF_INIT(4096);
	struct json_out w;
	jw_begin(&w, &b);
	jw_object(&w, NULL);
	jw_int(&w, "least", INT64_MIN);
	jw_str(&w, "text", "a\"b\\c\n\x01\x7f \xc3\xa9 \xff\xc3");
	jw_str(&w, "none", NULL);
	jw_array(&w, "list");
	jw_int(&w, NULL, 1);
	jw_object(&w, NULL);
	jw_end_object(&w);
	jw_array(&w, NULL);
	jw_end_array(&w);
	jw_bool(&w, NULL, false);
	jw_end_array(&w);
	jw_raw(&w, "raw", "[1,2]", 5);
	jw_null(&w, "z");
	jw_end_object(&w);
	assert_false(b.failed);
	assert_string_equal(b.p, "{\"least\":-9223372036854775808,\"text\":\"a\\\"b\\\\c\\n\\u0001\x7f \xc3\xa9 \xef\xbf\xbd\xef\xbf\xbd\","
			"\"none\":null,\"list\":[1,{},[],false],\"raw\":[1,2],\"z\":null}");
	struct json *j;
	assert_int_equal(parse(&j, b.p), 0);
	json_free(j);
}

/* Any mangled text is either refused with a reason or taken, whole and readable: the sanitizers watch. */
static void mutations_do_no_harm(void **state)
{
	(void) state;
	static const char *const seeds[] = {
		"{\"wallet\":\"0x2c7536E3605D9C16a7a3D7b1898e529396a65c23\",\"cell\":\"1771234565_9742000_9744000\",\"stake\":1000000,"
		"\"rate\":23500,\"nonce\":\"00000000-0000-4000-8000-000000000001\",\"l\":[1,-2.5e3,null,true,{\"\\ud83c\\udfaf\":[]}]}",
		"[[\"\\u00e9\",\"\xf0\x9f\x8e\xaf\",0.1],{\"a\":{\"b\":{\"c\":[[[]]]}}}]",
	};
	static const char tokens[] = "{}[]:,\"\\u0n1s-eE.+/ \t\x01\x80\xc3\xed\xf0\xff";
	uint32_t x = 2463534242;
	int taken = 0;
	for (int round = 0; round < 20000; round++) {
		char text[512];
		size_t n = strlen(seeds[round % 2]);
		memcpy(text, seeds[round % 2], n);
		for (uint32_t k = 0; k <= (uint32_t) round % 3; k++) {
			x ^= x << 13, x ^= x >> 17, x ^= x << 5;
			size_t at = x % n;
			char c = tokens[(x >> 12) % (sizeof tokens - 1)];
			if (x >> 30 == 0) {
				memmove(text + at, text + at + 1, n - at - 1);
				n--;
			} else if (x >> 30 == 1 && n < sizeof text) {
				memmove(text + at + 1, text + at, n - at);
				text[at] = c;
				n++;
			} else {
				text[at] = c;
			}
		}
		char *exact = malloc(n); /* so that a read past the end is seen */
		assert_non_null(exact);
		memcpy(exact, text, n);
		struct json *j = NULL;
		const char *why = NULL;
		int r = json_parse(&j, exact, n, &why);
		assert_true(r == 0 ? j && !why : r == 1 && !j && why);
		taken += r == 0;
		json_free(j);
		free(exact);
	}
	assert_in_range(taken, 100, 19900);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_texts_are_taken),
		cmocka_unit_test(bad_texts_are_refused),
		cmocka_unit_test(a_nul_byte_is_no_end),
		cmocka_unit_test(members_are_bounded),
		cmocka_unit_test(integers_are_exact),
		cmocka_unit_test(no_text_passes_for_a_number),
		cmocka_unit_test(values_are_found),
		cmocka_unit_test(what_is_written_can_be_read),
		cmocka_unit_test(mutations_do_no_harm),
	};
	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
