/* setup.h - which part of which recording is played, and by which rules: what fairness and refit take on their command line. */
#ifndef FAIRNESS_SETUP_H
#define FAIRNESS_SETUP_H

#include <stdint.h>

#include "attr.h"
#include "play.h"
#include "recording.h"
#include "settings.h"

struct span {
	char path[512];
	int64_t from_s, to_s;              /* from the recording's first tick; to_s 0: to its end */
	int64_t row_cents, tick_ms, quote_ms; /* 0: the environment's */
	int64_t scale;
};
extern const char span_help[];

/* FILE[,name=value...]; -EINVAL. */
MUST_CHECK int span_parse(struct span *ret, const char *arg);
struct play_rules play_rules_of(const struct settings *s, const struct span *span, int64_t first_ms);
int64_t span_end_s(const struct span *span, const struct recording *rec);
int64_t span_ticks(const struct play_rules *rules, const struct recording *rec);

#endif
