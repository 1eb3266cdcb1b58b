/* report.h - the tally as tables (markdown) and as a picture (SVG). */
#ifndef FAIRNESS_REPORT_H
#define FAIRNESS_REPORT_H

#include <stdio.h>

#include "tally.h"

/* With what each edge is beside the margin, as tally_verdict has it. */
void report_tables(FILE *out, const struct tally *t, const struct play_counts *counts, double margin, int columns);
/* House edge by predicted probability with two standard errors, and hit rate beside prediction, of both models. */
void report_picture(FILE *out, const struct tally *t, double margin);

#endif
