/* types/types_digest: the digests by which values are made unreadable, and UUIDs of names;
 * OpenSSL's. Internal to the module. */
#ifndef WALFERRY_TYPES_TYPES_DIGEST_H
#define WALFERRY_TYPES_TYPES_DIGEST_H

#include "types/types.h"

#define DIGEST_BYTES_MAX 64

/* Returns how many bytes the digest has; 0: OpenSSL, as this system configures it, has none such.
 */
size_t digest_of(enum debezium_digest kind, struct span bytes,
                 unsigned char digest[DIGEST_BYTES_MAX]);

#endif
