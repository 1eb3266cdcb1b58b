/* s3: objects, parts and lists at a real endpoint that checks signatures, and every way in which it or the line fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>

#include "err.h"
#include "rnd.h"
#include "s3.h"
#include "../support/s3_server.h"

static struct s3_server server;
static bool told_to_stop;

static bool is_stopping(void *u)
{
	(void) u;
	return told_to_stop;
}

static struct s3 *open_with(const struct s3_conf *conf)
{
	struct s3 *s;
	assert_int_equal(s3_open(&s, conf), 0);
	return s;
}

static struct s3 *open_s3(void)
{
	struct s3_conf conf = s3_server_conf(&server);
	conf.stopping = is_stopping;
	return open_with(&conf);
}

static void is(int r, int expected)
{
	if (r != expected)
		fail_msg("%d, not %d: %s", r, expected, err_text());
	err_clear();
}

static int put_text(struct s3 *s, const char *key, const char *text, bool once)
{
	const struct s3_put put = { .body = { .bytes = text, .n = (int64_t) strlen(text) }, .content_type = "text/plain",
		.class = S3_STANDARD_IA, .once = once };
	return s3_put(s, key, &put);
}

static void content_is(struct s3 *s, const char *key, const char *expected)
{
	struct buf b = BUF_INIT(1 << 20);
	is(s3_get_buf(s, key, &b, NULL), 0);
	assert_int_equal(b.n, strlen(expected));
	assert_memory_equal(b.p ? b.p : "", expected, b.n);
	buf_free(&b);
}

static void faults(const char *rules)
{
	assert_true(s3_server_faults(&server, rules));
}

static void objects_are_put_read_and_deleted(void **state)
{
	(void) state;
	struct s3 *s = open_s3();
	struct s3_info info;
	is(put_text(s, "a/one.txt", "hello", false), 0);
	content_is(s, "a/one.txt", "hello");
	is(s3_head(s, "a/one.txt", &info), 0);
	assert_int_equal(info.size, 5);
	assert_string_equal(info.class, "STANDARD_IA");
	assert_string_equal(info.etag, "\"5d41402abc4b2a76b9719d911017c592\"");
	assert_true(info.modified_ms > 1600000000000);
	is(put_text(s, "a/one.txt", "", false), 0);
	content_is(s, "a/one.txt", "");
	is(s3_delete(s, "a/one.txt"), 0);
	is(s3_delete(s, "a/one.txt"), 0);
	is(s3_head(s, "a/one.txt", &info), S3_E_NOT_FOUND);
	struct buf b = BUF_INIT(16);
	is(s3_get_buf(s, "a/one.txt", &b, NULL), S3_E_NOT_FOUND);
	is(put_text(s, "a/long", "seventeen letters", false), 0);
	is(s3_get_buf(s, "a/long", &b, NULL), S3_E_BIG);
	buf_free(&b);
	(void) s3_close(s);
}

static void an_object_is_put_once(void **state)
{
	(void) state;
	struct s3 *s = open_s3();
	is(put_text(s, "once/1", "first", true), 0);
	is(put_text(s, "once/1", "second", true), S3_E_EXISTS);
	content_is(s, "once/1", "first");
	/* An answer that got lost: what is found there then is our own. */
	faults("[{\"kind\":\"lost\",\"method\":\"PUT\",\"times\":1}]");
	is(put_text(s, "once/2", "mine", true), S3_E_EXISTS);
	content_is(s, "once/2", "mine");
	faults("[]");
	(void) s3_close(s);
}

struct keys {
	char text[4096];
	int n;
	int most;
};

static bool take_key(void *u, const struct s3_item *item)
{
	struct keys *k = u;
	size_t at = strlen(k->text);
	assert_true(item->size == 1 && item->modified_ms > 1600000000000);
	if (k->n < 8)
		(void) snprintf(k->text + at, sizeof k->text - at, "%s ", item->key);
	return ++k->n != k->most;
}

static void lists_are_whole_and_in_order(void **state)
{
	(void) state;
	struct s3 *s = open_s3();
	static const char *const names[] = { "list/b", "list/a-1", "list/a.2", "list/c/x", "listless", "list/a_3" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		is(put_text(s, names[i], "x", false), 0);
	struct keys k = { .n = 0 };
	is(s3_list(s, "list/", "", take_key, &k), 0);
	assert_string_equal(k.text, "list/a-1 list/a.2 list/a_3 list/b list/c/x ");
	k = (struct keys){ .n = 0 };
	is(s3_list(s, "list/", "list/a_3", take_key, &k), 0);
	assert_string_equal(k.text, "list/b list/c/x ");
	k = (struct keys){ .most = 2 };
	is(s3_list(s, "list/", "", take_key, &k), 0);
	assert_int_equal(k.n, 2);
	k = (struct keys){ .n = 0 };
	is(s3_list(s, "nothing/", "", take_key, &k), 0);
	assert_int_equal(k.n, 0);
	(void) s3_close(s);
}

/* A file of n unpredictable bytes, its name gone already. */
static int file_of(size_t n, uint8_t **ret)
{
	char path[] = "/tmp/tap-s3-file-XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	(void) unlink(path);
	*ret = malloc(n);
	assert_non_null(*ret);
	rnd_bytes(*ret, n);
	assert_int_equal(pwrite(fd, *ret, n, 0), n);
	return fd;
}

static void files_go_and_come_back(void **state)
{
	(void) state;
	struct s3 *s = open_s3();
	enum { N = 3000001 };
	uint8_t *bytes, *back = malloc(N), *other;
	assert_non_null(back);
	int fd = file_of(N, &bytes), into = file_of(1, &other);
	const struct s3_put put = { .body = { .fd = fd, .at = 1, .n = N - 1 } };
	is(s3_put(s, "files/1", &put), 0);
	/* An interrupted fetch goes on where it was: 1000 bytes are there. */
	assert_int_equal(ftruncate(into, 0), 0);
	assert_int_equal(pwrite(into, bytes + 1, 1000, 0), 1000);
	faults("[{\"kind\":\"cut-answer\",\"method\":\"GET\",\"times\":3}]");
	struct s3_info info;
	is(s3_get_file(s, "files/1", into, &info), 0);
	assert_int_equal(info.size, N - 1);
	assert_int_equal(pread(into, back, N, 0), N - 1);
	assert_memory_equal(back, bytes + 1, N - 1);
	faults("[]");
	is(s3_get_file(s, "files/1", into, &info), 0); /* it has all of it */
	assert_int_equal(lseek(into, 0, SEEK_END), N - 1);
	/* Longer than the object is: it is not the object's. */
	is(put_text(s, "files/1", "short", false), 0);
	is(s3_get_file(s, "files/1", into, &info), -ESTALE);
	free(bytes);
	free(back);
	free(other);
	(void) close(fd);
	(void) close(into);
	(void) s3_close(s);
}

static void an_object_that_changes_is_not_read_as_one(void **state)
{
	(void) state;
	struct s3 *s = open_s3();
	struct buf b = BUF_INIT(1 << 20);
	is(put_text(s, "changing", "0123456789", false), 0);
	/* The first half of an answer that calls itself another version: the rest of the present one does not fit to it. */
	faults("[{\"kind\":\"cut-answer\",\"etag\":true,\"method\":\"GET\",\"times\":1}]");
	is(s3_get_buf(s, "changing", &b, NULL), -ESTALE);
	assert_memory_equal(b.p, "01234", 5);
	buf_clear(&b);
	is(s3_get_buf(s, "changing", &b, NULL), 0);
	assert_memory_equal(b.p, "0123456789", 10);
	buf_free(&b);
	faults("[]");
	(void) s3_close(s);
}

struct parts {
	struct s3_part all[8];
	size_t n;
};

static bool take_part(void *u, const struct s3_part *part)
{
	struct parts *p = u;
	assert_true(p->n < ARRAY_LEN(p->all));
	p->all[p->n++] = *part;
	return true;
}

static bool take_upload(void *u, const char *upload)
{
	char *to = u;
	(void) snprintf(to, S3_TEXT_MAX, "%s", upload);
	return true;
}

static void parts_become_an_object(void **state)
{
	(void) state;
	struct s3 *s = open_s3();
	enum { N = S3_PART_LEAST + 12345 };
	uint8_t *bytes;
	char upload[S3_TEXT_MAX], found[S3_TEXT_MAX] = "";
	struct s3_part part;
	struct parts p = { .n = 0 };
	int fd = file_of(N, &bytes);
	const struct s3_put how = { .class = S3_STANDARD_IA };
	const struct s3_body first = { .fd = fd, .at = 0, .n = S3_PART_LEAST }, second = { .fd = fd, .at = S3_PART_LEAST, .n = 12345 };
	is(s3_multi_create(s, "multi/1", &how, upload), 0);
	is(s3_multi_uploads(s, "multi/1", take_upload, found), 0);
	assert_string_equal(found, upload);
	is(s3_multi_part(s, "multi/1", upload, 2, &second, &part), 0);
	faults("[{\"kind\":\"cut\",\"method\":\"PUT\",\"times\":1},{\"kind\":\"500\",\"method\":\"PUT\",\"times\":1},"
	       "{\"kind\":\"lost\",\"method\":\"PUT\",\"times\":1}]");
	is(s3_multi_part(s, "multi/1", upload, 1, &first, &part), 0);
	faults("[]");
	/* Another life finds what the first has put. */
	(void) s3_close(s);
	s = open_s3();
	is(s3_multi_parts(s, "multi/1", upload, take_part, &p), 0);
	assert_int_equal(p.n, 2);
	assert_true(p.all[0].number == 1 && p.all[0].size == S3_PART_LEAST && p.all[1].number == 2 && p.all[1].size == 12345);
	struct s3_part wrong[2] = { p.all[0], p.all[1] };
	(void) snprintf(wrong[1].etag, sizeof wrong[1].etag, "\"00000000000000000000000000000000\"");
	is(s3_multi_complete(s, "multi/1", upload, wrong, 2), S3_E_PARTS);
	is(s3_multi_complete(s, "multi/1", upload, p.all, 2), 0);
	struct buf b = BUF_INIT(N + 1);
	struct s3_info info;
	is(s3_get_buf(s, "multi/1", &b, &info), 0);
	assert_int_equal(b.n, N);
	assert_memory_equal(b.p, bytes, N);
	assert_string_equal(info.class, "STANDARD_IA");
	buf_free(&b);
	is(s3_multi_create(s, "multi/2", &how, upload), 0);
	is(s3_multi_abort(s, "multi/2", upload), 0);
	is(s3_multi_abort(s, "multi/2", upload), 0);
	is(s3_multi_part(s, "multi/2", upload, 1, &second, &part), S3_E_NOT_FOUND);
	is(s3_multi_parts(s, "multi/2", upload, take_part, &p), S3_E_NOT_FOUND);
	free(bytes);
	(void) close(fd);
	(void) s3_close(s);
}

static void weather_is_waited_out_or_told(void **state)
{
	(void) state;
	struct s3_conf conf = s3_server_conf(&server);
	conf.still_ms = 3000;
	conf.stopping = is_stopping;
	struct s3 *s = open_with(&conf);
	struct s3_stats before, after;
	static const char *const passing[] = {
		"[{\"kind\":\"500\",\"times\":3}]", "[{\"kind\":\"503\",\"code\":\"SlowDown\",\"times\":2}]", "[{\"kind\":\"cut\",\"times\":3}]",
		"[{\"kind\":\"lost\",\"times\":1}]", "[{\"kind\":\"cut-answer\",\"times\":1},{\"kind\":\"hang\",\"times\":1}]" };
	for (size_t i = 0; i < ARRAY_LEN(passing); i++) {
		faults(passing[i]);
		is(put_text(s, "weather", "umbrella", false), 0);
		faults(passing[i]);
		content_is(s, "weather", "umbrella");
	}
	s3_stats(s, &before);
	faults("[{\"kind\":\"500\"}]");
	is(put_text(s, "weather", "x", false), -EREMOTEIO);
	s3_stats(s, &after);
	assert_int_equal(after.requests - before.requests, 4); /* as often as the caller chose */
	faults("[{\"kind\":\"cut\"}]");
	struct s3_info info;
	is(s3_head(s, "weather", &info), -EIO);
	faults("[{\"kind\":\"hang\"}]");
	s3_set_tries(s, 1);
	is(s3_head(s, "weather", &info), -ETIMEDOUT);
	faults("[]");
	content_is(s, "weather", "umbrella"); /* and then it is over */
	(void) s3_close(s);
	conf.endpoint = "http://127.0.0.1:1";
	s = open_with(&conf);
	is(s3_head(s, "weather", &info), -ECONNREFUSED);
	(void) s3_close(s);
}

static void slow_is_not_broken(void **state)
{
	(void) state;
	struct s3 *s = open_s3();
	enum { N = 200000 };
	uint8_t *bytes;
	int fd = file_of(N, &bytes);
	const struct s3_put put = { .body = { .fd = fd, .n = N } };
	struct buf b = BUF_INIT(N);
	faults("[{\"kind\":\"slow\",\"rate\":200000}]");
	is(s3_put(s, "slow", &put), 0);
	is(s3_get_buf(s, "slow", &b, NULL), 0);
	assert_int_equal(b.n, N);
	assert_memory_equal(b.p, bytes, N);
	faults("[]");
	buf_free(&b);
	free(bytes);
	(void) close(fd);
	(void) s3_close(s);
}

static void stop_ends_it(void **state)
{
	(void) state;
	struct s3_info info;
	struct s3_conf conf = s3_server_conf(&server);
	conf.still_ms = 600000;
	conf.tries = 100;
	conf.stopping = is_stopping;
	struct s3 *s = open_with(&conf);
	told_to_stop = true;
	faults("[{\"kind\":\"hang\"}]");
	is(s3_head(s, "x", &info), -ECANCELED);
	faults("[{\"kind\":\"500\"}]");
	conf.pause_ms = 600000;
	int r = s3_head(s, "x", &info);
	assert_true(r < 0);
	told_to_stop = false;
	faults("[]");
	(void) s3_close(s);
}

static void credentials_rotate_without_a_restart(void **state)
{
	(void) state;
	struct s3 *s = open_s3();
	struct s3_info info;
	is(put_text(s, "cred", "x", false), 0);
	assert_true(s3_server_credentials(&server, server.access, "wrong"));
	is(s3_head(s, "cred", &info), S3_E_DENIED);
	is(put_text(s, "cred", "y", false), S3_E_DENIED);
	assert_true(s3_server_credentials(&server, "", "no-key"));
	is(s3_head(s, "cred", &info), S3_E_DENIED);
	assert_true(s3_server_credentials(&server, "no-secret", ""));
	is(s3_head(s, "cred", &info), S3_E_DENIED);
	assert_true(s3_server_admin(&server, "key create --uid=test --key-type=s3 --access-key=NEXT --secret=next"));
	assert_true(s3_server_credentials(&server, "NEXT", "next"));
	is(s3_head(s, "cred", &info), 0);
	assert_true(s3_server_admin(&server, "key rm --uid=test --key-type=s3 --access-key=NEXT"));
	is(s3_head(s, "cred", &info), S3_E_DENIED);
	assert_true(s3_server_credentials(&server, server.access, server.secret));
	content_is(s, "cred", "x");
	struct s3_conf conf = s3_server_conf(&server);
	conf.credentials_file = "";
	struct s3 *without = open_with(&conf);
	is(s3_head(without, "cred", &info), S3_E_DENIED);
	(void) s3_close(without);
	(void) s3_close(s);
}

static void a_full_bucket_is_told(void **state)
{
	(void) state;
	struct s3 *s = open_s3();
	assert_true(s3_server_admin(&server, "quota set --uid=test --quota-scope=bucket --max-objects=1"));
	assert_true(s3_server_admin(&server, "quota enable --uid=test --quota-scope=bucket"));
	is(put_text(s, "full/1", "x", false), S3_E_FULL);
	assert_true(s3_server_admin(&server, "quota disable --uid=test --quota-scope=bucket"));
	is(put_text(s, "full/1", "x", false), 0);
	(void) s3_close(s);
}

static void a_wrong_bucket_is_a_matter_of_setup(void **state)
{
	(void) state;
	struct s3_conf conf = s3_server_conf(&server);
	conf.bucket = "no-such-bucket";
	struct s3 *s = open_with(&conf);
	is(put_text(s, "x", "x", false), S3_E_SETUP);
	(void) s3_close(s);
}

static int start(void **state)
{
	(void) state;
	return s3_server_start(&server) ? 0 : -1;
}

static int stop(void **state)
{
	(void) state;
	s3_server_stop(&server);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(objects_are_put_read_and_deleted),
		cmocka_unit_test(an_object_is_put_once),
		cmocka_unit_test(lists_are_whole_and_in_order),
		cmocka_unit_test(files_go_and_come_back),
		cmocka_unit_test(an_object_that_changes_is_not_read_as_one),
		cmocka_unit_test(parts_become_an_object),
		cmocka_unit_test(weather_is_waited_out_or_told),
		cmocka_unit_test(slow_is_not_broken),
		cmocka_unit_test(stop_ends_it),
		cmocka_unit_test(credentials_rotate_without_a_restart),
		cmocka_unit_test(a_full_bucket_is_told),
		cmocka_unit_test(a_wrong_bucket_is_a_matter_of_setup),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
