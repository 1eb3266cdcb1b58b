/* quote_layer.h - the fitted layer between the closed form and what prices really do. Domain floor, pure. Thread: any.
 * The formula takes one volatility; the next half minute has one that we do not know. So a cell's probability is a mixture:
 *   sigma_0 = exp(scale - lean * d2) * product of the known volatilities, each to the power of its blend
 *   d2      = (even + rough * uneven) * (30 s / ahead)^fade, at most LAYER_SPREAD_MAX
 *   q       = still * uneven * (30 s / ahead)^fade, at most LAYER_STILL_MAX
 *   p       = q [low <= price <= high] + (1 - q) sum_k w_k touch(sigma_0 exp(d z_k)),  z, w: five Gauss-Hermite points
 * with ahead the distance of the column's middle and uneven from quote_vol. That is form 1. Form 2 takes apart what form 1 has in one,
 * because a price that stands and jumps moves otherwise than one that walks:
 *   q       = idle^(still * ahead / 5 s), at most LAYER_STILL_MAX: to stand on is to stand, again and again
 *   uneven  is that of the moves alone, uneven + ln(1 - idle), and sigma_0 that of a path that moves, times (1 - q)^(-1/2)
 *   sigma_0 falls with the distance by (5 s / ahead)^(bounce * idle): what jumped often jumps back
 *   touch   is that of a path which is seen each `pause` seconds, at least a tick: (2 - reach) = 2 * 0.5826 sqrt(pi pause / (2 * 5 s)),
 *           times the coefficient: by how much the range of five seconds is less than a Brownian path's
 * Always true of it, whatever the coefficients: each part is
 * a touch probability, so p falls with the distance of the cell and sums over the rows as one does.
 * The coefficients are a file made by tools/refit, in one spelling: what layer_parse takes, layer_format writes again byte by
 * byte. A version's file never changes: a quote names its layer by the first bytes of the file's SHA-256. */
#ifndef TAP_QUOTE_LAYER_H
#define TAP_QUOTE_LAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "buf.h"
#include "hash.h"
#include "quote_vol.h"

enum { LAYER_FORMS = 2, LAYER_NODES = 5, LAYER_SOURCES_MAX = 8, LAYER_FILE_MAX = 8192, LAYER_ID_SIZE = 8 };
#define LAYER_SPREAD_MAX 1.2
#define LAYER_STILL_MAX  0.9
#define LAYER_STILL_LEAST_E6 100000 /* of form 2: by less it would stand for ever */

struct layer_source { /* what it was fitted on */
	char name[64];
	struct hash hash;          /* SHA-256 of the file */
	int64_t from_s, to_s;      /* of the file's own time, from its first tick */
	int64_t ticks, cells;
	int64_t row_cents, scale;  /* cells of that height on prices multiplied by scale */
};

struct quote_layer {
	int form;                    /* 1 or 2 */
	int64_t version;             /* 1 to 999999 */
	int64_t blend_e6[QUOTE_VOLS]; /* each >= 0, together 1000000 */
	int64_t even_e6, rough_e6, lean_e6, scale_e6, fade_e6, still_e6;
	int64_t bounce_e6, pause_e6; /* of form 2 */
	int64_t plain_loss_e6, loss_e6; /* mean log-loss of the cells it was fitted on, by the plain formula and by it */
	char fitted[11];             /* 2026-11-21 */
	struct layer_source source[LAYER_SOURCES_MAX];
	size_t sources;
	uint8_t id[LAYER_ID_SIZE];   /* by layer_parse */
};

/* True with the layer; false with *why, a literal that names the line's rule. */
MUST_CHECK bool layer_parse(struct quote_layer *ret, const char *text, size_t n, const char **why);
void layer_format(struct buf *out, const struct quote_layer *layer);

/* The mixture for a column whose middle is ahead_s from now. */
struct layer_mix {
	double still;
	double pause_s; /* 0: the ticks alone */
	double sigma[LAYER_NODES]; /* per sqrt(year) */
};
struct layer_mix layer_mix_of(const struct quote_layer *layer, const struct quote_state *state, double ahead_s);
double layer_touch(const struct layer_mix *mix, double s, double low, double high, double t1_s, double t2_s, double tick_s);

/* Every version that was ever released stands in the program: data/quote-layers/. */
struct layer_text {
	const char *name, *text;
};
extern const struct layer_text quote_layers[];
extern const size_t quote_layers_n;

#endif
