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

#include <stdarg.h>

enum error_kind { ERROR_NONE, ERROR_RETRY, ERROR_DATA, ERROR_STOP };

/* Exit codes of the program; see docs/OPERATIONS.md. */
enum exit_code {
    EXIT_OK = 0,
    EXIT_NO = 1,      /* the command ran and its answer is no */
    EXIT_USAGE = 2,   /* usage, configuration, or something that a person must give */
    EXIT_REFUSED = 3, /* going on would lose or repeat data */
    EXIT_FENCED = 4,  /* another instance has taken over */
    EXIT_DATA = 5,    /* a data error under on_error: stop */
    EXIT_GAVE_UP = 6  /* retry.give_up_ms has passed */
};

#define ERROR_TEXT_MAX 1024
#define ERROR_HINT_MAX 768
#define ERROR_REASON_MAX 48

struct error {
    enum error_kind kind;
    enum exit_code exit_code;      /* meaningful for ERROR_STOP and ERROR_DATA */
    char reason[ERROR_REASON_MAX]; /* stable slug such as "slot_lost": metrics label, log field */
    char text[ERROR_TEXT_MAX];
    char hint[ERROR_HINT_MAX]; /* how to mend it; may be empty */
};

#define ERROR_INIT ((struct error){.kind = ERROR_NONE})

const char *error_kind_name(enum error_kind kind);

/* Each fills *err anew and returns -1, so that callers can `return error_retry(err, …)`. `reason`
 * is a stable slug of [a-z_]. */
int error_retry(struct error *err, const char *reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int error_data(struct error *err, const char *reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int error_stop(struct error *err, enum exit_code code, const char *reason, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Puts "context: " before the text; kind, code, reason and hint stay. Returns -1. */
int error_wrap(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Sets the hint. Returns -1. */
int error_hint(struct error *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
