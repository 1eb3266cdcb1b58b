/* layer.h - where a quote layer comes from: a file, or those that came with the release. Service floor, on quote_layer.
 * Thread: any. */
#ifndef TAP_LAYER_H
#define TAP_LAYER_H

#include <stdint.h>

#include "attr.h"
#include "quote_layer.h"

/* The file at path, or for "" the released layer of the greatest version. -EINVAL with the broken rule; -errno. */
MUST_CHECK int layer_open(struct quote_layer *ret, const char *path);

/* The layer that a quote names: the one at path, or a released one. 0; 1 when it is neither; <0 when path's file is broken. */
MUST_CHECK int layer_find(struct quote_layer *ret, const char *path, const uint8_t id[LAYER_ID_SIZE]);

#endif
