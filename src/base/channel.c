/* base/channel: one mutex, a ring, and an eventfd that is written when the queue stops being empty
 * and drained when it becomes empty again. It never waits: whoever takes polls the descriptor. */
#include "base/channel.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct channel {
    pthread_mutex_t mutex;
    void **items;
    size_t capacity;
    size_t head;
    size_t count;
    int fd;
    bool finished;
    struct error error;
};

int channel_open(size_t capacity, struct channel **channel, struct error *err)
{
    assert(capacity >= 1 && capacity <= 4096);
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (fd < 0)
        return error_retry(err, REASON_NO_EVENTFD, "cannot make an eventfd: %s", strerror(errno));
    struct channel *made = calloc(1, sizeof *made);
    void **items = calloc(capacity, sizeof *items);
    if (made == NULL || items == NULL)
        abort();
    made->items = items;
    made->capacity = capacity;
    made->fd = fd;
    pthread_mutex_init(&made->mutex, NULL);
    *channel = made;
    return 0;
}

void channel_close_free(struct channel *channel)
{
    if (channel == NULL)
        return;
    close(channel->fd);
    pthread_mutex_destroy(&channel->mutex);
    free(channel->items);
    free(channel);
}

int channel_fd(const struct channel *channel)
{
    return channel->fd;
}

static void raise_fd(struct channel *channel)
{
    uint64_t one = 1;
    ssize_t done = write(channel->fd, &one, sizeof one);
    assert(done == (ssize_t)sizeof one);
    (void)done;
}

static void lower_fd(struct channel *channel)
{
    uint64_t value;
    ssize_t done = read(channel->fd, &value, sizeof value);
    (void)done; /* EAGAIN: it was not raised */
}

void channel_send(struct channel *channel, void *item)
{
    assert(item != NULL);
    pthread_mutex_lock(&channel->mutex);
    assert(channel->count < channel->capacity);
    assert(!channel->finished);
    channel->items[(channel->head + channel->count) % channel->capacity] = item;
    channel->count++;
    if (channel->count == 1)
        raise_fd(channel);
    pthread_mutex_unlock(&channel->mutex);
}

void *channel_take(struct channel *channel)
{
    pthread_mutex_lock(&channel->mutex);
    void *item = NULL;
    if (channel->count > 0) {
        item = channel->items[channel->head];
        channel->head = (channel->head + 1) % channel->capacity;
        channel->count--;
        if (channel->count == 0 && !channel->finished)
            lower_fd(channel);
    }
    pthread_mutex_unlock(&channel->mutex);
    return item;
}

size_t channel_count(struct channel *channel)
{
    pthread_mutex_lock(&channel->mutex);
    size_t count = channel->count;
    pthread_mutex_unlock(&channel->mutex);
    return count;
}

void channel_finish(struct channel *channel, const struct error *err)
{
    pthread_mutex_lock(&channel->mutex);
    if (!channel->finished) {
        channel->finished = true;
        channel->error = err != NULL ? *err : ERROR_INIT;
        raise_fd(channel);
    }
    pthread_mutex_unlock(&channel->mutex);
}

bool channel_finished(struct channel *channel, struct error *err)
{
    pthread_mutex_lock(&channel->mutex);
    bool done = channel->finished && channel->count == 0;
    if (done && err != NULL)
        *err = channel->error;
    pthread_mutex_unlock(&channel->mutex);
    return done;
}
