/* referee_path.h - a column's path, outcome and digest by the contract's words alone. Private to the referee. */
#ifndef TAP_SIM_REFEREE_PATH_H
#define TAP_SIM_REFEREE_PATH_H

#include <stdbool.h>
#include <stdint.h>

struct verdict {
	int64_t t0_s;
	bool is_void, anchored, read; /* read: Redis' history was there */
	int64_t anchor_t, anchor_p, low, high, n;
	uint8_t digest[32];
};

/* From the fake Redis' ticks: those that it recorded, when it was read, and those that the resolver heard. */
struct verdict verdict_of(int64_t t0_s, bool read, const uint8_t prev_digest[32]);

#endif
