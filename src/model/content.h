/* model/content: what the key or the value of an event is made of, before an encoder makes bytes of
 * it.
 *
 * A route says what an event is about and never how that is written; an encoder says how and never
 * asks which route it was. Keys and values are made of the same three things. Contents point into
 * the change, the scratch arena or the router, as the event that holds them does. */
#ifndef WALFERRY_MODEL_CONTENT_H
#define WALFERRY_MODEL_CONTENT_H

#include "model/change.h"

enum content_kind {
    CONTENT_CELL,  /* one value of the database; a NULL gives no key, or a tombstone */
    CONTENT_ROW,   /* columns of a row */
    CONTENT_JSON,  /* one JSON text, ready as it stands */
    CONTENT_CHANGE /* what happened to a row, or a message, with where and when */
};

struct content_cell {
    struct cell value;
    const struct type *type; /* of its column; NULL: none, it is text */
};

struct content_row {
    const struct relation *relation; /* says what the cells are */
    const struct row *cells;         /* as many as the relation has columns */
    uint32_t count;                  /* of columns; not where columns is NULL */
    const uint32_t *columns;         /* which of them, in this order; NULL: all */
    bool in_header;                  /* it is the value of a header */
};

/* A change of the key is three events of one change, so an event says what it is itself. */
struct content_change {
    const struct change *change;     /* where and when */
    enum change_op op;               /* INSERT, UPDATE, DELETE, TRUNCATE, READ or MESSAGE */
    const struct relation *relation; /* NULL: of MESSAGE */
    const struct row *before;        /* count 0: there is none */
    const struct row *after;
    struct span made; /* JSON that stands for the new row; absent: it is `after` */
    /* Among the events of its transaction, and among those of its table there; from 1. 0: nobody
     * counts. */
    uint64_t total_order, collection_order;
};

struct content {
    enum content_kind kind;
    union {
        struct content_cell cell;
        struct content_row row;
        struct content_change change;
        struct span json;
    };
};

static inline void content_set_cell(struct content *content, const struct cell *cell,
                                    const struct type *type)
{
    content->kind = CONTENT_CELL;
    content->cell.value = *cell;
    content->cell.type = type;
}

/* An absent span is a NULL. */
static inline void content_set_text(struct content *content, struct span text)
{
    content->kind = CONTENT_CELL;
    content->cell.value.kind = text.ptr == NULL ? CELL_NULL : CELL_TEXT;
    content->cell.value.bytes = text;
    content->cell.type = NULL;
}

#endif
