/* relay/shorten: a message that is larger than its topic takes becomes one that may fit, as its
 * route's oversize.policy says. What cannot be is its verdict's. */
#ifndef WALFERRY_RELAY_SHORTEN_H
#define WALFERRY_RELAY_SHORTEN_H

#include "publish/publish.h"
#include "relay/claim_store.h"
#include "relay/verdict.h"

struct shortener {
    const struct verdict_facts *verdicts; /* routes and metrics */
    const struct publisher *publisher;    /* which says by how much it is too large */
    struct claim_store *claims;           /* NULL: no route wants it */
    int64_t now_us;                       /* of the step */
};

enum shortened {
    SHORTENED_FAILED = -1, /* the epoch must be closed */
    SHORTENED_NOT,         /* it is as it was, and so is *err */
    SHORTENED,             /* it is another message, and *err is empty */
    SHORTENED_LATER        /* call again with the same; *err is empty */
};

/* err: why the publisher refused it, of kind ERROR_DATA. The message is not with the publisher:
 * a reference is in it only once what it refers to is committed. */
enum shortened shorten(struct shortener *shortener, struct message *message, struct arena *arena,
                       struct error *err);

#endif
