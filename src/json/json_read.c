/* json/json_read: see json_read.h. A node is jansson's own; the casts below are the whole trick,
 * and no other file of the program sees the library. */
#include "json/json_read.h"

#include <assert.h>
#include <jansson.h>

static const json_t *node_of(const struct json_tree *node)
{
    return (const json_t *)node;
}

int json_tree_parse(struct span text, struct json_tree **tree, struct error *err)
{
    assert(tree != NULL);
    assert(err != NULL);
    const char *bytes = text.ptr != NULL ? text.ptr : "";
    json_error_t wrong;
    /* No JSON text holds a zero byte, but jansson 2.14 overlooks one behind a number. */
    const char *zero = memchr(bytes, '\0', text.len);
    if (zero != NULL)
        return error_data(err, REASON_BAD_JSON, "byte %zu: a zero byte", (size_t)(zero - bytes));
    json_t *root = json_loadb(bytes, text.len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &wrong);
    if (root == NULL)
        return error_data(err, REASON_BAD_JSON, "line %d, column %d: %s", wrong.line, wrong.column,
                          wrong.text);
    *tree = (struct json_tree *)root;
    return 0;
}

void json_tree_free(struct json_tree *tree)
{
    json_decref((json_t *)tree);
}

enum json_tree_kind json_tree_kind(const struct json_tree *node)
{
    if (node == NULL)
        return JSON_TREE_ABSENT;
    switch (json_typeof(node_of(node))) {
    case JSON_OBJECT:
        return JSON_TREE_OBJECT;
    case JSON_ARRAY:
        return JSON_TREE_ARRAY;
    case JSON_STRING:
        return JSON_TREE_STRING;
    case JSON_INTEGER:
        return JSON_TREE_INTEGER;
    case JSON_REAL:
        return JSON_TREE_REAL;
    case JSON_TRUE:
    case JSON_FALSE:
        return JSON_TREE_BOOL;
    case JSON_NULL:
        return JSON_TREE_NULL;
    }
    return JSON_TREE_ABSENT;
}

const struct json_tree *json_tree_member(const struct json_tree *object, const char *name)
{
    assert(name != NULL);
    return (const struct json_tree *)json_object_get(node_of(object), name);
}

size_t json_tree_count(const struct json_tree *node)
{
    if (json_tree_kind(node) == JSON_TREE_OBJECT)
        return json_object_size(node_of(node));
    return json_array_size(node_of(node));
}

const struct json_tree *json_tree_at(const struct json_tree *array, size_t index)
{
    return (const struct json_tree *)json_array_get(node_of(array), index);
}

const char *json_tree_name_at(const struct json_tree *object, size_t index)
{
    json_t *node = (json_t *)node_of(object);
    if (json_tree_kind(object) != JSON_TREE_OBJECT)
        return NULL;
    void *at = json_object_iter(node);
    for (size_t i = 0; at != NULL && i < index; i++)
        at = json_object_iter_next(node, at);
    return at != NULL ? json_object_iter_key(at) : NULL;
}

static bool digits_u64(struct span digits, uint64_t *value)
{
    uint64_t sum = 0;
    if (digits.len == 0 || digits.len > 20)
        return false;
    for (size_t i = 0; i < digits.len; i++) {
        if (digits.ptr[i] < '0' || digits.ptr[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(digits.ptr[i] - '0');
        if (sum > (UINT64_MAX - digit) / 10)
            return false;
        sum = sum * 10 + digit;
    }
    *value = sum;
    return true;
}

bool json_tree_u64(const struct json_tree *node, uint64_t *value)
{
    struct span digits;
    int64_t integer;
    if (json_tree_string(node, &digits))
        return digits_u64(digits, value);
    if (!json_tree_i64(node, &integer) || integer < 0)
        return false;
    *value = (uint64_t)integer;
    return true;
}

bool json_tree_i64(const struct json_tree *node, int64_t *value)
{
    if (json_tree_kind(node) != JSON_TREE_INTEGER)
        return false;
    *value = json_integer_value(node_of(node));
    return true;
}

bool json_tree_bool(const struct json_tree *node, bool *value)
{
    if (json_tree_kind(node) != JSON_TREE_BOOL)
        return false;
    *value = json_is_true(node_of(node));
    return true;
}

bool json_tree_string(const struct json_tree *node, struct span *text)
{
    if (json_tree_kind(node) != JSON_TREE_STRING)
        return false;
    *text = (struct span){json_string_value(node_of(node)), json_string_length(node_of(node))};
    return true;
}

bool json_tree_is_null(const struct json_tree *node)
{
    return json_tree_kind(node) == JSON_TREE_NULL;
}

bool json_tree_member_u64(const struct json_tree *object, const char *name, uint64_t *value)
{
    return json_tree_u64(json_tree_member(object, name), value);
}

bool json_tree_member_i64(const struct json_tree *object, const char *name, int64_t *value)
{
    return json_tree_i64(json_tree_member(object, name), value);
}

bool json_tree_member_bool(const struct json_tree *object, const char *name, bool *value)
{
    return json_tree_bool(json_tree_member(object, name), value);
}

bool json_tree_member_string(const struct json_tree *object, const char *name, struct span *text)
{
    return json_tree_string(json_tree_member(object, name), text);
}

void json_tree_write(const struct json_tree *node, struct buf *out)
{
    assert(node != NULL);
    assert(out != NULL);
    const size_t flags = JSON_COMPACT | JSON_ENCODE_ANY;
    size_t size = json_dumpb(node_of(node), NULL, 0, flags);
    char *room = buf_reserve(out, size);
    size_t written = json_dumpb(node_of(node), room, size, flags);
    assert(written == size);
    out->len += written;
}
