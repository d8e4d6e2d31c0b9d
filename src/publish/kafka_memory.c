/* publish/kafka_memory: see kafka_memory.h.
 *
 * Which topics there are, and how many partitions they have, is asked anew in each epoch, for all
 * of them in one request; remembered are their names and what costs a second question, their
 * configuration. That a topic is missing is never remembered: it may have been created.
 *
 * That a broker takes no record for a topic is told only when a transaction is condemned for it, so
 * that each such topic costs an epoch. They are remembered apart, so that nothing drives them out,
 * and forgotten together, a while after the newest: were each forgotten by itself, many would end
 * epochs for ever. A person may have lifted the denial by then. */
#include "publish/kafka_memory.h"

#include "base/clock.h"

#include <assert.h>
#include <stdlib.h>

/* A configuration may change; so may the set of topics that rows name. */
#define KEEP_US (5 * 60 * US_PER_S)
/* With so many all are forgotten: rows that name topics without end fill no memory. */
#define TOPICS_MAX 4096
#define DENIED_US (60 * US_PER_S)

struct kafka_memory *kafka_memory_open(void)
{
    struct kafka_memory *memory = calloc(1, sizeof *memory);
    if (memory == NULL)
        abort();
    arena_init(&memory->arena, 16 * 1024, 16 * 1024);
    table_init(&memory->topics, &memory->arena);
    arena_init(&memory->denied_arena, 1024, 16 * 1024);
    table_init(&memory->denied, &memory->denied_arena);
    return memory;
}

void kafka_memory_close(struct kafka_memory *memory)
{
    if (memory == NULL)
        return;
    arena_fini(&memory->arena);
    arena_fini(&memory->denied_arena);
    free(memory);
}

static void forget_topics(struct kafka_memory *memory)
{
    arena_reset(&memory->arena);
    table_init(&memory->topics, &memory->arena);
}

static void forget_denied(struct kafka_memory *memory)
{
    arena_reset(&memory->denied_arena);
    table_init(&memory->denied, &memory->denied_arena);
}

void kafka_memory_forget(struct kafka_memory *memory)
{
    assert(memory != NULL);
    forget_topics(memory);
    forget_denied(memory);
    memory->largest_bytes = 0;
    memory->lost = 0;
    memory->smallest_bytes = 0;
}

const struct kafka_known_topic *kafka_memory_find(const struct kafka_memory *memory,
                                                  struct span name, int64_t now_us)
{
    const struct kafka_known_topic *known = table_get(&memory->topics, name);
    return known != NULL && now_us - known->learnt_us < KEEP_US ? known : NULL;
}

void kafka_memory_keep(struct kafka_memory *memory, struct span name,
                       const struct kafka_topic_settings *settings, int64_t now_us)
{
    assert(name.len > 0 && settings->max_message_bytes > 0);
    struct kafka_known_topic *known = table_get(&memory->topics, name);
    if (known == NULL) {
        if (memory->topics.count >= TOPICS_MAX)
            forget_topics(memory);
        known = arena_alloc_zero(&memory->arena, sizeof *known);
        known->name = arena_text(&memory->arena, name);
        table_put(&memory->topics, name, known);
        assert(memory->topics.count <= TOPICS_MAX);
    }
    known->settings = *settings;
    known->learnt_us = now_us;
    known->plain = false;
}

void kafka_memory_keep_plain(struct kafka_memory *memory, struct span name)
{
    struct kafka_known_topic *known = table_get(&memory->topics, name);
    if (known != NULL) /* else forgotten with all others */
        known->plain = true;
}

bool kafka_memory_warn(struct kafka_memory *memory, struct span name)
{
    struct kafka_known_topic *known = table_get(&memory->topics, name);
    if (known == NULL || known->warned)
        return false;
    return known->warned = true;
}

void kafka_memory_doubt(struct kafka_memory *memory, struct span name)
{
    struct kafka_known_topic *known = table_get(&memory->topics, name);
    if (known != NULL)
        known->learnt_us -= KEEP_US;
}

const struct kafka_known_topic *kafka_memory_next(const struct kafka_memory *memory, size_t *cursor,
                                                  int64_t now_us)
{
    struct span name;
    void *value;
    while (table_next(&memory->topics, cursor, &name, &value)) {
        const struct kafka_known_topic *known = value;
        if (now_us - known->learnt_us < KEEP_US)
            return known;
    }
    return NULL;
}

size_t kafka_memory_largest(const struct kafka_memory *memory, int64_t now_us)
{
    return now_us - memory->largest_us < KEEP_US ? memory->largest_bytes : 0;
}

void kafka_memory_took(struct kafka_memory *memory, size_t bytes, int64_t now_us)
{
    assert(bytes >= KAFKA_LARGE_BYTES);
    if (bytes < kafka_memory_largest(memory, now_us))
        return;
    memory->largest_bytes = bytes;
    memory->largest_us = now_us;
}

static bool is_of(const struct kafka_memory *memory, const struct message *alone)
{
    if (alone == NULL)
        return change_id_is_none(memory->lost_of);
    return change_id_equal(memory->lost_of, alone->id) && memory->lost_route == alone->route;
}

void kafka_memory_keep_lost(struct kafka_memory *memory, unsigned lost, const struct message *alone)
{
    memory->lost = lost > 0 ? lost + kafka_memory_lost(memory, alone) : 0;
    memory->lost_of = alone != NULL ? alone->id : (struct change_id){0};
    memory->lost_route = alone != NULL ? alone->route : 0;
}

unsigned kafka_memory_lost(const struct kafka_memory *memory, const struct message *alone)
{
    return is_of(memory, alone) ? memory->lost : 0;
}

void kafka_memory_came_through(struct kafka_memory *memory, const struct message *message)
{
    if (change_id_is_none(memory->lost_of) || is_of(memory, message))
        memory->lost = 0;
}

void kafka_memory_keep_smallest(struct kafka_memory *memory, int bytes, int64_t now_us)
{
    assert(bytes > 0);
    memory->smallest_bytes = bytes;
    memory->smallest_us = now_us;
}

int kafka_memory_smallest(const struct kafka_memory *memory, int64_t now_us)
{
    return now_us - memory->smallest_us < KEEP_US ? memory->smallest_bytes : 0;
}

/* ---- What is denied ---- */

bool kafka_memory_is_denied(const struct kafka_memory *memory, struct span name, int64_t now_us)
{
    return memory->denied.count > 0 && now_us - memory->denied_us < DENIED_US &&
           table_get(&memory->denied, name) != NULL;
}

bool kafka_memory_deny(struct kafka_memory *memory, struct span name, int64_t now_us)
{
    assert(name.len > 0);
    if (now_us - memory->denied_us >= DENIED_US)
        forget_denied(memory);
    if (memory->denied.count >= TOPICS_MAX || table_get(&memory->denied, name) != NULL)
        return false;
    table_put(&memory->denied, name, memory);
    memory->denied_us = now_us;
    return true;
}
