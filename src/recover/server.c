/* recover/server: the server's side of the verdict: system, slot and history are asked for, then
 * judged together with the progress. It changes nothing on the server. */
#include "recover/judge.h"
#include "recover/recover.h"

#include <stdio.h>

/* The history is asked of a replication session; the commands come with an ordinary one. */
static int find_switch(struct pg_connection *sql, const struct config *config,
                       const struct relay_facts *f, uint64_t *lsn, struct error *err)
{
    uint32_t present = f->system.timeline;
    if (pg_is_walsender(sql) || f->progress.timeline >= present)
        return timeline_switch(sql, present, f->progress.timeline, lsn, err);
    char application[80];
    snprintf(application, sizeof application, "walferry:%s:command", config->relay.text);
    struct pg_options options = {.connection = config->source.connection.text,
                                 .application_name = application};
    struct pg_replication *replication = NULL;
    if (pg_replication_open(&options, &replication, err) < 0)
        return -1;
    int result =
        timeline_switch(pg_replication_sql(replication), present, f->progress.timeline, lsn, err);
    pg_replication_close(replication);
    return result;
}

static int judge_facts(struct pg_connection *sql, const struct config *config,
                       const struct relay_facts *f, struct error *err)
{
    struct judge_facts facts = {.relay = config->relay.text,
                                .slot_name = config->source.slot.text,
                                .topic = config->delivery.progress_topic.text,
                                .config_hash = config->hash,
                                .have_progress = f->have_progress,
                                .progress = &f->progress,
                                .system = &f->system,
                                .slot = &f->slot};
    bool same_system =
        f->have_progress && f->progress.system_identifier == f->system.system_identifier;
    if (same_system && find_switch(sql, config, f, &facts.timeline_switch, err) < 0)
        return -1;
    return judge_start(&facts, err);
}

/* Nothing is refused on what may be old news. Beside a running relay the slot may have moved since
 * progress was read, and a commit that was answered may not be visible at the last stable offset
 * yet. Progress that is read through to the end after the slot is never behind it (I1), and never
 * beyond a WAL position that is read after that. */
static int look_again(struct pg_connection *sql, const struct config *config,
                      const struct kafka_options *kafka, struct arena *arena, struct relay_facts *f,
                      struct error *err)
{
    uint64_t confirmed_flush_lsn = f->slot.confirmed_flush_lsn;
    bool topic_exists = false;
    if (relay_look_through(kafka, arena, &f->progress, &f->have_progress, &topic_exists, err) < 0 ||
        pg_slot_state(sql, config->source.slot.text, &f->slot, err) < 0)
        return -1;
    if (f->slot.state == SLOT_PRESENT)
        f->slot.confirmed_flush_lsn = confirmed_flush_lsn;
    return judge_facts(sql, config, f, err);
}

int relay_judge(struct pg_connection *sql, const struct config *config,
                const struct kafka_options *kafka, struct arena *arena, struct relay_facts *f,
                struct error *err)
{
    if (pg_identify(sql, &f->system, err) < 0 ||
        pg_slot_state(sql, config->source.slot.text, &f->slot, err) < 0)
        return -1;
    int result = judge_facts(sql, config, f, err);
    if (result < 0 && kafka != NULL && err->kind == ERROR_STOP) {
        *err = ERROR_INIT;
        result = look_again(sql, config, kafka, arena, f, err);
    }
    return result;
}
