#include "sessions.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "auth.h"
#include "err.h"

enum { TRIPS_MAX = 100000, SCAN_COUNT = 500, TOKENS_MAX = 4 * SCAN_COUNT };

static const char prefix[] = "session:";

/* One step of the scan: the tokens of this page, and the cursor of the next ("0": it was the last). */
static int scan(struct bus *bus, char cursor[32], char (*tokens)[AUTH_TOKEN_SIZE], size_t *ret_n)
{
	const struct bus_reply *reply;
	*ret_n = 0;
	int r = bus_command(bus, &reply, "SCAN %s MATCH session:* COUNT %d", cursor, SCAN_COUNT);
	if (r < 0)
		return err_trace(r);
	if (bus_kind(reply) != BUS_ARRAY || bus_count(reply) != 2)
		return err_say(-EAGAIN, "Redis answered: %s", bus_text(reply, NULL));
	const struct bus_reply *keys = bus_at(reply, 1);
	for (size_t i = 0; i < bus_count(keys) && *ret_n < TOKENS_MAX; i++) {
		size_t n;
		const char *key = bus_text(bus_at(keys, i), &n);
		if (n - (sizeof prefix - 1) == AUTH_TOKEN_SIZE - 1 && memcmp(key, prefix, sizeof prefix - 1) == 0)
			(void) snprintf(tokens[(*ret_n)++], AUTH_TOKEN_SIZE, "%s", key + sizeof prefix - 1);
	}
	(void) snprintf(cursor, 32, "%s", bus_text(bus_at(reply, 0), NULL));
	return 0;
}

/* 1: it was the wallet's, and is ended. */
static int end_if_of(struct ctl *c, struct bus *bus, const char *token, const struct wallet *wallet)
{
	struct auth_session session;
	int r = auth_session(bus, token, c->now_ms, &session);
	if (r != 0 || !wallet_eq(&session.wallet, wallet))
		return r < 0 ? err_trace(r) : 0;
	r = auth_logout(bus, &session);
	return r < 0 ? err_trace(r) : r == 0;
}

static int end_all(struct ctl *c, struct bus *bus, const struct wallet *wallet, int64_t *ret_ended)
{
	static char tokens[TOKENS_MAX][AUTH_TOKEN_SIZE];
	char cursor[32] = "0";
	size_t n;
	for (int trip = 0; trip < TRIPS_MAX; trip++) {
		int r = scan(bus, cursor, tokens, &n);
		for (size_t i = 0; r >= 0 && i < n; i++) {
			r = end_if_of(c, bus, tokens[i], wallet);
			*ret_ended += r == 1;
		}
		if (r < 0)
			return r;
		if (strcmp(cursor, "0") == 0)
			return 0;
	}
	return 0;
}

int64_t sessions_end(struct ctl *c, const struct wallet *wallet)
{
	struct bus *bus;
	int64_t ended = 0;
	int r = bus_open(&bus, &c->bus);
	if (r == 0) {
		r = end_all(c, bus, wallet, &ended);
		bus_close(bus);
	}
	if (r < 0)
		(void) fprintf(stderr, "tap-trading-ctl: sessions may go on, Redis is away: %s\n", err_text());
	err_clear();
	return ended;
}
