/* publish/partitioner: which partition a key belongs to, exactly as the Java client has it, so that
 * a relay and a Java producer put one key into one partition.
 *
 * org.apache.kafka.common.utils.Utils.murmur2 (seed 0x9747b28c), then the sign bit cleared
 * (Utils.toPositive), then the remainder by the number of partitions. It does not ask how many
 * partitions there are; that is kept stable by its callers. */
#include "publish/partitioner.h"

#include <assert.h>

static uint32_t load_little_endian(const unsigned char *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

static uint32_t murmur2(struct span key)
{
    const uint32_t m = UINT32_C(0x5bd1e995);
    const unsigned char *bytes = (const unsigned char *)key.ptr;
    uint32_t h = UINT32_C(0x9747b28c) ^ (uint32_t)key.len;
    size_t left = key.len;
    for (; left >= 4; bytes += 4, left -= 4) {
        uint32_t k = load_little_endian(bytes) * m;
        k = (k ^ (k >> 24)) * m;
        h = (h * m) ^ k;
    }
    if (left >= 3)
        h ^= (uint32_t)bytes[2] << 16;
    if (left >= 2)
        h ^= (uint32_t)bytes[1] << 8;
    if (left >= 1)
        h = (h ^ bytes[0]) * m;
    h = (h ^ (h >> 13)) * m;
    return h ^ (h >> 15);
}

int32_t partition_for_key(struct span key, int32_t partition_count)
{
    assert(partition_count > 0);
    assert(key.ptr != NULL);
    return (int32_t)(murmur2(key) & UINT32_C(0x7fffffff)) % partition_count;
}
