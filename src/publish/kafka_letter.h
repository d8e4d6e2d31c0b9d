/* publish/kafka_letter: the dead letters of a relay, as they lie in their topic. Part of the
 * public header, publish.h.
 *
 * All that was committed when a partition is begun with, partition by partition, each in order of
 * offset; by a plain read_committed consumer without a group. */
#ifndef WALFERRY_PUBLISH_KAFKA_LETTER_H
#define WALFERRY_PUBLISH_KAFKA_LETTER_H

#include "base/error.h"
#include "model/event.h"

struct kafka_options;
struct kafka_letters;

/* Its spans live until the next one is asked for. */
struct kafka_letter {
    int32_t partition;
    int64_t offset;
    int64_t timestamp_ms;
    struct span key;   /* absent: null */
    struct span value; /* absent: it was left out */
    uint32_t header_count;
    const struct header *headers;
};

/* Of options->letter_topic. One that does not exist holds none. What options point to must outlive
 * it. */
int kafka_letters_open(const struct kafka_options *options, struct kafka_letters **letters,
                       struct error *err);
/* The same for a relay that has claimed: waits until whatever stands in a partition when it is
 * begun with has been committed or aborted. topic: any that is the relay's alone. */
int kafka_letters_open_through(const struct kafka_options *options, const char *topic,
                               struct kafka_letters **letters, struct error *err);
/* The same of one that was made long ago or never was: no broker that lags is waited for. */
int kafka_letters_open_old(const struct kafka_options *options, const char *topic,
                           struct kafka_letters **letters, struct error *err);
/* The same of the topic's first partition, from its end on; the next one is waited for, and where
 * none comes in time that is ERROR_RETRY, "broker_timeout", after which it may be asked again.
 * *letters NULL: there is no such topic. */
int kafka_letters_open_end(const struct kafka_options *options, const char *topic,
                           struct kafka_letters **letters, struct error *err);
/* What is wanted of a partition: from <= offset < until, of what is there. */
struct kafka_letter_range {
    int64_t from, until;
};

/* Reads once more, of all partitions: of the first `count` what their ranges say, which must live
 * as long; of the others, and where there are no ranges, everything. */
void kafka_letters_begin(struct kafka_letters *letters, const struct kafka_letter_range *ranges,
                         uint32_t count);
/* 1: *letter is filled; 0: there is no other; -1: ERROR_RETRY, ERROR_STOP. */
int kafka_letters_next(struct kafka_letters *letters, struct kafka_letter *letter,
                       struct error *err);
void kafka_letters_close(struct kafka_letters *letters); /* NULL is legal */
/* Absent where there is no such header, or it is null. */
struct span kafka_letter_header(const struct kafka_letter *letter, const char *name);

#endif
