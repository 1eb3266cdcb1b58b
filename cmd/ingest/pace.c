#include "pace.h"

void pace_init(struct pace *p, int burst, int refill_ms, int64_t mono_ms)
{
	*p = (struct pace){ .burst = burst, .refill_ms = refill_ms, .tokens = burst, .refilled_ms = mono_ms,
		.backoff_ms = PACE_LEAST_MS, .retry_ms = mono_ms };
}

static void refill(struct pace *p, int64_t mono_ms)
{
	int64_t due = (mono_ms - p->refilled_ms) / p->refill_ms;
	if (due <= 0)
		return;
	p->refilled_ms += due * p->refill_ms;
	p->tokens = due >= p->burst - p->tokens ? p->burst : p->tokens + (int) due;
}

bool pace_take(struct pace *p, int64_t mono_ms)
{
	refill(p, mono_ms);
	if (mono_ms < p->retry_ms || p->tokens == 0)
		return false;
	p->tokens--;
	return true;
}

void pace_failed(struct pace *p, int64_t mono_ms, uint32_t dice)
{
	int half = p->backoff_ms / 2;
	p->retry_ms = mono_ms + half + dice % (uint32_t) (half + 1);
	p->backoff_ms = p->backoff_ms * 2 > PACE_MOST_MS ? PACE_MOST_MS : p->backoff_ms * 2;
}

void pace_settled(struct pace *p)
{
	p->backoff_ms = PACE_LEAST_MS;
}
