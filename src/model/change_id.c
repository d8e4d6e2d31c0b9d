/* model/change_id: see change_id.h. It names a change and does not know the database of it: the
 * system identifier is handed in and given back. */
#include "model/change_id.h"

#include <assert.h>

bool change_id_equal(struct change_id a, struct change_id b)
{
    return a.kind == b.kind && a.final_lsn == b.final_lsn && a.ordinal == b.ordinal &&
           a.table == b.table;
}

int change_id_compare(struct change_id a, struct change_id b)
{
    assert(a.kind == CHANGE_ID_WAL);
    assert(b.kind == CHANGE_ID_WAL);
    if (a.final_lsn != b.final_lsn)
        return a.final_lsn < b.final_lsn ? -1 : 1;
    if (a.ordinal != b.ordinal)
        return a.ordinal < b.ordinal ? -1 : 1;
    return 0;
}

/* ---- Text ---- */

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

size_t change_id_format_event(uint64_t system_identifier, struct change_id id, uint32_t event,
                              char text[CHANGE_ID_TEXT_MAX])
{
    assert(id.kind == CHANGE_ID_WAL || id.kind == CHANGE_ID_POLL);
    assert(event >= 1);
    char *at = put_decimal(text, system_identifier);
    *at++ = '-';
    if (id.kind == CHANGE_ID_WAL) {
        at = put_hex16(at, id.final_lsn);
    } else {
        *at++ = 'x';
        at = put_decimal(at, id.xid);
        if (id.table != 0) {
            *at++ = 't';
            at = put_decimal(at, id.table);
        }
    }
    *at++ = '-';
    at = put_decimal(at, id.ordinal);
    if (event > 1) {
        *at++ = '.';
        at = put_decimal(at, event);
    }
    *at = '\0';
    return (size_t)(at - text);
}

const char *change_id_format(uint64_t system_identifier, struct change_id id,
                             char text[CHANGE_ID_TEXT_MAX])
{
    change_id_format_event(system_identifier, id, 1, text);
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

/* An 'x' is no hexadecimal digit, so it tells the kinds apart. */
static bool take_place(const char **at, struct change_id *id)
{
    if (**at != 'x') {
        id->kind = CHANGE_ID_WAL;
        return take_hex16(at, &id->final_lsn);
    }
    (*at)++;
    id->kind = CHANGE_ID_POLL;
    if (!take_decimal(at, &id->xid))
        return false;
    if (**at != 't')
        return true;
    (*at)++;
    uint64_t table;
    if (!take_decimal(at, &table) || table == 0 || table > UINT32_MAX)
        return false;
    id->table = (uint32_t)table;
    return true;
}

/* The first event of a change has no number. */
static bool take_event(const char **at, uint32_t *event)
{
    uint64_t number = 1;
    if (**at == '.') {
        (*at)++;
        if (!take_decimal(at, &number) || number < 2 || number > UINT32_MAX)
            return false;
    }
    *event = (uint32_t)number;
    return true;
}

bool change_id_parse(const char *text, uint64_t *system_identifier, struct change_id *id,
                     uint32_t *event)
{
    assert(text != NULL);
    uint64_t system;
    uint32_t number;
    struct change_id read = {.table = 0};
    if (!take_decimal(&text, &system) || *text++ != '-')
        return false;
    if (!take_place(&text, &read) || *text++ != '-')
        return false;
    if (!take_decimal(&text, &read.ordinal) || !take_event(&text, &number) || *text != '\0')
        return false;
    if (event == NULL && number > 1)
        return false;
    *system_identifier = system;
    *id = read;
    if (event != NULL)
        *event = number;
    return true;
}
