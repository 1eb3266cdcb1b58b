/* s3_server.h - a real S3 endpoint of the test's own (s3-server.mjs: radosgw behind a fault proxy), stopped and removed at the end.
 * For tests only. It takes 14 s to start on a quiet machine: one for a program. */
#ifndef TAP_TEST_S3_SERVER_H
#define TAP_TEST_S3_SERVER_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "child.h"
#include "clk.h"
#include "folder.h"
#include "s3.h"

struct s3_server {
	char dir[64];
	char endpoint[64];          /* through the proxy */
	char direct[64];            /* past it */
	char conf[96];              /* radosgw-admin's */
	char access[32], secret[48];
	char credentials_file[96];  /* as TAP_S3_CREDENTIALS_FILE wants it */
	pid_t pid;
};

static inline bool s3_server_credentials(const struct s3_server *s, const char *access, const char *secret)
{
	char fresh[112];
	(void) snprintf(fresh, sizeof fresh, "%s.new", s->credentials_file);
	FILE *f = fopen(fresh, "we");
	bool good = f && fprintf(f, "%s:%s\n", access, secret) > 0;
	return f && fclose(f) == 0 && good && rename(fresh, s->credentials_file) == 0;
}

static inline bool s3_server_member(const char *json, const char *name, char *out, size_t size)
{
	char quoted[32];
	(void) snprintf(quoted, sizeof quoted, "\"%s\":\"", name);
	const char *at = strstr(json, quoted);
	if (!at)
		return false;
	at += strlen(quoted);
	(void) snprintf(out, size, "%.*s", (int) strcspn(at, "\""), at);
	return true;
}

static inline bool s3_server_ready(struct s3_server *s, const char *output)
{
	char line[512] = "";
	FILE *f = fopen(output, "re");
	if (!f)
		return false;
	bool whole = fgets(line, sizeof line, f) != NULL && strchr(line, '\n') != NULL;
	(void) fclose(f);
	return whole && s3_server_member(line, "endpoint", s->endpoint, sizeof s->endpoint) &&
	       s3_server_member(line, "direct", s->direct, sizeof s->direct) &&
	       s3_server_member(line, "conf", s->conf, sizeof s->conf) &&
	       s3_server_member(line, "access", s->access, sizeof s->access) &&
	       s3_server_member(line, "secret", s->secret, sizeof s->secret) && s3_server_credentials(s, s->access, s->secret);
}

static inline void s3_server_stop(struct s3_server *s)
{
	if (s->pid > 0)
		(void) child_end(s->pid, SIGTERM);
	s->pid = 0;
	(void) folder_remove(s->dir);
}

static inline bool s3_server_start(struct s3_server *s)
{
	char output[96], cluster[96];
	(void) snprintf(s->dir, sizeof s->dir, "/tmp/tap-s3-XXXXXX");
	if (!mkdtemp(s->dir))
		return false;
	(void) snprintf(output, sizeof output, "%s/output", s->dir);
	(void) snprintf(cluster, sizeof cluster, "%s/cluster", s->dir);
	(void) snprintf(s->credentials_file, sizeof s->credentials_file, "%s/credentials", s->dir);
	const char *const argv[] = { "node", TAP_SOURCE_DIR "/tests/support/s3-server.mjs", cluster, NULL };
	s->pid = child_start(argv, NULL, output);
	for (int i = 0; s->pid > 0 && i < 3000; i++) {
		int status;
		if (s3_server_ready(s, output))
			return true;
		if (waitpid(s->pid, &status, WNOHANG) == s->pid)
			s->pid = 0;
		(void) clk_sleep_until_ms(clk_mono_ms() + 100);
	}
	(void) fprintf(stderr, "no S3 endpoint:\n");
	const char *const show[] = { "cat", output, NULL };
	(void) child_end(child_start(show, NULL, "/dev/stderr"), 0);
	s3_server_stop(s);
	return false;
}

/* The proxy's rules, as s3-server.mjs has them; "[]": none. */
static inline bool s3_server_faults(const struct s3_server *s, const char *rules)
{
	char command[1024];
	(void) snprintf(command, sizeof command, "curl -sf -o /dev/null -X PUT --data '%s' %s/-/faults", rules, s->endpoint);
	return system(command) == 0;
}

/* How many of the requests since s3_server_forget have the words in "METHOD path?query". */
static inline int s3_server_seen(const struct s3_server *s, const char *words)
{
	char command[256], line[32] = "";
	(void) snprintf(command, sizeof command, "curl -sf %s/-/seen | tr ',' '\\n' | grep -c -F -- '%s'", s->endpoint, words);
	FILE *f = popen(command, "r");
	bool read = f && fgets(line, sizeof line, f) != NULL;
	if (f)
		(void) pclose(f);
	return read ? (int) strtol(line, NULL, 10) : -1;
}

static inline bool s3_server_forget(const struct s3_server *s)
{
	char command[160];
	(void) snprintf(command, sizeof command, "curl -sf -o /dev/null -X PUT --data '' %s/-/seen", s->endpoint);
	return system(command) == 0;
}

/* radosgw-admin's words. */
static inline bool s3_server_admin(const struct s3_server *s, const char *words)
{
	char command[512];
	(void) snprintf(command, sizeof command, "timeout 60 radosgw-admin -c %s %s >/dev/null 2>&1", s->conf, words);
	return system(command) == 0;
}

/* Settings that suit a test: quick tries, and patience for a machine with much else to do. */
static inline struct s3_conf s3_server_conf(const struct s3_server *s)
{
	return (struct s3_conf){ .endpoint = s->endpoint, .bucket = "tap-trading", .region = "us-east-1",
		.credentials_file = s->credentials_file, .still_ms = 20000, .tries = 4, .pause_ms = 20 };
}

#endif
