/* base/address: texts in which addresses (https://user:password@host/path) stand, as they may be
 * printed. */
#ifndef WALFERRY_BASE_ADDRESS_H
#define WALFERRY_BASE_ADDRESS_H

#include "base/buf.h"

/* Appends the text; what stands between :// and the @ in front of a host as "(hidden)". */
void address_hide_logins(struct span text, struct buf *out);

#endif
