#include "recording.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "price.h"

enum { STALE_BOOK_MS = 2000, STALE_BAR_MS = 600000, DAY_MS = 86400000 };
#define FILE_BYTES_MAX ((size_t) 1 << 31)

/* A price at a moment, in half cents: a book's mid is exact in them. */
struct moment {
	int64_t t_ms, half_cents;
};

struct moments {
	struct moment *v;
	size_t n, cap;
};

static int add(struct moments *m, int64_t t_ms, int64_t half_cents)
{
	if (m->n == m->cap) {
		size_t cap = m->cap ? 2 * m->cap : 4096;
		struct moment *v = realloc(m->v, cap * sizeof *v);
		if (!v)
			return -ENOMEM;
		m->v = v;
		m->cap = cap;
	}
	m->v[m->n++] = (struct moment){ t_ms, half_cents };
	return 0;
}

static int whole_file(const char *path, char **ret, size_t *ret_n)
{
	FILE *in = fopen(path, "re");
	if (!in)
		return err_say(-errno, "%s: %s", path, strerror(errno));
	char *text = NULL;
	size_t n = 0, cap = 0;
	int r = 0;
	while (r == 0 && !feof(in)) {
		if (cap - n < 65536) {
			cap = cap ? 2 * cap : 1 << 20;
			char *more = cap <= FILE_BYTES_MAX ? realloc(text, cap) : NULL;
			r = more ? 0 : err_say(-ENOMEM, "%s: too long", path);
			text = more ? more : text;
		}
		if (r == 0)
			n += fread(text + n, 1, cap - n - 1, in);
		if (r == 0 && ferror(in))
			r = err_say(-EIO, "%s: cannot be read", path);
	}
	(void) fclose(in);
	if (r < 0) {
		free(text);
		return r;
	}
	text[n] = '\0';
	*ret = text;
	*ret_n = n;
	return 0;
}

/* Days since the epoch of a civil date, by the count of days from 1 March of year 0. */
static int64_t day_of(int64_t yyyymmdd)
{
	int64_t y = yyyymmdd / 10000, m = yyyymmdd / 100 % 100, d = yyyymmdd % 100;
	y -= m <= 2;
	int64_t of_year = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + d - 1;
	return y * 365 + y / 4 - y / 100 + y / 400 + of_year - 719468;
}

/* The line's moment: 0, or negative when it is none. */
typedef int line_fn(struct moments *m, const char *line);

static int tick_line(struct moments *m, const char *line)
{
	int64_t t, p;
	return sscanf(line, "%" SCNd64 ",%" SCNd64, &t, &p) == 2 && p > 0 ? add(m, t, 2 * p) : -EBADMSG;
}

static int book_line(struct moments *m, const char *line)
{
	int64_t t, bid, ask;
	return sscanf(line, "%" SCNd64 ",%" SCNd64 ",%" SCNd64, &t, &bid, &ask) == 3 && bid > 0 && ask >= bid ?
			add(m, t, bid + ask) : -EBADMSG;
}

static int bar_line(struct moments *m, const char *line)
{
	int64_t day, ms, e4;
	char close[32];
	if (sscanf(line, "%" SCNd64 ",%" SCNd64 ",%*[^,],%*[^,],%*[^,],%31[0-9.],", &day, &ms, close) != 3 ||
			!price_parse_e4(&e4, close, strlen(close)))
		return -EBADMSG;
	return add(m, day_of(day) * DAY_MS + ms, (e4 + 25) / 50);
}

static int read_lines(struct moments *m, const char *path, char *text, line_fn *fn)
{
	int line = 1;
	for (char *at = strchr(text, '\n'); at && at[1]; at = strchr(at + 1, '\n')) {
		line++;
		int r = fn(m, at + 1);
		if (r == 0 && m->n > 1 && m->v[m->n - 1].t_ms <= m->v[m->n - 2].t_ms)
			r = -EBADMSG;
		if (r < 0)
			return err_say(r, "%s:%d: not in the form of the first line, or not rising in time", path, line);
	}
	return 0;
}

static int read_answer(struct moments *m, const char *path, const char *text)
{
	const char *at = strstr(text, "\"ticks\"");
	at = at ? strchr(at, '[') : NULL;
	while (at && (at = strchr(at + 1, '['))) {
		int64_t t, p;
		if (sscanf(at, "[ %" SCNd64 " , %" SCNd64 " ]", &t, &p) != 2 || p <= 0 || (m->n && t <= m->v[m->n - 1].t_ms))
			return err_say(-EBADMSG, "%s: not [t, p] with t rising", path);
		int r = add(m, t, 2 * p);
		if (r < 0)
			return r;
	}
	return 0;
}

static int64_t cents(int64_t half_cents, int64_t scale)
{
	return (half_cents * scale + 1) / 2;
}

/* The newest moment at each multiple of tick_ms, as ingest samples its index. */
static int sample(struct recording *ret, const struct moments *m, int64_t tick_ms, int64_t stale_ms, int64_t scale)
{
	int64_t first = m->v[0].t_ms / tick_ms + 1, last = m->v[m->n - 1].t_ms / tick_ms;
	if (last < first)
		return err_say(-EBADMSG, "shorter than a tick");
	ret->ticks = calloc((size_t) (last - first + 1), sizeof *ret->ticks);
	if (!ret->ticks)
		return -ENOMEM;
	size_t at = 0;
	for (int64_t slot = first; slot <= last; slot++) {
		int64_t t_ms = slot * tick_ms;
		while (at + 1 < m->n && m->v[at + 1].t_ms <= t_ms)
			at++;
		if (t_ms - m->v[at].t_ms <= stale_ms)
			ret->ticks[ret->n++] = (struct tick){ t_ms, cents(m->v[at].half_cents, scale) };
	}
	return 0;
}

static int take(struct recording *ret, const struct moments *m, int64_t scale)
{
	ret->ticks = calloc(m->n + 1, sizeof *ret->ticks);
	if (!ret->ticks)
		return -ENOMEM;
	for (ret->n = 0; ret->n < m->n; ret->n++)
		ret->ticks[ret->n] = (struct tick){ m->v[ret->n].t_ms, cents(m->v[ret->n].half_cents, scale) };
	return 0;
}

static int read_text(struct recording *ret, const char *path, char *text, int64_t tick_ms, int64_t scale)
{
	static const struct {
		const char *head;
		line_fn *line;
		int64_t stale_ms; /* 0: official ticks */
	} forms[] = { { "t_ms,p_cents", tick_line, 0 }, { "ms,bid_cents,ask_cents", book_line, STALE_BOOK_MS },
		{ "date_utc,ms_of_day,open,high,low,close", bar_line, STALE_BAR_MS } };
	struct moments m = { 0 };
	int64_t stale_ms = 0;
	int r = err_say(-EBADMSG, "%s: the first line is none of those that tools/fairness --help names", path);
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++)
		if (strncmp(text, forms[i].head, strlen(forms[i].head)) == 0) {
			stale_ms = forms[i].stale_ms;
			r = read_lines(&m, path, text, forms[i].line);
		}
	if (*text == '{')
		r = read_answer(&m, path, text);
	if (r == 0 && m.n == 0)
		r = err_say(-EBADMSG, "%s: no ticks", path);
	if (r == 0)
		r = stale_ms ? sample(ret, &m, tick_ms, stale_ms, scale) : take(ret, &m, scale);
	if (r == 0 && !ticks_valid(ret->ticks, ret->n))
		r = err_say(-EBADMSG, "%s: prices must be positive and times rise", path);
	free(m.v);
	return r;
}

int recording_read(struct recording *ret, const char *path, int64_t tick_ms, int64_t scale)
{
	char *text;
	size_t n;
	*ret = (struct recording){ 0 };
	int r = whole_file(path, &text, &n);
	if (r < 0)
		return err_trace(r);
	ret->hash = sha256_of(text, n);
	r = read_text(ret, path, text, tick_ms, scale);
	free(text);
	if (r < 0)
		recording_free(ret);
	return err_trace(r);
}

void recording_free(struct recording *r)
{
	free(r->ticks);
	*r = (struct recording){ 0 };
}
