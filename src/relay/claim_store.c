/* relay/claim_store: see claim_store.h.
 *
 *   IDLE ──put──▶ BEGINNING ──▶ STORING ──▶ COMMITTING ──▶ IDLE, with a receipt
 *
 * The receipt is the server's: it tells which id the value has and what its digest is, and it is
 * believed once the COMMIT is answered. */
#include "relay/claim_store.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* remote_apply waits for more than on does. */
static const char begin_sql[] =
    "SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit') "
    "WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, true)";

/* The id may be taken by other bytes: of another route or relay that has the same change, or of a
 * Kafka transaction that was aborted before the file was changed. Those stay, and these are called
 * by their digest, too. What stands there already, of an attempt before, begins its time anew. */
static const char store_sql[] =
    "WITH own AS (INSERT INTO walferry.claim AS c (id, payload, expires_at) "
    "VALUES ($1, $2, now() + interval '%s') ON CONFLICT (id) DO UPDATE SET created_at = now(), "
    "expires_at = greatest(c.expires_at, excluded.expires_at) WHERE c.payload = excluded.payload "
    "RETURNING id), other AS (INSERT INTO walferry.claim AS c (id, payload, expires_at) "
    "SELECT $1 || ':' || encode(sha256($2), 'hex'), $2, now() + interval '%s' "
    "WHERE NOT EXISTS (SELECT FROM own) ON CONFLICT (id) DO UPDATE SET created_at = now(), "
    "expires_at = greatest(c.expires_at, excluded.expires_at) RETURNING id) "
    "SELECT id, encode(sha256($2), 'hex') FROM own UNION ALL "
    "SELECT id, encode(sha256($2), 'hex') FROM other";

enum claim_state { IDLE, BEGINNING, STORING, COMMITTING };

struct claim_session {
    struct claim_store base;
    struct pg_asker *asker;
    enum claim_state state;
    char id[CHANGE_ID_TEXT_MAX]; /* at hand */
    const char *payload;         /* where it stands; only to tell it by */
    struct claim_receipt receipt;
    int64_t bound_us;
    int64_t deadline_us;
};

static struct claim_session *from_base(struct claim_store *base)
{
    return (struct claim_session *)base;
}

static bool is_at_hand(const struct claim_session *s, struct span id, struct span payload)
{
    return s->payload == payload.ptr && span_equal_text(id, s->id);
}

static int begin(struct claim_session *s, struct span id, struct span payload, int64_t now_us,
                 struct error *err)
{
    assert(id.len < sizeof s->id);
    snprintf(s->id, sizeof s->id, "%.*s", SPAN_ARG(id));
    s->payload = payload.ptr;
    s->receipt = (struct claim_receipt){.id = ""};
    s->deadline_us = now_us + s->bound_us;
    s->state = BEGINNING;
    return pg_ask_begin(s->asker, begin_sql, err);
}

static void take_receipt(struct claim_session *s)
{
    if (s->state != STORING)
        return;
    snprintf(s->receipt.id, sizeof s->receipt.id, "%.*s", SPAN_ARG(pg_answer_cell(s->asker, 0)));
    snprintf(s->receipt.sha256, sizeof s->receipt.sha256, "%.*s",
             SPAN_ARG(pg_answer_cell(s->asker, 1)));
}

/* What was asked is answered: asks what comes next. */
static int go_on(struct claim_session *s, struct span payload, const char *keep, struct error *err)
{
    char sql[sizeof store_sql + 32];
    switch (s->state) {
    case BEGINNING:
        s->state = STORING;
        snprintf(sql, sizeof sql, store_sql, keep, keep);
        return pg_ask_bytes(s->asker, sql, s->id, payload, err);
    case STORING:
        if (s->receipt.id[0] == '\0')
            return error_retry(err, REASON_DATABASE, "the row was deleted at the same time");
        s->state = COMMITTING;
        return pg_ask_on(s->asker, "COMMIT", err);
    case COMMITTING:
    case IDLE:
        s->state = IDLE;
        return 0;
    }
    return 0;
}

/* What is no longer wanted is rolled back, unless it is being committed. */
static int leave(struct claim_session *s, struct error *err)
{
    s->payload = NULL; /* even the same one is begun anew */
    if (s->state == COMMITTING) {
        s->state = IDLE;
        return 0;
    }
    s->state = COMMITTING;
    return pg_ask_on(s->asker, "ROLLBACK", err);
}

/* A right or a table that is missing is refused at the next open, with its mend. */
static enum step fail_answer(struct claim_session *s, struct error *err)
{
    struct error cause = *err;
    struct error lost = ERROR_INIT;
    pg_asker_sqlstate(s->asker, s->base.refused_by);
    if (pg_sqlstate_may_heal(s->base.refused_by) || pg_ask_rollback(s->asker, &lost) < 0)
        return STEP_FAILED;
    s->payload = NULL;
    s->state = COMMITTING;
    error_data(err, REASON_CLAIM_REFUSED, "the server refuses a row of walferry.claim: %s (%s)",
               cause.text, s->base.refused_by);
    error_hint(err, "mend what refuses it: triggers, constraints and policies of walferry.claim");
    return STEP_FAILED;
}

static enum step put_on(struct claim_session *s, struct span id, struct span payload,
                        const char *keep, int64_t now_us, struct error *err)
{
    if (s->state == IDLE && begin(s, id, payload, now_us, err) < 0)
        return STEP_FAILED;
    for (;;) {
        bool wanted = is_at_hand(s, id, payload);
        switch (pg_answer(s->asker, err)) {
        case PG_ANSWER_FAILED:
            return fail_answer(s, err);
        case PG_ANSWER_WAIT:
            if (now_us < s->deadline_us)
                return STEP_WAIT;
            return error_retry(err, REASON_DATABASE,
                               "the database has not answered for %" PRId64 " ms",
                               s->bound_us / 1000);
        case PG_ANSWER_ROW:
            take_receipt(s);
            break;
        case PG_ANSWER_END:
            if ((wanted ? go_on(s, payload, keep, err) : leave(s, err)) < 0)
                return STEP_FAILED;
            if (s->state == IDLE && wanted)
                return STEP_DONE;
            if (s->state == IDLE && begin(s, id, payload, now_us, err) < 0)
                return STEP_FAILED;
            break;
        }
    }
}

/* What would end the relay is for the next open to find out, which knows the mend. */
static enum step fail(struct error *err)
{
    struct error cause = *err;
    if (cause.kind == ERROR_DATA)
        return STEP_FAILED;
    return error_retry(err, cause.kind == ERROR_RETRY ? cause.reason : REASON_DATABASE,
                       "putting a value into walferry.claim: %s", cause.text);
}

static enum step put(struct claim_store *base, struct span id, struct span payload,
                     const char *keep, int64_t now_us, struct claim_receipt *receipt,
                     struct error *err)
{
    struct claim_session *s = from_base(base);
    assert(payload.ptr != NULL && keep != NULL && receipt != NULL);
    enum step result = put_on(s, id, payload, keep, now_us, err);
    if (result == STEP_FAILED)
        return fail(err);
    if (result == STEP_DONE)
        *receipt = s->receipt;
    return result;
}

static void close_session(struct claim_store *base)
{
    struct claim_session *s = from_base(base);
    pg_asker_close(s->asker);
    free(s);
}

static const struct claim_store_ops session_ops = {.put = put, .close = close_session};

int claim_store_open(const struct pg_options *options, int64_t bound_us, struct claim_store **store,
                     struct error *err)
{
    assert(options->shared && bound_us > 0 && store != NULL);
    struct pg_connection *connection = NULL;
    if (pg_open(options, &connection, err) < 0)
        return -1;
    struct claim_session *s = calloc(1, sizeof *s);
    if (s == NULL)
        abort();
    s->base.ops = &session_ops;
    s->asker = pg_asker_open(connection);
    s->bound_us = bound_us;
    *store = &s->base;
    return 0;
}
