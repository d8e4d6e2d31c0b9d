/* base/error: what went wrong, as a reaction.
 *
 * A function that can fail returns int (0 or -1; some return 1/0/-1) and takes `struct error *err`
 * last, never NULL. It is filled where the failure happens, wrapped with context on the way up, and
 * logged once, in relay/ or cli/. The kind says the only reaction there is:
 *
 *   ERROR_RETRY  close the epoch, back off, open again
 *   ERROR_DATA   one change cannot be published: its route's on_error decides
 *   ERROR_STOP   exit with `exit_code`; hint and mends say what to do about it
 *
 * Texts are lower-case, one line, without a full stop. They never hold a secret. */
#ifndef WALFERRY_BASE_ERROR_H
#define WALFERRY_BASE_ERROR_H

#include "base/reason.h"

#include <stdarg.h>

#define ERROR_TEXT_MAX 1024
#define ERROR_HINT_MAX 768
#define ERROR_MEND_MAX 768
#define ERROR_MENDS_MAX 2

/* What can be run as it stands. A command of walferry is kept as its arguments; program and file
 * are put around them where it is printed, since only that place knows how walferry was started. */
enum mend_kind { MEND_NONE, MEND_COMMAND, MEND_SQL, MEND_SHELL };

struct mend {
    enum mend_kind kind;
    char line[ERROR_MEND_MAX];
};

/* How this program was started. */
struct invocation {
    const char *program; /* NULL: walferry */
    const char *file;    /* the configuration; NULL: none is known */
};

struct error {
    enum error_kind kind;
    enum exit_code exit_code; /* meaningful for ERROR_STOP and ERROR_DATA */
    enum reason reason;       /* its slug is a metrics label and a log field */
    char text[ERROR_TEXT_MAX];
    char hint[ERROR_HINT_MAX]; /* a sentence that leads to the mends, or stands alone; may be empty
                                */
    struct mend mends[ERROR_MENDS_MAX]; /* each by itself would do; the first are used first */
};

#define ERROR_INIT ((struct error){.kind = ERROR_NONE})

const char *error_kind_name(enum error_kind kind);

/* Each fills *err anew and returns -1, so that callers can `return error_retry(err, …)`. The exit
 * code, and which reasons a kind may have, stand in base/reason.def. */
int error_retry(struct error *err, enum reason reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int error_data(struct error *err, enum reason reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int error_stop(struct error *err, enum reason reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "context: " before the text; all else stays. Returns -1. */
int error_wrap(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Sets the hint and forgets the mends. Returns -1. */
int error_hint(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Adds a mend: arguments of a walferry command, quoted for a shell where that is needed; a
 * statement of SQL, identifiers quoted; a line for a shell. One that is too long to be whole is
 * left out. The reason must be one with a mend (base/reason.def). Returns -1. */
int error_mend(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
int error_mend_sql(struct error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int error_mend_shell(struct error *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

struct buf;
/* Hint and mends in one line, each mend whole: "hint: mend, or: mend", "run: mend". */
void error_advice(const struct error *err, const struct invocation *as, struct buf *out);
/* One of them alone, whole, appended. */
void error_mend_line(const struct mend *mend, const struct invocation *as, struct buf *out);
/* Appends one word of a POSIX shell, whatever is in it. */
void error_shell_word(struct buf *out, const char *text);

#endif
