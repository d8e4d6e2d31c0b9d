/* relay/: the loops and the life of an epoch: open, run, close, back off; and the commands that act
 * on a relay from outside: setup, check, status, rebase, skip, teardown.
 *
 * An epoch is one connection to the database and one producer. Restart is the only recovery:
 * whatever goes wrong closes the epoch, and the next one is opened from the recorded progress
 * (docs/ ARCHITECTURE.md, "Open"). This room decides, logs and counts; the rooms below it only
 * report. */
#ifndef WALFERRY_RELAY_RELAY_H
#define WALFERRY_RELAY_RELAY_H

#include "base/buf.h"
#include "base/error.h"
#include "base/log.h"
#include "config/config.h"
#include "metrics/metrics.h"
#include "model/status_cell.h"

#include <stdatomic.h>
#include <stdbool.h>

/* ---- The daemon ---- */

struct relay;

struct relay_options {
    const struct config *config; /* must outlive the relay */
    struct metrics *metrics;
    struct status_cell *status; /* written by the relay, read by admin/ */
    const struct log *log;
    bool setup;           /* run --setup */
    bool until_caught_up; /* run --until-caught-up */
};

/* Starts the relay's own threads and returns at once. */
int relay_open(const struct relay_options *options, struct relay **relay, struct error *err);
/* Asks for an orderly end: drain, commit, confirm. The relay ends within 10 s. Any thread. */
void relay_stop(struct relay *relay);
/* Takes `next` over at the next epoch, which begins at once. Any thread. The caller keeps every
 * configuration that it ever handed over until relay_close(), and has checked
 * config_needs_restart() and relay_check(). */
void relay_reload(struct relay *relay, const struct config *next);
/* Becomes readable when the relay has ended. */
int relay_fd(const struct relay *relay);
/* After the end: why (kind NONE: in order). The exit code of the process is 0 for NONE, else
 * err->exit_code. *abandoned: a thread still waits for the broker; leave with _exit(). */
void relay_result(struct relay *relay, struct error *err, bool *abandoned);
void relay_close(struct relay *relay); /* after the end, not where abandoned; NULL is legal */

/* ---- The commands ---- */

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

/* Configuration alone: templates, librdkafka properties. connect: database, publication against
 * routes, broker, coordinator, topics, progress against slot, too. Never fences. 0: all is well.
 * -1: *err tells the first thing that is not. */
int relay_check(const struct command_options *options, bool connect, struct error *err);

/* admin_connection: conninfo of somebody who may create the publication; NULL: the relay's own.
 * Idempotent; fences nobody where progress exists. */
int relay_setup(const struct command_options *options, const char *admin_connection,
                struct error *err);
/* The SQL for the DBA: roles, grants, publication. */
int relay_print_sql(const struct command_options *options, struct error *err);

/* Slot and progress from the servers. live: what the admin port answered to GET /status (JSON), or
 * absent. *ready: the answer of the command. */
int relay_status(const struct command_options *options, struct span live, bool *ready,
                 struct error *err);

enum rebase_target { REBASE_SLOT, REBASE_NEW_SLOT, REBASE_LSN };

struct rebase_options {
    enum rebase_target target;
    uint64_t lsn; /* REBASE_LSN */
    bool accept_loss;
    bool accept_repeat;
    /* Phase 1 (apply false): look, say in `out` what would be lost or repeated. Phase 2: do it. */
    bool apply;
};
int relay_rebase(const struct command_options *options, const struct rebase_options *rebase,
                 struct error *err);

/* id: a walferry-id. */
int relay_skip(const struct command_options *options, const char *id, struct error *err);
/* apply false: say what would be dropped. */
int relay_teardown(const struct command_options *options, bool apply, struct error *err);

/* librdkafka and libpq in use, and the known defects of that librdkafka, for `version`. */
void relay_libraries(struct buf *out);
const char *relay_kafka_version(void);
const char *relay_pg_version(void);

#endif
