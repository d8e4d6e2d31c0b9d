/* roundtrip: each message that the test encoder can write, decoded and dumped. Encoder and decoder
 * mirror each other and share no code; that the encoder is right is frames_test's business. */
#include "decode/decode.h"

#include "change_dump.h"
#include "pgoutput_encoder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define TIME_US INT64_C(1700000000123456)
#define HEAD                                                                                       \
    " position=0/0+0 ordinal=0 final=FFFFFFFF/FFFFFFF0 xid=4294967295 time=1700000000123456"

struct fixture {
    struct arena epoch;
    struct decoder *decoder;
    struct buf message;
    struct buf dump;
};

static struct column columns[] = {{SPAN_STATIC("id"), TYPE_INT8, -1, true, NULL},
                                  {SPAN_STATIC(""), TYPE_VARCHAR, 36, false, NULL},
                                  {SPAN_STATIC("n\xc3\xb8te"), 4294967295, INT32_MIN, true, NULL}};
static const struct relation shop = {
    4294967295, SPAN_STATIC("public"), SPAN_STATIC("shop"), 'i', 3, columns, 0,
    false,      {.count = 0}};
static const struct relation class = {
    1259, SPAN_STATIC(""), SPAN_STATIC("pg_class"), 'n', 1, columns, 0, false, {.count = 0}};
static const struct relation nothing = {
    0, SPAN_STATIC("public"), SPAN_STATIC("nothing"), 'f', 0, columns, 0, false, {.count = 0}};

/* Decodes what was written; expected NULL: it gives no change. */
static void gives(struct fixture *f, const char *expected)
{
    struct change change;
    struct error err = ERROR_INIT;

    buf_reset(&f->dump);
    int result = decoder_next(f->decoder, buf_span(&f->message), &change, &err);

    if (result < 0)
        fail_msg("%s", err.text);
    assert_int_equal(result, expected == NULL ? 0 : 1);
    if (expected != NULL) {
        dump_change(&f->dump, &change);
        assert_string_equal(buf_text(&f->dump), expected);
    }
    buf_reset(&f->message);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    arena_init(&f->epoch, 1024, 1024);
    f->decoder = decoder_open(&f->epoch, NULL);
    write_begin(&f->message, UINT64_MAX - 15, TIME_US, UINT32_MAX);
    gives(f, "BEGIN" HEAD "\n");
    write_relation(&f->message, &shop);
    gives(f, NULL);
    write_relation(&f->message, &class);
    gives(f, NULL);
    write_relation(&f->message, &nothing);
    gives(f, NULL);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;

    decoder_close(f->decoder);
    arena_fini(&f->epoch);
    buf_fini(&f->message);
    buf_fini(&f->dump);
    free(f);
    return 0;
}

static void transactions(void **state)
{
    struct fixture *f = *state;

    write_commit(&f->message, UINT64_MAX - 15, UINT64_MAX, TIME_US);
    gives(f, "COMMIT position=FFFFFFFF/FFFFFFFF+0 ordinal=0 final=FFFFFFFF/FFFFFFF0 xid=4294967295 "
             "time=1700000000123456\n");
    write_begin(&f->message, 0, INT64_C(946684800000000), 0); /* 2000-01-01, zero on the wire */
    gives(f, "BEGIN position=0/0+0 ordinal=0 final=0/0 xid=0 time=946684800000000\n");
    write_commit(&f->message, 0, 8, TIME_US);
    gives(f, "COMMIT position=0/8+0 ordinal=0 final=0/0 xid=0 time=946684800000000\n");
    write_begin(&f->message, 16, -1, 1); /* before 1970 */
    gives(f, "BEGIN position=0/0+0 ordinal=0 final=0/10 xid=1 time=-1\n");
}

static void types_pass(void **state)
{
    struct fixture *f = *state;

    write_type(&f->message, 16385, "public", "mood");
    gives(f, NULL);
    write_type(&f->message, 25, "", "");
    gives(f, NULL);
}

/* Whatever comes of a transaction that was replayed says where from; the next one does not. */
static void origins(void **state)
{
    struct fixture *f = *state;
    struct row none = {.count = 0, .cells = NULL};

    write_origin(&f->message, UINT64_MAX, "elsewhere");
    gives(f, NULL);
    write_insert(&f->message, nothing.oid, &none);
    gives(f, "INSERT" HEAD " origin='elsewhere'/FFFFFFFF/FFFFFFFF public.nothing@1\n");
    write_commit(&f->message, UINT64_MAX - 15, UINT64_MAX, TIME_US);
    gives(f, "COMMIT position=FFFFFFFF/FFFFFFFF+0 ordinal=0 final=FFFFFFFF/FFFFFFF0 xid=4294967295 "
             "time=1700000000123456 origin='elsewhere'/FFFFFFFF/FFFFFFFF\n");
    write_begin(&f->message, UINT64_MAX - 15, TIME_US, UINT32_MAX);
    gives(f, "BEGIN" HEAD "\n");
    write_insert(&f->message, nothing.oid, &none);
    gives(f, "INSERT" HEAD " public.nothing@1\n");
    write_origin(&f->message, 0, "");
    gives(f, NULL);
    write_insert(&f->message, nothing.oid, &none);
    gives(f, "INSERT" HEAD " public.nothing@1\n");
}

static void rows(void **state)
{
    struct fixture *f = *state;
    struct cell full[] = {cell_text("1"), cell_text(""), cell_binary(SPAN_LITERAL("\0'\xff"))};
    struct cell rest[] = {cell_unchanged(), cell_null(), cell_binary(SPAN_LITERAL(""))};
    struct row one = {.count = 3, .cells = full};
    struct row two = {.count = 3, .cells = rest};

    write_insert(&f->message, shop.oid, &one);
    gives(f, "INSERT" HEAD " public.shop@1 after=(t'1', t'', b'\\x00\\x27\\xff')\n");
    write_insert(&f->message, shop.oid, &two);
    gives(f, "INSERT" HEAD " public.shop@1 after=(unchanged, null, b'')\n");
    write_update(&f->message, shop.oid, 0, NULL, &two);
    gives(f, "UPDATE" HEAD " public.shop@1 after=(unchanged, null, b'')\n");
    write_update(&f->message, shop.oid, 'K', &one, &two);
    gives(f, "UPDATE" HEAD " public.shop@1 before=(t'1', t'', b'\\x00\\x27\\xff') "
             "after=(unchanged, null, b'')\n");
    write_update(&f->message, shop.oid, 'O', &two, &one);
    gives(f, "UPDATE" HEAD " public.shop@1 before=(unchanged, null, b'') "
             "after=(t'1', t'', b'\\x00\\x27\\xff')\n");
    write_delete(&f->message, shop.oid, 'K', &one);
    gives(f, "DELETE" HEAD " public.shop@1 before=(t'1', t'', b'\\x00\\x27\\xff')\n");
    write_delete(&f->message, shop.oid, 'O', &two);
    gives(f, "DELETE" HEAD " public.shop@1 before=(unchanged, null, b'')\n");
}

static void rows_without_columns(void **state)
{
    struct fixture *f = *state;
    struct row none = {.count = 0, .cells = NULL};

    write_insert(&f->message, nothing.oid, &none);
    gives(f, "INSERT" HEAD " public.nothing@1\n");
    write_update(&f->message, nothing.oid, 'O', &none, &none);
    gives(f, "UPDATE" HEAD " public.nothing@1\n");
}

static void truncates(void **state)
{
    struct fixture *f = *state;

    write_truncate(&f->message, 1, (uint32_t[]){1259}, false, false);
    gives(f, "TRUNCATE" HEAD " pg_catalog.pg_class@1\n");
    write_truncate(&f->message, 3, (uint32_t[]){0, UINT32_MAX, 1259}, true, false);
    gives(f, "TRUNCATE" HEAD " public.nothing@1 public.shop@1 pg_catalog.pg_class@1 cascade\n");
    write_truncate(&f->message, 1, (uint32_t[]){0}, false, true);
    gives(f, "TRUNCATE" HEAD " public.nothing@1 restart_identity\n");
}

static void messages(void **state)
{
    struct fixture *f = *state;

    write_message(&f->message, true, 77, "outbox", SPAN_LITERAL("{\"a\": 1}"));
    gives(f, "MESSAGE" HEAD " transactional prefix='outbox' content='{\"a\": 1}'\n");
    write_message(&f->message, true, 77, "", SPAN_LITERAL(""));
    gives(f, "MESSAGE" HEAD " transactional prefix='' content=''\n");
    write_commit(&f->message, UINT64_MAX - 15, UINT64_MAX, TIME_US);
    gives(f, "COMMIT position=FFFFFFFF/FFFFFFFF+0 ordinal=0 final=FFFFFFFF/FFFFFFF0 xid=4294967295 "
             "time=1700000000123456\n");
    write_message(&f->message, false, 0x123456789, "now", SPAN_LITERAL("\0"));
    gives(f, "MESSAGE position=1/23456789+0 ordinal=0 final=0/0 xid=0 time=0 immediate "
             "prefix='now' content='\\x00'\n");
}

static void relations(void **state)
{
    struct fixture *f = *state;
    struct change change;
    struct error err;
    struct cell cells[] = {cell_null(), cell_null(), cell_null()};

    write_insert(&f->message, shop.oid, &(struct row){.count = 3, .cells = cells});
    assert_int_equal(decoder_next(f->decoder, buf_span(&f->message), &change, &err), 1);
    buf_reset(&f->dump);
    dump_relation(&f->dump, change.relation);
    assert_string_equal(buf_text(&f->dump),
                        "relation public.shop oid=4294967295 identity=i version=1 "
                        "columns=(*id:20:-1, :1043:36, *n\\xc3\\xb8te:4294967295:-2147483648)\n");
    buf_reset(&f->message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(transactions, setup, teardown),
        cmocka_unit_test_setup_teardown(types_pass, setup, teardown),
        cmocka_unit_test_setup_teardown(origins, setup, teardown),
        cmocka_unit_test_setup_teardown(rows, setup, teardown),
        cmocka_unit_test_setup_teardown(rows_without_columns, setup, teardown),
        cmocka_unit_test_setup_teardown(truncates, setup, teardown),
        cmocka_unit_test_setup_teardown(messages, setup, teardown),
        cmocka_unit_test_setup_teardown(relations, setup, teardown),
    };

    return cmocka_run_group_tests_name("roundtrip", tests, NULL, NULL);
}
