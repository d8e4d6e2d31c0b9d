/* json/json_utf8: one UTF-8 sequence at a time, as RFC 3629 has them: no overlong forms, no
 * surrogates, nothing above U+10FFFF. Internal to the module. */
#ifndef WALFERRY_JSON_JSON_UTF8_H
#define WALFERRY_JSON_JSON_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Length of the valid sequence at `at` (1 to 4), or 0 where there is none before `end`. */
size_t json_utf8_length(const char *at, const char *end);
/* Writes a code point (not a surrogate) to out, which has room for 4; returns the length. */
size_t json_utf8_encode(uint32_t code, char *out);

#endif
