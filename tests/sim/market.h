/* market.h - the price, ingest's ticks, the feed's health and the grid that the api prices by: the domain's own volatility, layer,
 * rates and breaker over a price that wanders, jumps and falls silent by dice. */
#ifndef TAP_SIM_MARKET_H
#define TAP_SIM_MARKET_H

#include "intake.h"

void market_begin(const struct settings *s);
/* True time goes on until then, tick by tick. */
void market_run_until(int64_t true_ms);
void market_silent(int64_t ms); /* no tick for so long */
/* A new grid, of now or up to a little more than a quote's life ago. */
void market_quote(void);
const struct quote_grid *market_grid_now(void);
bool market_betting_now(void);
extern const struct intake_market market_for_api;

#endif
