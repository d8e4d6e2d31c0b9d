/* base/log_ring: see log_ring.h. */
#include "base/log_ring.h"

#include <assert.h>
#include <string.h>

void log_ring_init(struct log_ring *ring)
{
    assert(ring != NULL);
    memset(ring, 0, sizeof *ring);
    pthread_mutex_init(&ring->mutex, NULL);
}

void log_ring_fini(struct log_ring *ring)
{
    pthread_mutex_destroy(&ring->mutex);
}

static bool says_the_same(const struct log_kept *a, const struct log_kept *b)
{
    return strcmp(a->event, b->event) == 0 && strcmp(a->reason, b->reason) == 0 &&
           strcmp(a->text, b->text) == 0;
}

void log_ring_add(struct log_ring *ring, const struct log_kept *line, int64_t wall_us)
{
    assert(line->event[0] != '\0');
    pthread_mutex_lock(&ring->mutex);
    uint64_t last = (ring->count + LOG_RING_ENTRIES - 1) % LOG_RING_ENTRIES;
    struct log_kept *kept = &ring->kept[last];
    if (ring->count == 0 || !says_the_same(kept, line)) {
        kept = &ring->kept[ring->count++ % LOG_RING_ENTRIES];
        *kept = *line;
        kept->times = 0;
        kept->first_wall_us = wall_us;
    }
    kept->times++;
    kept->last_wall_us = wall_us;
    pthread_mutex_unlock(&ring->mutex);
}

uint32_t log_ring_copy(struct log_ring *ring, struct log_kept kept[LOG_RING_ENTRIES])
{
    assert(kept != NULL);
    pthread_mutex_lock(&ring->mutex);
    uint64_t count = ring->count < LOG_RING_ENTRIES ? ring->count : LOG_RING_ENTRIES;
    for (uint64_t i = 0; i < count; i++)
        kept[i] = ring->kept[(ring->count - 1 - i) % LOG_RING_ENTRIES];
    pthread_mutex_unlock(&ring->mutex);
    return (uint32_t)count;
}
