#include "venue.h"

#include <string.h>

#include "price.h"

bool venue_mid(const char *bid, size_t bid_n, const char *ask, size_t ask_n, int64_t *ret_e4)
{
	int64_t b, a;
	if (!bid || !ask || !price_parse_e4(&b, bid, bid_n) || !price_parse_e4(&a, ask, ask_n))
		return false;
	if (b >= a || (a - b) * 10000 > b * VENUE_SPREAD_MAX_BP)
		return false;
	*ret_e4 = (b + a) / 2;
	return true;
}

bool venue_digits(const char *text, size_t n, int64_t *ret)
{
	int64_t v = 0;
	if (!text || n == 0 || n > 18)
		return false;
	for (size_t i = 0; i < n; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		v = v * 10 + (text[i] - '0');
	}
	*ret = v;
	return true;
}

/* Days since 1970-01-01 of the proleptic Gregorian calendar; years count from March, so that the leap day is the last. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
	int64_t y = month <= 2 ? year - 1 : year, m = month <= 2 ? month + 9 : month - 3;
	return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719468;
}

bool venue_stamp_us(const char *text, size_t n, int64_t *ret_us)
{
	static const char shape[] = "dddd-dd-ddTdd:dd:dd";
	const size_t whole = sizeof shape - 1;
	static const struct { size_t at, n; } part[] = { { 0, 4 }, { 5, 2 }, { 8, 2 }, { 11, 2 }, { 14, 2 }, { 17, 2 } };
	int64_t v[6], us = 0;
	if (!text || n <= whole || n > whole + 11 || text[n - 1] != 'Z')
		return false;
	for (size_t i = 0; i < whole; i++)
		if (shape[i] != 'd' && text[i] != shape[i])
			return false;
	for (size_t i = 0; i < ARRAY_LEN(part); i++)
		if (!venue_digits(text + part[i].at, part[i].n, &v[i]))
			return false;
	if (v[0] < 1970 || v[1] < 1 || v[1] > 12 || v[2] < 1 || v[2] > 31 || v[3] > 23 || v[4] > 59 || v[5] > 60)
		return false;
	size_t decimals = n - 1 - whole;
	if (decimals) {
		if (text[whole] != '.' || !venue_digits(text + whole + 1, decimals - 1, &us))
			return false;
		for (size_t i = decimals - 1; i < 6; i++)
			us *= 10;
		for (size_t i = decimals - 1; i > 6; i--)
			us /= 10;
	}
	*ret_us = (((days_of(v[0], v[1], v[2]) * 24 + v[3]) * 60 + v[4]) * 60 + v[5]) * 1000000 + us;
	return true;
}

bool venue_says(const struct json_value *object, const char *member, const char *text)
{
	const char *said = json_string(json_get(object, member), NULL);
	return said && strcmp(said, text) == 0;
}
