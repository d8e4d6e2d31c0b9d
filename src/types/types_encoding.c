/* types_encoding: see types.h. An encoding of one byte a character is a table of 128 characters,
 * made once from libc's iconv; so nothing is converted that is not looked up, and a byte that has
 * no character is found. PostgreSQL's names are those of src/common/encnames.c. Encodings of
 * several bytes a character are not here: PostgreSQL's tables for them differ from libc's. */
#include "types/types.h"

#include "base/utf8.h"

#include <assert.h>
#include <iconv.h>
#include <stdlib.h>

enum { BEYOND_ASCII = 128, CHARACTER_MAX = 4 };

struct character {
    char bytes[CHARACTER_MAX];
    uint8_t len; /* 0: the byte has no character */
};

enum text_kind {
    TEXT_OTHER, /* nothing beyond ASCII can be read */
    TEXT_ANY,   /* SQL_ASCII: bytes, of which the server knows nothing */
    TEXT_TABLE
};

struct text_encoding {
    enum text_kind kind;
    struct character characters[BEYOND_ASCII]; /* TEXT_TABLE: of the bytes from 0x80 on */
};

static const struct {
    const char *name; /* PostgreSQL's */
    const char *libc;
} tables[] = {
    {"LATIN1", "ISO-8859-1"},     {"LATIN2", "ISO-8859-2"},     {"LATIN3", "ISO-8859-3"},
    {"LATIN4", "ISO-8859-4"},     {"LATIN5", "ISO-8859-9"},     {"LATIN6", "ISO-8859-10"},
    {"LATIN7", "ISO-8859-13"},    {"LATIN8", "ISO-8859-14"},    {"LATIN9", "ISO-8859-15"},
    {"LATIN10", "ISO-8859-16"},   {"ISO_8859_5", "ISO-8859-5"}, {"ISO_8859_6", "ISO-8859-6"},
    {"ISO_8859_7", "ISO-8859-7"}, {"ISO_8859_8", "ISO-8859-8"}, {"KOI8R", "KOI8-R"},
    {"KOI8U", "KOI8-U"},          {"WIN866", "CP866"},          {"WIN874", "CP874"},
    {"WIN1250", "CP1250"},        {"WIN1251", "CP1251"},        {"WIN1252", "CP1252"},
    {"WIN1253", "CP1253"},        {"WIN1254", "CP1254"},        {"WIN1255", "CP1255"},
    {"WIN1256", "CP1256"},        {"WIN1257", "CP1257"},        {"WIN1258", "CP1258"},
};

/* Some converters keep a letter back, because an accent may follow it: the second call asks for it.
 */
static void learn(iconv_t converter, unsigned byte, struct character *c)
{
    char in = (char)byte;
    char *from = &in, *to = c->bytes;
    size_t in_left = 1, out_left = sizeof c->bytes;
    (void)iconv(converter, NULL, NULL, NULL, NULL);
    if (iconv(converter, &from, &in_left, &to, &out_left) == (size_t)-1 ||
        iconv(converter, NULL, NULL, &to, &out_left) == (size_t)-1)
        return;
    c->len = (uint8_t)(sizeof c->bytes - out_left);
}

static bool fill_table(struct text_encoding *encoding, const char *libc)
{
    iconv_t converter = iconv_open("UTF-8", libc);
    if (converter == (iconv_t)-1)
        return false;
    for (unsigned i = 0; i < BEYOND_ASCII; i++)
        learn(converter, BEYOND_ASCII + i, &encoding->characters[i]);
    iconv_close(converter);
    return true;
}

struct text_encoding *text_encoding_open(const char *name)
{
    assert(name != NULL);
    if (strcmp(name, "UTF8") == 0)
        return NULL;
    struct text_encoding *encoding = calloc(1, sizeof *encoding);
    if (encoding == NULL)
        abort();
    if (strcmp(name, "SQL_ASCII") == 0)
        encoding->kind = TEXT_ANY;
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++)
        if (strcmp(tables[i].name, name) == 0 && fill_table(encoding, tables[i].libc))
            encoding->kind = TEXT_TABLE;
    return encoding;
}

void text_encoding_close(struct text_encoding *encoding)
{
    free(encoding);
}

bool text_encoding_reads(const struct text_encoding *encoding)
{
    return encoding != NULL && encoding->kind != TEXT_OTHER;
}

/* ---- To UTF-8 ---- */

static size_t ascii_length(struct span text)
{
    size_t at = 0;
    while (at < text.len && (unsigned char)text.ptr[at] < BEYOND_ASCII)
        at++;
    return at;
}

/* The length of the text in UTF-8; 0 where a byte has no character. */
static size_t measure(const struct text_encoding *encoding, struct span bytes)
{
    size_t length = 0;
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.ptr[i];
        size_t one = c < BEYOND_ASCII ? 1 : encoding->characters[c - BEYOND_ASCII].len;
        if (one == 0)
            return 0;
        length += one;
    }
    return length;
}

static void convert(const struct text_encoding *encoding, struct span bytes, char *out)
{
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.ptr[i];
        if (c < BEYOND_ASCII) {
            *out++ = (char)c;
            continue;
        }
        const struct character *character = &encoding->characters[c - BEYOND_ASCII];
        memcpy(out, character->bytes, character->len);
        out += character->len;
    }
}

bool text_encoding_to_utf8(const struct text_encoding *encoding, struct span bytes,
                           struct arena *arena, struct span *text)
{
    assert(bytes.ptr != NULL || bytes.len == 0);
    assert(arena != NULL && text != NULL);
    *text = bytes;
    if (encoding == NULL || ascii_length(bytes) == bytes.len)
        return true;
    if (encoding->kind == TEXT_ANY)
        return utf8_is_valid(bytes.ptr, bytes.ptr + bytes.len);
    size_t length = encoding->kind == TEXT_TABLE ? measure(encoding, bytes) : 0;
    if (length == 0)
        return false;
    char *out = arena_alloc_bytes(arena, length);
    convert(encoding, bytes, out);
    *text = (struct span){out, length};
    return true;
}

/* ---- Back ---- */

static bool find_byte(const struct text_encoding *encoding, struct span character, char *byte)
{
    for (unsigned i = 0; i < BEYOND_ASCII; i++) {
        const struct character *c = &encoding->characters[i];
        if (c->len == character.len && memcmp(c->bytes, character.ptr, c->len) == 0) {
            *byte = (char)(BEYOND_ASCII + i);
            return true;
        }
    }
    return false;
}

bool text_encoding_from_utf8(const struct text_encoding *encoding, const char *text,
                             struct buf *out)
{
    assert(text != NULL);
    assert(out != NULL);
    const char *end = text + strlen(text);
    if (encoding == NULL || encoding->kind != TEXT_TABLE) {
        buf_add_text(out, text);
        return true;
    }
    for (const char *at = text; at < end;) {
        size_t length = utf8_length(at, end);
        char byte = *at;
        if (length == 0 || (length > 1 && !find_byte(encoding, (struct span){at, length}, &byte)))
            return false;
        buf_add_char(out, byte);
        at += length;
    }
    return true;
}
