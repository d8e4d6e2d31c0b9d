/* types/: each value of the corpus as the real Debezium connector wrote it, under five sets of its
 * options. The file is made by tests/compat/values.py of recorded records; nothing in it is ours.
 */
#include "types/types.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

enum { LINE_BYTES_MAX = 65536, FIELDS_MAX = 8 };

static struct arena epoch, scratch;
static struct type_registry *registry;

static int set_up(void **state)
{
    (void)state;
    arena_init(&epoch, 1 << 16, 1 << 16);
    arena_init(&scratch, 1 << 16, 1 << 16);
    registry = type_registry_open(&epoch);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    arena_fini(&epoch);
    arena_fini(&scratch);
    return 0;
}

static uint32_t oid_of(const char *text)
{
    return (uint32_t)strtoul(text, NULL, 10);
}

static void learn(char *const *fields)
{
    static const char letters[] = "?baedrmc";
    struct type_facts facts = {.oid = oid_of(fields[1]),
                               .kind = (enum type_kind)(strchr(letters, fields[2][0]) - letters),
                               .of = oid_of(fields[3]),
                               .modifier = (int32_t)strtol(fields[4], NULL, 10),
                               .schema = span_of(fields[5]),
                               .name = span_of(fields[6])};
    type_registry_learn(registry, &facts);
}

/* The options are those of tests/compat/variants.py. */
static struct debezium_modes modes_named(const char *name)
{
    struct debezium_modes modes = DEBEZIUM_MODES_DEFAULT;
    modes.compatible = true;
    if (strcmp(name, "text") == 0) {
        modes.decimal = DEBEZIUM_DECIMAL_STRING;
        modes.time = DEBEZIUM_TIME_ISOSTRING;
        modes.interval = DEBEZIUM_INTERVAL_STRING;
        modes.binary = DEBEZIUM_BINARY_BASE64;
    } else if (strcmp(name, "double") == 0) {
        modes.decimal = DEBEZIUM_DECIMAL_DOUBLE;
        modes.time = DEBEZIUM_TIME_CONNECT;
        modes.hstore = DEBEZIUM_HSTORE_MAP;
        modes.binary = DEBEZIUM_BINARY_HEX;
        modes.money_fraction_digits = 4;
    } else if (strcmp(name, "micro") == 0) {
        modes.time = DEBEZIUM_TIME_MICROSECONDS;
        modes.binary = DEBEZIUM_BINARY_BASE64_URL_SAFE;
        modes.money_fraction_digits = 0;
    } else if (strcmp(name, "time_us") == 0) {
        modes.time = DEBEZIUM_TIME_ADAPTIVE_TIME_MICROSECONDS;
    } else {
        assert_string_equal(name, "plain");
    }
    return modes;
}

static struct span unhex(const char *digits)
{
    size_t len = digits[0] == '-' ? 0 : strlen(digits) / 2;
    char *out = arena_alloc_bytes(&scratch, len);
    for (size_t i = 0; i < len; i++) {
        const char pair[3] = {digits[2 * i], digits[2 * i + 1], '\0'};
        out[i] = (char)(unsigned char)strtoul(pair, NULL, 16);
    }
    return (struct span){out, len};
}

static void check(char *const *fields, const struct debezium_modes *modes, const char *name)
{
    struct column column = {.type_oid = oid_of(fields[1]),
                            .type_modifier = (int32_t)strtol(fields[2], NULL, 10),
                            .type = type_registry_get(registry, oid_of(fields[1]))};
    struct buf out = BUF_EMPTY;
    struct json_writer w = json_writer(&out);
    struct error err = ERROR_INIT;
    struct cell cell = {.kind = fields[0][0] == 'n' ? CELL_NULL : CELL_TEXT};
    if (cell.kind == CELL_TEXT)
        cell.bytes = unhex(fields[3]);
    if (types_debezium_omits(modes, &column))
        buf_add_text(&out, "omitted");
    else if (fields[0][0] == 'z')
        types_debezium_write_zero(&w, &column, modes, &scratch);
    else if (types_debezium_write(&w, &cell, &column, modes, &scratch, &err) < 0)
        fail_msg("%s: %s", fields[5], err.text);
    if (!span_equal_text(buf_span(&out), fields[4]))
        fail_msg("%s, %s %s \"%.*s\": Debezium writes %s, we %.*s", name, fields[5], fields[0],
                 SPAN_ARG(cell.bytes), fields[4], SPAN_ARG(buf_span(&out)));
    buf_fini(&out);
    arena_reset(&scratch);
}

static int check_file(const char *path)
{
    static char line[LINE_BYTES_MAX];
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    struct debezium_modes modes = DEBEZIUM_MODES_DEFAULT;
    char name[32] = "";
    int values = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        char *fields[FIELDS_MAX];
        size_t count = 0;
        line[strcspn(line, "\n")] = '\0';
        for (char *at = line; at != NULL && count < FIELDS_MAX; count++) {
            fields[count] = at;
            at = strchr(at, '\t');
            if (at != NULL)
                *at++ = '\0';
        }
        if (strcmp(fields[0], "type") == 0) {
            learn(fields);
        } else if (strcmp(fields[0], "modes") == 0) {
            modes = modes_named(fields[1]);
            snprintf(name, sizeof name, "%s", fields[1]);
        } else {
            assert_int_equal(count, 6);
            check(fields, &modes, name);
            values++;
        }
    }
    fclose(file);
    return values;
}

static void values_are_those_of_the_connector(void **state)
{
    (void)state;
    assert_in_range(check_file("tests/golden/debezium_values.tsv"), 3900, 4600);
}

/* PostGIS' types, without PostGIS. */
static void so_are_shapes(void **state)
{
    (void)state;
    assert_in_range(check_file("tests/golden/debezium_spatial.tsv"), 40, 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(values_are_those_of_the_connector, set_up, tear_down),
        cmocka_unit_test_setup_teardown(so_are_shapes, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
