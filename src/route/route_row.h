/* route/route_row: one row or message as a route sees it: fields by number. Internal to the module.
 *
 * A field is a name that a route mentions, in columns: or in a template. For a relation a slot says
 * which cell it is; a message's JSON members are put into cells in the order of the fields. So that
 * whatever comes after need not know which of the two it looks at. */
#ifndef WALFERRY_ROUTE_ROUTE_ROW_H
#define WALFERRY_ROUTE_ROUTE_ROW_H

#include "base/arena.h"
#include "base/error.h"
#include "config/config.h"
#include "model/change.h"

#include <stdint.h>

#define FIELD_NONE UINT32_MAX

struct field_list {
    uint32_t count;
    uint32_t size;
    struct span *names;
};

struct field_slot {
    uint32_t column;         /* index into the cells; FIELD_NONE: the relation has no such column */
    const struct type *type; /* of that column; never NULL where there is one */
};

/* Which columns of a relation are the key of its events, in their order. */
struct route_key {
    uint32_t count; /* 0: its events have none */
    const uint32_t *columns;
    bool given;          /* by the file: what identifies the row does not matter */
    struct span missing; /* a column that the file gives and the relation does not have; absent:
                            none is */
};

/* Which columns of the old and of the new row a jq program looks at. NULL: all. */
struct route_columns {
    const bool *before, *after;
};

struct route_row {
    const struct change *change;
    const struct relation *relation; /* NULL: of a message */
    const struct route_key *key;     /* NULL: of a message */
    const struct cell *cells;
    bool old; /* the cells are of an old row: of the replica identity alone they say what was */
    const struct field_slot *slots;
    const struct route_columns *columns; /* NULL: of a message, or of a table that is emptied */
    const struct field_list *fields;
    const char *route; /* its name, for messages */
};

/* The number of the name, added where it is new; the name is not copied. */
uint32_t field_list_add(struct field_list *fields, struct arena *arena, struct span name);

static inline const struct cell *route_row_cell(const struct route_row *row, uint32_t field)
{
    return &row->cells[row->slots[field].column];
}

/* "public.outbox" or "message outbox". Returns text. */
#define ROW_NAME_MAX 160
const char *route_row_name(const struct change *change, char text[ROW_NAME_MAX]);
/* "column" or "member". */
const char *route_row_noun(const struct change *change);

/* An old row has NULL where the server sends nothing, which must not be taken for a NULL.
 * ERROR_DATA "old_not_sent", with the ALTER TABLE. Asked before the cell is looked at. */
int route_row_check(const struct route_row *row, uint32_t field, struct error *err);
/* The hint: what makes the server send whole old rows of the table. Returns -1. */
int route_row_whole(const struct relation *relation, struct error *err);
/* The text of a field that is not NULL; errors name it. */
int route_row_text(const struct route_row *row, uint32_t field, struct arena *scratch,
                   struct span *text, struct error *err);
/* Puts "<noun> <field> of <row>: " before the error. Returns -1. */
int route_row_wrap(const struct route_row *row, uint32_t field, struct error *err);

#endif
