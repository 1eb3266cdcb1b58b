/* refit - fits the coefficients of the quote layer to recorded ticks and writes their file, with what it was fitted on.
 *   refit --version N --date YYYY-MM-DD [--form N] [--from LAYER] SOURCE... > data/quote-layers/N.layer
 * SOURCE: FILE[,from_s=A][,to_s=B][,row_cents=H][,scale=K][,tick_ms=T][,quote_ms=Q]; seconds of the file's own time.
 * The layer is of the newest form, or of that which is asked for, or of LAYER's. The search begins at LAYER, or always at the
 * same place, so that the same input gives the same file whatever was released before. The rules of the game are those of the
 * TAP_* environment. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "err.h"
#include "fit.h"
#include "layer.h"
#include "recording.h"
#include "setup.h"

extern char **environ;

static int add_source(struct fit *f, const struct settings *s, const struct quote_layer *layer, const char *arg)
{
	struct span span;
	struct recording rec;
	struct play_counts counts;
	int r = span_parse(&span, arg);
	if (r == 0)
		r = recording_read(&rec, span.path, span.tick_ms ? span.tick_ms : s->tick_ms, span.scale);
	if (r < 0)
		return err_trace(r);
	struct play_rules rules = play_rules_of(s, &span, rec.ticks[0].t_ms);
	struct layer_source source = { .hash = rec.hash, .from_s = span.from_s,
		.to_s = span_end_s(&span, &rec), .ticks = span_ticks(&rules, &rec),
		.row_cents = rules.quote.grid.row_cents, .scale = span.scale };
	(void) snprintf(source.name, sizeof source.name, "%s", basename(span.path));
	r = fit_source(f, &source);
	if (r == 0)
		play(&rules, layer, rec.ticks, rec.n, fit_cell, f, &counts);
	recording_free(&rec);
	return err_trace(r);
}

static int run(const struct settings *s, struct quote_layer *layer, char **sources, int n)
{
	struct buf out = BUF_INIT(LAYER_FILE_MAX);
	struct quote_layer again;
	struct fit *f;
	const char *why;
	int r = fit_new(&f);
	for (int i = 0; i < n && r == 0; i++)
		r = add_source(f, s, layer, sources[i]);
	if (r == 0)
		r = fit_run(f, layer);
	f = fit_free(f);
	layer_format(&out, layer);
	if (r == 0 && (out.failed || !layer_parse(&again, out.p, out.n, &why)))
		r = err_say(-EINVAL, "the result is no quote layer: %s", out.failed ? "no memory" : why);
	if (r == 0 && (fwrite(out.p, 1, out.n, stdout) != out.n || fflush(stdout) != 0))
		r = err_say(-EIO, "the result cannot be written");
	buf_free(&out);
	return err_trace(r);
}

static int usage(FILE *out, int code)
{
	(void) fprintf(out, "usage: refit --version N --date YYYY-MM-DD [--form N] [--from LAYER] SOURCE... > N.layer\n%s", span_help);
	return code;
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "version", required_argument, NULL, 'v' }, { "date", required_argument, NULL, 'd' },
		{ "from", required_argument, NULL, 'f' },
		{ "form", required_argument, NULL, 'o' }, { "help", no_argument, NULL, 'h' }, { 0 } };
	struct settings s;
	struct quote_layer layer;
	const char *from = "", *date = "";
	int64_t version = 0;
	long form = LAYER_FORMS;
	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		if (c == 'v')
			version = strtol(optarg, NULL, 10);
		else if (c == 'd')
			date = optarg;
		else if (c == 'f')
			from = optarg;
		else if (c == 'o')
			form = strtol(optarg, NULL, 10);
		else
			return usage(c == 'h' ? stdout : stderr, c == 'h' ? 0 : EX_USAGE);
	}
	if (version < 1 || form < 1 || form > LAYER_FORMS || strlen(date) != 10 || optind == argc)
		return usage(stderr, EX_USAGE);
	if (settings_load(&s, environ, stderr) != 0)
		return EX_CONFIG;
	int r = layer_open(&layer, from);
	if (!*from)
		fit_begin(&layer, (int) form);
	layer.version = version;
	memcpy(layer.fitted, date, sizeof layer.fitted);
	if (r == 0)
		r = run(&s, &layer, argv + optind, argc - optind);
	if (r < 0)
		(void) fprintf(stderr, "refit: %s\n", err_text());
	return r < 0 ? EX_DATAERR : 0;
}
