/* publish/kafka_failure: why a publisher failed, and which records it blames. Internal to the
 * module. */
#ifndef WALFERRY_PUBLISH_KAFKA_FAILURE_H
#define WALFERRY_PUBLISH_KAFKA_FAILURE_H

#include "publish/publish.h"

#include <librdkafka/rdkafka.h>

/* Begins as zeros. */
struct kafka_failure {
    bool failed; /* every further call fails with: */
    struct error error;
    struct publish_suspect suspect; /* NONE: no batch was refused */
    struct change_id verdict;       /* the change whose record was refused alone; NONE: none was */
    uint32_t verdict_route;
    /* What the broker said of the record that was refused alone, where the transaction can be given
     * up and the publisher goes on; else, and once that is done, NO_ERROR. */
    rd_kafka_resp_err_t refused;
    const char *denied; /* the topic that the broker denies, where that is certain; or NULL. While
                           its message and the handle are there */
};

/* Keeps the error where it is the first. Returns -1; *err (may be NULL) is the one that is kept. */
int kafka_fail(struct kafka_failure *failure, const struct error *error, struct error *err);
/* After a failure: returns -1 with it. */
int kafka_fail_again(const struct kafka_failure *failure, struct error *err);

#endif
