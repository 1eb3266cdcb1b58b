/* test_sim [--seed N] [--columns N] [--worlds N] [--storm N]: plays worlds, each a process with a seed of its own, two at a time; the
 * same from TAP_SIM_SEED, TAP_SIM_COLUMNS (of all worlds together), TAP_SIM_WORLDS, TAP_SIM_STORM (faults befall so many times as often).
 * Without a seed the clock gives one; it is told. A world that fails tells its seed: --seed N --worlds 1 plays it again, column by column
 * the same. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "../support/folder.h"
#include "sim.h"
#include "world.h"

enum { COLUMNS_PRESET = 4000, WORLDS_PRESET = 2, AT_ONCE = 2 };

static uint64_t number(const char *text, const char *what)
{
	char *end;
	unsigned long long v = strtoull(text, &end, 10);
	if (*end || end == text) {
		(void) fprintf(stderr, "sim: %s is no %s\n", text, what);
		exit(EX_USAGE);
	}
	return v;
}

static uint64_t option(int argc, char **argv, const char *name, const char *env, uint64_t preset)
{
	const char *text = getenv(env);
	for (int i = 1; i + 1 < argc; i += 2)
		if (strcmp(argv[i], name) == 0)
			text = argv[i + 1];
	return text ? number(text, name) : preset;
}

static int64_t *faults; /* of the worlds that ended whole; theirs and ours */

struct running {
	pid_t pid;
	uint64_t seed;
};

/* Waits for one of them: 1 when it failed, 0 when it is whole. */
static int one_ended(struct running *running)
{
	char dir[WORLD_DIR_SIZE];
	int status = 0, i = 0;
	pid_t pid = wait(&status);
	while (i < AT_ONCE - 1 && running[i].pid != pid)
		i++;
	if (WIFSIGNALED(status)) /* the product's CHECK, or a sanitizer */
		(void) fprintf(stderr, "sim: seed %" PRIu64 " ended by signal %d: test_sim --seed %" PRIu64 " --worlds 1\n", running[i].seed,
				WTERMSIG(status), running[i].seed);
	world_dir(dir, running[i].seed);
	(void) folder_remove(dir);
	running[i].pid = 0;
	return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

static void start(struct running *running, uint64_t seed, int64_t columns)
{
	int i = 0;
	while (running[i].pid)
		i++;
	running[i] = (struct running){ fork(), seed };
	if (running[i].pid == 0) {
		world_play(seed, columns);
		(void) __atomic_add_fetch(faults, sim.faults, __ATOMIC_RELAXED);
		exit(0);
	}
	if (running[i].pid < 0) {
		perror("sim: fork");
		exit(EX_OSERR);
	}
}

int main(int argc, char **argv)
{
	uint64_t seed = option(argc, argv, "--seed", "TAP_SIM_SEED", (uint64_t) time(NULL));
	uint64_t columns = option(argc, argv, "--columns", "TAP_SIM_COLUMNS", COLUMNS_PRESET);
	uint64_t worlds = option(argc, argv, "--worlds", "TAP_SIM_WORLDS", WORLDS_PRESET);
	sim.storm = option(argc, argv, "--storm", "TAP_SIM_STORM", 1);
	struct running running[AT_ONCE] = { { 0, 0 } };
	int failed = 0;
	if (argc % 2 == 0 || worlds == 0 || columns < worlds || sim.storm == 0) {
		(void) fputs("usage: test_sim [--seed N] [--columns N] [--worlds N] [--storm N]\n", stderr);
		return EX_USAGE;
	}
	faults = mmap(NULL, sizeof *faults, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (faults == MAP_FAILED) {
		perror("sim: mmap");
		return EX_OSERR;
	}
	(void) printf("TAP_SIM_SEED=%" PRIu64 " TAP_SIM_COLUMNS=%" PRIu64 " TAP_SIM_WORLDS=%" PRIu64 " TAP_SIM_STORM=%" PRIu64 "\n", seed,
			columns, worlds, sim.storm);
	(void) fflush(stdout);
	world_parent = getpid();
	for (uint64_t i = 0; i < worlds; i++) {
		if (i >= AT_ONCE)
			failed += one_ended(running);
		start(running, seed + i, (int64_t) (columns / worlds));
	}
	for (uint64_t left = worlds < AT_ONCE ? worlds : AT_ONCE; left > 0; left--)
		failed += one_ended(running);
	if (failed)
		(void) printf("%d of %" PRIu64 " worlds failed\n", failed, worlds);
	else
		(void) printf("every world is whole: %" PRId64 " faults by dice\n", *faults);
	return failed != 0;
}
