/* sim/wrong: what is wrong with an event, so that a dead letter has to take its place: a function
 * of its number, in seeds in which anything is. */
#ifndef WALFERRY_SIM_WRONG_H
#define WALFERRY_SIM_WRONG_H

#include "random.h"

#include <stdbool.h>

enum wrong {
    WRONG_NOTHING,
    WRONG_ROW,     /* it has no topic */
    WRONG_SIZE,    /* the publisher sees that it is too large */
    WRONG_ANSWERED /* the broker refuses it, by itself */
};

static inline enum wrong wrong_of(uint32_t event)
{
    struct random random = random_seeded(event * UINT64_C(7919) + 1);
    random_u64(&random);
    switch (random_u64(&random) >> 32 & 31) {
    case 0:
        return WRONG_ROW;
    case 1:
    case 2:
        return WRONG_SIZE;
    case 3:
        return WRONG_ANSWERED;
    default:
        return WRONG_NOTHING;
    }
}

/* Its dead letter goes without a value. */
static inline bool wrong_is_large(uint64_t ordinal)
{
    return ordinal % 3 == 0;
}

#endif
