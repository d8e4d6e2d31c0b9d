/* encode/encode_raw: the payload byte for byte, a bytea as its bytes, SQL NULL as a tombstone. The
 * value is the only thing in the pipeline that may be large, so it is written exactly once: decoded
 * into the batch's arena, or copied there. It does not look into the payload. */
#include "encode/encode_raw.h"

#include "types/types.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>

/* Does the span lie within the cell that it was made from (and not in the arena)? */
static bool lies_in(struct span bytes, struct span cell)
{
    uintptr_t at = (uintptr_t)bytes.ptr, first = (uintptr_t)cell.ptr;
    return at >= first && at <= first + cell.len;
}

static bool is_literal(const struct cell *cell, uint32_t type_oid)
{
    return cell->kind == CELL_BINARY && type_oid != TYPE_BYTEA;
}

static int raw_encode(struct encoder *e, const struct event *event, struct arena *arena,
                      struct message *message, struct error *err)
{
    assert(e != NULL);
    const struct cell *payload = &event->payload;
    if (payload->kind == CELL_UNCHANGED)
        return error_data(
            err, REASON_VALUE_UNCHANGED,
            "the payload was not sent by the server, because the change left it as it "
            "was");
    struct span value;
    if (types_raw(payload, event->payload_type_oid, arena, &value, err) < 0)
        return error_wrap(err, "payload");
    /* The text of a binary cell may be a constant of types/. */
    if (value.ptr != NULL &&
        (lies_in(value, payload->bytes) || is_literal(payload, event->payload_type_oid)))
        value = arena_copy(arena, value);
    message->value = value;
    return 0;
}

static void raw_close(struct encoder *e)
{
    free(e);
}

struct encoder *encoder_raw(void)
{
    static const struct encoder_ops ops = {.name = "raw", .encode = raw_encode, .close = raw_close};
    struct encoder *encoder = malloc(sizeof *encoder);
    if (encoder == NULL)
        abort();
    encoder->ops = &ops;
    return encoder;
}
