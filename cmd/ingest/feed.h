/* feed.h - the thread that listens to the venues, and what each told last. Thread: feed_view from any. */
#ifndef INGEST_FEED_H
#define INGEST_FEED_H

#include <stdbool.h>
#include <stddef.h>

#include "attr.h"
#include "index.h"
#include "settings.h"
#include "link.h"

struct feed_view {
	size_t n;
	struct {
		const char *name;
		bool connected;
		struct index_input book;
		struct bbo_counts counts;
		struct link_counts connections;
	} venue[INDEX_VENUES_MAX];
};

struct feed;
/* Venues whose address is empty are left out; -EINVAL when none is left, or fewer than TAP_MIN_VENUES. */
MUST_CHECK int feed_start(struct feed **ret, const struct settings *s);
struct feed *feed_stop(struct feed *f);
void feed_view(struct feed *f, struct feed_view *ret);

#endif
