/* decode_relations: the cache of relations: one place for each oid, no memory for a description
 * that says nothing new, a new version for one that does, and no trace of one that is broken. */
#include "decode/decode.h"
#include "types/types.h"

#include "pgoutput_encoder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct fixture {
    struct arena epoch;
    struct decoder *decoder;
    struct buf buf;
    struct error err;
};

static struct column columns[] = {{SPAN_STATIC("id"), TYPE_INT8, -1, true, NULL},
                                  {SPAN_STATIC("name"), TYPE_VARCHAR, 36, false, NULL},
                                  {SPAN_STATIC("note"), TYPE_TEXT, -1, false, NULL}};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct change change;

    arena_init(&f->epoch, 1024, 1024);
    f->decoder = decoder_open(&f->epoch, NULL);
    write_begin(&f->buf, 0x1000, 0, 7);
    assert_int_equal(decoder_next(f->decoder, buf_span(&f->buf), &change, &f->err), 1);
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

static struct relation shop(uint32_t oid, uint32_t column_count)
{
    return (struct relation){oid,
                             SPAN_LITERAL("public"),
                             SPAN_LITERAL("shop"),
                             'd',
                             column_count,
                             columns,
                             0,
                             false,
                             {.count = 0}};
}

static int describe(struct fixture *f, const struct relation *relation)
{
    struct change change;

    buf_reset(&f->buf);
    write_relation(&f->buf, relation);
    int result = decoder_next(f->decoder, buf_span(&f->buf), &change, &f->err);

    /* The cache may not keep a pointer into the message. */
    memset(f->buf.ptr, 0xee, f->buf.len);
    return result;
}

/* The relation that a row of `oid` with so many NULLs gets. */
static const struct relation *seen(struct fixture *f, uint32_t oid, uint32_t column_count)
{
    struct cell cells[16] = {{CELL_NULL, {NULL, 0}}};
    struct change change;

    buf_reset(&f->buf);
    write_insert(&f->buf, oid, &(struct row){.count = column_count, .cells = cells});
    assert_int_equal(decoder_next(f->decoder, buf_span(&f->buf), &change, &f->err), 1);
    return change.relation;
}

static void a_description_is_kept(void **state)
{
    struct fixture *f = *state;
    struct relation described = shop(16400, 3);

    assert_int_equal(describe(f, &described), 0);
    const struct relation *relation = seen(f, 16400, 3);

    assert_int_equal(relation->oid, 16400);
    assert_true(span_equal_text(relation->schema, "public"));
    assert_true(span_equal_text(relation->name, "shop"));
    assert_int_equal(relation->identity, 'd');
    assert_int_equal(relation->version, 1);
    for (uint32_t i = 0; i < 3; i++) {
        assert_true(span_equal(relation->columns[i].name, columns[i].name));
        assert_int_equal(relation->columns[i].type_oid, columns[i].type_oid);
        assert_int_equal(relation->columns[i].type_modifier, columns[i].type_modifier);
        assert_int_equal(relation->columns[i].key, columns[i].key);
    }
}

static void the_same_again_costs_nothing(void **state)
{
    struct fixture *f = *state;
    struct relation described = shop(16400, 3);

    assert_int_equal(describe(f, &described), 0);
    const struct relation *relation = seen(f, 16400, 3);
    size_t used = f->epoch.used_bytes;

    for (int i = 0; i < 1000; i++)
        assert_int_equal(describe(f, &described), 0);
    assert_int_equal(f->epoch.used_bytes, used);
    assert_ptr_equal(seen(f, 16400, 3), relation);
    assert_int_equal(relation->version, 1);
}

static void another_one_updates_in_place(void **state)
{
    struct fixture *f = *state;
    struct relation described = shop(16400, 2);

    assert_int_equal(describe(f, &described), 0);
    const struct relation *relation = seen(f, 16400, 2);

    described.column_count = 3;
    assert_int_equal(describe(f, &described), 0);
    assert_ptr_equal(seen(f, 16400, 3), relation);
    assert_int_equal(relation->version, 2);
    assert_int_equal(relation->column_count, 3);
    assert_true(span_equal_text(relation->columns[2].name, "note"));
    described.identity = 'f';
    described.column_count = 1;
    assert_int_equal(describe(f, &described), 0);
    assert_int_equal(relation->version, 3);
    assert_int_equal(relation->identity, 'f');
    assert_ptr_equal(seen(f, 16400, 1), relation);
}

static void pg_catalog_comes_empty(void **state)
{
    struct fixture *f = *state;
    struct relation described = shop(1259, 1);

    described.schema = SPAN_LITERAL("");
    assert_int_equal(describe(f, &described), 0);
    assert_true(span_equal_text(seen(f, 1259, 1)->schema, "pg_catalog"));
}

static void many_are_told_apart(void **state)
{
    struct fixture *f = *state;
    char name[32];

    for (uint32_t oid = 1; oid <= 500; oid++) {
        struct relation described = shop(oid, oid % 4);

        snprintf(name, sizeof name, "t%u", oid);
        described.name = span_of(name);
        assert_int_equal(describe(f, &described), 0);
    }
    for (uint32_t oid = 500; oid >= 1; oid--) {
        snprintf(name, sizeof name, "t%u", oid);
        assert_true(span_equal_text(seen(f, oid, oid % 4)->name, name));
    }
}

static void a_broken_one_leaves_no_trace(void **state)
{
    struct fixture *f = *state;
    struct relation described = shop(16400, 3);
    struct change change;

    assert_int_equal(describe(f, &described), 0);
    described.identity = 'x';
    assert_int_equal(describe(f, &described), -1);
    assert_string_equal(f->err.text, "pgoutput message 'R' (0x52) at offset 18: unknown replica "
                                     "identity 0x78");
    described.identity = 'f';
    buf_reset(&f->buf);
    write_relation(&f->buf, &described);
    f->buf.len--;
    assert_int_equal(decoder_next(f->decoder, buf_span(&f->buf), &change, &f->err), -1);
    assert_int_equal(seen(f, 16400, 3)->version, 1);
    assert_int_equal(seen(f, 16400, 3)->identity, 'd');
}

/* The arrays for cells follow the widest relation; both rows of an UPDATE must fit. */
static void wide_relations_fit(void **state)
{
    struct fixture *f = *state;
    enum { WIDTH = 1600 };
    struct column *wide = calloc(WIDTH, sizeof *wide);
    struct cell *cells = calloc(WIDTH, sizeof *cells);
    struct relation described = shop(16400, WIDTH);
    struct change change;

    for (int i = 0; i < WIDTH; i++) {
        wide[i] = columns[2];
        cells[i] = cell_text("x");
    }
    described.columns = wide;
    assert_int_equal(describe(f, &described), 0);
    buf_reset(&f->buf);
    write_update(&f->buf, 16400, 'O', &(struct row){.count = WIDTH, .cells = cells},
                 &(struct row){.count = WIDTH, .cells = cells});
    assert_int_equal(decoder_next(f->decoder, buf_span(&f->buf), &change, &f->err), 1);
    assert_true(change.before.cells + WIDTH <= change.after.cells);
    for (int i = 0; i < WIDTH; i++)
        assert_true(span_equal_text(change.before.cells[i].bytes, "x"));
    free(wide);
    free(cells);
}

static int announce(struct fixture *f, uint32_t oid, const char *schema, const char *name)
{
    struct change change;

    buf_reset(&f->buf);
    write_type(&f->buf, oid, schema, name);
    int result = decoder_next(f->decoder, buf_span(&f->buf), &change, &f->err);

    memset(f->buf.ptr, 0xee, f->buf.len);
    return result;
}

/* As a server sends them: a Type message with the oid of the domain and the name of what is behind
 * it, then the description. */
static void columns_have_their_types(void **state)
{
    struct fixture *f = *state;
    struct column typed[] = {{SPAN_STATIC("id"), TYPE_INT8, -1, true, NULL},
                             {SPAN_STATIC("sealed"), 16387, -1, false, NULL},
                             {SPAN_STATIC("feels"), 16389, -1, false, NULL},
                             {SPAN_STATIC("untold"), 16391, -1, false, NULL}};
    struct relation relation = shop(20000, 4);

    relation.columns = typed;
    assert_int_equal(announce(f, 16387, "", "bytea"), 0);
    assert_int_equal(announce(f, 16389, "public", "mood"), 0);
    assert_int_equal(describe(f, &relation), 0);
    const struct relation *got = seen(f, 20000, 4);

    assert_ptr_equal(got->columns[0].type, types_builtin(TYPE_INT8));
    assert_int_equal(got->columns[1].type->kind, TYPE_KIND_DOMAIN);
    assert_ptr_equal(got->columns[1].type->base, types_builtin(TYPE_BYTEA));
    assert_int_equal(got->columns[2].type->kind, TYPE_KIND_UNKNOWN);
    assert_true(span_equal_text(got->columns[2].type->name, "mood"));
    assert_int_equal(got->columns[3].type->kind, TYPE_KIND_UNKNOWN);
    assert_ptr_equal(got->columns[3].type->base, got->columns[3].type);

    /* A column of the same type in another table has the same struct. */
    const struct type *sealed = got->columns[1].type;

    relation = shop(20001, 2);
    relation.columns = typed;
    assert_int_equal(describe(f, &relation), 0);
    assert_ptr_equal(seen(f, 20001, 2)->columns[1].type, sealed);
}

/* One that is cut short, or too long, tells nothing. */
static void broken_type_messages_change_nothing(void **state)
{
    struct fixture *f = *state;
    struct change change;
    struct column typed[] = {{SPAN_STATIC("sealed"), 16387, -1, false, NULL}};
    struct relation relation = shop(20000, 1);

    relation.columns = typed;
    assert_int_equal(describe(f, &relation), 0);
    const struct type *type = seen(f, 20000, 1)->columns[0].type;

    buf_reset(&f->buf);
    write_type(&f->buf, 16387, "", "bytea");
    buf_add_char(&f->buf, 'x');
    assert_int_equal(decoder_next(f->decoder, buf_span(&f->buf), &change, &f->err), -1);
    assert_int_equal(type->kind, TYPE_KIND_UNKNOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_description_is_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(the_same_again_costs_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(another_one_updates_in_place, setup, teardown),
        cmocka_unit_test_setup_teardown(pg_catalog_comes_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(many_are_told_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(a_broken_one_leaves_no_trace, setup, teardown),
        cmocka_unit_test_setup_teardown(wide_relations_fit, setup, teardown),
        cmocka_unit_test_setup_teardown(columns_have_their_types, setup, teardown),
        cmocka_unit_test_setup_teardown(broken_type_messages_change_nothing, setup, teardown),
    };

    return cmocka_run_group_tests_name("decode_relations", tests, NULL, NULL);
}
