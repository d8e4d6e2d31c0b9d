/* base/hash: FNV-1a, 64 bits (draft-eastlake-fnv, section 2). It spreads names over a table and
 * finds changes; it withstands no attacker. */
#ifndef WALFERRY_BASE_HASH_H
#define WALFERRY_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

#define HASH_INIT UINT64_C(0xcbf29ce484222325)

/* The hash of what `hash` stands for and the bytes behind it. */
static inline uint64_t hash_add(uint64_t hash, const void *bytes, size_t len)
{
    const unsigned char *byte = bytes;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ byte[i]) * UINT64_C(0x100000001b3);
    return hash;
}

#endif
