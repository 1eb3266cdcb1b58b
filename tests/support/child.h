/* child.h - a program of the build, run as a child of the test and never left behind. For tests only. */
#ifndef TAP_TEST_CHILD_H
#define TAP_TEST_CHILD_H

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* Runs argv with env (NULL: the test's own); its stdout and stderr go to the file. 0 when it cannot be forked. */
static inline pid_t child_start(const char *const *argv, const char *const *env, const char *output)
{
	pid_t pid = fork();
	if (pid == 0) {
		int fd = open(output, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
		(void) prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (fd >= 0) {
			(void) dup2(fd, STDOUT_FILENO);
			(void) dup2(fd, STDERR_FILENO);
		}
		if (env)
			(void) execvpe(argv[0], (char *const *) argv, (char *const *) env);
		else
			(void) execvp(argv[0], (char *const *) argv);
		_exit(127);
	}
	return pid < 0 ? 0 : pid;
}

/* Sends the signal and waits at most 10 s: its exit code, 128 + the signal that ended it, or -1 when it had to be killed. */
static inline int child_end(pid_t pid, int number)
{
	int status;
	(void) kill(pid, number);
	for (int i = 0; i < 1000; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		(void) usleep(10000);
	}
	(void) kill(pid, SIGKILL);
	(void) waitpid(pid, &status, 0);
	return -1;
}

#endif
