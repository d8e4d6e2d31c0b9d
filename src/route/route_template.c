/* route/route_template: see route_template.h. It checks neither topic names nor header names:
 * that is done by who asked for the text. */
#include "route/route_template.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct compiler {
    const struct config_text *source;
    const struct template_options *options;
    struct field_list *fields;
    struct arena *arena;
    const char *at;
    struct template *out;
    struct error *err;
};

/* A template that holds a secret is never shown. */
static int wrong(struct compiler *c, const char *what, struct span name)
{
    char shown[80] = "";
    if (!c->source->secret && name.ptr != NULL)
        snprintf(shown, sizeof shown, ": %.*s", (int)(name.len < 64 ? name.len : 64), name.ptr);
    return config_error(c->err, c->source, REASON_BAD_TEMPLATE, "%s: %s%s", c->options->path, what,
                        shown);
}

/* Literals that meet become one, so that {{ and {@relay} cost nothing later. */
static void add_literal(struct compiler *c, struct span text)
{
    struct template *t = c->out;
    if (text.len == 0)
        return;
    if (t->count > 0 && t->parts[t->count - 1].kind == PART_LITERAL) {
        struct part *last = &t->parts[t->count - 1];
        char *joined = arena_alloc_bytes(c->arena, last->text.len + text.len);
        memcpy(joined, last->text.ptr, last->text.len);
        memcpy(joined + last->text.len, text.ptr, text.len);
        last->text = (struct span){joined, last->text.len + text.len};
        return;
    }
    t->parts[t->count++] = (struct part){.kind = PART_LITERAL, .text = text};
}

static const struct {
    const char *name;
    enum part_kind kind;
    bool of_relation;
} FACTS[] = {
    {"schema", PART_SCHEMA, true}, {"table", PART_TABLE, true},
    {"op", PART_OP, false},        {"lsn", PART_LSN, false},
    {"xid", PART_XID, false},      {"commit_ms", PART_COMMIT_MS, false},
};

/* name: with the @. */
static int add_fact(struct compiler *c, struct span name, bool has_default)
{
    struct span fact = {name.ptr + 1, name.len - 1};
    if (has_default)
        return wrong(c, "a fact is never NULL and takes no default", name);
    if (span_equal_text(fact, "relay")) {
        add_literal(c, span_of(c->options->relay));
        return 0;
    }
    for (size_t i = 0; i < sizeof FACTS / sizeof FACTS[0]; i++) {
        if (!span_equal_text(fact, FACTS[i].name))
            continue;
        if (FACTS[i].of_relation && c->options->of_message)
            return wrong(c, "a message has no schema and no table", name);
        c->out->parts[c->out->count++] = (struct part){.kind = FACTS[i].kind};
        return 0;
    }
    wrong(c, "there is no such fact", name);
    return error_hint(c->err, "the facts are {@schema} {@table} {@op} {@lsn} {@xid} {@commit_ms} "
                              "{@relay}");
}

/* A name in SQL's double quotes, for what no plain one can hold. Behind the opening quote; ends
 * behind the closing one. */
static int take_quoted(struct compiler *c, struct span *name)
{
    char *made = arena_alloc_bytes(c->arena, strlen(c->at) + 1);
    size_t len = 0;
    for (const char *at = c->at; *at != '\0'; at++) {
        if (*at == '"' && at[1] != '"') {
            *name = (struct span){made, len};
            c->at = at + 1;
            return 0;
        }
        if (*at == '"')
            at++;
        made[len++] = *at;
    }
    return wrong(c, "a double quote is not closed", span_null());
}

static int not_closed(struct compiler *c, const char *first)
{
    wrong(c, "a { is not closed", (struct span){first - 1, strcspn(first, "{}") + 1});
    return error_hint(c->err, "write {{ for a brace that is meant as one");
}

/* Behind the bar; ends behind the word. */
static int take_word(struct compiler *c, struct part *part)
{
    struct span word = {c->at, strcspn(c->at, ":{}")};
    part->optional = c->options->of_header && span_equal_text(word, "optional");
    if (span_equal_text(word, "upper") || span_equal_text(word, "lower")) {
        part->letters = span_equal_text(word, "upper") ? CASE_UPPER : CASE_LOWER;
    } else if (!part->optional) {
        wrong(c,
              c->options->of_header ? "behind a | stands upper, lower or optional"
                                    : "behind a | stands upper or lower",
              word);
        return error_hint(c->err, "a name that holds a | stands in double quotes");
    }
    c->at += word.len;
    return 0;
}

/* Nothing else could be left of the text where the column is NULL. */
static int add_optional(struct compiler *c, struct part *part, struct span name)
{
    bool alone = c->out->count == 0 && *c->at == '\0';
    if (part->text.ptr != NULL)
        return wrong(c, "a column is optional or has a default", name);
    if (!alone) {
        wrong(c, "an optional column stands alone", name);
        return error_hint(c->err, "write {name:default} beside other text");
    }
    part->field = FIELD_NONE;
    part->text = name;
    c->out->parts[c->out->count++] = *part;
    return 0;
}

static int add_named(struct compiler *c, struct part *part, struct span name, bool quoted)
{
    if (!quoted && name.len > 0 && name.ptr[0] == '@') {
        if (part->letters != CASE_AS_IT_IS || part->optional)
            return wrong(c, "a fact keeps its letters and is always there", name);
        return add_fact(c, name, part->text.ptr != NULL);
    }
    if (name.len == 0)
        return wrong(c, "braces without the name of a column", span_null());
    if (part->optional)
        return add_optional(c, part, name);
    part->field = field_list_add(c->fields, c->arena, name);
    c->out->parts[c->out->count++] = *part;
    return 0;
}

/* Behind the opening brace; ends behind the closing one. */
static int add_braces(struct compiler *c)
{
    const char *first = c->at;
    bool quoted = *first == '"';
    struct span name = {first, strcspn(first, "|:{}")};
    struct part part = {.kind = PART_FIELD, .letters = CASE_AS_IT_IS, .text = span_null()};
    c->at += quoted ? 1 : name.len;
    if (quoted && take_quoted(c, &name) < 0)
        return -1;
    if (*c->at == '|') {
        c->at++;
        if (take_word(c, &part) < 0)
            return -1;
    }
    if (*c->at == ':') {
        part.text = (struct span){c->at + 1, strcspn(c->at + 1, "{}")};
        c->at += 1 + part.text.len;
    }
    if (*c->at != '}')
        return not_closed(c, first);
    c->at++;
    return add_named(c, &part, name, quoted);
}

static int compile(struct compiler *c)
{
    while (*c->at != '\0') {
        size_t len = strcspn(c->at, "{}");
        add_literal(c, (struct span){c->at, len});
        c->at += len;
        if (*c->at == '\0')
            return 0;
        if (c->at[0] == c->at[1]) {
            add_literal(c, (struct span){c->at, 1});
            c->at += 2;
            continue;
        }
        if (*c->at == '}') {
            wrong(c, "a } without {", span_null());
            return error_hint(c->err, "write }} for a brace that is meant as one");
        }
        c->at++;
        if (add_braces(c) < 0)
            return -1;
    }
    return 0;
}

int template_compile(const struct config_text *source, const struct template_options *options,
                     struct field_list *fields, struct arena *arena, struct template *out,
                     struct error *err)
{
    assert(source->text != NULL);
    assert(options->path != NULL && options->relay != NULL);
    /* Each part takes a byte of the source at least. */
    out->parts = arena_alloc(arena, (strlen(source->text) + 1) * sizeof *out->parts);
    out->count = 0;
    struct compiler c = {.source = source,
                         .options = options,
                         .fields = fields,
                         .arena = arena,
                         .at = source->text,
                         .out = out,
                         .err = err};
    return compile(&c);
}

bool template_literal(const struct template *t, struct span *text)
{
    if (t->count == 0)
        *text = SPAN_LITERAL("");
    else if (t->count == 1 && t->parts[0].kind == PART_LITERAL)
        *text = t->parts[0].text;
    else
        return false;
    return true;
}

uint32_t template_only_field(const struct template *t)
{
    bool field =
        t->count == 1 && t->parts[0].kind == PART_FIELD && t->parts[0].letters == CASE_AS_IT_IS;
    return field ? t->parts[0].field : FIELD_NONE;
}

bool template_settle_optional(struct template *t, struct field_list *fields, struct arena *arena)
{
    assert(t->count == 0 || t->parts != NULL);
    if (t->count != 1 || !t->parts[0].optional)
        return false;
    t->parts[0].field = field_list_add(fields, arena, t->parts[0].text);
    return true;
}

static struct span op_name(enum change_op op)
{
    switch (op) {
    case CHANGE_READ:
        return SPAN_LITERAL("read");
    case CHANGE_MESSAGE:
        return SPAN_LITERAL("message");
    case CHANGE_UPDATE:
        return SPAN_LITERAL("update");
    case CHANGE_DELETE:
        return SPAN_LITERAL("delete");
    case CHANGE_TRUNCATE:
        return SPAN_LITERAL("truncate");
    default:
        assert(op == CHANGE_INSERT);
        return SPAN_LITERAL("insert");
    }
}

static struct span decimal(struct arena *scratch, int64_t value)
{
    return span_of(arena_format(scratch, "%" PRId64, value));
}

static struct span in_case(struct span text, enum letter_case letters, struct arena *scratch)
{
    char *made = arena_alloc_bytes(scratch, text.len);
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        bool change = letters == CASE_UPPER ? c >= 'a' && c <= 'z' : c >= 'A' && c <= 'Z';
        made[i] = change ? (char)(c ^ 0x20) : c;
    }
    return (struct span){made, text.len};
}

static int field_text(const struct template *t, const struct part *part,
                      const struct route_row *row, struct arena *scratch, struct span *text,
                      struct error *err)
{
    assert(part->field != FIELD_NONE);
    *text = span_null();
    if (part->optional && row->slots[part->field].column == FIELD_NONE)
        return 0;
    if (route_row_check(row, part->field, err) < 0)
        return -1;
    if (route_row_cell(row, part->field)->kind != CELL_NULL) {
        int got = route_row_text(row, part->field, scratch, text, err);
        if (got == 0 && part->letters != CASE_AS_IT_IS)
            *text = in_case(*text, part->letters, scratch);
        return got;
    }
    if (part->optional)
        return 0;
    *text = part->text;
    if (text->ptr != NULL)
        return 0;
    struct span name = row->fields->names[part->field];
    char where[ROW_NAME_MAX];
    bool message = row->change->op == CHANGE_MESSAGE;
    return error_data(err, REASON_NULL_IN_TEMPLATE,
                      "%s %.*s of %s is %s, and the %s of route %s has no default for it",
                      route_row_noun(row->change), SPAN_ARG(name),
                      route_row_name(row->change, where), message ? "null or absent" : "NULL",
                      t->what, row->route);
}

static int check_name(const struct template *t, const struct route_row *row, struct error *err)
{
    char where[ROW_NAME_MAX];
    if (!row->relation->not_utf8)
        return 0;
    return error_data(err, REASON_NOT_UTF8,
                      "the name %s is not UTF-8, and the %s of route %s names it",
                      route_row_name(row->change, where), t->what, row->route);
}

int template_part(const struct template *t, const struct part *part, const struct route_row *row,
                  struct arena *scratch, struct span *text, struct error *err)
{
    const struct change *change = row->change;
    char lsn[LSN_TEXT_MAX];
    switch (part->kind) {
    case PART_FIELD:
        return field_text(t, part, row, scratch, text, err);
    case PART_LITERAL:
        *text = part->text;
        return 0;
    case PART_SCHEMA:
        *text = row->relation->schema;
        return check_name(t, row, err);
    case PART_TABLE:
        *text = row->relation->name;
        return check_name(t, row, err);
    case PART_OP:
        *text = op_name(change->op);
        return 0;
    case PART_LSN:
        *text = arena_copy(scratch, span_of(lsn_format(change->id.final_lsn, lsn)));
        return 0;
    case PART_XID:
        *text = decimal(scratch, change->xid);
        return 0;
    case PART_COMMIT_MS:
        *text = decimal(scratch, change->commit_time_us / 1000);
        return 0;
    }
    abort(); /* every kind has returned */
}

/* Most by far: a column of the new row, as it is. */
static inline bool is_plain_text(const struct part *part, const struct route_row *row,
                                 struct span *text)
{
    if (part->kind != PART_FIELD || part->letters != CASE_AS_IT_IS || part->optional || row->old)
        return false;
    const struct cell *cell = route_row_cell(row, part->field);
    if (cell->kind != CELL_TEXT)
        return false;
    *text = cell->bytes;
    return true;
}

int template_render(const struct template *t, const struct route_row *row, struct arena *scratch,
                    struct span *out, struct error *err)
{
    assert(out != NULL);
    if (t->count == 1 && is_plain_text(&t->parts[0], row, out))
        return 0;
    if (t->count == 0) {
        *out = SPAN_LITERAL("");
        return 0;
    }
    if (t->count == 1)
        return template_part(t, &t->parts[0], row, scratch, out, err);
    struct span *texts = arena_alloc(scratch, t->count * sizeof *texts);
    size_t len = 0;
    for (uint32_t i = 0; i < t->count; i++) {
        if (template_part(t, &t->parts[i], row, scratch, &texts[i], err) < 0)
            return -1;
        len += texts[i].len;
    }
    char *text = arena_alloc_bytes(scratch, len);
    *out = (struct span){text, len};
    for (uint32_t i = 0; i < t->count; i++) {
        if (texts[i].len > 0)
            memcpy(text, texts[i].ptr, texts[i].len);
        text += texts[i].len;
    }
    return 0;
}
