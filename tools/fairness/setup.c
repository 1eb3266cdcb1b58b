#include "setup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"

const char span_help[] =
	"SOURCE is FILE[,name=value...]; the names, with what they are when not given:\n"
	"  from_s, to_s   part of the file, in seconds from its first tick (0, to the end); what is before only teaches the volatility\n"
	"  scale          factor on the prices (1)\n"
	"  row_cents      height of a row (TAP_ROW_CENTS)\n"
	"  tick_ms        distance of two ticks, and of two samples where the file is no official ticks (TAP_TICK_MS)\n"
	"  quote_ms       distance of two grids (TAP_QUOTE_MS)\n"
	"A file's first line is `t_ms,p_cents` (official ticks), `ms,bid_cents,ask_cents` (a venue's book) or\n"
	"`date_utc,ms_of_day,open,high,low,close,...` (bars of trades, prices in units); or it is an answer of GET /prices.\n";

static int64_t *member(struct span *s, const char *name, size_t n)
{
	const struct {
		const char *name;
		int64_t *at;
	} members[] = { { "from_s", &s->from_s }, { "to_s", &s->to_s }, { "scale", &s->scale }, { "row_cents", &s->row_cents },
		{ "tick_ms", &s->tick_ms }, { "quote_ms", &s->quote_ms } };
	for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
		if (strlen(members[i].name) == n && memcmp(members[i].name, name, n) == 0)
			return members[i].at;
	return NULL;
}

int span_parse(struct span *ret, const char *arg)
{
	*ret = (struct span){ .scale = 1 };
	size_t n = strcspn(arg, ",");
	if (n == 0 || n >= sizeof ret->path)
		return err_say(-EINVAL, "%s: no file is named", arg);
	memcpy(ret->path, arg, n);
	for (const char *at = arg + n; *at; ) {
		const char *name = at + 1;
		size_t len = strcspn(name, "=,");
		int64_t *into = member(ret, name, len);
		char *end = NULL;
		long long v = into && name[len] == '=' ? strtoll(name + len + 1, &end, 10) : -1;
		if (v < 0 || v > INT32_MAX || end == name + len + 1 || (*end && *end != ','))
			return err_say(-EINVAL, "%s: each part after the file must be name=number, see --help", arg);
		*into = v;
		at = end;
	}
	ret->scale = ret->scale ? ret->scale : 1;
	return ret->tick_ms > 1000 ? err_say(-EINVAL, "%s: tick_ms is at most 1000", arg) : 0;
}

struct play_rules play_rules_of(const struct settings *s, const struct span *span, int64_t first_ms)
{
	struct play_rules r = { .quote = settings_quote(s), .jump = settings_jump(s),
		.quote_ms = span->quote_ms ? span->quote_ms : s->quote_ms, .quote_ttl_ms = s->quote_ttl_ms,
		.max_gap_ms = s->max_tick_gap_ms, .from_ms = first_ms + span->from_s * 1000,
		.to_ms = span->to_s ? first_ms + span->to_s * 1000 : INT64_MAX, .vol_start = (double) s->vol_start_bp / 1e4,
		.vol_floor = (double) s->vol_floor_bp / 1e4, .vol_ceiling = (double) s->vol_ceiling_bp / 1e4 };
	if (span->row_cents)
		r.quote.grid.row_cents = span->row_cents;
	if (span->tick_ms)
		r.quote.tick_ms = span->tick_ms;
	return r;
}

int64_t span_end_s(const struct span *span, const struct recording *rec)
{
	int64_t end_s = (rec->ticks[rec->n - 1].t_ms - rec->ticks[0].t_ms) / 1000;
	return span->to_s && span->to_s < end_s ? span->to_s : end_s;
}

int64_t span_ticks(const struct play_rules *rules, const struct recording *rec)
{
	return (int64_t) (ticks_find(rec->ticks, rec->n, rules->to_ms) - ticks_find(rec->ticks, rec->n, rules->from_ms));
}
