#include "plan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"

static int parse_part(struct plan_part *ret, const char **text)
{
	const char *colon = strchr(*text, ':');
	char *end;
	if (!colon || colon == *text || (size_t) (colon - *text) >= sizeof ret->name)
		return -EINVAL;
	memcpy(ret->name, *text, (size_t) (colon - *text));
	ret->name[colon - *text] = '\0';
	ret->rate = strtod(colon + 1, &end);
	if (*end != ':' || !(ret->rate >= 0))
		return -EINVAL;
	ret->seconds = strtod(end + 1, &end);
	if ((*end && *end != ',') || !(ret->seconds > 0))
		return -EINVAL;
	*text = *end ? end + 1 : end;
	return 0;
}

int plan_parse(struct plan *ret, const char *text)
{
	const char *at = text;
	*ret = (struct plan){ 0 };
	while (*at) {
		struct plan_part *p = &ret->parts[ret->n];
		if (ret->n == PLAN_PARTS_MAX || parse_part(p, &at) < 0)
			return err_say(-EINVAL, "%s: must be NAME:RATE:SECONDS,... of at most %d parts", text, PLAN_PARTS_MAX);
		p->start_us = ret->length_us;
		p->first = ret->shots;
		p->shots = (size_t) (p->rate * p->seconds);
		ret->length_us += (int64_t) (p->seconds * 1e6);
		ret->shots += p->shots;
		ret->n++;
	}
	if (ret->length_us > PLAN_SECONDS_MAX * INT64_C(1000000))
		return err_say(-EINVAL, "%s: must last at most %d seconds", text, PLAN_SECONDS_MAX);
	return 0;
}

const struct plan_part *plan_part_of(const struct plan *p, size_t k)
{
	size_t i = 0;
	while (k >= p->parts[i].first + p->parts[i].shots)
		i++;
	return &p->parts[i];
}

int64_t plan_due_us(const struct plan *p, size_t k)
{
	const struct plan_part *part = plan_part_of(p, k);
	return part->start_us + (int64_t) ((double) (k - part->first) * 1e6 / part->rate);
}

const struct plan_part *plan_part_at(const struct plan *p, int64_t us)
{
	for (size_t i = 0; i < p->n; i++)
		if (us < p->parts[i].start_us + (int64_t) (p->parts[i].seconds * 1e6))
			return &p->parts[i];
	return NULL;
}
