/* decode_messages: what the decoder refuses, with its exact words, and what it never does: read
 * past a message, allocate for a row, copy a cell. What it accepts is in tests/golden/. */
#include "decode/decode.h"

#include "pgoutput_encoder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define TIME_US INT64_C(1700000000123456)
#define SHOP 16400

struct fixture {
    struct arena epoch;
    struct decoder *decoder;
    struct buf buf;
    struct change change;
    struct error err;
};

static struct column columns[] = {{SPAN_STATIC("id"), TYPE_INT8, -1, true, NULL},
                                  {SPAN_STATIC("name"), TYPE_TEXT, -1, false, NULL}};
static const struct relation shop = {
    SHOP, SPAN_STATIC("public"), SPAN_STATIC("shop"), 'd', 2, columns, 0, false, {.count = 0}};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    arena_init(&f->epoch, 1024, 1024);
    f->decoder = decoder_open(&f->epoch, NULL);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    decoder_close(f->decoder);
    arena_fini(&f->epoch);
    buf_fini(&f->buf);
    free(f);
    return 0;
}

/* Decodes what was written into f->buf. An exact copy on the heap: one byte too far is caught. */
static int decode(struct fixture *f)
{
    char *exact = malloc(f->buf.len > 0 ? f->buf.len : 1);

    if (f->buf.len > 0)
        memcpy(exact, f->buf.ptr, f->buf.len);
    int result = decoder_next(f->decoder, (struct span){exact, f->buf.len}, &f->change, &f->err);

    free(exact);
    buf_reset(&f->buf);
    return result;
}

static void begin(struct fixture *f)
{
    write_begin(&f->buf, 0x1000, TIME_US, 7);
    assert_int_equal(decode(f), 1);
}

static void begin_with_shop(struct fixture *f)
{
    begin(f);
    write_relation(&f->buf, &shop);
    assert_int_equal(decode(f), 0);
}

static void refused(struct fixture *f, const char *text)
{
    assert_int_equal(decode(f), -1);
    assert_string_equal(f->err.text, text);
    assert_string_equal(reason_slug(f->err.reason), "undecodable");
    assert_int_equal(f->err.kind, ERROR_STOP);
    assert_int_equal(f->err.exit_code, EXIT_REFUSED);
    assert_true(f->err.hint[0] != '\0');
}

static struct row two(struct cell *cells, struct cell first, struct cell second)
{
    cells[0] = first;
    cells[1] = second;
    return (struct row){.count = 2, .cells = cells};
}

static void unknown_types_are_named(void **state)
{
    struct fixture *f = *state;

    refused(f, "pgoutput message without a type byte");
    buf_add_text(&f->buf, "Zab");
    refused(f, "pgoutput message 'Z' (0x5a) at offset 0: unknown message type");
    buf_add_u8(&f->buf, 0x07);
    refused(f, "pgoutput message (0x07) at offset 0: unknown message type");
    buf_add_text(&f->buf, "S"); /* Stream Start belongs to protocol 2 */
    refused(f, "pgoutput message 'S' (0x53) at offset 0: unknown message type");
}

static void a_transaction_has_one_begin_and_its_commit(void **state)
{
    struct fixture *f = *state;

    write_commit(&f->buf, 0x1000, 0x1030, TIME_US);
    refused(f, "pgoutput message 'C' (0x43) at offset 26: a transaction ends that has not begun");
    begin(f);
    assert_true(decoder_in_transaction(f->decoder));
    write_begin(&f->buf, 0x2000, TIME_US, 8);
    refused(f, "pgoutput message 'B' (0x42) at offset 21: a transaction begins inside another one");
}

static void a_commit_must_match(void **state)
{
    struct fixture *f = *state;

    begin(f);
    write_commit(&f->buf, 0x1008, 0x1030, TIME_US);
    refused(f, "pgoutput message 'C' (0x43) at offset 26: commit at 0/1008 of a transaction that "
               "was to commit at 0/1000");
    write_commit(&f->buf, 0x1000, 0xff0, TIME_US);
    refused(f, "pgoutput message 'C' (0x43) at offset 26: commit at 0/1000 ends at 0/FF0");
    write_commit(&f->buf, 0x1000, 0x1030, TIME_US);
    f->buf.ptr[1] = 1;
    refused(f, "pgoutput message 'C' (0x43) at offset 26: unknown flags 0x01");
}

static void rows_need_a_transaction_and_a_relation(void **state)
{
    struct fixture *f = *state;
    struct cell cells[2];
    struct row row = two(cells, cell_text("1"), cell_null());

    write_relation(&f->buf, &shop);
    assert_int_equal(decode(f), 0);
    write_insert(&f->buf, SHOP, &row);
    refused(f, "pgoutput message 'I' (0x49) at offset 5: a change of relation shop outside a "
               "transaction");
    begin(f);
    write_delete(&f->buf, 99, 'K', &row);
    refused(f, "pgoutput message 'D' (0x44) at offset 5: relation 99 was never described");
    write_truncate(&f->buf, 2, (uint32_t[]){SHOP, 99}, false, false);
    refused(f, "pgoutput message 'T' (0x54) at offset 14: relation 99 was never described");
}

static void rows_have_the_columns_of_their_relation(void **state)
{
    struct fixture *f = *state;
    struct cell cells[3] = {cell_text("1"), cell_null(), cell_null()};

    begin_with_shop(f);
    write_insert(&f->buf, SHOP, &(struct row){.count = 3, .cells = cells});
    refused(f,
            "pgoutput message 'I' (0x49) at offset 8: a row of 3 columns for relation shop, which "
            "has 2");
    write_insert(&f->buf, SHOP, &(struct row){.count = 1, .cells = cells});
    refused(f,
            "pgoutput message 'I' (0x49) at offset 8: a row of 1 columns for relation shop, which "
            "has 2");
    write_update(&f->buf, SHOP, 'K', &(struct row){.count = 3, .cells = cells},
                 &(struct row){.count = 2, .cells = cells});
    refused(f,
            "pgoutput message 'U' (0x55) at offset 8: a row of 3 columns for relation shop, which "
            "has 2");
}

static void unknown_kinds_are_refused(void **state)
{
    struct fixture *f = *state;
    struct cell cells[2];
    struct row row = two(cells, cell_text("1"), cell_null());

    begin_with_shop(f);
    write_insert(&f->buf, SHOP, &row);
    f->buf.ptr[5] = 'K';
    refused(f, "pgoutput message 'I' (0x49) at offset 6: unknown kind of row 0x4b");
    write_delete(&f->buf, SHOP, 'N', &row);
    refused(f, "pgoutput message 'D' (0x44) at offset 6: unknown kind of row 0x4e");
    write_update(&f->buf, SHOP, 'X', &row, &row);
    refused(f, "pgoutput message 'U' (0x55) at offset 6: unknown kind of row 0x58");
    write_insert(&f->buf, SHOP, &row);
    f->buf.ptr[f->buf.len - 1] = 'z';
    refused(f, "pgoutput message 'I' (0x49) at offset 15: unknown kind of cell 0x7a");
}

static void lengths_are_checked(void **state)
{
    struct fixture *f = *state;
    struct cell cells[2];
    struct row row = two(cells, cell_text("1"), cell_text("abc"));

    begin_with_shop(f);
    write_insert(&f->buf, SHOP, &row);
    memset(f->buf.ptr + 9, 0xff, 4);
    refused(f, "pgoutput message 'I' (0x49) at offset 13: 4294967295 bytes wanted, 9 left");
    write_message(&f->buf, true, 1, "p", SPAN_LITERAL("abc"));
    f->buf.ptr[f->buf.len - 4] = 4;
    refused(f, "pgoutput message 'M' (0x4d) at offset 16: 4 bytes wanted, 3 left");
    write_truncate(&f->buf, 1, (uint32_t[]){SHOP}, false, false);
    f->buf.ptr[4] = 2;
    refused(f, "pgoutput message 'T' (0x54) at offset 6: a truncate of 2 relations");
    write_truncate(&f->buf, 0, NULL, false, false);
    refused(f, "pgoutput message 'T' (0x54) at offset 6: a truncate of 0 relations");
    write_begin(&f->buf, 1, INT64_MAX, 1);
    memset(f->buf.ptr + 9, 0xff, 8);
    f->buf.ptr[9] = 0x7f;
    refused(f, "pgoutput message 'B' (0x42) at offset 17: a time out of range");
    buf_add_text(&f->buf, "Yabcdpg_catalog");
    refused(f, "pgoutput message 'Y' (0x59) at offset 5: a string without its end");
}

static void messages_say_where_they_stand(void **state)
{
    struct fixture *f = *state;

    write_message(&f->buf, true, 1, "p", SPAN_LITERAL(""));
    refused(f, "pgoutput message 'M' (0x4d) at offset 16: a transactional message outside a "
               "transaction");
    begin(f);
    write_message(&f->buf, false, 1, "p", SPAN_LITERAL(""));
    refused(f, "pgoutput message 'M' (0x4d) at offset 16: a non-transactional message inside a "
               "transaction");
}

static void write_nth(struct buf *out, int n)
{
    struct cell old_cells[2], new_cells[2];
    struct row old_row = two(old_cells, cell_text("1"), cell_text("old"));
    struct row new_row = two(new_cells, cell_unchanged(), cell_binary(SPAN_LITERAL("\0\1")));

    switch (n) {
    case 0:
        write_begin(out, 0x3000, TIME_US, 9);
        break;
    case 1:
        write_commit(out, 0x1000, 0x1030, TIME_US);
        break;
    case 2:
        write_origin(out, 5, "upstream");
        break;
    case 3:
        write_relation(out, &shop);
        break;
    case 4:
        write_type(out, 5, "public", "mood");
        break;
    case 5:
        write_insert(out, SHOP, &old_row);
        break;
    case 6:
        write_update(out, SHOP, 'O', &old_row, &new_row);
        break;
    case 7:
        write_delete(out, SHOP, 'K', &old_row);
        break;
    case 8:
        write_truncate(out, 2, (uint32_t[]){SHOP, SHOP}, true, true);
        break;
    default:
        write_message(out, true, 1, "outbox", SPAN_LITERAL("{}"));
        break;
    }
}

/* Every beginning of every message is an error, and so is every message with one byte more. */
static void cut_and_lengthened_messages_are_refused(void **state)
{
    struct fixture *f = *state;

    begin_with_shop(f);
    for (int n = 0; n < 10; n++) {
        write_nth(&f->buf, n);
        size_t whole = f->buf.len;

        buf_reset(&f->buf);
        for (size_t len = 1; len < whole; len++) {
            write_nth(&f->buf, n);
            f->buf.len = len;
            assert_int_equal(decode(f), -1);
        }
        if (n == 0)
            continue;
        write_nth(&f->buf, n);
        buf_add_u8(&f->buf, 0);
        assert_int_equal(decode(f), -1);
        assert_non_null(strstr(f->err.text, "1 bytes too many"));
    }
    write_nth(&f->buf, 1);
    assert_int_equal(decode(f), 1);
    assert_false(decoder_in_transaction(f->decoder));
}

static void cells_point_into_the_message(void **state)
{
    struct fixture *f = *state;
    struct cell cells[2];
    struct row row = two(cells, cell_text("12"), cell_text(""));

    begin_with_shop(f);
    write_insert(&f->buf, SHOP, &row);
    size_t used = f->epoch.used_bytes;
    const struct cell *where = NULL;

    for (int i = 0; i < 100; i++) {
        assert_int_equal(decoder_next(f->decoder, buf_span(&f->buf), &f->change, &f->err), 1);
        assert_ptr_equal(f->change.after.cells[0].bytes.ptr, f->buf.ptr + 13);
        assert_non_null(f->change.after.cells[1].bytes.ptr);
        assert_int_equal(f->change.after.cells[1].bytes.len, 0);
        assert_true(where == NULL || where == f->change.after.cells);
        where = f->change.after.cells;
    }
    assert_int_equal(f->epoch.used_bytes, used);
}

/* Which the server tells once, behind BEGIN. */
static void the_origin_is_of_the_transaction(void **state)
{
    struct fixture *f = *state;
    struct cell cells[2];
    struct row row = two(cells, cell_text("1"), cell_text("a"));
    begin(f);
    write_origin(&f->buf, 0x77, "upstream");
    assert_int_equal(decode(f), 0);
    write_relation(&f->buf, &shop);
    assert_int_equal(decode(f), 0);
    for (int i = 0; i < 2; i++) {
        write_insert(&f->buf, SHOP, &row);
        assert_int_equal(decode(f), 1);
        assert_true(span_equal_text(f->change.origin, "upstream"));
        assert_int_equal(f->change.origin_lsn, 0x77);
    }
    write_commit(&f->buf, 0x1000, 0x1030, TIME_US);
    assert_int_equal(decode(f), 1);
    begin(f);
    write_insert(&f->buf, SHOP, &row);
    assert_int_equal(decode(f), 1);
    assert_null(f->change.origin.ptr);
    assert_int_equal(f->change.origin_lsn, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(unknown_types_are_named, setup, teardown),
        cmocka_unit_test_setup_teardown(a_transaction_has_one_begin_and_its_commit, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_commit_must_match, setup, teardown),
        cmocka_unit_test_setup_teardown(rows_need_a_transaction_and_a_relation, setup, teardown),
        cmocka_unit_test_setup_teardown(rows_have_the_columns_of_their_relation, setup, teardown),
        cmocka_unit_test_setup_teardown(unknown_kinds_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(lengths_are_checked, setup, teardown),
        cmocka_unit_test_setup_teardown(messages_say_where_they_stand, setup, teardown),
        cmocka_unit_test_setup_teardown(cut_and_lengthened_messages_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(cells_point_into_the_message, setup, teardown),
        cmocka_unit_test_setup_teardown(the_origin_is_of_the_transaction, setup, teardown),
    };

    return cmocka_run_group_tests_name("decode_messages", tests, NULL, NULL);
}
