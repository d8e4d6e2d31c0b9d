/* operate/: what acts on a relay from outside: check, status, rebase, skip, dead-letter,
 * teardown; setup has its steps in recover/, because `run --setup` takes them, too.
 *
 * The answer of a command is text for a person or one JSON object, appended to a buffer. */
#ifndef WALFERRY_OPERATE_OPERATE_H
#define WALFERRY_OPERATE_OPERATE_H

#include "operate/controldata.h"
#include "recover/recover.h"

/* Configuration alone: templates, librdkafka properties. connect: database, publication against
 * routes, broker, coordinator, topics, progress against origin, too. Never fences. 0: all is well.
 * -1: *err tells the first thing that is not. */
int relay_check(const struct command_options *options, bool connect, struct error *err);

/* `doctor`: everything that can be looked at, group by group, with what mends it; changes nothing.
 * brief: only what warns or fails. round_trip: something is sent through the relay, too, by
 * somebody who may send commands where admin_connection names one. *worst: that of any check. away:
 * all that failed is that servers did not answer. */
struct doctor_options {
    bool brief;
    bool round_trip;
    const char *admin_connection; /* NULL: source.connection */
};
void relay_doctor(const struct command_options *options, const struct doctor_options *doctor,
                  enum check_state *worst, bool *away);

/* `check --sample`: what the routes make of changes that a file describes; asks nobody. *failed:
 * how many routes could not make of a change what they should. */
int relay_sample(const struct command_options *options, struct span json, uint32_t *failed,
                 struct error *err);

/* `run --publisher stdout`: what is committed from now on, event by event, appended to `out`; see
 * relay_live(). Each step waits a second at most and returns with what there was; errors are those
 * of a stream, and end it. */
struct show;
int relay_show_open(const struct command_options *options, struct show **show, struct error *err);
int relay_show_step(struct show *show, struct error *err);
void relay_show_close(struct show *show); /* NULL is legal */

/* `setup --progress-version`: the record as an older version of walferry reads it, from 1 to
 * PROGRESS_VERSION; fences. ERROR_STOP, progress_has_more, where something in it would be lost. */
int relay_setup_version(const struct command_options *options, uint32_t version, struct error *err);

/* `setup --switch-to`: from one source.mode to the other without a gap or a repeat. The file says
 * the new one, the record the former one. Three steps: what precedes the cut still comes the former
 * way, which the caller sees to in between (relay/, with `end` and the former configuration).
 * A command that dies anywhere is begun again. */
struct switch_over;
enum switch_need { SWITCH_NOTHING, SWITCH_CLEAN_UP, SWITCH_ALL };
/* Looks, and refuses what would be refused later; fences nobody. *need: what is to be done. */
int relay_switch_open(const struct command_options *options, enum source_mode to,
                      struct switch_over **switch_over, enum switch_need *need, struct error *err);
/* The file, but in the mode of the record. */
const struct config_relay *relay_switch_former(const struct switch_over *switch_over);
/* Takes the relay over, and makes the cut. admin_connection as in relay_setup(). */
int relay_switch_cut(struct switch_over *switch_over, const char *admin_connection,
                     struct source_end *end, struct error *err);
/* Everything before the cut is published: the record is in the new mode from now on, and what the
 * former one has left at the server goes. CLEAN_UP: the latter alone, without a cut. */
int relay_switch_finish(struct switch_over *switch_over, struct error *err);
void relay_switch_close(struct switch_over *switch_over); /* NULL is legal */

/* `setup --from-debezium`: a relay without progress begins where a Debezium connector has stopped,
 * on its origin; see relay_inherit(). event_lsn 0: not known. */
int relay_from_debezium(const struct command_options *options, uint64_t commit_lsn,
                        uint64_t event_lsn, struct error *err);

/* The SQL for the DBA: roles, grants, publication. */
int relay_print_sql(const struct command_options *options, struct error *err);

/* Origin and progress from the servers. live: what the admin port answered to GET /status (JSON),
 * or absent. *ready: the answer of the command. A server that is away leaves its part unknown. */
void relay_status(const struct command_options *options, struct span live, bool *ready);

/* Before rebase, skip and teardown: is an instance of the relay running? seen: what its admin port
 * told, for a person, or NULL; the origin is asked besides. Without take_over that is refused; with
 * it, said. */
int relay_meet_living(const struct command_options *options, const char *seen, bool take_over,
                      struct error *err);

/* On from where the origin stands, from a new one, or from a place that it still holds; or from the
 * position as it is, beyond a change of what is published. */
enum rebase_target { REBASE_HERE, REBASE_ANEW, REBASE_LSN, REBASE_GUARD };

struct rebase_options {
    enum rebase_target target;
    const char *to;         /* as it was written */
    uint64_t lsn;           /* REBASE_LSN */
    struct controldata old; /* the server is that of progress after pg_upgrade; this the old one;
                               end_lsn 0: not said */
    bool accept_loss;
    bool accept_repeat;
    /* Phase 1 (apply false): look, say in `out` what would be lost or repeated. Phase 2: do it. */
    bool apply;
};
int relay_rebase(const struct command_options *options, const struct rebase_options *rebase,
                 struct error *err);

/* id: a walferry-id. route: what this route makes of the change; NULL: what all of them make. */
int relay_skip(const struct command_options *options, const char *id, const char *route,
               struct error *err);
/* Which dead letters; NULL: any. */
struct letter_filter {
    const char *key;   /* the whole key */
    const char *id;    /* a walferry-id, also of an event of the change */
    const char *route; /* name */
    bool values;       /* what is in them, too */
};
/* Prints what is in options->out and empties it. False: nobody reads it any more. */
struct answer_printer {
    bool (*print)(void *with);
    void *with;
};
/* `dead-letter list` and `show`. *found: how many. What does not fit into some 64 KB is printed
 * meanwhile; an error behind that is told in the answer, too, which is whole JSON all the same.
 * 1: nobody read it to its end. */
int relay_dead_letters(const struct command_options *options, const struct letter_filter *filter,
                       const struct answer_printer *printer, uint64_t *found, struct error *err);
/* `dead-letter retry` and `drop`: of one key, of one id, or all; route NULL: of any. */
struct letter_order {
    struct letter_filter which;
    bool drop;
    bool all;
    const char *connection; /* of somebody who may send commands; NULL: source.connection */
};
struct letter_tally {
    uint64_t sent, dropped, left, keys, commands;
    bool failed;
    char why[400]; /* the first that is left, or why nothing was done; "": all is well */
};
/* Sends commands to the relay and waits for the answers. ERROR_RETRY, "not_answered". */
int relay_order_letters(const struct command_options *options, const struct letter_order *order,
                        struct letter_tally *tally, struct error *err);
/* apply false: say what would be dropped. admin_connection: conninfo of somebody who may drop the
 * publication; NULL: the relay's own. May be repeated. */
int relay_teardown(const struct command_options *options, const char *admin_connection, bool apply,
                   struct error *err);

/* librdkafka and libpq in use, and the known defects of that librdkafka, for `version`. */
void relay_libraries(struct buf *out);
const char *relay_kafka_version(void);
const char *relay_pg_version(void);

#endif
