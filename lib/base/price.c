#include "price.h"

bool price_parse_e4(int64_t *ret_e4, const char *text, size_t len)
{
	int64_t v = 0;
	size_t i = 0;
	int decimals = 0;
	bool round_up = false;

	if (len == 0 || len > 32)
		return false;
	for (; i < len && text[i] != '.'; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		v = v * 10 + (text[i] - '0');
		if (v > PRICE_MAX_CENTS / 100)
			return false;
	}
	if (i == 0 || (i < len && i + 1 == len))
		return false; /* ".5" and "5." are no venue's spelling */
	for (size_t k = i + 1; k < len; k++) {
		if (text[k] < '0' || text[k] > '9')
			return false;
		if (decimals < 4)
			v = v * 10 + (text[k] - '0');
		else if (decimals == 4)
			round_up = text[k] >= '5';
		decimals++;
	}
	for (; decimals < 4; decimals++)
		v *= 10;
	v += round_up;
	if (v <= 0 || v > (int64_t) PRICE_MAX_CENTS * 100)
		return false;
	*ret_e4 = v;
	return true;
}
