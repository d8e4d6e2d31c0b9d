/* stream_source: the source around struct stream. Moves bytes between pg/ and the sans-I/O core,
 * tells it the time, and paces the reading.
 *
 * What is read is fed and handed on before the next read, so a payload stays valid while its change
 * is used. Nothing here blocks or sleeps: where a nap is due, wait() says so and the reader's loop
 * sleeps, which needs a timer slack of a few microseconds (PR_SET_TIMERSLACK) and ppoll(2). Knows
 * neither batches nor routes; what may be confirmed is the core's business.
 *
 * Pacing: the walsender sends once for each message. A reader that always empties the socket gets
 * each message as a segment and a wake-up of its own; one that is just slower than the walsender
 * finds the messages gathered, which costs both sides less than half. So in a backlog there is a
 * nap before each read, and none where the stream is idle or nearly so, where it would only add
 * latency. */
#include "source/source.h"

#include "base/clock.h"
#include "pg/pg.h"
#include "source/source_commands.h"
#include "source/source_keys.h"
#include "source/source_types.h"

#include <assert.h>
#include <poll.h>
#include <stdlib.h>

enum {
    /* A backlog is a read that brought much, or small ones whose bytes were there at once. */
    BACKLOG_BYTES = 8 * 1024,
    BACKLOG_GAP_US = 200,
    /* The nap grows while reads come back less than full and shrinks slowly while they are full, so
     * that it settles where we are just slower than the walsender, and at nothing where we are so
     * anyway. libpq reads up to 16 KB at once. */
    FULL_BYTES = 14 * 1024,
    NAP_START_US = 100,
    NAP_MIN_US = 16,
    NAP_MAX_US = 400,
    NAP_GROWTH = 8, /* by 1/8 */
    NAP_DECAY = 32  /* by 1/32 */
};

struct stream_source {
    struct source base; /* first: the ops find us through it */
    struct pg_replication *connection;
    struct stream *stream;
    struct buf status;
    struct position confirmed;
    struct type_lookup lookup;
    struct key_lookup keys;
    struct command_lookup commands;
    struct change held; /* the row, or the command, that waits for a look-up */
    bool holding;
    /* Pacing, in monotonic time. */
    int64_t nap_us;       /* how long a nap is now */
    int64_t nap_until_us; /* no read before it; 0: awake */
    int64_t awake_us;     /* since when the next read might have been */
    int64_t gap_us;       /* from then to the last read */
    size_t filled_bytes;  /* what the last read brought */
    bool reading;         /* next was called last, not tick: the caller has room for changes */
};

static struct stream_source *from_base(struct source *s)
{
    assert(s != NULL);
    return (struct stream_source *)s;
}

/* ---- Status ---- */

static int send_status(struct stream_source *s, int64_t now_us, struct error *err)
{
    buf_reset(&s->status);
    if (!stream_status(s->stream, now_us, clock_wall_us(), &s->status))
        return 0;
    return pg_replication_send(s->connection, buf_span(&s->status), err);
}

/* Bytes that wait in the socket are a sign of life, although nobody has room for them. */
static void listen_for_life(struct stream_source *s, int64_t now_us)
{
    struct pollfd fd = {.fd = pg_replication_fd(s->connection), .events = POLLIN};
    if (poll(&fd, 1, 0) > 0)
        stream_heard(s->stream, now_us);
}

static int tick(struct source *base, int64_t now_us, struct error *err)
{
    struct stream_source *s = from_base(base);
    s->reading = false;
    command_lookup_tick(&s->commands, now_us);
    if (now_us < stream_deadline(s->stream))
        return 0;
    listen_for_life(s, now_us);
    if (stream_tick(s->stream, now_us, err) < 0)
        return -1;
    return send_status(s, now_us, err);
}

/* ---- Reading ---- */

/* The last read is used up: sleep before the next one? */
static bool start_nap(struct stream_source *s, int64_t now_us)
{
    if (s->filled_bytes == 0 || (s->filled_bytes < BACKLOG_BYTES && s->gap_us > BACKLOG_GAP_US))
        return false;
    /* Each message of the walsender is a TLS record of its own and one read gives one record,
     * however many wait: there is nothing to gather. */
    if (pg_replication_encrypted(s->connection))
        return false;
    bool full = s->filled_bytes >= FULL_BYTES;
    if (full)
        s->nap_us -= s->nap_us / NAP_DECAY + 1;
    else
        s->nap_us += s->nap_us / NAP_GROWTH + 1;
    if (s->nap_us > NAP_MAX_US)
        s->nap_us = NAP_MAX_US;
    /* Too short to be worth a system call: full reads then follow each other without a nap. */
    if (s->nap_us < NAP_MIN_US) {
        s->nap_us = full ? 0 : NAP_MIN_US;
        if (full)
            return false;
    }
    s->nap_until_us = now_us + s->nap_us;
    return true;
}

/* libpq's buffer is dry. True: read now; false: there is a nap first. */
static bool may_fill(struct stream_source *s)
{
    int64_t now_us = clock_monotonic_us();
    if (s->nap_until_us == 0) {
        if (s->filled_bytes > 0)
            s->awake_us = now_us;
        if (start_nap(s, now_us)) {
            s->awake_us = s->nap_until_us;
            return false;
        }
    }
    if (now_us < s->nap_until_us)
        return false;
    s->nap_until_us = 0;
    s->gap_us = now_us - s->awake_us;
    s->filled_bytes = 0;
    return true;
}

/* Feeds payloads until one gives a change: 1; libpq's buffer is dry: 0. */
static int drain(struct stream_source *s, int64_t now_us, struct change *change, struct error *err)
{
    for (;;) {
        struct span data;
        int taken = pg_replication_take(s->connection, &data, err);
        if (taken <= 0)
            return taken;
        s->filled_bytes += data.len;
        s->base.data_us = now_us;
        if (stream_feed(s->stream, data, now_us, err) < 0)
            return -1;
        if (stream_next(s->stream, change) > 0)
            return 1;
    }
}

/* 1: all is known that the database tells of the row's table, or of the command; 0: it is being
 * asked. */
static int look_up(struct stream_source *s, struct change *change, int64_t now_us,
                   struct error *err)
{
    const struct relation *relation = change->relation;
    if (relation == NULL && change->repeated)
        return 1;
    if (relation == NULL)
        return command_lookup_step(&s->commands, s->connection, change, now_us, err);
    if (!type_lookup_step(&s->lookup, s->connection, stream_types(s->stream), now_us))
        return 0;
    return key_lookup_step(&s->keys, s->connection, s->stream, relation, now_us, err);
}

/* A row whose table is being looked up stays here. It is valid until the next read, and there is
 * none while it waits. */
static int hold_for_catalogue(struct stream_source *s, int64_t now_us, struct change *change,
                              struct error *err)
{
    if (s->holding)
        *change = s->held;
    int known = look_up(s, change, now_us, err);
    s->holding = known == 0;
    if (known != 0)
        return known;
    s->held = *change;
    s->base.data_us = now_us; /* the database has sent it; we are the slow side */
    return 0;
}

/* Of a large message that is on its way: a slow link is no silence. */
static void listen_to_parts(struct stream_source *s, int64_t now_us)
{
    if (!pg_replication_heard(s->connection))
        return;
    stream_heard(s->stream, now_us);
    s->base.data_us = now_us;
}

static int read_on(struct stream_source *s, int64_t now_us, struct change *change,
                   struct error *err)
{
    int got = drain(s, now_us, change, err);
    if (got != 0 || !may_fill(s))
        return got;
    if (pg_replication_fill(s->connection, err) < 0)
        return -1;
    listen_to_parts(s, now_us);
    return drain(s, now_us, change, err);
}

static enum step next(struct source *base, int64_t now_us, struct change *change, struct error *err)
{
    struct stream_source *s = from_base(base);
    assert(change != NULL && err != NULL);
    s->reading = true;
    int got = s->holding ? 1 : read_on(s, now_us, change, err);
    if (got > 0)
        got = hold_for_catalogue(s, now_us, change, err);
    /* With a change in hand the core may owe an answer already; the silence is looked at in tick.
     */
    if (got >= 0 && now_us >= stream_deadline(s->stream) && send_status(s, now_us, err) < 0)
        return -1;
    return got;
}

static void wait(struct source *base, int *fd, int64_t *deadline_us)
{
    struct stream_source *s = from_base(base);
    assert(fd != NULL && deadline_us != NULL);
    *deadline_us = stream_deadline(s->stream);
    *fd = pg_replication_fd(s->connection);
    /* Without room for changes there is no read to hurry for. */
    if (!s->reading)
        return;
    if (s->holding && command_lookup_waits(&s->commands)) {
        command_lookup_wait(&s->commands, fd, deadline_us);
        return;
    }
    if (s->holding) {
        if (s->keys.question != NULL)
            key_lookup_wait(&s->keys, fd, deadline_us);
        else
            type_lookup_wait(&s->lookup, fd, deadline_us);
        return;
    }
    if (s->nap_until_us != 0)
        *deadline_us = s->nap_until_us;
    else if (pg_replication_pending(s->connection))
        *deadline_us = 0;
    else
        return;
    *fd = -1;
}

/* ---- Confirming and closing ---- */

/* A stream's place is its position alone: it writes no resume. */
static void confirm(struct source *base, struct position committed, struct span resume)
{
    struct stream_source *s = from_base(base);
    (void)resume;
    assert(position_compare(s->confirmed, committed) <= 0);
    s->confirmed = committed;
    stream_confirm(s->stream, committed);
}

static void report(const struct source *base, struct source_status *status)
{
    const struct stream_source *s = (const struct stream_source *)base;
    status->received_lsn = stream_received_lsn(s->stream);
    status->confirmed = s->confirmed;
    status->type_failures = s->lookup.failures;
    status->type_failure = s->lookup.failures > 0 ? &s->lookup.failure : NULL;
}

static void close_source(struct source *base, int64_t deadline_us)
{
    struct stream_source *s = from_base(base);
    int64_t now_us = clock_monotonic_us();
    if (deadline_us > now_us) {
        struct error err = ERROR_INIT; /* the slot is confirmed by the next start at the latest */
        buf_reset(&s->status);
        stream_status_now(s->stream, now_us, clock_wall_us(), &s->status);
        if (pg_replication_send(s->connection, buf_span(&s->status), &err) == 0)
            pg_replication_finish(s->connection, deadline_us);
    }
    type_lookup_fini(&s->lookup);
    key_lookup_fini(&s->keys);
    command_lookup_fini(&s->commands);
    stream_close(s->stream);
    pg_replication_close(s->connection);
    buf_fini(&s->status);
    free(s);
}

static const struct source_ops stream_source_ops = {
    .name = "stream",
    .next = next,
    .wait = wait,
    .tick = tick,
    .confirm = confirm,
    .report = report,
    .close = close_source,
};

int stream_source_open(struct pg_replication *connection, const struct stream_options *options,
                       struct source **source, struct error *err)
{
    assert(connection != NULL && options != NULL);
    assert(source != NULL && err != NULL);
    struct stream_source *s = calloc(1, sizeof *s);
    if (s == NULL)
        abort();
    s->base.ops = &stream_source_ops;
    s->connection = connection;
    s->stream = stream_open(options);
    s->status = BUF_EMPTY;
    type_lookup_init(&s->lookup, options);
    key_lookup_init(&s->keys, options);
    command_lookup_init(&s->commands, options);
    s->confirmed = options->start;
    s->nap_us = NAP_START_US;
    *source = &s->base;
    return 0;
}
