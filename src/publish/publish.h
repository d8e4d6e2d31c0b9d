/* publish/: messages and an opaque progress record become one Kafka transaction.
 *
 * The only module that knows librdkafka. A publisher is driven by one thread. It has two
 * transactional ids in turn, and begins with a claim, a commit without messages, which shows that
 * both are its own. A transaction begins with the first message (or with a commit that has none);
 * what was handed over is kept uncopied until it is reported. Invariants kept here: I2 (begin only
 * after recover), I3 (the claim first), I4 (events and their progress in one transaction), I5
 * (after an unknown outcome every call fails), I7, I8. It never retries across a close. */
#ifndef WALFERRY_PUBLISH_PUBLISH_H
#define WALFERRY_PUBLISH_PUBLISH_H

#include "base/buf.h"
#include "base/error.h"
#include "config/config.h"
#include "metrics/metrics.h"
#include "publish/kafka_letter.h"
#include "publish/kafka_sight.h"
#include "publish/publisher.h"

#include <stdatomic.h>

/* ---- Kafka ---- */

/* What publishers learn of topics and sizes, for some minutes. One of them uses it at a time. */
struct kafka_memory *kafka_memory_open(void);
void kafka_memory_forget(struct kafka_memory *memory); /* the brokers may be others now */
void kafka_memory_close(struct kafka_memory *memory);  /* NULL is legal */
struct kafka_options {
    const struct config_kafka *kafka;
    const struct config_delivery *delivery;
    const char *relay;
    const char *letter_topic; /* for dead letters; NULL: none is wanted */
    bool holds_keys;          /* in walferry.<relay>.quarantine */
    uint32_t shard;
    const char *instance;        /* in client.id */
    struct metrics *metrics;     /* NULL for a command: metrics/ then counts nothing */
    struct kafka_memory *memory; /* of publishers; NULL: what one learns goes with it */
    const struct log *log;       /* librdkafka's own lines come out as event "kafka.log" */
    const atomic_bool *retrying; /* true: what fails is told already, "kafka.log" is debug */
    const atomic_bool *stop;     /* long waits end early with ERROR_RETRY, reason "stopping" */
    int64_t timeout_ms;          /* bound of one network question; at most 30 s, as 0 is */
    /* A progress topic that is missing is created next, so that the first answer is taken for true:
     * the controller will say better. Else it is looked for again before it is called missing. */
    bool creates_progress;
    /* A refused message under suspicion: those of change `from` to those of `to` are produced one
     * record at a time, each report waited for, so that one refused alone is known. NONE: none. */
    struct publish_suspect {
        struct change_id from, to;
    } suspect;
};

/* Checks every librdkafka property and the refused ones, with file and line; no network. */
int kafka_check_config(const struct config_kafka *kafka, const struct config_delivery *delivery,
                       struct error *err);
/* Step 0 of the open: the progress record as far as the last stable offset, with a plain consumer,
 * no transactional.id. Waits while an open transaction of another relay, in a topic that they
 * share, hides a newer one. Appends nothing where there is no record or no topic (*topic_exists).
 */
int kafka_look(const struct kafka_options *options, struct buf *record, bool *topic_exists,
               struct error *err);
/* The same (ERROR_STOP, progress_forged, where no relay wrote the newest), and the committed record
 * before that one where reading passed it (else nothing is appended). through: waits until every
 * transaction that is open in the topic has ended, as recovery does; a commit that was answered may
 * still be invisible at the last stable offset. */
int kafka_look_closely(const struct kafka_options *options, bool through, struct buf *record,
                       struct buf *previous, bool *topic_exists, struct error *err);
/* The newest committed note beside the records under our key (kafka_publisher_note()), appended. */
int kafka_look_note(const struct kafka_options *options, struct buf *note, struct error *err);
/* Follows the progress topic with a plain consumer, from a little before its end on. Quiet: no
 * lines in the log. *options must outlive it but for itself. */
struct kafka_follower;
int kafka_follow_open(const struct kafka_options *options, struct kafka_follower **follower,
                      struct error *err);
/* True where a committed record under our key came within wait_ms; it replaces *record. */
bool kafka_follow_next(struct kafka_follower *follower, int wait_ms, struct buf *record);
/* NULL is legal. librdkafka never returns from here where the topic was deleted meanwhile. */
void kafka_follow_close(struct kafka_follower *follower);
/* Progress topic (one partition, compacted), letter topic (not compacted) and the routes' literal
 * topics are there, or made, where allowed. May be NULL: weak, how replication is; made, names. */
int kafka_prepare_topics(const struct kafka_options *options, const char *const *topics,
                         uint32_t topic_count, bool create_progress, struct buf *weak,
                         struct buf *made, struct error *err);
/* The same for the topic with the answers to commands. */
int kafka_prepare_control(const struct kafka_options *options, struct buf *made, struct error *err);
/* Reaches a broker and a transaction coordinator through the probe id walferry.<relay>.check. */
int kafka_probe(const struct kafka_options *options, struct error *err);

/* Step 1: both producers, init_transactions of one, then the other: fences older instances. */
int kafka_publisher_open(const struct kafka_options *options, struct publisher **publisher,
                         struct error *err);
/* After an error: the messages under suspicion where a batch was refused (false: none), and, where
 * a record was refused alone, its change and its route. */
bool kafka_publisher_suspect(const struct publisher *publisher, struct publish_suspect *suspect);
bool kafka_publisher_verdict(const struct publisher *publisher, struct change_id *change,
                             uint32_t *route);
/* After recover: did a relay write what it gave? ERROR_STOP, progress_forged; it can go on. */
int kafka_publisher_check(const struct publisher *publisher, struct error *err);
/* The next commit writes the note, too, under a key of its own beside the record's. Copied. */
void kafka_publisher_note(struct publisher *publisher, struct span note);
void kafka_publisher_version(struct publisher *publisher, uint32_t version); /* of the records */
/* The committed record before the one that recover gave, where reading passed it; else empty. */
struct span kafka_publisher_previous(const struct publisher *publisher);

const char *kafka_library_version(void);
void kafka_known_defects(struct buf *out);  /* of the librdkafka in use, one line each, appended */
void kafka_mended_defects(struct buf *out); /* those of them that a later librdkafka has not */

#endif
