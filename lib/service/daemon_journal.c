#define SD_JOURNAL_SUPPRESS_LOCATION
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <systemd/sd-journal.h>
#include <unistd.h>

#include "daemon_impl.h"

enum { FIELDS_MAX = 8, FIELD_BYTES_MAX = 1152 };

struct entry {
	struct iovec iov[FIELDS_MAX];
	char text[FIELDS_MAX][FIELD_BYTES_MAX];
	int n;
};

static void add_field(struct entry *e, const char *name, const char *value)
{
	if (!value)
		return;
	int n = snprintf(e->text[e->n], FIELD_BYTES_MAX, "%s=%s", name, value);
	size_t len = n < FIELD_BYTES_MAX ? (size_t) n : FIELD_BYTES_MAX - 1;
	e->iov[e->n] = (struct iovec){ .iov_base = e->text[e->n], .iov_len = len };
	e->n++;
}

static void journal_sink(enum log_level level, const char *component, const struct log_ctx *ctx, const char *message)
{
	struct entry e;
	char priority[4];
	e.n = 0;
	(void) snprintf(priority, sizeof priority, "%d", (int) level);
	add_field(&e, "MESSAGE", message);
	add_field(&e, "PRIORITY", priority);
	add_field(&e, "COMPONENT", component);
	if (ctx) {
		add_field(&e, "REQUEST_ID", ctx->request_id);
		add_field(&e, "BET_ID", ctx->bet_id);
		add_field(&e, "WALLET", ctx->wallet);
	}
	if (sd_journal_sendv(e.iov, e.n) < 0) /* full or restarting: its stream takes plain lines */
		(void) dprintf(STDERR_FILENO, "<%d>%s\n", (int) level, message);
}

/* JOURNAL_STREAM names the device and inode of the stream that systemd gave us (systemd.exec(5)); when stderr was led
 * elsewhere since, its lines belong there. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	struct stat st;
	char ours[64];
	if (!stream || fstat(STDERR_FILENO, &st) < 0)
		return false;
	(void) snprintf(ours, sizeof ours, "%llu:%llu", (unsigned long long) st.st_dev, (unsigned long long) st.st_ino);
	return strcmp(stream, ours) == 0;
}

void journal_use(void)
{
	/* Where no journal listens the library drops entries without a word. */
	if (stderr_is_journal() && access("/run/systemd/journal/socket", W_OK) == 0)
		log_set_sink(journal_sink);
}
