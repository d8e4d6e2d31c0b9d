/* recover/doctor_trip: something is written into the log of the database, and seen in Kafka: it
 * went through the log, a relay and a Kafka transaction. A command of walferry.send is answered in
 * the control topic at once. Where there are no commands a logical message is written, which moves
 * the relay's position, and the progress record behind it is waited for; an idle relay writes one
 * when delivery.idle_progress says so. Neither makes an event. */
#include "recover/checks_internal.h"

#include "base/clock.h"
#include "model/topic_name.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TRIP_US (INT64_C(30) * US_PER_S)
#define FOLLOW_MS 100

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
    struct kafka_options kafka;
    int64_t begun_us;
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
               what, TRIP_US / US_PER_S);
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

static int await_answer(const struct trip *t, struct kafka_letters *answers, const char *id,
                        const char *topic, struct error *err)
{
    struct kafka_letter record;
    while (!is_over(t)) {
        int got = kafka_letters_next(answers, &record, err);
        if (got < 0 && err->reason != REASON_BROKER_TIMEOUT)
            return -1;
        *err = ERROR_INIT;
        if (got == 1 && record.key.ptr != NULL && span_equal_text(record.key, id))
            return came(t, topic);
    }
    return not_seen(t, "a command", err);
}

static int by_command(struct trip *t, struct kafka_letters *answers, const char *topic,
                      struct error *err)
{
    struct pg_result *r = NULL;
    char id[24];
    const char *relay = t->c->o->config->name.text;
    t->begun_us = clock_monotonic_us();
    if (pg_query(t->sql, ping_sql, 1, &relay, &r, err) < 0)
        return -1;
    snprintf(id, sizeof id, "%.*s", SPAN_ARG(pg_result_cell(r, 0, 0)));
    pg_result_free(r);
    return await_answer(t, answers, id, topic, err);
}

/* ---- By a message ---- */

static bool is_behind(struct span json, uint64_t lsn)
{
    struct arena arena;
    struct progress record;
    struct error unreadable = ERROR_INIT;
    arena_init(&arena, 4096, 4096);
    bool behind =
        progress_decode(json, &arena, &record, &unreadable) == 0 && record.position.lsn >= lsn;
    arena_fini(&arena);
    return behind;
}

static int by_message(struct trip *t, struct error *err)
{
    struct kafka_follower *follower = NULL;
    struct pg_result *r = NULL;
    struct buf record = BUF_EMPTY;
    uint64_t lsn = 0;
    if (kafka_follow_open(&t->kafka, &follower, err) < 0)
        return -1;
    t->begun_us = clock_monotonic_us();
    int result = pg_query(t->sql, message_sql, 0, NULL, &r, err);
    if (result == 0)
        (void)sscanf(pg_result_cell(r, 0, 0).ptr, "%" SCNu64, &lsn);
    pg_result_free(r);
    bool seen = false;
    while (result == 0 && !seen && !is_over(t))
        seen = kafka_follow_next(follower, FOLLOW_MS, &record) && is_behind(buf_span(&record), lsn);
    if (result == 0)
        result = seen ? came(t, t->kafka.delivery->progress_topic.text)
                      : not_seen(t, "a logical message", err);
    buf_fini(&record);
    kafka_follow_close(follower);
    return result;
}

/* ---- Either ---- */

static int open_sql(struct trip *t, struct error *err)
{
    const char *admin = t->c->options->admin_connection;
    if (admin != NULL)
        return command_open_admin(t->c->o, admin, &t->c->system, &t->sql, err);
    const struct pg_options options = {.connection = t->c->o->config->source.connection.text,
                                       .password_command =
                                           t->c->o->config->source.password_command.arguments,
                                       .application_name = t->c->ends.application,
                                       .stop = t->c->o->stop};
    return pg_open(&options, &t->sql, err);
}

/* NULL: by no command. */
static int open_answers(struct trip *t, char topic[TOPIC_NAME_CONTROL_MAX],
                        struct kafka_letters **answers, struct error *err)
{
    struct pg_result *r = NULL;
    topic_name_control(t->c->o->config->name.text, topic);
    if (pg_query(t->sql, may_ping_sql, 0, NULL, &r, err) < 0)
        return -1;
    bool may = pg_result_rows(r) > 0;
    pg_result_free(r);
    return may ? kafka_letters_open_end(&t->kafka, topic, answers, err) : 0;
}

int doctor_round_trip(struct checking *c, struct error *err)
{
    struct trip t = {.c = c, .kafka = c->ends.ledger.options};
    struct kafka_letters *answers = NULL;
    char topic[TOPIC_NAME_CONTROL_MAX];
    if (!c->options->round_trip) {
        checking_passes_over(c, CHECK_ROUND_TRIP);
        return 0;
    }
    int result = open_sql(&t, err) < 0 || open_answers(&t, topic, &answers, err) < 0 ? -1 : 0;
    if (result == 0)
        result = answers != NULL ? by_command(&t, answers, topic, err) : by_message(&t, err);
    kafka_letters_close(answers);
    pg_close(t.sql);
    return result;
}
