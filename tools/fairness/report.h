/* report.h - the tally as tables (markdown) and as a picture (SVG). */
#ifndef FAIRNESS_REPORT_H
#define FAIRNESS_REPORT_H

#include <stdio.h>

#include "tally.h"

void report_tables(FILE *out, const struct tally *t, const struct play_counts *counts, int columns);
/* House edge by predicted probability with two standard errors, and hit rate beside prediction, of both models. */
void report_picture(FILE *out, const struct tally *t, double margin);

#endif
