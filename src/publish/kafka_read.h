/* publish/kafka_read: the progress record is read from the end of its topic. Internal to the
 * module. */
#ifndef WALFERRY_PUBLISH_KAFKA_READ_H
#define WALFERRY_PUBLISH_KAFKA_READ_H

#include "publish/kafka_client.h"

/* "<relay>/<shard>" and its NUL. */
#define KAFKA_KEY_MAX 80

const char *kafka_progress_key(const struct kafka_options *options, char text[KAFKA_KEY_MAX]);

struct kafka_progress {
    bool topic_exists;
    struct buf newest;   /* the newest committed record of our key; empty: none */
    struct buf previous; /* the one before it, where it was passed on the way */
    /* Versions in the header that no row can set; 0: the record has none. */
    uint32_t newest_mark;
    uint32_t previous_mark;
    int64_t end; /* the offset up to which was read */
};

/* On every record of ours from version 2 on; routes cannot set a header whose name begins like
 * this. Its value is the version of the record, which is as old as the header at least. */
#define KAFKA_PROGRESS_HEADER "walferry-progress"
#define KAFKA_PROGRESS_MARKED_FROM 2
#define KAFKA_PROGRESS_MARK 3
/* Behind the key of the progress record: the key of the note beside it. */
#define KAFKA_NOTE_SUFFIX "/fingerprint"

/* to_high_watermark: waits until every transaction that is open in the topic has ended (recovery,
 * after our own has been fenced); else as far as the last stable offset (a look), once no other
 * relay's transaction hides a record of ours. */
int kafka_read_progress(const struct kafka_options *options, bool to_high_watermark,
                        struct kafka_progress *progress, struct error *err);
/* Does the newest record lack the header although the one before it has it? A record of version 1
 * has it only where it was written on the way back: relays of that version go on without. */
static inline bool kafka_progress_forged(const struct kafka_progress *progress)
{
    return progress->previous_mark >= KAFKA_PROGRESS_MARKED_FROM && progress->newest_mark == 0;
}
/* ERROR_STOP, progress_forged, where it is. */
int kafka_progress_check(const struct kafka_options *options, bool forged, struct error *err);
/* Does the one-partition topic hold a record of ours among its newest ones? False, too, where the
 * relay may not read it. */
int kafka_read_is_marked(const struct kafka_options *options, const char *topic, bool *marked,
                         struct error *err);
void kafka_progress_fini(struct kafka_progress *progress);

/* Is a record of our key, whatever became of it, in [from, until)? All of that must have been
 * written; waits until the broker that is asked has it. */
int kafka_progress_between(const struct kafka_options *options, int64_t from, int64_t until,
                           bool *found, struct error *err);

#endif
