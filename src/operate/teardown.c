/* operate/teardown: fences the relay, drops origin and publication, marks progress closed.
 * Idempotent: what is gone already is passed over. A publication that another relay made stays.
 * Topics with events stay; they belong to their consumers. */
#include "operate/command.h"

#include <assert.h>

static int one_answer(struct pg_connection *sql, const char *statement, const char *parameter,
                      bool *yes, struct error *err)
{
    struct pg_result *result = NULL;
    if (pg_query(sql, statement, 1, &parameter, &result, err) < 0)
        return -1;
    *yes = pg_result_rows(result) == 0 || span_equal(pg_result_cell(result, 0, 0), span_of("t"));
    pg_result_free(result);
    return 0;
}

/* One that is not ours alone stays. */
struct doomed {
    enum router_share share;
    const char *name;
    struct buf left; /* why it stays; empty: it goes */
};

/* Whether the publications can be dropped is asked before anything is: half a teardown would leave
 * a relay that can neither go on nor be set up anew. */
static int check_owner(const struct command_options *o, const struct router *router,
                       struct pg_connection *sql, struct doomed *doomed, struct error *err)
{
    bool may = false;
    if (relay_publication_left(sql, o->config, router, doomed->share, &doomed->left, err) < 0)
        return -1;
    if (doomed->left.len > 0)
        return 0;
    if (one_answer(sql,
                   "SELECT pg_catalog.pg_has_role(pubowner, 'USAGE')"
                   " FROM pg_catalog.pg_publication WHERE pubname = $1",
                   doomed->name, &may, err) < 0)
        return -1;
    if (may)
        return 0;
    error_stop(err, REASON_NO_PRIVILEGE,
               "publication %s belongs to another role; nothing was changed", doomed->name);
    return error_hint(err, "add --admin-connection with a conninfo of its owner, as in "
                           "--admin-connection 'host=db dbname=shop user=owner'");
}

static int drop_publication(const struct command_options *o, struct doomed *doomed,
                            struct pg_connection *sql, struct error *err)
{
    if (doomed->left.len > 0) {
        command_say(o->out, "publication %s: left, because %s", doomed->name,
                    buf_text(&doomed->left));
        return 0;
    }
    struct buf statement = BUF_EMPTY;
    buf_add_text(&statement, "DROP PUBLICATION IF EXISTS ");
    pg_quote_identifier(&statement, span_of(doomed->name));
    int result = pg_exec(sql, buf_text(&statement), err);
    if (result < 0 && err->reason == REASON_NO_PRIVILEGE) {
        error_hint(err, "let its owner run");
        error_mend_sql(err, "%s", buf_text(&statement));
    } else if (result == 0)
        command_say(o->out, "publication %s: dropped", doomed->name);
    buf_fini(&statement);
    return result;
}

static int write_closed(const struct command_options *o, const struct recovery *ends,
                        struct publisher *publisher, const struct found *found, struct error *err)
{
    const struct progress *before = &found->progress;
    if (!found->have_progress || before->mode == PROGRESS_CLOSED)
        return 0;
    struct progress closed;
    command_first_record(o->config, ends->origin, found, true, &closed);
    closed.mode = PROGRESS_CLOSED;
    closed.position = before->position;
    closed.position.seq = 0;
    if (relay_write_record(ends, publisher, &closed, span_null(), err) < 0)
        return error_wrap(err, "closing the progress");
    command_say(o->out, "progress: closed");
    return 0;
}

/* The one of change routes first, as ever. */
static int drop_all(const struct command_options *o, struct doomed *doomed,
                    struct pg_connection *sql, struct error *err)
{
    for (int share = ROUTER_SHARES - 1; share >= 0; share--)
        if (drop_publication(o, &doomed[share], sql, err) < 0)
            return -1;
    return 0;
}

struct claiming {
    const struct recovery *ends;
    struct found *found;
    struct publisher **publisher;
};

static int claim_once(void *of, struct error *err)
{
    const struct claiming *c = of;
    publisher_close(*c->publisher, 0);
    *c->publisher = NULL;
    if (relay_take_over(c->ends, c->publisher, c->found, err) < 0)
        return -1;
    return found_begun(c->found) ? command_claim(c->ends, *c->publisher, c->found, err) : 0;
}

static int claim(const struct recovery *ends, struct found *found, struct publisher **publisher,
                 struct error *err)
{
    struct claiming claiming = {ends, found, publisher};
    return command_claim_until(claim_once, &claiming, err);
}

static int fence(const struct command_options *o, const struct recovery *ends, struct found *found,
                 struct publisher **publisher, struct error *err)
{
    int result = relay_look(ends, found, err);
    if (result == 0 && found->topic_exists) {
        log_event(
            o->log, LOG_WARN, "teardown.taking_over", "relay", o->config->name.text, "detail",
            "an instance of this relay that still runs is fenced now: it ends with exit code 4",
            NULL);
        result = claim(ends, found, publisher, err);
    }
    return result == 0 ? command_release(o, ends->origin, err) : result;
}

/* Of a relay that polls: what a switch has left. */
static int drop_left(const struct command_options *o, const struct found *found, struct error *err)
{
    struct command_options streams = *o;
    struct config_relay config = *o->config;
    struct command_ends ends;
    uint64_t place = 0;
    relay_name_left(&found->progress, &config);
    streams.config = &config;
    command_ends_open(&streams, &ends);
    int result = origin_connect(ends.r.origin, err);
    if (result == 0)
        result = command_release(o, ends.r.origin, err);
    if (result == 0)
        result = origin_prepare(ends.r.origin, ORIGIN_GONE, found, &place, err);
    command_ends_close(&ends);
    return result;
}

static int apply(const struct command_options *o, const struct recovery *ends, struct found *found,
                 struct pg_connection *admin, struct error *err)
{
    struct doomed doomed[ROUTER_SHARES] = {
        [ROUTER_INSERTS] = {ROUTER_INSERTS, o->config->source.publication.text, BUF_EMPTY},
        [ROUTER_CHANGES] = {ROUTER_CHANGES, o->config->source.changes.text, BUF_EMPTY}};
    struct publisher *publisher = NULL;
    struct router *router = NULL;
    uint64_t place = 0;
    bool polls = o->config->source.mode == SOURCE_POLL;
    int result = relay_open_router(o->config, &router, err);
    for (int share = 0; share < ROUTER_SHARES && result == 0 && !polls; share++)
        result = check_owner(o, router, admin, &doomed[share], err);
    if (result == 0)
        result = fence(o, ends, found, &publisher, err);
    if (result == 0)
        result = origin_prepare(ends->origin, ORIGIN_GONE, found, &place, err);
    if (result == 0 && found->have_progress && found->progress.slot_from != 0)
        result = drop_left(o, found, err);
    if (result == 0 && !polls)
        result = drop_all(o, doomed, admin, err);
    if (result == 0)
        result = write_closed(o, ends, publisher, found, err);
    publisher_close(publisher, 0);
    router_close(router);
    for (int share = 0; share < ROUTER_SHARES; share++)
        buf_fini(&doomed[share].left);
    return result;
}

static int tear_down(const struct command_options *o, const struct recovery *ends,
                     const char *admin_connection, struct error *err)
{
    struct pg_connection *admin = NULL;
    struct found found = {.have_progress = false};
    int result = origin_connect(ends->origin, err);
    if (result == 0)
        result = origin_identify(ends->origin, &found.system, err);
    if (result == 0 && admin_connection != NULL)
        result = command_open_admin(o, admin_connection, &found.system, &admin, err);
    if (result == 0)
        result = apply(o, ends, &found, admin != NULL ? admin : ends->origin->sql, err);
    pg_close(admin);
    return result;
}

int relay_teardown(const struct command_options *o, const char *admin_connection, bool do_it,
                   struct error *err)
{
    assert(o->config != NULL && o->out != NULL);
    struct command_ends ends;
    int result = 0;
    command_ends_open(o, &ends);
    if (do_it)
        result = tear_down(o, &ends.r, admin_connection, err);
    else if (o->config->source.mode == SOURCE_POLL)
        command_say(o->out, "would end relay %s and close its progress in topic %s",
                    o->config->name.text, o->config->delivery.progress_topic.text);
    else
        command_say(o->out,
                    "would end relay %s, drop %s and the publications %s and %s, and close its "
                    "progress in topic %s",
                    o->config->name.text, ends.r.origin->name, o->config->source.publication.text,
                    o->config->source.changes.text, o->config->delivery.progress_topic.text);
    command_ends_close(&ends);
    return result;
}
