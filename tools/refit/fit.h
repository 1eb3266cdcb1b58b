/* fit.h - the coefficients of a quote layer from recorded ticks: the least mean log-loss over the cells, each source weighing alike,
 * found by steps along one coefficient at a time that are halved in rounds. No chance in it: same input, same layer. */
#ifndef REFIT_FIT_H
#define REFIT_FIT_H

#include <stddef.h>

#include "attr.h"
#include "play.h"
#include "quote_layer.h"

struct fit;
MUST_CHECK int fit_new(struct fit **ret);
struct fit *fit_free(struct fit *f);

/* Begins a source; what is played with fit_cell until the next one is its. */
MUST_CHECK int fit_source(struct fit *f, const struct layer_source *source);
play_cb fit_cell;

/* Coefficients to start from when nothing better is known. */
void fit_begin(struct quote_layer *layer, int form);

/* Starts from *layer's coefficients and leaves the best, with losses and sources. Negative errno without cells or memory. */
MUST_CHECK int fit_run(struct fit *f, struct quote_layer *layer);

#endif
