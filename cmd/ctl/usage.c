#include "usage.h"

#include <string.h>

#include "check.h"

static size_t word_of(char out[static USAGE_WORD_MAX], const char *at)
{
	size_t n = strcspn(at, " []");
	CHECK(n < USAGE_WORD_MAX);
	memcpy(out, at, n);
	out[n] = '\0';
	return n;
}

bool usage_next(const char **at, struct usage_item *ret)
{
	*at += strspn(*at, " ]");
	*ret = (struct usage_item){ .optional = **at == '[' };
	*at += ret->optional;
	if (**at == '\0')
		return false;
	if (strncmp(*at, "--", 2) != 0) {
		*at += word_of(ret->arg, *at);
		return true;
	}
	*at += 2;
	*at += word_of(ret->name, *at);
	if (**at == ' ') {
		(*at)++;
		*at += word_of(ret->arg, *at);
	}
	return true;
}
