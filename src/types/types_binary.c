/* types_binary: what may be in the bytes of a cell, and how it is told when it is not. See
 * types_internal.h. It renders nothing. */
#include "types/types_internal.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

/* A value in a message: as much as helps, and nothing that breaks a line. */
#define QUOTE_MAX 48
static const char *quote(struct span text, char out[QUOTE_MAX + 4])
{
    size_t len = text.len < QUOTE_MAX ? text.len : QUOTE_MAX;
    for (size_t i = 0; i < len; i++)
        out[i] = text.ptr[i] >= ' ' && text.ptr[i] < 0x7F ? text.ptr[i] : '?';
    snprintf(out + len, 4, "%s", text.len > len ? "..." : "");
    return out;
}

int types_bad_text(struct span text, const char *what, struct error *err)
{
    char shown[QUOTE_MAX + 4];
    return error_data(err, REASON_BAD_VALUE, "\"%s\" is not %s", quote(text, shown), what);
}

int types_check_binary(struct span bytes, const struct type *base, struct error *err)
{
    assert(base == base->base);
    if (base->text_form == TEXT_FORM_NONE)
        return error_data(err, REASON_BAD_VALUE,
                          "the binary form of type oid %" PRIu32 " is not known", base->oid);
    if (base->binary_len >= 0 && (size_t)base->binary_len != bytes.len)
        return error_data(err, REASON_BAD_VALUE, "a binary %.*s of %zu bytes instead of %" PRId32,
                          SPAN_ARG(base->sql), bytes.len, base->binary_len);
    return 0;
}

int64_t types_binary_int(struct span bytes)
{
    assert(bytes.len >= 1 && bytes.len <= 8);
    uint64_t value = ((unsigned char)bytes.ptr[0] & 0x80) != 0 ? UINT64_MAX : 0;
    for (size_t i = 0; i < bytes.len; i++)
        value = value << 8 | (unsigned char)bytes.ptr[i];
    return (int64_t)value;
}
