/* recover/inheritance: a relay begins on the origin of another program, from where that has
 * stopped.
 * Includers outside of recover/ take it from recover.h. */
#ifndef WALFERRY_RECOVER_INHERITANCE_H
#define WALFERRY_RECOVER_INHERITANCE_H

#include "recover/origin.h"

struct inheritance {
    uint64_t
        commit_lsn;     /* in: the end of the last transaction that it has sent whole; 0: unknown */
    uint64_t event_lsn; /* in: of the last change that it has sent; 0: unknown */
    uint64_t place_lsn; /* out: the first position */
    struct partial partial; /* out: of a transaction that it has sent in part */
    uint64_t done, of; /* out: changes of the first transaction behind commit_lsn; of 0: unknown */
    bool sure;         /* out: the change at event_lsn does not come again */
};
/* Refuses where something could be lost: the origin is not there, not free, or past the place; or a
 * publication may be younger than what it holds. apply: reads what comes first, too, for which it
 * is confirmed to commit_lsn. */
int relay_inherit(struct origin *origin, const struct found *found, bool apply,
                  struct inheritance *inheritance, struct error *err);

#endif
