/* recover/fingerprint_compare: two fingerprints become a verdict and a sentence. Pure; private to
 * this module. */
#ifndef WALFERRY_RECOVER_FINGERPRINT_COMPARE_H
#define WALFERRY_RECOVER_FINGERPRINT_COMPARE_H

#include "base/buf.h"
#include "base/span.h"

enum fingerprint_verdict {
    FINGERPRINT_SAME,
    FINGERPRINT_GREW, /* all that was sent before still was, all the time */
    FINGERPRINT_LOST  /* rows may have been written that were not sent */
};

struct fingerprint_change {
    enum fingerprint_verdict verdict;
    /* For a person: "table public.outbox was dropped and made again; …". */
    struct buf what;
    /* oids of partitions that are gone, with commas: harmless where they were dropped, a loss where
     * they exist (detached: what is written into them is not sent). */
    struct buf gone;
};

/* Both are texts of fingerprint_take(); the buffers of *change are empty, and the caller's. */
void fingerprint_compare(struct span before, struct span now, struct fingerprint_change *change);

#endif
