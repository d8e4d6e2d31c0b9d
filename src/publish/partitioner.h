/* publish/partitioner: which partition a key has. Internal to the module. */
#ifndef WALFERRY_PUBLISH_PARTITIONER_H
#define WALFERRY_PUBLISH_PARTITIONER_H

#include "base/span.h"

#include <stdint.h>

/* The Java client's DefaultPartitioner: murmur2(key), sign bit cleared, modulo count. */
int32_t partition_for_key(struct span key, int32_t partition_count);

#endif
