/* config_tree: YAML text as a tree whose nodes know their line.
 *
 * One document, a mapping at its root. Everything that a hostile file could blow up is bounded:
 * depth, nodes (an alias counts as all that it stands for, so a tree of aliases cannot grow),
 * children of one node, anchors. Tags are refused. Knows nothing of keys. */
#ifndef WALFERRY_CONFIG_TREE_H
#define WALFERRY_CONFIG_TREE_H

#include "base/arena.h"
#include "base/error.h"

#include <stdint.h>

#define TREE_DEPTH_MAX 16
#define TREE_NODES_MAX 20000
#define TREE_CHILDREN_MAX 1000
#define TREE_ANCHORS_MAX 100

enum node_kind { NODE_SCALAR, NODE_MAPPING, NODE_LIST };

struct node {
    enum node_kind kind;
    uint32_t line;    /* from 1 */
    bool plain;       /* a scalar without quotes, so that YAML gives it a type */
    struct span text; /* of a scalar */
    uint32_t count;   /* children */
    uint32_t weight;  /* nodes in all, this one included */
    struct node_child *first, *last;
};

struct node_child {
    const struct node *key; /* a scalar; NULL in a list */
    const struct node *value;
    struct node_child *next;
};

/* The types that YAML 1.2 (core schema, section 10.3.2) gives to a scalar. */
enum scalar_kind { SCALAR_TEXT, SCALAR_NULL, SCALAR_BOOL, SCALAR_NUMBER };
enum scalar_kind node_scalar_kind(const struct node *node);

/* The tree lives in the arena. Errors read "<file>:<line>: what". */
int tree_parse(struct span yaml, const char *file, struct arena *arena, const struct node **root,
               struct error *err);

#endif
