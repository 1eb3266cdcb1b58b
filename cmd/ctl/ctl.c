#include "ctl.h"

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "args.h"
#include "clk.h"
#include "err.h"
#include "help.h"

extern char **environ;

int ctl_fail(struct ctl *c, int code, const char *fmt, ...)
{
	char text[ERR_TEXT_MAX + 128];
	va_list ap;
	va_start(ap, fmt);
	(void) vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	(void) fprintf(stderr, "tap-trading-ctl: %s\n", text);
	if (c->out.json) {
		/* whatever was answered so far is replaced */
		out_free(&c->out);
		out_begin(&c->out, true);
		out_text(&c->out, "error", text);
		out_int(&c->out, "exit", code);
	}
	return code;
}

int ctl_fail_errno(struct ctl *c, int r, const char *what)
{
	int code = EX_SOFTWARE;
	switch (-r) {
	case EACCES:
	case EPERM:
	case EROFS:
		code = EX_NOPERM;
		break;
	case ECONNREFUSED:
	case ENOTCONN:
	case ETIMEDOUT:
	case ENOENT:
		code = EX_UNAVAILABLE;
		break;
	case ENOSPC:
	case EAGAIN:
	case EBUSY:
		code = EX_TEMPFAIL;
		break;
	case EIO:
		code = EX_IOERR;
		break;
	default:
		break;
	}
	const char *why = err_text();
	return ctl_fail(c, code, "%s: %s", what, why[0] ? why : strerror(-r));
}

struct week *ctl_book(struct ctl *c, enum store_mode mode, int *ret_code)
{
	struct week *w = NULL;
	const char *dir = c->settings.data_dir.v;
	/* an operator who mistypes a folder does not want a new book in it */
	if (mode == STORE_WRITE && access(dir, W_OK | X_OK) < 0) {
		*ret_code = ctl_fail_errno(c, err_say(-errno, "%s: %s", dir, strerror(errno)), "the books");
		return NULL;
	}
	int r = week_open(&w, dir, mode, c->now_ms);
	if (r == STORE_E_ABSENT)
		*ret_code = ctl_fail(c, EX_NOINPUT, "%s: there are no books (TAP_DATA_DIR)", dir);
	else if (r == STORE_E_NEWER)
		*ret_code = ctl_fail(c, EX_DATAERR, "%s: the books are of a newer release", dir);
	else if (r == STORE_E_FULL)
		*ret_code = ctl_fail(c, EX_TEMPFAIL, "%s: the disk is full", dir);
	else if (r < 0)
		*ret_code = ctl_fail_errno(c, r, "the books");
	return r == 0 ? w : NULL;
}

int ctl_audit(struct ctl *c, struct week *w, const char *fmt, ...)
{
	char what[256];
	const char *why = ctl_option(c, "reason");
	va_list ap;
	va_start(ap, fmt);
	(void) vsnprintf(what, sizeof what, fmt, ap);
	va_end(ap);
	int r = week_audit_log(w, c->who, what, why ? why : "", c->now_ms);
	if (r > 0)
		return ctl_fail(c, EX_TEMPFAIL, "the audit log cannot be written: the disk is full");
	return r < 0 ? ctl_fail_errno(c, r, "the audit log cannot be written") : 0;
}

void out_wallet(struct out *o, const char *name, const struct wallet *w)
{
	char text[WALLET_TEXT_SIZE];
	wallet_format(text, w);
	out_text(o, name, text);
}

void out_ulid(struct out *o, const char *name, const struct ulid *id)
{
	char text[ULID_TEXT_SIZE];
	ulid_format(text, id);
	out_text(o, name, text);
}

static void find_who(struct ctl *c)
{
	const char *name = getenv("SUDO_USER");
	if (!name || !name[0])
		name = getenv("USER");
	if (name && name[0])
		(void) snprintf(c->who, sizeof c->who, "%.60s", name);
	else
		(void) snprintf(c->who, sizeof c->who, "uid %ld", (long) getuid());
}

static int run(struct ctl *c)
{
	int wrong = settings_load(&c->settings, environ, stderr);
	if (wrong)
		return ctl_fail(c, EX_CONFIG, "%d configuration keys are wrong", wrong);
	int r = settings_bus(&c->settings, &c->bus, c->password, sizeof c->password);
	if (r < 0) {
		/* many verbs need no Redis, and a missing password shows where it is needed */
		c->bus = (struct bus_conf){ .address = c->settings.redis.v, .user = "", .password = "",
			.timeout_ms = (int) c->settings.redis_timeout_ms };
		err_clear();
	}
	return c->verb->run(c);
}

static int written(void)
{
	return fflush(stdout) == 0 && !ferror(stdout) ? 0 : EX_IOERR;
}

static int tell(const struct ctl *c, const struct ctl_verb *verbs, const struct manual *p)
{
	if (c->asked[0])
		help_about(verbs, c->asked, p);
	else
		help_all(verbs, p);
	return written();
}

int ctl_main(int argc, char **argv, const struct ctl_verb *verbs)
{
	struct ctl *c = calloc(1, sizeof *c);
	if (!c)
		return EX_OSERR;
	c->now_ms = clk_now_ms();
	find_who(c);
	int code = EX_USAGE;
	bool answers = false;
	switch (args_read(c, argc, argv, verbs)) {
	case ARGS_HELP:
		code = tell(c, verbs, &(struct manual){ .to = stdout });
		break;
	case ARGS_MANUAL:
		code = tell(c, verbs, &(struct manual){ .to = stdout, .roff = true });
		break;
	case ARGS_COMPLETION:
		help_completion(verbs, stdout);
		code = written();
		break;
	case ARGS_VERSION:
		(void) printf("tap-trading-ctl %s\n", TAP_RELEASE);
		code = written();
		break;
	case ARGS_VERB:
		code = run(c);
		answers = true;
		break;
	case ARGS_WRONG:
		answers = true;
		break;
	}
	if (answers && !out_print(&c->out, stdout) && code == 0)
		code = EX_IOERR;
	out_free(&c->out);
	explicit_bzero(c->password, sizeof c->password);
	free(c);
	return code;
}
