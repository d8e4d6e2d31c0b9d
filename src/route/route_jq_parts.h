/* route/route_jq_parts: the parts of the input that a jq program reads, while it is walked and
 * after. Internal to route_jq_reads.h, route_jq_walk.h and route_jq_scope.h. */
#ifndef WALFERRY_ROUTE_ROUTE_JQ_PARTS_H
#define WALFERRY_ROUTE_ROUTE_JQ_PARTS_H

#include "route/route_jq_text.h"

/* The members of the input, as a set. */
enum jq_member { JQ_OP = 1, JQ_BEFORE = 2, JQ_AFTER = 4, JQ_SOURCE = 8, JQ_ALL = 15 };

struct jq_column {
    uint32_t members; /* JQ_BEFORE, JQ_AFTER: of which of them it is read */
    struct span name;
};

/* All zero: nothing. */
struct jq_reads {
    uint32_t members; /* at which it looks */
    uint32_t whole;   /* of those: all that is in them, or nobody can tell what */
    uint32_t count, size;
    struct jq_column *columns; /* of the members that are not read whole */
};

/* What a value may be. A bit of JQ_ALL: an object that has that member of the input under its own
 * name, as the input has all four. The same, shifted: the member itself. No bit: something else,
 * all of which was read when it was made. */
typedef uint32_t jq_parts;
#define PART_MEMBER_SHIFT 4

struct scope; /* names: the innermost first */

struct walk {
    const struct jq_text *text;
    uint32_t at;               /* the token at hand */
    const struct scope *scope; /* what names mean there */
    uint32_t depth, steps;
    bool lost; /* it is not understood, or too long */
    struct jq_reads *reads;
    struct arena *columns, *scopes;
};

/* All of it is read. */
void walk_read(struct walk *w, jq_parts parts);
/* It is asked for that member: what comes of it. */
jq_parts walk_member(struct walk *w, jq_parts parts, struct span name);

#endif
