/* week_archives.h - what meta.db remembers of a closed week's way to the object store. Service floor, on week.
 * A week goes COPIED -> PACKED -> SENT -> VERIFIED, each step recorded after it was done and synced, so that whoever comes next, after
 * whatever end, goes on from there; a step back (something is missing, or not what it was) begins anew. What was VERIFIED stays so
 * unless the object is gone from the store while the local file is still here; the audit log keeps every hash that was.
 * Units, thread, results: as week.h. */
#ifndef TAP_WEEK_ARCHIVES_H
#define TAP_WEEK_ARCHIVES_H

#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "hash.h"
#include "s3.h"
#include "week.h"

enum week_archive_state { /* stored: never renumber */
	WEEK_ARCHIVE_COPIED = 1,   /* a compacted copy is on disk and passed its check; db_* and bets are known */
	WEEK_ARCHIVE_PACKED = 2,   /* that copy, compressed, is on disk; form, packed_bytes and blocks are known */
	WEEK_ARCHIVE_SENT = 3,     /* the endpoint said that it has it */
	WEEK_ARCHIVE_VERIFIED = 4  /* it was fetched back, and unpacked to the very bytes */
};
enum week_archive_form { /* stored: never renumber */
	WEEK_ARCHIVE_PLAIN = 1,    /* the object unpacks to the copy itself */
	WEEK_ARCHIVE_PRESSED = 2   /* to a pressed book (book_press.h), which thaws to the same rows */
};
enum { ARCHIVE_BLOCK = 1 << 20, ARCHIVE_BLOCKS_MAX = 1 << 15 };

struct week_archive {
	int64_t week_id;
	int state;                 /* 0: nothing was done yet */
	int64_t bets, db_bytes;
	struct hash db_hash;       /* of the compacted copy's bytes */
	enum week_archive_form form;
	int64_t inner_bytes;       /* of what the object unpacks to */
	struct hash inner_hash;
	struct hash rows_hash;     /* PRESSED: book_rows of the copy */
	int64_t packed_bytes;
	struct hash *blocks;       /* of each ARCHIVE_BLOCK of the packed bytes; week_archive_free */
	size_t n_blocks;
	char upload[S3_TEXT_MAX];  /* the multipart upload that was begun; "" */
	int64_t verified_ms, purged_ms, fetched_ms; /* 0: never */
};
void week_archive_free(struct week_archive *a);

/* Of the week with that id: 0, also when there is nothing yet (state 0). */
MUST_CHECK int week_archive_get(struct week *w, int64_t week_id, struct week_archive *ret);
/* Writes it whole. WRITE, outside a transaction. 0, STORE_E_FULL, <0. */
MUST_CHECK int week_archive_put(struct week *w, const struct week_archive *a);
/* The newest verified_ms; 0: none. */
MUST_CHECK int week_archive_newest(struct week *w, int64_t *ret_ms);

#endif
