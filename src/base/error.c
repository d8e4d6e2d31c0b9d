/* base/error: fills, wraps and prints a struct error. It never allocates and never refuses: texts
 * that are too long are cut, but a mend is whole or left out. It does not log. */
#include "base/error.h"

#include "base/buf.h"
#include "base/utf8.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

const char *error_kind_name(enum error_kind kind)
{
    switch (kind) {
    case ERROR_NONE:
        return "none";
    case ERROR_RETRY:
        return "retry";
    case ERROR_DATA:
        return "data";
    case ERROR_STOP:
        return "stop";
    }
    return "unknown";
}

/* One line: a library's message may hold newlines, a log line may not. What was cut ends with a
 * whole character. */
static void flatten(char *text)
{
    utf8_trim(text);
    size_t length = strlen(text);
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == ' '))
        text[--length] = '\0';
    for (char *c = text; *c != '\0'; c++)
        if (*c == '\n' || *c == '\r' || *c == '\t')
            *c = ' ';
}

/* The arguments may point into *err itself (a text that is told anew), so it is replaced last. */
static int fill(struct error *err, enum error_kind kind, enum reason reason, const char *format,
                va_list args)
{
    assert(err != NULL);
    assert(reason_has_kind(reason, kind));
    struct error made = {
        .kind = kind, .exit_code = reason_exit_code(reason, kind), .reason = reason};
    vsnprintf(made.text, sizeof made.text, format, args);
    flatten(made.text);
    *err = made;
    return -1;
}

int error_retry(struct error *err, enum reason reason, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int result = fill(err, ERROR_RETRY, reason, format, args);
    va_end(args);
    return result;
}

int error_data(struct error *err, enum reason reason, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int result = fill(err, ERROR_DATA, reason, format, args);
    va_end(args);
    return result;
}

int error_stop(struct error *err, enum reason reason, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int result = fill(err, ERROR_STOP, reason, format, args);
    va_end(args);
    return result;
}

int error_wrap(struct error *err, const char *format, ...)
{
    assert(err->kind != ERROR_NONE);
    char inner[ERROR_TEXT_MAX];
    memcpy(inner, err->text, sizeof inner);
    inner[sizeof inner - 1] = '\0';
    va_list args;
    va_start(args, format);
    int used = vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    if (used < 0 || (size_t)used + 3 > sizeof err->text)
        return -1;
    size_t room = sizeof err->text - (size_t)used - 3;
    size_t length = strnlen(inner, room);
    memcpy(err->text + used, ": ", 2);
    memcpy(err->text + used + 2, inner, length);
    err->text[(size_t)used + 2 + length] = '\0';
    flatten(err->text);
    return -1;
}

int error_hint(struct error *err, const char *format, ...)
{
    assert(err->kind != ERROR_NONE);
    va_list args;
    va_start(args, format);
    vsnprintf(err->hint, sizeof err->hint, format, args);
    va_end(args);
    flatten(err->hint);
    for (size_t i = 0; i < ERROR_MENDS_MAX; i++)
        err->mends[i].kind = MEND_NONE;
    return -1;
}

/* ---- Mends ---- */

static int add_mend(struct error *err, enum mend_kind kind, const char *format, va_list args)
{
    assert(err->kind != ERROR_NONE);
    assert(reason_has_mend(err->reason));
    struct mend *mend = err->mends;
    while (mend->kind != MEND_NONE)
        assert(++mend < err->mends + ERROR_MENDS_MAX);
    int length = vsnprintf(mend->line, sizeof mend->line, format, args);
    if (length > 0 && (size_t)length < sizeof mend->line)
        mend->kind = kind;
    return -1;
}

int error_mend(struct error *err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int result = add_mend(err, MEND_COMMAND, format, args);
    va_end(args);
    return result;
}

int error_mend_sql(struct error *err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int result = add_mend(err, MEND_SQL, format, args);
    va_end(args);
    return result;
}

int error_mend_shell(struct error *err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int result = add_mend(err, MEND_SHELL, format, args);
    va_end(args);
    return result;
}

#define PLAIN                                                                                      \
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"                               \
    "_-./:@%+=,"

void error_shell_word(struct buf *out, const char *text)
{
    assert(out != NULL && text != NULL);
    if (text[0] != '\0' && strspn(text, PLAIN) == strlen(text)) {
        buf_add_text(out, text);
        return;
    }
    buf_add_char(out, '\'');
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '\'')
            buf_add_text(out, "'\\''");
        else
            buf_add_char(out, *c);
    }
    buf_add_char(out, '\'');
}

void error_mend_line(const struct mend *mend, const struct invocation *as, struct buf *out)
{
    assert(mend != NULL && mend->kind != MEND_NONE);
    if (mend->kind != MEND_COMMAND) {
        buf_add_text(out, mend->line);
        return;
    }
    error_shell_word(out, as != NULL && as->program != NULL ? as->program : "walferry");
    buf_add_char(out, ' ');
    buf_add_text(out, mend->line);
    if (as == NULL || as->file == NULL)
        return;
    buf_add_text(out, " -c ");
    error_shell_word(out, as->file);
}

void error_advice(const struct error *err, const struct invocation *as, struct buf *out)
{
    assert(err != NULL && out != NULL);
    buf_add_text(out, err->hint);
    for (size_t i = 0; i < ERROR_MENDS_MAX && err->mends[i].kind != MEND_NONE; i++) {
        if (i > 0)
            buf_add_text(out, ", or: ");
        else
            buf_add_text(out, err->hint[0] != '\0' ? ": " : "run: ");
        error_mend_line(&err->mends[i], as, out);
    }
}
