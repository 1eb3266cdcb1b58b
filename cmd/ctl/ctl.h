/* ctl.h - the operator's command: what every verb shares. A verb's usage line is also what its arguments are read by, so that help
 * and behaviour cannot part: `--name ARG` is needed, `[--name ARG]` is not, `[--name]` takes no value, a bare WORD is a
 * positional argument, `[WORD]` one that may be left out. A positional one too many fills the first needed option that is missing,
 * so `user show 0x..` is `user show --wallet 0x..`.
 * Exit codes: sysexits.h, and 1 where a check found drift. Every change goes to the audit log before it is tried, with who and
 * why; when it then changes nothing, a second row says so. */
#ifndef TAP_CTL_H
#define TAP_CTL_H

#include <stdbool.h>
#include <stdint.h>
#include <sysexits.h>

#include "attr.h"
#include "bus.h"
#include "out.h"
#include "settings.h"
#include "ulid.h"
#include "wallet.h"
#include "week.h"

enum { EX_DRIFT = 1, CTL_ARGS_MAX = 12, CTL_WHO_MAX = 64 };

struct ctl;
struct ctl_verb {
	const char *name;  /* "bet show" */
	const char *usage; /* "ID", "--wallet W [--from MS]"; "" for nothing */
	const char *says;  /* one line */
	int (*run)(struct ctl *c); /* the exit code */
	const char *more;     /* what its own help says beyond that */
	const char *examples; /* command lines, each with its \n */
};

struct ctl_arg {
	char name[24]; /* of an option, without --; "" for a positional one */
	const char *value;
};

struct ctl {
	struct settings settings;
	struct bus_conf bus;
	char password[256];
	char who[CTL_WHO_MAX];
	char asked[64]; /* what was typed as the verb, or what help is wanted for */
	const struct ctl_verb *verb;
	struct ctl_arg args[CTL_ARGS_MAX];
	int n_args;
	int64_t now_ms;
	struct out out;
};

/* Ends with name NULL. */
extern const struct ctl_verb ctl_verbs[];
/* Returns the exit code. */
int ctl_main(int argc, char **argv, const struct ctl_verb *verbs);

/* An option's value, NULL when it was not given; or the i-th positional argument. */
const char *ctl_option(const struct ctl *c, const char *name);
const char *ctl_word(const struct ctl *c, int i);
/* Readers that say what is wrong: false after ctl_fail with EX_USAGE. An absent optional number is `preset`. */
MUST_CHECK bool ctl_wallet(struct ctl *c, struct wallet *ret);
MUST_CHECK bool ctl_number(struct ctl *c, const char *name, int64_t min, int64_t max, int64_t preset, int64_t *ret);
/* A span such as 90s, 30m, 2h or 7d, in seconds. */
MUST_CHECK bool ctl_span(struct ctl *c, const char *name, int64_t max_s, int64_t preset_s, int64_t *ret_s);

/* Says why on stderr (and as `error` in JSON); returns the code. */
PRINTF_LIKE(3, 4) int ctl_fail(struct ctl *c, int code, const char *fmt, ...);
/* The same for a negative result, with the thread's sentence: EX_SOFTWARE, EX_NOPERM, EX_TEMPFAIL or the like by errno. */
int ctl_fail_errno(struct ctl *c, int r, const char *what);

/* The books: NULL after ctl_fail, with *ret_code. */
struct week *ctl_book(struct ctl *c, enum store_mode mode, int *ret_code);
DEFINE_CLEANUP(struct week, week_close)
/* Who, what and why into the audit log: 0, or the exit code after ctl_fail. */
PRINTF_LIKE(3, 4) MUST_CHECK int ctl_audit(struct ctl *c, struct week *w, const char *fmt, ...);

/* Texts for rows. */
void out_wallet(struct out *o, const char *name, const struct wallet *w);
void out_ulid(struct out *o, const char *name, const struct ulid *id);
struct column;
void out_column(struct out *o, const struct column *c);

/* The weeks' files in the data folder, oldest first; the caller frees. NULL: no memory. */
char (*ctl_week_files(const char *dir, size_t *ret_n))[WEEK_NAME_SIZE];

/* The verbs. */
int verb_deposit(struct ctl *c);
int verb_ledger(struct ctl *c);
int verb_trial_balance(struct ctl *c);
int verb_report(struct ctl *c);
int verb_user_show(struct ctl *c);
int verb_user_suspend(struct ctl *c);
int verb_user_resume(struct ctl *c);
int verb_user_limits(struct ctl *c);
int verb_user_exclude(struct ctl *c);
int verb_bet_show(struct ctl *c);
int verb_verify(struct ctl *c);
int ctl_verify_rate(struct ctl *c, const char *bet_id); /* verify --bet */
int verb_integrity(struct ctl *c);
int verb_breaker_open(struct ctl *c);
int verb_breaker_close(struct ctl *c);
int verb_breaker_auto(struct ctl *c);
int verb_status(struct ctl *c);
int verb_week_list(struct ctl *c);
int verb_week_close(struct ctl *c);
int verb_adjust(struct ctl *c);
int verb_migrate_status(struct ctl *c);
int verb_migrate_up(struct ctl *c);
int verb_migrate_down(struct ctl *c);
int verb_archive_list(struct ctl *c);
int verb_archive_run(struct ctl *c);
int verb_archive_fetch(struct ctl *c);
int verb_backup_run(struct ctl *c);
int verb_backup_restore(struct ctl *c);
int verb_backup_drill(struct ctl *c);
int verb_backup_anew(struct ctl *c);
int verb_withdrawals_list(struct ctl *c);
int verb_withdrawals_approve(struct ctl *c);
int verb_withdrawals_reject(struct ctl *c);

#endif
