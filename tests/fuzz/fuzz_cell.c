/* A cell's id has one spelling: what is taken is written as it was read; the same for nonces, wallets and ULIDs. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "grid.h"
#include "price.h"
#include "tap.h"
#include "ulid.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_cell(const char *text, size_t n)
{
	const struct grid_rules rules = { .column_s = 5, .row_cents = 2000, .columns = 12, .rows = 24 };
	struct cell cell;
	char out[CELL_TEXT_SIZE];
	if (!cell_parse(&cell, text, n, &rules))
		return;
	CHECK(cell.t0_s % 5 == 0 && cell.low_cents % 2000 == 0 && cell.high_cents == cell.low_cents + 2000);
	CHECK(cell.t0_s >= 0 && cell.low_cents >= 0);
	cell_format(out, &cell);
	CHECK(strlen(out) == n && memcmp(out, text, n) == 0);
	(void) column_placeable(&rules, cell.t0_s, 1771234565000);
}

static void try_ids(const char *text, size_t n)
{
	uint8_t nonce[NONCE_SIZE];
	struct ulid ulid;
	struct wallet wallet, again;
	char out[64];
	if (nonce_parse(nonce, text, n)) {
		nonce_format(out, nonce);
		CHECK(strlen(out) == n && memcmp(out, text, n) == 0);
	}
	if (ulid_parse(&ulid, text, n)) {
		ulid_format(out, &ulid);
		CHECK(strlen(out) == n && memcmp(out, text, n) == 0);
	}
	if (wallet_parse(&wallet, text, n)) {
		wallet_format(out, &wallet);
		CHECK(wallet_parse(&again, out, strlen(out)) && wallet_eq(&wallet, &again));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size ? size : 1); /* exact, so that a read past the end is seen */
	int64_t e4;
	CHECK(text);
	if (size)
		memcpy(text, data, size);
	try_cell(text, size);
	try_ids(text, size);
	if (price_parse_e4(&e4, text, size))
		CHECK(e4 > 0 && e4 <= (int64_t) PRICE_MAX_CENTS * 100);
	free(text);
	return 0;
}
