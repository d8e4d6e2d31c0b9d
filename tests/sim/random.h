/* sim/random: xorshift64*, so that a seed replays the same run on every machine. */
#ifndef WALFERRY_SIM_RANDOM_H
#define WALFERRY_SIM_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct random {
    uint64_t state;
};

static inline struct random random_seeded(uint64_t seed)
{
    return (struct random){seed * UINT64_C(0x9E3779B97F4A7C15) + 1};
}

static inline uint64_t random_u64(struct random *r)
{
    r->state ^= r->state >> 12;
    r->state ^= r->state << 25;
    r->state ^= r->state >> 27;
    return r->state * UINT64_C(2685821657736338717);
}

/* 0 to n − 1. */
static inline uint32_t random_below(struct random *r, uint32_t n)
{
    return (uint32_t)((random_u64(r) >> 33) % n);
}

/* True once in n times. */
static inline bool random_once_in(struct random *r, uint32_t n)
{
    return random_below(r, n) == 0;
}

#endif
