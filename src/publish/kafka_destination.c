/* publish/kafka_destination: see kafka_destination.h.
 *
 * A progress topic may have any name, so its name does not tell; what walferry made has a layout
 * that nobody else has a reason for. One that was made by hand is compacted and has one partition,
 * and the records in it have a header that no row can set: they are looked at only then, and only
 * where the relay may read them. */
#include "publish/kafka_destination.h"

#include "publish/kafka_read.h"

#include <assert.h>
#include <inttypes.h>

int kafka_destination_check(const struct kafka_options *options, const char *topic,
                            int32_t partitions, const struct kafka_topic_settings *settings,
                            const char **why, struct error *err)
{
    assert(topic != NULL);
    assert(partitions > 0);
    *why = NULL;
    bool compacted = settings->compacts && !settings->clamp.deletes;
    if (partitions != 1 || (settings->known && !compacted))
        return 0;
    if (settings->known && settings->progress_segments && settings->progress_ratio) {
        *why = "is laid out as a relay's progress: compacted, one partition, "
               "segment.bytes " KAFKA_PROGRESS_SEGMENT_BYTES
               ", min.cleanable.dirty.ratio " KAFKA_PROGRESS_DIRTY_RATIO;
        return 0;
    }
    bool marked;
    if (kafka_read_is_marked(options, topic, &marked, err) < 0)
        return -1;
    if (marked)
        *why = "holds a relay's progress";
    return 0;
}

int kafka_destination_refuse(const char *topic, const char *why, struct error *err)
{
    assert(why != NULL);
    error_data(err, REASON_RESERVED_TOPIC, "topic %s %s", topic, why);
    return error_hint(err, "let the events go to another topic");
}

void kafka_destination_weak(const char *topic, int32_t replicas,
                            const struct kafka_topic_settings *settings, struct buf *weak)
{
    assert(replicas > 0);
    bool enough = replicas >= 2 && !settings->unclean_election &&
                  (!settings->known || settings->min_insync_replicas >= 2);
    if (enough)
        return;
    if (weak->len > 0)
        buf_add_text(weak, "; ");
    buf_add_format(weak, "topic %s has replication factor %" PRId32, topic, replicas);
    if (settings->known)
        buf_add_format(weak, ", min.insync.replicas %" PRId64, settings->min_insync_replicas);
    if (settings->unclean_election)
        buf_add_text(weak, ", unclean.leader.election.enable");
}

int kafka_destination_refuse_weak(const char *weak, struct error *err)
{
    assert(weak != NULL);
    error_data(err, REASON_REPLICATION_WEAK,
               "%s: exactly-once does not survive the loss of a broker", weak);
    return error_hint(err, "raise replication factor and min.insync.replicas of the topic, or take "
                           "delivery.require_replication out");
}
