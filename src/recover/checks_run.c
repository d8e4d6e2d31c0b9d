/* recover/checks_run: runs the checks of checks.def: for `check` down to the first one that fails,
 * for `doctor` all that can be asked. Never takes anything over: the coordinator is reached through
 * a probe id, progress is only looked at, no topic is created. What becomes of a result is its
 * reader's business. Those of `doctor` alone stand in doctor_*.c. */
#include "recover/checks_internal.h"

#include "base/waits.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

/* ---- Each ---- */

static int check_properties(struct checking *c, struct error *err)
{
    const struct config_relay *config = c->o->config;
    if (kafka_check_config(&config->kafka, &config->delivery, err) < 0)
        return -1;
    checking_say(c, CHECK_PROPERTIES, "configuration: %s is valid", config->process->path);
    return 0;
}

static bool sends_bytes(const struct config_routes *routes)
{
    for (uint32_t i = 0; i < routes->count; i++)
        if (routes->items[i].value_encoding == VALUE_BYTES)
            return true;
    return false;
}

/* What a database of another encoding means for the events. */
static const char *encoding_note(const struct checking *c)
{
    if (strcmp(c->system.encoding, "UTF8") == 0)
        return "";
    if (strcmp(c->system.encoding, "SQL_ASCII") != 0)
        return ", made UTF-8";
    return sends_bytes(&c->o->config->routes)
               ? ""
               : ": a text that is not UTF-8 cannot be published (routes[].value_encoding: bytes "
                 "sends values as they are)";
}

static int check_origin(struct checking *c, struct error *err)
{
    struct origin *origin = c->ends.r.origin;
    const struct pg_system *system = &c->system;
    if (origin->ops->probe(origin, &c->system, err) < 0)
        return -1;
    checking_say(c, CHECK_ORIGIN, "database: %s, PostgreSQL %d, reached as %s, encoding %s%s",
                 system->database, system->server_version / 10000, system->user, system->encoding,
                 encoding_note(c));
    return 0;
}

static int check_tables(struct checking *c, struct error *err)
{
    if (origin_check(c->ends.r.origin, &c->system, c->router, false, err) < 0)
        return -1;
    const char *advice = c->ends.r.origin->advice;
    c->checks->results[CHECK_POLLED].state = advice[0] != '\0' ? CHECK_WARNED : CHECK_NOT_RUN;
    if (advice[0] != '\0')
        checking_say(c, CHECK_POLLED, "warning: %s", advice);
    if (c->o->config->source.mode == SOURCE_POLL)
        checking_say(c, CHECK_TABLES,
                     "tables: the routed tables have what the routes and polling need");
    else
        checking_say(
            c, CHECK_TABLES,
            "publication: %s sends the routed tables, with the columns that the routes need",
            c->o->config->source.publication.text);
    return 0;
}

/* Without the table nobody can send any, which is as well. */
static int check_commands(struct checking *c, struct error *err)
{
    struct found_commands commands;
    struct check_result *result = &c->checks->results[CHECK_COMMANDS];
    if (relay_look_for_commands(c->ends.r.origin->sql, &commands, err) < 0)
        return -1;
    c->commands = commands.present;
    if (!commands.present || commands.readable)
        return 0;
    result->state = CHECK_WARNED;
    checking_say(c, CHECK_COMMANDS,
                 "warning: the relay cannot read walferry.command, so commands to it are ignored: "
                 "GRANT USAGE ON SCHEMA walferry TO %s; GRANT SELECT ON walferry.command TO %s;",
                 commands.role, commands.role);
    return 0;
}

static int check_coordinator(struct checking *c, struct error *err)
{
    if (kafka_probe(&c->ends.ledger.options, err) < 0)
        return -1;
    checking_say(c, CHECK_COORDINATOR, "kafka: broker and transaction coordinator reached");
    return 0;
}

/* Answers CHECK_COMMANDS by the way: a relay runs without their topic. */
static int check_control(struct checking *c, struct error *err)
{
    if (!c->commands || kafka_prepare_control(&c->ends.ledger.options, NULL, err) == 0)
        return 0;
    if (err->kind == ERROR_RETRY)
        return -1;
    bool comes = err->reason == REASON_TOPIC_MISSING && c->o->config->delivery.topics.create;
    if (!comes && c->checks->results[CHECK_COMMANDS].state != CHECK_WARNED) {
        c->checks->results[CHECK_COMMANDS].state = CHECK_WARNED;
        checking_say(c, CHECK_COMMANDS, "warning: commands to the relay will not be answered: %s",
                     err->text);
    }
    *err = ERROR_INIT;
    return 0;
}

/* Answers CHECK_REPLICATION by the way. */
static int check_topics(struct checking *c, struct error *err)
{
    struct check_result *replication = &c->checks->results[CHECK_REPLICATION];
    struct buf weak = BUF_EMPTY;
    int result = relay_prepare_topics(&c->ends.ledger.options, c->router, false, &weak, NULL, err);
    if (result < 0 && err->reason == REASON_TOPIC_MISSING && c->o->config->delivery.topics.create) {
        checking_say(c, CHECK_TOPICS, "topics: some do not exist yet; setup and run create them");
        *err = ERROR_INIT;
        result = 0;
    } else if (result == 0) {
        checking_say(c, CHECK_TOPICS, "topics: in place");
    }
    replication->state = result == 0 && weak.len > 0 ? CHECK_WARNED : CHECK_NOT_RUN;
    if (replication->state == CHECK_WARNED)
        checking_say(c, CHECK_REPLICATION, "warning: %s", buf_text(&weak));
    buf_fini(&weak);
    return result < 0 ? -1 : check_control(c, err);
}

static int check_progress(struct checking *c, struct error *err)
{
    struct found found;
    if (relay_look(&c->ends.r, &found, err) < 0)
        return -1;
    if (relay_judge(&c->ends.r, true, &found, err) == 0) {
        struct published published;
        const struct published_options options = {.router = c->router,
                                                  .source = &c->o->config->source};
        if (relay_check_published(&c->ends.r, &options, &found, &published, err) < 0)
            return -1;
        char position[LSN_TEXT_MAX];
        checking_say(c, CHECK_PROGRESS, "progress: at %s, %s can go on from there",
                     lsn_format(found.progress.position.lsn, position), c->ends.r.origin->name);
        return 0;
    }
    if (err->reason != REASON_NOT_SET_UP && err->reason != REASON_CLOSED)
        return -1;
    struct buf advice = BUF_EMPTY;
    error_advice(err, c->o->log->as, &advice);
    checking_say(c, CHECK_PROGRESS, "progress: none yet; %s", buf_text(&advice));
    buf_fini(&advice);
    *err = ERROR_INIT;
    return 0;
}

static int run(struct checking *c, enum check_id id, struct error *err)
{
    if (check_table[id].asker == CHECK_DOCTOR)
        return doctor_check(c, id, err);
    switch (id) {
    case CHECK_ROUTES:
        return relay_open_router(c->o->config, &c->router, err);
    case CHECK_CONNECTION:
        return relay_check_connection(c->o->config, err);
    case CHECK_PROPERTIES:
        return check_properties(c, err);
    case CHECK_SESSION:
        return origin_connect(c->ends.r.origin, err);
    case CHECK_ORIGIN:
        return check_origin(c, err);
    case CHECK_TABLES:
        return check_tables(c, err);
    case CHECK_COMMANDS:
        return check_commands(c, err);
    case CHECK_CLAIMS:
        return relay_check_claims(c->ends.r.origin->sql, c->o->config, err);
    case CHECK_RETENTION:
        return relay_check_retention(c->ends.r.origin->sql, c->o->config, err);
    case CHECK_COORDINATOR:
        return check_coordinator(c, err);
    case CHECK_TOPICS:
        return check_topics(c, err);
    case CHECK_PROGRESS:
        return check_progress(c, err);
    default:
        return 0; /* polled: the tables have told; replication: the topics have */
    }
}

/* ---- All ---- */

/* What `doctor` alone looks at may warn with an error, which has the mend. */
static void file_result(struct check_result *result, const struct check_info *info, int ran,
                        const struct error *err)
{
    if (ran < 0) {
        bool warns = info->level == CHECK_WARNS && err->kind != ERROR_RETRY;
        assert(!warns || info->asker == CHECK_DOCTOR);
        result->state = warns ? CHECK_WARNED : CHECK_FAILED;
        result->err = *err;
    } else if (result->state == CHECK_NOT_RUN) {
        result->state = CHECK_PASSED;
    }
}

/* Which of those that must stand before it does not; CHECK_COUNT: none. */
static enum check_id find_blocker(const struct checks *checks, enum check_id id)
{
    for (enum check_id before = 0; before < id; before++) {
        enum check_state state = checks->results[before].state;
        if ((check_table[id].after & (UINT64_C(1) << before)) != 0 &&
            (state == CHECK_NOT_RUN || state == CHECK_FAILED))
            return before;
    }
    return CHECK_COUNT;
}

static int run_all(struct checking *c, enum check_asker asker, struct error *err)
{
    for (enum check_id id = 0; id < CHECK_COUNT; id++) {
        const struct check_info *info = &check_table[id];
        if (info->asker > asker)
            continue;
        struct check_result *result = &c->checks->results[id];
        result->blocker = asker == CHECK_DOCTOR ? find_blocker(c->checks, id) : CHECK_COUNT;
        if (result->blocker != CHECK_COUNT)
            continue;
        waits_phase(log_waits(c->o->log), "check %s", info->slug);
        int ran = run(c, id, err);
        waits_phase(log_waits(c->o->log), "%s", "");
        file_result(result, info, ran, err);
        if (ran < 0 && asker != CHECK_DOCTOR)
            return -1;
        *err = ERROR_INIT;
    }
    return 0;
}

int relay_run_checks(const struct command_options *o, const struct checks_options *options,
                     struct checks *checks, struct error *err)
{
    assert(o->config != NULL && checks != NULL);
    struct checking c = {
        .o = o, .options = options, .delivery = o->config->delivery, .checks = checks};
    memset(checks, 0, sizeof *checks);
    command_ends_open(o, &c.ends);
    c.delivery.topics.create = false;
    c.ends.ledger.options.delivery = &c.delivery;
    int result = run_all(&c, options->asker, err);
    router_close(c.router);
    command_ends_close(&c.ends);
    return result;
}
