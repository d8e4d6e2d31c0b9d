/* route/route_row: see route_row.h. It renders what the types know how to; what a field is for
 * is known by the kind of the route. */
#include "route/route_row.h"

#include "pg/pg.h"
#include "types/types.h"

#include <assert.h>
#include <stdio.h>

uint32_t field_list_add(struct field_list *fields, struct arena *arena, struct span name)
{
    assert(name.ptr != NULL);
    for (uint32_t i = 0; i < fields->count; i++)
        if (span_equal(fields->names[i], name))
            return i;
    if (fields->count == fields->size) {
        uint32_t size = fields->size == 0 ? 8 : fields->size * 2;
        struct span *names = arena_alloc(arena, size * sizeof *names);
        if (fields->count > 0)
            memcpy(names, fields->names, fields->count * sizeof *names);
        fields->names = names;
        fields->size = size;
    }
    fields->names[fields->count] = name;
    return fields->count++;
}

const char *route_row_name(const struct change *change, char text[ROW_NAME_MAX])
{
    if (change->op == CHANGE_MESSAGE)
        snprintf(text, ROW_NAME_MAX, "message %.*s", SPAN_ARG(change->message.prefix));
    else
        snprintf(text, ROW_NAME_MAX, "%.*s.%.*s", SPAN_ARG(change->relation->schema),
                 SPAN_ARG(change->relation->name));
    return text;
}

const char *route_row_noun(const struct change *change)
{
    return change->op == CHANGE_MESSAGE ? "member" : "column";
}

int route_row_wrap(const struct route_row *row, uint32_t field, struct error *err)
{
    assert(field < row->fields->count);
    char name[ROW_NAME_MAX];
    return error_wrap(err, "%s %.*s of %s", route_row_noun(row->change),
                      SPAN_ARG(row->fields->names[field]), route_row_name(row->change, name));
}

int route_row_whole(const struct relation *relation, struct error *err)
{
    struct buf table = BUF_EMPTY;
    pg_quote_identifier(&table, relation->schema);
    buf_add_char(&table, '.');
    pg_quote_identifier(&table, relation->name);
    error_hint(err,
               "ALTER TABLE %s REPLICA IDENTITY FULL lets the server send it of what changes "
               "from then on",
               buf_text(&table));
    buf_fini(&table);
    return -1;
}

int route_row_check(const struct route_row *row, uint32_t field, struct error *err)
{
    uint32_t column = row->slots[field].column;
    if (!row->old || relation_tells_old(row->relation, column))
        return 0;
    char name[ROW_NAME_MAX];
    error_data(err, REASON_OLD_NOT_SENT,
               "column %.*s of %s is needed by route %s of an old row, and the server does not "
               "send it: it is not in the replica identity",
               SPAN_ARG(row->relation->columns[column].name), route_row_name(row->change, name),
               row->route);
    return route_row_whole(row->relation, err);
}

/* Not inline: what is rare must not cost the texts a frame. */
__attribute__((noinline)) static int render(const struct route_row *row, uint32_t field,
                                            struct arena *scratch, struct span *text,
                                            struct error *err)
{
    const struct cell *cell = route_row_cell(row, field);
    struct rendering made;
    if (cell->kind == CELL_UNCHANGED)
        error_data(err, REASON_VALUE_UNCHANGED, "the server did not send the value");
    else if (types_render_text(cell, row->slots[field].type, scratch, &made, err) == 0) {
        *text = made.bytes; /* which live as long as the change, whosever they are */
        return 0;
    }
    return route_row_wrap(row, field, err);
}

int route_row_text(const struct route_row *row, uint32_t field, struct arena *scratch,
                   struct span *text, struct error *err)
{
    const struct cell *cell = route_row_cell(row, field);
    assert(cell->kind != CELL_NULL);
    if (cell->kind != CELL_TEXT)
        return render(row, field, scratch, text, err);
    *text = cell->bytes;
    return 0;
}
