/* operate/skip: one change is passed over once. The wish is recorded in progress, so that it is
 * heeded by whoever opens the relay next and forgotten once the position is behind it. */
#include "operate/command.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int parse_id(const char *id, struct skip *skip, uint64_t *system_identifier, uint32_t *event,
                    struct error *err)
{
    if (change_id_parse(id, system_identifier, &skip->id, event))
        return 0;
    error_stop(err, REASON_BAD_ID, "%s is not a walferry-id", id);
    return error_hint(err,
                      "it reads <system identifier>-<16 hexadecimal digits>-<ordinal>, or of "
                      "polling <system identifier>-x<xid>[t<oid>]-<seq>, as in the log line that "
                      "names the change");
}

/* A name that no route has would never be heeded. */
static int take_route(const struct config_routes *routes, const char *route, struct skip *skip,
                      struct error *err)
{
    if (route == NULL)
        return 0;
    for (uint32_t i = 0; i < routes->count; i++) {
        if (strcmp(routes->items[i].name.text, route) != 0)
            continue;
        assert(strlen(route) < sizeof skip->route);
        snprintf(skip->route, sizeof skip->route, "%s", route);
        return 0;
    }
    error_stop(err, REASON_USAGE, "there is no route %s in the file", route);
    return error_hint(err, "name one of the file's routes, or none for all of them");
}

static void say_done(const struct command_options *o, const struct skip *skip, const char *id,
                     uint32_t event)
{
    if (event > 1)
        command_say(o->out, "note: .%" PRIu32 " names an event; what is passed over is the change",
                    event);
    if (skip->route[0] != '\0')
        command_say(o->out, "%s will be passed over by route %s", id, skip->route);
    else
        command_say(o->out, "%s will be passed over", id);
}

static bool is_behind(const struct skip *skip, const struct progress *p)
{
    if (change_id_is_claimed(skip->id))
        return claim_resume_has(p->resume, skip->id);
    return skip->id.kind == CHANGE_ID_POLL ? poll_resume_sees(p->resume, skip->id.xid)
                                           : skip->id.final_lsn < p->position.lsn;
}

static int check_record(const struct command_options *o, const struct found *found,
                        uint64_t system_identifier, const struct skip *skip, struct error *err)
{
    const struct progress *p = &found->progress;
    if (!found_begun(found))
        return error_stop(err, REASON_NOT_SET_UP, "relay %s has no progress", o->config->name.text);
    if (p->system_identifier != system_identifier)
        return error_stop(err, REASON_BAD_ID,
                          "that change is of the database system %" PRIu64 ", progress is of "
                          "%" PRIu64,
                          system_identifier, p->system_identifier);
    struct claim_record claims;
    bool claimed = p->mode == PROGRESS_POLL && claim_resume_read(p->resume, &claims);
    if (change_id_is_polled(skip->id) != (p->mode == PROGRESS_POLL) ||
        change_id_is_claimed(skip->id) != claimed)
        return error_stop(err, REASON_BAD_ID,
                          "that change was not met in the way in which the relay reads now (%s)",
                          progress_mode_name(p->mode));
    char at[LSN_TEXT_MAX];
    if (is_behind(skip, p))
        return error_stop(
            err, REASON_ALREADY_BEHIND,
            "progress stands at %s, behind that change: there is nothing to pass over",
            lsn_format(p->position.lsn, at));
    if (p->skip_count == PROGRESS_SKIPS_MAX)
        return error_stop(err, REASON_TOO_MANY_SKIPS,
                          "%d changes are to be passed over already; let the relay run first",
                          PROGRESS_SKIPS_MAX);
    return 0;
}

struct skipping {
    const struct recovery *ends;
    const struct skip *skip;
};

static int write_skip(void *of, struct error *err)
{
    const struct skipping *s = of;
    struct publisher *publisher = NULL;
    struct found found;
    struct progress *progress = &found.progress;
    int result = relay_take_over(s->ends, &publisher, &found, err);
    if (result == 0 && (!found.have_progress || progress->skip_count == PROGRESS_SKIPS_MAX))
        result = error_retry(err, REASON_SKIP_RACED, "progress changed while it was looked at");
    if (result == 0) {
        progress->skips[progress->skip_count++] = *s->skip;
        progress->generation++;
        relay_instance(progress->instance);
        result = relay_write_record(s->ends, publisher, progress, span_null(), err);
    }
    publisher_close(publisher, 0);
    return result;
}

int relay_skip(const struct command_options *o, const char *id, const char *route,
               struct error *err)
{
    assert(o->config != NULL && id != NULL);
    struct skip skip = {.route = ""};
    uint64_t system_identifier = 0;
    uint32_t event = 1;
    if (parse_id(id, &skip, &system_identifier, &event, err) < 0 ||
        take_route(&o->config->routes, route, &skip, err) < 0)
        return -1;
    struct command_ends ends;
    struct found found;
    command_ends_open(o, &ends);
    struct skipping skipping = {&ends.r, &skip};
    int result = relay_look(&ends.r, &found, err);
    if (result == 0)
        result = check_record(o, &found, system_identifier, &skip, err);
    if (result == 0)
        result = command_claim_until(write_skip, &skipping, err);
    if (result == 0)
        say_done(o, &skip, id, event);
    command_ends_close(&ends);
    return result;
}
