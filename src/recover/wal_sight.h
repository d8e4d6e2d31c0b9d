/* recover/wal_sight: a slot as it was seen at some moment, and the settings of its server
 * that decide what becomes of it, for `doctor`. */
#ifndef WALFERRY_RECOVER_WAL_SIGHT_H
#define WALFERRY_RECOVER_WAL_SIGHT_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

struct wal_sight {
    bool present;
    bool active;
    char status[16];
    bool limited;
    int64_t safe_bytes; /* where limited: what can be written until the slot is lost */
    int64_t retained_bytes;
    uint64_t current_lsn, confirmed_lsn;
    int64_t at_us; /* monotonic */
};

struct wal_settings {
    bool known;
    int64_t slots_max, slots_used, senders_max, senders_used;
    int64_t wal_limit_mb;      /* max_slot_wal_keep_size; -1: none */
    int64_t sender_timeout_ms; /* 0: none */
    int64_t slot_timeout_s;    /* idle_replication_slot_timeout; 0: none, or before 18 */
    char wal_level[16];
    char synchronous[512]; /* synchronous_standby_names */
    char standbys[512];    /* names of standbys that are no relays, quoted, as a list; may be "" */
    bool sees_standbys;    /* the role may see their names; else none are there */
    char idle_slots[256];  /* names of slots that nobody reads, for a person */
};

struct pg_connection;
/* origin_wal_sight.c. One that is not there is no error. */
int wal_look_at_slot(struct pg_connection *sql, const char *name, struct wal_sight *sight,
                     struct error *err);

#endif
