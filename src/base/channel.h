/* base/channel: a bounded queue of pointers from one thread to another.
 *
 * The consumer sleeps in poll(2) on channel_fd(), which is readable while the queue is not empty or
 * the channel is closed. Sending never blocks: the capacity is the number of things in circulation,
 * so a full queue is a bug (asserted). Closing carries an error from the sender to the receiver;
 * what was sent before the close can still be taken. */
#ifndef WALFERRY_BASE_CHANNEL_H
#define WALFERRY_BASE_CHANNEL_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

struct channel;

/* capacity: 1 to 4096. Fails with ERROR_RETRY where no eventfd can be had. */
int channel_open(size_t capacity, struct channel **channel, struct error *err);
void channel_close_free(struct channel *channel); /* NULL is legal */

int channel_fd(const struct channel *channel);
void channel_send(struct channel *channel, void *item);
/* The oldest item, or NULL when there is none. */
void *channel_take(struct channel *channel);
size_t channel_count(struct channel *channel);

/* The sender is done. err (may be NULL: a clean end) is copied; the first close wins. */
void channel_finish(struct channel *channel, const struct error *err);
/* True once finished and empty; *err then tells why (ERROR_NONE: a clean end). err may be NULL. */
bool channel_finished(struct channel *channel, struct error *err);

#endif
