#include "rnd.h"

#include <errno.h>
#include <sys/random.h>

#include "check.h"

void rnd_bytes(void *out, size_t n)
{
	uint8_t *p = out;
	while (n) {
		ssize_t got = getrandom(p, n, 0);
		CHECK(got > 0 || errno == EINTR);
		if (got > 0) {
			p += got;
			n -= (size_t) got;
		}
	}
}

uint32_t rnd_below(uint32_t below)
{
	uint64_t r;
	CHECK(below > 0);
	rnd_bytes(&r, sizeof r);
	return (uint32_t) (r % below);
}
