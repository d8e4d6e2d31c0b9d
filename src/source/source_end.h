/* source_end: where a source ends, and a source around a stream that ends there. For whoever
 * drains a relay up to a place from which something else goes on. Includers take it from source.h.
 */
#ifndef WALFERRY_SOURCE_SOURCE_END_H
#define WALFERRY_SOURCE_SOURCE_END_H

#include "base/span.h"

#include <stdint.h>

struct source;

/* The consistent point of a slot, and the snapshot that was exported with it: it sees what had
 * committed before that place in the WAL, and no more. */
struct source_end {
    uint64_t lsn; /* 0: there is no end */
    struct span snapshot;
};

/* Hands on the transactions whose commit record begins before end_lsn, which is no place inside one
 * of those, then a MARK there, and then nothing. inner writes no resume; it is taken over. */
struct source *source_until(struct source *inner, uint64_t end_lsn);

#endif
