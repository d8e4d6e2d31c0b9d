/* change_dump: a change as one line of text, for golden files and for assertions that a person can
 * read. Every field of struct change that carries meaning is in the line, so that equal dumps mean
 * equal changes. */
#ifndef WALFERRY_TESTS_CHANGE_DUMP_H
#define WALFERRY_TESTS_CHANGE_DUMP_H

#include "base/buf.h"
#include "model/change.h"

/* Appends the line with its newline. */
void dump_change(struct buf *out, const struct change *change);
/* Appends "relation …" with columns and version, and a newline. */
void dump_relation(struct buf *out, const struct relation *relation);

#endif
