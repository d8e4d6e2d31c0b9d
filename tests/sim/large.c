/* sim/large: see the header. */
#include "large.h"

#include "model/header_name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEAST_BYTES 400

void large_payload(uint32_t event, struct buf *payload)
{
    struct random random = random_seeded(event + 1);
    buf_add_format(payload, "{\"n\":%u,\"t\":\"", event);
    for (size_t left = LEAST_BYTES + random_below(&random, 400); left > 0; left--)
        buf_add_char(payload, (char)('a' + left % 26));
    buf_add_text(payload, "\"}");
}

size_t large_bytes(uint32_t event)
{
    struct buf payload = BUF_EMPTY;
    large_payload(event, &payload);
    size_t bytes = payload.len;
    buf_fini(&payload);
    return bytes;
}

static uint32_t event_of(struct span value)
{
    unsigned event = 0;
    char text[32];
    snprintf(text, sizeof text, "%.*s", (int)value.len, value.ptr);
    return sscanf(text, "{\"n\":%u", &event) == 1 ? event : 0;
}

/* ---- The table ---- */

static void commit(struct claims *c, const struct claim_receipt *receipt, uint32_t event)
{
    c->rows = realloc(c->rows, (c->count + 1) * sizeof *c->rows);
    if (c->rows == NULL)
        abort();
    c->rows[c->count++] = (struct claim_row){*receipt, event};
}

static int lost(struct claims *c, struct error *err)
{
    c->asking = span_null();
    return error_retry(err, REASON_DATABASE, "the session of claims is lost");
}

static bool fault(struct claims *c, uint32_t one_in)
{
    return *c->faults && random_once_in(c->random, one_in);
}

/* Every second id is taken by other bytes, so that the row has another one. */
static enum step put(struct claim_store *base, struct span id, struct span payload,
                     const char *keep, int64_t now_us, struct claim_receipt *receipt,
                     struct error *err)
{
    struct claims *c = (struct claims *)base;
    (void)keep, (void)now_us;
    if (c->asking.ptr != payload.ptr) {
        c->asking = payload;
        c->waits = random_below(c->random, 4);
    }
    if (fault(c, 20))
        return lost(c, err);
    if (c->waits > 0) {
        c->waits--;
        return STEP_WAIT;
    }
    *receipt = (struct claim_receipt){.sha256 = "5e"};
    snprintf(receipt->id, sizeof receipt->id, "%.*s%s", SPAN_ARG(id),
             event_of(payload) % 2 == 0 ? ":5e" : "");
    commit(c, receipt, event_of(payload));
    if (fault(c, 20))
        return lost(c, err);
    c->asking = span_null();
    return STEP_DONE;
}

static void close_nothing(struct claim_store *base)
{
    (void)base;
}

void claims_init(struct claims *c, struct random *random, const bool *faults)
{
    static const struct claim_store_ops ops = {.put = put, .close = close_nothing};
    *c = (struct claims){.base = {.ops = &ops}, .random = random, .faults = faults};
}

void claims_fini(struct claims *c)
{
    free(c->rows);
}

/* ---- Messages ---- */

static uint32_t claimed(const struct claims *c, struct span id)
{
    for (uint32_t i = 0; i < c->count; i++)
        if (span_equal_text(id, c->rows[i].receipt.id))
            return c->rows[i].event;
    return 0;
}

const char *large_read(const struct claims *c, const struct message *message, enum large_as *as,
                       uint32_t *event)
{
    *as = LARGE_WHOLE;
    *event = event_of(message->value);
    for (uint32_t i = 0; i < message->header_count; i++) {
        const struct header *header = &message->headers[i];
        if (span_equal_text(header->name, HEADER_CLAIM)) {
            *as = LARGE_REFERRED;
            *event = claimed(c, header->value);
            if (*event == 0)
                return "an event refers to a row that is not committed";
        } else if (span_equal_text(header->name, HEADER_TRUNCATED)) {
            char wanted[32];
            *as = LARGE_CUT;
            snprintf(wanted, sizeof wanted, "t %zu", large_bytes(*event));
            if (!span_equal_text(header->value, wanted))
                return "an event that was cut does not say of how many bytes";
        }
    }
    return NULL;
}
