/* types/types_digest: the digests by which values are made unreadable: MD5 (RFC 1321), SHA-1,
 * SHA-224, SHA-256, SHA-384 and SHA-512 (FIPS 180-4). Internal to the module. */
#ifndef WALFERRY_TYPES_TYPES_DIGEST_H
#define WALFERRY_TYPES_TYPES_DIGEST_H

#include "types/types.h"

#define DIGEST_BYTES_MAX 64

/* Returns how many bytes the digest has. */
size_t digest_of(enum debezium_digest kind, struct span bytes,
                 unsigned char digest[DIGEST_BYTES_MAX]);

#endif
