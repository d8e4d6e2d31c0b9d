/* config_table: the rows come from config.def and from nowhere else; what cannot be said in a row
 * (keys that depend on each other) is checked in config_check.c. Reads no file. */
#include "config/config_table.h"

#include "model/header_name.h"
#include "model/topic_name.h"

#include <assert.h>
#include <stddef.h>
#include <stdlib.h>

/* One macro for each form of row; each yields one struct config_key. */
#define KAFKA_REFUSED(name_, reason_)
#define KEY_SECTION(path_, flags_, help_)                                                          \
    {.path = path_, .kind = KEY_KIND_SECTION, .flags = flags_, .help = help_},
#define KEY_LIST(path_, flags_, help_)                                                             \
    {.path = path_, .kind = KEY_KIND_LIST, .flags = flags_, .help = help_},
#define KEY_PAIRS(path_, scope_, member_, flags_, needed_, sample_, help_)                         \
    {.path = path_,                                                                                \
     .kind = KEY_KIND_PAIRS,                                                                       \
     .flags = flags_,                                                                              \
     .scope = SCOPE_##scope_,                                                                      \
     .offset = offsetof(struct scope_, member_),                                                   \
     .words = needed_,                                                                             \
     .sample = sample_,                                                                            \
     .help = help_},
#define KEY_RULED_PAIRS(path_, scope_, member_, flags_, sample_, rule_, expect_, help_)            \
    {.path = path_,                                                                                \
     .kind = KEY_KIND_PAIRS,                                                                       \
     .flags = flags_,                                                                              \
     .scope = SCOPE_##scope_,                                                                      \
     .offset = offsetof(struct scope_, member_),                                                   \
     .sample = sample_,                                                                            \
     .rule = rule_,                                                                                \
     .expect = expect_,                                                                            \
     .help = help_},
#define KEY_TEXT(path_, scope_, member_, flags_, default_, sample_, rule_, expect_, help_)         \
    {.path = path_,                                                                                \
     .kind = KEY_KIND_TEXT,                                                                        \
     .flags = flags_,                                                                              \
     .scope = SCOPE_##scope_,                                                                      \
     .offset = offsetof(struct scope_, member_),                                                   \
     .fallback = default_,                                                                         \
     .sample = sample_,                                                                            \
     .rule = rule_,                                                                                \
     .expect = expect_,                                                                            \
     .help = help_},
#define KEY_TEXTS(path_, scope_, member_, flags_, rule_, expect_, help_)                           \
    {.path = path_,                                                                                \
     .kind = KEY_KIND_TEXTS,                                                                       \
     .flags = flags_,                                                                              \
     .scope = SCOPE_##scope_,                                                                      \
     .offset = offsetof(struct scope_, member_),                                                   \
     .fallback = "[]",                                                                             \
     .rule = rule_,                                                                                \
     .expect = expect_,                                                                            \
     .help = help_},
#define KEY_CHOICE(path_, scope_, member_, flags_, default_, words_, help_)                        \
    {.path = path_,                                                                                \
     .kind = KEY_KIND_CHOICE,                                                                      \
     .flags = flags_,                                                                              \
     .scope = SCOPE_##scope_,                                                                      \
     .offset = offsetof(struct scope_, member_),                                                   \
     .fallback = default_,                                                                         \
     .words = words_,                                                                              \
     .help = help_},
#define KEY_PLAIN(kind_, path_, scope_, member_, flags_, default_, min_, max_, help_)              \
    {.path = path_,                                                                                \
     .kind = kind_,                                                                                \
     .flags = flags_,                                                                              \
     .scope = SCOPE_##scope_,                                                                      \
     .offset = offsetof(struct scope_, member_),                                                   \
     .fallback = default_,                                                                         \
     .min = INT64_C(min_),                                                                         \
     .max = INT64_C(max_),                                                                         \
     .help = help_},
#define KEY_BOOL(path_, scope_, member_, flags_, default_, help_)                                  \
    KEY_PLAIN(KEY_KIND_BOOL, path_, scope_, member_, flags_, default_, 0, 1, help_)
#define KEY_NUMBER(path_, scope_, member_, flags_, default_, min_, max_, help_)                    \
    KEY_PLAIN(KEY_KIND_NUMBER, path_, scope_, member_, flags_, default_, min_, max_, help_)
#define KEY_COUNT(path_, scope_, member_, flags_, default_, max_, help_)                           \
    KEY_PLAIN(KEY_KIND_COUNT, path_, scope_, member_, flags_, default_, -1, max_, help_)
#define KEY_SIZE(path_, scope_, member_, flags_, default_, min_, max_, help_)                      \
    KEY_PLAIN(KEY_KIND_SIZE, path_, scope_, member_, flags_, default_, min_, max_, help_)

static const struct config_key keys[] = {
#include "config/config.def"
};
#define KEY_TOTAL (sizeof keys / sizeof keys[0])

/* The second reading of the table: only the refused properties. */
#undef KAFKA_REFUSED
#undef KEY_SECTION
#undef KEY_LIST
#undef KEY_PAIRS
#undef KEY_RULED_PAIRS
#undef KEY_TEXT
#undef KEY_TEXTS
#undef KEY_CHOICE
#undef KEY_BOOL
#undef KEY_NUMBER
#undef KEY_COUNT
#undef KEY_SIZE
#define KAFKA_REFUSED(name_, reason_) {name_, reason_},
#define KEY_SECTION(...)
#define KEY_LIST(...)
#define KEY_PAIRS(...)
#define KEY_RULED_PAIRS(...)
#define KEY_TEXT(...)
#define KEY_TEXTS(...)
#define KEY_CHOICE(...)
#define KEY_BOOL(...)
#define KEY_NUMBER(...)
#define KEY_COUNT(...)
#define KEY_SIZE(...)

static const struct config_refused refused[] = {
#include "config/config.def"
};
#define REFUSED_TOTAL (sizeof refused / sizeof refused[0])

const struct config_key *config_keys(size_t *count)
{
    assert(count != NULL);
    *count = KEY_TOTAL;
    return keys;
}

void *config_target_base(const struct config_target *target, const struct config_key *key)
{
    switch (key->scope) {
    case SCOPE_config:
        return target->config;
    case SCOPE_config_relay:
        return target->relay;
    case SCOPE_config_route:
        assert(target->route != NULL);
        return target->route;
    }
    abort();
}

const char *config_key_name(const struct config_key *key)
{
    const char *dot = strrchr(key->path, '.');
    return dot != NULL ? dot + 1 : key->path;
}

bool config_key_in(const struct config_key *key, const char *parent)
{
    const char *name = config_key_name(key);
    size_t above = (size_t)(name - key->path);
    if (above == 0)
        return parent[0] == '\0';
    return span_equal_text((struct span){key->path, above - 1}, parent);
}

const struct config_key *config_key_find(const char *parent, struct span name)
{
    for (size_t i = 0; i < KEY_TOTAL; i++)
        if (config_key_in(&keys[i], parent) && span_equal_text(name, config_key_name(&keys[i])))
            return &keys[i];
    return NULL;
}

bool config_key_is_ms(const struct config_key *key)
{
    size_t length = strlen(key->path);
    return length > 3 && strcmp(key->path + length - 3, "_ms") == 0;
}

void config_key_below(const struct config_key *key, char path[CONFIG_PATH_MAX])
{
    size_t length = strlen(key->path);
    assert(key->kind == KEY_KIND_SECTION || key->kind == KEY_KIND_LIST);
    assert(length + 3 <= CONFIG_PATH_MAX);
    memcpy(path, key->path, length + 1);
    if (key->kind == KEY_KIND_LIST)
        memcpy(path + length, "[]", 3);
}

/* "a|b|c" as "a, b or c". */
static void add_words(struct buf *out, const char *words)
{
    for (const char *word = words; word != NULL;) {
        const char *bar = strchr(word, '|');
        buf_add(out, (struct span){word, bar != NULL ? (size_t)(bar - word) : strlen(word)});
        word = bar != NULL ? bar + 1 : NULL;
        if (word != NULL)
            buf_add_text(out, strchr(word, '|') != NULL ? ", " : " or ");
    }
}

static void add_size(struct buf *out, int64_t bytes)
{
    static const char *const units[] = {"B", "KB", "MB", "GB"};
    size_t unit = 0;
    while (unit < 3 && bytes >= 1024 && bytes % 1024 == 0) {
        bytes /= 1024;
        unit++;
    }
    buf_add_format(out, "%lld%s", (long long)bytes, units[unit]);
}

void config_key_expect(const struct config_key *key, struct buf *out)
{
    switch (key->kind) {
    case KEY_KIND_SECTION:
    case KEY_KIND_PAIRS:
    case KEY_KIND_LIST:
        break; /* no values themselves */
    case KEY_KIND_TEXT:
        buf_add_text(out, key->expect != NULL ? key->expect : "text");
        break;
    case KEY_KIND_TEXTS:
        buf_add_format(out, "a list of %s", key->expect);
        break;
    case KEY_KIND_CHOICE:
        add_words(out, key->words);
        break;
    case KEY_KIND_BOOL:
        buf_add_text(out, "true or false");
        break;
    case KEY_KIND_NUMBER:
        buf_add_format(out, "%s, %lld to %lld",
                       config_key_is_ms(key) ? "whole milliseconds" : "a whole number",
                       (long long)key->min, (long long)key->max);
        break;
    case KEY_KIND_COUNT:
        buf_add_format(out, "-1, or a whole number, 1 to %lld", (long long)key->max);
        break;
    case KEY_KIND_SIZE:
        buf_add_text(out, "a size, ");
        add_size(out, key->min);
        buf_add_text(out, " to ");
        add_size(out, key->max);
        break;
    }
}

/* Changes of one letter (put in, left out, replaced) and swaps of neighbours that make `a` into
 * `b`; `limit` or more comes back as `limit`. Texts longer than a row are as far apart as can be.
 */
#define DISTANCE_MAX 64
static size_t distance(struct span a, struct span b, size_t limit)
{
    if (a.len >= DISTANCE_MAX || b.len >= DISTANCE_MAX)
        return limit;
    size_t rows[3][DISTANCE_MAX + 1];
    for (size_t j = 0; j <= b.len; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a.len; i++) {
        size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *over = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b.len; j++) {
            bool same = a.ptr[i - 1] == b.ptr[j - 1];
            size_t best = above[j - 1] + (same ? 0 : 1);
            if (above[j] + 1 < best)
                best = above[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            bool swapped =
                i > 1 && j > 1 && a.ptr[i - 1] == b.ptr[j - 2] && a.ptr[i - 2] == b.ptr[j - 1];
            if (swapped && over[j - 2] + 1 < best)
                best = over[j - 2] + 1;
            row[j] = best;
        }
    }
    size_t result = rows[a.len % 3][b.len];
    return result < limit ? result : limit;
}

static const struct config_key *nearest(const char *parent, struct span name, size_t limit)
{
    const struct config_key *found = NULL;
    size_t best = limit;
    for (size_t i = 0; i < KEY_TOTAL; i++) {
        if (!config_key_in(&keys[i], parent))
            continue;
        size_t far = distance(name, span_of(config_key_name(&keys[i])), best);
        if (far < best) {
            best = far;
            found = &keys[i];
        }
    }
    return found;
}

static const struct config_key *elsewhere(struct span name)
{
    for (size_t i = 0; i < KEY_TOTAL; i++)
        if (span_equal_text(name, config_key_name(&keys[i])))
            return &keys[i];
    return NULL;
}

void config_key_hint(const char *parent, struct span name, struct buf *out)
{
    assert(parent != NULL && out != NULL);
    if (span_equal_text(name, "<<")) {
        buf_add_text(out, "merge keys are not part of this file's YAML; write the keys out");
        return;
    }
    /* A slip of one letter, then the right name in the wrong place, then a likeness. */
    const struct config_key *key = nearest(parent, name, 2);
    const struct config_key *other = key == NULL ? elsewhere(name) : NULL;
    if (other != NULL) {
        buf_add_format(out, "this key exists as %s", other->path);
        return;
    }
    if (key == NULL)
        key = nearest(parent, name, name.len / 3 + 2);
    if (key != NULL) {
        buf_add_format(out, "did you mean %s?", config_key_name(key));
        return;
    }
    buf_add_text(out, "known here: ");
    const char *comma = "";
    for (size_t i = 0; i < KEY_TOTAL; i++) {
        if (!config_key_in(&keys[i], parent))
            continue;
        buf_add_format(out, "%s%s", comma, config_key_name(&keys[i]));
        comma = ", ";
    }
}

const struct config_refused *config_refused_list(size_t *count)
{
    assert(count != NULL);
    *count = REFUSED_TOTAL;
    return refused;
}

const char *config_refused_reason(struct span name)
{
    for (size_t i = 0; i < REFUSED_TOTAL; i++) {
        struct span bad = span_of(refused[i].name);
        bool prefix = bad.ptr[bad.len - 1] == '*';
        if (prefix ? span_starts_with(name, (struct span){bad.ptr, bad.len - 1})
                   : span_equal(name, bad))
            return refused[i].reason;
    }
    return NULL;
}
