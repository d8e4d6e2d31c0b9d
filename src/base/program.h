/* base/program: a program of the operator's is run, and what it prints is taken: a password, a
 * token.
 *
 * No shell: the first argument is the program, looked for in PATH where it has no slash. It has our
 * environment and directory, /dev/null for input, no other descriptor of ours and no signal
 * blocked, and is the first of a process group of its own, which is killed where it takes too long,
 * prints too much or is not wanted any more. It is always reaped.
 *
 * Errors are ERROR_RETRY and name key, program, how it ended and what it wrote to its standard
 * error; never what it printed: that is a secret, and is left out where it stands in the other,
 * too. */
#ifndef WALFERRY_BASE_PROGRAM_H
#define WALFERRY_BASE_PROGRAM_H

#include "base/buf.h"
#include "base/error.h"

#include <stdatomic.h>

#define PROGRAM_TIMEOUT_MS 10000
#define PROGRAM_OUTPUT_MAX (64 * 1024)

struct program_options {
    const char *const *arguments; /* the program first; NULL behind the last */
    const char *given_by;         /* the key that it stands under */
    const char *wanted;           /* what it is to print, for the hint: "the password" */
    enum reason reason;           /* of a failure */
    int64_t timeout_ms;           /* 0: PROGRAM_TIMEOUT_MS */
    const atomic_bool *stop;      /* ends it within 100 ms, reason "stopping"; may be NULL */
};

/* Appends what it prints without the newline at its end; at most PROGRAM_OUTPUT_MAX bytes, at least
 * one, no NUL. Waits, and blocks no other thread. The caller wipes what it got. */
int program_run(const struct program_options *options, struct buf *said, struct error *err);

/* Overwrites what stands there before it is given back. */
void program_forget(struct buf *said);

#endif
