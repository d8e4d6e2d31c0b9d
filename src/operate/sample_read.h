/* operate/sample_read: changes out of a file of JSON; private to this module. What the file looks
 * like is said in docs/TASKS.md, "Trying routes without a server". */
#ifndef WALFERRY_OPERATE_SAMPLE_READ_H
#define WALFERRY_OPERATE_SAMPLE_READ_H

#include "base/arena.h"
#include "base/error.h"
#include "json/json_read.h"
#include "model/change.h"

/* The change that the node describes, in the arena, as if it were the nth of a transaction; n from
 * 1. ERROR_STOP, EXIT_USAGE, "sample": it is none, and why. */
int sample_read(const struct json_tree *node, uint64_t n, struct arena *arena,
                struct change *change, struct error *err);

#endif
