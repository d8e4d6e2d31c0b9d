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

/* A line of a text that begins so is no fingerprint's: it says what was lost before, about which
 * nobody has decided. Where it is the text of now, it is what somebody has judged already. */
#define FINGERPRINT_LOST_WORD "lost"

struct fingerprint_change {
    enum fingerprint_verdict verdict;
    /* For a person: "table public.outbox was dropped and made again; …". */
    struct buf what;
    /* oids of partitions that are gone, with commas: harmless where they were dropped, a loss where
     * they exist (detached: what is written into them is not sent). */
    struct buf gone;
};

/* A line of such a text, as far as others must know it. */
struct fingerprint_line {
    struct span whole;
    struct span table_name; /* quoted as in SQL; absent: the line is of something else */
    struct span root;       /* oid of the outermost table that it is a partition of; absent: none */
    bool is_sent;
};
/* The quoted name of the table with that oid; absent: the text has none. */
struct span fingerprint_name_of(struct span text, struct span oid);
/* Takes the next line off *rest; false where there is none. */
bool fingerprint_next(struct span *rest, struct fingerprint_line *line);

/* Is there a publication that was not there before? Of an absent text before: no. */
bool fingerprint_has_new_publication(struct span before, struct span now);
/* Appends the lines of `before` without those of a publication that `now` does not look at any
 * more: its own, and what it held of tables and schemas that the other publication has sent all
 * along. */
void fingerprint_without(struct span before, struct span now, const char *publication,
                         struct buf *kept);
/* Both are texts of fingerprint_take(); the buffers of *change are empty, and the caller's. */
void fingerprint_compare(struct span before, struct span now, struct fingerprint_change *change);

#endif
