/* publish/kafka_error: how librdkafka's errors become ours. Internal to the module. */
#ifndef WALFERRY_PUBLISH_KAFKA_ERROR_H
#define WALFERRY_PUBLISH_KAFKA_ERROR_H

#include "publish/kafka_away.h"
#include "publish/kafka_token.h"
#include "publish/kafka_tls.h"
#include "publish/publish.h"

/* What a handle's callbacks have noted of its brokers; an error's text is made of it. */
struct kafka_health {
    const struct kafka_options *options;
    bool brokers_down;        /* librdkafka said so, and nothing has worked since */
    bool auth_failed;         /* a login was refused, and nothing was delivered since */
    char detail[384];         /* librdkafka's newest error text, but that all brokers are down */
    rd_kafka_resp_err_t code; /* of it */
    bool proved; /* a broker has answered at the address that it advertises: `away` is old news */
    struct kafka_away away;
    struct kafka_token *token; /* NULL: no program gives any */
    struct kafka_tls tls;
    /* With what the token endpoint refused: a status of HTTP, or -1 where nobody answered there.
     * Written by librdkafka's thread. */
    atomic_int token_status;
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

/* A log line of facility OIDC. */
void kafka_note_token(struct kafka_health *health, const char *text);

/* bootstrap.servers answer, and the brokers that they name do not: names one of them. */
int kafka_advertised_away(struct error *err, const struct kafka_health *health, const char *doing);
/* Asks the ports why nothing comes through. 0: security.protocol is not to blame, or nobody knows.
 */
int kafka_check_protocol(struct error *err, const struct kafka_health *health, const char *doing);

bool kafka_is_denied(rd_kafka_resp_err_t code);
bool kafka_is_fenced(rd_kafka_resp_err_t code);

#endif
