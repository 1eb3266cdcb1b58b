/* show.h - bets, columns and ledger entries as the API shows them. */
#ifndef TAP_API_SHOW_H
#define TAP_API_SHOW_H

#include "bet.h"
#include "book.h"
#include "json.h"
#include "ledger.h"
#include "priced.h"

/* What is told of one decided bet beside what a list tells. */
struct bet_detail {
	const struct tick *deciding; /* NULL: it did not win */
	const struct priced *priced;
};
/* evidence: its column once decided, NULL while open. detail may be NULL. name NULL: an array's element or the root. */
void show_bet(struct json_out *w, const struct bet *b, const struct column *evidence, const struct bet_detail *detail);
void show_column(struct json_out *w, const char *name, const struct column *c);
/* As the root, with a member `path` for its ticks, anchor first; ticks NULL: without. */
void show_column_path(struct json_out *w, const struct column *c, const struct tick *ticks, size_t n);
/* anchor and prev_digest NULL: not known yet. */
void show_open_column(struct json_out *w, int64_t t0_s, const struct tick *anchor, const struct hash *prev_digest);
void show_entry(struct json_out *w, const struct entry *e);

#endif
