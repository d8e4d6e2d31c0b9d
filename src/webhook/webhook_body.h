/* webhook/webhook_body: a message, as JSON. */
#ifndef WALFERRY_WEBHOOK_WEBHOOK_BODY_H
#define WALFERRY_WEBHOOK_WEBHOOK_BODY_H

#include "base/buf.h"
#include "webhook/webhook_judge.h"

struct webhook_message {
    const struct webhook_news *news;
    const struct status *status;
    uint64_t keys_held;
    int64_t lag_us;
    int64_t wall_us;
    int exit_code; /* of what has ended; -1: it has not */
};

/* One object of JSON, appended. */
void webhook_body(const struct webhook_message *message, struct buf *out);

#endif
