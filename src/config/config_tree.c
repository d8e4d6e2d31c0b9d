/* config_tree: built from libyaml's events, not from its documents: the events give the bounds a
 * place, and an alias can only name what is complete, so there are no cycles. Gives no scalar a
 * type but says what YAML would make of it. */
#include "config/config_tree.h"

#include <assert.h>
#include <stdlib.h>
#include <yaml.h>

struct anchor {
    const char *name;
    const struct node *node;
    struct anchor *next;
};

struct tree {
    yaml_parser_t parser;
    struct span yaml;
    const char *file;
    struct arena *arena;
    struct anchor *anchors; /* the newest first */
    uint32_t anchor_count;
    uint32_t nodes;
    uint32_t depth;
};

static uint32_t line_of(yaml_mark_t mark)
{
    return mark.line < UINT32_MAX ? (uint32_t)mark.line + 1 : UINT32_MAX;
}

static int bad(const struct tree *tree, uint32_t line, const char *text, const char *hint,
               struct error *err)
{
    error_stop(err, REASON_CONFIG_SYNTAX, "%s:%u: %s", tree->file, line, text);
    if (hint != NULL)
        error_hint(err, "%s", hint);
    return -1;
}

/* What libyaml says. A reader error (not UTF-8) has an offset instead of a mark. */
static int bad_yaml(const struct tree *tree, struct error *err)
{
    const yaml_parser_t *p = &tree->parser;
    const char *problem = p->problem != NULL ? p->problem : "cannot be parsed";
    uint32_t line = line_of(p->problem_mark);
    if (p->error == YAML_READER_ERROR) {
        line = 1;
        for (size_t i = 0; i < p->problem_offset && i < tree->yaml.len; i++)
            line += tree->yaml.ptr[i] == '\n';
    }
    error_stop(err, REASON_CONFIG_SYNTAX, "%s:%u: not valid YAML: %s%s%s", tree->file, line,
               problem, p->context != NULL ? " " : "", p->context != NULL ? p->context : "");
    return error_hint(err, "indent with spaces, not tabs, and quote a value that holds \": \", "
                           "\" #\", or begins with a special character");
}

static int next_event(struct tree *tree, yaml_event_t *event, struct error *err)
{
    if (!yaml_parser_parse(&tree->parser, event))
        return bad_yaml(tree, err);
    return 0;
}

static int count_nodes(struct tree *tree, uint32_t line, uint32_t more, struct error *err)
{
    if (more > TREE_NODES_MAX - tree->nodes)
        return bad(tree, line, "too many values", "a file holds 20000 at most, aliases written out",
                   err);
    tree->nodes += more;
    return 0;
}

static int alias_target(struct tree *tree, const yaml_event_t *event, const struct node **node,
                        struct error *err)
{
    const char *name = (const char *)event->data.alias.anchor;
    uint32_t line = line_of(event->start_mark);
    for (const struct anchor *a = tree->anchors; a != NULL; a = a->next) {
        if (strcmp(a->name, name) == 0) {
            *node = a->node;
            return count_nodes(tree, line, a->node->weight, err);
        }
    }
    return bad(tree, line, "alias of an anchor that is not complete before it", NULL, err);
}

static int add_anchor(struct tree *tree, const char *name, const struct node *node,
                      struct error *err)
{
    if (name == NULL)
        return 0;
    if (tree->anchor_count == TREE_ANCHORS_MAX)
        return bad(tree, node->line, "more than 100 anchors", NULL, err);
    struct anchor *anchor = arena_alloc(tree->arena, sizeof *anchor);
    *anchor = (struct anchor){name, node, tree->anchors};
    tree->anchors = anchor;
    tree->anchor_count++;
    return 0;
}

static int add_child(struct tree *tree, struct node *node, const struct node *key,
                     const struct node *value, struct error *err)
{
    if (node->count == TREE_CHILDREN_MAX)
        return bad(tree, value->line, "more than 1000 entries", NULL, err);
    struct node_child *child = arena_alloc(tree->arena, sizeof *child);
    *child = (struct node_child){key, value, NULL};
    if (node->last != NULL)
        node->last->next = child;
    else
        node->first = child;
    node->last = child;
    node->count++;
    node->weight += value->weight + (key != NULL ? key->weight : 0);
    return 0;
}

static int build(struct tree *tree, yaml_event_t *event, const struct node **out,
                 struct error *err);

/* Reads the node that comes next; 0 where the collection `end`s instead, 1 where there was a node.
 */
static int build_next(struct tree *tree, yaml_event_type_t end, const struct node **out,
                      struct error *err)
{
    yaml_event_t event;
    if (next_event(tree, &event, err) < 0)
        return -1;
    int result = 0;
    if (event.type != end)
        result = build(tree, &event, out, err) < 0 ? -1 : 1;
    yaml_event_delete(&event);
    return result;
}

static int build_mapping(struct tree *tree, struct node *node, struct error *err)
{
    for (;;) {
        const struct node *key = NULL, *value = NULL;
        int more = build_next(tree, YAML_MAPPING_END_EVENT, &key, err);
        if (more <= 0)
            return more;
        if (key->kind != NODE_SCALAR)
            return bad(tree, key->line, "a key must be plain text", NULL, err);
        if (build_next(tree, YAML_NO_EVENT, &value, err) < 0)
            return -1;
        if (add_child(tree, node, key, value, err) < 0)
            return -1;
    }
}

static int build_list(struct tree *tree, struct node *node, struct error *err)
{
    for (;;) {
        const struct node *value = NULL;
        int more = build_next(tree, YAML_SEQUENCE_END_EVENT, &value, err);
        if (more <= 0)
            return more;
        if (add_child(tree, node, NULL, value, err) < 0)
            return -1;
    }
}

/* What the three kinds of node have in common: where libyaml keeps tag and anchor differs. */
static const char *tag_and_anchor(const yaml_event_t *event, const char **anchor)
{
    switch ((int)event->type) {
    case YAML_SCALAR_EVENT:
        *anchor = (const char *)event->data.scalar.anchor;
        return (const char *)event->data.scalar.tag;
    case YAML_MAPPING_START_EVENT:
        *anchor = (const char *)event->data.mapping_start.anchor;
        return (const char *)event->data.mapping_start.tag;
    default:
        *anchor = (const char *)event->data.sequence_start.anchor;
        return (const char *)event->data.sequence_start.tag;
    }
}

static int fill_scalar(struct tree *tree, const yaml_event_t *event, struct node *node,
                       struct error *err)
{
    struct span text = {(const char *)event->data.scalar.value, event->data.scalar.length};
    if (memchr(text.ptr, '\0', text.len) != NULL)
        return bad(tree, node->line, "a value holds a NUL character", NULL, err);
    node->kind = NODE_SCALAR;
    node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    node->text = (struct span){arena_text(tree->arena, text), text.len};
    return 0;
}

static int build(struct tree *tree, yaml_event_t *event, const struct node **out, struct error *err)
{
    if (event->type == YAML_ALIAS_EVENT)
        return alias_target(tree, event, out, err);
    assert(event->type == YAML_SCALAR_EVENT || event->type == YAML_MAPPING_START_EVENT ||
           event->type == YAML_SEQUENCE_START_EVENT);
    uint32_t line = line_of(event->start_mark);
    const char *anchor = NULL;
    if (tag_and_anchor(event, &anchor) != NULL)
        return bad(tree, line, "tags are not supported", "leave out what begins with !", err);
    if (tree->depth == TREE_DEPTH_MAX)
        return bad(tree, line, "nested too deeply", NULL, err);
    if (count_nodes(tree, line, 1, err) < 0)
        return -1;
    if (anchor != NULL)
        anchor = arena_text(tree->arena, span_of(anchor));
    struct node *node = arena_alloc_zero(tree->arena, sizeof *node);
    node->line = line;
    node->weight = 1;
    tree->depth++;
    int result;
    if (event->type == YAML_SCALAR_EVENT) {
        result = fill_scalar(tree, event, node, err);
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        node->kind = NODE_MAPPING;
        result = build_mapping(tree, node, err);
    } else {
        node->kind = NODE_LIST;
        result = build_list(tree, node, err);
    }
    tree->depth--;
    *out = node;
    return result < 0 ? -1 : add_anchor(tree, anchor, node, err);
}

#define EMPTY "the file is empty"
#define EMPTY_HINT "start from the sample file or from the example in walferry.yaml(5)"

/* Takes the next event, which must be of this type. */
static int expect(struct tree *tree, yaml_event_type_t type, const char *otherwise,
                  struct error *err)
{
    yaml_event_t event;
    if (next_event(tree, &event, err) < 0)
        return -1;
    bool fits = event.type == type;
    uint32_t line = line_of(event.start_mark);
    yaml_event_delete(&event);
    if (fits)
        return 0;
    bool empty = type == YAML_DOCUMENT_START_EVENT;
    return bad(tree, empty ? 1 : line, otherwise, empty ? EMPTY_HINT : NULL, err);
}

static int build_document(struct tree *tree, const struct node **root, struct error *err)
{
    if (expect(tree, YAML_STREAM_START_EVENT, "not valid YAML", err) < 0 ||
        expect(tree, YAML_DOCUMENT_START_EVENT, EMPTY, err) < 0 ||
        build_next(tree, YAML_NO_EVENT, root, err) < 0 ||
        expect(tree, YAML_DOCUMENT_END_EVENT, "not valid YAML", err) < 0 ||
        expect(tree, YAML_STREAM_END_EVENT, "a second document begins; a file holds one", err) < 0)
        return -1;
    if (node_scalar_kind(*root) == SCALAR_NULL)
        return bad(tree, 1, EMPTY, EMPTY_HINT, err);
    if ((*root)->kind != NODE_MAPPING)
        return bad(tree, (*root)->line, "expected keys and values, such as relay: orders", NULL,
                   err);
    return 0;
}

int tree_parse(struct span yaml, const char *file, struct arena *arena, const struct node **root,
               struct error *err)
{
    assert(yaml.ptr != NULL);
    assert(file != NULL && root != NULL);
    struct tree tree = {.yaml = yaml, .file = file, .arena = arena};
    if (!yaml_parser_initialize(&tree.parser))
        abort();
    yaml_parser_set_input_string(&tree.parser, (const unsigned char *)yaml.ptr, yaml.len);
    int result = build_document(&tree, root, err);
    yaml_parser_delete(&tree.parser);
    return result;
}

static bool one_of(struct span text, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (span_equal_text(text, words[i]))
            return true;
    return false;
}

static bool is_number(struct span text)
{
    if (text.len == 0 || text.len > 64 || strchr("+-.0123456789", text.ptr[0]) == NULL ||
        strpbrk(text.ptr, "0123456789") == NULL)
        return false;
    char *end;
    strtod(text.ptr, &end);
    return end == text.ptr + text.len;
}

enum scalar_kind node_scalar_kind(const struct node *node)
{
    static const char *const nulls[] = {"", "~", "null", "Null", "NULL"};
    static const char *const bools[] = {"true", "True", "TRUE", "false", "False", "FALSE"};
    assert(node != NULL);
    if (node->kind != NODE_SCALAR || !node->plain)
        return SCALAR_TEXT;
    if (one_of(node->text, nulls, sizeof nulls / sizeof nulls[0]))
        return SCALAR_NULL;
    if (one_of(node->text, bools, sizeof bools / sizeof bools[0]))
        return SCALAR_BOOL;
    return is_number(node->text) ? SCALAR_NUMBER : SCALAR_TEXT;
}
