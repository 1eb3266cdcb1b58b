/* world.h - one world: the processes, the weather, the weeks, from its first column to its last. */
#ifndef TAP_SIM_WORLD_H
#define TAP_SIM_WORLD_H

#include <stdint.h>
#include <sys/types.h>

enum { WORLD_DIR_SIZE = 96 };

/* Where a world's files are: of the process that starts the worlds, and the seed. Whoever started it takes it away. */
extern pid_t world_parent;
void world_dir(char out[WORLD_DIR_SIZE], uint64_t seed);

/* Plays that many columns, and fails with the seed at the first thing that is not as it must be. */
void world_play(uint64_t seed, int64_t columns);

#endif
