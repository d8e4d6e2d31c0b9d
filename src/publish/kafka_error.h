/* publish/kafka_error: how librdkafka's errors become ours. Internal to the module. */
#ifndef WALFERRY_PUBLISH_KAFKA_ERROR_H
#define WALFERRY_PUBLISH_KAFKA_ERROR_H

#include "publish/publish.h"

#include <librdkafka/rdkafka.h>

/* What a handle's callbacks have noted of its brokers; an error's text is made of it. */
struct kafka_health {
    const struct kafka_options *options;
    bool brokers_down; /* librdkafka said so, and nothing has worked since */
    bool auth_failed;
    char detail[384]; /* librdkafka's newest error text */
};

/* All fill *err and return -1. `doing` reads like "reading topic x"; text NULL: the code's own. */
int kafka_failed(struct error *err, const struct kafka_health *health, rd_kafka_resp_err_t code,
                 const char *text, const char *doing);
/* The same for an error object, which is destroyed. */
int kafka_failed_object(struct error *err, const struct kafka_health *health,
                        rd_kafka_error_t *error, const char *doing);
/* ERROR_STOP that names the missing ACL; operations like "Write,Describe". */
int kafka_denied(struct error *err, const struct kafka_health *health, const char *resource,
                 const char *name, const char *operations);
int kafka_credentials_refused(struct error *err, const struct kafka_health *health,
                              const char *text);
int kafka_unreachable(struct error *err, const struct kafka_health *health, const char *text,
                      const char *doing);

bool kafka_is_denied(rd_kafka_resp_err_t code);
bool kafka_is_fenced(rd_kafka_resp_err_t code);

#endif
