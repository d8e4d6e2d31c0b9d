/* recover/origin_wal_internal: what the files of the WAL's origin, a replication slot, share;
 * private to them.
 *
 *   origin_wal.c          the session, looking, starting, what is said of a slot
 *   origin_wal_judge.c    may a relay go on, may a first run begin; pure
 *   origin_wal_make.c     creating, adopting, replacing, dropping
 *   origin_wal_cut.c      a consistent point with its snapshot
 *   origin_wal_inherit.c  the slot of another program
 *   origin_wal_missing.c  can the slot be read through the publications, from where progress stands
 *   origin_wal_history.c  where a timeline ended */
#ifndef WALFERRY_RECOVER_ORIGIN_WAL_INTERNAL_H
#define WALFERRY_RECOVER_ORIGIN_WAL_INTERNAL_H

#include "recover/origin.h"

struct origin_wal {
    struct origin base; /* first: the ops find us through it; base.label is the slot's name */
    struct origin_options o;
    char relay_application[80];         /* of the stream of any instance of this relay */
    char command_application[88];       /* of the sessions that a command opens besides */
    struct pg_replication *replication; /* ORIGIN_STREAM: base.sql belongs to it */
    struct {
        bool looked;
        bool at_first; /* it was there at the first look */
        bool exists;
        bool of_slot; /* it is older than the slot, so that the slot can be read through it from
                         wherever that begins */
    } changes;        /* the publication of change routes */
};

struct origin *origin_wal_open(const struct origin_options *options);

/* origin_wal_judge.c: everything that a verdict rests on. */
struct wal_facts {
    const char *relay;
    const char *slot_name;
    const char *topic; /* of the progress */
    const char *config_hash;
    const struct found *found;
    /* Where the timelines differ: the LSN at which the recorded timeline ended in the server's
     * history; 0: the history does not hold it. */
    uint64_t timeline_switch;
    struct pg_fate fate; /* of the transaction published last */
};

/* May a relay go on from its recorded progress on this server? Pure, so that open, check and status
 * judge alike and every refusal can be tested without a server. 0, or -1: a refusal is ERROR_STOP
 * with the exact command that mends it; ERROR_RETRY only for a slot that is still in creation, and
 * where a server in recovery lacks what the primary may have. */
int wal_judge_start(const struct wal_facts *facts, struct error *err);
/* What the server is asked for again, so that it can be compared with the record: the transaction
 * published last, where the slot still holds it, and that nothing else commits before the position.
 * from_lsn 0: nothing. What the server silently forwards over is not asked for. */
struct stream_witness wal_witness(const struct progress *progress, uint64_t confirmed_lsn);
/* May a first run make the slot, or take over what an interrupted one left behind? */
int wal_judge_first(const struct wal_facts *facts, struct error *err);
/* Is the slot one of pgoutput, and of the database that the connection is to? ERROR_STOP,
 * EXIT_USAGE: slot_plugin, slot_database. Not asked of an absent one. */
int wal_judge_place(const struct wal_facts *facts, struct error *err);
/* Is the slot of an interrupted first run younger than its intent, and free? */
int wal_judge_adoption(const struct wal_facts *facts, struct error *err);

/* origin_wal_make.c: origin_ops.prepare. */
int wal_prepare(struct origin *o, enum origin_wish wish, const struct found *found, uint64_t *place,
                struct error *err);

/* origin_wal_missing.c: origin_ops.missing; and what a stream asks for beside the first
 * publication. */
int wal_missing(struct origin *o, const struct found *found, const char **missing,
                struct error *err);
/* Logs for whom a slot in creation waits, now and every 30 s; sql: any session. *tell_us: when
 * next, CLOCK_MONOTONIC; 0 at first. */
void wal_tell_blockers(const struct log *log, struct pg_connection *sql, const char *slot,
                       bool standby, int64_t *tell_us);
/* What is read, from where on. */
struct wal_stream {
    const struct config_relay *config;
    const char *label;    /* of the slot */
    const char *encoding; /* of the database */
    const char *changes;  /* the publication of change routes; NULL: it is not read */
    uint64_t lsn;
};
int wal_start_stream(struct pg_replication *replication, const struct wal_stream *stream,
                     struct error *err);
/* Is there a route for the publication of change routes? Messages come without one. */
bool wal_takes_changes(const struct config_relay *config);
/* From where on a record says that it may be read through; UINT64_MAX: nowhere yet. */
uint64_t wal_changes_from(const struct config_relay *config, const struct progress *record);

/* origin_wal_history.c: where `timeline` ended in the history of the server's present one; 0: not
 * in it. sql: of a replication session. */
int wal_timeline_end(struct pg_connection *sql, uint32_t present, uint32_t timeline, uint64_t *lsn,
                     struct error *err);

#endif
