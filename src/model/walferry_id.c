/* model/walferry_id: see walferry_id.h. */
#include "model/walferry_id.h"

#include <assert.h>

static char *put_decimal(char *at, uint64_t value)
{
    char digits[20];
    size_t left = sizeof digits;
    do {
        digits[--left] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    while (left < sizeof digits)
        *at++ = digits[left++];
    return at;
}

static char *put_hex16(char *at, uint64_t value)
{
    static const char digits[] = "0123456789ABCDEF";
    for (int shift = 60; shift >= 0; shift -= 4)
        *at++ = digits[value >> shift & 15];
    return at;
}

size_t walferry_id_format_event(uint64_t system_identifier, uint64_t final_lsn, uint64_t ordinal,
                                uint32_t event, char text[WALFERRY_ID_MAX])
{
    assert(text != NULL);
    assert(event >= 1);
    char *at = put_decimal(text, system_identifier);
    *at++ = '-';
    at = put_hex16(at, final_lsn);
    *at++ = '-';
    at = put_decimal(at, ordinal);
    if (event > 1) {
        *at++ = '.';
        at = put_decimal(at, event);
    }
    *at = '\0';
    return (size_t)(at - text);
}

const char *walferry_id_format(uint64_t system_identifier, uint64_t final_lsn, uint64_t ordinal,
                               char text[WALFERRY_ID_MAX])
{
    walferry_id_format_event(system_identifier, final_lsn, ordinal, 1, text);
    return text;
}

/* At least one digit, no overflow; *at moves behind the last one. */
static bool take_decimal(const char **at, uint64_t *value)
{
    const char *first = *at;
    uint64_t sum = 0;
    for (; **at >= '0' && **at <= '9'; (*at)++) {
        uint64_t digit = (uint64_t)(**at - '0');
        if (sum > (UINT64_MAX - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *value = sum;
    return *at > first;
}

static bool take_hex16(const char **at, uint64_t *value)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < 16; i++) {
        char c = *(*at)++;
        uint64_t digit;
        if (c >= '0' && c <= '9')
            digit = (uint64_t)(c - '0');
        else if (c >= 'A' && c <= 'F')
            digit = (uint64_t)(c - 'A' + 10);
        else if (c >= 'a' && c <= 'f')
            digit = (uint64_t)(c - 'a' + 10);
        else
            return false;
        sum = sum << 4 | digit;
    }
    *value = sum;
    return true;
}

bool walferry_id_parse(const char *text, uint64_t *system_identifier, uint64_t *final_lsn,
                       uint64_t *ordinal)
{
    assert(text != NULL);
    uint64_t system, lsn, number;
    if (!take_decimal(&text, &system) || *text++ != '-')
        return false;
    if (!take_hex16(&text, &lsn) || *text++ != '-')
        return false;
    if (!take_decimal(&text, &number) || *text != '\0')
        return false;
    *system_identifier = system;
    *final_lsn = lsn;
    *ordinal = number;
    return true;
}
