/* source/source_commands: see source_commands.h. One session answers for as long as commands follow
 * each other, so that ten thousand forged messages cost as many short questions and one connection.
 * It does not know what a command asks for. */
#include "source/source_commands.h"

#include "base/clock.h"
#include "json/json_read.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>

enum {
    /* Where the server ends no silent connection. */
    BOUND_DEFAULT_US = 15000000,
    AGAIN_US = 50000,
    KEEP_US = 5000000,
    /* {"v":1,"id":9223372036854775807} and whatever spaces. */
    BODY_MAX = 256
};

/* Asked of the catalogue, so that a missing table or grant is an answer and no error. One of
 * another shape is somebody else's, and as good as none: no question about its rows would ever be
 * answered, and anybody can write a message. */
static const char table_sql[] =
    "SELECT pg_catalog.has_schema_privilege(n.oid, 'USAGE') "
    "AND pg_catalog.has_table_privilege(c.oid, 'SELECT') FROM pg_catalog.pg_class c "
    "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
    "WHERE n.nspname = 'walferry' AND c.relname = 'command' AND c.relkind = 'r' "
    "AND (SELECT count(*) FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid "
    "AND a.attnum > 0 AND NOT a.attisdropped AND (a.attname::text, a.atttypid::oid) IN ("
    "('id', 'pg_catalog.int8'::pg_catalog.regtype::oid), "
    "('relay', 'pg_catalog.text'::pg_catalog.regtype::oid), "
    "('command', 'pg_catalog.jsonb'::pg_catalog.regtype::oid), "
    "('xid', 'pg_catalog.xid8'::pg_catalog.regtype::oid), "
    "('lsn', 'pg_catalog.pg_lsn'::pg_catalog.regtype::oid))) = 5";

/* The stream carries the lower half of a transaction's id; the whole one is what is nearest to the
 * next id, because a slot keeps the server from giving out 2^31 more. Row and "is it over?" are of
 * one snapshot. pg_xact_status besides, for a standby, whose snapshots do not list who is under
 * way. That the table is locked (ALTER TABLE, VACUUM FULL) is told before the bound of all
 * questions is reached. */
static const char row_sql[] =
    "SELECT pg_catalog.set_config('lock_timeout', '%" PRId64 "', false); "
    "WITH t AS (SELECT (%" PRIu32 " + 4294967296 * round((pg_catalog.pg_snapshot_xmax("
    "pg_catalog.pg_current_snapshot())::text::numeric - %" PRIu32 ") / 4294967296))::text::xid8 "
    "AS xid) SELECT pg_catalog.pg_visible_in_snapshot(t.xid, pg_catalog.pg_current_snapshot()) "
    "AND pg_catalog.pg_xact_status(t.xid) IS DISTINCT FROM 'in progress', c.command::text "
    "FROM t LEFT JOIN walferry.command c ON c.id = %" PRIu64 " AND c.relay = '%s' "
    "AND c.xid = t.xid AND c.lsn = '%s'";

void command_lookup_init(struct command_lookup *lookup, const struct stream_options *options)
{
    *lookup = (struct command_lookup){
        .connection = options->relay != NULL ? options->connection : NULL,
        .password_command = options->password_command,
        .relay = options->relay,
        .bound_us =
            options->server_timeout_us > 0 ? options->server_timeout_us / 4 : BOUND_DEFAULT_US,
        .text = BUF_EMPTY};
    if (lookup->connection == NULL)
        return;
    assert(options->application != NULL);
    snprintf(lookup->application, sizeof lookup->application, "%s:commands", options->application);
}

static void end_session(struct command_lookup *lookup)
{
    pg_question_close(lookup->question);
    lookup->question = NULL;
    lookup->step = COMMAND_IDLE;
    lookup->readable = lookup->kept = false;
}

void command_lookup_fini(struct command_lookup *lookup)
{
    end_session(lookup);
    buf_fini(&lookup->text);
}

/* ---- Which messages ---- */

static bool read_id(struct span body, uint64_t *id)
{
    struct json_tree *root = NULL;
    struct error unreadable = ERROR_INIT;
    uint64_t version = 0;
    if (body.len > BODY_MAX || json_tree_parse(body, &root, &unreadable) < 0)
        return false;
    bool ok = json_tree_kind(json_tree_member(root, "id")) == JSON_TREE_INTEGER &&
              json_tree_member(root, "guard") == NULL && json_tree_member_u64(root, "id", id) &&
              json_tree_member_u64(root, "v", &version) && version == 1;
    json_tree_free(root);
    return ok;
}

static bool is_command(const struct command_lookup *lookup, const struct change *change,
                       uint64_t *id)
{
    const struct span own = SPAN_LITERAL("walferry:");
    if (lookup->connection == NULL || change->op != CHANGE_MESSAGE ||
        !change->message.transactional || !span_starts_with(change->message.prefix, own))
        return false;
    struct span whom = {change->message.prefix.ptr + own.len, change->message.prefix.len - own.len};
    return span_equal_text(whom, lookup->relay) && read_id(change->message.content, id);
}

/* ---- Asking ---- */

static int open_session(struct command_lookup *lookup, const struct pg_replication *beside,
                        struct error *err)
{
    const struct pg_options options = {.connection = lookup->connection,
                                       .password_command = lookup->password_command,
                                       .application_name = lookup->application};
    lookup->kept = false;
    lookup->step = COMMAND_TABLES;
    return pg_question_open(&options, beside, table_sql, &lookup->question, err);
}

static int ask_for_row(struct command_lookup *lookup, const struct change *change,
                       struct error *err)
{
    char sql[sizeof row_sql + 128], lsn[LSN_TEXT_MAX];
    snprintf(sql, sizeof sql, row_sql, lookup->bound_us / US_PER_MS / 2, change->xid, change->xid,
             lookup->found.id, lookup->relay, lsn_format(change->lsn, lsn));
    lookup->step = COMMAND_ROWS;
    return pg_question_again(lookup->question, sql, err);
}

static int ask(struct command_lookup *lookup, const struct pg_replication *beside,
               const struct change *change, int64_t now_us, struct error *err)
{
    lookup->deadline_us = now_us + lookup->bound_us;
    if (lookup->question == NULL)
        return open_session(lookup, beside, err);
    if (lookup->readable)
        return ask_for_row(lookup, change, err);
    lookup->step = COMMAND_TABLES;
    return pg_question_again(lookup->question, table_sql, err);
}

/* Whatever it is, the next epoch asks anew; what would end the relay, its own session tells. */
static int fail(struct command_lookup *lookup, struct error *err)
{
    struct error cause = *err;
    enum reason reason = cause.kind == ERROR_RETRY ? cause.reason : REASON_DATABASE;
    end_session(lookup);
    error_retry(err, reason, "looking up command %" PRIu64 " for relay %s: %s", lookup->found.id,
                lookup->relay, cause.text);
    if (reason == REASON_LOCKED)
        error_hint(err, "somebody holds an exclusive lock on walferry.command, and nothing behind "
                        "this command is published until it is gone: look into pg_locks");
    return -1;
}

static int known(struct command_lookup *lookup, enum command_row row, struct change *change,
                 int64_t now_us)
{
    lookup->found.row = row;
    lookup->found.text = row == COMMAND_ROW ? buf_span(&lookup->text) : span_null();
    lookup->step = COMMAND_IDLE;
    lookup->kept = true;
    lookup->again_us = now_us + KEEP_US;
    change->message.command = &lookup->found;
    return 1;
}

/* ---- Answers ---- */

static bool is_true(const struct pg_result *r)
{
    return pg_result_rows(r) > 0 && pg_result_true(r, 0, 0);
}

static int take_table(struct command_lookup *lookup, const struct pg_result *r,
                      struct change *change, int64_t now_us, struct error *err)
{
    lookup->readable = is_true(r);
    if (pg_result_rows(r) == 0)
        return known(lookup, COMMAND_NO_ROW, change, now_us);
    if (!lookup->readable)
        return known(lookup, COMMAND_UNREADABLE, change, now_us);
    return ask_for_row(lookup, change, err);
}

static int take_row(struct command_lookup *lookup, const struct pg_result *r, struct change *change,
                    int64_t now_us, struct error *err)
{
    if (!is_true(r)) {
        lookup->step = COMMAND_UNSEEN;
        lookup->again_us = now_us + AGAIN_US;
        if (now_us - lookup->since_us < lookup->bound_us)
            return 0;
        return error_retry(err, REASON_TIMEOUT,
                           "its transaction stands in the log and is not over for others yet, as "
                           "where it waits for a synchronous standby");
    }
    struct span text = pg_result_cell(r, 0, 1);
    buf_reset(&lookup->text);
    if (text.ptr == NULL)
        return known(lookup, COMMAND_NO_ROW, change, now_us);
    buf_add(&lookup->text, text);
    return known(lookup, COMMAND_ROW, change, now_us);
}

static int take_answer(struct command_lookup *lookup, struct change *change, int64_t now_us,
                       struct error *err)
{
    struct pg_result *r = NULL;
    int got = pg_question_step(lookup->question, &r, err);
    if (got == 0 && now_us >= lookup->deadline_us)
        return error_retry(err, REASON_TIMEOUT, "PostgreSQL did not answer within %" PRId64 " ms",
                           lookup->bound_us / US_PER_MS);
    if (got <= 0)
        return got;
    got = lookup->step == COMMAND_TABLES ? take_table(lookup, r, change, now_us, err)
                                         : take_row(lookup, r, change, now_us, err);
    pg_result_free(r);
    return got;
}

/* ---- Steps ---- */

static int go_on(struct command_lookup *lookup, const struct pg_replication *beside,
                 struct change *change, int64_t now_us, struct error *err)
{
    switch (lookup->step) {
    case COMMAND_IDLE:
        lookup->since_us = now_us;
        return ask(lookup, beside, change, now_us, err);
    case COMMAND_UNSEEN:
        return now_us < lookup->again_us ? 0 : ask(lookup, beside, change, now_us, err);
    case COMMAND_TABLES:
    case COMMAND_ROWS:
        return take_answer(lookup, change, now_us, err);
    }
    return -1;
}

int command_lookup_step(struct command_lookup *lookup, const struct pg_replication *beside,
                        struct change *change, int64_t now_us, struct error *err)
{
    uint64_t id;
    assert(change != NULL && err != NULL);
    if (!is_command(lookup, change, &id))
        return 1;
    assert(lookup->step == COMMAND_IDLE || lookup->found.id == id);
    lookup->found.id = id;
    bool kept = lookup->kept;
    int got = go_on(lookup, beside, change, now_us, err);
    if (got >= 0)
        return got;
    if (!kept)
        return fail(lookup, err);
    /* A session that was kept may have been ended by then; a new one says what is the matter. */
    end_session(lookup);
    *err = ERROR_INIT;
    return ask(lookup, beside, change, now_us, err) < 0 ? fail(lookup, err) : 0;
}

void command_lookup_wait(const struct command_lookup *lookup, int *fd, int64_t *deadline_us)
{
    assert(lookup->step != COMMAND_IDLE);
    bool unseen = lookup->step == COMMAND_UNSEEN;
    int64_t until_us = unseen ? lookup->again_us : lookup->deadline_us;
    *fd = unseen ? -1 : pg_question_fd(lookup->question);
    if (until_us < *deadline_us)
        *deadline_us = until_us;
}

void command_lookup_tick(struct command_lookup *lookup, int64_t now_us)
{
    if (lookup->question != NULL && lookup->step == COMMAND_IDLE && now_us >= lookup->again_us)
        end_session(lookup);
}
