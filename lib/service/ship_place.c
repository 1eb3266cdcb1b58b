#include "ship_place.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "hex.h"

enum { TEXT_MAX = 1024, PATH_SIZE = 320, HEX = 2 * HASH_SIZE, CLOCK_SLACK_MS = 5000 };

static void hex_of(char out[HEX + 1], const struct hash *h)
{
	hex_encode(out, h->b, HASH_SIZE);
}

void ship_place_format(struct buf *out, const struct ship_place *p)
{
	char segment[HEX + 1], chain[HEX + 1], seal[HEX + 1];
	hex_of(segment, &p->hash);
	hex_of(chain, &p->at.chain_hash);
	hex_of(seal, &p->at.seal_hash);
	buf_printf(out, "segment %" PRId64 " %s\nweek %d %d\nchain %" PRId64 " %s\nseal %" PRId64 " %s\nquote %" PRId64
			"\nlog %" PRId64 "\nas_of %" PRId64 "\nbased %d\n", p->number, segment, p->week.year, p->week.week, p->at.chain,
			chain, p->at.seal, seal, p->at.quote, p->log, p->as_of_ms, p->based);
}

static bool hash_parse(struct hash *ret, const char *hex)
{
	return strlen(hex) == HEX && hex_decode(ret->b, HASH_SIZE, hex);
}

bool ship_place_parse(const char *text, struct ship_place *ret)
{
	char segment[HEX + 1], chain[HEX + 1], seal[HEX + 1];
	int based, end = 0;
	*ret = (struct ship_place){ 0 };
	int n = sscanf(text, "segment %" SCNd64 " %64s week %d %d chain %" SCNd64 " %64s seal %" SCNd64 " %64s quote %" SCNd64
			" log %" SCNd64 " as_of %" SCNd64 " based %1d\n%n", &ret->number, segment, &ret->week.year, &ret->week.week,
			&ret->at.chain, chain, &ret->at.seal, seal, &ret->at.quote, &ret->log, &ret->as_of_ms, &based, &end);
	if (n != 12 || end == 0)
		return false;
	ret->based = based != 0;
	return hash_parse(&ret->hash, segment) && hash_parse(&ret->at.chain_hash, chain) &&
			hash_parse(&ret->at.seal_hash, seal) && ret->number >= 0;
}

static void path_of(char out[PATH_SIZE], const char *dir, const char *suffix)
{
	(void) snprintf(out, PATH_SIZE, "%s/ship.position%s", dir, suffix);
}

int ship_place_read(const char *data_dir, struct ship_place *ret)
{
	char path[PATH_SIZE], text[TEXT_MAX];
	path_of(path, data_dir, "");
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? SHIP_PLACE_E_ABSENT : err_say(-errno, "%s: %s", path, strerror(errno));
	ssize_t n = read(fd, text, sizeof text - 1);
	(void) close(fd);
	if (n < 0)
		return err_say(-EIO, "%s cannot be read", path);
	text[n] = '\0';
	return ship_place_parse(text, ret) ? 0 : SHIP_PLACE_E_ABSENT;
}

int ship_place_write(const char *data_dir, const struct ship_place *p)
{
	char fresh[PATH_SIZE], path[PATH_SIZE];
	_cleanup_(buf_free) struct buf text = BUF_INIT(TEXT_MAX);
	path_of(fresh, data_dir, ".new");
	path_of(path, data_dir, "");
	ship_place_format(&text, p);
	if (text.failed)
		return -ENOMEM;
	int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (fd < 0)
		return err_say(-errno, "%s: %s", fresh, strerror(errno));
	bool good = write(fd, text.p, text.n) == (ssize_t) text.n;
	int e = errno;
	good = close(fd) == 0 && good;
	if (!good)
		return err_say(e == ENOSPC ? -ENOSPC : -EIO, "%s: %s", fresh, strerror(e));
	return rename(fresh, path) == 0 ? 0 : err_say(-errno, "%s: %s", path, strerror(errno));
}

int64_t ship_lag_ms(const char *data_dir, int64_t now_ms)
{
	struct ship_place p;
	int r = ship_place_read(data_dir, &p);
	if (r < 0)
		err_clear();
	if (r != 0 || p.as_of_ms <= 0 || p.as_of_ms > now_ms + CLOCK_SLACK_MS)
		return INT64_MAX;
	return p.as_of_ms < now_ms ? now_ms - p.as_of_ms : 0;
}
