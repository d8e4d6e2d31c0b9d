/* base/utf8: one UTF-8 sequence at a time, as RFC 3629 has them: no overlong forms, no surrogates,
 * nothing above U+10FFFF. And what is left of one where a text was cut for lack of space. */
#ifndef WALFERRY_BASE_UTF8_H
#define WALFERRY_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

/* Length of the valid sequence at `at` (1 to 4), or 0 where there is none before `end`. */
size_t utf8_length(const char *at, const char *end);
/* Are they sequences up to the end? Nothing at all is, too. */
bool utf8_is_valid(const char *at, const char *end);
/* True where a sequence begins at `at` and `end` comes before its own end. */
bool utf8_cut_off(const char *at, const char *end);
/* Drops what is left of a character in two at the end of the text. */
void utf8_trim(char *text);

#endif
