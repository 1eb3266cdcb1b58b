/* archive_impl.h - what the files of archive share. Private to archive*.c. */
#ifndef TAP_ARCHIVE_IMPL_H
#define TAP_ARCHIVE_IMPL_H

#include "archive.h"

enum { ARCHIVE_PATH_MAX = 384 };

/* What the work at hand takes of processor and disk: see archive_pace.c. */
struct pace {
	int64_t cpu_us, began_us;  /* at the last look; the thread's, monotonic */
	int64_t due_us;            /* until then what was taken is paid for */
	int64_t bytes;             /* read and written since the last look */
	int64_t unsent;            /* written since the disk was last told to take it */
	const char *made;          /* the file that is written; NULL: none */
	int fd;                    /* of it; -1: not opened yet */
};

struct job {
	const struct archive_conf *conf;
	struct week *w;
	struct s3 *s3;             /* opened when it is first needed */
	int lock_fd;
	int64_t began_ms, began_mono_ms; /* as the caller said, which is also when it began */
	struct pace pace;          /* of the thread that works on it */
	char dir[ARCHIVE_PATH_MAX - 64]; /* DIR/archive */
	/* the week at hand */
	struct week_info info;
	struct week_archive a;
	char label[WEEK_LABEL_SIZE], key[ARCHIVE_KEY_SIZE];
	char copy[ARCHIVE_PATH_MAX], packed[ARCHIVE_PATH_MAX], local[ARCHIVE_PATH_MAX];
	char pressed[ARCHIVE_PATH_MAX], thawed[ARCHIVE_PATH_MAX]; /* what the object unpacks to; what that thaws to */
};

/* Runs work(j) on a thread of its own, at its pace, and waits for it: its result and its sentence are passed on. All stores that it opens
 * are read and written at that pace too. */
MUST_CHECK int archive_aside(struct job *j, int (*work)(struct job *j));
/* Asked by that thread after each bit of work, a quarter of a millisecond or so: sleeps as long as the share wants it, and answers
 * -ECANCELED once it is to stop. */
MUST_CHECK int archive_pace(struct job *j);
/* What was read or written by other ways than a store: counts for the share. */
void archive_passed(struct job *j, int64_t bytes, bool written);
/* The file that is written from now on: what is written goes to its disk in small pieces as it comes. NULL: none. */
void archive_makes(struct job *j, const char *path);
/* Writes all of it to the file that is made. */
MUST_CHECK int archive_write(struct job *j, int fd, const void *bytes, size_t n);
bool archive_is_to_stop(const struct job *j);

/* The steps. Each brings j->a one state on, or answers why not. */
MUST_CHECK int archive_copy(struct job *j);
MUST_CHECK int archive_pack(struct job *j);
MUST_CHECK int archive_send(struct job *j);
MUST_CHECK int archive_verify(struct job *j);
/* The copy pressed, and thawed again to be compared: j->a.form, and of PRESSED rows_hash. */
MUST_CHECK int archive_press(struct job *j);
/* j->pressed, which was compared, thawed into j->copy and compared with rows_hash. ARCHIVE_E_TAMPERED: it is another book. */
MUST_CHECK int archive_thaw(struct job *j);
/* Fetches the object and compares it with what is recorded, block by block, then as a whole; its content goes to fd, unless -1.
 * 0; ARCHIVE_E_TAMPERED; ARCHIVE_E_REFUSED; ARCHIVE_E_ABSENT: there is no such object; <0. */
MUST_CHECK int archive_compare(struct job *j, int fd);
/* Compares once more, then removes the local file. */
MUST_CHECK int archive_purge(struct job *j);
MUST_CHECK int archive_bring_back(struct job *j);

MUST_CHECK int archive_record(struct job *j); /* j->a into meta.db */
MUST_CHECK int archive_audit(struct job *j, const char *what);
/* A run may last for hours: what is recorded has the time at which it was. */
int64_t archive_now_ms(const struct job *j);
void archive_begins(const struct job *j, const char *what);
void archive_told(const struct job *j, const char *what);
MUST_CHECK int archive_s3(struct job *j);
/* An S3_E_* as an ARCHIVE_E_*, its sentence kept; others as they are. */
int archive_of_s3(int r);
MUST_CHECK int archive_sync_dir(const char *path);
MUST_CHECK int archive_fail(const char *path, const char *what); /* of errno; the full disk is ARCHIVE_E_FULL */
MUST_CHECK int archive_remove(const char *path);                 /* 0 also when it is not there */
MUST_CHECK int archive_remove_book(const char *path);            /* with what SQLite lays beside it */
MUST_CHECK int archive_remove_beside(const char *path);          /* that alone */

#endif
