/* base/error: what went wrong, as a reaction.
 *
 * A function that can fail returns int (0 or -1; some return 1/0/-1) and takes `struct error *err`
 * last, never NULL. It is filled where the failure happens, wrapped with context on the way up, and
 * logged once, in relay/ or cli/. The kind says the only reaction there is:
 *
 *   ERROR_RETRY  close the epoch, back off, open again
 *   ERROR_DATA   one change cannot be published: its route's on_error decides
 *   ERROR_STOP   exit with `exit_code`; `hint` is the exact command or edit that mends it
 *
 * Texts are lower-case, one line, without a full stop. They never hold a secret. */
#ifndef WALFERRY_BASE_ERROR_H
#define WALFERRY_BASE_ERROR_H

#include "base/reason.h"

#include <stdarg.h>

#define ERROR_TEXT_MAX 1024
#define ERROR_HINT_MAX 768

struct error {
    enum error_kind kind;
    enum exit_code exit_code; /* meaningful for ERROR_STOP and ERROR_DATA */
    enum reason reason;       /* its slug is a metrics label and a log field */
    char text[ERROR_TEXT_MAX];
    char hint[ERROR_HINT_MAX]; /* how to mend it; may be empty */
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

/* Puts "context: " before the text; kind, code, reason and hint stay. Returns -1. */
int error_wrap(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Sets the hint. Returns -1. */
int error_hint(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
