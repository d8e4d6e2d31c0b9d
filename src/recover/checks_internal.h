/* recover/checks_internal: what the files of the checks share; private to them.
 *
 *   checks_table.c    the table, and what results are written with
 *   checks_run.c      those of `check`, and which are run
 *   doctor.c          which of `doctor` stands where; files, libraries
 *   doctor_tables.c   keys and indexes
 *   doctor_kafka.c    broker and topics
 *   doctor_trip.c     something sent through the relay
 *   origin_wal_*.c    what the server keeps for a streaming relay, and how it is set for that */
#ifndef WALFERRY_RECOVER_CHECKS_INTERNAL_H
#define WALFERRY_RECOVER_CHECKS_INTERNAL_H

#include "recover/wal_sight.h"
#include "recover/recover.h"

struct checking {
    const struct command_options *o;
    const struct checks_options *options;
    struct command_ends ends;
    struct config_delivery delivery; /* a copy that creates no topics */
    struct router *router;
    struct pg_system system;
    struct checks *checks;
    bool commands;                /* can be sent in this database */
    struct wal_settings settings; /* of doctor, like what follows */
    struct wal_sight sight;       /* the first look */
    struct kafka_sight kafka;
};

/* What is shown where a check has passed, or warns without a mend. */
void checking_say(struct checking *c, enum check_id id, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void checking_passes_over(struct checking *c, enum check_id id); /* nothing of the kind is there */

/* One of `doctor` alone. -1: *err is what it has found, at the level of the table; ERROR_RETRY: it
 * could not be asked. */
int doctor_check(struct checking *c, enum check_id id, struct error *err);

int doctor_wal_level(struct checking *c, struct error *err);
int doctor_free_slot(struct checking *c, struct error *err);
int doctor_free_sender(struct checking *c, struct error *err);
int doctor_wal_limit(struct checking *c, struct error *err);
int doctor_sender_timeout(struct checking *c, struct error *err);
int doctor_slot_timeout(struct checking *c, struct error *err);
int doctor_synchronous(struct checking *c, struct error *err);
int doctor_clock_database(struct checking *c, struct error *err);

int doctor_identity(struct checking *c, struct error *err);
int doctor_primary_keys(struct checking *c, struct error *err);
int doctor_outbox_index(struct checking *c, struct error *err);

int doctor_slot_state(struct checking *c, struct error *err);
int doctor_slot_reader(struct checking *c, struct error *err);
int doctor_slot_room(struct checking *c, struct error *err);

int doctor_broker(struct checking *c, struct error *err);
int doctor_transaction_timeout(struct checking *c, struct error *err);
int doctor_transaction_log(struct checking *c, struct error *err);
int doctor_message_bytes(struct checking *c, struct error *err);
int doctor_acls(struct checking *c, struct error *err);
int doctor_clock_broker(struct checking *c, struct error *err);

int doctor_round_trip(struct checking *c, struct error *err);

/* "1.5 GB". */
const char *doctor_bytes(int64_t bytes, char text[24]);
/* The statements that set a setting of the server, as a mend. */
int doctor_mend_setting(struct error *err, const char *name, const char *value);
/* The hint of a clock that is wrong. */
int doctor_mend_clock(struct error *err);

#endif
