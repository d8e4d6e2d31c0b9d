/* relay/shorten: a message that is larger than its topic takes becomes one that may fit, as its
 * route's oversize.policy says. What cannot be is its verdict's. */
#ifndef WALFERRY_RELAY_SHORTEN_H
#define WALFERRY_RELAY_SHORTEN_H

#include "publish/publish.h"
#include "relay/claim_store.h"
#include "relay/verdict.h"

/* A value that walferry.claim does not take is tried again, an epoch for each try, and then it is
 * as any other error of its route. Outlives the epochs. */
struct claim_trouble {
    struct verdict_unit unit; /* refused last */
    char sqlstate[6];         /* by that */
    uint32_t tries;
    int64_t known_until_us; /* until then others that are refused so are not tried again */
};

struct shortener {
    const struct verdict_facts *verdicts; /* routes and metrics */
    const struct publisher *publisher;    /* which says by how much it is too large */
    struct claim_store *claims;           /* NULL: no route wants it */
    struct claim_trouble *trouble;        /* the same */
    int64_t now_us;                       /* of the step */
    int64_t wall_us;                      /* the same; it goes on while the machine sleeps */
    const struct message *asking;         /* for this one the store was asked, */
    int64_t asked_us, asked_wall_us;      /* since then; what it puts lives from there at least */
    /* When what was referred to has lived for three quarters of its time; 0: nothing was. */
    int64_t fresh_until_us, fresh_until_wall_us;
};

static inline void shortener_init(struct shortener *shortener, const struct verdict_facts *verdicts,
                                  const struct publisher *publisher, struct claim_store *claims,
                                  struct claim_trouble *trouble)
{
    *shortener = (struct shortener){
        .verdicts = verdicts, .publisher = publisher, .claims = claims, .trouble = trouble};
}

enum shortened {
    SHORTENED_FAILED = -1, /* the epoch must be closed */
    SHORTENED_NOT,         /* it is as it was; *err, still of kind ERROR_DATA, says why */
    SHORTENED,             /* it is another message, and *err is empty */
    SHORTENED_LATER        /* call again with the same; *err is empty */
};

/* err: why the publisher refused it, of kind ERROR_DATA. The message is not with the publisher:
 * a reference is in it only once what it refers to is committed. */
enum shortened shorten(struct shortener *shortener, struct message *message, struct arena *arena,
                       struct error *err);

/* To be asked once the reports of all that refers to something are in, at a time after that, and
 * before progress goes past it: a process that stood still for longer than rows live has handed
 * over references to nothing, and has to do it again. */
int shortener_check_fresh(const struct shortener *shortener, struct error *err);
static inline bool shortener_refers(const struct shortener *shortener)
{
    return shortener->fresh_until_us != 0;
}
/* All that was referred to is committed. */
static inline void shortener_settle(struct shortener *shortener)
{
    shortener->fresh_until_us = 0;
}

#endif
