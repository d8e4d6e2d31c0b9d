/* recover/doctor_trip: something is written into the log of the database, and seen in Kafka: it
 * went through the log, a relay and a Kafka transaction. A command of walferry.send is answered in
 * the control topic at once. Where the relay takes no commands a logical message is written, which
 * moves its position, and the progress record behind it is waited for; an idle relay writes one
 * when delivery.idle_progress says so. Neither makes an event.
 *
 * Only what comes behind the end that a topic had before counts: older records may be of another
 * server, whose log was longer. */
#include "recover/checks_internal.h"

#include "base/clock.h"
#include "model/topic_name.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TRIP_US (INT64_C(30) * US_PER_S)

static const char ping_sql[] = "SELECT walferry.send($1, '{\"do\": \"ping\"}')";
static const char may_ping_sql[] =
    "SELECT FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace "
    "WHERE n.nspname = 'walferry' AND p.proname = 'send' "
    "AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') "
    "AND pg_catalog.has_function_privilege(p.oid, 'EXECUTE')";
/* Relays count messages of this prefix and do nothing else. */
static const char message_sql[] =
    "SELECT (pg_logical_emit_message(true, 'walferry', '{\"v\":1,\"probe\":true}') - "
    "'0/0')::bigint";

struct trip {
    struct checking *c;
    struct pg_connection *sql;
    int64_t begun_us;
    char id[80];  /* the key of what is waited for */
    uint64_t lsn; /* of the message */
};

static bool is_over(const struct trip *t)
{
    const atomic_bool *stop = t->c->o->stop;
    return clock_monotonic_us() - t->begun_us > TRIP_US || (stop != NULL && atomic_load(stop));
}

static int not_seen(const struct trip *t, const char *what, struct error *err)
{
    error_stop(err, REASON_FINDING,
               "%s was written to the database, and has not come through in %" PRId64
               " s: is the relay running?",
               what, (clock_monotonic_us() - t->begun_us) / US_PER_S);
    if (t->c->sight.active)
        return error_hint(err, "its log and its /status say what holds it up");
    error_hint(err, "start its service, or");
    return error_mend(err, "run");
}

static int came(const struct trip *t, const char *through)
{
    checking_say(t->c, CHECK_ROUND_TRIP, "%.1f ms, from the database through the relay to topic %s",
                 (double)(clock_monotonic_us() - t->begun_us) / (double)US_PER_MS, through);
    return 0;
}

/* ---- By a command ---- */

static bool is_answer(const struct trip *t, const struct kafka_letter *record)
{
    return record->key.ptr != NULL && span_equal_text(record->key, t->id);
}

static int send_command(struct trip *t, struct error *err)
{
    struct pg_result *r = NULL;
    const char *relay = t->c->o->config->name.text;
    if (pg_query(t->sql, ping_sql, 1, &relay, &r, err) < 0)
        return -1;
    snprintf(t->id, sizeof t->id, "%.*s", SPAN_ARG(pg_result_cell(r, 0, 0)));
    pg_result_free(r);
    return 0;
}

/* ---- By a message ---- */

static bool is_behind(const struct trip *t, const struct kafka_letter *letter)
{
    struct arena arena;
    struct progress record;
    struct error unreadable = ERROR_INIT;
    if (letter->key.ptr == NULL || letter->value.ptr == NULL ||
        !span_equal_text(letter->key, t->id))
        return false;
    arena_init(&arena, 4096, 4096);
    bool behind = progress_decode(letter->value, &arena, &record, &unreadable) == 0 &&
                  record.position.lsn >= t->lsn;
    arena_fini(&arena);
    return behind;
}

static int send_message(struct trip *t, struct error *err)
{
    struct pg_result *r = NULL;
    progress_key(t->c->o->config->name.text, 0, t->id);
    if (pg_query(t->sql, message_sql, 0, NULL, &r, err) < 0)
        return -1;
    (void)sscanf(pg_result_cell(r, 0, 0).ptr, "%" SCNu64, &t->lsn);
    pg_result_free(r);
    return 0;
}

/* ---- Either way ---- */

struct way {
    const char *what;
    int (*send)(struct trip *t, struct error *err);
    bool (*has_come)(const struct trip *t, const struct kafka_letter *record);
};

static const struct way by_command = {"a command", send_command, is_answer};
static const struct way by_message = {"a logical message", send_message, is_behind};

static int travel(struct trip *t, const struct way *way, struct kafka_letters *from,
                  const char *topic, struct error *err)
{
    struct kafka_letter record;
    t->begun_us = clock_monotonic_us();
    if (way->send(t, err) < 0)
        return -1;
    while (!is_over(t)) {
        int got = kafka_letters_next(from, &record, err);
        if (got < 0 && err->reason != REASON_BROKER_TIMEOUT)
            return -1;
        *err = ERROR_INIT;
        if (got == 1 && way->has_come(t, &record))
            return came(t, topic);
    }
    return not_seen(t, way->what, err);
}

static int open_sql(struct trip *t, struct error *err)
{
    const char *admin = t->c->options->admin_connection;
    if (admin != NULL)
        return command_open_admin(t->c->o, admin, &t->c->system, &t->sql, err);
    const struct pg_options options = {.connection = t->c->o->config->source.connection.text,
                                       .password_command =
                                           t->c->o->config->source.password_command.arguments,
                                       .application_name = t->c->ends.application,
                                       .stop = t->c->o->stop,
                                       .waits = log_waits(t->c->o->log)};
    return pg_open(&options, &t->sql, err);
}

/* May somebody with the rights of this session send commands, and does the relay take them? */
static int takes_commands(const struct trip *t, bool *takes, struct error *err)
{
    struct pg_result *r = NULL;
    const struct checking *c = t->c;
    *takes = c->commands && c->checks->results[CHECK_COMMANDS].state == CHECK_PASSED;
    if (!*takes)
        return 0;
    if (pg_query(t->sql, may_ping_sql, 0, NULL, &r, err) < 0)
        return -1;
    *takes = pg_result_rows(r) > 0;
    pg_result_free(r);
    return 0;
}

/* Without a topic of answers by a message: it comes with the first one. */
static int go(struct trip *t, struct kafka_letters **from, struct error *err)
{
    char control[TOPIC_NAME_CONTROL_MAX];
    const struct kafka_options *kafka = &t->c->ends.ledger.options;
    const char *progress = kafka->delivery->progress_topic.text;
    bool takes;
    topic_name_control(t->c->o->config->name.text, control);
    if (open_sql(t, err) < 0 || takes_commands(t, &takes, err) < 0 ||
        (takes && kafka_letters_open_end(kafka, control, from, err) < 0))
        return -1;
    if (*from != NULL)
        return travel(t, &by_command, *from, control, err);
    if (kafka_letters_open_end(kafka, progress, from, err) < 0)
        return -1;
    if (*from != NULL)
        return travel(t, &by_message, *from, progress, err);
    error_stop(err, REASON_FINDING, "there is no topic %s: no relay has run with this file yet",
               progress);
    error_hint(err, "start its service with --setup, or");
    return error_mend(err, "run --setup");
}

int doctor_round_trip(struct checking *c, struct error *err)
{
    struct trip t = {.c = c};
    struct kafka_letters *from = NULL;
    if (!c->options->round_trip) {
        checking_passes_over(c, CHECK_ROUND_TRIP);
        return 0;
    }
    int result = go(&t, &from, err);
    kafka_letters_close(from);
    pg_close(t.sql);
    return result;
}
