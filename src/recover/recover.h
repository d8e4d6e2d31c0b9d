/* recover/: how a relay begins: look, judge, take over, claim; and the steps of a first run. Shared
 * by the daemon and the commands.
 *
 * What would be refused is refused before anything is taken over. A refusal says the exact command
 * that mends it. */
#ifndef WALFERRY_RECOVER_RECOVER_H
#define WALFERRY_RECOVER_RECOVER_H

#include "config/config.h"
#include "pg/pg.h"
#include "progress/progress.h"
#include "publish/publish.h"
#include "route/route.h"

#include <stdatomic.h>

/* What is known before a relay is taken over. */
struct relay_facts {
    bool have_progress;
    struct progress progress;
    struct pg_system system;
    struct pg_slot slot;
};

/* Fills what the daemon and the commands both need. */
struct kafka_options relay_kafka_options(const struct config *config, const struct log *log,
                                         const atomic_bool *stop);
/* Reads and decodes the progress as far as the last stable offset. */
int relay_look(const struct kafka_options *kafka, struct arena *arena, struct progress *progress,
               bool *have_progress, bool *topic_exists, struct error *err);
/* The same once every transaction that is open in the topic has ended: what a refusal rests on. */
int relay_look_through(const struct kafka_options *kafka, struct arena *arena,
                       struct progress *progress, bool *have_progress, bool *topic_exists,
                       struct error *err);
/* Asks the server for system and slot, and for its history where timelines differ; then judges the
 * progress in *facts. Where that was only looked at (kafka not NULL) a relay may be running beside
 * us: it is read again, through to its end, before anything is refused. */
int relay_judge(struct pg_connection *sql, const struct config *config,
                const struct kafka_options *kafka, struct arena *arena, struct relay_facts *facts,
                struct error *err);
/* Is the slot one of pgoutput, and of the database that the connection is to? ERROR_STOP,
 * EXIT_USAGE: slot_plugin, slot_database. Not asked of an absent one. */
int relay_check_slot_place(const char *slot_name, const struct pg_slot *slot,
                           const struct pg_system *system, struct error *err);
/* Takes over: new producer, recovery. *record is what the topic holds. */
int relay_take_over(const struct kafka_options *kafka, struct arena *arena,
                    struct publisher **publisher, struct progress *progress, bool *have_progress,
                    struct error *err);
/* Writes one record alone in its transaction; waits for the outcome. */
int relay_write_record(struct publisher *publisher, const struct progress *record,
                       const atomic_bool *stop, int64_t timeout_ms, struct error *err);
/* Random hexadecimal, 32 digits. */
void relay_instance(char text[33]);
/* The router of a configuration, for an epoch and the commands alike. */
int relay_open_router(const struct config *config, struct router **router, struct error *err);
/* Can libpq read source.connection? Asks nobody. ERROR_STOP, EXIT_USAGE, "bad_connection", with
 * file and line. */
int relay_check_connection(const struct config *config, struct error *err);
/* Checks and, where allowed, creates the literal topics of the routes. */
int relay_prepare_topics(const struct kafka_options *kafka, const struct router *router,
                         bool create_progress, struct buf *weak, struct error *err);

/* ---- The steps of a first run, and what the commands share with them ---- */

/* What each command needs. Lines for a person are appended to `out`; where json is set one JSON
 * object instead. While a command waits for something that a person should see (blocking
 * transactions), it logs. */
struct command_options {
    const struct config *config;
    const struct log *log;
    const atomic_bool *stop; /* SIGINT: leave as soon as may be */
    bool json;
    struct buf *out;
};

/* admin_connection: conninfo of somebody who may create the publication; NULL: the relay's own.
 * Idempotent; fences nobody where progress exists. */
int relay_setup(const struct command_options *options, const char *admin_connection,
                struct error *err);
/* publication.c: the routed tables exist, have what the routes need, and the publication sends
 * their rows whole; else their events would never come, and nobody would know. See tables.h. */
int relay_check_publication(struct pg_connection *sql, const struct config *config,
                            const struct router *router, struct error *err);
/* What setup could not mend by making or completing the publication; looked at before it begins. */
int relay_check_before_setup(struct pg_connection *sql, const struct config *config,
                             const struct router *router, struct error *err);
/* Creates the publication or adds the missing tables; globs are expanded to what exists now. Says
 * what it did, and refuses what it cannot mend, as the check does. */
int relay_ensure_publication(struct pg_connection *sql, const struct config *config,
                             const struct router *router, struct buf *out, struct error *err);
/* The statements that do so on a server that has none of it, appended. */
int relay_publication_sql(struct pg_connection *sql, const struct config *config,
                          const struct router *router, struct buf *out, struct error *err);
/* The same for a server that cannot be asked: of the tables that routes name plainly. */
void relay_publication_sql_unasked(const struct config *config, const struct router *router,
                                   struct buf *out);

/* Waits for the consistent point and says whom it waits for. */
int relay_create_slot(const struct command_options *options, uint64_t *consistent_lsn,
                      struct error *err);
/* An SQL session and a walsender session of a command. */
int command_open_sql(const struct command_options *options, const char *connection,
                     struct pg_connection **sql, struct error *err);
/* The session of --admin-connection. What it leaves out of the database's name is that of `ours`,
 * and it must reach the same database of the same server: else ERROR_STOP, EXIT_USAGE,
 * "admin_elsewhere". */
int command_open_admin(const struct command_options *options, const char *connection,
                       const struct pg_system *ours, struct pg_connection **sql, struct error *err);
int command_open_replication(const struct command_options *options,
                             struct pg_replication **replication, struct error *err);
/* wal_level must be logical; the hint says how. */
int command_check_wal_level(const struct pg_system *system, struct error *err);
/* A first record of this relay on this server; the generation follows `before` (may be NULL). */
void command_first_record(const struct config *config, const struct pg_system *system,
                          const struct progress *before, struct progress *record);
/* One line of a command's answer. */
void command_say(struct buf *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
#endif
