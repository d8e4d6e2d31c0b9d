/* publish/kafka_report: who is to blame where a record was not delivered. Internal to the module.
 */
#ifndef WALFERRY_PUBLISH_KAFKA_REPORT_H
#define WALFERRY_PUBLISH_KAFKA_REPORT_H

#include "publish/kafka_txn.h"

/* A report that is an error, of an event or of the progress record: the transaction's failure is
 * filled, with a suspicion or a verdict where the record itself can be the cause. */
void kafka_report_failed(const struct kafka_txn *txn, const rd_kafka_message_t *report);
/* Called now and then while reports are waited for. A broker that again and again ends the
 * connection on a request with a large record fails the transaction: with a suspicion, or, where
 * the record went alone and is larger than any that came through of late, with a verdict. */
void kafka_report_lost(const struct kafka_txn *txn);
/* The epoch ends: what it learnt of that is kept for the next one. */
void kafka_report_keep_lost(const struct kafka_txn *txn);
/* librdkafka has given the producer up. */
void kafka_report_fatal(struct kafka_failure *failure, const struct kafka_health *health,
                        rd_kafka_resp_err_t code, const char *text);

#endif
