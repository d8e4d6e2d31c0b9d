/* route/route_jq_scope: names of a jq program: variables, functions and their arguments, while it
 * is walked. Internal to route_jq_walk.c. */
#ifndef WALFERRY_ROUTE_ROUTE_JQ_SCOPE_H
#define WALFERRY_ROUTE_ROUTE_JQ_SCOPE_H

#include "route/route_jq_parts.h"

#define ARGUMENTS_MAX 16

/* A name begins with $ where it is a variable's. */
struct scope {
    struct span name;
    uint32_t count;             /* of arguments */
    jq_parts parts;             /* of a variable */
    uint32_t parameters;        /* the token of a function's first one; 0: it is an argument */
    uint32_t body;              /* its first token */
    const struct scope *caller; /* of an argument: what names mean in it */
    const struct scope *next;
};

/* The function of libjq or of the program that is called. */
struct call {
    struct span name;
    uint32_t count;
    uint32_t arguments[ARGUMENTS_MAX]; /* their first tokens */
};

/* The token at hand, or so many behind it; one blank where there is none. */
struct span walk_token(const struct walk *w, uint32_t behind);

/* NULL: the program has none of that name. */
const struct scope *scope_find(const struct scope *scope, struct span name, uint32_t count);
/* Adds a variable, or an argument. */
void scope_bind(struct walk *w, struct span name, jq_parts parts);
void scope_close(struct walk *w, struct span name, uint32_t body, const struct scope *caller);
/* From `def` to behind its semicolon; false: that is not there. */
bool scope_define(struct walk *w);
/* From the name to behind the arguments; false: too many, or not closed. */
bool scope_read_call(struct walk *w, struct call *call);
bool call_is(const struct call *call, const char *name, uint32_t count);

#endif
