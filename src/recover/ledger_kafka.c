/* recover/ledger_kafka: see ledger.h. A thin layer over publish/: what is read means nothing here.
 */
#include "recover/ledger.h"

#include "base/clock.h"

#include <assert.h>
#include <inttypes.h>

static struct kafka_options *options_of(struct ledger *l)
{
    return &((struct ledger_kafka *)l)->options;
}

static int look(struct ledger *l, bool through, int64_t timeout_ms, struct buf *newest,
                struct buf *before, bool *exists, struct error *err)
{
    struct kafka_options options = *options_of(l);
    if (timeout_ms != 0)
        options.timeout_ms = timeout_ms;
    return kafka_look_closely(&options, through, newest, before, exists, err);
}

static int take_over(struct ledger *l, struct publisher **publisher, struct error *err)
{
    return kafka_publisher_open(options_of(l), publisher, err);
}

static int read_newest(struct ledger *l, struct publisher *publisher, struct buf *newest,
                       struct buf *before, struct error *err)
{
    (void)l;
    if (publisher_recover(publisher, newest, err) < 0)
        return -1;
    buf_add(before, kafka_publisher_previous(publisher));
    return kafka_publisher_check(publisher, err);
}

static int write_record(struct ledger *l, struct publisher *publisher, struct span record,
                        struct span note, struct error *err)
{
    if (note.ptr != NULL)
        kafka_publisher_note(publisher, note);
    const struct kafka_options *o = options_of(l);
    int64_t timeout_ms = o->delivery->transaction_timeout_ms;
    int64_t give_up_us = clock_monotonic_us() + timeout_ms * US_PER_MS;
    enum step result;
    while ((result = publisher_commit(publisher, record, err)) == STEP_WAIT) {
        if (o->stop != NULL && atomic_load(o->stop))
            return error_retry(err, REASON_STOPPING, "asked to stop");
        if (clock_monotonic_us() > give_up_us)
            return error_retry(err, REASON_COMMIT_TIMEOUT,
                               "a progress record could not be committed within %" PRId64 " ms",
                               timeout_ms);
    }
    return result == STEP_DONE ? 0 : -1;
}

static int read_note(struct ledger *l, struct buf *note, struct error *err)
{
    return kafka_look_note(options_of(l), note, err);
}

static const struct ledger_ops kafka_ops = {.name = "kafka",
                                            .look = look,
                                            .take_over = take_over,
                                            .read = read_newest,
                                            .write = write_record,
                                            .read_note = read_note};

void ledger_kafka_init(struct ledger_kafka *ledger, const struct kafka_options *options)
{
    assert(options->kafka != NULL && options->delivery != NULL);
    *ledger = (struct ledger_kafka){.base.ops = &kafka_ops, .options = *options};
}
