/* decode_fuzz: arbitrary bytes as pgoutput messages (libFuzzer). Input is a .frames file of
 * tests/golden: 8 bytes passed over, then CopyData payloads behind their Int32 length, of which the
 * 25 bytes of the XLogData header are passed over, too. Each message lies alone on the heap, so
 * that ASan sees one byte too far; what comes out must point into it. */
#include "decode/decode.h"
#include "types/types.h"

#include <stdint.h>
#include <stdlib.h>

#define START_BYTES 8
#define LENGTH_BYTES 4
#define HEADER_BYTES 25

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool condition)
{
    if (!condition)
        abort();
}

static void check_span(struct span message, struct span part)
{
    if (part.ptr == NULL || part.len == 0)
        return;
    must(part.ptr >= message.ptr && part.len <= message.len);
    must((size_t)(part.ptr - message.ptr) <= message.len - part.len);
}

/* A description's types are whole, whatever Type messages came before it. */
static void check_types(const struct relation *relation)
{
    for (uint32_t i = 0; i < relation->column_count; i++) {
        const struct type *type = relation->columns[i].type;

        must(type != NULL && type->oid == relation->columns[i].type_oid);
        must(type->base->base == type->base && type->base->kind != TYPE_KIND_DOMAIN);
        must((type->kind == TYPE_KIND_DOMAIN) == (type->base != type));
        for (size_t at = 0; at < type->name.len; at++)
            must(type->name.ptr[at] != '\0');
    }
}

static void check_row(struct span message, const struct relation *relation, const struct row *row)
{
    must(row->count == 0 || row->count == relation->column_count);
    for (uint32_t i = 0; i < row->count; i++)
        check_span(message, row->cells[i].bytes);
}

static void check_change(struct span message, const struct change *change)
{
    if (change->relation != NULL)
        check_types(change->relation);
    check_row(message, change->relation, &change->before);
    check_row(message, change->relation, &change->after);
    check_span(message, change->message.prefix);
    check_span(message, change->message.content);
    for (uint32_t i = 0; i < change->truncate.count; i++)
        must(change->truncate.relations[i]->version > 0);
}

static int decode_one(struct decoder *decoder, const uint8_t *bytes, size_t len)
{
    struct change change;
    struct error err = ERROR_INIT;
    char *exact = malloc(len > 0 ? len : 1);

    must(exact != NULL);
    if (len > 0)
        memcpy(exact, bytes, len);
    struct span message = {exact, len};
    int result = decoder_next(decoder, message, &change, &err);

    if (result == 1)
        check_change(message, &change);
    must((result < 0) == (err.kind == ERROR_STOP));
    free(exact);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena epoch;

    arena_init(&epoch, 1024, 1024);
    struct decoder *decoder = decoder_open(&epoch, NULL);

    for (size_t at = START_BYTES; size >= LENGTH_BYTES && at <= size - LENGTH_BYTES;) {
        size_t len = (size_t)data[at] << 24 | (size_t)data[at + 1] << 16 |
                     (size_t)data[at + 2] << 8 | data[at + 3];

        at += LENGTH_BYTES;
        if (len > size - at)
            len = size - at;
        if (len >= HEADER_BYTES && data[at] != 'k' &&
            decode_one(decoder, data + at + HEADER_BYTES, len - HEADER_BYTES) < 0)
            break;
        at += len;
    }
    decoder_close(decoder);
    arena_fini(&epoch);
    return 0;
}
