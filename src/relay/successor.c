/* relay/successor: a thread that follows the progress topic. An instance that has nothing to commit
 * does not notice that it is fenced, and would call itself ready for as long; the first record of
 * another one behind our claim tells. */
#include "relay/relay_internal.h"

#include "base/clock.h"
#include "relay/wake.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define FOLLOW_SLICE_MS 250
#define FOLLOW_RETRY_MS 5000
#define CLOSE_MAX_S 2

struct following {
    struct relay *relay;
    struct kafka_follower *follower;
    struct arena arena;
};

bool successor_known(struct relay *relay, struct error *err)
{
    pthread_mutex_lock(&relay->mutex);
    bool known = relay->successor.generation != 0;
    if (known)
        (void)relay_taken_over(relay->config->name.text, relay->successor.instance,
                               relay->successor.generation, err);
    pthread_mutex_unlock(&relay->mutex);
    return known;
}

/* Records behind our own claim that are another's. Before it they are our predecessors'. */
static void judge_record(struct following *f, const struct buf *json)
{
    struct relay *relay = f->relay;
    struct progress progress;
    struct error unreadable = ERROR_INIT;
    arena_reset(&f->arena);
    if (progress_decode(buf_span(json), &f->arena, &progress, &unreadable) < 0 ||
        strcmp(progress.instance, relay->instance) == 0)
        return;
    pthread_mutex_lock(&relay->mutex);
    bool news = relay->claimed_generation != 0 && progress.generation > relay->claimed_generation &&
                relay->successor.generation == 0;
    if (news) {
        relay->successor.generation = progress.generation;
        snprintf(relay->successor.instance, sizeof relay->successor.instance, "%s",
                 progress.instance);
        wake_raise(relay->successor_fd); /* under the mutex, as it is lowered */
    }
    pthread_mutex_unlock(&relay->mutex);
}

static void pause_for(const struct relay *relay, int ms)
{
    struct pollfd stop = {.fd = relay->stop_fd, .events = POLLIN};
    poll(&stop, 1, ms);
}

static void *close_main(void *argument)
{
    kafka_follow_close(argument);
    return NULL;
}

/* librdkafka never ends a simple consumer whose topic was deleted meanwhile: a broker thread waits
 * for a partition that nobody lets go. So closing has a thread of its own, which is left to itself
 * where it takes too long; the follower holds nothing that anybody else uses. */
static void close_follower(struct kafka_follower *follower)
{
    pthread_t closing;
    if (follower == NULL)
        return;
    if (pthread_create(&closing, NULL, close_main, follower) != 0) {
        kafka_follow_close(follower);
        return;
    }
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += CLOSE_MAX_S;
    if (pthread_timedjoin_np(closing, NULL, &until) != 0)
        pthread_detach(closing);
}

/* Follows once we have claimed: until then there is nobody to be succeeded. */
static bool follower_ready(struct following *f)
{
    struct relay *relay = f->relay;
    pthread_mutex_lock(&relay->mutex);
    bool claimed = relay->claimed_generation != 0;
    pthread_mutex_unlock(&relay->mutex);
    if (f->follower != NULL && (!claimed || configs_moved(relay, CONFIG_FOLLOWER))) {
        close_follower(f->follower);
        f->follower = NULL;
    }
    if (!claimed) {
        pause_for(relay, FOLLOW_SLICE_MS);
        return false;
    }
    if (f->follower != NULL)
        return true;
    const struct config_relay *config = configs_use(relay, CONFIG_FOLLOWER);
    struct kafka_options kafka = relay_kafka_options(config, NULL, &relay->stop);
    kafka.instance = relay->instance;
    struct error ignored = ERROR_INIT;
    if (kafka_follow_open(&kafka, &f->follower, &ignored) == 0)
        return true;
    f->follower = NULL;
    pause_for(relay, FOLLOW_RETRY_MS);
    return false;
}

void *successor_main(void *argument)
{
    struct following f = {.relay = argument};
    struct buf record = BUF_EMPTY;
    arena_init(&f.arena, 4096, 4096);
    while (!atomic_load(&f.relay->stop))
        if (follower_ready(&f) && kafka_follow_next(f.follower, FOLLOW_SLICE_MS, &record))
            judge_record(&f, &record);
    close_follower(f.follower);
    buf_fini(&record);
    arena_fini(&f.arena);
    return NULL;
}
