/* decode_key: which columns of a relation are its key, told from what the stream said of it then
 * and what the catalogue says of it now. Internal to the module.
 *
 * Between the two the table may have been altered: columns have other names, are gone, or are new.
 * A column keeps its number for ever, and the stream sends columns in the order of their numbers,
 * but not the numbers. */
#ifndef WALFERRY_DECODE_DECODE_KEY_H
#define WALFERRY_DECODE_DECODE_KEY_H

#include "decode/decode.h"

/* A table has at most so many columns, dropped ones included. */
#define KEY_COLUMNS_MAX 1600
#define KEY_COLUMN_NONE UINT16_MAX

/* For each column of the relation its place in facts->columns; NONE: it is gone, or cannot be told
 * from another one. */
struct key_alignment {
    uint16_t fact_of[KEY_COLUMNS_MAX];
};

void key_align(const struct relation *relation, const struct relation_facts *facts,
               struct key_alignment *alignment);
/* Puts the key's columns into `columns`, which has room for all, in the order of the index. Returns
 * their number, 0: nothing identifies a row; -1: nobody can tell which they were. */
int key_find(const struct relation *relation, const struct relation_facts *facts,
             const struct key_alignment *alignment, uint32_t *columns);

#endif
