/* model/change_id: see change_id.h. It names a change and does not know the database of it: the
 * system identifier is handed in and given back. */
#include "model/change_id.h"

#include <assert.h>
#include <string.h>

#define UUID_LEN 36

bool change_id_same_string(const struct change_id *a, const struct change_id *b)
{
    assert(a->kind == CHANGE_ID_STRING && b->kind == CHANGE_ID_STRING);
    return a->string_len == b->string_len && memcmp(a->string, b->string, a->string_len) == 0;
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

/* ---- Keys ---- */

static bool is_dash(size_t at)
{
    return at == 8 || at == 13 || at == 18 || at == 23;
}

static bool is_plain(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '_' || c == '~';
}

static char *put_string(char *at, struct change_id id)
{
    static const char digits[] = "0123456789ABCDEF";
    if (id.string_len == 0)
        *at++ = '%';
    for (size_t i = 0; i < id.string_len; i++) {
        unsigned char byte = (unsigned char)id.string[i];
        if (is_plain(id.string[i])) {
            *at++ = id.string[i];
            continue;
        }
        *at++ = '%';
        *at++ = digits[byte >> 4];
        *at++ = digits[byte & 15];
    }
    return at;
}

static char *put_key(char *at, struct change_id id)
{
    static const char digits[] = "0123456789abcdef";
    if (id.kind == CHANGE_ID_STRING)
        return put_string(at, id);
    if (id.kind == CHANGE_ID_NUMBER) {
        bool minus = (int64_t)id.low < 0;
        if (minus)
            *at++ = '-';
        return put_decimal(at, minus ? -id.low : id.low);
    }
    unsigned digit = 0;
    for (size_t i = 0; i < UUID_LEN; i++) {
        if (is_dash(i)) {
            *at++ = '-';
            continue;
        }
        uint64_t half = digit < 16 ? id.high : id.low;
        *at++ = digits[half >> (60 - 4 * (digit % 16)) & 15];
        digit++;
    }
    return at;
}

static bool take_uuid(const char *text, size_t len, struct change_id *id)
{
    uint64_t halves[2] = {0, 0};
    unsigned digit = 0;
    if (len != UUID_LEN)
        return false;
    for (size_t i = 0; i < UUID_LEN; i++) {
        char c = text[i];
        bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
        if (is_dash(i) ? c != '-' : !hex)
            return false;
        if (is_dash(i))
            continue;
        uint64_t value = (uint64_t)(c <= '9' ? c - '0' : c - 'a' + 10);
        halves[digit / 16] = halves[digit / 16] << 4 | value;
        digit++;
    }
    id->kind = CHANGE_ID_UUID;
    id->high = halves[0];
    id->low = halves[1];
    return true;
}

static bool take_number(const char *text, size_t len, struct change_id *id)
{
    bool minus = len > 0 && text[0] == '-';
    uint64_t sum = 0, most = (uint64_t)INT64_MAX + minus;
    for (size_t i = minus; i < len; i++) {
        uint64_t digit = (uint64_t)(text[i] - '0');
        if (text[i] < '0' || text[i] > '9' || sum > (most - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    id->kind = CHANGE_ID_NUMBER;
    id->high = 0;
    id->low = minus ? -sum : sum;
    return len > minus;
}

/* -0 and 007 are read as numbers that are written otherwise. */
static bool take_canonical(const char *text, size_t len, struct change_id *id)
{
    char again[CHANGE_ID_KEY_MAX];
    if (take_uuid(text, len, id))
        return true;
    return take_number(text, len, id) && (size_t)(put_key(again, *id) - again) == len &&
           memcmp(again, text, len) == 0;
}

bool change_id_of_key(const char *text, size_t len, uint32_t table, struct change_id *id)
{
    assert(text != NULL && id != NULL);
    *id = (struct change_id){.table = table};
    if (take_canonical(text, len, id))
        return true;
    if (len > CHANGE_ID_STRING_MAX)
        return false;
    *id = (struct change_id){.kind = CHANGE_ID_STRING, .table = table, .string_len = (uint8_t)len};
    memcpy(id->string, text, len);
    return true;
}

static int hex_of(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool change_id_parse_key(const char *text, size_t len, uint32_t table, struct change_id *id)
{
    char key[CHANGE_ID_STRING_MAX];
    size_t count = 0;
    assert(text != NULL && id != NULL);
    if (len == 1 && text[0] == '%')
        return change_id_of_key("", 0, table, id);
    for (size_t at = 0; at < len; count++) {
        if (count == sizeof key)
            return false;
        key[count] = text[at];
        bool coded = text[at++] == '%';
        if (coded && at + 2 > len)
            return false;
        int high = coded ? hex_of(text[at]) : 0, low = coded ? hex_of(text[at + 1]) : 0;
        if (high < 0 || low < 0)
            return false;
        if (coded)
            key[count] = (char)(high * 16 + low);
        if (is_plain(key[count]) == coded)
            return false;
        at += coded ? 2 : 0;
    }
    return len > 0 && change_id_of_key(key, count, table, id);
}

size_t change_id_format_key(struct change_id id, char text[CHANGE_ID_KEY_MAX])
{
    assert(change_id_is_claimed(id));
    char *end = put_key(text, id);
    *end = '\0';
    return (size_t)(end - text);
}

static char *put_table(char *at, uint32_t table)
{
    if (table == 0)
        return at;
    *at++ = 't';
    return put_decimal(at, table);
}

static char *put_row(char *at, struct change_id id)
{
    at = put_table(at, id.table);
    *at++ = 'k';
    return put_key(at, id);
}

static char *put_place(char *at, struct change_id id)
{
    if (id.kind == CHANGE_ID_WAL) {
        at = put_hex16(at, id.final_lsn);
    } else {
        *at++ = 'x';
        at = put_table(put_decimal(at, id.xid), id.table);
    }
    *at++ = '-';
    return put_decimal(at, id.ordinal);
}

static size_t end_id(const char *text, char *at, uint32_t event)
{
    if (event > 1) {
        *at++ = '.';
        at = put_decimal(at, event);
    }
    *at = '\0';
    return (size_t)(at - text);
}

size_t change_id_format_event(uint64_t system_identifier, struct change_id id, uint32_t event,
                              char text[CHANGE_ID_TEXT_MAX])
{
    assert(id.kind == CHANGE_ID_WAL || change_id_is_polled(id));
    assert(event >= 1);
    char *at = put_decimal(text, system_identifier);
    *at++ = '-';
    at = change_id_is_claimed(id) ? put_row(at, id) : put_place(at, id);
    return end_id(text, at, event);
}

static void make_prefix(struct change_id_prefix *prefix, uint64_t system_identifier,
                        uint64_t final_lsn)
{
    char *at = put_decimal(prefix->text, system_identifier);
    *at++ = '-';
    at = put_hex16(at, final_lsn);
    *at++ = '-';
    prefix->len = (size_t)(at - prefix->text);
    prefix->final_lsn = final_lsn;
    assert(prefix->len <= sizeof prefix->text);
}

size_t change_id_format_behind(struct change_id_prefix *prefix, uint64_t system_identifier,
                               const struct change_id *id, uint32_t event,
                               char text[CHANGE_ID_TEXT_MAX])
{
    assert(prefix != NULL && event >= 1);
    if (id->kind != CHANGE_ID_WAL)
        return change_id_format_event(system_identifier, *id, event, text);
    if (prefix->len == 0 || prefix->final_lsn != id->final_lsn)
        make_prefix(prefix, system_identifier, id->final_lsn);
    memcpy(text, prefix->text, sizeof prefix->text); /* of a fixed size: no call */
    return end_id(text, put_decimal(text + prefix->len, id->ordinal), event);
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

static bool take_table(const char **at, struct change_id *id)
{
    uint64_t table;
    if (**at != 't')
        return true;
    (*at)++;
    if (!take_decimal(at, &table) || table == 0 || table > UINT32_MAX)
        return false;
    id->table = (uint32_t)table;
    return true;
}

static bool take_row(const char **at, struct change_id *id)
{
    if (!take_table(at, id) || *(*at)++ != 'k')
        return false;
    size_t len = strcspn(*at, ".");
    if (!change_id_parse_key(*at, len, id->table, id))
        return false;
    *at += len;
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
    return take_decimal(at, &id->xid) && take_table(at, id);
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
    bool row = *text == 'k' || *text == 't';
    if (row ? !take_row(&text, &read) : !take_place(&text, &read) || *text++ != '-')
        return false;
    if (!row && !take_decimal(&text, &read.ordinal))
        return false;
    if (!take_event(&text, &number) || *text != '\0')
        return false;
    if (event == NULL && number > 1)
        return false;
    *system_identifier = system;
    *id = read;
    if (event != NULL)
        *event = number;
    return true;
}
