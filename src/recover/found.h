/* recover/found: what a look finds: everything that is known of a relay before it is taken over.
 * The daemon and the commands judge by it alike, so nothing here belongs to one kind of origin. */
#ifndef WALFERRY_RECOVER_FOUND_H
#define WALFERRY_RECOVER_FOUND_H

#include "pg/pg.h"
#include "progress/progress.h"

/* The session that holds an origin. */
struct found_holder {
    bool present;
    bool ours; /* a relay of this name, this process or another */
    int32_t pid;
    char application[64]; /* as far as we may see it */
};

/* The table of commands (sql/005_command.sql), as the relay's role sees it. */
struct found_commands {
    bool present;
    bool readable;
    bool writable;  /* status and outcome */
    char role[132]; /* quoted for SQL */
};

/* Where changes come from, as the server shows it. A place is one in the WAL; 0: not known. */
struct found_origin {
    bool present;
    bool lost;         /* what it needs is gone: only a new one helps */
    bool due;          /* it is lost at the server's next checkpoint */
    char kind[64];     /* of its contents: the output plugin; empty: not a logical one */
    char database[64]; /* that it belongs to */
    char state[16];    /* in the server's own word; empty: unknown */
    struct found_holder holder;
    uint64_t confirmed_lsn; /* 0 although present: still being created */
    uint64_t retained_lsn;  /* the server keeps what lies behind it */
    uint64_t current_lsn;   /* the end of what was written */
    bool at_work;           /* the server reads the log for the holder, and waits for nobody */
    bool limited;           /* how much may be kept, and so */
    int64_t room_bytes;     /* that can be written until it is lost */
    struct found_commands commands;
    char waits[256]; /* for whom our session has waited for seconds: a lock; empty: for nobody */
};

struct found {
    bool topic_exists; /* of the progress */
    bool have_progress;
    struct progress progress; /* where have_progress */
    struct pg_system system;
    struct found_origin origin;
};

/* Is there a record of a relay that has begun and has not been torn down? */
static inline bool found_begun(const struct found *found)
{
    return found->have_progress && found->progress.mode != PROGRESS_INTENT &&
           found->progress.mode != PROGRESS_CLOSED;
}

/* Bytes from there to the end of what was written; 0 where it is not known. */
static inline uint64_t found_behind(const struct found_origin *found, uint64_t lsn)
{
    return lsn != 0 && found->current_lsn > lsn ? found->current_lsn - lsn : 0;
}

#endif
