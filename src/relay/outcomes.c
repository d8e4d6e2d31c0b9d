/* relay/outcomes: see outcomes.h. A list under a mutex, which is taken once a command and once a
 * commit; where no command was sent it is empty. */
#include "relay/outcomes.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A command may have 64 kB. */
#define ANSWER_LOGGED_MAX 1000

void outcomes_init(struct outcomes *o)
{
    *o = (struct outcomes){.items = NULL};
    pthread_mutex_init(&o->mutex, NULL);
}

void outcomes_fini(struct outcomes *o)
{
    for (uint32_t i = 0; i < o->count; i++)
        free(o->items[i].json);
    free(o->items);
    pthread_mutex_destroy(&o->mutex);
}

static void grow(struct outcomes *o)
{
    if (o->count < o->size)
        return;
    o->size = o->size > 0 ? o->size * 2 : 16;
    o->items = realloc(o->items, o->size * sizeof *o->items);
    if (o->items == NULL)
        abort();
}

void outcomes_add(struct outcomes *o, uint64_t id, bool done, struct position position,
                  struct span json)
{
    assert(o != NULL && json.ptr != NULL);
    pthread_mutex_lock(&o->mutex);
    if (o->count < OUTCOMES_MAX) {
        grow(o);
        char *text = strndup(json.ptr, json.len);
        if (text == NULL)
            abort();
        o->items[o->count++] = (struct outcome){id, done, position, text};
    }
    pthread_mutex_unlock(&o->mutex);
}

static void tell(const struct outcome *outcome, struct metrics *metrics, const struct log *log)
{
    char id[24], answer[ANSWER_LOGGED_MAX];
    snprintf(answer, sizeof answer, "%s", outcome->json);
    snprintf(id, sizeof id, "%" PRIu64, outcome->id);
    metrics_add(metrics, outcome->done ? METRIC_COMMANDS_DONE : METRIC_COMMANDS_FAILED, 1);
    log_event(log, outcome->done ? LOG_INFO : LOG_WARN, "command.answered", "#id", id, "state",
              outcome->done ? "done" : "failed", "answer", answer, NULL);
}

void outcomes_commit(struct outcomes *o, struct position committed, struct metrics *metrics,
                     const struct log *log)
{
    assert(o != NULL);
    pthread_mutex_lock(&o->mutex);
    while (o->committed < o->count &&
           position_compare(o->items[o->committed].position, committed) <= 0)
        tell(&o->items[o->committed++], metrics, log);
    pthread_mutex_unlock(&o->mutex);
}

void outcomes_forget(struct outcomes *o)
{
    assert(o != NULL);
    pthread_mutex_lock(&o->mutex);
    while (o->count > o->committed)
        free(o->items[--o->count].json);
    pthread_mutex_unlock(&o->mutex);
}

bool outcomes_take(struct outcomes *o, struct outcome *outcome)
{
    assert(o != NULL && outcome != NULL);
    pthread_mutex_lock(&o->mutex);
    bool some = o->committed > 0;
    if (some) {
        *outcome = o->items[0];
        o->count--;
        o->committed--;
        memmove(o->items, o->items + 1, o->count * sizeof *o->items);
    }
    pthread_mutex_unlock(&o->mutex);
    return some;
}
