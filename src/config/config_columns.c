/* config_columns: see config_columns.h. A comma inside of an expression is written \, as Debezium
 * wants it. */
#include "config/config_columns.h"

#include "base/buf.h"

#include <assert.h>
#include <regex.h>
#include <stdio.h>

/* The next expression, anchored at both ends; false: there is none left. */
static bool next_expression(const char **at, struct buf *out)
{
    buf_reset(out);
    if (**at == '\0')
        return false;
    buf_add_text(out, "^(");
    for (; **at != '\0' && **at != ','; ++*at) {
        if ((*at)[0] == '\\' && (*at)[1] == ',')
            ++*at;
        else if ((*at)[0] == '\\' && (*at)[1] != '\0')
            buf_add_char(out, *(*at)++);
        if (!(**at == ' ' && out->len == 2)) /* a blank behind the comma before */
            buf_add_char(out, **at);
    }
    buf_add_text(out, ")$");
    if (**at == ',')
        ++*at;
    return true;
}

/* POSIX takes \d for a d, and would match nothing without a word. */
static bool has_class(const char *expression)
{
    for (const char *at = strchr(expression, '\\'); at != NULL && at[1] != '\0';
         at = strchr(at + 2, '\\'))
        if ((at[1] >= 'a' && at[1] <= 'z') || (at[1] >= 'A' && at[1] <= 'Z') ||
            (at[1] >= '0' && at[1] <= '9'))
            return true;
    return false;
}

static bool check_one(const char *expression, char why[COLUMN_WHY_MAX])
{
    char text[80];
    regex_t regex;
    int length = (int)strlen(expression) - 4;
    if (has_class(expression)) {
        snprintf(why, COLUMN_WHY_MAX, "\"%.*s\": a letter or digit behind a \\ is not known",
                 length, expression + 2);
        return false;
    }
    int failed = length == 0 ? REG_BADPAT : regcomp(&regex, expression, REG_EXTENDED | REG_NOSUB);
    if (failed == 0) {
        regfree(&regex);
        return true;
    }
    regerror(failed, NULL, text, sizeof text);
    snprintf(why, COLUMN_WHY_MAX, "\"%.*s\": %s", length, expression + 2,
             length == 0 ? "nothing stands there" : text);
    return false;
}

bool config_columns_check(const char *list, char why[COLUMN_WHY_MAX])
{
    struct buf expression = BUF_EMPTY;
    bool good = true;
    assert(list != NULL && why != NULL);
    while (good && next_expression(&list, &expression))
        good = check_one(buf_text(&expression), why);
    buf_fini(&expression);
    return good;
}

static bool matches(const char *expression, const char *name)
{
    regex_t regex;
    int failed = regcomp(&regex, expression, REG_EXTENDED | REG_NOSUB | REG_ICASE);
    assert(failed == 0);
    (void)failed;
    bool match = regexec(&regex, name, 0, NULL, 0) == 0;
    regfree(&regex);
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
        match = matches(buf_text(&expression), buf_text(&name));
    buf_fini(&expression);
    buf_fini(&name);
    return match;
}
