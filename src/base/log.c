/* base/log: a line is built in one buffer on the stack, because a log that blocks or allocates
 * without bound would disturb the pipeline. What does not fit is cut inside its value, and the
 * pairs behind it are left out, so that a cut line is still logfmt or JSON. A line is UTF-8
 * whatever the values are. It keeps nothing back and repeats nothing. */
#include "base/log.h"

#include "base/buf.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/log_ring.h"
#include "base/time.h"
#include "base/utf8.h"
#include "base/waits.h"

#include <assert.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096
#define VALUE_END (LINE_MAX_BYTES - 16) /* no value goes beyond: quote, brace and newline fit */
#define PAIR_END (LINE_MAX_BYTES - 128) /* no pair begins beyond: its key and quotes fit */

struct line {
    char text[LINE_MAX_BYTES];
    size_t start; /* behind the priority */
    size_t len;
};

const char *log_level_name(enum log_level level)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    assert(level <= LOG_ERROR);
    return names[level];
}

static void add(struct line *line, const char *bytes, size_t len)
{
    assert(line->len + len <= sizeof line->text);
    memcpy(line->text + line->len, bytes, len);
    line->len += len;
}

static void add_text(struct line *line, const char *text)
{
    add(line, text, strlen(text));
}

/* One character of a value, or a byte that belongs to none, as it stands in the line. Returns how
 * many bytes it takes of the value: 0 where the value was cut in the midst of it. JSON escapes
 * serve logfmt's quoted values as well. */
static size_t escape(const char *at, const char *end, char escaped[8])
{
    size_t length = utf8_length(at, end);
    if (*at == '"' || *at == '\\')
        snprintf(escaped, 8, "\\%c", *at);
    else if ((unsigned char)*at < 0x20)
        snprintf(escaped, 8, "\\u%04x", (unsigned)(unsigned char)*at);
    else if (length > 0)
        snprintf(escaped, 8, "%.*s", (int)length, at);
    else if (utf8_cut_off(at, end))
        return 0;
    else
        snprintf(escaped, 8, "\xEF\xBF\xBD"); /* U+FFFD */
    return length > 0 ? length : 1;
}

static void add_escaped(struct line *line, const char *value)
{
    const char *end = value + strlen(value);
    while (value < end) {
        char escaped[8];
        size_t taken = escape(value, end, escaped);
        if (taken == 0 || line->len + strlen(escaped) > VALUE_END)
            return;
        add_text(line, escaped);
        value += taken;
    }
}

static bool is_bare(const char *value)
{
    if (*value == '\0')
        return false;
    for (const char *c = value; *c != '\0'; c++)
        if ((unsigned char)*c <= ' ' || *c == '"' || *c == '=' || *c == '\\')
            return false;
    return true;
}

/* What JSON takes without quotes. */
static bool is_plain(const char *value)
{
    if (strcmp(value, "true") == 0 || strcmp(value, "false") == 0)
        return true;
    const char *digits = *value == '-' ? value + 1 : value;
    size_t count = strspn(digits, "0123456789");
    return count > 0 && digits[count] == '\0' && (count == 1 || *digits != '0');
}

/* Each is one word, which others read without a lock. */
void log_set(struct log *log, enum log_level level, enum log_format format)
{
    assert(level <= LOG_ERROR && format <= LOG_JSON);
    __atomic_store_n(&log->level, level, __ATOMIC_RELAXED);
    __atomic_store_n(&log->format, format, __ATOMIC_RELAXED);
}

/* A reload may change level and format while other threads log. */
static bool is_json(const struct log *log)
{
    return __atomic_load_n(&log->format, __ATOMIC_RELAXED) == LOG_JSON;
}

static void add_pair(const struct log *log, struct line *line, const char *key, const char *value)
{
    assert(strlen(key) <= 64);
    if (line->len > PAIR_END)
        return;
    bool json = is_json(log);
    bool plain = *key == '#';
    if (plain)
        key++;
    assert(!plain || is_plain(value));
    bool quoted = !plain && (json || !is_bare(value));
    if (json)
        add_text(line, line->len > line->start ? ",\"" : "{\"");
    else if (line->len > line->start)
        add_text(line, " ");
    add_text(line, key);
    add_text(line, json ? "\":" : "=");
    if (quoted)
        add_text(line, "\"");
    add_escaped(line, value);
    if (quoted)
        add_text(line, "\"");
}

/* What the journal takes off again (sd-daemon(3)), so that `journalctl -p warning` finds it. */
static const char *priority(enum log_level level)
{
    static const char *const prefixes[] = {"<7>", "<6>", "<4>", "<3>"};
    return prefixes[level];
}

static void begin(const struct log *log, struct line *line, enum log_level level, const char *event)
{
    char time_text[TIME_TEXT_MAX];
    line->len = 0;
    if (log->journal)
        add_text(line, priority(level));
    line->start = line->len;
    add_pair(log, line, "time", time_format(clock_wall_us(), 3, time_text));
    add_pair(log, line, "level", log_level_name(level));
    add_pair(log, line, "event", event);
    if (log->relay != NULL)
        add_pair(log, line, "relay", log->relay);
}

static void end(const struct log *log, struct line *line)
{
    if (is_json(log))
        line->text[line->len++] = '}';
    line->text[line->len++] = '\n';
    waits_hush(log->waits);
    /* Nothing sensible can be done about a failing stderr. */
    ssize_t written = write(log->fd, line->text, line->len);
    (void)written;
}

/* ---- What is kept ---- */

/* The pairs that have no place of their own stand behind each other. */
static void keep_pair(struct log_kept *line, const char *key, const char *value)
{
    size_t used = strlen(line->text);
    if (strcmp(key, "reason") == 0)
        snprintf(line->reason, sizeof line->reason, "%s", value);
    else if (strcmp(key, "hint") == 0)
        snprintf(line->hint, sizeof line->hint, "%s", value);
    else if (strcmp(key, "error") == 0 || strcmp(key, "detail") == 0)
        snprintf(line->text + used, sizeof line->text - used, "%s%s", used > 0 ? "; " : "", value);
    else if (strcmp(key, "kind") != 0)
        snprintf(line->text + used, sizeof line->text - used, "%s%s %s", used > 0 ? ", " : "",
                 key + (*key == '#' ? 1 : 0), value);
}

static void keep(const struct log *log, enum log_level level, const char *event, va_list args)
{
    struct log_kept line = {.is_error = level == LOG_ERROR};
    snprintf(line.event, sizeof line.event, "%s", event);
    const char *key;
    while ((key = va_arg(args, const char *)) != NULL) {
        const char *value = va_arg(args, const char *);
        if (value != NULL && strcmp(key, "relay") != 0)
            keep_pair(&line, key, value);
    }
    utf8_trim(line.text);
    utf8_trim(line.hint);
    log_ring_add(log->ring, &line, clock_wall_us());
}

/* ---- The line ---- */

void log_event(const struct log *log, enum log_level level, const char *event, ...)
{
    assert(event != NULL);
    if (level >= LOG_WARN && log->ring != NULL) {
        va_list kept;
        va_start(kept, event);
        keep(log, level, event, kept);
        va_end(kept);
    }
    if (level < __atomic_load_n(&log->level, __ATOMIC_RELAXED))
        return;
    struct line line;
    begin(log, &line, level, event);
    va_list args;
    va_start(args, event);
    const char *key;
    while ((key = va_arg(args, const char *)) != NULL) {
        const char *value = va_arg(args, const char *);
        bool said = log->relay != NULL && strcmp(key, "relay") == 0;
        if (value != NULL && !said)
            add_pair(log, &line, key, value);
    }
    va_end(args);
    end(log, &line);
}

void log_error(const struct log *log, enum log_level level, const char *event,
               const struct error *err)
{
    struct buf advice = BUF_EMPTY;
    error_advice(err, log->as, &advice);
    log_event(log, level, event, "kind", error_kind_name(err->kind), "reason",
              reason_slug(err->reason), "error", err->text, "hint",
              advice.len > 0 ? buf_text(&advice) : NULL, NULL);
    buf_fini(&advice);
}
