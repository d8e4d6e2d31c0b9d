/* operate/check: the configuration alone, or against the servers. Never takes anything over: the
 * coordinator is reached through a probe id, progress is only looked at, no topic is created. */
#include "operate/command.h"

#include <assert.h>
#include <string.h>

struct check {
    const struct command_options *o;
    struct command_ends ends;
    struct config_delivery delivery; /* a copy that creates no topics */
    struct router *router;
};

static int check_database(struct check *c, struct error *err)
{
    struct origin *origin = c->ends.r.origin;
    struct pg_system system;
    if (origin->ops->probe(origin, &system, err) < 0)
        return -1;
    command_say(c->o->out, "database: %s, PostgreSQL %d, reached as %s", system.database,
                system.server_version / 10000, system.user);
    if (origin_check(origin, &system, c->router, false, err) < 0)
        return -1;
    command_say(c->o->out,
                "publication: %s sends the routed tables, with the columns that the routes need",
                c->o->config->source.publication.text);
    return 0;
}

static int check_topics(struct check *c, struct error *err)
{
    struct buf weak = BUF_EMPTY;
    int result = relay_prepare_topics(&c->ends.ledger.options, c->router, false, &weak, err);
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
    struct found found;
    if (relay_look(&c->ends.r, &found, err) < 0)
        return -1;
    if (relay_judge(&c->ends.r, true, &found, err) == 0) {
        char position[LSN_TEXT_MAX];
        command_say(c->o->out, "progress: at %s, %s can go on from there",
                    lsn_format(found.progress.position.lsn, position), c->ends.r.origin->name);
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
    if (origin_connect(c->ends.r.origin, err) < 0 || check_database(c, err) < 0)
        return -1;
    if (kafka_probe(&c->ends.ledger.options, err) < 0)
        return -1;
    command_say(c->o->out, "kafka: broker and transaction coordinator reached");
    return check_topics(c, err) < 0 ? -1 : check_progress(c, err);
}

int relay_check(const struct command_options *o, bool connect, struct error *err)
{
    assert(o->config != NULL && o->out != NULL);
    struct check c = {.o = o, .delivery = o->config->delivery};
    c.delivery.topics.create = false;
    command_ends_open(o, &c.ends);
    c.ends.ledger.options.delivery = &c.delivery;
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
    router_close(c.router);
    command_ends_close(&c.ends);
    return result;
}
