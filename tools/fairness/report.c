#include "report.h"

#include <inttypes.h>
#include <math.h>

static const char *const model_names[TALLY_MODELS] = { "layer", "plain" };
static const char *const verdict_names[TALLY_VERDICTS] = { [TALLY_EXPLOITABLE] = "exploitable", [TALLY_OFF] = "off",
	[TALLY_WITHIN] = "within", [TALLY_OPEN] = "open" };

static void put_rate(FILE *out, double v)
{
	(void) fprintf(out, isnan(v) ? " - |" : " %.4f |", v);
}

static void put_edge(FILE *out, double edge, double se)
{
	(void) fprintf(out, isnan(edge) ? " - |" : isnan(se) ? " %.1f |" : " %.1f ± %.1f |", 100 * edge, 100 * se);
}

static void put_row(FILE *out, const struct tally *t, double margin, const char *name, int group)
{
	struct tally_row a = tally_row(t, TALLY_LAYER, group), b = tally_row(t, TALLY_PLAIN, group);
	if (a.bets == 0 && b.bets == 0)
		return;
	(void) fprintf(out, "| %s | %.0f |", name, a.bets);
	put_rate(out, a.p);
	put_rate(out, a.hit);
	put_edge(out, a.edge, a.edge_se);
	put_rate(out, a.loss);
	put_rate(out, a.brier);
	(void) fprintf(out, isnan(a.edge_se) ? " - |" : " %s |", verdict_names[tally_verdict(&a, margin)]);
	(void) fprintf(out, " %.0f |", b.bets);
	put_rate(out, b.p);
	put_rate(out, b.hit);
	put_edge(out, b.edge, b.edge_se);
	put_rate(out, b.loss);
	put_rate(out, b.brier);
	(void) fprintf(out, "\n");
}

static void put_head(FILE *out, const char *by)
{
	(void) fprintf(out, "\n| %s | bets | p | hit | edge %% | log-loss | Brier | beside the margin"
			" | plain: bets | p | hit | edge %% | log-loss | Brier |\n"
			"| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n", by);
}

/* Columns down, distances across. */
static void put_places(FILE *out, const struct tally *t, enum tally_model m, int columns)
{
	(void) fprintf(out, "\nHouse edge in %% by column and distance in rows, %s:\n\n| column |", model_names[m]);
	for (int d = 0; d < TALLY_DISTANCES; d++)
		(void) fprintf(out, " %d%s |", d, d == TALLY_DISTANCES - 1 ? "+" : "");
	(void) fprintf(out, "\n|");
	for (int d = 0; d <= TALLY_DISTANCES; d++)
		(void) fprintf(out, " --- |");
	for (int c = 0; c < columns; c++) {
		(void) fprintf(out, "\n| %d |", c);
		for (int d = 0; d < TALLY_DISTANCES; d++) {
			struct tally_row r = tally_row(t, m, TALLY_PLACE + c * TALLY_DISTANCES + d);
			put_edge(out, r.bets > 0 ? r.edge : NAN, r.edge_se);
		}
	}
	(void) fprintf(out, "\n");
}

static void put_gain(FILE *out, const struct tally *t)
{
	struct tally_row all = tally_row(t, TALLY_LAYER, TALLY_ALL);
	(void) fprintf(out, "\nThe plain formula's log-loss less the layer's, over the same cells: %.4f", all.gain);
	(void) fprintf(out, isnan(all.gain_se) ? "\n" : " ± %.4f\n", all.gain_se);
}

void report_tables(FILE *out, const struct tally *t, const struct play_counts *n, double margin, int columns)
{
	char name[32];
	(void) fprintf(out, "%" PRId64 " grids, %" PRId64 " of them closed by the jump stop; %" PRId64 " moments without a fresh tick; %"
			PRId64 " columns, %" PRId64 " void; %zu blocks\n", n->grids, n->stopped, n->stale, n->columns, n->void_columns,
			tally_blocks(t));
	put_head(out, "predicted p");
	put_row(out, t, margin, "all", TALLY_ALL);
	for (int i = 0; i < TALLY_BUCKETS; i++) {
		(void) snprintf(name, sizeof name, "%.2f - %.2f", tally_bucket_from[i], tally_bucket_from[i + 1]);
		put_row(out, t, margin, name, TALLY_BUCKET + i);
	}
	put_gain(out, t);
	put_head(out, "column");
	for (int i = 0; i < columns; i++) {
		(void) snprintf(name, sizeof name, "%d", i);
		put_row(out, t, margin, name, TALLY_COLUMN + i);
	}
	put_head(out, "distance, rows");
	for (int i = 0; i < TALLY_DISTANCES; i++) {
		(void) snprintf(name, sizeof name, "%d%s", i, i == TALLY_DISTANCES - 1 ? "+" : "");
		put_row(out, t, margin, name, TALLY_DISTANCE + i);
	}
	for (int m = 0; m < TALLY_MODELS; m++)
		put_places(out, t, (enum tally_model) m, columns);
}

/* ---- the picture: two panels, 300 by 300 each ---- */

enum { SIDE = 300, LEFT = 50, TOP = 30, GAP = 90 };

static const char *const colours[TALLY_MODELS] = { "#0b6e4f", "#c1440e" };

static double clamped(double v, double least, double most)
{
	return fmin(fmax(v, least), most);
}

/* Probabilities stand on a square root scale, edges between -50 % and 50 %. */
static double across(int panel, double p)
{
	return LEFT + panel * (SIDE + GAP) + SIDE * sqrt(p);
}

static double down_p(double p)
{
	return TOP + SIDE - SIDE * sqrt(p);
}

static double down_edge(double edge)
{
	return TOP + SIDE * (0.5 - clamped(edge, -0.5, 0.5));
}

static void put_axes(FILE *out, int panel, const char *title)
{
	double x = across(panel, 0);
	(void) fprintf(out, "<rect x=\"%g\" y=\"%d\" width=\"%d\" height=\"%d\" fill=\"none\" stroke=\"#888\"/>\n"
			"<text x=\"%g\" y=\"%d\">%s</text>\n", x, TOP, SIDE, SIDE, x, TOP - 10, title);
	static const double ticks[] = { 0.04, 0.1, 0.2, 0.4, 0.7, 1 };
	for (size_t i = 0; i < sizeof ticks / sizeof ticks[0]; i++) {
		(void) fprintf(out, "<text x=\"%g\" y=\"%d\" text-anchor=\"middle\">%g</text>\n", across(panel, ticks[i]), TOP + SIDE + 16,
				ticks[i]);
		if (panel == 0)
			(void) fprintf(out, "<text x=\"%g\" y=\"%g\" text-anchor=\"end\">%g</text>\n", x - 6, down_p(ticks[i]) + 4,
					ticks[i]);
	}
	for (int e = -50; panel == 1 && e <= 50; e += 25)
		(void) fprintf(out, "<text x=\"%g\" y=\"%g\" text-anchor=\"end\">%d %%</text>\n", x - 6, down_edge(e / 100.0) + 4, e);
}

static void put_line(FILE *out, double x1, double y1, double x2, double y2, const char *colour)
{
	(void) fprintf(out, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\"/>\n", x1, y1, x2, y2, colour);
}

static void put_point(FILE *out, double x, double y, const char *colour)
{
	(void) fprintf(out, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\" fill=\"%s\"/>\n", x, y, colour);
}

static void put_points(FILE *out, const struct tally *t, int m)
{
	for (int i = 0; i < TALLY_BUCKETS; i++) {
		struct tally_row r = tally_row(t, (enum tally_model) m, TALLY_BUCKET + i);
		if (r.bets == 0)
			continue;
		double shift = m == TALLY_LAYER ? -2 : 2, x = across(1, r.p) + shift;
		put_point(out, across(0, r.p), down_p(r.hit), colours[m]);
		put_point(out, x, down_edge(r.edge), colours[m]);
		if (!isnan(r.edge_se))
			put_line(out, x, down_edge(r.edge - 2 * r.edge_se), x, down_edge(r.edge + 2 * r.edge_se), colours[m]);
	}
	(void) fprintf(out, "<text x=\"%d\" y=\"%d\" fill=\"%s\">%s</text>\n", LEFT + 60 * m, TOP + SIDE + 36, colours[m],
			model_names[m]);
}

void report_picture(FILE *out, const struct tally *t, double margin)
{
	(void) fprintf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"12\">\n"
			"<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n", LEFT + 2 * SIDE + GAP + 20, TOP + SIDE + 50);
	put_axes(out, 0, "hit rate by predicted probability");
	put_line(out, across(0, 0), down_p(0), across(0, 1), down_p(1), "#888");
	put_axes(out, 1, "house edge, two standard errors");
	put_line(out, across(1, 0), down_edge(0), across(1, 1), down_edge(0), "#888");
	put_line(out, across(1, 0), down_edge(margin), across(1, 1), down_edge(margin), "#bbb");
	for (int m = 0; m < TALLY_MODELS; m++)
		put_points(out, t, m);
	(void) fprintf(out, "</svg>\n");
}
