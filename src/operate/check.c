/* operate/check: the configuration alone, or against the servers. Never takes anything over: the
 * coordinator is reached through a probe id, progress is only looked at, no topic is created. */
#include "operate/command.h"

#include <assert.h>
#include <string.h>

struct check {
    const struct command_options *o;
    struct kafka_options kafka;
    struct config_delivery delivery; /* a copy that creates no topics */
    struct arena arena;
    struct router *router;
    struct pg_connection *sql;
};

static int check_database(struct check *c, struct error *err)
{
    const struct config *config = c->o->config;
    struct pg_replication *replication = NULL;
    struct pg_system system;
    if (command_open_replication(c->o, &replication, err) < 0)
        return -1;
    int result = pg_identify(pg_replication_sql(replication), &system, err);
    pg_replication_close(replication);
    if (result < 0)
        return -1;
    if (command_check_wal_level(&system, err) < 0)
        return -1;
    command_say(c->o->out, "database: %s, PostgreSQL %d, reached as %s", system.database,
                system.server_version / 10000, system.user);
    if (relay_check_publication(c->sql, config, c->router, err) < 0)
        return -1;
    command_say(c->o->out,
                "publication: %s sends the routed tables, with the columns that the routes need",
                config->source.publication.text);
    return 0;
}

static int check_topics(struct check *c, struct error *err)
{
    struct buf weak = BUF_EMPTY;
    int result = relay_prepare_topics(&c->kafka, c->router, false, &weak, err);
    if (result < 0 && err->reason == REASON_TOPIC_MISSING && c->o->config->delivery.topics.create) {
        command_say(c->o->out, "topics: some do not exist yet; setup and run create them");
        *err = ERROR_INIT;
        result = 0;
    } else if (result == 0) {
        command_say(c->o->out, "topics: in place");
    }
    if (result == 0 && weak.len > 0)
        command_say(c->o->out, "warning: %s", buf_text(&weak));
    buf_fini(&weak);
    return result;
}

static int check_progress(struct check *c, struct error *err)
{
    struct relay_facts facts;
    bool topic_exists = false;
    if (relay_look(&c->kafka, &c->arena, &facts.progress, &facts.have_progress, &topic_exists,
                   err) < 0)
        return -1;
    if (relay_judge(c->sql, c->o->config, &c->kafka, &c->arena, &facts, err) == 0) {
        char position[LSN_TEXT_MAX];
        command_say(c->o->out, "progress: at %s, slot %s can go on from there",
                    lsn_format(facts.progress.position.lsn, position),
                    c->o->config->source.slot.text);
        return 0;
    }
    if (err->reason != REASON_NOT_SET_UP && err->reason != REASON_CLOSED)
        return -1;
    struct buf advice = BUF_EMPTY;
    error_advice(err, c->o->log->as, &advice);
    command_say(c->o->out, "progress: none yet; %s", buf_text(&advice));
    buf_fini(&advice);
    *err = ERROR_INIT;
    return 0;
}

static int check_servers(struct check *c, struct error *err)
{
    if (command_open_sql(c->o, NULL, &c->sql, err) < 0 || check_database(c, err) < 0)
        return -1;
    if (kafka_probe(&c->kafka, err) < 0)
        return -1;
    command_say(c->o->out, "kafka: broker and transaction coordinator reached");
    return check_topics(c, err) < 0 ? -1 : check_progress(c, err);
}

int relay_check(const struct command_options *o, bool connect, struct error *err)
{
    assert(o->config != NULL && o->out != NULL);
    struct check c = {.o = o, .delivery = o->config->delivery};
    c.delivery.topics.create = false;
    c.kafka = relay_kafka_options(o->config, o->log, o->stop);
    c.kafka.delivery = &c.delivery;
    arena_init(&c.arena, 4096, 4096);
    int result = relay_open_router(o->config, &c.router, err);
    if (result == 0)
        result = relay_check_connection(o->config, err);
    if (result == 0)
        result = kafka_check_config(&o->config->kafka, &o->config->delivery, err);
    if (result == 0)
        command_say(o->out, "configuration: %s is valid", o->config->path);
    if (result == 0 && connect) {
        result = check_servers(&c, err);
        /* The file is good, so whatever is wrong with the servers is the answer to the question. */
        if (result < 0 && err->kind == ERROR_STOP)
            err->exit_code = EXIT_NO;
    }
    pg_close(c.sql);
    router_close(c.router);
    arena_fini(&c.arena);
    return result;
}
