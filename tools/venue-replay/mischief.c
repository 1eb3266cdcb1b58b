#include "mischief.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS_MAX = 5, LINE_MAX_BYTES = 200 };

enum amount_kind { AMOUNT_NONE, AMOUNT_PROBABILITY, AMOUNT_DURATION, AMOUNT_OFFSET, AMOUNT_BP };

static const char *const venue_names[VENUES] = {
	[VENUE_COINBASE] = "coinbase", [VENUE_KRAKEN] = "kraken", [VENUE_BITSTAMP] = "bitstamp", [VENUE_BINANCE] = "binance",
};
#define VENUES_ARE "coinbase, kraken, bitstamp, binance or all"
#define SAY "say stall, mute, drop, garble, lag, close, cut, freeze, outlier, repeat, shuffle, clock, retire, off or status"

static const struct {
	const char *name;
	enum amount_kind amount;
} kinds[MISCHIEF_KINDS] = {
	[MISCHIEF_STALL] = { "stall", AMOUNT_NONE },
	[MISCHIEF_MUTE] = { "mute", AMOUNT_NONE },
	[MISCHIEF_DROP] = { "drop", AMOUNT_PROBABILITY },
	[MISCHIEF_GARBLE] = { "garble", AMOUNT_NONE },
	[MISCHIEF_LAG] = { "lag", AMOUNT_DURATION },
	[MISCHIEF_CLOSE] = { "close", AMOUNT_NONE },
	[MISCHIEF_CUT] = { "cut", AMOUNT_DURATION },
	[MISCHIEF_FREEZE] = { "freeze", AMOUNT_NONE },
	[MISCHIEF_OUTLIER] = { "outlier", AMOUNT_BP },
	[MISCHIEF_REPEAT] = { "repeat", AMOUNT_NONE },
	[MISCHIEF_SHUFFLE] = { "shuffle", AMOUNT_NONE },
	[MISCHIEF_CLOCK] = { "clock", AMOUNT_OFFSET },
	[MISCHIEF_RETIRE] = { "retire", AMOUNT_NONE },
};

/* 800ms, 15s, 2m */
static bool parse_duration(const char *text, int64_t *ret_ms)
{
	char *end;
	double v = strtod(text, &end);
	double unit = strcmp(end, "ms") == 0 ? 1 : strcmp(end, "s") == 0 ? 1000 : strcmp(end, "m") == 0 ? 60000 : 0;
	if (end == text || unit == 0 || !(v >= 0) || v * unit > 86400000)
		return false;
	*ret_ms = (int64_t) (v * unit);
	return true;
}

static bool parse_amount(enum amount_kind kind, const char *text, int64_t *ret)
{
	char *end;
	if (kind == AMOUNT_DURATION || (kind == AMOUNT_OFFSET && text[0] != '-'))
		return parse_duration(text, ret);
	if (kind == AMOUNT_OFFSET) {
		if (!parse_duration(text + 1, ret))
			return false;
		*ret = -*ret;
		return true;
	}
	double v = strtod(text, &end);
	if (end == text || *end)
		return false;
	if (kind == AMOUNT_PROBABILITY) {
		*ret = (int64_t) (v * 1e6);
		return v >= 0 && v <= 1;
	}
	*ret = (int64_t) v;
	return v > -10000 && v <= 1000000;
}

/* VENUES for `all`, -1 for no venue. */
static int parse_venue(const char *text)
{
	for (int v = 0; v < VENUES; v++)
		if (strcmp(text, venue_names[v]) == 0)
			return v;
	return strcmp(text, "all") == 0 ? VENUES : -1;
}

static bool wrong(char answer[MISCHIEF_ANSWER_MAX], const char *what)
{
	(void) snprintf(answer, MISCHIEF_ANSWER_MAX, "error: %s", what);
	return false;
}

static bool command_off(struct mischief *m, char *const *words, int n, char answer[MISCHIEF_ANSWER_MAX])
{
	int venue = n == 1 ? VENUES : parse_venue(words[1]);
	if (n > 2 || venue < 0)
		return wrong(answer, "off, or off and a venue: " VENUES_ARE);
	for (int v = 0; v < VENUES; v++)
		if (venue == VENUES || venue == v)
			memset(m->of[v], 0, sizeof m->of[v]);
	return true;
}

static void command_status(const struct mischief *m, int64_t now_ms, char answer[MISCHIEF_ANSWER_MAX])
{
	size_t at = 0;
	answer[0] = '\0';
	for (int v = 0; v < VENUES; v++)
		for (int k = 0; k < MISCHIEF_KINDS; k++)
			if (mischief_on(m, (enum venue_id) v, (enum mischief_kind) k, now_ms) && at < MISCHIEF_ANSWER_MAX)
				at += (size_t) snprintf(answer + at, MISCHIEF_ANSWER_MAX - at, "%s%s %s", at ? ", " : "",
						kinds[k].name, venue_names[v]);
	if (at == 0)
		(void) snprintf(answer, MISCHIEF_ANSWER_MAX, "off");
}

static bool command_switch(struct mischief *m, int kind, char *const *words, int n, int64_t now_ms,
		char answer[MISCHIEF_ANSWER_MAX])
{
	int venue = n > 1 ? parse_venue(words[1]) : -1, at = 2;
	int64_t amount = 0, span = -1;

	if (venue < 0)
		return wrong(answer, "name a venue: " VENUES_ARE);
	if (kinds[kind].amount != AMOUNT_NONE && (n <= at || !parse_amount(kinds[kind].amount, words[at++], &amount)))
		return wrong(answer, "drop takes 0..1, lag, cut and clock such as 800ms, outlier a number of 1e-4");
	if (at < n && !parse_duration(words[at++], &span))
		return wrong(answer, "a duration is such as 800ms, 15s or 2m");
	if (at < n)
		return wrong(answer, "too many words");
	for (int v = 0; v < VENUES; v++) {
		if (venue != VENUES && venue != v)
			continue;
		/* what is done once does not stay switched on, unless a time is given */
		bool once = kind == MISCHIEF_CLOSE || kind == MISCHIEF_RETIRE;
		m->of[v][kind].on = !once || span >= 0;
		m->of[v][kind].until_ms = span < 0 ? INT64_MAX : now_ms + span;
		m->of[v][kind].amount = amount;
		m->once[v][kind] |= once;
	}
	return true;
}

bool mischief_command(struct mischief *m, const char *line, int64_t now_ms, char answer[MISCHIEF_ANSWER_MAX])
{
	char copy[LINE_MAX_BYTES], *words[WORDS_MAX], *save = NULL;
	int n = 0;

	if (strlen(line) >= sizeof copy)
		return wrong(answer, "the line is too long");
	memcpy(copy, line, strlen(line) + 1);
	for (char *w = strtok_r(copy, " \t\r\n", &save); w; w = strtok_r(NULL, " \t\r\n", &save)) {
		if (n == WORDS_MAX)
			return wrong(answer, "too many words");
		words[n++] = w;
	}
	(void) snprintf(answer, MISCHIEF_ANSWER_MAX, "ok");
	if (n == 0)
		return wrong(answer, SAY);
	if (strcmp(words[0], "status") == 0) {
		command_status(m, now_ms, answer);
		return true;
	}
	if (strcmp(words[0], "off") == 0)
		return command_off(m, words, n, answer);
	for (int k = 0; k < MISCHIEF_KINDS; k++)
		if (strcmp(words[0], kinds[k].name) == 0)
			return command_switch(m, k, words, n, now_ms, answer);
	return wrong(answer, SAY);
}

bool mischief_on(const struct mischief *m, enum venue_id v, enum mischief_kind kind, int64_t now_ms)
{
	return m->of[v][kind].on && now_ms < m->of[v][kind].until_ms;
}

int64_t mischief_amount(const struct mischief *m, enum venue_id v, enum mischief_kind kind, int64_t now_ms)
{
	return mischief_on(m, v, kind, now_ms) ? m->of[v][kind].amount : 0;
}
