/* model/status: what a relay says of itself, copied whole under a mutex for admin/ and cli/. */
#ifndef WALFERRY_MODEL_STATUS_H
#define WALFERRY_MODEL_STATUS_H

#include "model/position.h"

enum relay_state {
    STATE_STARTING,  /* no epoch has been open yet */
    STATE_STREAMING, /* an epoch is open */
    STATE_BACKOFF,   /* waiting to open again */
    STATE_HELD,      /* refused, and kept by run --hold-on-refusal */
    STATE_STOPPING,
    STATE_STOPPED
};

/* Of losing what the server keeps for the relay. */
enum wal_risk {
    WAL_RISK_NONE,
    WAL_RISK_FILLING, /* less than half of what may be kept is left, or it will be within hours */
    WAL_RISK_HIGH,    /* nearly all of it is used up, or will be within minutes */
    WAL_RISK_LOST
};

struct status {
    enum relay_state state;
    char relay[48];
    char origin[64]; /* its name: where changes come from */
    char publication[64];
    char guarantee[24];
    char instance[40];
    char system_identifier[24];
    uint32_t timeline;
    uint64_t generation;
    uint64_t epochs;              /* opened since the start */
    uint64_t dead_letters;        /* committed since then, of the routes that there are now */
    struct position committed;    /* progress that Kafka has committed */
    uint64_t confirmed_lsn;       /* what PostgreSQL has been told */
    uint64_t received_lsn;        /* the newest LSN seen on the wire */
    bool in_partial;              /* inside a split transaction */
    int64_t last_commit_wall_us;  /* our clock at the last Kafka commit; 0: none */
    int64_t source_up_wall_us;    /* last time the database answered; 0: never */
    int64_t publisher_up_wall_us; /* last time the broker answered; 0: never */
    int64_t since_wall_us;        /* when `state` was entered */
    /* From the watch's SQL connection. */
    bool origin_known;
    char origin_state[16];
    uint64_t current_lsn;    /* the end of what was written; 0: not known, or of no meaning here */
    uint64_t lag_bytes;      /* current WAL − what the origin is confirmed to */
    uint64_t retained_bytes; /* current WAL − what the origin retains */
    int64_t room_bytes;      /* what can be written until it is lost; -1: no limit is known */
    enum wal_risk risk;
    int64_t seconds_left; /* until then, by the pace of the last half minute; -1: not known */
    bool stands;          /* the position does not move, and the log does */
    char risky[256];      /* why the two make the relay unready; empty: they do not */
    bool source_fresh, publisher_fresh; /* they have answered within admin.ready_grace_ms */
    bool ready;
    char last_error_reason[48];
    char last_error[512];
    int64_t last_error_wall_us;
};

const char *relay_state_name(enum relay_state state);
const char *wal_risk_name(enum wal_risk risk);

#endif
