/* config_expand: ${env:NAME} and ${file:PATH}. What comes out is marked as a secret and is not
 * looked at again, so a value cannot bring further expansions in. No other $ means anything. */
#include "config/config_expand.h"

#include "base/slurp.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One ${…} whose text between the braces is `what`. */
enum form { FORM_PLAIN, FORM_PAIRS, FORM_URI };

struct expansion {
    const struct config_reader *reader;
    enum form form;
    uint32_t line;
    const char *path;
    struct buf out;
};

static int expand_env(struct expansion *x, struct span name, struct error *err)
{
    char *text = arena_text(x->reader->arena, name);
    const char *value = name.len > 0 ? getenv(text) : NULL;
    if (value == NULL) {
        config_fail(err, x->reader, x->line, x->path, REASON_CONFIG_EXPANSION,
                    "${env:%.200s}: the environment has no such variable", text);
        return error_hint(err, "set %.200s in the environment of walferry",
                          name.len > 0 ? text : "a variable");
    }
    buf_add_text(&x->out, value);
    return 0;
}

/* Below these the unit's ProtectHome and PrivateTmp show it other things than whoever looks. */
static bool hidden_by_unit(const char *file)
{
    static const char *const places[] = {"/home/", "/root/", "/run/user/", "/tmp/", "/var/tmp/"};
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (strncmp(file, places[i], strlen(places[i])) == 0)
            return true;
    return false;
}

/* Whoever reads this may stand in another directory than the process does. */
static int file_failed(struct expansion *x, const char *file, const char *why, struct error *err)
{
    char from[256];
    if (file[0] == '/' || getcwd(from, sizeof from) == NULL) {
        config_fail(err, x->reader, x->line, x->path, REASON_CONFIG_EXPANSION, "${file:%.200s}: %s",
                    file, why);
        return error_hint(err, "write the value into that file, readable to the user of walferry%s",
                          hidden_by_unit(file) ? "; its systemd unit hides what is in /home, /root "
                                                 "and /tmp from it: take /etc/walferry"
                                               : "");
    }
    config_fail(err, x->reader, x->line, x->path, REASON_CONFIG_EXPANSION,
                "${file:%.200s}: %s/%.200s: %s", file, strcmp(from, "/") != 0 ? from : "", file,
                why);
    return error_hint(err,
                      "write the value into that file, readable to the user of walferry; a path "
                      "without a leading / counts from the directory in which walferry was "
                      "started, %s",
                      from);
}

static int expand_file(struct expansion *x, struct span name, struct error *err)
{
    char *file = arena_text(x->reader->arena, name);
    size_t before = x->out.len;
    if (slurp(file, before + CONFIG_EXPANSION_BYTES_MAX, &x->out) < 0)
        return file_failed(x, file, errno == EFBIG ? "larger than 64KB" : strerror(errno), err);
    if (memchr(x->out.ptr + before, '\0', x->out.len - before) != NULL)
        return file_failed(x, file, "holds a NUL character", err);
    struct config_secrets *secrets = x->reader->secrets;
    if (secrets != NULL && secrets->count < CONFIG_SECRET_FILES_MAX)
        secrets->files[secrets->count++] = file;
    if (x->out.len > before && x->out.ptr[x->out.len - 1] == '\n')
        x->out.len--;
    if (x->out.len > before && x->out.ptr[x->out.len - 1] == '\r')
        x->out.len--;
    return 0;
}

/* Colons, commas and brackets stay: they part hosts and ports, and harm no password. */
static bool is_plain_in_uri(unsigned char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           strchr("-._~:,[]", c) != NULL;
}

static bool in_quotes(const struct buf *text)
{
    bool inside = false;
    for (size_t i = 0; i < text->len; i++) {
        if (text->ptr[i] == '\\')
            i++;
        else
            inside ^= text->ptr[i] == '\'';
    }
    return inside;
}

/* A backslash takes the next character as it is, in quotes or not. */
static void escape_for_pairs(struct span value, bool quoted, bool whole_value, struct buf *out)
{
    if (value.len == 0 && whole_value && !quoted)
        buf_add_text(out, "''"); /* else what follows would be the value */
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];
        bool blank = c == ' ' || (c >= '\t' && c <= '\r');
        if (c == '\\' || c == '\'' || (blank && !quoted))
            buf_add_char(out, '\\');
        buf_add_char(out, c);
    }
}

static void escape_for_uri(struct span value, struct buf *out)
{
    for (size_t i = 0; i < value.len; i++) {
        unsigned char c = (unsigned char)value.ptr[i];
        if (is_plain_in_uri(c))
            buf_add_char(out, (char)c);
        else
            buf_add_format(out, "%%%02X", c);
    }
}

/* What stands behind `before` in the output was put in, and becomes one value. */
static void escape(struct expansion *x, size_t before)
{
    struct buf made = BUF_EMPTY;
    struct span value = {x->out.ptr + before, x->out.len - before};
    x->out.len = before;
    if (x->form == FORM_URI)
        escape_for_uri(value, &made);
    else
        escape_for_pairs(value, in_quotes(&x->out), before > 0 && x->out.ptr[before - 1] == '=',
                         &made);
    buf_add(&x->out, buf_span(&made));
    buf_fini(&made);
}

static enum form form_of(struct span raw, bool connection)
{
    const char *end = raw.len > 0 ? memchr(raw.ptr, '}', raw.len) : NULL;
    bool whole = span_starts_with(raw, SPAN_LITERAL("${")) && end == raw.ptr + raw.len - 1;
    if (!connection || whole)
        return FORM_PLAIN;
    return span_starts_with(raw, SPAN_LITERAL("postgresql://")) ||
                   span_starts_with(raw, SPAN_LITERAL("postgres://"))
               ? FORM_URI
               : FORM_PAIRS;
}

static int expand_one(struct expansion *x, struct span *rest, struct error *err)
{
    static const struct span env = {"${env:", 6}, file = {"${file:", 7};
    bool is_env = span_starts_with(*rest, env);
    size_t skip = is_env ? env.len : file.len;
    const char *end = memchr(rest->ptr, '}', rest->len);
    if (end == NULL) {
        config_fail(err, x->reader, x->line, x->path, REASON_CONFIG_EXPANSION,
                    "${%s: without its closing brace", is_env ? "env" : "file");
        return error_hint(err, "write ${%s} and quote the value",
                          is_env ? "env:NAME" : "file:PATH");
    }
    struct span what = {rest->ptr + skip, (size_t)(end - rest->ptr) - skip};
    *rest = (struct span){end + 1, rest->len - (size_t)(end + 1 - rest->ptr)};
    size_t before = x->out.len;
    if ((is_env ? expand_env(x, what, err) : expand_file(x, what, err)) < 0)
        return -1;
    if (x->form != FORM_PLAIN)
        escape(x, before);
    return 0;
}

/* One that stands in a connection string as it is: password=…, or user:password@ of a URI. */
static bool holds_password(struct span raw, enum form form)
{
    const char *end = raw.ptr + raw.len;
    const char *name = form == FORM_URI ? "://" : "password";
    const char *at = memmem(raw.ptr, raw.len, name, strlen(name));
    if (at == NULL)
        return false;
    const char *stop = form == FORM_URI ? memchr(at, '@', (size_t)(end - at)) : end;
    at = stop != NULL ? memchr(at + strlen(name), form == FORM_URI ? ':' : '=',
                               (size_t)(stop - at) - strlen(name))
                      : NULL;
    for (at = at != NULL ? at + 1 : end; at < end && strchr(" '", *at) != NULL;)
        at++;
    return at < end && *at != '$';
}

int config_expand(const struct config_reader *reader, uint32_t line, const char *path,
                  struct span raw, bool connection, struct span *text, bool *secret,
                  struct error *err)
{
    assert(raw.ptr != NULL && text != NULL);
    struct expansion x = {
        .reader = reader, .form = form_of(raw, connection), .line = line, .path = path};
    int result = 0;
    *secret = false;
    if (connection && reader->secrets != NULL && holds_password(raw, x.form))
        reader->secrets->inside = true;
    struct span rest = raw;
    while (rest.len > 0 && result == 0) {
        if (span_starts_with(rest, SPAN_LITERAL("${env:")) ||
            span_starts_with(rest, SPAN_LITERAL("${file:"))) {
            *secret = true;
            result = expand_one(&x, &rest, err);
        } else {
            buf_add_char(&x.out, *rest.ptr);
            rest = (struct span){rest.ptr + 1, rest.len - 1};
        }
        if (result == 0 && x.out.len > CONFIG_FILE_BYTES_MAX)
            result = config_fail(err, reader, line, path, REASON_CONFIG_EXPANSION,
                                 "larger than 1MB once it is expanded");
    }
    *text = (struct span){arena_text(reader->arena, buf_span(&x.out)), x.out.len};
    buf_fini(&x.out);
    return result;
}
