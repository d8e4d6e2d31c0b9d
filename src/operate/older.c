/* operate/older: the way back to an older version of walferry: the progress record as that one
 * reads it, where nothing in it would be lost.
 *
 * The relay is taken over, so that no newer instance writes behind it. The record says that it was
 * meant, and only a relay can have written it; whoever reads records takes no other step back. */
#include "operate/command.h"

#include "base/clock.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

/* *older: it is written so already, or by something older still. */
static int check_record(const struct command_options *o, const struct found *found,
                        uint32_t version, bool *older, struct error *err)
{
    const struct progress *p = &found->progress;
    *older = false;
    if (!found->have_progress)
        return error_stop(err, REASON_NOT_SET_UP, "relay %s has no progress", o->config->name.text);
    *older = p->version <= version;
    if (*older)
        return 0;
    struct buf lost = BUF_EMPTY;
    progress_lost_in(p, version, &lost);
    int result = 0;
    if (lost.len > 0) {
        for (size_t i = 0; i + 1 < lost.len; i++)
            if (lost.ptr[i] == '\n')
                lost.ptr[i] = ';';
        error_stop(err, REASON_PROGRESS_HAS_MORE,
                   "version %" PRIu32 " of the progress record cannot hold: %.*s", version,
                   (int)(lost.len - 1), lost.ptr);
        result = error_hint(err, "start the relay and let it run until it is behind that");
    }
    buf_fini(&lost);
    return result;
}

static int write_older(const struct recovery *ends, struct publisher *publisher,
                       struct progress *record, uint32_t version, struct error *err)
{
    struct buf json = BUF_EMPTY;
    record->generation++;
    record->rebased.present = false;
    record->at_us = clock_wall_us();
    relay_instance(record->instance);
    kafka_publisher_version(publisher, version);
    progress_encode_as(record, version, &json);
    int result =
        ends->ledger->ops->write(ends->ledger, publisher, buf_span(&json), span_null(), err);
    buf_fini(&json);
    return result < 0 ? error_wrap(err, "writing the older record") : 0;
}

struct way_back {
    const struct command_options *o;
    const struct recovery *ends;
    uint32_t version;
};

static int go_back(void *of, struct error *err)
{
    const struct way_back *way = of;
    struct publisher *publisher = NULL;
    struct found found;
    bool older = false;
    int result = relay_take_over(way->ends, &publisher, &found, err);
    if (result == 0)
        result = check_record(way->o, &found, way->version, &older, err);
    if (result == 0 && !older)
        result = write_older(way->ends, publisher, &found.progress, way->version, err);
    publisher_close(publisher, 0);
    return result;
}

static void say_done(const struct command_options *o, const struct progress *p, uint32_t version)
{
    char at[LSN_TEXT_MAX];
    command_say(o->out, "progress: at %s, in version %" PRIu32 " of the record now",
                lsn_format(p->position.lsn, at), version);
    command_say(
        o->out,
        "what decides which rows are sent, and by which transaction the server is known, is "
        "not kept there: changes made meanwhile are not noticed");
}

int relay_setup_version(const struct command_options *o, uint32_t version, struct error *err)
{
    assert(o->config != NULL && o->out != NULL);
    assert(version >= 1 && version <= PROGRESS_VERSION);
    struct command_ends ends;
    struct found found;
    bool older = false;
    command_ends_open(o, &ends);
    struct way_back way = {o, &ends.r, version};
    int result = relay_look_through(&ends.r, 0, &found, err);
    if (result == 0)
        result = check_record(o, &found, version, &older, err);
    if (result == 0 && !older)
        result = command_claim_until(go_back, &way, err);
    if (result == 0 && older)
        command_say(o->out, "progress: in version %" PRIu32 " of the record already",
                    found.progress.version);
    else if (result == 0)
        say_done(o, &found.progress, version);
    command_ends_close(&ends);
    return result;
}
