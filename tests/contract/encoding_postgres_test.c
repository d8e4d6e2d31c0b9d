/* The tables of types/ for encodings of one byte a character, against PostgreSQL's own conversion:
 * each of the 128 bytes beyond ASCII, in each encoding. */
#include "private_postgres.h"
#include "types/types.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

static struct private_postgres server;

static const char *const names[] = {
    "LATIN1",     "LATIN2",  "LATIN3",  "LATIN4",  "LATIN5",     "LATIN6",     "LATIN7",
    "LATIN8",     "LATIN9",  "LATIN10", "KOI8R",   "ISO_8859_5", "ISO_8859_6", "ISO_8859_7",
    "ISO_8859_8", "KOI8U",   "WIN866",  "WIN874",  "WIN1250",    "WIN1251",    "WIN1252",
    "WIN1253",    "WIN1254", "WIN1255", "WIN1256", "WIN1257",    "WIN1258",
};

static int start_server(void **state)
{
    (void)state;
    if (!private_postgres_start(&server, "", NULL))
        exit(77);
    private_postgres_sql(&server,
                         "CREATE FUNCTION convert_or_not(byte int, name text) RETURNS text "
                         "LANGUAGE plpgsql AS $$ BEGIN RETURN "
                         "encode(convert_to(convert_from(set_byte('\\x00', 0, byte), name), "
                         "'UTF8'), 'hex'); EXCEPTION WHEN OTHERS THEN RETURN '-'; END $$");
    return 0;
}

static int stop_server(void **state)
{
    (void)state;
    private_postgres_stop(&server);
    return 0;
}

/* "c3a9 - …": of each byte its UTF-8, or - where it has no character. */
static void ours(const char *name, char *out, size_t size)
{
    struct text_encoding *encoding = text_encoding_open(name);
    struct arena arena;
    size_t used = 0;
    arena_init(&arena, 4096, 4096);
    assert_true(text_encoding_reads(encoding));
    for (int byte = 0x80; byte < 0x100; byte++) {
        char bytes[] = {(char)byte};
        struct span text;
        bool good = text_encoding_to_utf8(encoding, (struct span){bytes, 1}, &arena, &text);
        if (byte > 0x80)
            used += (size_t)snprintf(out + used, size - used, " ");
        for (size_t i = 0; good && i < text.len; i++)
            used += (size_t)snprintf(out + used, size - used, "%02x", (unsigned char)text.ptr[i]);
        if (!good)
            used += (size_t)snprintf(out + used, size - used, "-");
    }
    arena_fini(&arena);
    text_encoding_close(encoding);
}

static void test_each_byte(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char query[160], table[2048];
        snprintf(query, sizeof query,
                 "SELECT string_agg(convert_or_not(i, '%s'), ' ' ORDER BY i) "
                 "FROM generate_series(128, 255) i",
                 names[i]);
        ours(names[i], table, sizeof table);
        print_message("%s\n", names[i]);
        assert_string_equal(table, private_postgres_ask(&server, query));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_byte)};
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
