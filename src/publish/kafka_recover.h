/* publish/kafka_recover: progress is read behind the inits of both handles; what is looked after
 * between two transactions. Internal to the module. */
#ifndef WALFERRY_PUBLISH_KAFKA_RECOVER_H
#define WALFERRY_PUBLISH_KAFKA_RECOVER_H

#include "publish/kafka_in_use.h"
#include "publish/kafka_txn.h"

/* Appends the newest committed record, and to *previous the one before it where it was passed. */
int kafka_recover(struct kafka_txn *txn, struct buf *record, struct buf *previous, bool *forged,
                  struct error *err);
/* Is the newest committed record still the one that was committed last? ERROR_RETRY,
 * progress_moved, where another instance has claimed since. */
int kafka_check_claim(struct kafka_txn *txn, struct error *err);
/* Between transactions, before the next one opens: makes both handles anew where that is needed, so
 * that a claim comes next, else looks after the topics. */
int kafka_between(struct kafka_txn *txn, struct kafka_in_use *topics, struct error *err);

#endif
