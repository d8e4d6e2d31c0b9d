/* http/: bodies that are sent by POST, one after the other and in order, without the caller ever
 * waiting for a server: a bounded queue, attempts with a time-out, a wait that doubles between
 * them, and an end. Whoever has one drives it from a thread of its own, which is no thread of the
 * pipeline; only http_wake() is for others. It reads no clock and logs nothing.
 *
 * A secret signs each attempt as Standard Webhooks says (standard-webhooks.com, "Signature
 * scheme"): headers webhook-id, webhook-timestamp (seconds) and webhook-signature, "v1," and the
 * base64 of HMAC-SHA256 over id.timestamp.body. The id is that of the body, the time that of the
 * attempt. */
#ifndef WALFERRY_HTTP_HTTP_H
#define WALFERRY_HTTP_HTTP_H

#include "base/span.h"

#include <stdbool.h>
#include <stdint.h>

#define HTTP_WAIT_MIN_US INT64_C(1000000)
#define HTTP_WAIT_MAX_US INT64_C(60000000)
#define HTTP_DETAIL_MAX 200

struct http;

struct http_pair {
    const char *name, *value;
};

/* Where to, and how; what it points to is copied. */
struct http_target {
    const char *url;     /* http:// or https:// */
    const char *ca_file; /* PEM; NULL: the system's */
    const char *secret;  /* signs; behind "whsec_" base64, else as it is; NULL: not signed */
    const struct http_pair *headers; /* besides Content-Type: application/json */
    uint32_t header_count;
    int64_t timeout_ms; /* of one attempt, answer and all; > 0 */
    int64_t give_up_us; /* after the body was put; > 0 */
    uint32_t queue_max; /* bodies that wait, > 0: where one more is put the oldest goes */
    bool picky;         /* any 3xx and 4xx is final but 408, 429 and, since secrets are changed at
                           one end first, 401 and 403; else 410 alone is */
};

enum http_outcome {
    HTTP_NOTHING, /* no attempt has ended */
    HTTP_SENT,    /* answered with 2xx */
    HTTP_RETRIED, /* it failed, and will be tried again */
    HTTP_REFUSED, /* the answer is final */
    HTTP_GIVEN_UP /* it failed, and its time is over */
};

struct http_result {
    enum http_outcome outcome;
    int status;                   /* of the answer; 0: there was none */
    char detail[HTTP_DETAIL_MAX]; /* in words, without the path of the address; of a failure */
};

struct http *http_open(const struct http_target *target);
void http_close(struct http *http); /* NULL is legal; what waits is dropped */
/* From the next attempt on; what waits stays. */
void http_aim(struct http *http, const struct http_target *target);

/* Queues a copy. False: one that waited was dropped for it. */
bool http_put(struct http *http, struct span body, int64_t now_us);
/* One step: an attempt that has ended is told; else one that is due begins; else it waits for the
 * network, for http_wake() and for wait_ms at most. now_us: monotonic; wall_us: since 1970. */
void http_step(struct http *http, int64_t now_us, int64_t wall_us, int wait_ms,
               struct http_result *result);
/* All that waits is due, for one more attempt each: the process ends. */
void http_hurry(struct http *http);
/* Bodies that have not been answered. */
uint32_t http_waiting(const struct http *http);
/* An attempt is under way: steps get it on. */
bool http_busy(const struct http *http);
/* Drops all that waits, an attempt that is under way too; returns how many bodies that were. */
uint32_t http_forget(struct http *http);
/* Ends a wait of http_step(), or the next. Any thread. */
void http_wake(struct http *http);

#endif
