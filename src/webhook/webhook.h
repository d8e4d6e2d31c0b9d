/* webhook/: tells an address when the relay needs somebody, and when it no longer does.
 *
 * It sees the status cell and the metrics, as admin/ does, from a thread of its own that looks once
 * a second: whatever the receiver does, the pipeline and its end do not wait for it. What is told,
 * how it is signed and how long it is tried stands in docs/WEBHOOK.md. */
#ifndef WALFERRY_WEBHOOK_WEBHOOK_H
#define WALFERRY_WEBHOOK_WEBHOOK_H

#include "base/error.h"
#include "base/log.h"
#include "config/config.h"
#include "metrics/metrics.h"
#include "model/status_cell.h"

#include <stdbool.h>

/* Messages that wait; of more the oldest is dropped. */
#define WEBHOOK_QUEUE_MAX 64

struct webhook;

struct webhook_options {
    const struct config_notify *config; /* copied; without a url nothing is told */
    struct metrics *metrics;            /* these three must outlive it */
    struct status_cell *status;
    const struct log *log;
};

struct webhook *webhook_open(const struct webhook_options *options);
/* What a reloaded file says; copied. Messages that wait go to the new address; where there is none
 * they are dropped. Any thread, but one at a time. */
void webhook_take(struct webhook *webhook, const struct config_notify *config);
/* The relay has ended, by *err where its kind is not NONE, which is told. What waits gets one more
 * attempt each, until the monotonic time by_us at most. False: the thread is inside a resolver
 * still, and nothing was freed; leave with _exit(). NULL is legal. */
bool webhook_close(struct webhook *webhook, const struct error *err, int64_t by_us);

#endif
