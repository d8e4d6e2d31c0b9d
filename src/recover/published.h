/* recover/published: is what the server sends still what it sent when the record was written?
 *
 * A relay that goes on by itself where rows were not sent would have lost them without a word, and
 * one that refuses where nothing was missed would be down for nothing. What tells the two apart is
 * recover/fingerprint. */
#ifndef WALFERRY_RECOVER_PUBLISHED_H
#define WALFERRY_RECOVER_PUBLISHED_H

#include "recover/look.h"

/* Of a note's text: below what a topic takes where nobody has said otherwise (1 MB). Some 15,000
 * tables. */
#define PUBLISHED_NOTE_MAX 900000

/* How a refusal begins, and the end of an epoch before it. */
#define PUBLISHED_HAS_CHANGED "what the server sends to this relay has changed"

enum published_news {
    PUBLISHED_SAME,
    PUBLISHED_FIRST, /* the record has none: it is of an older version */
    PUBLISHED_GREW   /* `what` says how */
};

struct published {
    struct fingerprint now;
    enum published_news news;
    bool lost;         /* rows may be missing, and the record does not say so yet */
    uint64_t lost_lsn; /* from where on */
    struct span
        before;       /* the text of the fingerprint of the record; absent: it was not asked for */
    char what[480];   /* for a person */
    struct span gone; /* oids of partitions that are gone, with commas; may be empty */
};

/* What somebody has seen since the record's fingerprint was taken, and may be undone by now. */
struct published_seen {
    struct span text;    /* of another fingerprint; absent where `touched` is there */
    struct span touched; /* what was changed and put back, for a person */
    uint64_t lsn;        /* from behind that look; 0: nothing was seen */
};

struct published_options {
    const struct router *router;
    const struct config_source *source;
    struct span remembered; /* the text of the fingerprint of the record, where somebody knows it */
    struct published_seen seen;
    uint64_t guard_lsn; /* where a guard was met; 0: nowhere */
};

/* Fills *out; its text lives in ends->arena. Asks the ledger for the text of the fingerprint of
 * found->progress only where another one stands there now, or was seen. ERROR_STOP, EXIT_REFUSED:
 * publication_changed: rows may be missing; names what changed, and from where to where;
 * publication_gone: a person has decided about what changed, but the server cannot read on. The
 * mend is the one that helps: with another publication it may not be able to read on, either. */
int relay_check_published(const struct recovery *ends, const struct published_options *options,
                          const struct found *found, struct published *out, struct error *err);
/* origin_ops.missing; NULL where the origin has nothing that could be. */
int relay_find_missing(const struct recovery *ends, const struct found *found, const char **missing,
                       struct error *err);
/* `publication` exists, but it was made after the position of found->progress, so the server cannot
 * read what was written before: until_lsn is a place behind that. ERROR_STOP, EXIT_REFUSED,
 * publication_gone. */
int relay_refuse_gone(const struct recovery *ends, const struct config_source *source,
                      const char *publication, const struct found *found, uint64_t until_lsn,
                      struct error *err);
/* What is sent from now on, whatever was sent before: for a first record, and for one that a person
 * has decided about. To be taken before an origin is made, so that the next open sees what changes
 * from then on. */
int relay_take_published(const struct recovery *ends, const struct router *router,
                         struct published *out, struct error *err);
/* The record says that rows may be missing, whatever becomes of what has changed: nobody goes on
 * from it but by `rebase`. Asserts published->lost. The note is as with published_sign(). */
struct span published_sign_lost(const struct published *published, struct arena *arena,
                                struct progress *record);
/* The record takes it over. The note for relay_write_record(): in the arena; absent where it
 * is the one that stands there. */
struct span published_sign(const struct published *published, struct arena *arena,
                           struct progress *record);

#endif
