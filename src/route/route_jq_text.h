/* route/route_jq_text: the text of a jq program, before libjq sees it. Internal to the module.
 *
 * Refused is whatever could make two evaluations of one row differ, or reach out of the process:
 * environment, files, other inputs, clock, time zone, output, the version of jq. Numbers of the
 * program that a double does not hold are refused, too, because jq would round them.
 *
 * What libjq is given is the same program with one token a line: all versions tell the line of an
 * error, and so it leads to the token, its line and its column. Numbers are written in the one way
 * in which every version of libjq prints them, because 1.7 keeps those of the program as they are
 * written. */
#ifndef WALFERRY_ROUTE_ROUTE_JQ_TEXT_H
#define WALFERRY_ROUTE_ROUTE_JQ_TEXT_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

#include <stdint.h>

struct jq_token {
    size_t start; /* in the source */
    size_t len;
    uint32_t line; /* its first one in the text for libjq, from 1 */
};

struct jq_text {
    struct span source;
    uint32_t count;
    struct jq_token *tokens;
    struct span for_libjq;
};

/* Everything lives in the arena or in the source. ERROR_STOP, EXIT_USAGE, reason "bad_jq"; the text
 * begins with "line 2, column 7: ". */
int jq_text_read(struct span source, struct arena *arena, struct jq_text *text, struct error *err);
/* An error of libjq's compiler in the same form: cut to its first one, the line led back. Returns
 * -1. */
int jq_text_error(const struct jq_text *text, struct span said, struct error *err);

#endif
