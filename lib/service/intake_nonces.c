#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "intake_impl.h"
#include "rnd.h"

enum { FIRST_SLOTS = 1024 };

/* Linear probing, at most half full; a slot of zeros is empty (no nonce is zero: its version bits are set). */
struct generation {
	uint8_t (*slots)[NONCE_SIZE];
	size_t mask; /* slots - 1 */
	size_t n;
};

struct nonces {
	struct generation now, before;
	uint64_t secret[2];
	int64_t keep_ms, turned_ms;
};

static const uint8_t empty[NONCE_SIZE];

static bool slot_empty(const uint8_t slot[NONCE_SIZE])
{
	return memcmp(slot, empty, NONCE_SIZE) == 0;
}

static size_t hash_of(const struct nonces *s, const uint8_t v[NONCE_SIZE])
{
	uint64_t a, b;
	memcpy(&a, v, sizeof a);
	memcpy(&b, v + sizeof a, sizeof b);
	unsigned __int128 m = (unsigned __int128) (a ^ s->secret[0]) * (b ^ s->secret[1]);
	return (size_t) ((uint64_t) m ^ (uint64_t) (m >> 64));
}

static int generation_init(struct generation *g)
{
	g->slots = calloc(FIRST_SLOTS, NONCE_SIZE);
	g->mask = FIRST_SLOTS - 1;
	g->n = 0;
	return g->slots ? 0 : -ENOMEM;
}

/* The slot that holds v, or the empty one where it belongs. */
static size_t slot_of(const struct nonces *s, const struct generation *g, const uint8_t v[NONCE_SIZE])
{
	size_t at = hash_of(s, v) & g->mask;
	while (!slot_empty(g->slots[at]) && memcmp(g->slots[at], v, NONCE_SIZE) != 0)
		at = (at + 1) & g->mask;
	return at;
}

static int grow(const struct nonces *s, struct generation *g)
{
	struct generation wide = { .mask = 2 * g->mask + 1, .n = g->n };
	wide.slots = calloc(wide.mask + 1, NONCE_SIZE);
	if (!wide.slots)
		return -ENOMEM;
	for (size_t i = 0; i <= g->mask; i++)
		if (!slot_empty(g->slots[i]))
			memcpy(wide.slots[slot_of(s, &wide, g->slots[i])], g->slots[i], NONCE_SIZE);
	free(g->slots);
	*g = wide;
	return 0;
}

int nonces_new(struct nonces **ret, int64_t keep_ms, int64_t mono_ms)
{
	struct nonces *s = calloc(1, sizeof *s);
	if (!s)
		return -ENOMEM;
	rnd_bytes(s->secret, sizeof s->secret);
	s->keep_ms = keep_ms;
	s->turned_ms = mono_ms;
	if (generation_init(&s->now) < 0 || generation_init(&s->before) < 0) {
		(void) nonces_free(s);
		return -ENOMEM;
	}
	*ret = s;
	return 0;
}

struct nonces *nonces_free(struct nonces *s)
{
	if (s) {
		free(s->now.slots);
		free(s->before.slots);
		free(s);
	}
	return NULL;
}

/* The older generation is emptied and becomes the newer one. Without memory for a small table the big one is wiped. */
void nonces_turn(struct nonces *s, int64_t mono_ms)
{
	if (mono_ms - s->turned_ms < s->keep_ms)
		return;
	struct generation old = s->before, fresh;
	if (generation_init(&fresh) == 0) {
		free(old.slots);
	} else {
		memset(old.slots, 0, (old.mask + 1) * NONCE_SIZE);
		fresh = (struct generation){ .slots = old.slots, .mask = old.mask };
	}
	s->before = s->now;
	s->now = fresh;
	s->turned_ms = mono_ms;
}

bool nonces_has(const struct nonces *s, const uint8_t v[NONCE_SIZE])
{
	return !slot_empty(s->now.slots[slot_of(s, &s->now, v)]) || !slot_empty(s->before.slots[slot_of(s, &s->before, v)]);
}

int nonces_add(struct nonces *s, const uint8_t v[NONCE_SIZE])
{
	if (s->now.n >= NONCES_MAX)
		return -ENOBUFS;
	if (2 * (s->now.n + 1) > s->now.mask && grow(s, &s->now) < 0)
		return -ENOMEM;
	size_t at = slot_of(s, &s->now, v);
	if (slot_empty(s->now.slots[at])) {
		memcpy(s->now.slots[at], v, NONCE_SIZE);
		s->now.n++;
	}
	return 0;
}

/* Closes the hole by moving back what was pushed past it. */
static void generation_remove(const struct nonces *s, struct generation *g, const uint8_t v[NONCE_SIZE])
{
	size_t hole = slot_of(s, g, v);
	if (slot_empty(g->slots[hole]))
		return;
	for (size_t at = (hole + 1) & g->mask; !slot_empty(g->slots[at]); at = (at + 1) & g->mask) {
		size_t home = hash_of(s, g->slots[at]) & g->mask;
		if (((at - home) & g->mask) >= ((at - hole) & g->mask)) {
			memcpy(g->slots[hole], g->slots[at], NONCE_SIZE);
			hole = at;
		}
	}
	memset(g->slots[hole], 0, NONCE_SIZE);
	g->n--;
}

void nonces_remove(struct nonces *s, const uint8_t v[NONCE_SIZE])
{
	generation_remove(s, &s->now, v);
	generation_remove(s, &s->before, v);
}
