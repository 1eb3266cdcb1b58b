#include "exposure_sums.h"

#include <errno.h>
#include <stdlib.h>

enum { CAP_FIRST = 16 };

/* Ids are dense or multiples of a row's height: multiply to spread them (Knuth's golden ratio), take the high bits. */
static size_t home_of(int64_t key, size_t cap)
{
	return (size_t) (((uint64_t) key * 0x9e3779b97f4a7c15u) >> 32) & (cap - 1);
}

/* The key's entry, or the free one where it belongs. cap > n, so there is one. */
static struct sums_entry *find(struct sums_entry *at, size_t cap, int64_t key)
{
	size_t i = home_of(key, cap);
	while (at[i].used && at[i].key != key)
		i = (i + 1) & (cap - 1);
	return &at[i];
}

struct money sums_get(const struct sums *s, int64_t key)
{
	if (s->cap == 0)
		return money_of(0);
	const struct sums_entry *e = find(s->at, s->cap, key);
	return e->used ? e->sum : money_of(0);
}

static int grow(struct sums *s)
{
	size_t cap = s->cap ? 2 * s->cap : CAP_FIRST;
	struct sums_entry *at = calloc(cap, sizeof *at);
	if (!at)
		return -ENOMEM;
	for (size_t i = 0; i < s->cap; i++)
		if (s->at[i].used)
			*find(at, cap, s->at[i].key) = s->at[i];
	free(s->at);
	s->at = at;
	s->cap = cap;
	return 0;
}

int sums_slot(struct sums *s, int64_t key, struct money **ret)
{
	struct sums_entry *e = s->cap ? find(s->at, s->cap, key) : NULL;
	if (!e || !e->used) {
		if (s->n == SUMS_MAX)
			return -ENOBUFS;
		if (3 * (s->n + 1) > 2 * s->cap) {
			int r = grow(s);
			if (r < 0)
				return r;
		}
		e = find(s->at, s->cap, key);
		*e = (struct sums_entry){ .key = key, .used = 1 };
		s->n++;
	}
	*ret = &e->sum;
	return 0;
}

void sums_free(struct sums *s)
{
	free(s->at);
	*s = (struct sums){ 0 };
}
