/* json/json_utf8: a code point as UTF-8. What is UTF-8 is known in base/utf8.h. Internal to the
 * module. */
#ifndef WALFERRY_JSON_JSON_UTF8_H
#define WALFERRY_JSON_JSON_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Writes a code point (not a surrogate) to out, which has room for 4; returns the length. */
size_t json_utf8_encode(uint32_t code, char *out);

#endif
