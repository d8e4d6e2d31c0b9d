/* operate/teardown: fences the relay, drops slot and publication, marks progress closed.
 * Idempotent: what is gone already is passed over. Topics with events stay; they belong to their
 * consumers. */
#include "operate/command.h"

#include <assert.h>
#include <string.h>

static int drop_slot(const struct command_options *o, struct pg_connection *sql, struct error *err)
{
    const char *name = o->config->source.slot.text;
    struct pg_slot slot;
    if (command_free_slot(o, sql, err) < 0 || pg_slot_state(sql, name, &slot, err) < 0)
        return -1;
    if (slot.state == SLOT_ABSENT) {
        command_say(o->out, "slot %s: gone already", name);
        return 0;
    }
    if (command_query(sql, "SELECT pg_catalog.pg_drop_replication_slot($1)", name, err) < 0)
        return error_wrap(err, "dropping slot %s", name);
    command_say(o->out, "slot %s: dropped", name);
    return 0;
}

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

/* Whether the publication can be dropped is asked before anything is: half a teardown would leave a
 * relay that can neither go on nor be set up anew. */
static int check_owner(const struct command_options *o, struct pg_connection *sql,
                       struct error *err)
{
    const char *name = o->config->source.publication.text;
    bool may = false;
    if (one_answer(sql,
                   "SELECT pg_catalog.pg_has_role(pubowner, 'USAGE')"
                   " FROM pg_catalog.pg_publication WHERE pubname = $1",
                   name, &may, err) < 0)
        return -1;
    if (may)
        return 0;
    error_stop(err, REASON_NO_PRIVILEGE,
               "publication %s belongs to another role; nothing was changed", name);
    return error_hint(err, "add --admin-connection with a conninfo of its owner, as in "
                           "--admin-connection 'host=db dbname=shop user=owner'");
}

static int drop_publication(const struct command_options *o, struct pg_connection *sql,
                            struct error *err)
{
    struct buf statement = BUF_EMPTY;
    buf_add_text(&statement, "DROP PUBLICATION IF EXISTS ");
    pg_quote_identifier(&statement, span_of(o->config->source.publication.text));
    int result = pg_exec(sql, buf_text(&statement), err);
    if (result < 0) {
        error_hint(err, "let its owner run");
        error_mend_sql(err, "%s", buf_text(&statement));
    } else
        command_say(o->out, "publication %s: dropped", o->config->source.publication.text);
    buf_fini(&statement);
    return result;
}

static int write_closed(const struct command_options *o, struct publisher *publisher,
                        const struct pg_system *system, const struct progress *before,
                        bool have_progress, struct error *err)
{
    if (!have_progress || before->mode == PROGRESS_CLOSED)
        return 0;
    struct progress closed;
    command_first_record(o->config, system, before, &closed);
    closed.mode = PROGRESS_CLOSED;
    closed.position = before->position;
    closed.position.seq = 0;
    if (relay_write_record(publisher, &closed, o->stop, o->config->delivery.transaction_timeout_ms,
                           err) < 0)
        return error_wrap(err, "closing the progress");
    command_say(o->out, "progress: closed");
    return 0;
}

static int apply(const struct command_options *o, const struct pg_system *system,
                 struct pg_connection *sql, struct pg_connection *admin, struct error *err)
{
    struct kafka_options kafka = relay_kafka_options(o->config, o->log, o->stop);
    struct arena arena;
    arena_init(&arena, 4096, 4096);
    struct progress before;
    struct publisher *publisher = NULL;
    bool have_progress = false;
    bool topic_exists = false;
    int result = check_owner(o, admin, err);
    if (result == 0)
        result = relay_look(&kafka, &arena, &before, &have_progress, &topic_exists, err);
    if (result == 0 && topic_exists) {
        log_event(o->log, LOG_WARN, "teardown.taking_over", "relay", o->config->relay.text,
                  "detail", "a running instance of this relay is fenced now", NULL);
        result = relay_take_over(&kafka, &arena, &publisher, &before, &have_progress, err);
    }
    if (result == 0 && have_progress && before.mode == PROGRESS_WAL)
        result = command_claim(o, publisher, &before, err);
    if (result == 0)
        result = drop_slot(o, sql, err);
    if (result == 0)
        result = drop_publication(o, admin, err);
    if (result == 0)
        result = write_closed(o, publisher, system, &before, have_progress, err);
    publisher_close(publisher, 0);
    arena_fini(&arena);
    return result;
}

int relay_teardown(const struct command_options *o, const char *admin_connection, bool do_it,
                   struct error *err)
{
    assert(o->config != NULL && o->out != NULL);
    if (!do_it) {
        command_say(o->out,
                    "would end relay %s, drop slot %s and publication %s, and close its "
                    "progress in topic %s",
                    o->config->relay.text, o->config->source.slot.text,
                    o->config->source.publication.text, o->config->delivery.progress_topic.text);
        return 0;
    }
    struct pg_connection *sql = NULL;
    struct pg_connection *admin = NULL;
    struct pg_system system;
    int result = command_open_sql(o, NULL, &sql, err);
    if (result == 0)
        result = pg_identify(sql, &system, err);
    if (result == 0 && admin_connection != NULL)
        result = command_open_admin(o, admin_connection, &system, &admin, err);
    if (result == 0)
        result = apply(o, &system, sql, admin != NULL ? admin : sql, err);
    pg_close(admin);
    pg_close(sql);
    return result;
}
