/* config_columns: see config_columns.h. A comma inside of an expression is written \, as Debezium
 * wants it. */
#include "config/config_columns.h"

#include "base/buf.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <assert.h>
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>

#define STEPS_MAX 100000

/* The next expression; false: there is none left. */
static bool next_expression(const char **at, struct buf *out)
{
    buf_reset(out);
    if (**at == '\0')
        return false;
    for (; **at != '\0' && **at != ','; ++*at) {
        if ((*at)[0] == '\\' && (*at)[1] == ',')
            ++*at;
        else if ((*at)[0] == '\\' && (*at)[1] != '\0')
            buf_add_char(out, *(*at)++);
        if (!(**at == ' ' && out->len == 0)) /* a blank behind the comma before */
            buf_add_char(out, **at);
    }
    if (**at == ',')
        ++*at;
    return true;
}

/* NULL, with *error: it is none. The caller frees it. */
static pcre2_code *compile(const struct buf *expression, int *error)
{
    PCRE2_SIZE at;
    return pcre2_compile((PCRE2_SPTR)expression->ptr, expression->len,
                         PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_CASELESS, error,
                         &at, NULL);
}

static bool check_one(const struct buf *expression, char why[COLUMN_WHY_MAX])
{
    PCRE2_UCHAR text[80] = "nothing stands there";
    int error;
    pcre2_code *code = expression->len > 0 ? compile(expression, &error) : NULL;
    if (code != NULL) {
        pcre2_code_free(code);
        return true;
    }
    if (expression->len > 0)
        pcre2_get_error_message(error, text, sizeof text);
    snprintf(why, COLUMN_WHY_MAX, "\"%.*s\": %s", expression->len > 60 ? 60 : (int)expression->len,
             expression->ptr != NULL ? expression->ptr : "", (const char *)text);
    return false;
}

bool config_columns_check(const char *list, char why[COLUMN_WHY_MAX])
{
    struct buf expression = BUF_EMPTY;
    bool good = true;
    assert(list != NULL && why != NULL);
    while (good && next_expression(&list, &expression))
        good = check_one(&expression, why);
    buf_fini(&expression);
    return good;
}

/* doubt: the answer where it takes too many steps to find one. */
static bool matches(const struct buf *expression, const struct buf *name, bool doubt)
{
    int error;
    pcre2_code *code = compile(expression, &error);
    assert(code != NULL);
    pcre2_match_data *data = pcre2_match_data_create_from_pattern(code, NULL);
    pcre2_match_context *limits = pcre2_match_context_create(NULL);
    if (data == NULL || limits == NULL)
        abort();
    pcre2_set_match_limit(limits, STEPS_MAX);
    int found = pcre2_match(code, (PCRE2_SPTR)name->ptr, name->len, 0, 0, data, limits);
    bool match = found > 0 || (found < 0 && found != PCRE2_ERROR_NOMATCH && doubt);
    pcre2_match_context_free(limits);
    pcre2_match_data_free(data);
    pcre2_code_free(code);
    return match;
}

bool config_columns_match(const char *list, struct span schema, struct span table,
                          struct span column, bool doubt)
{
    struct buf expression = BUF_EMPTY, name = BUF_EMPTY;
    bool match = false;
    assert(list != NULL && column.ptr != NULL);
    buf_add_format(&name, "%.*s.%.*s.%.*s", SPAN_ARG(schema), SPAN_ARG(table), SPAN_ARG(column));
    while (!match && next_expression(&list, &expression))
        match = matches(&expression, &name, doubt);
    buf_fini(&expression);
    buf_fini(&name);
    return match;
}

/* ---- What becomes of a column ---- */

struct column_treatment config_column_treatment(const struct config_debezium *options,
                                                struct span schema, struct span table,
                                                struct span column)
{
    const struct {
        const struct config_pairs *pairs;
        enum column_rule rule;
        const char *key;
    } kinds[] = {
        {&options->column_truncate, COLUMN_TRUNCATED, "column_truncate_to_length_chars"},
        {&options->column_mask, COLUMN_MASKED, "column_mask_with_length_chars"},
        {&options->column_hash, COLUMN_HASHED, "column_mask_hash"},
        {&options->column_hash_v2, COLUMN_HASHED_V2, "column_mask_hash_v2"},
    };
    assert(options != NULL && column.ptr != NULL);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        for (uint32_t j = 0; j < kinds[i].pairs->count; j++) {
            const struct config_pair *pair = &kinds[i].pairs->items[j];
            if (config_columns_match(pair->value.text, schema, table, column, true))
                return (struct column_treatment){kinds[i].rule, pair->name.text, kinds[i].key};
        }
    return (struct column_treatment){.rule = COLUMN_AS_IS};
}

/* ---- message_key_columns ---- */

static struct span trimmed(const char *begin, const char *end)
{
    while (begin < end && (*begin == ' ' || *begin == '\n'))
        begin++;
    while (begin < end && (end[-1] == ' ' || end[-1] == '\n'))
        end--;
    return (struct span){begin, (size_t)(end - begin)};
}

bool config_key_column_next(const char **at, struct key_column *out)
{
    const char *p = *at;
    assert(p != NULL && out != NULL);
    if (*p == '\0')
        return false;
    const char *colon = p + strcspn(p, ":,;");
    if (*colon == ':') {
        out->table = trimmed(p, colon);
        p = colon + 1;
    }
    const char *end = p + strcspn(p, ",;");
    out->column = trimmed(p, end);
    *at = *end == '\0' ? end : end + 1;
    return true;
}

static void key_expression(const struct key_column *key, struct buf *out)
{
    buf_add(out, key->table);
    buf_add_char(out, '.');
    buf_add(out, key->column);
}

bool config_key_columns_check(const char *list, char why[COLUMN_WHY_MAX])
{
    struct key_column key = {.table = span_null()};
    uint32_t count = 0;
    bool good = true;
    assert(list != NULL && why != NULL);
    while (good && config_key_column_next(&list, &key)) {
        struct buf expression = BUF_EMPTY;
        key_expression(&key, &expression);
        good = check_one(&expression, why);
        buf_fini(&expression);
        if (++count > CONFIG_KEY_COLUMNS_MAX) {
            snprintf(why, COLUMN_WHY_MAX, "more than %d columns", CONFIG_KEY_COLUMNS_MAX);
            good = false;
        }
    }
    return good;
}

bool config_key_column_matches(const struct key_column *key, struct span schema, struct span table,
                               struct span column)
{
    struct buf expression = BUF_EMPTY, name = BUF_EMPTY;
    assert(key->column.ptr != NULL);
    key_expression(key, &expression);
    buf_add_format(&name, "%.*s.%.*s.%.*s", SPAN_ARG(schema), SPAN_ARG(table), SPAN_ARG(column));
    bool match = matches(&expression, &name, false);
    buf_fini(&expression);
    buf_fini(&name);
    return match;
}

bool config_key_column_is_of(const struct key_column *key, struct span schema, struct span table)
{
    struct buf expression = BUF_EMPTY, name = BUF_EMPTY;
    int error;
    assert(key->table.ptr != NULL);
    buf_add(&expression, key->table);
    buf_add_format(&name, "%.*s.%.*s", SPAN_ARG(schema), SPAN_ARG(table));
    pcre2_code *code = compile(&expression, &error);
    bool match = code != NULL && matches(&expression, &name, false);
    pcre2_code_free(code);
    buf_fini(&expression);
    buf_fini(&name);
    return match;
}
