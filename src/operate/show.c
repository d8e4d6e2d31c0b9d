/* operate/show: live events for a person: the real stream, router and encoders, and no broker.
 *
 * What it reads through is its own and goes with it. Nothing is published, recorded or confirmed
 * for the relay, so nothing here can lose or repeat an event. */
#include "operate/operate.h"

#include "base/clock.h"
#include "encode/encode.h"
#include "operate/say_event.h"
#include "route/route.h"
#include "source/source.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>

#define CHUNK_BYTES (64 * (size_t)1024)
#define STEP_CHANGES_MAX 1000

struct show {
    const struct command_options *o;
    struct router *router;
    struct encoders *encoders;
    struct source *source;
    struct arena scratch; /* of a change */
    struct event_teller teller;
    bool said; /* the change at hand has its line */
};

static int open_all(struct show *s, struct pg_system *system, struct error *err)
{
    const struct command_options *o = s->o;
    if (o->config->source.mode == SOURCE_POLL) {
        error_stop(err, REASON_USAGE,
                   "--publisher stdout reads the write-ahead log, and this relay "
                   "polls (source.mode: poll)");
        return error_hint(err, "read the topics, or try the routes with check --sample");
    }
    if (relay_open_router(o->config, &s->router, err) < 0 ||
        relay_check_connection(o->config, err) < 0 ||
        relay_live(o, s->router, system, &s->source, err) < 0)
        return -1;
    const struct encoders_options encoding = {.routes = &o->config->routes,
                                              .system_identifier = system->system_identifier,
                                              .id_header = o->config->delivery.id_header.text,
                                              .database = system->database};
    return encoders_open(&encoding, &s->encoders, err);
}

int relay_show_open(const struct command_options *o, struct show **show, struct error *err)
{
    struct pg_system system;
    struct show *s = calloc(1, sizeof *s);
    assert(o != NULL && show != NULL);
    if (s == NULL)
        abort();
    s->o = o;
    arena_init(&s->scratch, CHUNK_BYTES, CHUNK_BYTES);
    s->teller = (struct event_teller){o->out, &o->config->routes, &s->scratch};
    if (open_all(s, &system, err) < 0) {
        relay_show_close(s);
        return -1;
    }
    command_say(o->out,
                "what is committed from now on, as it would be published; nothing is published, "
                "recorded or confirmed");
    *show = s;
    return 0;
}

/* ---- One change ---- */

static void say_change(struct show *s, const struct change *change)
{
    static const char *const names[] = {[CHANGE_INSERT] = "insert",
                                        [CHANGE_UPDATE] = "update",
                                        [CHANGE_DELETE] = "delete",
                                        [CHANGE_TRUNCATE] = "truncate",
                                        [CHANGE_MESSAGE] = "message"};
    char lsn[LSN_TEXT_MAX];
    if (s->said)
        return;
    s->said = true;
    lsn_format(change->position.lsn, lsn);
    if (change->op == CHANGE_MESSAGE)
        command_say(s->o->out, "message %.*s, xid %" PRIu32 ", behind %s",
                    SPAN_ARG(change->message.prefix), change->xid, lsn);
    else
        command_say(s->o->out, "%s %.*s.%.*s, xid %" PRIu32 ", behind %s", names[change->op],
                    SPAN_ARG(change->relation->schema), SPAN_ARG(change->relation->name),
                    change->xid, lsn);
}

static int take_event(struct show *s, const struct event *event, struct error *err)
{
    struct message message = {.partition = -1};
    int got = encode_message(s->encoders, event, &s->scratch, &message, err);
    assert(got != ENCODE_AGAIN); /* no encoder waits for anything outside */
    if (got < 0)
        return -1;
    event_say(&s->teller, &message);
    return 0;
}

static int take_events(struct show *s, const struct change *change, struct error *err)
{
    for (;;) {
        struct event event = {.change = NULL};
        int got = router_next(s->router, &event, err);
        if (got == 0)
            return 0;
        if (got < 0 && err->kind != ERROR_DATA)
            return -1;
        say_change(s, change);
        if (got > 0 && take_event(s, &event, err) == 0)
            continue;
        event_say_failure(&s->teller, event.route, err);
        *err = ERROR_INIT;
    }
}

static int take_change(struct show *s, const struct change *change, struct error *err)
{
    switch (change->op) {
    case CHANGE_BEGIN:
        return 0;
    case CHANGE_COMMIT:
    case CHANGE_MARK:
        /* Of what is its own, so that no write-ahead log is kept for it. */
        source_confirm(s->source, change->position, span_null());
        return 0;
    default:
        break;
    }
    s->said = false;
    arena_reset(&s->scratch);
    if (router_begin(s->router, change, &s->scratch) != ROUTER_TAKEN)
        return 0;
    return take_events(s, change, err);
}

/* ---- Steps ---- */

static int await(struct show *s, struct error *err)
{
    int fd = -1;
    int64_t now_us = clock_monotonic_us(), deadline_us = now_us + US_PER_S;
    source_wait(s->source, &fd, &deadline_us);
    int64_t wait_us = deadline_us - now_us;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int wait_ms = wait_us <= 0 ? 0 : wait_us > US_PER_S ? 1000 : (int)(wait_us / US_PER_MS) + 1;
    if (poll(&p, 1, wait_ms) < 0 && errno != EINTR)
        return error_retry(err, REASON_DATABASE, "cannot wait for the stream");
    return 0;
}

int relay_show_step(struct show *s, struct error *err)
{
    assert(s != NULL && err != NULL);
    for (int i = 0; i < STEP_CHANGES_MAX; i++) {
        struct change change;
        switch (source_next(s->source, clock_monotonic_us(), &change, err)) {
        case STEP_FAILED:
            return -1;
        case STEP_WAIT:
            return i > 0 ? 0 : await(s, err);
        case STEP_DONE:
            if (take_change(s, &change, err) < 0)
                return -1;
        }
    }
    return 0;
}

void relay_show_close(struct show *s)
{
    if (s == NULL)
        return;
    source_close(s->source, 0);
    encoders_close(s->encoders);
    router_close(s->router);
    arena_fini(&s->scratch);
    free(s);
}
