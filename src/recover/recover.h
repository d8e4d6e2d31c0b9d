/* recover/: how a relay begins: look, judge, take over, claim; and the steps of a first run. Shared
 * by the daemon and the commands.
 *
 * What would be refused is refused before anything is taken over. A refusal says the exact command
 * that mends it. */
#ifndef WALFERRY_RECOVER_RECOVER_H
#define WALFERRY_RECOVER_RECOVER_H

#include "recover/checks.h"
#include "recover/inheritance.h"
#include "recover/opening.h"

#include <stdatomic.h>

/* Fills what the daemon and the commands both need. */
struct kafka_options relay_kafka_options(const struct config_relay *config, const struct log *log,
                                         const atomic_bool *stop);
/* Random hexadecimal, 32 digits. */
void relay_instance(char text[33]);
/* The router of a configuration, for an epoch and the commands alike. */
int relay_open_router(const struct config_relay *config, struct router **router, struct error *err);
/* dead_letter.topic, or NULL where no route wants dead letters. */
const char *relay_letter_topic(const struct config_relay *config);
/* Are keys held? Only where some route wants dead letters. */
bool relay_holds_keys(const struct config_relay *config);
/* Can libpq read source.connection? Asks nobody. ERROR_STOP, EXIT_USAGE, "bad_connection", with
 * file and line. */
int relay_check_connection(const struct config_relay *config, struct error *err);
/* Checks and, where allowed, creates the literal topics of the routes. made may be NULL. */
int relay_prepare_topics(const struct kafka_options *kafka, const struct router *router,
                         bool create_progress, struct buf *weak, struct buf *made,
                         struct error *err);

/* ---- The steps of a first run, and what the commands share with them ---- */

/* What each command needs. Lines for a person are appended to `out`; where json is set one JSON
 * object instead. While a command waits for something that a person should see (blocking
 * transactions), it logs. */
struct command_options {
    const struct config_relay *config;
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
int relay_check_publication(struct pg_connection *sql, const struct config_relay *config,
                            const struct router *router, struct error *err);
/* What setup could not mend by making or completing the publication; looked at before it begins. */
int relay_check_before_setup(struct pg_connection *sql, const struct config_relay *config,
                             const struct router *router, struct error *err);
/* Creates the publication or adds the missing tables; globs are expanded to what exists now. Says
 * what it did, and refuses what it cannot mend, as the check does. beside: the relay has progress,
 * so the tables are locked against writers for the moment (ERROR_RETRY, locked, where that takes
 * longer than 5 s). */
int relay_ensure_publication(struct pg_connection *sql, const struct config_relay *config,
                             const struct router *router, bool beside, struct buf *out,
                             struct error *err);
/* The statements that do so on a server that has none of it, appended. */
int relay_publication_sql(struct pg_connection *sql, const struct config_relay *config,
                          const struct router *router, struct buf *out, struct error *err);
/* The same for a server that cannot be asked: of the tables that routes name plainly. */
void relay_publication_sql_unasked(const struct config_relay *config, const struct router *router,
                                   struct buf *out);

/* mark.c: a publication that setup makes says in its COMMENT whose it is. The one of x's change
 * routes has the name that a relay x_changes gives its own. */
enum publication_owner {
    PUBLICATION_UNMARKED,        /* made by a person, or by an older version */
    PUBLICATION_OURS,            /* of this relay */
    PUBLICATION_OF_ANOTHER,      /* of another relay, for routes of the same share */
    PUBLICATION_OF_ANOTHER_SHARE /* of another relay, for what would be taken from it otherwise */
};
/* Appended. */
void publication_mark(const char *relay, enum router_share share, struct buf *out);
enum publication_owner publication_owner(const char *relay, enum router_share share,
                                         struct span comment);
/* The statement that marks it, appended. */
void publication_mark_sql(const struct config_relay *config, enum router_share share,
                          struct buf *out);
/* May teardown drop it? *left: why not, for a person; empty: it may, or there is none. */
int relay_publication_left(struct pg_connection *sql, const struct config_relay *config,
                           const struct router *router, enum router_share share, struct buf *left,
                           struct error *err);

/* commands.c: whether commands can be sent in this database, and read and told by the relay. */
int relay_look_for_commands(struct pg_connection *sql, struct found_commands *commands,
                            struct error *err);
/* Writes into a command's row what became of it. outcome: JSON. A row that is gone is no error. */
int relay_tell_command(struct pg_connection *sql, uint64_t id, const char *state,
                       const char *outcome, struct error *err);

/* claims.c: does a route put values into walferry.claim? Then the table must be there, and the role
 * must be allowed to: else ERROR_STOP with the mend. Deletes up to a hundred whose time is over. */
bool relay_claims(const struct config_relay *config);
int relay_check_claims(struct pg_connection *sql, const struct config_relay *config,
                       struct error *err);
int relay_clean_claims(struct pg_connection *sql, uint32_t *deleted, struct error *err);
/* retention.c: may its tables be emptied by retention? Else ERROR_STOP with the mend. */
int relay_check_retention(struct pg_connection *sql, const struct config_relay *config,
                          struct error *err);

/* session.c: the two ends of a relay as a command holds them. It asks nobody until
 * origin_connect(); not to be moved. */
struct command_ends {
    struct recovery r; /* into what stands below */
    struct ledger_kafka ledger;
    struct arena arena;
    char application[88]; /* of its sessions */
};
void command_ends_open(const struct command_options *options, struct command_ends *ends);
void command_ends_close(struct command_ends *ends);
/* The session of --admin-connection. What it leaves out of the database's name is that of `ours`,
 * and it must reach the same database of the same server: else ERROR_STOP, EXIT_USAGE,
 * "admin_elsewhere". */
int command_open_admin(const struct command_options *options, const char *connection,
                       const struct pg_system *ours, struct pg_connection **sql, struct error *err);
/* A first record of this relay in the place of found->progress (outgrown: its generation is
 * followed), on found->system. */
void command_first_record(const struct config_relay *config, const struct origin *origin,
                          const struct found *found, bool outgrown, struct progress *record);
/* It begins at that place, from which on nothing was sent before. */
void command_place_record(const struct origin *origin, uint64_t lsn, struct progress *record);
/* origin_wal_cut.c: a place in the WAL, and the snapshot of what had committed before it. Appended
 * to *snapshot once any other snapshot sees all of that, too. name: of what is made at the server
 * for it; keep: that stays, and can be read from there. sql: of an ordinary session in the same
 * database. Says for whom it waits. */
int relay_cut(const struct command_options *options, struct pg_connection *sql, const char *name,
              bool keep, uint64_t *lsn, struct buf *snapshot, struct error *err);
/* Has the server room for it, or does it take the place of another (replaces)? ERROR_STOP,
 * EXIT_USAGE, no_free_slot. */
int relay_check_cut(struct pg_connection *sql, bool replaces, struct error *err);
/* found->progress is that of a relay that polls. What is there of the new origin, in found->origin,
 * must be nothing, or left of a switch: else ERROR_STOP, slot_without_progress. */
int relay_check_left(struct origin *origin, struct found *found, struct error *err);
/* It says by that name, and from which place on, what a switch leaves at the server; it goes on
 * saying what another one says, or that what a relay that read the WAL had is left, which is
 * said; a configuration is that of the relay that has made it. */
void relay_sign_left(struct progress *record, const char *label, uint64_t from);
void relay_leave_behind(const struct progress *before, struct progress *record, struct buf *out);
void relay_name_left(const struct progress *record, struct config_relay *config);
/* What is left, if anything, is what `origin` names: else ERROR_STOP, switch_refused. */
int relay_check_left_name(const struct origin *origin, const struct progress *record,
                          struct error *err);
/* origin_wal_live.c: what is committed from now on, through an origin of its own that goes with the
 * session; neither the relay's nor its progress is touched. The publication is checked as at a
 * start. Of *system what the server says of itself; it and the options must outlive the source. */
int relay_live(const struct command_options *options, const struct router *router,
               struct pg_system *system, struct source **source, struct error *err);
/* One line of a command's answer. */
void command_say(struct buf *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
#endif
