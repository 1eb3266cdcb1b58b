/* One request: signed, sent, bounded in time, tried again. */
#include "s3_impl.h"

#include <curl/curl.h>

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "check.h"
#include "clk.h"
#include "conf.h"
#include "err.h"
#include "hex.h"
#include "rnd.h"

enum {
	POLL_MS = 100,
	SLOWEST = 1024,        /* bytes a second below which a connection counts as standing still */
	SLOWEST_BODY = 65536,  /* what the limit for a whole request is reckoned by */
	SECRET_MAX = 512
};

struct s3 {
	struct s3_conf conf;
	char signing[80];      /* aws:amz:REGION:s3 */
	CURLM *multi;
	CURL *easy;
	struct s3_stats stats;
	char said[CURL_ERROR_SIZE];
	/* the try that is under way */
	struct s3_request *q;
	int64_t sent;
};

static void start_curl(void)
{
	CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK);
}

int s3_open(struct s3 **ret, const struct s3_conf *conf)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	(void) pthread_once(&once, start_curl);
	CHECK(conf->tries > 0 && conf->still_ms > 0);
	struct s3 *s = calloc(1, sizeof *s);
	if (!s)
		return -ENOMEM;
	s->conf = *conf;
	(void) snprintf(s->signing, sizeof s->signing, "aws:amz:%s:s3", conf->region);
	s->multi = curl_multi_init();
	s->easy = curl_easy_init();
	if (!s->multi || !s->easy) {
		(void) s3_close(s);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}

struct s3 *s3_close(struct s3 *s)
{
	if (!s)
		return NULL;
	curl_easy_cleanup(s->easy);
	(void) curl_multi_cleanup(s->multi);
	free(s);
	return NULL;
}

void s3_set_tries(struct s3 *s, int tries)
{
	CHECK(tries > 0);
	s->conf.tries = tries;
}

void s3_stats(const struct s3 *s, struct s3_stats *ret)
{
	*ret = s->stats;
}

static bool stopping(const struct s3 *s)
{
	return s->conf.stopping && s->conf.stopping(s->conf.u);
}

static void told_moved(const struct s3 *s, int64_t bytes)
{
	if (s->conf.moved)
		s->conf.moved(s->conf.u, bytes);
}

/* ---- the request ---- */

bool s3_key_ok(const char *key)
{
	static const char may[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-/";
	size_t n = strlen(key);
	return n > 0 && n <= S3_KEY_MAX && strspn(key, may) == n;
}

void s3_header(struct s3_request *q, const char *fmt, ...)
{
	va_list ap;
	CHECK(q->n_headers < S3_HEADERS_MAX);
	va_start(ap, fmt);
	int n = vsnprintf(q->headers[q->n_headers++], S3_HEADER_MAX, fmt, ap);
	va_end(ap);
	CHECK(n > 0 && n < S3_HEADER_MAX);
}

void s3_query(struct s3_request *q, const char *name, const char *value)
{
	char *text = curl_easy_escape(NULL, value, 0);
	size_t at = strlen(q->query);
	CHECK(text);
	int n = snprintf(q->query + at, sizeof q->query - at, "%s%s=%s", at ? "&" : "", name, text);
	CHECK(n > 0 && (size_t) n < sizeof q->query - at);
	curl_free(text);
}

int s3_hash_body(struct s3_request *q)
{
	struct sha256 h;
	char chunk[S3_CHUNK];
	sha256_start(&h);
	if (q->body.bytes) {
		sha256_add(&h, q->body.bytes, (size_t) q->body.n);
	} else {
		for (int64_t at = 0; at < q->body.n;) {
			int64_t left = q->body.n - at;
			ssize_t n = pread(q->body.fd, chunk, left < S3_CHUNK ? (size_t) left : S3_CHUNK, q->body.at + at);
			if (n <= 0)
				return err_say(n < 0 ? -errno : -EIO, "%s: the file to be sent cannot be read", q->key);
			sha256_add(&h, chunk, (size_t) n);
			at += n;
		}
	}
	const struct hash sum = sha256_end(&h);
	hex_encode(q->payload, sum.b, HASH_SIZE);
	return 0;
}

static size_t send_body(char *out, size_t size, size_t count, void *u)
{
	struct s3 *s = u;
	const struct s3_body *b = &s->q->body;
	int64_t left = b->n - s->sent, room = (int64_t) (size * count);
	size_t want = (size_t) (left < room ? left : room);
	if (want == 0)
		return 0;
	ssize_t n = (ssize_t) want;
	if (b->bytes)
		memcpy(out, (const char *) b->bytes + s->sent, want);
	else
		n = pread(b->fd, out, want, b->at + s->sent);
	if (n <= 0)
		return CURL_READFUNC_ABORT;
	s->sent += n;
	s->stats.sent_bytes += (uint64_t) n;
	told_moved(s, n);
	return (size_t) n;
}

static int rewind_body(void *u, curl_off_t to, int origin)
{
	struct s3 *s = u;
	if (origin != SEEK_SET)
		return CURL_SEEKFUNC_CANTSEEK;
	s->sent = to;
	return CURL_SEEKFUNC_OK;
}

/* ---- the answer ---- */

static bool is_good(const struct s3 *s)
{
	long status = 0;
	(void) curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &status);
	return status / 100 == 2;
}

static size_t take_body(char *p, size_t size, size_t count, void *u)
{
	struct s3 *s = u;
	struct s3_request *q = s->q;
	size_t n = size * count, used = 0;
	s->stats.received_bytes += n;
	told_moved(s, (int64_t) n);
	if (!q->take || !is_good(s)) {
		buf_put(&q->answer, p, n);
		return q->answer.failed ? 0 : n;
	}
	if (q->skip > 0) {
		used = q->skip < (int64_t) n ? (size_t) q->skip : n;
		q->skip -= (int64_t) used;
	}
	if (used < n) {
		q->take_failed = q->take(q->u, p + used, n - used);
		if (q->take_failed != 0)
			return 0;
		q->taken += (int64_t) (n - used);
	}
	return n;
}

/* True with the value, without the blanks around it, when the line is that header's. */
static bool header_is(const char *line, size_t n, const char *name, char *out, size_t size)
{
	size_t at = strlen(name);
	if (n <= at || strncasecmp(line, name, at) != 0 || line[at] != ':')
		return false;
	at++;
	while (at < n && line[at] == ' ')
		at++;
	while (n > at && (line[n - 1] == '\r' || line[n - 1] == '\n' || line[n - 1] == ' '))
		n--;
	(void) snprintf(out, size, "%.*s", (int) (n - at), line + at);
	return true;
}

static size_t take_header(char *line, size_t size, size_t count, void *u)
{
	struct s3 *s = u;
	struct s3_info *info = &s->q->info;
	size_t n = size * count;
	char text[S3_TEXT_MAX];
	if (n >= 5 && strncmp(line, "HTTP/", 5) == 0) /* another answer begins: the one before was "100 Continue" */
		*info = (struct s3_info){ .size = -1 };
	else if (header_is(line, n, "etag", text, sizeof text))
		(void) snprintf(info->etag, sizeof info->etag, "%s", text);
	else if (header_is(line, n, "x-amz-storage-class", text, sizeof text))
		(void) snprintf(info->class, sizeof info->class, "%.31s", text);
	else if (header_is(line, n, "last-modified", text, sizeof text))
		info->modified_ms = curl_getdate(text, NULL) > 0 ? (int64_t) curl_getdate(text, NULL) * 1000 : 0;
	else if (header_is(line, n, "content-range", text, sizeof text) && strchr(text, '/'))
		info->size = strtoll(strchr(text, '/') + 1, NULL, 10);
	else if (header_is(line, n, "content-length", text, sizeof text) && info->size < 0)
		info->size = strtoll(text, NULL, 10);
	return n;
}

/* ---- one try ---- */

/* ACCESS_KEY, and behind its end SECRET_KEY. S3_E_DENIED with its sentence when there are none; <0. */
static int read_credentials(const struct s3_conf *conf, char secret[SECRET_MAX], const char **ret_key)
{
	int r = conf_secret("S3_CREDENTIALS", conf->credentials_file, secret, SECRET_MAX);
	char *colon = r == 0 ? strchr(secret, ':') : NULL;
	if (r < 0)
		return err_trace(r);
	if (!colon || colon == secret || !colon[1]) {
		(void) err_say(-EACCES, r > 0 ? "no credentials: neither $CREDENTIALS_DIRECTORY/S3_CREDENTIALS nor"
				" TAP_S3_CREDENTIALS_FILE is there" : "the secret S3_CREDENTIALS must be ACCESS_KEY:SECRET_KEY");
		explicit_bzero(secret, SECRET_MAX);
		return S3_E_DENIED;
	}
	*colon = '\0';
	*ret_key = colon + 1;
	return 0;
}

int s3_look_at_credentials(const struct s3_conf *conf)
{
	char secret[SECRET_MAX];
	const char *key;
	int r = read_credentials(conf, secret, &key);
	explicit_bzero(secret, sizeof secret);
	return r;
}

static int set_credentials(struct s3 *s)
{
	char secret[SECRET_MAX];
	const char *key;
	int r = read_credentials(&s->conf, secret, &key);
	if (r != 0)
		return r;
	CURLcode c = curl_easy_setopt(s->easy, CURLOPT_USERNAME, secret);
	if (c == CURLE_OK)
		c = curl_easy_setopt(s->easy, CURLOPT_PASSWORD, key);
	explicit_bzero(secret, sizeof secret);
	return c == CURLE_OK ? 0 : -ENOMEM;
}

static int set_url(struct s3 *s)
{
	const struct s3_request *q = s->q;
	char url[CONF_TEXT_MAX + 128 + S3_KEY_MAX + S3_QUERY_MAX];
	size_t n = strlen(s->conf.endpoint);
	while (n > 0 && s->conf.endpoint[n - 1] == '/')
		n--;
	int len = snprintf(url, sizeof url, "%.*s/%s%s%s%s%s", (int) n, s->conf.endpoint, s->conf.bucket, q->key ? "/" : "",
			q->key ? q->key : "", q->query[0] ? "?" : "", q->query);
	if (len < 0 || (size_t) len >= sizeof url)
		return err_say(-ENAMETOOLONG, "the address of %s is too long", q->key ? q->key : s->conf.bucket);
	return curl_easy_setopt(s->easy, CURLOPT_URL, url) == CURLE_OK ? 0 : -ENOMEM;
}

static int set_headers(struct s3 *s, struct curl_slist **list)
{
	char line[S3_HEADER_MAX];
	(void) snprintf(line, sizeof line, "x-amz-content-sha256: %s", s->q->payload);
	*list = curl_slist_append(NULL, line);
	for (size_t i = 0; *list && i < s->q->n_headers; i++) {
		struct curl_slist *longer = curl_slist_append(*list, s->q->headers[i]);
		if (!longer)
			return -ENOMEM;
		*list = longer;
	}
	return *list && curl_easy_setopt(s->easy, CURLOPT_HTTPHEADER, *list) == CURLE_OK ? 0 : -ENOMEM;
}

static void set_method(struct s3 *s)
{
	const struct s3_request *q = s->q;
	CURL *c = s->easy;
	if (strcmp(q->method, "HEAD") == 0) {
		(void) curl_easy_setopt(c, CURLOPT_NOBODY, 1L);
	} else if (strcmp(q->method, "PUT") == 0) {
		(void) curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
		(void) curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t) q->body.n);
	} else if (strcmp(q->method, "POST") == 0) {
		CHECK(q->body.bytes);
		(void) curl_easy_setopt(c, CURLOPT_POST, 1L);
		(void) curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t) q->body.n);
		(void) curl_easy_setopt(c, CURLOPT_POSTFIELDS, q->body.bytes);
	} else if (strcmp(q->method, "GET") != 0) {
		(void) curl_easy_setopt(c, CURLOPT_CUSTOMREQUEST, q->method);
	}
}

static void set_limits(struct s3 *s)
{
	CURL *c = s->easy;
	int64_t rate = s->conf.bytes_per_second, still = s->conf.still_ms, sure = SLOWEST_BODY;
	if (rate > 0) {
		(void) curl_easy_setopt(c, CURLOPT_MAX_SEND_SPEED_LARGE, (curl_off_t) rate);
		(void) curl_easy_setopt(c, CURLOPT_MAX_RECV_SPEED_LARGE, (curl_off_t) rate);
		sure = rate / 4 < sure ? rate / 4 + 1 : sure;
	}
	(void) curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long) still);
	(void) curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, (long) SLOWEST);
	(void) curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, (long) ((still + 999) / 1000));
	if (!s->q->take) /* a body that is taken is bounded by SLOWEST alone: its length is not known before */
		(void) curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long) (3 * still + s->q->body.n * 1000 / sure));
}

static void set_callbacks(struct s3 *s)
{
	CURL *c = s->easy;
	(void) curl_easy_setopt(c, CURLOPT_READFUNCTION, send_body);
	(void) curl_easy_setopt(c, CURLOPT_READDATA, s);
	(void) curl_easy_setopt(c, CURLOPT_SEEKFUNCTION, rewind_body);
	(void) curl_easy_setopt(c, CURLOPT_SEEKDATA, s);
	(void) curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_body);
	(void) curl_easy_setopt(c, CURLOPT_WRITEDATA, s);
	(void) curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, take_header);
	(void) curl_easy_setopt(c, CURLOPT_HEADERDATA, s);
	(void) curl_easy_setopt(c, CURLOPT_ERRORBUFFER, s->said);
}

static int set_up(struct s3 *s, struct curl_slist **list)
{
	CURL *c = s->easy;
	curl_easy_reset(c);
	(void) curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	(void) curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
	(void) curl_easy_setopt(c, CURLOPT_PROXY, ""); /* what the environment says is not ours */
	(void) curl_easy_setopt(c, CURLOPT_USERAGENT, "tap-trading");
	(void) curl_easy_setopt(c, CURLOPT_HTTP_VERSION, (long) CURL_HTTP_VERSION_1_1);
	if (curl_easy_setopt(c, CURLOPT_AWS_SIGV4, s->signing) != CURLE_OK)
		return -ENOMEM;
	set_callbacks(s);
	set_method(s);
	set_limits(s);
	int r = set_credentials(s);
	if (r == 0)
		r = set_url(s);
	if (r == 0)
		r = set_headers(s, list);
	return r;
}

/* -ECANCELED: told to stop; <0: libcurl itself failed. */
static int perform(struct s3 *s, CURLcode *ret)
{
	int running = 1, left = 0, r = 0;
	CURLMcode m = curl_multi_add_handle(s->multi, s->easy);
	while (m == CURLM_OK && running > 0) {
		m = curl_multi_perform(s->multi, &running);
		if (m == CURLM_OK && running > 0)
			m = curl_multi_poll(s->multi, NULL, 0, POLL_MS, NULL);
		if (stopping(s)) {
			r = err_say(-ECANCELED, "stopped while talking to %s", s->conf.endpoint);
			break;
		}
	}
	if (m != CURLM_OK)
		r = err_say(-EIO, "libcurl: %s", curl_multi_strerror(m));
	CURLMsg *msg = curl_multi_info_read(s->multi, &left);
	*ret = msg && msg->msg == CURLMSG_DONE ? msg->data.result : CURLE_ABORTED_BY_CALLBACK;
	(void) curl_multi_remove_handle(s->multi, s->easy);
	return r;
}

static int weather_of(const struct s3 *s, CURLcode code)
{
	const char *what = s->said[0] ? s->said : curl_easy_strerror(code);
	int r = code == CURLE_OPERATION_TIMEDOUT ? -ETIMEDOUT
		: code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST ? -ECONNREFUSED
		: code == CURLE_OUT_OF_MEMORY ? -ENOMEM : -EIO;
	return err_say(r, "%s %s: %s", s->q->method, s->q->key ? s->q->key : s->conf.bucket, what);
}

int s3_once(struct s3 *s, struct s3_request *q)
{
	struct curl_slist *list = NULL;
	CURLcode code = CURLE_OK;
	s->q = q;
	s->sent = 0;
	s->said[0] = '\0';
	q->status = 0;
	q->info = (struct s3_info){ .size = -1 };
	buf_clear(&q->answer);
	int r = set_up(s, &list);
	if (r == 0) {
		s->stats.requests++;
		r = perform(s, &code);
		(void) curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &q->status);
	}
	(void) curl_easy_setopt(s->easy, CURLOPT_HTTPHEADER, NULL);
	curl_slist_free_all(list);
	if (r != 0)
		return r;
	if (q->take_failed != 0)
		return q->take_failed;
	if (code != CURLE_OK)
		return weather_of(s, code);
	return q->status / 100 == 2 ? 0 : s3_refused(q);
}

bool s3_again(struct s3 *s, const struct s3_request *q, int done, int r)
{
	if (r >= 0 || r == -ECANCELED || r == -ENOMEM || q->take_failed != 0 || done >= s->conf.tries)
		return false;
	int64_t pause = s->conf.pause_ms;
	for (int i = 1; i < done && pause < S3_PAUSE_MAX_MS; i++)
		pause *= 2;
	pause = pause < S3_PAUSE_MAX_MS ? pause : S3_PAUSE_MAX_MS;
	int64_t until_ms = clk_mono_ms() + 1 + (pause > 0 ? (int64_t) rnd_below((uint32_t) pause) : 0);
	for (int64_t now = clk_mono_ms(); now < until_ms && !stopping(s); now = clk_mono_ms())
		(void) clk_sleep_until_ms(until_ms - now > POLL_MS ? now + POLL_MS : until_ms);
	s->stats.repeated++;
	return !stopping(s);
}

int s3_do(struct s3 *s, struct s3_request *q)
{
	CHECK(!q->key || s3_key_ok(q->key));
	int r = s3_hash_body(q);
	if (r < 0)
		return err_trace(r);
	for (int done = 1;; done++) {
		r = s3_once(s, q);
		if (!s3_again(s, q, done, r))
			return err_trace(r);
	}
}
