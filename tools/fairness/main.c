/* fairness - plays the grid over recorded ticks exactly as the product would, settles by the game's rule, and reports by probability,
 * column and distance what a bet of the least stake on every open cell of every grid would have brought: for the fitted layer and
 * for the plain formula. Tables go to stdout. The rules of the game are those of the TAP_* environment.
 *   fairness [--layer FILE] [--block-s N] [--picture FILE.svg] SOURCE */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "err.h"
#include "layer.h"
#include "recording.h"
#include "report.h"
#include "setup.h"

enum { BLOCK_S = 120, BLOCK_S_MAX = 86400 };

extern char **environ;

struct request {
	const char *layer, *picture;
	long block_s;
	struct span span;
};

static int draw(const struct request *q, const struct settings *s, const struct tally *t)
{
	FILE *out = fopen(q->picture, "we");
	if (!out)
		return err_say(-errno, "%s: %s", q->picture, strerror(errno));
	report_picture(out, t, (double) s->margin_bp / 1e4);
	return fclose(out) == 0 ? 0 : err_say(-EIO, "%s: cannot be written", q->picture);
}

static int report(const struct request *q, const struct settings *s, const struct recording *rec, const struct quote_layer *layer)
{
	struct play_rules rules = play_rules_of(s, &q->span, rec->ticks[0].t_ms);
	struct play_counts counts;
	struct tally *t;
	int r = tally_new(&t, q->block_s * 1000, s->stake_presets.v[0]);
	if (r < 0)
		return r;
	play(&rules, layer, rec->ticks, rec->n, tally_cell, t, &counts);
	r = tally_end(t);
	if (r == 0) {
		(void) printf("layer %" PRId64 ", %" PRId64 " ticks, row %" PRId64 " cents, tick %" PRId64 " ms, grid %" PRId64
				" ms, block %ld s\n", layer->version, span_ticks(&rules, rec), rules.quote.grid.row_cents,
				rules.quote.tick_ms, rules.quote_ms, q->block_s);
		report_tables(stdout, t, &counts, (double) s->margin_bp / 1e4, rules.quote.grid.columns);
	}
	if (r == 0 && q->picture)
		r = draw(q, s, t);
	(void) tally_free(t);
	return err_trace(r);
}

static int run(const struct request *q, const struct settings *s)
{
	struct quote_layer layer;
	struct recording rec;
	int r = layer_open(&layer, q->layer);
	if (r == 0)
		r = recording_read(&rec, q->span.path, q->span.tick_ms ? q->span.tick_ms : s->tick_ms, q->span.scale);
	if (r < 0)
		return err_trace(r);
	r = report(q, s, &rec, &layer);
	recording_free(&rec);
	return err_trace(r);
}

static int usage(FILE *out, int code)
{
	(void) fprintf(out, "usage: fairness [--layer FILE] [--block-s N] [--picture FILE.svg] SOURCE\n"
			"  --layer    coefficients (TAP_QUOTE_LAYER; else the release's newest)\n"
			"  --block-s  seconds that count as one for the errors, more than a grid reaches ahead (%d)\n%s",
			BLOCK_S, span_help);
	return code;
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "layer", required_argument, NULL, 'l' }, { "block-s", required_argument, NULL, 'b' },
		{ "picture", required_argument, NULL, 'p' }, { "help", no_argument, NULL, 'h' }, { 0 } };
	struct request q = { .block_s = BLOCK_S };
	struct settings s;
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (c == 'l')
			q.layer = optarg;
		else if (c == 'b')
			q.block_s = strtol(optarg, NULL, 10);
		else if (c == 'p')
			q.picture = optarg;
		else
			return usage(c == 'h' ? stdout : stderr, c == 'h' ? 0 : EX_USAGE);
	}
	if (argc - optind != 1 || q.block_s < 1 || q.block_s > BLOCK_S_MAX)
		return usage(stderr, EX_USAGE);
	if (settings_load(&s, environ, stderr) != 0)
		return EX_CONFIG;
	q.layer = q.layer ? q.layer : s.quote_layer.v;
	int r = span_parse(&q.span, argv[optind]);
	if (r == 0)
		r = run(&q, &s);
	if (r < 0)
		(void) fprintf(stderr, "fairness: %s\n", err_text());
	return r < 0 ? EX_DATAERR : 0;
}
