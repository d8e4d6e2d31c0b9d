/* change_dump: see the header. Bytes that are not printable ASCII, quotes and backslashes become
 * \xNN, so a dump is a text file whatever the rows hold. */
#include "change_dump.h"

#include "types/types.h"

#include <inttypes.h>

static void dump_bytes(struct buf *out, struct span bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        unsigned char c = (unsigned char)bytes.ptr[i];

        if (c >= 0x20 && c < 0x7f && c != '\'' && c != '\\')
            buf_add_char(out, (char)c);
        else
            buf_add_format(out, "\\x%02x", c);
    }
}

/* What is known of a type that is not PostgreSQL's own. */
static void dump_type(struct buf *out, const struct type *type)
{
    if (type == NULL || type == types_builtin(type->oid) || type->base->name.len == 0)
        return;
    buf_add_text(out, type->base == type ? ":" : ":over ");
    dump_bytes(out, type->base->schema);
    buf_add_char(out, '.');
    dump_bytes(out, type->base->name);
}

void dump_relation(struct buf *out, const struct relation *relation)
{
    buf_add_text(out, "relation ");
    dump_bytes(out, relation->schema);
    buf_add_char(out, '.');
    dump_bytes(out, relation->name);
    buf_add_format(out, " oid=%" PRIu32 " identity=%c version=%" PRIu64 " columns=(", relation->oid,
                   relation->identity, relation->version);
    for (uint32_t i = 0; i < relation->column_count; i++) {
        const struct column *column = &relation->columns[i];

        buf_add_text(out, i == 0 ? "" : ", ");
        buf_add_text(out, column->key ? "*" : "");
        dump_bytes(out, column->name);
        buf_add_format(out, ":%" PRIu32 ":%" PRId32, column->type_oid, column->type_modifier);
        dump_type(out, column->type);
    }
    buf_add_text(out, ")\n");
}

static void dump_cell(struct buf *out, const struct cell *cell)
{
    switch (cell->kind) {
    case CELL_NULL:
        buf_add_text(out, "null");
        return;
    case CELL_UNCHANGED:
        buf_add_text(out, "unchanged");
        return;
    case CELL_TEXT:
        buf_add_text(out, "t'");
        break;
    case CELL_BINARY:
        buf_add_text(out, "b'");
        break;
    case CELL_BYTES:
        buf_add_text(out, "bytes'");
        break;
    }
    dump_bytes(out, cell->bytes);
    buf_add_char(out, '\'');
}

static void dump_row(struct buf *out, const char *name, const struct row *row)
{
    if (row->count == 0)
        return;
    buf_add_format(out, " %s=(", name);
    for (uint32_t i = 0; i < row->count; i++) {
        buf_add_text(out, i == 0 ? "" : ", ");
        dump_cell(out, &row->cells[i]);
    }
    buf_add_char(out, ')');
}

static void dump_name(struct buf *out, const struct relation *relation)
{
    buf_add_char(out, ' ');
    dump_bytes(out, relation->schema);
    buf_add_char(out, '.');
    dump_bytes(out, relation->name);
    buf_add_format(out, "@%" PRIu64, relation->version);
}

static const char *op_name(enum change_op op)
{
    static const char *const names[] = {"BEGIN",   "INSERT", "UPDATE", "DELETE", "TRUNCATE",
                                        "MESSAGE", "READ",   "COMMIT", "MARK"};

    return names[op];
}

static void dump_message(struct buf *out, const struct change *change)
{
    buf_add_text(out, change->message.transactional ? " transactional" : " immediate");
    buf_add_text(out, " prefix='");
    dump_bytes(out, change->message.prefix);
    buf_add_text(out, "' content='");
    dump_bytes(out, change->message.content);
    buf_add_char(out, '\'');
}

void dump_change(struct buf *out, const struct change *change)
{
    char position[LSN_TEXT_MAX], final_lsn[LSN_TEXT_MAX];

    buf_add_format(out, "%s position=%s+%" PRIu64, op_name(change->op),
                   lsn_format(change->position.lsn, position), change->position.seq);
    buf_add_format(out, " ordinal=%" PRIu64 " final=%s xid=%" PRIu32 " time=%" PRId64,
                   change->id.ordinal, lsn_format(change->id.final_lsn, final_lsn), change->xid,
                   change->commit_time_us);
    if (change->origin.ptr != NULL) {
        buf_add_text(out, " origin='");
        dump_bytes(out, change->origin);
        buf_add_format(out, "'/%s", lsn_format(change->origin_lsn, position));
    }
    if (change->op == CHANGE_TRUNCATE) {
        for (uint32_t i = 0; i < change->truncate.count; i++)
            dump_name(out, change->truncate.relations[i]);
        buf_add_text(out, change->truncate.cascade ? " cascade" : "");
        buf_add_text(out, change->truncate.restart_identity ? " restart_identity" : "");
    } else if (change->relation != NULL) {
        dump_name(out, change->relation);
    }
    dump_row(out, "before", &change->before);
    dump_row(out, "after", &change->after);
    if (change->op == CHANGE_MESSAGE)
        dump_message(out, change);
    buf_add_text(out, change->urgent ? " urgent\n" : "\n");
}
