/* ingest_impl.h - what the daemon's files share. */
#ifndef INGEST_INGEST_IMPL_H
#define INGEST_INGEST_IMPL_H

#include <pthread.h>
#include <stdatomic.h>

#include "bus.h"
#include "feed.h"
#include "index.h"
#include "publish.h"
#include "settings.h"

struct ingest {
	atomic_bool up;            /* all below is there: the operations port is open before that */
	const struct settings *settings;
	struct feed *feed;
	struct publish *publish;
	struct bus_sub *sub;
	atomic_int override_heard; /* enum breaker_override + 1; 0: nothing new */
	_Atomic int64_t tick_heard_ms; /* monotonic: when anybody's tick was published last */
	atomic_bool on_guard;      /* another ingest speaks: this one listens, and begins when that falls silent */
	struct index index;        /* the turn's */
	bool basis_recalled;
	int64_t basis_kept_ms;     /* when the basis was kept last */
	int64_t tick_slot, grid_slot; /* the newest boundaries that were served, in units of their distance */
	/* for who asks */
	atomic_int standing[INDEX_VENUES_MAX]; /* enum index_standing */
	_Atomic int64_t value_e4[INDEX_VENUES_MAX], basis_e9[INDEX_VENUES_MAX];
	atomic_int live;
	_Atomic uint64_t no_price;
};
extern struct ingest ingest;

#endif
