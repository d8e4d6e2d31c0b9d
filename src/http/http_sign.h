/* http/http_sign: what proves that a body comes from who has the secret, and when it was sent. */
#ifndef WALFERRY_HTTP_HTTP_SIGN_H
#define WALFERRY_HTTP_HTTP_SIGN_H

#include "base/buf.h"

#include <stdint.h>

#define HTTP_ID_MAX 40

/* A new id that no other body has: "msg_" and 32 hex digits. */
void http_sign_id(char id[HTTP_ID_MAX]);
/* "v1," and the base64 of the HMAC-SHA256 of id.timestamp.body, appended. */
void http_sign(const char *secret, const char *id, int64_t timestamp_s, struct span body,
               struct buf *out);

#endif
