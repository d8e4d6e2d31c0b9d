/* types/types_debezium_mask: texts that are cut, hidden or hashed. The digests were made by Java's
 * MessageDigest and ObjectOutputStream, as Debezium's MaskStrings uses them. */
#include "types/types.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "assert_text.h"

static struct arena arena;

static void expect(const char *type, int32_t modifier, struct cell cell, struct debezium_mask mask,
                   const char *wanted)
{
    const struct debezium_modes modes = DEBEZIUM_MODES_DEFAULT;
    struct column column = {.type_modifier = modifier, .type = types_builtin_named(span_of(type))};
    struct buf out = BUF_EMPTY;
    struct error err = ERROR_INIT;
    struct json_writer w = json_writer(&out);
    if (mask.kind >= DEBEZIUM_MASK_HASH)
        mask.length = types_debezium_column_length(&column);
    assert_int_equal(types_debezium_write_masked(&w, &cell, &column, &mask, &modes, &arena, &err),
                     0);
    assert_span(buf_span(&out), wanted);
    buf_fini(&out);
}

static struct cell text(const char *value)
{
    return (struct cell){CELL_TEXT, span_of(value)};
}

static const struct cell nothing = {.kind = CELL_NULL}, unchanged = {.kind = CELL_UNCHANGED};

static void test_cut(void **state)
{
    (void)state;
    const struct debezium_mask three = {.kind = DEBEZIUM_MASK_TRUNCATE, .length = 3};
    expect("text", -1, text("Anne"), three, "\"Ann\"");
    expect("varchar", 24, text("An"), three, "\"An\"");
    expect("text", -1, text("äöüß"), three, "\"äöü\"");
    /* Two of Java's characters, of which no half is left. */
    expect("text", -1, text("ab\xF0\x9F\x98\x80"), three, "\"ab\"");
    expect("text", -1, text("a\xF0\x9F\x98\x80"), three, "\"a\\uD83D\\uDE00\"");
    expect("text", -1, nothing, three, "null");
    expect("text", -1, unchanged, three, "\"__d\"");
    expect("text", -1, text("Anne"), (struct debezium_mask){.kind = DEBEZIUM_MASK_TRUNCATE},
           "\"\"");
}

static void test_asterisks(void **state)
{
    (void)state;
    const struct debezium_mask four = {.kind = DEBEZIUM_MASK_ASTERISKS, .length = 4};
    expect("text", -1, text("Anne Miller"), four, "\"****\"");
    expect("text", -1, nothing, four, "\"****\"");
    expect("text", -1, unchanged, four, "\"****\"");
    expect("text", -1, text("x"), (struct debezium_mask){.kind = DEBEZIUM_MASK_ASTERISKS}, "\"\"");
}

static const char *repeated(char c, size_t count)
{
    char *bytes = arena_alloc_bytes(&arena, count + 1);
    memset(bytes, c, count);
    bytes[count] = '\0';
    return bytes;
}

static void test_digests(void **state)
{
    (void)state;
    const struct {
        enum debezium_digest digest;
        const char *salt, *text, *v1, *v2;
    } all[] = {
        {DEBEZIUM_DIGEST_SHA256, "CzQMA0cB5K", "Anne",
         "\"ede6f76a019611f66c29fd475dcbf20bbd6d004a18f8185f319a915584c3f270\"",
         "\"b76a43f0bc286dc1b4582e58a06712a2cce22c8c14e08c59a7ee8e69ed3fb902\""},
        {DEBEZIUM_DIGEST_SHA256, "s",
         "a\xF0\x9F\x98\x80"
         "b\xC3\xA9",
         "\"1e1e8092ddf01a79724bbddd5cd04d6ebcd1e1b600fd3c1c22e27805b25719bd\"",
         "\"606db8a450c95d6d4f529b41f32fd24c51bb6d320a71c38fcf789e0d8fae6958\""},
        {DEBEZIUM_DIGEST_SHA512, "salt", repeated('x', 70000),
         "\"ee8a3f987a4e0b533fcf6c1d4f887a6adc86ed66e4f741b0bc7558c0b92b85831f8c94818b09b8c2097aed6"
         "9"
         "a133c5a21fa0be785012256231f8818aecd5392e\"",
         "\"62e45b8c4b0f4e69178ab8e9a6d2a4374d73c322399e46ecf00b22944ee0c3d1f3b93ea81a6b7bca62c388a"
         "e"
         "a32e5e91d56024bdbc9be9302ed6fc0e2a7737d9\""},
        {DEBEZIUM_DIGEST_SHA1, "salt", "Anne", "\"02e64b19f239f6b8b2c9f110f0d080e2f8bc055e\"",
         "\"49450814aaf2de6f75e3464130d0ba1bbbea3a2a\""},
        {DEBEZIUM_DIGEST_MD5, "salt", "Anne", "\"6cb96c77a559b4390f3ad4e8767d009c\"",
         "\"1476911216dcb9d7d22cfb36a03df905\""},
        {DEBEZIUM_DIGEST_SHA224, "salt", "",
         "\"de07b13a2e071cb3222cffbe66e6a0bef3bf4d548cf68c98e784ffc2\"",
         "\"80afaaa043f22b53837427563cf87184a7344567c6875d8883f958b3\""},
        {DEBEZIUM_DIGEST_SHA384, "salt", repeated('y', 111),
         "\"532a67010f7489b04cb7a9775c570a11becc00169e37a8a8682f4e23fb523bf094ccc8a2d995fecb973b38a"
         "2"
         "0f9c2089\"",
         "\"11cba7f55ac412877907baac06c09312b271678e56d36eb56eafe456725fb1df4b80b4ea7a2372bfaf6461a"
         "a"
         "97beda5a\""},
        {DEBEZIUM_DIGEST_SHA512, "salt", repeated('z', 108),
         "\"f94122699481f949f455e0bc6eef4def977fac7284d4cd72a0cb10c2fcb465699f69e78636a6df5bd24ccdd"
         "6"
         "8eb7de8a632db5ab6aac3cad84af14037cf553a5\"",
         "\"87ea919158ffac7e32318e730f6e2da9e23118d2cdff01efa4a4aa0132dce27c9c941b7be6c801ec0a7157d"
         "f"
         "4d0ad6f801f39c2e9bf72657964585ccf7720851\""},
    };
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        struct debezium_mask mask = {
            .kind = DEBEZIUM_MASK_HASH, .digest = all[i].digest, .salt = span_of(all[i].salt)};
        expect("text", -1, text(all[i].text), mask, all[i].v1);
        mask.kind = DEBEZIUM_MASK_HASH_V2;
        expect("text", -1, text(all[i].text), mask, all[i].v2);
    }
}

static void test_hashes_fit_the_column(void **state)
{
    (void)state;
    const struct debezium_mask mask = {.kind = DEBEZIUM_MASK_HASH_V2,
                                       .digest = DEBEZIUM_DIGEST_SHA256,
                                       .salt = SPAN_LITERAL("CzQMA0cB5K")};
    expect("varchar", 24, text("Anne"), mask, "\"b76a43f0bc286dc1b458\"");
    expect("bpchar", 9, text("Anne"), mask, "\"b76a4\"");
    expect("char", -1, text("A"), mask, "\"8\"");
    expect("varchar", 24, nothing, mask, "null");
}

static void test_what_is_no_text(void **state)
{
    (void)state;
    static const char *const no[] = {"int4",  "numeric", "bool",  "date",    "timestamptz",
                                     "bytea", "_text",   "point", "interval"};
    static const char *const yes[] = {"text", "varchar", "bpchar", "name", "json", "uuid", "inet"};
    struct column column = {.type_modifier = -1};
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++) {
        column.type = types_builtin_named(span_of(no[i]));
        assert_non_null(column.type);
        assert_false(types_debezium_may_mask(&column));
    }
    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        column.type = types_builtin_named(span_of(yes[i]));
        assert_true(types_debezium_may_mask(&column));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_asterisks),
        cmocka_unit_test(test_digests),
        cmocka_unit_test(test_hashes_fit_the_column),
        cmocka_unit_test(test_what_is_no_text),
    };
    arena_init(&arena, 1024, 1024);
    int failed = cmocka_run_group_tests_name("types_mask", tests, NULL, NULL);
    arena_fini(&arena);
    return failed;
}
