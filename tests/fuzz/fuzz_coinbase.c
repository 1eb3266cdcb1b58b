#include "venue_frames.h"

FUZZ_VENUE(venue_coinbase)
