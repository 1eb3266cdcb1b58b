#include "tick.h"

bool ticks_valid(const struct tick *ticks, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (ticks[i].p_cents <= 0 || ticks[i].t_ms < 0)
			return false;
		if (i > 0 && ticks[i].t_ms <= ticks[i - 1].t_ms)
			return false;
	}
	return true;
}

size_t ticks_find(const struct tick *ticks, size_t n, int64_t at_ms)
{
	size_t lo = 0, hi = n;
	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		if (ticks[mid].t_ms < at_ms)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}
