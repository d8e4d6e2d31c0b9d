/* types/types_md5: MD5 (RFC 1321), because UUIDs are made of names with it. Protects nothing.
 * Internal to the module. */
#ifndef WALFERRY_TYPES_TYPES_MD5_H
#define WALFERRY_TYPES_TYPES_MD5_H

#include "base/span.h"

#define MD5_BYTES 16

void md5(struct span bytes, unsigned char digest[MD5_BYTES]);

#endif
