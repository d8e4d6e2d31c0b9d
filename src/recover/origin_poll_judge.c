/* recover/origin_poll_judge: may a polling relay go on from its record on this server? Pure. A
 * server that hands transaction ids out again which the record calls seen would lose what they
 * write, so everything that shows that is refused. */
#include "recover/origin_poll_internal.h"

#include "base/hash.h"
#include "base/table.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

static int begin_anew(const struct config_relay *config, struct error *err)
{
    if (config->source.poll.strategy == POLL_CLAIM) {
        error_hint(err, "begin with what is pending in the tables; finish by hand before that what "
                        "is published and not marked so");
        return error_mend(err, "rebase --to beginning --accept-repeat");
    }
    error_hint(err, "begin with what is committed from now on (rows of before that were not "
                    "published never will be; write those once more that consumers lack)");
    return error_mend(err, "rebase --to now --accept-loss");
}

static int judge_record(const struct config_relay *config, const struct found *found,
                        struct error *err)
{
    if (!found->have_progress) {
        error_stop(err, REASON_NOT_SET_UP,
                   "relay %s has no progress in topic %s: it has not been set up",
                   config->name.text, config->delivery.progress_topic.text);
        return error_mend(err, "setup");
    }
    switch (found->progress.mode) {
    case PROGRESS_POLL:
        return 0;
    case PROGRESS_CLOSED:
        error_stop(err, REASON_CLOSED, "relay %s was torn down", config->name.text);
        return error_mend(err, "setup");
    case PROGRESS_INTENT:
        error_stop(err, REASON_SETUP_UNFINISHED, "the setup of relay %s has not finished",
                   config->name.text);
        error_hint(err, "it goes on where it stopped");
        return error_mend(err, "setup");
    case PROGRESS_WAL:
        break;
    }
    error_stop(err, REASON_MODE_CHANGED,
               "progress of relay %s was recorded under source.mode: wal, the file says poll",
               config->name.text);
    if (config->source.poll.strategy == POLL_CLAIM)
        return begin_anew(config, err);
    error_hint(err, "move the relay over, without a gap or a repeat; or restore the file");
    return error_mend(err, "setup --switch-to poll");
}

static int judge_server(const struct config_relay *config, const struct found *found,
                        struct error *err)
{
    const struct progress *p = &found->progress;
    const struct pg_system *s = &found->system;
    if (p->system_identifier != s->system_identifier) {
        error_stop(err, REASON_OTHER_SYSTEM,
                   "progress is of the database system %" PRIu64 ", this server is %" PRIu64,
                   p->system_identifier, s->system_identifier);
        return begin_anew(config, err);
    }
    if (p->timeline == s->timeline)
        return 0;
    error_stop(err, REASON_TIMELINE_CHANGED,
               "the server is on timeline %" PRIu32 ", progress on timeline %" PRIu32
               ": transactions that were published last may be lost in the failover, and their "
               "ids handed out again",
               s->timeline, p->timeline);
    return begin_anew(config, err);
}

static int judge_history(const struct config_relay *config, const struct found *found,
                         uint64_t next_xid, struct error *err)
{
    struct buf prev = BUF_EMPTY;
    uint64_t xmax = 0;
    struct claim_record claims;
    bool good = poll_resume_read(found->progress.resume, &prev, &xmax);
    buf_fini(&prev);
    if (!good && claim_resume_read(found->progress.resume, &claims)) {
        error_stop(
            err, REASON_MODE_CHANGED,
            "progress was recorded under source.poll.strategy: claim, the file says snapshot");
        return begin_anew(config, err);
    }
    if (!good) {
        error_stop(err, REASON_PROGRESS_UNREADABLE,
                   "resume of the progress record is none of polling");
        return begin_anew(config, err);
    }
    if (next_xid >= xmax)
        return 0;
    error_stop(err, REASON_HISTORY_CHANGED,
               "the server has handed out transaction ids below %" PRIu64 " only, although the "
               "relay has seen %" PRIu64 ": it was restored to an earlier time",
               next_xid, xmax);
    return begin_anew(config, err);
}

static int judge_claims(const struct found *found, uint64_t insert_lsn, struct error *err)
{
    struct claim_record record;
    if (!claim_resume_read(found->progress.resume, &record)) {
        error_stop(
            err, REASON_MODE_CHANGED,
            "progress was recorded under source.poll.strategy: snapshot, the file says claim");
        error_hint(err, "begin with what is pending in the tables");
        return error_mend(err, "rebase --to beginning --accept-repeat");
    }
    if (insert_lsn >= record.flushed)
        return 0;
    char now[LSN_TEXT_MAX], before[LSN_TEXT_MAX];
    error_stop(err, REASON_HISTORY_CHANGED,
               "the server's write-ahead log ends at %s, although it was on disk up to %s: it was "
               "restored to an earlier time",
               lsn_format(insert_lsn, now), lsn_format(record.flushed, before));
    error_hint(err,
               "rows that are published may be pending again: finish those by hand, then begin "
               "with what is pending");
    return error_mend(err, "rebase --to beginning --accept-repeat");
}

static uint32_t add_text(uint32_t hash, const char *text)
{
    const char *given = text != NULL ? text : "";
    uint64_t sum = hash_add(HASH_INIT ^ hash, text != NULL ? "=" : "-", 1);
    sum = hash_add(sum, given, strlen(given) + 1);
    return (uint32_t)(sum ^ (sum >> 32));
}

uint32_t claim_shape(const struct config_claim *claim)
{
    assert(claim != NULL);
    uint32_t hash = add_text(0, claim->key.text);
    if (claim->done == POLL_DONE_UPDATE) {
        hash = add_text(hash, claim->column.text);
        hash = add_text(hash, claim->pending.text);
    }
    return hash != 0 ? hash : 1;
}

/* The record has the shape of the first route that takes a table; so a plain route is held to it
 * only where none before it may take the same table. Whatever a glob names, and what stands behind
 * one, is judged once the tables are known (claim_open). */
static int judge_shapes(const struct config_relay *config, const struct found *found,
                        struct error *err)
{
    struct arena arena;
    struct table taken;
    struct buf name = BUF_EMPTY;
    struct config_from from;
    struct error ignored = ERROR_INIT;
    int result = 0;
    arena_init(&arena, 1024, 1024);
    table_init(&taken, &arena);
    for (uint32_t i = 0; i < config->routes.count && result == 0; i++) {
        const struct config_route *route = &config->routes.items[i];
        if (config_from_parse(&route->from, "routes[].from", &arena, &from, &ignored) < 0 ||
            from.of_message)
            continue;
        if (from.schema_glob || from.table_glob)
            break;
        const struct relation relation = {.schema = from.schema, .name = from.table};
        buf_reset(&name);
        poll_table_name(&relation, &name);
        if (table_get(&taken, buf_span(&name)) != NULL)
            continue;
        table_put(&taken, arena_copy(&arena, buf_span(&name)), &taken);
        result = claim_check_shape(found->progress.resume, buf_span(&name),
                                   claim_shape(&route->claim), err);
    }
    buf_fini(&name);
    arena_fini(&arena);
    return result;
}

static int judge_part(const struct config_relay *config, const struct progress *p,
                      struct error *err)
{
    if (p->partial.final_lsn == 0 || strcmp(p->config_hash, config->hash) == 0)
        return 0;
    error_stop(err, REASON_PARTIAL_CONFIG_CHANGED,
               "a window is half published and the configuration of routes has changed since");
    return error_hint(err,
                      "restore the file with which it began (config hash %s), let the window end, "
                      "then change it",
                      p->config_hash);
}

static int judge_recovery(const struct found *found, struct error *err)
{
    if (!found->system.in_recovery)
        return 0;
    error_retry(err, REASON_IN_RECOVERY,
                "the server is in recovery, where a snapshot does not tell what is under way");
    return error_hint(err,
                      "point source.connection at the primary (target_session_attrs=read-write)");
}

int claim_judge_start(const struct config_relay *config, const struct found *found,
                      uint64_t insert_lsn, struct error *err)
{
    assert(config != NULL && found != NULL);
    if (judge_record(config, found, err) < 0 || judge_recovery(found, err) < 0 ||
        judge_server(config, found, err) < 0 || judge_claims(found, insert_lsn, err) < 0 ||
        judge_shapes(config, found, err) < 0)
        return -1;
    return judge_part(config, &found->progress, err);
}

int poll_judge_start(const struct config_relay *config, const struct found *found,
                     uint64_t next_xid, struct error *err)
{
    assert(config != NULL && found != NULL);
    if (judge_record(config, found, err) < 0 || judge_recovery(found, err) < 0)
        return -1;
    if (judge_server(config, found, err) < 0 || judge_history(config, found, next_xid, err) < 0)
        return -1;
    return judge_part(config, &found->progress, err);
}
