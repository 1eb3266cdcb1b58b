#include "dialect.h"

#include <string.h>

static const struct dialect *const dialects[VENUES] = {
	[VENUE_COINBASE] = &dialect_coinbase,
	[VENUE_KRAKEN] = &dialect_kraken,
	[VENUE_BITSTAMP] = &dialect_bitstamp,
	[VENUE_BINANCE] = &dialect_binance,
};

const struct dialect *dialect_of(enum venue_id v)
{
	return dialects[v];
}

enum venue_id venue_of_path(const char *path)
{
	for (int v = 0; v < VENUES; v++)
		if (dialects[v]->answers_at(path))
			return (enum venue_id) v;
	return VENUES;
}

bool path_is(const char *path, const char *name)
{
	size_t n = strlen(name);
	return strncmp(path, name, n) == 0 && (path[n] == '\0' || path[n] == '?' || path[n] == '/');
}
