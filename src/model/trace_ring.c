/* model/trace_ring: see trace_ring.h. It knows no clock and no wire format. */
#include "model/trace_ring.h"

#include <assert.h>
#include <stdlib.h>

/* "00-" 32 hex digits "-" 16 hex digits "-" 2 hex digits. */
#define TRACEPARENT_LENGTH 55

static int digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex(const char *text, unsigned char *bytes, size_t count)
{
    bool any = false;
    for (size_t i = 0; i < count; i++) {
        int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
        if (high < 0 || low < 0)
            return false;
        bytes[i] = (unsigned char)(high << 4 | low);
        any |= bytes[i] != 0;
    }
    return any;
}

/* Version ff is invalid; one that is newer may have more behind, after a dash (section 4.3). */
bool trace_context_parse(struct span text, struct trace_context *context)
{
    assert(context != NULL);
    struct trace_context read = {.sampled = false};
    unsigned char version, flags;
    if (text.ptr == NULL || text.len < TRACEPARENT_LENGTH || text.ptr[2] != '-' ||
        text.ptr[35] != '-' || text.ptr[52] != '-')
        return false;
    bool newer = read_hex(text.ptr, &version, 1);
    if (newer ? version == 0xff : text.ptr[0] != '0' || text.ptr[1] != '0')
        return false;
    if (text.len > TRACEPARENT_LENGTH && (!newer || text.ptr[TRACEPARENT_LENGTH] != '-'))
        return false;
    if (!read_hex(text.ptr + 3, read.trace_id, sizeof read.trace_id) ||
        !read_hex(text.ptr + 36, read.parent_id, sizeof read.parent_id) ||
        digit(text.ptr[53]) < 0 || digit(text.ptr[54]) < 0)
        return false;
    (void)read_hex(text.ptr + 53, &flags, 1);
    read.sampled = (flags & 1) != 0;
    *context = read;
    return true;
}

void trace_ring_init(struct trace_ring *ring)
{
    assert(ring != NULL);
    *ring = (struct trace_ring){.spans = NULL};
    pthread_mutex_init(&ring->mutex, NULL);
}

void trace_ring_fini(struct trace_ring *ring)
{
    assert(ring != NULL);
    free(ring->spans);
    pthread_mutex_destroy(&ring->mutex);
}

void trace_ring_want(struct trace_ring *ring, int64_t one_in)
{
    assert(one_in >= 0);
    pthread_mutex_lock(&ring->mutex);
    if (one_in > 0 && ring->spans == NULL)
        ring->spans = calloc(TRACE_RING_SPANS, sizeof *ring->spans);
    if (one_in > 0 && ring->spans == NULL)
        abort();
    pthread_mutex_unlock(&ring->mutex);
    uint64_t threshold = one_in > 0 ? (UINT64_C(1) << 63) / (uint64_t)one_in : 0;
    atomic_store(&ring->threshold, threshold);
}

bool trace_ring_wants(const struct trace_ring *ring, const struct trace_context *context)
{
    assert(ring != NULL && context != NULL);
    uint64_t low = 0;
    for (size_t i = 8; i < 16; i++)
        low = low << 8 | context->trace_id[i];
    return context->sampled &&
           low >> 1 < atomic_load_explicit(&ring->threshold, memory_order_relaxed);
}

void trace_ring_put(struct trace_ring *ring, const struct trace_span *spans, uint32_t count)
{
    assert(ring != NULL && (spans != NULL || count == 0));
    pthread_mutex_lock(&ring->mutex);
    for (uint32_t i = 0; i < count; i++) {
        if (ring->spans == NULL || ring->count == TRACE_RING_SPANS) {
            ring->dropped += count - i;
            break;
        }
        ring->spans[(ring->first + ring->count) % TRACE_RING_SPANS] = spans[i];
        ring->count++;
    }
    pthread_mutex_unlock(&ring->mutex);
}

void trace_ring_lose(struct trace_ring *ring, uint64_t count)
{
    assert(ring != NULL);
    pthread_mutex_lock(&ring->mutex);
    ring->dropped += count;
    pthread_mutex_unlock(&ring->mutex);
}

uint32_t trace_ring_take(struct trace_ring *ring, struct trace_span *spans, uint32_t max,
                         uint64_t *dropped)
{
    assert(ring != NULL && spans != NULL && dropped != NULL);
    pthread_mutex_lock(&ring->mutex);
    uint32_t taken = ring->count < max ? ring->count : max;
    for (uint32_t i = 0; i < taken; i++)
        spans[i] = ring->spans[(ring->first + i) % TRACE_RING_SPANS];
    ring->first = (ring->first + taken) % TRACE_RING_SPANS;
    ring->count -= taken;
    *dropped = ring->dropped;
    ring->dropped = 0;
    pthread_mutex_unlock(&ring->mutex);
    return taken;
}
