/* recover/fingerprint_compare: see fingerprint_compare.h. It asks nobody.
 *
 * Harmless is only what leaves everything sent that was sent before: tables, partitions and schemas
 * that came in addition, a partition that was dropped, another owner, another replica identity
 * where only inserts go. Whatever is not known to be harmless is a loss. */
#include "recover/fingerprint_compare.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* A line's words; what they mean stands at the queries in fingerprint.c. The name, which may hold
 * blanks, comes last. */
#define WORDS_MAX 9

struct line {
    struct span whole;
    uint32_t count;
    struct span words[WORDS_MAX];
};

enum { KIND, OID }; /* of every line */
enum { PUB_XMIN = 2, PUB_OWNER, PUB_FLAGS, PUB_NAME, PUB_WORDS };
enum { MEMBER_XMIN = 2, MEMBER_TABLE, MEMBER_WORDS };
enum { SCHEMA_XMIN = 2, SCHEMA_NAME, SCHEMA_WORDS };
enum {
    TABLE_KIND = 2,
    TABLE_PERSISTENCE,
    TABLE_IDENTITY,
    TABLE_ROOT,
    TABLE_SENT,
    TABLE_NAME,
    TABLE_WORDS
};

static uint32_t word_limit(struct span whole)
{
    switch (whole.len > 0 ? whole.ptr[0] : '\0') {
    case 'p':
        return PUB_WORDS;
    case 'm':
        return MEMBER_WORDS;
    case 's':
        return SCHEMA_WORDS;
    default:
        return TABLE_WORDS;
    }
}

static struct line split(struct span whole)
{
    struct line line = {.whole = whole};
    uint32_t limit = word_limit(whole);
    struct span rest = whole;
    while (line.count < limit) {
        const char *blank = rest.len > 0 ? memchr(rest.ptr, ' ', rest.len) : NULL;
        if (blank == NULL || line.count + 1 == limit) {
            line.words[line.count++] = rest;
            break;
        }
        size_t len = (size_t)(blank - rest.ptr);
        line.words[line.count++] = (struct span){rest.ptr, len};
        rest = (struct span){blank + 1, rest.len - len - 1};
    }
    return line;
}

static bool next_line(struct span *rest, struct line *line)
{
    if (rest->len == 0)
        return false;
    const char *end = memchr(rest->ptr, '\n', rest->len);
    size_t len = end != NULL ? (size_t)(end - rest->ptr) : rest->len;
    *line = split((struct span){rest->ptr, len});
    size_t skip = end != NULL ? len + 1 : len;
    *rest = (struct span){rest->ptr + skip, rest->len - skip};
    return true;
}

static bool is_kind(const struct line *line, char kind)
{
    return line->count == word_limit(line->whole) && line->whole.ptr[0] == kind;
}

/* The line of that kind whose word at `at` is `word`. */
static bool find(struct span text, char kind, int at, struct span word, struct line *line)
{
    while (next_line(&text, line))
        if (is_kind(line, kind) && span_equal(line->words[at], word))
            return true;
    return false;
}

static bool next_of(struct span *rest, char kind, struct line *line)
{
    while (next_line(rest, line))
        if (is_kind(line, kind))
            return true;
    return false;
}

static void say(struct fingerprint_change *change, enum fingerprint_verdict verdict,
                const char *format, ...) __attribute__((format(printf, 3, 4)));

static void say(struct fingerprint_change *change, enum fingerprint_verdict verdict,
                const char *format, ...)
{
    char text[320];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (verdict > change->verdict)
        change->verdict = verdict;
    buf_add_format(&change->what, "%s%s", change->what.len > 0 ? "; " : "", text);
}

static void compare_publication(const struct line *was, struct span now,
                                struct fingerprint_change *change)
{
    struct line is;
    if (!find(now, 'p', OID, was->words[OID], &is)) {
        bool anew = find(now, 'p', PUB_NAME, was->words[PUB_NAME], &is);
        bool other = !anew && next_of(&now, 'p', &is);
        say(change, FINGERPRINT_LOST, "publication %.*s %s%.*s", SPAN_ARG(was->words[PUB_NAME]),
            anew    ? "was dropped and made again"
            : other ? "was exchanged for "
                    : "was dropped",
            SPAN_ARG(other ? is.words[PUB_NAME] : span_null()));
        return;
    }
    if (span_equal(was->whole, is.whole))
        return;
    bool owner_only = !span_equal(was->words[PUB_OWNER], is.words[PUB_OWNER]) &&
                      span_equal(was->words[PUB_FLAGS], is.words[PUB_FLAGS]) &&
                      span_equal(was->words[PUB_NAME], is.words[PUB_NAME]);
    say(change, owner_only ? FINGERPRINT_GREW : FINGERPRINT_LOST, "publication %.*s %s",
        SPAN_ARG(was->words[PUB_NAME]), owner_only ? "has another owner" : "was altered");
}

struct span fingerprint_name_of(struct span text, struct span oid)
{
    struct line line;
    return find(text, 't', OID, oid, &line) ? line.words[TABLE_NAME] : span_null();
}

/* What the publication says of one table. That the table itself is gone is told by its own line. */
static void compare_member(const struct line *was, struct span now,
                           struct fingerprint_change *change)
{
    struct line is;
    struct span table = was->words[MEMBER_TABLE];
    struct span name = fingerprint_name_of(now, table);
    if (name.ptr == NULL)
        return;
    if (find(now, 'm', OID, was->words[OID], &is)) {
        if (!span_equal(was->whole, is.whole))
            say(change, FINGERPRINT_LOST,
                "the row filter or column list of %.*s in the publication was changed",
                SPAN_ARG(name));
        return;
    }
    bool back = find(now, 'm', MEMBER_TABLE, table, &is);
    say(change, FINGERPRINT_LOST, "%.*s was taken out of the publication%s", SPAN_ARG(name),
        back ? " and put back, or its row filter or column list was changed" : "");
}

/* Both are quoted where they must be. */
static bool has_table_in(struct span text, struct span schema)
{
    struct line table;
    while (next_of(&text, 't', &table)) {
        struct span name = table.words[TABLE_NAME];
        if (span_starts_with(name, schema) && name.len > schema.len && name.ptr[schema.len] == '.')
            return true;
    }
    return false;
}

/* A schema of which nothing is routed any more is no loss; what became of its tables is told by
 * their own lines. */
static void compare_schema(const struct line *was, struct span now,
                           struct fingerprint_change *change)
{
    struct line is;
    bool found = find(now, 's', OID, was->words[OID], &is);
    if (found ? span_equal(was->whole, is.whole) : !has_table_in(now, was->words[SCHEMA_NAME]))
        return;
    say(change, FINGERPRINT_LOST, "schema %.*s was taken out of the publication",
        SPAN_ARG(was->words[SCHEMA_NAME]));
}

static bool is_sent(const struct line *table)
{
    return span_equal_text(table->words[TABLE_SENT], "t");
}

static void compare_gone_table(const struct line *was, struct span now,
                               struct fingerprint_change *change)
{
    struct line is;
    struct span name = was->words[TABLE_NAME];
    if (find(now, 't', TABLE_NAME, name, &is)) {
        say(change, FINGERPRINT_LOST, "table %.*s was dropped or renamed, and there is another one",
            SPAN_ARG(name));
        return;
    }
    if (span_equal_text(was->words[TABLE_ROOT], "0")) {
        say(change, FINGERPRINT_LOST, "table %.*s was dropped or renamed", SPAN_ARG(name));
        return;
    }
    say(change, FINGERPRINT_GREW, "partition %.*s is gone", SPAN_ARG(name));
    buf_add_format(&change->gone, "%s%.*s", change->gone.len > 0 ? "," : "",
                   SPAN_ARG(was->words[OID]));
}

static void compare_table(const struct line *was, struct span now,
                          struct fingerprint_change *change)
{
    struct line is;
    if (!is_sent(was))
        return;
    if (!find(now, 't', OID, was->words[OID], &is)) {
        compare_gone_table(was, now, change);
        return;
    }
    struct span name = was->words[TABLE_NAME];
    if (!span_equal(name, is.words[TABLE_NAME]))
        say(change, FINGERPRINT_LOST, "table %.*s was renamed to %.*s", SPAN_ARG(name),
            SPAN_ARG(is.words[TABLE_NAME]));
    if (!span_equal(was->words[TABLE_PERSISTENCE], is.words[TABLE_PERSISTENCE]))
        say(change, FINGERPRINT_LOST, "table %.*s was made UNLOGGED", SPAN_ARG(name));
    if (!is_sent(&is))
        say(change, FINGERPRINT_LOST, "rows of %.*s are no longer sent", SPAN_ARG(name));
    else if (!span_equal(was->words[TABLE_ROOT], is.words[TABLE_ROOT]))
        say(change, FINGERPRINT_LOST, "partition %.*s was moved to another table", SPAN_ARG(name));
    if (!span_equal(was->words[TABLE_IDENTITY], is.words[TABLE_IDENTITY]))
        say(change, FINGERPRINT_GREW, "table %.*s has another replica identity", SPAN_ARG(name));
}

static void tell_new(const struct line *is, struct span before, struct fingerprint_change *change)
{
    struct line was;
    if (is_kind(is, 't') && !find(before, 't', OID, is->words[OID], &was) &&
        !find(before, 't', TABLE_NAME, is->words[TABLE_NAME], &was))
        say(change, FINGERPRINT_GREW, "table %.*s is new", SPAN_ARG(is->words[TABLE_NAME]));
    else if (is_kind(is, 't') && is_sent(is) && find(before, 't', OID, is->words[OID], &was) &&
             !is_sent(&was))
        say(change, FINGERPRINT_GREW, "rows of %.*s are sent now", SPAN_ARG(is->words[TABLE_NAME]));
    else if (is_kind(is, 's') && !find(before, 's', OID, is->words[OID], &was))
        say(change, FINGERPRINT_GREW, "schema %.*s is new in the publication",
            SPAN_ARG(is->words[SCHEMA_NAME]));
}

bool fingerprint_next(struct span *rest, struct fingerprint_line *out)
{
    struct line line;
    if (!next_line(rest, &line))
        return false;
    *out = (struct fingerprint_line){.whole = line.whole};
    if (is_kind(&line, 't')) {
        out->table_name = line.words[TABLE_NAME];
        out->is_sent = is_sent(&line);
        if (!span_equal_text(line.words[TABLE_ROOT], "0"))
            out->root = line.words[TABLE_ROOT];
    }
    return true;
}

void fingerprint_compare(struct span before, struct span now, struct fingerprint_change *change)
{
    assert(change->what.len == 0 && change->gone.len == 0);
    change->verdict = FINGERPRINT_SAME;
    if (span_equal(before, now))
        return;
    struct span rest = before;
    struct line line;
    while (next_line(&rest, &line)) {
        if (is_kind(&line, 'p'))
            compare_publication(&line, now, change);
        else if (is_kind(&line, 'm'))
            compare_member(&line, now, change);
        else if (is_kind(&line, 's'))
            compare_schema(&line, now, change);
        else if (is_kind(&line, 't'))
            compare_table(&line, now, change);
        else
            say(change, FINGERPRINT_LOST, "the record of what was sent is unreadable");
    }
    rest = now;
    while (next_line(&rest, &line))
        tell_new(&line, before, change);
    if (change->verdict == FINGERPRINT_SAME)
        say(change, FINGERPRINT_GREW, "other tables are routed, or more is published");
}
