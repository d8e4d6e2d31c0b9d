/* types/: see types.h. One function for each binary form; the forms are those of the types' send
 * functions (PostgreSQL, src/backend/utils/adt: boolsend, int8send, uuid_send, jsonb_send, …). */
#include "types/types.h"

#include "types/types_time.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

static const struct {
    uint32_t oid;
    const char *name;
    size_t width; /* of the binary form; 0: any */
} KNOWN[] = {
    {TYPE_BOOL, "boolean", 1},
    {TYPE_BYTEA, "bytea", 0},
    {TYPE_INT8, "bigint", 8},
    {TYPE_INT2, "smallint", 2},
    {TYPE_INT4, "integer", 4},
    {TYPE_TEXT, "text", 0},
    {TYPE_JSON, "json", 0},
    {TYPE_BPCHAR, "character", 0},
    {TYPE_VARCHAR, "character varying", 0},
    {TYPE_TIMESTAMP, "timestamp", 8},
    {TYPE_TIMESTAMPTZ, "timestamptz", 8},
    {TYPE_UUID, "uuid", 16},
    {TYPE_JSONB, "jsonb", 0},
};

static const char hex_digits[] = "0123456789abcdef";

/* A value in a message: as much as helps, and nothing that breaks a line. */
#define QUOTE_MAX 48
static const char *quote(struct span text, char out[QUOTE_MAX + 4])
{
    size_t len = text.len < QUOTE_MAX ? text.len : QUOTE_MAX;
    for (size_t i = 0; i < len; i++)
        out[i] = text.ptr[i] >= ' ' && text.ptr[i] < 0x7F ? text.ptr[i] : '?';
    snprintf(out + len, 4, "%s", text.len > len ? "..." : "");
    return out;
}

static int bad_text(struct span text, const char *what, struct error *err)
{
    char shown[QUOTE_MAX + 4];
    return error_data(err, REASON_BAD_VALUE, "\"%s\" is not %s", quote(text, shown), what);
}

/* The type must be one whose binary form is known, and the bytes as many as it has. */
static int check_binary(struct span bytes, uint32_t oid, struct error *err)
{
    for (size_t i = 0; i < sizeof KNOWN / sizeof KNOWN[0]; i++) {
        if (KNOWN[i].oid != oid)
            continue;
        if (KNOWN[i].width != 0 && KNOWN[i].width != bytes.len)
            return error_data(err, REASON_BAD_VALUE, "a binary %s of %zu bytes instead of %zu",
                              KNOWN[i].name, bytes.len, KNOWN[i].width);
        return 0;
    }
    return error_data(err, REASON_BAD_VALUE, "the binary form of type oid %" PRIu32 " is not known",
                      oid);
}

/* Big-endian and sign-extended; 1 to 8 bytes. */
static int64_t binary_int(struct span bytes)
{
    assert(bytes.len >= 1 && bytes.len <= 8);
    uint64_t value = ((unsigned char)bytes.ptr[0] & 0x80) != 0 ? UINT64_MAX : 0;
    for (size_t i = 0; i < bytes.len; i++)
        value = value << 8 | (unsigned char)bytes.ptr[i];
    return (int64_t)value;
}

static struct span int_text(int64_t value, struct arena *arena)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRId64, value);
    return arena_copy(arena, (struct span){digits, (size_t)length});
}

static char *put_hex(char *out, const char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        *out++ = hex_digits[(unsigned char)bytes[i] >> 4];
        *out++ = hex_digits[(unsigned char)bytes[i] & 15];
    }
    return out;
}

static struct span bytea_text(struct span bytes, struct arena *arena)
{
    char *out = arena_alloc_bytes(arena, 2 + 2 * bytes.len);
    out[0] = '\\';
    out[1] = 'x';
    put_hex(out + 2, bytes.ptr, bytes.len);
    return (struct span){out, 2 + 2 * bytes.len};
}

static struct span uuid_text(struct span bytes, struct arena *arena)
{
    static const size_t groups[] = {4, 2, 2, 2, 6};
    char *out = arena_alloc_bytes(arena, 36);
    char *at = out;
    size_t from = 0;
    for (size_t i = 0; i < 5; i++) {
        if (i > 0)
            *at++ = '-';
        at = put_hex(at, bytes.ptr + from, groups[i]);
        from += groups[i];
    }
    return (struct span){out, 36};
}

/* INT64_MAX and INT64_MIN stand for the infinities. */
static struct span timestamp_text(int64_t since_2000_us, bool offset, struct arena *arena)
{
    if (since_2000_us == INT64_MAX)
        return SPAN_LITERAL("infinity");
    if (since_2000_us == INT64_MIN)
        return SPAN_LITERAL("-infinity");
    char text[TIMESTAMP_TEXT_MAX];
    size_t len = timestamp_format(since_2000_us, offset, text);
    return arena_copy(arena, (struct span){text, len});
}

/* jsonb_send puts a version, 1, before the text. */
static int jsonb_text(struct span bytes, struct span *text, struct error *err)
{
    if (bytes.len < 1 || bytes.ptr[0] != 1)
        return error_data(err, REASON_BAD_VALUE, "a binary jsonb of a version other than 1");
    *text = (struct span){bytes.ptr + 1, bytes.len - 1};
    return 0;
}

int types_text(const struct cell *cell, uint32_t type_oid, struct arena *arena, struct span *text,
               struct error *err)
{
    assert(cell->kind == CELL_TEXT || cell->kind == CELL_BINARY);
    assert(text != NULL && err != NULL);
    *text = cell->bytes;
    if (cell->kind == CELL_TEXT)
        return 0;
    if (check_binary(cell->bytes, type_oid, err) < 0)
        return -1;
    switch (type_oid) {
    case TYPE_BOOL:
        *text = cell->bytes.ptr[0] != 0 ? SPAN_LITERAL("t") : SPAN_LITERAL("f");
        return 0;
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8:
        *text = int_text(binary_int(cell->bytes), arena);
        return 0;
    case TYPE_BYTEA:
        *text = bytea_text(cell->bytes, arena);
        return 0;
    case TYPE_UUID:
        *text = uuid_text(cell->bytes, arena);
        return 0;
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        *text = timestamp_text(binary_int(cell->bytes), type_oid == TYPE_TIMESTAMPTZ, arena);
        return 0;
    case TYPE_JSONB:
        return jsonb_text(cell->bytes, text, err);
    default:
        return 0; /* text and its kin: the bytes are the text */
    }
}

/* Value of a hexadecimal digit, or 0x80 where it is none, so that one test serves a whole run. */
static const unsigned char HEX_VALUE[256] = {
#define BAD16                                                                                      \
    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80
    BAD16,
    BAD16,
    BAD16,
    /* 0x30 */ 0,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    0x80,
    0x80,
    0x80,
    0x80,
    0x80,
    0x80,
    /* 0x40 */ 0x80,
    10,
    11,
    12,
    13,
    14,
    15,
    0x80,
    0x80,
    0x80,
    0x80,
    0x80,
    0x80,
    0x80,
    0x80,
    0x80,
    BAD16,
    /* 0x60 */ 0x80,
    10,
    11,
    12,
    13,
    14,
    15,
    0x80,
    0x80,
    0x80,
    0x80,
    0x80,
    0x80,
    0x80,
    0x80,
    0x80,
    BAD16,
    BAD16,
    BAD16,
    BAD16,
    BAD16,
    BAD16,
    BAD16,
    BAD16,
    BAD16
#undef BAD16
};

static int bytea_bytes(struct span text, struct arena *arena, struct span *bytes, struct error *err)
{
    if (text.len < 2 || text.ptr[0] != '\\' || text.ptr[1] != 'x' || text.len % 2 != 0)
        return bad_text(text, "a bytea in hexadecimal form", err);
    const unsigned char *in = (const unsigned char *)text.ptr + 2;
    size_t count = (text.len - 2) / 2;
    char *out = arena_alloc_bytes(arena, count);
    unsigned seen = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned high = HEX_VALUE[in[2 * i]], low = HEX_VALUE[in[2 * i + 1]];
        seen |= high | low;
        out[i] = (char)(unsigned char)((high << 4 | low) & 0xFF);
    }
    if ((seen & 0x80) != 0)
        return bad_text(text, "a bytea in hexadecimal form", err);
    *bytes = (struct span){out, count};
    return 0;
}

int types_raw(const struct cell *cell, uint32_t type_oid, struct arena *arena, struct span *bytes,
              struct error *err)
{
    assert(cell->kind != CELL_UNCHANGED);
    assert(bytes != NULL && err != NULL);
    if (cell->kind == CELL_NULL) {
        *bytes = span_null();
        return 0;
    }
    if (type_oid != TYPE_BYTEA)
        return types_text(cell, type_oid, arena, bytes, err);
    if (cell->kind == CELL_TEXT)
        return bytea_bytes(cell->bytes, arena, bytes, err);
    *bytes = cell->bytes;
    return 0;
}

/* An optional minus and 1 to 18 digits: no overflow is possible. */
static bool parse_int(struct span text, int64_t *value)
{
    bool minus = text.len > 0 && text.ptr[0] == '-';
    size_t at = minus ? 1 : 0;
    int64_t sum = 0;
    if (text.len == at || text.len - at > 18)
        return false;
    for (; at < text.len; at++) {
        if (text.ptr[at] < '0' || text.ptr[at] > '9')
            return false;
        sum = sum * 10 + (text.ptr[at] - '0');
    }
    *value = minus ? -sum : sum;
    return true;
}

static bool is_int(uint32_t oid)
{
    return oid == TYPE_INT2 || oid == TYPE_INT4 || oid == TYPE_INT8;
}

static int from_ms(int64_t ms, int64_t *unix_us, struct error *err)
{
    if (ms > INT64_MAX / 1000 || ms < INT64_MIN / 1000)
        return error_data(err, REASON_BAD_VALUE,
                          "%" PRId64 " milliseconds are beyond every timestamp", ms);
    *unix_us = ms * 1000;
    return 0;
}

int types_timestamp_us(const struct cell *cell, uint32_t type_oid, int64_t *unix_us,
                       struct error *err)
{
    assert(cell->kind == CELL_TEXT || cell->kind == CELL_BINARY);
    assert(unix_us != NULL && err != NULL);
    bool timestamp = type_oid == TYPE_TIMESTAMP || type_oid == TYPE_TIMESTAMPTZ;
    int64_t number;
    if (cell->kind == CELL_TEXT) {
        if (!timestamp && parse_int(cell->bytes, &number))
            return from_ms(number, unix_us, err);
        if (timestamp_parse(cell->bytes, unix_us))
            return 0;
        return bad_text(cell->bytes, "a timestamp", err);
    }
    if (!timestamp && !is_int(type_oid))
        return error_data(err, REASON_BAD_VALUE, "type oid %" PRIu32 " is not a timestamp",
                          type_oid);
    if (check_binary(cell->bytes, type_oid, err) < 0)
        return -1;
    number = binary_int(cell->bytes);
    if (!timestamp)
        return from_ms(number, unix_us, err);
    if (number == INT64_MIN || number == INT64_MAX)
        return error_data(err, REASON_BAD_VALUE, "\"%sinfinity\" is not a timestamp",
                          number < 0 ? "-" : "");
    if (number > INT64_MAX - POSTGRES_EPOCH_US)
        return error_data(err, REASON_BAD_VALUE, "a timestamp later than the year 294246");
    *unix_us = number + POSTGRES_EPOCH_US;
    return 0;
}

int types_int32(const struct cell *cell, uint32_t type_oid, int32_t *value, struct error *err)
{
    assert(cell->kind == CELL_TEXT || cell->kind == CELL_BINARY);
    assert(value != NULL && err != NULL);
    int64_t number;
    if (cell->kind == CELL_TEXT) {
        if (!parse_int(cell->bytes, &number))
            return bad_text(cell->bytes, "an integer", err);
    } else {
        if (!is_int(type_oid))
            return error_data(err, REASON_BAD_VALUE, "type oid %" PRIu32 " is not an integer",
                              type_oid);
        if (check_binary(cell->bytes, type_oid, err) < 0)
            return -1;
        number = binary_int(cell->bytes);
    }
    if (number > INT32_MAX || number < INT32_MIN)
        return error_data(err, REASON_BAD_VALUE, "%" PRId64 " is beyond an integer of 32 bits",
                          number);
    *value = (int32_t)number;
    return 0;
}
