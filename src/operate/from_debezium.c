/* operate/from_debezium: a relay begins where a Debezium connector has stopped, on the connector's
 * own origin: `setup --from-debezium`.
 *
 * Up to the one record that says so nothing has changed that the connector would mind: publications
 * and topics are added beside it, and the origin is at most confirmed to its own offset. So a
 * command that dies is begun again, and the connector could still go on instead. */
#include "operate/command.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct inheriting {
    const struct command_options *o;
    struct command_ends ends;
    struct router *router;
    struct publisher *publisher;
    struct found found;
    struct published published;
    struct inheritance in;
};

static int check_progress(const struct inheriting *i, struct error *err)
{
    char at[LSN_TEXT_MAX];
    if (!found_begun(&i->found))
        return 0;
    error_stop(err, REASON_USAGE, "relay %s has begun already: its progress stands at %s",
               i->o->config->name.text, lsn_format(i->found.progress.position.lsn, at));
    return error_hint(err, "start it, or tear it down first");
}

/* `setup` mends that for a relay of its own; here it would be too late. */
static int explain_publication(struct error *err)
{
    static const enum reason REASONS[] = {REASON_PUBLICATION_MISSING, REASON_PUBLICATION_TABLE,
                                          REASON_PUBLICATION_INSERTS, REASON_PUBLICATION_ROOT,
                                          REASON_PUBLICATION_FILTER,  REASON_PUBLICATION_COLUMN};
    for (size_t i = 0; i < sizeof REASONS / sizeof REASONS[0]; i++)
        if (err->kind == ERROR_STOP && err->reason == REASONS[i])
            return error_hint(err, "while the connector runs, let an administrator run what "
                                   "`walferry setup --print-sql` prints; let the connector publish "
                                   "something, CHECKPOINT, let it publish again; then stop it and "
                                   "come back with its offset");
    return -1;
}

static int look(struct inheriting *i, struct error *err)
{
    struct origin *origin = i->ends.r.origin;
    if (relay_look_through(&i->ends.r, 0, &i->found, err) < 0 || check_progress(i, err) < 0 ||
        origin_identify(origin, &i->found.system, err) < 0 ||
        origin_look(origin, &i->found.origin, err) < 0 ||
        relay_inherit(origin, &i->found, false, &i->in, err) < 0)
        return -1;
    return origin_check(origin, &i->found.system, i->router, false, err) < 0
               ? explain_publication(err)
               : 0;
}

static int ensure_topics(struct inheriting *i, struct error *err)
{
    struct buf weak = BUF_EMPTY, made = BUF_EMPTY;
    int result = relay_prepare_topics(&i->ends.ledger.options, i->router, true, &weak, &made, err);
    if (result == 0 && made.len > 0)
        command_say(i->o->out, "topics: created %s", buf_text(&made));
    if (result == 0 && weak.len > 0)
        command_say(i->o->out, "warning: %s; exactly-once does not survive the loss of a broker",
                    buf_text(&weak));
    buf_fini(&made);
    buf_fini(&weak);
    return result;
}

static void describe(const struct inheriting *i)
{
    const struct inheritance *in = &i->in;
    char place[LSN_TEXT_MAX], event[LSN_TEXT_MAX];
    lsn_format(in->event_lsn, event);
    command_say(i->o->out, "progress: begins at %s", lsn_format(in->place_lsn, place));
    if (in->commit_lsn == 0)
        command_say(i->o->out,
                    "the offset names no transaction that has ended: that is where %s stands",
                    i->ends.r.origin->name);
    if (in->partial.final_lsn != 0)
        command_say(i->o->out,
                    "of the transaction behind it %" PRIu64 " of %" PRIu64 " changes are done",
                    in->done, in->of);
    if (in->event_lsn == 0)
        command_say(i->o->out,
                    "REPEAT: whatever the connector has sent of later transactions comes "
                    "again");
    else if (in->sure)
        command_say(
            i->o->out,
            "nothing is lost; events that the connector has sent behind its offset (%s) come "
            "again: none where it ran with exactly.once.support",
            event);
    else if (in->of > 0)
        command_say(
            i->o->out,
            "nothing is lost; the change at %s comes again, because it may have made several "
            "events, and so do events that the connector has sent behind its offset",
            event);
    else
        command_say(i->o->out,
                    "nothing is lost; REPEAT: what the connector has sent of transactions that end "
                    "behind %s comes again",
                    place);
}

static int write_progress(struct inheriting *i, struct error *err)
{
    struct progress first;
    command_first_record(i->o->config, i->ends.r.origin, &i->found, i->found.have_progress, &first);
    command_place_record(i->ends.r.origin, i->in.place_lsn, &first);
    first.partial = i->in.partial;
    first.rebased.present = true;
    first.rebased.from = 0;
    first.rebased.to = i->in.place_lsn;
    snprintf(first.rebased.why, sizeof first.rebased.why, "debezium");
    struct span note = published_sign(&i->published, &i->ends.arena, &first);
    if (relay_write_record(&i->ends.r, i->publisher, &first, note, err) < 0)
        return error_wrap(err, "recording the first progress");
    return 0;
}

static int inherit(struct inheriting *i, struct error *err)
{
    struct origin *origin = i->ends.r.origin;
    if (ensure_topics(i, err) < 0 ||
        relay_take_over(&i->ends.r, &i->publisher, &i->found, err) < 0 ||
        check_progress(i, err) < 0 ||
        relay_take_published(&i->ends.r, i->router, &i->published, err) < 0 ||
        origin_look(origin, &i->found.origin, err) < 0 ||
        relay_inherit(origin, &i->found, true, &i->in, err) < 0 || write_progress(i, err) < 0)
        return -1;
    describe(i);
    return 0;
}

int relay_from_debezium(const struct command_options *o, uint64_t commit_lsn, uint64_t event_lsn,
                        struct error *err)
{
    assert(o->config != NULL && o->out != NULL);
    struct inheriting i = {.o = o, .in = {.commit_lsn = commit_lsn, .event_lsn = event_lsn}};
    if (o->config->source.mode != SOURCE_WAL)
        return error_stop(err, REASON_USAGE,
                          "setup: --from-debezium reads the write-ahead log, but the file says "
                          "source.mode: poll");
    command_ends_open(o, &i.ends);
    int result = relay_open_router(o->config, &i.router, err);
    if (result == 0)
        result = relay_check_connection(o->config, err);
    if (result == 0)
        result = origin_connect(i.ends.r.origin, err);
    if (result == 0)
        result = look(&i, err);
    if (result == 0)
        result = inherit(&i, err);
    publisher_close(i.publisher, 0);
    router_close(i.router);
    command_ends_close(&i.ends);
    return result;
}
