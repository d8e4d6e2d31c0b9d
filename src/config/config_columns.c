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

static bool check_one(struct buf *expression, char why[COLUMN_WHY_MAX])
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
    snprintf(why, COLUMN_WHY_MAX, "\"%.60s\": %s", buf_text(expression), (const char *)text);
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

/* What takes too many steps does not match: the names are short, and none of a table's takes more
 * than the others. */
static bool matches(const struct buf *expression, const struct buf *name)
{
    int error;
    pcre2_code *code = compile(expression, &error);
    assert(code != NULL);
    pcre2_match_data *data = pcre2_match_data_create_from_pattern(code, NULL);
    pcre2_match_context *limits = pcre2_match_context_create(NULL);
    if (data == NULL || limits == NULL)
        abort();
    pcre2_set_match_limit(limits, STEPS_MAX);
    bool match = pcre2_match(code, (PCRE2_SPTR)name->ptr, name->len, 0, 0, data, limits) > 0;
    pcre2_match_context_free(limits);
    pcre2_match_data_free(data);
    pcre2_code_free(code);
    return match;
}

bool config_columns_match(const char *list, struct span schema, struct span table,
                          struct span column)
{
    struct buf expression = BUF_EMPTY, name = BUF_EMPTY;
    bool match = false;
    assert(list != NULL && column.ptr != NULL);
    buf_add_format(&name, "%.*s.%.*s.%.*s", SPAN_ARG(schema), SPAN_ARG(table), SPAN_ARG(column));
    while (!match && next_expression(&list, &expression))
        match = matches(&expression, &name);
    buf_fini(&expression);
    buf_fini(&name);
    return match;
}
