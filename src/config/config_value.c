/* config_value: the text of a scalar is looked at after expansion; the type that YAML gives it is
 * looked at before, so that "10" in quotes is no number but "${env:N}" may be one. One value at a
 * time: what two of them have to do with each other is not asked here. */
#include "config/config_value.h"

#include "config/config_expand.h"

#include <assert.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>

_Static_assert(sizeof(enum guarantee) == sizeof(unsigned), "a choice is stored as unsigned");

/* A byte of a UTF-8 sequence behind its first. */
static bool is_middle(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

void config_found(const struct node *node, struct span text, bool secret, struct buf *out)
{
    if (node->kind == NODE_MAPPING) {
        buf_add_text(out, "a mapping");
    } else if (node->kind == NODE_LIST) {
        buf_add_text(out, "a list");
    } else if (node_scalar_kind(node) == SCALAR_NULL) {
        buf_add_text(out, "nothing");
    } else if (secret) {
        buf_add_text(out, "a value that is not shown");
    } else {
        size_t cut = text.len;
        for (cut = cut > 80 ? 80 : cut; cut < text.len && cut > 0 && is_middle(text.ptr[cut]);)
            cut--;
        buf_add_char(out, '"');
        buf_add(out, (struct span){text.ptr, cut});
        buf_add_text(out, cut < text.len ? "…\"" : "\"");
    }
}

/* user:password@ in front of the host; what is no address that can be used may have it, too. */
static bool holds_login(const struct config_key *key, struct span text)
{
    return (key->flags & ADDRESS) != 0 && memchr(text.ptr, '@', text.len) != NULL;
}

/* What a setter knows of its value. */
struct value {
    const struct config_reader *reader;
    const struct config_key *key;
    const struct node *node;
    struct span text; /* expanded, NUL-terminated */
    bool expanded;
    void *member;
};

static int refuse(const struct value *v, enum reason reason, struct error *err)
{
    struct buf expected = BUF_EMPTY, found = BUF_EMPTY;
    bool secret = v->expanded || (v->key->flags & SECRET) != 0 || holds_login(v->key, v->text);
    config_key_expect(v->key, &expected);
    config_found(v->node, v->text, secret, &found);
    config_fail(err, v->reader, v->node->line, v->key->path, reason, "expected %s, found %s",
                buf_text(&expected), buf_text(&found));
    buf_fini(&expected);
    buf_fini(&found);
    return -1;
}

/* The text as a number, with what follows it in *unit. What is beyond 64 bits becomes the last
 * number there is, which is out of every range. */
static bool parse_number(struct span text, int64_t *number, const char **unit)
{
    const char *digits = text.ptr + (text.len > 0 && text.ptr[0] == '-');
    if (*digits < '0' || *digits > '9')
        return false;
    char *end;
    *number = strtoll(text.ptr, &end, 10);
    *unit = end;
    return true;
}

static int set_number(const struct value *v, struct error *err)
{
    int64_t number = 0;
    const char *unit = "";
    enum scalar_kind kind = node_scalar_kind(v->node);
    bool typed = v->expanded || kind == SCALAR_NUMBER;
    if (!typed || !parse_number(v->text, &number, &unit) || *unit != '\0') {
        refuse(v, REASON_CONFIG_TYPE, err);
        if (config_key_is_ms(v->key))
            error_hint(err, "write milliseconds, without a unit and without quotes");
        return -1;
    }
    if (number < v->key->min || number > v->key->max ||
        (v->key->kind == KEY_KIND_COUNT && number == 0))
        return refuse(v, REASON_CONFIG_VALUE, err);
    if (v->key->kind == KEY_KIND_COUNT)
        *(int32_t *)v->member = (int32_t)number;
    else
        *(int64_t *)v->member = number;
    return 0;
}

static int set_size(const struct value *v, struct error *err)
{
    static const struct {
        const char *name;
        int64_t bytes;
    } units[] = {{"", 1}, {"B", 1}, {"KB", 1 << 10}, {"MB", 1 << 20}, {"GB", 1 << 30}};
    int64_t number = 0;
    const char *unit = "";
    if (parse_number(v->text, &number, &unit) && number >= 0) {
        for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
            if (strcmp(unit, units[i].name) != 0)
                continue;
            if (number > v->key->max / units[i].bytes || number * units[i].bytes < v->key->min)
                return refuse(v, REASON_CONFIG_VALUE, err);
            *(uint64_t *)v->member = (uint64_t)(number * units[i].bytes);
            return 0;
        }
    }
    refuse(v, REASON_CONFIG_TYPE, err);
    return error_hint(err,
                      "write a number and one of B, KB, MB, GB (powers of 1024), such as 64MB");
}

static int set_bool(const struct value *v, struct error *err)
{
    bool typed = v->expanded || node_scalar_kind(v->node) == SCALAR_BOOL;
    bool yes = span_equal_text(v->text, "true");
    if (!typed || (!yes && !span_equal_text(v->text, "false"))) {
        refuse(v, REASON_CONFIG_TYPE, err);
        return error_hint(err, "write true or false, in lower case and without quotes");
    }
    *(bool *)v->member = yes;
    return 0;
}

static int set_choice(const struct value *v, struct error *err)
{
    unsigned index = 0;
    for (const char *word = v->key->words; word != NULL; index++) {
        const char *bar = strchr(word, '|');
        size_t length = bar != NULL ? (size_t)(bar - word) : strlen(word);
        if (span_equal(v->text, (struct span){word, length})) {
            memcpy(v->member, &index, sizeof index);
            return 0;
        }
        word = bar != NULL ? bar + 1 : NULL;
    }
    return refuse(v, REASON_CONFIG_VALUE, err);
}

bool config_rule_holds(const char *rule, const char *text)
{
    char whole[160];
    regex_t regex;
    assert(rule != NULL && text != NULL);
    int length = snprintf(whole, sizeof whole, "^(%s)$", rule);
    assert(length > 0 && (size_t)length < sizeof whole);
    int failed = regcomp(&regex, whole, REG_EXTENDED | REG_NOSUB);
    assert(failed == 0);
    (void)failed;
    bool match = regexec(&regex, text, 0, NULL, 0) == 0;
    regfree(&regex);
    return match;
}

static int set_text(const struct value *v, struct error *err)
{
    enum scalar_kind kind = node_scalar_kind(v->node);
    if (kind == SCALAR_NULL) {
        refuse(v, REASON_CONFIG_TYPE, err);
        return error_hint(err, "write a value behind the colon%s",
                          v->key->fallback != NULL ? ", or leave the key out" : "");
    }
    if (kind != SCALAR_TEXT) {
        config_fail(err, v->reader, v->node->line, v->key->path, REASON_CONFIG_TYPE,
                    "expected text, found a %s", kind == SCALAR_BOOL ? "boolean" : "number");
        return error_hint(err, "put the value into quotes");
    }
    if (v->key->rule != NULL && !config_rule_holds(v->key->rule, v->text.ptr))
        return refuse(v, REASON_CONFIG_VALUE, err);
    bool connection = (v->key->flags & RESTART_DATABASE) != 0; /* looked at by who expands it */
    bool secret = (v->key->flags & SECRET) != 0 || holds_login(v->key, v->text);
    if (secret && !connection && !v->expanded && v->reader->secrets != NULL)
        v->reader->secrets->inside = true;
    *(struct config_text *)v->member = (struct config_text){
        .text = v->text.ptr,
        .file = v->reader->file,
        .line = v->node->line,
        .written = v->expanded ? v->node->text.ptr : NULL,
        .secret = v->expanded || secret,
    };
    return 0;
}

/* What stands in one place, or one text of a list. */
static int set_scalar(struct value *v, struct error *err)
{
    const struct config_key *key = v->key;
    if (v->node->kind != NODE_SCALAR)
        return refuse(v, REASON_CONFIG_TYPE, err);
    if (config_expand(v->reader, v->node->line, key->path, v->node->text,
                      (key->flags & RESTART_DATABASE) != 0, &v->text, &v->expanded, err) < 0)
        return -1;
    switch (key->kind) {
    case KEY_KIND_NUMBER:
    case KEY_KIND_COUNT:
        return set_number(v, err);
    case KEY_KIND_SIZE:
        return set_size(v, err);
    case KEY_KIND_BOOL:
        return set_bool(v, err);
    case KEY_KIND_CHOICE:
        return set_choice(v, err);
    default:
        return set_text(v, err);
    }
}

/* Each text is held against the rule; the list as it stands becomes the member. */
static int set_texts(const struct value *list, struct error *err)
{
    const struct node *node = list->node;
    struct arena *arena = list->reader->arena;
    struct config_text *items = arena_alloc_zero(arena, (node->count + 1) * sizeof *items);
    uint32_t count = 0;
    for (const struct node_child *child = node->first; child != NULL; child = child->next) {
        struct value item = *list;
        item.node = child->value;
        item.member = &items[count++];
        if (set_scalar(&item, err) < 0)
            return -1;
    }
    *(struct config_texts *)list->member = (struct config_texts){count, items};
    return 0;
}

int config_value_set(const struct config_reader *reader, const struct config_key *key,
                     const struct node *node, void *base, struct error *err)
{
    assert(key->kind >= KEY_KIND_TEXT);
    assert(base != NULL);
    struct value v = {.reader = reader,
                      .key = key,
                      .node = node,
                      .text = span_null(),
                      .member = (char *)base + key->offset};
    if (key->kind != KEY_KIND_TEXTS)
        return set_scalar(&v, err);
    if (node->kind == NODE_LIST)
        return set_texts(&v, err);
    if (node->kind == NODE_SCALAR)
        v.text = node->text;
    refuse(&v, REASON_CONFIG_TYPE, err);
    return error_hint(err, "write [\"a\", \"b\"], or items below it, each behind a -");
}

int config_value_pair(const struct config_reader *reader, const char *path, const struct node *node,
                      struct config_text *out, struct error *err)
{
    assert(node != NULL && out != NULL);
    if (node->kind != NODE_SCALAR || node_scalar_kind(node) == SCALAR_NULL) {
        struct buf found = BUF_EMPTY;
        config_found(node, span_null(), true, &found);
        config_fail(err, reader, node->line, path, REASON_CONFIG_TYPE, "expected a value, found %s",
                    buf_text(&found));
        buf_fini(&found);
        return -1;
    }
    struct span text;
    if (config_expand(reader, node->line, path, node->text, false, &text, &out->secret, err) < 0)
        return -1;
    out->text = text.ptr;
    out->written = out->secret ? node->text.ptr : NULL;
    out->file = reader->file;
    out->line = node->line;
    return 0;
}

void config_value_default(const struct config_reader *reader, const struct config_key *key,
                          const char *text, void *base)
{
    void *member = (char *)base + key->offset;
    if (key->kind == KEY_KIND_TEXT) {
        *(struct config_text *)member = (struct config_text){
            .text = text, .file = reader->file, .secret = (key->flags & SECRET) != 0};
        return;
    }
    struct error err = ERROR_INIT;
    struct node node = {.kind = key->kind == KEY_KIND_TEXTS ? NODE_LIST : NODE_SCALAR,
                        .plain = true,
                        .text = span_of(text)};
    int result = config_value_set(reader, key, &node, base, &err);
    assert(result == 0);
    (void)result;
}
