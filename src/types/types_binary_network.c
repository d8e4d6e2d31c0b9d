/* types_binary_network: the binary forms of addresses as the text that PostgreSQL prints
 * (inet_send, macaddr_send; pg_inet_net_ntop in src/port/inet_net_ntop.c). */
#include "types/types_internal.h"

#include <assert.h>
#include <stdio.h>

enum { FAMILY_4 = 2, FAMILY_6 = 3, HEADER_BYTES = 4 };

static int put_address_4(char *out, size_t size, const unsigned char *address)
{
    return snprintf(out, size, "%u.%u.%u.%u", address[0], address[1], address[2], address[3]);
}

struct run {
    int from;
    int count;
};

/* The first of the longest runs of two or more zero words is "::". */
static struct run longest_run(const unsigned words[8])
{
    struct run best = {-1, 1}, now = {-1, 0};
    for (int i = 0; i < 8; i++) {
        now = words[i] != 0 ? (struct run){-1, 0}
                            : (struct run){now.count == 0 ? i : now.from, now.count + 1};
        if (now.count > best.count)
            best = now;
    }
    return best;
}

static int put_address_6(char *out, size_t size, const unsigned char *address)
{
    unsigned words[8];
    for (int i = 0; i < 8; i++)
        words[i] = (unsigned)address[2 * i] << 8 | address[2 * i + 1];
    struct run run = longest_run(words);
    int len = 0;
    for (int i = 0; i < 8; i++) {
        if (run.from >= 0 && i >= run.from && i < run.from + run.count) {
            len += i == run.from ? snprintf(out + len, size - (size_t)len, ":") : 0;
            continue;
        }
        len += i > 0 ? snprintf(out + len, size - (size_t)len, ":") : 0;
        /* IPv4 in IPv6 keeps its dots. */
        if (i == 6 && run.from == 0 &&
            (run.count == 6 || (run.count == 7 && words[7] != 1) ||
             (run.count == 5 && words[5] == 0xFFFF)))
            return len + put_address_4(out + len, size - (size_t)len, address + 12);
        len += snprintf(out + len, size - (size_t)len, "%x", words[i]);
    }
    if (run.from >= 0 && run.from + run.count == 8)
        len += snprintf(out + len, size - (size_t)len, ":");
    return len;
}

/* family, bits of the mask, is it a cidr, length, address. A cidr says its mask always, an inet
 * where it is not of one address. */
int types_binary_inet(struct span bytes, struct arena *arena, struct span *text, struct error *err)
{
    assert(arena != NULL && text != NULL);
    const unsigned char *b = (const unsigned char *)bytes.ptr;
    size_t len = bytes.len >= HEADER_BYTES && b[0] == FAMILY_4   ? 4
                 : bytes.len >= HEADER_BYTES && b[0] == FAMILY_6 ? 16
                                                                 : 0;
    if (len == 0 || b[3] != len || bytes.len != HEADER_BYTES + len || b[1] > len * 8)
        return error_data(err, REASON_BAD_VALUE, "a binary inet of %zu bytes", bytes.len);
    char out[64];
    int used = b[0] == FAMILY_4 ? put_address_4(out, sizeof out, b + HEADER_BYTES)
                                : put_address_6(out, sizeof out, b + HEADER_BYTES);
    if (b[2] != 0 || b[1] != len * 8)
        snprintf(out + used, sizeof out - (size_t)used, "/%u", b[1]);
    *text = arena_copy(arena, span_of(out));
    return 0;
}

struct span types_binary_macaddr(struct span bytes, struct arena *arena)
{
    assert(arena != NULL && bytes.len > 0);
    char *out = arena_alloc_bytes(arena, 3 * bytes.len);
    char *at = out;
    for (size_t i = 0; i < bytes.len; i++) {
        at = types_put_hex(at, bytes.ptr + i, 1);
        *at++ = ':';
    }
    return (struct span){out, 3 * bytes.len - 1};
}
