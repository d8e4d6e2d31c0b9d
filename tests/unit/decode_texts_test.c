/* decode: names, cells and messages of a database that is not in UTF-8. */
#include "decode/decode.h"
#include "types/types.h"

#include "pgoutput_encoder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "assert_text.h"

#define TABLE 16400

static struct column columns[] = {{SPAN_STATIC("id"), TYPE_INT8, -1, true, NULL},
                                  {SPAN_STATIC("n\xe4me"), TYPE_TEXT, -1, false, NULL},
                                  {SPAN_STATIC("note"), TYPE_TEXT, -1, false, NULL}};
static const struct relation table = {
    TABLE,       SPAN_STATIC("caf\xe9"), SPAN_STATIC("outb\xf6x"), 'd', 3, columns, 0, false,
    {.count = 0}};

struct fixture {
    struct arena epoch;
    struct text_encoding *encoding;
    struct decoder *decoder;
    struct buf buf;
    struct change change;
    struct error err;
};

static void open_with(struct fixture *f, const char *encoding)
{
    *f = (struct fixture){.buf = BUF_EMPTY, .err = ERROR_INIT};
    arena_init(&f->epoch, 1024, 1024);
    f->encoding = text_encoding_open(encoding);
    f->decoder = decoder_open(&f->epoch, f->encoding);
    write_begin(&f->buf, 0x1000, 1, 7);
    assert_int_equal(decoder_next(f->decoder, buf_span(&f->buf), &f->change, &f->err), 1);
}

static void fini(struct fixture *f)
{
    decoder_close(f->decoder);
    text_encoding_close(f->encoding);
    arena_fini(&f->epoch);
    buf_fini(&f->buf);
}

static const struct change *insert(struct fixture *f, const char *name, const char *note)
{
    struct cell cells[] = {cell_text("1"), cell_text(name), cell_text(note)};
    const struct row row = {.count = 3, .cells = cells};
    buf_reset(&f->buf);
    write_relation(&f->buf, &table);
    assert_int_equal(decoder_next(f->decoder, buf_span(&f->buf), &f->change, &f->err), 0);
    buf_reset(&f->buf);
    write_insert(&f->buf, TABLE, &row);
    assert_int_equal(decoder_next(f->decoder, buf_span(&f->buf), &f->change, &f->err), 1);
    return &f->change;
}

static const struct change *say(struct fixture *f, const char *content)
{
    buf_reset(&f->buf);
    write_message(&f->buf, true, 0x900, "outb\xf6x", span_of(content));
    assert_int_equal(decoder_next(f->decoder, buf_span(&f->buf), &f->change, &f->err), 1);
    return &f->change;
}

static void test_latin1(void **state)
{
    (void)state;
    struct fixture f;
    open_with(&f, "LATIN1");
    for (int again = 0; again < 3; again++) {
        const struct change *change = insert(&f,
                                             "Stra\xdf"
                                             "e",
                                             "plain");
        assert_span(change->relation->schema, "café");
        assert_span(change->relation->name, "outböx");
        assert_false(change->relation->not_utf8);
        assert_span(change->relation->columns[1].name, "näme");
        assert_int_equal(change->relation->version, 1); /* the same description is no news */
        assert_span(change->after.cells[1].bytes, "Straße");
        assert_span(change->after.cells[2].bytes, "plain");
        assert_non_null(change->after.raw);
        assert_span(change->after.raw[1].bytes, "Stra\xdf"
                                                "e");
        assert_null(insert(&f, "plain", "plain")->after.raw);
    }
    const struct change *message = say(&f, "gr\xfc\xdf");
    assert_span(message->message.prefix, "outböx");
    assert_span(message->message.content, "grüß");
    assert_false(message->message.not_utf8);
    fini(&f);
}

static void test_sql_ascii(void **state)
{
    (void)state;
    struct fixture f;
    open_with(&f, "SQL_ASCII");
    const struct change *change = insert(&f, "caf\xe9", "caf\xc3\xa9");
    assert_span(change->relation->schema, "caf\xe9");
    assert_true(change->relation->not_utf8);
    assert_int_equal(change->after.cells[1].kind, CELL_BYTES);
    assert_span(change->after.cells[1].bytes, "caf\xe9");
    assert_int_equal(change->after.cells[2].kind, CELL_TEXT);
    assert_int_equal(change->after.raw[1].kind, CELL_TEXT);
    assert_null(insert(&f, "café", "plain")->after.raw);
    assert_true(say(&f, "\xe9")->message.not_utf8);
    assert_span(f.change.message.content, "\xe9");
    assert_false(say(&f, "é")->message.not_utf8);
    fini(&f);
}

/* Rows come as UTF-8, for the server converts them; but of a message it does not. */
static void test_converted_by_the_server(void **state)
{
    (void)state;
    struct fixture f;
    open_with(&f, "EUC_JP");
    const struct change *change = insert(&f, "日本", "\xe9");
    assert_span(change->after.cells[1].bytes, "日本");
    assert_null(change->after.raw);
    assert_true(say(&f, "\xc3\xa9")->message.not_utf8);
    assert_false(say(&f, "plain")->message.not_utf8);
    fini(&f);
}

static void test_utf8(void **state)
{
    (void)state;
    struct fixture f;
    open_with(&f, "UTF8");
    assert_null(insert(&f, "é", "plain")->after.raw);
    assert_false(say(&f, "\xe9")->message.not_utf8);
    fini(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_latin1),
        cmocka_unit_test(test_sql_ascii),
        cmocka_unit_test(test_converted_by_the_server),
        cmocka_unit_test(test_utf8),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
