/* base/bigendian: integers in the order of PostgreSQL's protocol and of Kafka's. Checks no bounds:
 * the caller knows how many bytes there are. buf_add_u16() and its like append them to a buf. */
#ifndef WALFERRY_BASE_BIGENDIAN_H
#define WALFERRY_BASE_BIGENDIAN_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline uint16_t bigendian_u16(const char *bytes)
{
    uint16_t value;
    memcpy(&value, bytes, sizeof value);
    return be16toh(value);
}

static inline uint32_t bigendian_u32(const char *bytes)
{
    uint32_t value;
    memcpy(&value, bytes, sizeof value);
    return be32toh(value);
}

static inline uint64_t bigendian_u64(const char *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, sizeof value);
    return be64toh(value);
}

static inline void bigendian_put_u16(char *bytes, uint16_t value)
{
    value = htobe16(value);
    memcpy(bytes, &value, sizeof value);
}

static inline void bigendian_put_u32(char *bytes, uint32_t value)
{
    value = htobe32(value);
    memcpy(bytes, &value, sizeof value);
}

static inline void bigendian_put_u64(char *bytes, uint64_t value)
{
    value = htobe64(value);
    memcpy(bytes, &value, sizeof value);
}

#endif
