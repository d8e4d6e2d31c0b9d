/* types/types_registry: what Type messages say about types that PostgreSQL does not have itself. */
#include "types/types.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "assert_text.h"

static struct arena arena;
static struct type_registry *registry;

static int set_up(void **state)
{
    (void)state;
    arena_init(&arena, 256, 256);
    registry = type_registry_open(&arena);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_fini(&arena);
    return 0;
}

/* From memory that is gone afterwards, as a message is. */
static void announce(uint32_t oid, const char *schema, const char *name)
{
    char memory[64];
    struct span spans[2] = {{memory, strlen(schema)}, {memory + 32, strlen(name)}};
    memcpy(memory, schema, spans[0].len);
    memcpy(memory + 32, name, spans[1].len);
    type_registry_announce(registry, oid, spans[0], spans[1]);
    memset(memory, 0xee, sizeof memory);
}

static void test_builtin_types_are_the_rows(void **state)
{
    (void)state;
    assert_ptr_equal(type_registry_get(registry, TYPE_BYTEA), types_builtin(TYPE_BYTEA));
    announce(TYPE_BYTEA, "", "text");
    assert_ptr_equal(type_registry_get(registry, TYPE_BYTEA), types_builtin(TYPE_BYTEA));
    assert_int_equal(types_builtin(TYPE_BYTEA)->kind, TYPE_KIND_BASE);
}

static void test_nothing_is_known_at_first(void **state)
{
    (void)state;
    const struct type *type = type_registry_get(registry, 16385);
    assert_int_equal(type->oid, 16385);
    assert_int_equal(type->kind, TYPE_KIND_UNKNOWN);
    assert_ptr_equal(type->base, type);
    assert_span(type->name, "");
    assert_ptr_equal(type_registry_get(registry, 16385), type);
    assert_ptr_not_equal(type_registry_get(registry, 16386), type);
}

static void test_a_domain_is_what_it_is_over(void **state)
{
    (void)state;
    const struct type *type = type_registry_get(registry, 16385);
    announce(16385, "", "bytea");
    assert_int_equal(type->kind, TYPE_KIND_DOMAIN);
    assert_ptr_equal(type->base, types_builtin(TYPE_BYTEA));
    announce(16387, "", "_int4");
    type = type_registry_get(registry, 16387);
    assert_ptr_equal(type->base, types_builtin(1007));
    assert_int_equal(type->base->kind, TYPE_KIND_ARRAY);
    assert_ptr_equal(type->base->element, types_builtin(TYPE_INT4));
}

static void test_others_get_a_name(void **state)
{
    (void)state;
    announce(16389, "public", "mood");
    const struct type *type = type_registry_get(registry, 16389);
    assert_int_equal(type->kind, TYPE_KIND_UNKNOWN);
    assert_ptr_equal(type->base, type);
    assert_span(type->schema, "public");
    assert_span(type->name, "mood");
    announce(16390, "public", "bytea"); /* somebody's own type, whatever it is called */
    assert_int_equal(type_registry_get(registry, 16390)->kind, TYPE_KIND_UNKNOWN);
    announce(16391, "", "oid8"); /* of a server that is newer than the table */
    type = type_registry_get(registry, 16391);
    assert_int_equal(type->kind, TYPE_KIND_UNKNOWN);
    assert_span(type->name, "oid8");
}

/* Oids are used again once they have gone round. */
static void test_an_oid_becomes_another_type(void **state)
{
    (void)state;
    const struct type *type = type_registry_get(registry, 16385);
    announce(16385, "", "bytea");
    announce(16385, "", "text");
    assert_ptr_equal(type->base, types_builtin(TYPE_TEXT));
    announce(16385, "public", "mood");
    assert_int_equal(type->kind, TYPE_KIND_UNKNOWN);
    assert_ptr_equal(type->base, type);
    assert_span(type->name, "mood");
    announce(16385, "", "bytea");
    assert_int_equal(type->kind, TYPE_KIND_DOMAIN);
    assert_ptr_equal(type_registry_get(registry, 16385), type);
}

/* The server says it again after every invalidation. */
static void test_the_same_again_takes_no_memory(void **state)
{
    (void)state;
    announce(16385, "", "bytea");
    announce(16389, "public", "mood");
    size_t used = arena.used_bytes;
    for (int i = 0; i < 1000; i++) {
        announce(16385, "", "bytea");
        announce(16389, "public", "mood");
    }
    assert_int_equal(arena.used_bytes, used);
}

/* ---- The catalogue ---- */

static void learn(uint32_t oid, enum type_kind kind, uint32_t of, const char *name)
{
    char memory[32];
    memcpy(memory, name, strlen(name));
    struct type_facts facts = {.oid = oid,
                               .kind = kind,
                               .of = of,
                               .modifier = -1,
                               .schema = SPAN_LITERAL("public"),
                               .name = {memory, strlen(name)}};
    type_registry_learn(registry, &facts);
    memset(memory, 0xee, sizeof memory);
}

static void learn_domain(uint32_t oid, uint32_t of, int32_t modifier)
{
    struct type_facts facts = {.oid = oid,
                               .kind = TYPE_KIND_DOMAIN,
                               .of = of,
                               .modifier = modifier,
                               .schema = SPAN_LITERAL("public"),
                               .name = SPAN_LITERAL("domain")};
    type_registry_learn(registry, &facts);
}

static void learn_label(const char *label)
{
    char memory[32];
    memcpy(memory, label, strlen(label));
    type_registry_learn_label(registry, (struct span){memory, strlen(label)});
    memset(memory, 0xee, sizeof memory);
}

static void test_what_is_wanted(void **state)
{
    (void)state;
    uint32_t oids[4] = {0};
    announce(16385, "", "bytea");
    assert_ptr_equal(type_registry_want(registry, TYPE_TEXT), types_builtin(TYPE_TEXT));
    type_registry_want(registry, 16385); /* the stream has said all */
    assert_int_equal(type_registry_wanted(registry, 4, oids), 0);
    const struct type *type = type_registry_want(registry, 16389);
    assert_ptr_equal(type_registry_want(registry, 16389), type);
    type_registry_want(registry, 16391);
    assert_int_equal(type_registry_wanted(registry, 4, oids), 2);
    assert_true(oids[0] + oids[1] == 16389 + 16391 && oids[2] == 0);
    oids[1] = 0;
    assert_int_equal(type_registry_wanted(registry, 1, oids), 2);
    assert_int_equal(oids[1], 0);
    type_registry_settle(registry);
    assert_int_equal(type_registry_wanted(registry, 0, NULL), 0);
    assert_ptr_equal(type_registry_want(registry, 16389), type);
    assert_int_equal(type_registry_wanted(registry, 0, NULL), 1);
}

/* numeric(10,2) behind a domain: the stream says only numeric. */
static void test_modifiers_of_domains(void **state)
{
    (void)state;
    uint32_t numeric = types_builtin_named(SPAN_LITERAL("numeric"))->oid;
    announce(16385, "", "numeric");
    const struct type *type = type_registry_want(registry, 16385);
    assert_int_equal(type->modifier, -1);
    assert_int_equal(type_registry_wanted(registry, 0, NULL), 1);
    learn_domain(16386, numeric, 655366);
    learn_domain(16385, 16386, -1);
    type_registry_settle(registry);
    assert_int_equal(type->modifier, 655366);
    assert_int_equal(type_registry_get(registry, 16386)->modifier, 655366);
    announce(16385, "", "numeric");
    assert_int_equal(type_registry_want(registry, 16385)->modifier, 655366);
    assert_int_equal(type_registry_wanted(registry, 0, NULL), 0);
    learn_domain(16387, 16386, 4);
    assert_int_equal(type_registry_get(registry, 16387)->modifier, 4);
    /* Another type of the same oid is asked about anew. */
    announce(16385, "", "timestamp");
    assert_int_equal(type_registry_want(registry, 16385)->modifier, -1);
    assert_int_equal(type_registry_wanted(registry, 0, NULL), 1);
}

static void test_what_is_learnt(void **state)
{
    (void)state;
    const struct type *pointed = type_registry_get(registry, 16400);
    learn(16390, TYPE_KIND_ENUM, 0, "mood");
    learn(16391, TYPE_KIND_ARRAY, 16390, "_mood");
    learn(16392, TYPE_KIND_DOMAIN, 16391, "moods");
    learn(16400, TYPE_KIND_DOMAIN, 16392, "my_moods");
    const struct type *array = type_registry_get(registry, 16391);
    assert_int_equal(array->kind, TYPE_KIND_ARRAY);
    assert_ptr_equal(array->element, type_registry_get(registry, 16390));
    assert_ptr_equal(pointed, type_registry_get(registry, 16400));
    assert_int_equal(pointed->kind, TYPE_KIND_DOMAIN);
    assert_ptr_equal(pointed->base, array);
    assert_null(pointed->element);
    assert_span(pointed->name, "my_moods");
    learn(TYPE_BYTEA, TYPE_KIND_ENUM, 0, "bytea");
    assert_int_equal(type_registry_get(registry, TYPE_BYTEA)->kind, TYPE_KIND_BASE);
    learn(16401, TYPE_KIND_DOMAIN, TYPE_BYTEA, "sealed");
    assert_ptr_equal(type_registry_get(registry, 16401)->base, types_builtin(TYPE_BYTEA));
    learn(16402, TYPE_KIND_DOMAIN, 16402, "itself"); /* no server says so, and nothing hangs */
    assert_ptr_equal(type_registry_get(registry, 16402)->base, type_registry_get(registry, 16402));
}

static void test_labels(void **state)
{
    (void)state;
    char name[24];
    const struct type *mood = type_registry_get(registry, 16390);
    learn(16390, TYPE_KIND_ENUM, 0, "mood");
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "label %d", i);
        learn_label(name);
    }
    assert_int_equal(mood->label_count, 100);
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "label %d", i);
        assert_span(mood->labels[i], name);
    }
    /* Asked again: the same takes no memory, fewer are fewer. */
    size_t used = arena.used_bytes;
    learn(16390, TYPE_KIND_ENUM, 0, "mood");
    assert_int_equal(mood->label_count, 0);
    for (int i = 0; i < 50; i++) {
        snprintf(name, sizeof name, "label %d", i);
        learn_label(name);
    }
    assert_int_equal(mood->label_count, 50);
    assert_int_equal(arena.used_bytes, used);
    learn(16391, TYPE_KIND_COMPOSITE, 0, "pair");
    learn_label("nobody's");
    assert_int_equal(type_registry_get(registry, 16391)->label_count, 0);
}

/* The stream is of the time of the row, the catalogue of now. */
static void test_the_stream_stands_above_the_catalogue(void **state)
{
    (void)state;
    const struct type *type = type_registry_get(registry, 16385);
    learn(16385, TYPE_KIND_ENUM, 0, "mood");
    announce(16385, "", "bytea");
    assert_int_equal(type->kind, TYPE_KIND_DOMAIN);
    assert_ptr_equal(type->base, types_builtin(TYPE_BYTEA));
    announce(16390, "public", "mood");
    learn(16390, TYPE_KIND_ENUM, 0, "mood");
    announce(16390, "public", "mood");
    assert_int_equal(type_registry_get(registry, 16390)->kind, TYPE_KIND_ENUM);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_builtin_types_are_the_rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_is_known_at_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_domain_is_what_it_is_over, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_others_get_a_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_oid_becomes_another_type, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_same_again_takes_no_memory, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_wanted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_modifiers_of_domains, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_learnt, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_labels, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_stream_stands_above_the_catalogue, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
