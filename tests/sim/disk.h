/* disk.h - the fake disk: SQLite's files lie in memory (/dev/shm), and what changes them may fail by dice.
 * A kill ends the running process in the middle of a call, perhaps with a part of it done; a power cut does so to all, and then loses
 * what was not synced: none, all, or some of it in any order, torn at sectors. After either, every call fails until disk_restore.
 * A name (creation, rename, deletion) lasts at once: tests/unit/test_crash.c and test_week.c play those. */
#ifndef TAP_SIM_DISK_H
#define TAP_SIM_DISK_H

#include <stdbool.h>

enum disk_fault { DISK_NONE, DISK_KILL, DISK_POWER, DISK_WRITE_FAILS, DISK_SYNC_FAILS, DISK_FAULTS };

void disk_begin(const char *dir);
/* The n-th changing call from now on meets it; until then another may be armed in its place. */
void disk_arm(enum disk_fault fault, int n);
long disk_count(enum disk_fault fault); /* how many were met */
void disk_full(bool full);     /* while it is, nothing can be written */
bool disk_is_full(void);
/* What was met since it was asked last. */
enum disk_fault disk_met(void);
bool disk_dead(void);
bool disk_power_is_cut(void);
/* Once all files of who died are closed. */
void disk_restore(void);

#endif
