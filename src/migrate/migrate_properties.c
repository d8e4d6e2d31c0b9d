/* migrate_properties: looking properties up, and the remarks. Each property has exactly one; what
 * nobody has said anything about is judged by migrate.def, and what is not there either is not
 * supported, because nobody can tell what it changes. */
#include "migrate/migrate_internal.h"

#include "json/json_write.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

struct property *migrate_find(struct migrate *m, const char *key)
{
    assert(key != NULL);
    for (uint32_t i = 0; i < m->count; i++)
        if (strcmp(m->items[i].key, key) == 0)
            return &m->items[i];
    return NULL;
}

const char *migrate_value(struct migrate *m, const char *key)
{
    const struct property *p = migrate_find(m, key);
    return p != NULL && p->value[0] != '\0' ? p->value : NULL;
}

bool migrate_is(struct migrate *m, const char *key, const char *value, const char *otherwise)
{
    const char *given = migrate_value(m, key);
    return strcasecmp(given != NULL ? given : otherwise, value) == 0;
}

static void count(struct migrate *m, enum weight weight)
{
    m->out->lost += weight == WEIGHT_LOST;
    m->out->look += weight == WEIGHT_LOOK;
}

static void set(struct migrate *m, struct property *p, enum weight weight, const char *remark)
{
    p->weight = weight;
    p->remark = remark;
    count(m, weight);
}

void migrate_say(struct migrate *m, const char *key, enum weight weight, const char *format, ...)
{
    assert(weight != WEIGHT_NONE);
    struct property *p = migrate_find(m, key);
    if (p == NULL || p->weight != WEIGHT_NONE)
        return;
    char text[512];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    set(m, p, weight, arena_text(&m->arena, span_of(text)));
}

/* NEL, LS and PS, which end a line of YAML, too (YAML 1.1, 4.2); 0: none is there. */
static size_t other_break(const char *text)
{
    static const char *const BREAKS[] = {"\xC2\x85", "\xE2\x80\xA8", "\xE2\x80\xA9"};
    for (size_t i = 0; i < sizeof BREAKS / sizeof BREAKS[0]; i++)
        if (strncmp(text, BREAKS[i], strlen(BREAKS[i])) == 0)
            return strlen(BREAKS[i]);
    return 0;
}

/* One line of a comment, whatever is in the text. */
static void add_comment(struct buf *out, const char *text)
{
    for (const char *c = text; *c != '\0'; c++) {
        size_t more = other_break(c);
        bool blank = more > 0 || (unsigned char)*c < ' ' || *c == 0x7F;
        buf_add_char(out, blank ? ' ' : *c);
        c += more > 0 ? more - 1 : 0;
    }
}

/* A salt is a secret. */
static void add_name(struct buf *out, const char *name)
{
    static const char SALT[] = ".with.salt.";
    const char *salt = strstr(name, SALT);
    size_t length = salt != NULL ? (size_t)(salt - name) + strlen(SALT) : strlen(name);
    char shown[256];
    snprintf(shown, sizeof shown, "%.*s%s", (int)(length < 200 ? length : 200), name,
             salt != NULL ? "(hidden)" : "");
    add_comment(out, shown);
}

void migrate_note(struct migrate *m, enum weight weight, const char *format, ...)
{
    char text[768];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    if (strstr(buf_text(&m->general), text) != NULL) /* of another route */
        return;
    count(m, weight);
    buf_add_text(&m->general, weight == WEIGHT_LOST ? "#   NOT SUPPORTED: " : "#   ");
    add_comment(&m->general, text);
    buf_add_char(&m->general, '\n');
}

/* ---- The table ---- */

enum rule { RULE_MOOT, RULE_SAME, RULE_MAY, RULE_LOOK, RULE_LOST };

static const struct known {
    enum rule rule;
    const char *key, *value, *remark;
} KNOWN[] = {
#define MOOT(key, remark) {RULE_MOOT, key, NULL, remark},
#define SAME(key, value, otherwise) {RULE_SAME, key, value, otherwise},
#define MAY(key, value, otherwise) {RULE_MAY, key, value, otherwise},
#define LOOK(key, remark) {RULE_LOOK, key, NULL, remark},
#define LOST(key, remark) {RULE_LOST, key, NULL, remark},
#include "migrate/migrate.def"
};

static bool fits(const char *pattern, const char *key)
{
    size_t length = strlen(pattern);
    if (pattern[length - 1] == '*')
        return strncmp(pattern, key, length - 1) == 0;
    return strcmp(pattern, key) == 0;
}

static void judge(struct migrate *m, struct property *p)
{
    static const enum weight OTHERWISE[] = {[RULE_MOOT] = WEIGHT_MOOT,
                                            [RULE_SAME] = WEIGHT_LOST,
                                            [RULE_MAY] = WEIGHT_LOOK,
                                            [RULE_LOOK] = WEIGHT_LOOK,
                                            [RULE_LOST] = WEIGHT_LOST};
    for (size_t i = 0; i < sizeof KNOWN / sizeof KNOWN[0]; i++) {
        const struct known *k = &KNOWN[i];
        if (!fits(k->key, p->key))
            continue;
        if (k->value != NULL && strcasecmp(k->value, p->value) == 0)
            set(m, p, WEIGHT_SAME, "the same by default");
        else
            set(m, p, OTHERWISE[k->rule], k->remark);
        return;
    }
    set(m, p, WEIGHT_LOST, "unknown: find out what it changes");
}

void migrate_judge_rest(struct migrate *m)
{
    for (uint32_t i = 0; i < m->count; i++) {
        struct property *p = &m->items[i];
        if (p->weight == WEIGHT_NONE)
            judge(m, p);
        if (p->refers != NULL)
            migrate_note(m, WEIGHT_LOOK,
                         "%s: its reference is %s here: put the value there, or into a file of its "
                         "own and write ${file:PATH}",
                         p->name, p->refers);
    }
}

void migrate_write_remarks(struct migrate *m, struct buf *out)
{
    static const struct {
        enum weight weight;
        const char *title;
    } PARTS[] = {
        {WEIGHT_LOST, "Not supported: the relay does otherwise than Debezium"},
        {WEIGHT_LOOK, "To look at"},
        {WEIGHT_TAKEN, "Taken over"},
        {WEIGHT_SAME, "The same by default"},
        {WEIGHT_MOOT, "Without a meaning here"},
    };
    for (size_t part = 0; part < sizeof PARTS / sizeof PARTS[0]; part++) {
        bool first = true;
        for (uint32_t i = 0; i < m->count; i++) {
            const struct property *p = &m->items[i];
            if (p->weight != PARTS[part].weight)
                continue;
            if (first)
                buf_add_format(out, "#\n# %s:\n", PARTS[part].title);
            first = false;
            buf_add_text(out, "#   ");
            add_name(out, p->name);
            buf_add_text(out, ": ");
            add_comment(out, p->remark);
            buf_add_char(out, '\n');
        }
    }
}

/* ---- YAML ---- */

void migrate_add_text(struct buf *out, const char *value)
{
    struct json_writer w = json_writer(out); /* text of JSON is text of YAML */
    json_write_text(&w, value);
}

void migrate_add(struct buf *out, unsigned indent, const char *name, const char *value)
{
    assert(name != NULL && value != NULL);
    for (unsigned i = 0; i < indent; i++)
        buf_add_char(out, ' ');
    buf_add_format(out, "%s: ", name);
    migrate_add_text(out, value);
    buf_add_char(out, '\n');
}
