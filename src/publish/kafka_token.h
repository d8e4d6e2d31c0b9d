/* publish/kafka_token: tokens of SASL/OAUTHBEARER that a program prints (kafka_token_command), for
 * one librdkafka handle. Internal to the module.
 *
 * librdkafka asks for one when the handle is made, and again when four fifths of its time are over,
 * on a thread of its own that serves nothing else: whoever works with the handle never waits for
 * the program. Where it fails the handle keeps the token that it has; librdkafka asks again in 10
 * s, and each handle that is opened next asks for itself. */
#ifndef WALFERRY_PUBLISH_KAFKA_TOKEN_H
#define WALFERRY_PUBLISH_KAFKA_TOKEN_H

#include "base/error_cell.h"

#include <librdkafka/rdkafka.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct kafka_token {
    const char *const *command; /* NULL: there is none, and nothing here does anything */
    atomic_bool closing;
    atomic_int_fast64_t ends_ms; /* of the token that the handle has, Unix; 0: it has none */
    struct error_cell failure;   /* of the newest run; none: it gave a token */
};

/* *token must stay where it is until the handle is destroyed. */
void kafka_token_init(struct kafka_token *token, const char *const *command);
/* Before the handle is made, and right after. */
void kafka_token_install(const struct kafka_token *token, rd_kafka_conf_t *conf,
                         void (*refresh)(rd_kafka_t *rk, const char *config, void *opaque));
void kafka_token_serve(const struct kafka_token *token, rd_kafka_t *rk);
/* What the callback is to do. */
void kafka_token_refresh(struct kafka_token *token, rd_kafka_t *rk);
/* Before the handle is destroyed, which waits for the callback: within 100 ms it is back. */
void kafka_token_close(struct kafka_token *token);

/* The newest run has failed: *err says how, ERROR_RETRY, token_command. */
bool kafka_token_has_failed(struct kafka_token *token, struct error *err);
/* The handle has one whose time is not over. */
bool kafka_token_is_good(const struct kafka_token *token);

#endif
