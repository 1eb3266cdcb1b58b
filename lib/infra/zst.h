/* zst.h - zstd (RFC 8878), streamed both ways; the one module that includes libzstd. Infra floor.
 * Bytes are fed; what comes of them is given to `put` as it comes, in pieces of at most ZST_CHUNK. A frame carries the checksum of its
 * content. Memory does not grow with the stream: packing takes what level and window ask for (docs/adr/0025), unpacking the window.
 * Results: 0; -EBADMSG with a sentence: the bytes are no whole frame, or damaged; what a put answered <0; -ENOMEM.
 * Thread: one owner. */
#ifndef TAP_ZST_H
#define TAP_ZST_H

#include <stddef.h>

#include "attr.h"

enum { ZST_CHUNK = 131072, ZST_WINDOW_LOG_MAX = 27 };

typedef int zst_put(void *u, const void *bytes, size_t n);
struct zst;
/* level 1 .. 19; window_log 10 .. ZST_WINDOW_LOG_MAX, 0: the level's own. */
MUST_CHECK int zst_packer(struct zst **ret, int level, int window_log, zst_put *put, void *u);
/* Takes frames of windows up to 2^window_log bytes. */
MUST_CHECK int zst_unpacker(struct zst **ret, int window_log, zst_put *put, void *u);
MUST_CHECK int zst_feed(struct zst *z, const void *bytes, size_t n);
/* Packing: the frame's end is put. Unpacking: -EBADMSG when the last frame is not whole. */
MUST_CHECK int zst_end(struct zst *z);
struct zst *zst_close(struct zst *z);
DEFINE_CLEANUP(struct zst, zst_close)

#endif
