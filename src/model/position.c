/* model/position: see position.h. It orders and spells positions; which one may be confirmed is
 * not its business. */
#include "model/position.h"

#include <inttypes.h>
#include <stdio.h>

int position_compare(struct position a, struct position b)
{
    if (a.lsn != b.lsn)
        return a.lsn < b.lsn ? -1 : 1;
    if (a.seq != b.seq)
        return a.seq < b.seq ? -1 : 1;
    return 0;
}

const char *lsn_format(uint64_t lsn, char text[LSN_TEXT_MAX])
{
    snprintf(text, LSN_TEXT_MAX, "%" PRIX32 "/%" PRIX32, (uint32_t)(lsn >> 32), (uint32_t)lsn);
    return text;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

bool lsn_parse(struct span text, uint64_t *lsn)
{
    uint64_t halves[2] = {0, 0};
    unsigned half = 0;
    unsigned digits = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '/' && half == 0 && digits > 0) {
            half = 1;
            digits = 0;
            continue;
        }
        int digit = hex_digit(text.ptr[i]);
        if (digit < 0 || ++digits > 8)
            return false;
        halves[half] = halves[half] * 16 + (uint64_t)digit;
    }
    if (half != 1 || digits == 0)
        return false;
    *lsn = halves[0] << 32 | halves[1];
    return true;
}
