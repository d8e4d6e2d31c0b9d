/* sim/sim_source: the real stream core over the model server, as source/stream_source is over pg/.
 * I1 is checked here, on the bytes of every status update. */
#include "world.h"

#include "pgoutput_encoder.h"
#include "recover/origin_wal_internal.h"

#include <stdlib.h>

struct sim_source {
    struct source base;
    struct world *world;
    struct stream *stream;
    struct buf current;
    struct position confirmed;
    bool reading; /* next was called since the last tick */
    struct sent_command command;
    char command_text[60];
    struct change held; /* a command whose row was asked for and is not answered yet */
    bool holding;
};

static void send_status(struct sim_source *s, bool due_only)
{
    struct world *w = s->world;
    struct buf out = BUF_EMPTY;
    int64_t wall_us = WALL_US + w->now_us;
    if (!due_only)
        stream_status_now(s->stream, w->now_us, wall_us, &out);
    else if (!stream_status(s->stream, w->now_us, wall_us, &out)) {
        buf_fini(&out);
        return;
    }
    struct standby_status status;
    if (!read_status(buf_span(&out), &status))
        world_fail(w, "a status update cannot be read");
    struct position progress = model_kafka_progress(&w->kafka);
    if (status.flush_lsn > progress.lsn || status.apply_lsn > progress.lsn)
        world_fail(w, "I1: a status update confirms more than committed progress");
    model_pg_confirm(&w->pg, status.flush_lsn);
    buf_fini(&out);
}

/* Bytes of a large message keep coming over a slow link. */
static void listen_to_parts(struct sim_source *s, int64_t now_us)
{
    if (!model_pg_arriving(&s->world->pg))
        return;
    stream_heard(s->stream, now_us);
    s->base.data_us = now_us;
}

/* As source_commands does: of whom the message is, and whether its transaction has sent that. An
 * answer takes its time. */
static bool look_up(struct sim_source *s, struct change *change)
{
    struct world *w = s->world;
    if (change->op != CHANGE_MESSAGE || !change->message.transactional)
        return true;
    if (random_once_in(&w->random, 3)) {
        s->held = *change;
        s->holding = true;
        return false;
    }
    char body[40];
    unsigned id = 0;
    snprintf(body, sizeof body, "%.*s", SPAN_ARG(change->message.content));
    if (sscanf(body, "{\"v\":1,\"id\":%u}", &id) != 1)
        world_fail(w, "a message of a command cannot be read");
    bool sent = workload_has_command(&w->pg.work, change->xid, change->id.ordinal, id);
    s->command = (struct sent_command){id, sent ? COMMAND_ROW : COMMAND_NO_ROW,
                                       sent ? span_of(sim_command_text(w, id, s->command_text))
                                            : span_null()};
    change->message.command = &s->command;
    return true;
}

static enum step answer(struct sim_source *s, struct change *change)
{
    *change = s->held;
    s->holding = false;
    return look_up(s, change) ? STEP_DONE : STEP_WAIT;
}

static enum step sim_next(struct source *base, int64_t now_us, struct change *change,
                          struct error *err)
{
    struct sim_source *s = (struct sim_source *)base;
    if (s->holding) {
        s->base.data_us = now_us;
        return answer(s, change);
    }
    for (int i = 0; i < 100; i++) {
        listen_to_parts(s, now_us);
        if (stream_next(s->stream, change) == 1)
            return look_up(s, change) ? STEP_DONE : STEP_WAIT;
        buf_reset(&s->current);
        s->reading = true;
        if (random_once_in(&s->world->random, 6) || !model_pg_send(&s->world->pg, &s->current))
            return 0;
        s->base.data_us = now_us;
        if (stream_feed(s->stream, buf_span(&s->current), now_us, err) < 0)
            return -1;
    }
    return 0;
}

static void sim_wait(struct source *base, int *fd, int64_t *deadline_us)
{
    struct sim_source *s = (struct sim_source *)base;
    *fd = 0; /* nobody sleeps here; without one it would be a nap */
    *deadline_us = stream_deadline(s->stream);
}

static int sim_tick(struct source *base, int64_t now_us, struct error *err)
{
    struct sim_source *s = (struct sim_source *)base;
    /* Only bytes that nobody has read yet are heard here, as in stream_source; the model server is
     * never silent unless it is a slow one. */
    if (s->world->slow.kind == SLOW_NONE || !s->reading)
        stream_heard(s->stream, now_us);
    s->reading = false;
    send_status(s, true);
    if (!s->world->pg.connected)
        return error_retry(err, REASON_CONNECTION_LOST, "the connection was lost");
    return stream_tick(s->stream, now_us, err);
}

static void sim_confirm(struct source *base, struct position committed, struct span resume)
{
    struct sim_source *s = (struct sim_source *)base;
    (void)resume;
    s->confirmed = committed;
    stream_confirm(s->stream, committed);
}

static void sim_report(const struct source *base, struct source_status *status)
{
    status->received_lsn = stream_received_lsn(((const struct sim_source *)base)->stream);
    status->confirmed = ((const struct sim_source *)base)->confirmed;
}

static void sim_close(struct source *base, int64_t deadline_us)
{
    struct sim_source *s = (struct sim_source *)base;
    if (deadline_us > 0 && s->world->pg.connected)
        send_status(s, false);
    stream_close(s->stream);
    buf_fini(&s->current);
    free(s);
}

static const struct source_ops sim_ops = {.name = "sim",
                                          .next = sim_next,
                                          .wait = sim_wait,
                                          .tick = sim_tick,
                                          .confirm = sim_confirm,
                                          .report = sim_report,
                                          .close = sim_close};

struct source *sim_source_open(struct world *w)
{
    struct sim_source *s = calloc(1, sizeof *s);
    s->base.ops = &sim_ops;
    s->world = w;
    s->confirmed = w->progress.position;
    struct stream_witness witness = wal_witness(&w->progress, w->pg.confirmed_lsn);
    struct stream_options options = {.start = w->progress.position,
                                     .witness = witness,
                                     .partial = w->progress.partial,
                                     .server_timeout_us = 60000000,
                                     .patience = w->lessons.patience,
                                     .now_us = w->now_us};
    s->stream = stream_open(&options);
    model_pg_start(&w->pg, witness.from_lsn != 0 ? witness.from_lsn : w->progress.position.lsn);
    return &s->base;
}
