/* recover/fingerprint_compare: see fingerprint_compare.h. It asks nobody. Lines stand in the order
 * of their bytes, so what is of one oid is found by halves; for the other words there are lists. It
 * takes about as long as the texts are, and not their square: there may be thousands of tables.
 *
 * Harmless is only what leaves everything sent that was sent before: tables, partitions and schemas
 * that came in addition, a partition that was dropped, another owner, another replica identity
 * where only inserts go. Whatever is not known to be harmless is a loss. */
#include "recover/fingerprint_compare.h"

#include "base/arena.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
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
enum { LOST_WHAT = 1, LOST_WORDS };
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
    case 'l':
        return LOST_WORDS;
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

static size_t line_start(struct span text, size_t at)
{
    while (at > 0 && text.ptr[at - 1] != '\n')
        at--;
    return at;
}

/* The text from the first line on that does not stand before the prefix. */
static struct span seek(struct span text, struct span prefix)
{
    size_t low = 0, high = text.len;
    while (low < high) {
        size_t middle = line_start(text, low + (high - low) / 2);
        const char *end = memchr(text.ptr + middle, '\n', text.len - middle);
        size_t len = (end != NULL ? (size_t)(end - text.ptr) : text.len) - middle;
        int order = memcmp(text.ptr + middle, prefix.ptr, len < prefix.len ? len : prefix.len);
        if (order < 0 || (order == 0 && len < prefix.len))
            low = middle + len + (end != NULL ? 1 : 0);
        else
            high = middle;
    }
    return (struct span){text.ptr + low, text.len - low};
}

/* The line of that kind and oid. */
static bool find(struct span text, const char *kind, struct span oid, struct line *line)
{
    char prefix[64];
    int len = snprintf(prefix, sizeof prefix, "%s %.*s ", kind, SPAN_ARG(oid));
    if (text.len == 0 || len >= (int)sizeof prefix)
        return false;
    struct span from = seek(text, (struct span){prefix, (size_t)len});
    return next_line(&from, line) && is_kind(line, kind[0]) && span_equal(line->words[OID], oid);
}

/* Lines of one kind, by another word. */
struct list {
    struct entry {
        struct span word, whole;
    } * entries;
    size_t count;
};

static int compare_spans(struct span a, struct span b)
{
    int order = memcmp(a.ptr, b.ptr, a.len < b.len ? a.len : b.len);
    return order != 0 ? order : (a.len > b.len) - (a.len < b.len);
}

static int compare_entries(const void *a, const void *b)
{
    return compare_spans(((const struct entry *)a)->word, ((const struct entry *)b)->word);
}

static struct list list_of(struct span text, char kind, int at, struct arena *arena)
{
    struct list list = {.count = 0};
    struct line line;
    for (struct span rest = text; next_line(&rest, &line);)
        list.count += is_kind(&line, kind) ? 1 : 0;
    list.entries = arena_alloc(arena, list.count * sizeof *list.entries);
    size_t i = 0;
    for (struct span rest = text; next_line(&rest, &line);)
        if (is_kind(&line, kind))
            list.entries[i++] = (struct entry){line.words[at], line.whole};
    qsort(list.entries, list.count, sizeof *list.entries, compare_entries);
    return list;
}

/* The first that does not stand before the word. */
static const struct entry *list_seek(const struct list *list, struct span word)
{
    size_t low = 0, high = list->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_spans(list->entries[middle].word, word) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < list->count ? &list->entries[low] : NULL;
}

static bool list_has(const struct list *list, struct span word)
{
    const struct entry *entry = list_seek(list, word);
    return entry != NULL && span_equal(entry->word, word);
}

/* What is compared with what; lists of words that are no oids. */
struct texts {
    struct span before, now;
    struct list tables_before, tables_now; /* by name */
    struct list members_now;               /* by the oid of the table */
};

static bool next_of(struct span *rest, char kind, struct line *line)
{
    while (next_line(rest, line))
        if (is_kind(line, kind))
            return true;
    return false;
}

/* What was recorded as lost is often what is found again. No more is looked through than is shown.
 */
#define SAID_BYTES 1024

/* Is that one of the sentences? */
static bool is_said(struct span sentences, struct span one)
{
    if (sentences.len > SAID_BYTES)
        sentences.len = SAID_BYTES;
    while (sentences.len >= one.len) {
        const char *at = memmem(sentences.ptr, sentences.len, one.ptr, one.len);
        if (at == NULL)
            return false;
        size_t before = (size_t)(at - sentences.ptr), behind = sentences.len - before - one.len;
        bool begins = before == 0 || at[-1] == ' ';
        if (begins && (before < 2 || at[-2] == ';') && (behind == 0 || at[one.len] == ';'))
            return true;
        sentences = (struct span){at + 1, sentences.len - before - 1};
    }
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
    if (is_said(buf_span(&change->what), span_of(text)))
        return;
    buf_add_format(&change->what, "%s%s", change->what.len > 0 ? "; " : "", text);
}

/* One that was not there before. */
static bool find_new_publication(struct span before, struct span now, struct line *is)
{
    struct line was;
    while (next_of(&now, 'p', is))
        if (!find(before, "publication", is->words[OID], &was))
            return true;
    return false;
}

bool fingerprint_has_new_publication(struct span before, struct span now)
{
    struct line is;
    return before.ptr != NULL && find_new_publication(before, now, &is);
}

/* There are two publications at most, so they are looked at one after the other. */
static bool find_publication(struct span text, struct span name, struct line *line)
{
    while (next_of(&text, 'p', line))
        if (span_equal(line->words[PUB_NAME], name))
            return true;
    return false;
}

static void compare_publication(const struct line *was, struct span before, struct span now,
                                struct fingerprint_change *change)
{
    struct line is;
    if (!find(now, "publication", was->words[OID], &is)) {
        bool anew = find_publication(now, was->words[PUB_NAME], &is);
        bool other = !anew && find_new_publication(before, now, &is);
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
    return find(text, "table", oid, &line) ? line.words[TABLE_NAME] : span_null();
}

/* What the publication says of one table. That the table itself is gone is told by its own line. */
static void compare_member(const struct line *was, const struct texts *texts,
                           struct fingerprint_change *change)
{
    struct line is;
    struct span table = was->words[MEMBER_TABLE];
    struct span name = fingerprint_name_of(texts->now, table);
    if (name.ptr == NULL)
        return;
    if (find(texts->now, "member", was->words[OID], &is)) {
        if (!span_equal(was->whole, is.whole))
            say(change, FINGERPRINT_LOST,
                "the row filter or column list of %.*s in the publication was changed",
                SPAN_ARG(name));
        return;
    }
    bool back = list_has(&texts->members_now, table);
    say(change, FINGERPRINT_LOST, "%.*s was taken out of the publication%s", SPAN_ARG(name),
        back ? " and put back, or its row filter or column list was changed" : "");
}

/* The tables of a schema; both are quoted where they must be. NULL behind the last. */
static const struct entry *table_in(const struct list *tables, struct span schema,
                                    const struct entry *after, struct arena *arena)
{
    struct span prefix = span_of(arena_format(arena, "%.*s.", SPAN_ARG(schema)));
    const struct entry *entry = after != NULL ? after + 1 : list_seek(tables, prefix);
    bool in = entry != NULL && entry < tables->entries + tables->count &&
              span_starts_with(entry->word, prefix);
    return in ? entry : NULL;
}

/* A schema of which nothing is routed any more is no loss; what became of its tables is told by
 * their own lines. */
static void compare_schema(const struct line *was, const struct texts *texts, struct arena *arena,
                           struct fingerprint_change *change)
{
    struct line is;
    bool found = find(texts->now, "schema", was->words[OID], &is);
    if (found ? span_equal(was->whole, is.whole)
              : !table_in(&texts->tables_now, was->words[SCHEMA_NAME], NULL, arena))
        return;
    say(change, FINGERPRINT_LOST, "schema %.*s was taken out of the publication",
        SPAN_ARG(was->words[SCHEMA_NAME]));
}

static bool is_sent(const struct line *table)
{
    return span_equal_text(table->words[TABLE_SENT], "t");
}

static void compare_gone_table(const struct line *was, const struct texts *texts,
                               struct fingerprint_change *change)
{
    struct span name = was->words[TABLE_NAME];
    if (list_has(&texts->tables_now, name)) {
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

static void compare_table(const struct line *was, const struct texts *texts,
                          struct fingerprint_change *change)
{
    struct line is;
    if (!is_sent(was))
        return;
    if (!find(texts->now, "table", was->words[OID], &is)) {
        compare_gone_table(was, texts, change);
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

static void tell_new(const struct line *is, const struct texts *texts,
                     struct fingerprint_change *change)
{
    struct line was;
    bool known = (is_kind(is, 't') && find(texts->before, "table", is->words[OID], &was)) ||
                 (is_kind(is, 's') && find(texts->before, "schema", is->words[OID], &was));
    if (is_kind(is, 't') && !known && !list_has(&texts->tables_before, is->words[TABLE_NAME]))
        say(change, FINGERPRINT_GREW, "table %.*s is new", SPAN_ARG(is->words[TABLE_NAME]));
    else if (is_kind(is, 't') && known && is_sent(is) && !is_sent(&was))
        say(change, FINGERPRINT_GREW, "rows of %.*s are sent now", SPAN_ARG(is->words[TABLE_NAME]));
    else if (is_kind(is, 'p') && !find(texts->before, "publication", is->words[OID], &was) &&
             !find_publication(texts->before, is->words[PUB_NAME], &was))
        say(change, FINGERPRINT_GREW, "publication %.*s is new", SPAN_ARG(is->words[PUB_NAME]));
    else if (is_kind(is, 's') && !known)
        say(change, FINGERPRINT_GREW, "schema %.*s is new in the publication",
            SPAN_ARG(is->words[SCHEMA_NAME]));
}

/* ---- A publication that nobody reads any more ---- */

static struct texts texts_of(struct span before, struct span now, struct arena *arena)
{
    return (struct texts){.before = before,
                          .now = now,
                          .tables_before = list_of(before, 't', TABLE_NAME, arena),
                          .tables_now = list_of(now, 't', TABLE_NAME, arena),
                          .members_now = list_of(now, 'm', MEMBER_TABLE, arena)};
}

/* name: as SQL has it, in quotes where it must be. */
static bool is_named(struct span name, const char *as)
{
    bool quoted = name.len > 1 && name.ptr[0] == '"';
    size_t i = quoted ? 1 : 0, end = quoted ? name.len - 1 : name.len;
    for (; i < end; i++, as++) {
        if (*as != name.ptr[i])
            return false;
        if (quoted && name.ptr[i] == '"')
            i++; /* doubled */
    }
    return *as == '\0';
}

static bool is_unchanged(const struct line *is, const char *kind, struct span before)
{
    struct line was;
    return find(before, kind, is->words[OID], &was) && span_equal(was.whole, is->whole);
}

static bool has_all_along(const struct texts *texts, struct span table)
{
    const struct entry *entry = list_seek(&texts->members_now, table);
    const struct entry *end = texts->members_now.entries + texts->members_now.count;
    for (; entry != NULL && entry < end && span_equal(entry->word, table); entry++) {
        struct line is = split(entry->whole);
        if (is_unchanged(&is, "member", texts->before))
            return true;
    }
    return false;
}

/* Whether all tables are published cannot be altered. */
static bool has_all_tables_all_along(struct span before, struct span now)
{
    struct line is, was;
    for (struct span rest = now; next_of(&rest, 'p', &is);)
        if (memchr(is.words[PUB_FLAGS].ptr, 'a', is.words[PUB_FLAGS].len) != NULL &&
            find(before, "publication", is.words[OID], &was))
            return true;
    return false;
}

/* What is read still, and what it has sent all along beside tables by their names. */
struct read {
    struct texts texts;
    bool all_tables;
    struct list schemas; /* now, by name */
};

static bool has_schema_all_along(const struct read *read, struct span table)
{
    for (size_t i = 0; i < read->schemas.count; i++) {
        struct line is = split(read->schemas.entries[i].whole);
        struct span name = is.words[SCHEMA_NAME];
        if (table.len > name.len && table.ptr[name.len] == '.' && span_starts_with(table, name) &&
            is_unchanged(&is, "schema", read->texts.before))
            return true;
    }
    return false;
}

/* By what was there before and is there now: by its name, its root's, its schema, or as all is. */
static bool was_sent_all_along(const struct read *read, struct span table)
{
    struct line line;
    const struct texts *texts = &read->texts;
    if (!find(texts->now, "table", table, &line))
        return true; /* its own line tells, where it must */
    return is_sent(&line) && (read->all_tables || has_all_along(texts, table) ||
                              has_all_along(texts, line.words[TABLE_ROOT]) ||
                              has_schema_all_along(read, line.words[TABLE_NAME]));
}

static bool is_of_unread(const struct line *was, const struct read *read, const char *publication,
                         struct arena *arena)
{
    struct line is;
    const struct texts *texts = &read->texts;
    if (is_kind(was, 'p'))
        return is_named(was->words[PUB_NAME], publication);
    if (is_kind(was, 'm'))
        return !find(texts->now, "member", was->words[OID], &is) &&
               was_sent_all_along(read, was->words[MEMBER_TABLE]);
    if (!is_kind(was, 's') || find(texts->now, "schema", was->words[OID], &is))
        return false;
    for (const struct entry *table = NULL;
         (table = table_in(&texts->tables_before, was->words[SCHEMA_NAME], table, arena)) != NULL;)
        if (!was_sent_all_along(read, split(table->whole).words[OID]))
            return false;
    return true;
}

void fingerprint_without(struct span before, struct span now, const char *publication,
                         struct buf *kept)
{
    assert(publication != NULL && kept->len == 0);
    struct arena arena;
    struct line line;
    bool there = false;
    for (struct span rest = before; next_of(&rest, 'p', &line);)
        there |= is_named(line.words[PUB_NAME], publication);
    if (!there) {
        buf_add(kept, before);
        return;
    }
    arena_init(&arena, 65536, 65536);
    const struct read read = {.texts = texts_of(before, now, &arena),
                              .all_tables = has_all_tables_all_along(before, now),
                              .schemas = list_of(now, 's', SCHEMA_NAME, &arena)};
    for (struct span rest = before; next_line(&rest, &line);)
        if (!is_of_unread(&line, &read, publication, &arena))
            buf_add_format(kept, "%s%.*s", kept->len > 0 ? "\n" : "", SPAN_ARG(line.whole));
    arena_fini(&arena);
}

/* ---- All of it ---- */

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

static void compare_line(const struct line *was, const struct texts *texts, struct arena *arena,
                         struct fingerprint_change *change)
{
    if (is_kind(was, 'p'))
        compare_publication(was, texts->before, texts->now, change);
    else if (is_kind(was, 'm'))
        compare_member(was, texts, change);
    else if (is_kind(was, 's'))
        compare_schema(was, texts, arena, change);
    else if (is_kind(was, 't'))
        compare_table(was, texts, change);
    else if (is_kind(was, 'l'))
        say(change, FINGERPRINT_LOST, "%.*s", SPAN_ARG(was->words[LOST_WHAT]));
    else
        say(change, FINGERPRINT_LOST, "the record of what was sent is unreadable");
}

void fingerprint_compare(struct span before, struct span now, struct fingerprint_change *change)
{
    assert(change->what.len == 0 && change->gone.len == 0);
    change->verdict = FINGERPRINT_SAME;
    if (span_equal(before, now))
        return;
    struct line line;
    struct span rest = now;
    if (next_of(&rest, 'l', &line)) {
        say(change, FINGERPRINT_LOST, "%.*s", SPAN_ARG(line.words[LOST_WHAT]));
        return;
    }
    struct arena arena;
    arena_init(&arena, 65536, 65536);
    const struct texts texts = texts_of(before, now, &arena);
    for (rest = before; next_line(&rest, &line);)
        compare_line(&line, &texts, &arena, change);
    for (rest = now; next_line(&rest, &line);)
        tell_new(&line, &texts, change);
    arena_fini(&arena);
    if (change->verdict == FINGERPRINT_SAME)
        say(change, FINGERPRINT_GREW, "other tables are routed, or more is published");
}
