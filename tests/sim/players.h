/* players.h - who bets, honestly or not: replays, races over a cell, closed columns, forged signatures, empty accounts, too much. */
#ifndef TAP_SIM_PLAYERS_H
#define TAP_SIM_PLAYERS_H

#include "intake.h"

enum { TAPS_MAX = 16 };

void players_begin(const struct settings *s);
/* Fills taps[TAPS_MAX]: what comes together; how many. */
size_t players_tap(struct intake_tap *taps);

#endif
