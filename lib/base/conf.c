#include "conf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "err.h"

static bool parse_int(int64_t *ret, const char *text, size_t len)
{
	char digits[24];
	char *end;
	if (len == 0 || len >= sizeof digits || !strchr("-0123456789", text[0]))
		return false;
	memcpy(digits, text, len);
	digits[len] = '\0';
	errno = 0;
	long long v = strtoll(digits, &end, 10);
	if (errno || *end || end == digits)
		return false;
	*ret = v;
	return true;
}

/* 0.04 -> 40000; at most six decimals. */
static bool parse_ppm(int64_t *ret, const char *text)
{
	const char *dot = strchr(text, '.');
	size_t whole = dot ? (size_t) (dot - text) : strlen(text);
	int64_t v, frac = 0;
	int decimals = 0;
	if (!parse_int(&v, text, whole) || v < 0 || v > 1000000)
		return false;
	for (const char *p = dot ? dot + 1 : ""; *p; p++, decimals++) {
		if (*p < '0' || *p > '9' || decimals == 6)
			return false;
		frac = frac * 10 + (*p - '0');
	}
	for (; decimals < 6; decimals++)
		frac *= 10;
	*ret = v * 1000000 + frac;
	return true;
}

static bool in_range(const struct conf_row *row, int64_t v)
{
	return v >= row->min && v <= row->max;
}

static bool set_listen(struct conf_listen *into, const char *text)
{
	const char *colon = strrchr(text, ':');
	int64_t port;
	if (!colon || colon == text || (size_t) (colon - text) >= sizeof into->host)
		return false;
	if (!parse_int(&port, colon + 1, strlen(colon + 1)) || port < 0 || port > 65535)
		return false;
	memcpy(into->host, text, (size_t) (colon - text));
	into->host[colon - text] = '\0';
	into->port = (uint16_t) port;
	return true;
}

static bool set_ints(const struct conf_row *row, struct conf_ints *into, const char *text)
{
	into->n = 0;
	for (;;) {
		size_t len = strcspn(text, ",");
		int64_t v;
		if (into->n == CONF_LIST_MAX || !parse_int(&v, text, len) || !in_range(row, v))
			return false;
		if (into->n && v <= into->v[into->n - 1])
			return false;
		into->v[into->n++] = v;
		if (!text[len])
			return true;
		text += len + 1;
	}
}

static bool set_texts(struct conf_texts *into, const char *text)
{
	into->n = 0;
	while (*text) {
		size_t len = strcspn(text, ",");
		if (into->n == CONF_LIST_MAX || len == 0 || len >= CONF_TEXT_MAX)
			return false;
		memcpy(into->v[into->n], text, len);
		into->v[into->n++][len] = '\0';
		text += len + (text[len] == ',');
	}
	return true;
}

static bool set_row(const struct conf_row *row, const char *text)
{
	int64_t v;
	switch (row->type) {
	case CONF_INT:
	case CONF_PPM:
		if (!(row->type == CONF_INT ? parse_int(&v, text, strlen(text)) : parse_ppm(&v, text)))
			return false;
		if (!in_range(row, v))
			return false;
		*(int64_t *) row->into = v;
		return true;
	case CONF_TEXT: {
		struct conf_text *into = row->into;
		size_t len = strlen(text);
		if (!in_range(row, (int64_t) len) || len >= sizeof into->v)
			return false;
		memcpy(into->v, text, len + 1);
		return true;
	}
	case CONF_LISTEN:
		return set_listen(row->into, text);
	case CONF_INTS:
		return set_ints(row, row->into, text);
	case CONF_TEXTS:
		return set_texts(row->into, text);
	}
	return false;
}

static const char *type_text(const struct conf_row *row, char *out, size_t size)
{
	switch (row->type) {
	case CONF_INT:
		(void) snprintf(out, size, "an integer from %lld to %lld", (long long) row->min, (long long) row->max);
		break;
	case CONF_PPM:
		(void) snprintf(out, size, "a decimal from %g to %g", (double) row->min / 1e6, (double) row->max / 1e6);
		break;
	case CONF_TEXT:
		(void) snprintf(out, size, "a text of %lld to %lld bytes", (long long) row->min, (long long) row->max);
		break;
	case CONF_LISTEN:
		(void) snprintf(out, size, "host:port");
		break;
	case CONF_INTS:
		(void) snprintf(out, size, "rising integers from %lld to %lld, with commas", (long long) row->min,
				(long long) row->max);
		break;
	case CONF_TEXTS:
		(void) snprintf(out, size, "up to %d texts, with commas", CONF_LIST_MAX);
		break;
	}
	return out;
}

static const char *env_get(char *const *env, const char *name)
{
	size_t n = strlen(name);
	for (; *env; env++)
		if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
			return *env + n + 1;
	return NULL;
}

static bool is_known(const struct conf_row *rows, const char *name, size_t len)
{
	for (; rows->name; rows++)
		if (strlen(rows->name) == len && memcmp(rows->name, name, len) == 0)
			return true;
	return false;
}

int conf_load(const struct conf_row *rows, char *const *env, FILE *report)
{
	char want[128];
	int wrong = 0;
	for (const struct conf_row *row = rows; row->name; row++) {
		const char *text = env_get(env, row->name);
		if (set_row(row, text ? text : row->preset))
			continue;
		CHECK(text); /* a default that its own row refuses is a bug */
		wrong++;
		if (report)
			(void) fprintf(report, "%s=%s: must be %s (%s)\n", row->name, text,
					type_text(row, want, sizeof want), row->unit);
	}
	for (; *env; env++) {
		size_t len = strcspn(*env, "=");
		if (strncmp(*env, "TAP_", 4) != 0 || is_known(rows, *env, len))
			continue;
		wrong++;
		if (report)
			(void) fprintf(report, "%.*s: no such key; --help lists them\n", (int) len, *env);
	}
	return wrong;
}

void conf_help(const struct conf_row *rows, unsigned who, bool used, const struct manual *p)
{
	char text[512];
	for (; rows->name; rows++) {
		if (((rows->used_by & who) != 0) != used)
			continue;
		(void) snprintf(text, sizeof text, "%s (unit: %s; default: %s)", rows->meaning, rows->unit,
				*rows->preset ? rows->preset : "empty");
		manual_item(p, rows->name, text);
	}
}

int conf_secret(const char *name, const char *path, char *out, size_t size)
{
	char joined[512];
	const char *dir = getenv("CREDENTIALS_DIRECTORY");
	if (dir && (size_t) snprintf(joined, sizeof joined, "%s/%s", dir, name) < sizeof joined && access(joined, F_OK) == 0)
		path = joined;
	if (!path || !*path)
		return 1;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_say(-errno, "secret %s: cannot open its file", name);
	ssize_t n = read(fd, out, size);
	int saved = errno;
	(void) close(fd);
	if (n < 0)
		return err_say(-saved, "secret %s: cannot read its file", name);
	if ((size_t) n == size)
		return err_say(-E2BIG, "secret %s: longer than %zu bytes", name, size - 1);
	while (n > 0 && (out[n - 1] == '\n' || out[n - 1] == '\r'))
		n--;
	out[n] = '\0';
	return 0;
}
