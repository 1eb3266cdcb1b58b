/* The layer's file: lines in one order and one spelling. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "hex.h"
#include "quote_layer.h"

enum { VERSION_MAX = 999999, NUMBER_MAX = 1000000000 };

static const char *const heads[LAYER_FORMS + 1] = { NULL, "tap-trading quote layer\n", "tap-trading quote layer, form 2\n" };

static void put_e6(struct buf *out, int64_t e6)
{
	int64_t size = e6 < 0 ? -e6 : e6;
	buf_printf(out, " %s%" PRId64 ".%06" PRId64, e6 < 0 ? "-" : "", size / 1000000, size % 1000000);
}

static void put_row(struct buf *out, const char *name, int64_t e6)
{
	buf_puts(out, name);
	put_e6(out, e6);
	buf_putc(out, '\n');
}

static void put_source(struct buf *out, const struct layer_source *s)
{
	char hash[2 * HASH_SIZE + 1];
	hex_encode(hash, s->hash.b, HASH_SIZE);
	buf_printf(out, "source %s sha256 %s from_s %" PRId64 " to_s %" PRId64 " ticks %" PRId64 " cells %" PRId64 " row_cents %" PRId64
			" scale %" PRId64 "\n", s->name, hash, s->from_s, s->to_s, s->ticks, s->cells, s->row_cents, s->scale);
}

void layer_format(struct buf *out, const struct quote_layer *l)
{
	buf_printf(out, "%sversion %" PRId64 "\nhalf_lives", heads[l->form], l->version);
	for (int i = 0; i < QUOTE_VOLS; i++)
		buf_printf(out, " %d", quote_half_lives_s[i]);
	buf_puts(out, "\nblend");
	for (int i = 0; i < QUOTE_VOLS; i++)
		put_e6(out, l->blend_e6[i]);
	buf_putc(out, '\n');
	put_row(out, "even", l->even_e6);
	put_row(out, "rough", l->rough_e6);
	put_row(out, "lean", l->lean_e6);
	put_row(out, "scale", l->scale_e6);
	put_row(out, "fade", l->fade_e6);
	put_row(out, "still", l->still_e6);
	if (l->form == 2) {
		put_row(out, "bounce", l->bounce_e6);
		put_row(out, "pause", l->pause_e6);
	}
	buf_printf(out, "fitted %s\n", l->fitted);
	put_row(out, "loss_plain", l->plain_loss_e6);
	put_row(out, "loss", l->loss_e6);
	for (size_t i = 0; i < l->sources; i++)
		put_source(out, &l->source[i]);
}

/* What is left of the text; the first rule that was broken stays. */
struct reader {
	const char *at, *end;
	const char *why;
};

static bool refuse(struct reader *r, const char *why)
{
	r->why = r->why ? r->why : why;
	return false;
}

static bool literal(struct reader *r, const char *text)
{
	size_t n = strlen(text);
	if ((size_t) (r->end - r->at) < n || memcmp(r->at, text, n) != 0)
		return false;
	r->at += n;
	return true;
}

/* Digits up to the next other character; no leading zeros. */
static bool number(struct reader *r, int64_t *ret)
{
	const char *from = r->at;
	int64_t v = 0;
	for (; r->at < r->end && *r->at >= '0' && *r->at <= '9'; r->at++) {
		v = v * 10 + (*r->at - '0');
		if (v > NUMBER_MAX)
			return false;
	}
	*ret = v;
	return r->at > from && (*from != '0' || r->at == from + 1);
}

/* -1.234567: six decimals always, no negative zero. */
static bool fraction(struct reader *r, int64_t least, int64_t most, int64_t *ret)
{
	bool negative = literal(r, "-");
	int64_t whole, part = 0;
	if (!number(r, &whole) || whole > 1000 || !literal(r, "."))
		return false;
	for (int i = 0; i < 6; i++, r->at++) {
		if (r->at == r->end || *r->at < '0' || *r->at > '9')
			return false;
		part = part * 10 + (*r->at - '0');
	}
	int64_t e6 = whole * 1000000 + part;
	*ret = negative ? -e6 : e6;
	return (!negative || e6 != 0) && *ret >= least && *ret <= most;
}

static bool row(struct reader *r, const char *name, int64_t least, int64_t most, int64_t *ret, const char *why)
{
	return (literal(r, name) && fraction(r, least, most, ret) && literal(r, "\n")) || refuse(r, why);
}

static bool read_head(struct reader *r, struct quote_layer *l)
{
	char lives[64];
	size_t n = 0;
	for (int i = 0; i < QUOTE_VOLS; i++)
		n += (size_t) snprintf(lives + n, sizeof lives - n, " %d", quote_half_lives_s[i]);
	for (int form = 1; form <= LAYER_FORMS && l->form == 0; form++)
		l->form = literal(r, heads[form]) ? form : 0;
	if (l->form == 0)
		return refuse(r, "line 1 must be: tap-trading quote layer, with `, form 2` behind it for that form");
	if (!literal(r, "version ") || !number(r, &l->version) || l->version < 1 || l->version > VERSION_MAX || !literal(r, "\n"))
		return refuse(r, "line 2 must be: version, 1 to 999999");
	if (!literal(r, "half_lives") || !literal(r, lives) || !literal(r, "\n"))
		return refuse(r, "line 3 must be: half_lives 20 60 180 600, which this program measures");
	return true;
}

static bool read_blend(struct reader *r, struct quote_layer *l)
{
	static const char why[] = "line 4 must be: blend, four fractions of six decimals, each 0 to 1, together 1";
	int64_t sum = 0;
	if (!literal(r, "blend"))
		return refuse(r, why);
	for (int i = 0; i < QUOTE_VOLS; i++) {
		if (!literal(r, " ") || !fraction(r, 0, 1000000, &l->blend_e6[i]))
			return refuse(r, why);
		sum += l->blend_e6[i];
	}
	return (sum == 1000000 && literal(r, "\n")) || refuse(r, why);
}

/* 2026-11-21, as digits: that it was a day is the writer's word. */
static bool read_date(struct reader *r, char out[11])
{
	static const char form[] = "dddd-dd-dd";
	if (!literal(r, "fitted ") || r->end - r->at < 10)
		return false;
	for (int i = 0; i < 10; i++)
		if (form[i] == '-' ? r->at[i] != '-' : r->at[i] < '0' || r->at[i] > '9')
			return false;
	memcpy(out, r->at, 10);
	out[10] = '\0';
	r->at += 10;
	return literal(r, "\n");
}

static bool read_name(struct reader *r, char out[64])
{
	static const char may[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	size_t n = 0;
	while (r->at < r->end && *r->at && strchr(may, *r->at) && n < 63)
		out[n++] = *r->at++;
	out[n] = '\0';
	return n > 0;
}

static bool member(struct reader *r, const char *name, int64_t *ret)
{
	return literal(r, name) && number(r, ret);
}

static bool read_source(struct reader *r, struct layer_source *s)
{
	char again[2 * HASH_SIZE + 1];
	if (!literal(r, "source ") || !read_name(r, s->name) || !literal(r, " sha256 ") || r->end - r->at < 2 * HASH_SIZE ||
			!hex_decode(s->hash.b, HASH_SIZE, r->at))
		return false;
	hex_encode(again, s->hash.b, HASH_SIZE);
	if (memcmp(again, r->at, 2 * HASH_SIZE) != 0) /* lower case only */
		return false;
	r->at += 2 * HASH_SIZE;
	return member(r, " from_s ", &s->from_s) && member(r, " to_s ", &s->to_s) && member(r, " ticks ", &s->ticks) &&
			member(r, " cells ", &s->cells) && member(r, " row_cents ", &s->row_cents) &&
			member(r, " scale ", &s->scale) && literal(r, "\n");
}

static bool read_sources(struct reader *r, struct quote_layer *l)
{
	while (r->at < r->end) {
		if (l->sources == LAYER_SOURCES_MAX || !read_source(r, &l->source[l->sources]))
			return refuse(r, "the last lines, at most 8, must be: source NAME sha256 HEX from_s N to_s N ticks N cells N "
					"row_cents N scale N");
		l->sources++;
	}
	return l->sources > 0 || refuse(r, "it must say what it was fitted on: source ...");
}

static bool read_second_form(struct reader *r, struct quote_layer *l)
{
	if (l->form == 2 && l->still_e6 < LAYER_STILL_LEAST_E6)
		return refuse(r, "in form 2 line 10 must be: still, 0.1 to 1");
	return l->form != 2 || (row(r, "bounce ", 0, 1000000, &l->bounce_e6, "line 11 must be: bounce, 0 to 1") &&
			row(r, "pause ", 0, 1000000, &l->pause_e6, "line 12 must be: pause, 0 to 1"));
}

bool layer_parse(struct quote_layer *ret, const char *text, size_t n, const char **why)
{
	struct quote_layer l = { 0 };
	struct reader r = { .at = text, .end = text + n };
	bool good = read_head(&r, &l) && read_blend(&r, &l) &&
			row(&r, "even ", 0, 1000000, &l.even_e6, "line 5 must be: even, 0 to 1") &&
			row(&r, "rough ", 0, 2000000, &l.rough_e6, "line 6 must be: rough, 0 to 2") &&
			row(&r, "lean ", -3000000, 3000000, &l.lean_e6, "line 7 must be: lean, -3 to 3") &&
			row(&r, "scale ", -1000000, 1000000, &l.scale_e6, "line 8 must be: scale, -1 to 1") &&
			row(&r, "fade ", 0, 2000000, &l.fade_e6, "line 9 must be: fade, 0 to 2") &&
			row(&r, "still ", 0, 1000000, &l.still_e6, "line 10 must be: still, 0 to 1") && read_second_form(&r, &l) &&
			(read_date(&r, l.fitted) || refuse(&r, "here must be: fitted, a date such as 2026-11-21")) &&
			row(&r, "loss_plain ", 0, 100000000, &l.plain_loss_e6, "after the date must be: loss_plain, 0 to 100") &&
			row(&r, "loss ", 0, 100000000, &l.loss_e6, "after loss_plain must be: loss, 0 to 100") &&
			read_sources(&r, &l);
	if (!good) {
		*why = r.why;
		return false;
	}
	struct hash h = sha256_of(text, n);
	memcpy(l.id, h.b, sizeof l.id);
	*ret = l;
	return true;
}
