/* route/route_jq_value: JSON becomes a value of libjq, and back. Internal to the worker of the cage
 * (route_jq_worker.h).
 *
 * libjq's own reader and writer round numbers, in 1.7 otherwise than in 1.6, and are slower. */
#ifndef WALFERRY_ROUTE_ROUTE_JQ_VALUE_H
#define WALFERRY_ROUTE_ROUTE_JQ_VALUE_H

#include "base/buf.h"

#include <jq.h>

/* Deeper is neither read nor written. */
#define JQ_DEPTH_MAX 512

/* Names of members come again with each row. */
#define JQ_NAMES 256

struct jq_names {
    jv names[JQ_NAMES]; /* by a hash of their bytes; an invalid one is none */
};

void jq_names_init(struct jq_names *names);

struct jq_reading {
    struct jq_names *names;
    bool numbers_are_errors; /* those that a double does not hold; else they become strings */
};

#define JQ_WHY_MAX 160

/* False: *why says what is wrong. The JSON is what PostgreSQL or a writer of ours made. */
bool jq_value_read(const struct jq_reading *reading, struct span json, jv *value,
                   char why[JQ_WHY_MAX]);
/* Appends the value as compact JSON, members in their order; takes no reference away. Bytes of
 * strings are UTF-8 already. False: *why says what JSON cannot hold. */
bool jq_value_write(jv value, struct buf *out, char why[JQ_WHY_MAX]);

#endif
