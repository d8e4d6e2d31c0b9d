/* json/json_read: a JSON text becomes a tree to look things up in.
 *
 * For records, configuration answers and whatever is read rarely; the hot path slices text instead
 * (json_slice.h). Strict: one document, valid UTF-8, no duplicate members, no NUL inside strings,
 * at most 2048 levels. Getters never convert and never fail aloud: false means "absent or another
 * type", so that the caller words the error. A NULL node is legal everywhere and has no members. */
#ifndef WALFERRY_JSON_JSON_READ_H
#define WALFERRY_JSON_JSON_READ_H

#include "base/buf.h"
#include "base/error.h"

#include <stdint.h>

/* A node; the root owns the whole tree. */
struct json_tree;

enum json_tree_kind {
    JSON_TREE_ABSENT, /* NULL was asked */
    JSON_TREE_NULL,
    JSON_TREE_BOOL,
    JSON_TREE_INTEGER,
    JSON_TREE_REAL,
    JSON_TREE_STRING,
    JSON_TREE_ARRAY,
    JSON_TREE_OBJECT
};

/* Any value may be the root. ERROR_DATA, reason "bad_json", text "line <n>, column <n>: <what>" (or
 * "byte <n>: a zero byte"). */
int json_tree_parse(struct span text, struct json_tree **tree, struct error *err);
void json_tree_free(struct json_tree *tree); /* of the root only; NULL is legal */

enum json_tree_kind json_tree_kind(const struct json_tree *node);
/* The member of an object, or NULL. */
const struct json_tree *json_tree_member(const struct json_tree *object, const char *name);
/* Elements of an array or members of an object; 0 for anything else. */
size_t json_tree_count(const struct json_tree *node);
/* The element of an array, or NULL. */
const struct json_tree *json_tree_at(const struct json_tree *array, size_t index);

/* The name of the member, in the order of the text; NULL: there are not so many. */
const char *json_tree_name_at(const struct json_tree *object, size_t index);

/* An integer from 0, or a string of decimal digits: what may exceed 2^63 is written as a string. */
bool json_tree_u64(const struct json_tree *node, uint64_t *value);
bool json_tree_i64(const struct json_tree *node, int64_t *value);
bool json_tree_bool(const struct json_tree *node, bool *value);
/* NUL-terminated behind its length; lives as long as the tree. */
bool json_tree_string(const struct json_tree *node, struct span *text);
bool json_tree_is_null(const struct json_tree *node);

/* The same for a member of an object. */
bool json_tree_member_u64(const struct json_tree *object, const char *name, uint64_t *value);
bool json_tree_member_i64(const struct json_tree *object, const char *name, int64_t *value);
bool json_tree_member_bool(const struct json_tree *object, const char *name, bool *value);
bool json_tree_member_string(const struct json_tree *object, const char *name, struct span *text);

/* Appends the node as compact JSON, members in the order in which they were read. */
void json_tree_write(const struct json_tree *node, struct buf *out);

#endif
