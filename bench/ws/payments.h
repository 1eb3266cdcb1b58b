/* payments.h - something that each player is told about: withdrawals of one dollar, one a player, at a steady pace over the API. Each
 * that is admitted is one event of its wallet. Thread: one owner. Memory: payments_open gives, payments_close takes. */
#ifndef BENCH_PAYMENTS_H
#define BENCH_PAYMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attr.h"
#include "players.h"

struct payments;

/* The first n players, one each every_us. */
MUST_CHECK int payments_open(struct payments **ret, const char *api, const struct player *players, size_t n, int64_t every_us);
struct payments *payments_close(struct payments *p);
/* Sends what is due and takes answers; does not wait. */
MUST_CHECK int payments_turn(struct payments *p);
bool payments_done(const struct payments *p); /* all were sent and answered */
bool payments_admitted(const struct payments *p, size_t player);
size_t payments_errors(const struct payments *p); /* answers other than 202, and none */
size_t payments_sent(const struct payments *p);

#endif
