/* base/reason: why something ended, as a value.
 *
 * The rows stand in base/reason.def. The program compares these values; the slug is for logs,
 * metrics and people only. */
#ifndef WALFERRY_BASE_REASON_H
#define WALFERRY_BASE_REASON_H

#include <stdbool.h>

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

enum error_kind { ERROR_NONE, ERROR_RETRY, ERROR_DATA, ERROR_STOP };

enum reason {
    REASON_NONE,
#define REASON(name, slug, kinds, exit_code, mend, sentence) REASON_##name,
#include "base/reason.def"
#undef REASON
    REASON_COUNT
};

/* The stable slug, such as "slot_lost"; "" for REASON_NONE. */
const char *reason_slug(enum reason reason);
/* The reason of a slug that another process has written; REASON_NONE: there is no such one. */
enum reason reason_find(const char *slug);
/* Whether errors of this kind may have it. */
bool reason_has_kind(enum reason reason, enum error_kind kind);
/* Whether a mend may be printed with it: whoever gives an error one asserts this. */
bool reason_has_mend(enum reason reason);
/* The exit code of the process where an error of this kind and reason ends it. */
enum exit_code reason_exit_code(enum reason reason, enum error_kind kind);

#endif
