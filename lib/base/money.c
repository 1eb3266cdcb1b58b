#include "money.h"

bool money_apply(struct money *ret, struct money balance, struct amount delta)
{
	int64_t sum;
	if (__builtin_add_overflow(balance.micros, delta.micros, &sum) || sum < 0)
		return false;
	ret->micros = sum;
	return true;
}

bool money_add(struct money *ret, struct money a, struct money b)
{
	return money_apply(ret, a, amount_in(b));
}

bool money_sub(struct money *ret, struct money a, struct money b)
{
	return money_apply(ret, a, amount_out(b));
}

bool money_scale(struct money *ret, struct money m, int64_t numerator, int64_t denominator)
{
	if (m.micros < 0 || numerator < 0 || denominator <= 0)
		return false;
	unsigned __int128 product = (unsigned __int128) (uint64_t) m.micros * (uint64_t) numerator;
	unsigned __int128 q = product / (uint64_t) denominator;
	if (q > INT64_MAX)
		return false;
	ret->micros = (int64_t) q;
	return true;
}
