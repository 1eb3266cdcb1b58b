/* pace.h - when a venue may be dialled (again): a wait that doubles with each failure, half of it by chance, and a bucket of connections
 * so that no fault of ours or theirs passes the venue's limit for one address. Pure; the clock and the dice passed in.
 * Always true: in any span of T ms at most burst + T / refill_ms + 1 connections are begun. Thread: one owner. */
#ifndef INGEST_PACE_H
#define INGEST_PACE_H

#include <stdbool.h>
#include <stdint.h>

enum { PACE_LEAST_MS = 500, PACE_MOST_MS = 30000 };

struct pace {
	int burst, refill_ms;
	int tokens;
	int64_t refilled_ms; /* up to when the bucket was filled */
	int backoff_ms;      /* the next failure's wait */
	int64_t retry_ms;
};

void pace_init(struct pace *p, int burst, int refill_ms, int64_t mono_ms);
/* True when a connection may begin now; it is then counted. */
bool pace_take(struct pace *p, int64_t mono_ms);
/* A connection failed or was lost. dice: any number. */
void pace_failed(struct pace *p, int64_t mono_ms, uint32_t dice);
/* A connection served well: the next failure is the first. */
void pace_settled(struct pace *p);

#endif
