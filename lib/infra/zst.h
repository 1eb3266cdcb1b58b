/* zst.h - zstd: bytes made smaller, and back; the one module that includes it. Infra floor.
 * What is packed carries a checksum of its content; what was unpacked without an error is what was packed.
 * Memory: of files a fixed amount, some times the window, whatever their size. Thread: any. */
#ifndef TAP_ZST_H
#define TAP_ZST_H

#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "buf.h"
#include "hash.h"

enum { ZST_WINDOW_LOG_MAX = 27 };

/* Appends to out; out->failed or -ENOMEM: no memory. Same bytes and level, same result. */
MUST_CHECK int zst_pack(const void *bytes, size_t n, int level, struct buf *out);
/* Appends; -EBADMSG: no such bytes, cut, damaged, or more than out takes. */
MUST_CHECK int zst_unpack(const void *bytes, size_t n, struct buf *out);

/* From where one file stands to its end, to where the other stands. Both sides' lengths and SHA-256. window_log 0: the level's own.
 * Not synced. step is called after each piece, NULL: never; a result <0 ends it (a bound on time or speed is the caller's). */
struct zst_sums {
	int64_t from_bytes, to_bytes;
	struct hash from_hash, to_hash;
};
typedef int zst_step(void *u, int64_t from_bytes);
MUST_CHECK int zst_pack_file(int from, int to, int level, int window_log, zst_step *step, void *u, struct zst_sums *ret);
MUST_CHECK int zst_unpack_file(int from, int to, zst_step *step, void *u, struct zst_sums *ret);

#endif
