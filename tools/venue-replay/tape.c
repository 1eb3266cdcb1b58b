#include "tape.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "err.h"
#include "price.h"

struct tape {
	struct tape_point *points;
	size_t n;
	int64_t turned_ms;  /* when the present direction began */
	int64_t first_ms;   /* where the tape turns at its begin and at its end */
	int64_t length_ms;  /* between the two */
	size_t next;        /* point that comes next in this direction */
	bool backward;
};

static int add_point(struct tape *t, size_t *cap, const struct tape_point *p)
{
	if (t->n == *cap) {
		size_t more = *cap ? *cap * 2 : 1024;
		struct tape_point *points = more <= TAPE_POINTS_MAX ? realloc(t->points, more * sizeof *points) : NULL;
		if (!points)
			return -ENOMEM;
		t->points = points;
		*cap = more;
	}
	t->points[t->n++] = *p;
	return 0;
}

static bool point_follows(const struct tape *t, const struct tape_point *p)
{
	return p->ms >= 0 && p->bid_cents > 0 && p->bid_cents < p->ask_cents && p->ask_cents <= PRICE_MAX_CENTS &&
	       (t->n == 0 || t->points[t->n - 1].ms < p->ms);
}

static int read_points(struct tape *t, FILE *in, const char *path)
{
	char line[128];
	size_t cap = 0;
	for (int number = 1; fgets(line, sizeof line, in); number++) {
		struct tape_point p;
		if (sscanf(line, "%" SCNd64 ",%" SCNd64 ",%" SCNd64, &p.ms, &p.bid_cents, &p.ask_cents) != 3) {
			if (number == 1)
				continue;
			return err_say(-EBADMSG, "%s:%d: must be ms,bid_cents,ask_cents", path, number);
		}
		if (!point_follows(t, &p))
			return err_say(-EBADMSG, "%s:%d: time must rise, bid must be below ask", path, number);
		int r = add_point(t, &cap, &p);
		if (r < 0)
			return err_say(r, "%s: no memory for so many points", path);
	}
	return t->n > 1 ? 0 : err_say(-EBADMSG, "%s: fewer than two points", path);
}

/* Keeps returns and the spread's size in cents' proportion; a spread is at least a cent. */
static void rescale(struct tape *t, int64_t base_cents)
{
	int64_t first = (t->points[0].bid_cents + t->points[0].ask_cents) / 2;
	for (size_t i = 0; i < t->n; i++) {
		struct tape_point *p = &t->points[i];
		p->bid_cents = p->bid_cents * base_cents / first;
		p->ask_cents = p->ask_cents * base_cents / first;
		if (p->ask_cents <= p->bid_cents)
			p->ask_cents = p->bid_cents + 1;
	}
}

int tape_load(struct tape **ret, const char *path, int64_t base_cents)
{
	FILE *in = fopen(path, "re");
	if (!in)
		return err_say(-errno, "%s cannot be opened", path);
	struct tape *t = calloc(1, sizeof *t);
	int r = t ? read_points(t, in, path) : -ENOMEM;
	(void) fclose(in);
	if (r < 0) {
		(void) tape_free(t);
		return r;
	}
	if (base_cents > 0)
		rescale(t, base_cents);
	t->first_ms = t->points[0].ms;
	t->length_ms = t->points[t->n - 1].ms + TAPE_REST_MS - t->first_ms;
	*ret = t;
	return 0;
}

struct tape *tape_free(struct tape *t)
{
	if (t)
		free(t->points);
	free(t);
	return NULL;
}

size_t tape_count(const struct tape *t)
{
	return t->n;
}

/* Forward, point i stands from its time on. Backward, point i - 1 stands from when the time of i is passed. */
bool tape_next(struct tape *t, int64_t played_ms, struct tape_point *ret)
{
	if (played_ms >= t->turned_ms + t->length_ms && t->next == (t->backward ? 0 : t->n)) {
		t->turned_ms += t->length_ms;
		t->backward = !t->backward;
		t->next = t->backward ? t->n - 1 : 0;
	}
	int64_t into = played_ms - t->turned_ms;
	if (!t->backward) {
		if (t->next == t->n || into < t->points[t->next].ms - t->first_ms)
			return false;
		*ret = t->points[t->next++];
		return true;
	}
	if (t->next == 0 || into < t->length_ms - (t->points[t->next].ms - t->first_ms))
		return false;
	*ret = t->points[--t->next];
	return true;
}
