#include "replay.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "err.h"
#include "hex.h"
#include "outcome.h"
#include "quote.h"
#include "quote_jump.h"
#include "recording.h"

enum { COLUMN_S = 5, ROW_CENTS = 2000, COLUMNS = 12, ROWS = 24, TICK_MS = 100, MAX_GAP_MS = 3000, GRID_EACH_S = 60, HOUR_S = 3600,
	EVIDENCE_MAX = 1 << 20 };

static const struct quote_rules rules = {
	.grid = { .column_s = COLUMN_S, .row_cents = ROW_CENTS, .columns = COLUMNS, .rows = ROWS },
	.margin_bp = 500, .max_rate_e4 = 200000, .min_p_ppm = 40000, .tick_ms = TICK_MS,
};

/* What is told of an hour, and of the whole. */
struct story {
	int64_t columns, voids, ticks, won, paid, open_cells;
	struct sha256 decided; /* each column's record, evidence, cells and payouts */
	struct sha256 rates;   /* each grid */
};

struct replay {
	const struct recording *rec;
	struct quote_layer layer;
	struct quote_vol vol;
	struct quote_jump jump;
	bool stopped;
	size_t heard;
	struct quote_grid grid;
	struct hash digest; /* of the newest column */
	struct buf evidence;
	struct story hour, whole;
};

static void story_begin(struct story *s)
{
	*s = (struct story){ 0 };
	sha256_start(&s->decided);
	sha256_start(&s->rates);
}

static void story_end(struct story *s, struct buf *out, const char *what, int64_t at, const struct hash *digest)
{
	char decided[2 * HASH_SIZE + 1], rates[2 * HASH_SIZE + 1], chain[2 * HASH_SIZE + 1];
	struct hash d = sha256_end(&s->decided), r = sha256_end(&s->rates);
	hex_encode(decided, d.b, HASH_SIZE);
	hex_encode(rates, r.b, HASH_SIZE);
	hex_encode(chain, digest->b, HASH_SIZE);
	buf_printf(out, "%s %" PRId64 " columns %" PRId64 " void %" PRId64 " ticks %" PRId64 " won %" PRId64 " paid %" PRId64
			" priced %" PRId64 "\n  decided %s\n  rates   %s\n  digest  %s\n", what, at, s->columns, s->voids, s->ticks, s->won,
			s->paid, s->open_cells, decided, rates, chain);
}

static void make_grid(struct replay *r, int64_t now_ms)
{
	if (r->heard == 0)
		return;
	struct quote_made made = { .rules = rules, .quote_id = now_ms, .t_ms = now_ms,
		.p_cents = r->rec->ticks[r->heard - 1].p_cents, .state = quote_vol_state(&r->vol), .stopped = r->stopped };
	memcpy(made.layer, r->layer.id, sizeof made.layer);
	quote_fill(&r->grid, &made, &r->layer);
	for (int i = 0; i < COLUMNS; i++)
		for (int j = 0; j < ROWS; j++) {
			sha256_add_be64(&r->hour.rates, r->grid.rates[i][j]);
			sha256_add_be64(&r->whole.rates, r->grid.rates[i][j]);
			r->hour.open_cells += r->grid.rates[i][j] != 0;
			r->whole.open_cells += r->grid.rates[i][j] != 0;
		}
}

static void hear(struct replay *r, int64_t until_ms)
{
	for (; r->heard < r->rec->n && r->rec->ticks[r->heard].t_ms < until_ms; r->heard++) {
		const struct tick *t = &r->rec->ticks[r->heard];
		r->stopped = quote_jump_tick(&r->jump, t, quote_vol_state(&r->vol).vol_ppm[QUOTE_VOLS - 1]);
		quote_vol_tick(&r->vol, t);
	}
}

/* The cells around the anchor, at the rates of the newest grid's first column. */
static void tell_cells(struct replay *r, struct story *s, const struct path *path)
{
	int64_t low = path->n ? grid_lowest(&rules.grid, path->ticks[0].p_cents) : 0;
	for (int j = 0; j < ROWS; j++) {
		struct cell cell = { path->t0_s, low + j * ROW_CENTS, low + (j + 1) * ROW_CENTS };
		struct money paid;
		enum outcome outcome = outcome_of(path, &cell);
		CHECK(outcome_payout(&paid, outcome, money_of(10 * (int64_t) MICROS_PER_USD), (struct rate){ r->grid.rates[0][j] }));
		sha256_add_be64(&s->decided, outcome);
		sha256_add_be64(&s->decided, paid.micros);
		s->won += outcome == OUTCOME_WON;
		s->paid += paid.micros;
	}
}

static void tell_column(struct replay *r, struct story *s, const struct path *path)
{
	const int64_t record[] = { path->t0_s, (int64_t) path->n, path->has_anchor, path->is_void, path->low_cents, path->high_cents };
	s->columns++;
	s->voids += path->is_void;
	s->ticks += (int64_t) path->n;
	for (size_t i = 0; i < ARRAY_LEN(record); i++)
		sha256_add_be64(&s->decided, record[i]);
	sha256_add(&s->decided, r->evidence.p, r->evidence.n);
	sha256_add(&s->decided, r->digest.b, HASH_SIZE);
	tell_cells(r, s, path);
}

static int decide(struct replay *r, int64_t t0_s)
{
	struct path path = path_cut(r->rec->ticks, r->rec->n, t0_s, COLUMN_S, MAX_GAP_MS);
	r->digest = path_digest(&path, &r->digest);
	buf_clear(&r->evidence);
	path_encode(&path, &r->evidence);
	if (r->evidence.failed)
		return -ENOMEM;
	tell_column(r, &r->hour, &path);
	tell_column(r, &r->whole, &path);
	return 0;
}

static int play(struct replay *r, struct buf *out)
{
	int64_t from_s = r->rec->ticks[0].t_ms / 1000 / COLUMN_S * COLUMN_S, until_s = r->rec->ticks[r->rec->n - 1].t_ms / 1000;
	int64_t hour_s = from_s;
	int x = 0;
	story_begin(&r->hour);
	story_begin(&r->whole);
	for (int64_t t0_s = from_s; x == 0 && t0_s + COLUMN_S <= until_s; t0_s += COLUMN_S) {
		if (t0_s - hour_s >= HOUR_S) {
			story_end(&r->hour, out, "hour", hour_s, &r->digest);
			story_begin(&r->hour);
			hour_s += HOUR_S;
		}
		hear(r, t0_s * 1000);
		if ((t0_s - from_s) % GRID_EACH_S == 0)
			make_grid(r, t0_s * 1000);
		x = decide(r, t0_s);
	}
	story_end(&r->hour, out, "hour", hour_s, &r->digest);
	story_end(&r->whole, out, "whole", from_s, &r->digest);
	return out->failed ? -ENOMEM : x;
}

static int first_layer(struct quote_layer *ret)
{
	const char *why;
	for (size_t i = 0; i < quote_layers_n; i++)
		if (layer_parse(ret, quote_layers[i].text, strlen(quote_layers[i].text), &why) && ret->version == 1)
			return 0;
	return err_say(-ENOENT, "layer 1 is not among the released ones");
}

int replay_file(struct buf *out, const char *path, const char *name, int64_t scale)
{
	struct recording rec = { 0 };
	char hex[2 * HASH_SIZE + 1];
	struct replay *r = calloc(1, sizeof *r);
	if (!r)
		return -ENOMEM;
	*r = (struct replay){ .rec = &rec, .evidence = BUF_INIT(EVIDENCE_MAX) };
	quote_vol_init(&r->vol, 0.5, 0.03, 3);
	quote_jump_init(&r->jump, &(struct quote_jump_rules){ .window_ms = 1000, .sigmas = 12, .least_bp = 10, .calm_ms = 3000 });
	int x = first_layer(&r->layer);
	if (x == 0)
		x = recording_read(&rec, path, TICK_MS, scale);
	if (x == 0) {
		hex_encode(hex, rec.hash.b, HASH_SIZE);
		buf_printf(out, "source %s scale %" PRId64 " ticks %zu sha256 %s\n", name, scale, rec.n, hex);
		x = play(r, out);
	}
	recording_free(&rec);
	buf_free(&r->evidence);
	free(r);
	return err_trace(x);
}
