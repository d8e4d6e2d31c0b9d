/* types/types_text: a text that grows in an arena. Internal to the module. */
#ifndef WALFERRY_TYPES_TYPES_TEXT_H
#define WALFERRY_TYPES_TYPES_TEXT_H

#include "base/arena.h"

struct types_text {
    struct arena *arena;
    char *ptr;
    size_t len;
    size_t size;
};

void text_add(struct types_text *text, struct span bytes);
void text_add_char(struct types_text *text, char c);
/* An element of an array, in quotes where array_out has them. */
void text_add_element(struct types_text *text, struct span element, char delimiter);
/* A bound of a range, in quotes where range_out has them. */
void text_add_bound(struct types_text *text, struct span bound);

#endif
