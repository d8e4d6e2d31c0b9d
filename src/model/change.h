/* model/change: one thing that happened in the database, in commit order.
 *
 * Every source speaks BEGIN, rows, COMMIT. A change and all that it points to live until the next
 * call of source_next(); the relation lives as long as the epoch. */
#ifndef WALFERRY_MODEL_CHANGE_H
#define WALFERRY_MODEL_CHANGE_H

#include "model/change_id.h"
#include "model/sent_command.h"
#include "model/position.h"
#include "model/relation.h"

enum change_op {
    CHANGE_BEGIN,
    CHANGE_INSERT,
    CHANGE_UPDATE,
    CHANGE_DELETE,
    CHANGE_TRUNCATE,
    CHANGE_MESSAGE, /* pg_logical_emit_message; `transactional` says which kind */
    CHANGE_READ,    /* a row of a snapshot */
    CHANGE_COMMIT,
    CHANGE_MARK /* nothing before `position` is still to come; only outside a transaction */
};

/* A set of operations is an integer with a bit for each. */
static inline uint32_t change_bit(enum change_op op)
{
    return UINT32_C(1) << op;
}

enum cell_kind {
    CELL_NULL,
    CELL_TEXT,
    CELL_BINARY,
    CELL_UNCHANGED, /* a TOASTed value that the UPDATE did not touch and the server did not send */
    CELL_BYTES      /* a text that cannot be made UTF-8: as it stands in the database */
};

struct cell {
    enum cell_kind kind;
    struct span bytes; /* TEXT (UTF-8), BINARY and BYTES only */
};

struct row {
    uint32_t count; /* 0: there is no such row */
    struct cell *cells;
    const struct cell *raw; /* the same cells in the database's own encoding, TEXT for BYTES; NULL:
                               they are not different */
};

struct change {
    enum change_op op;
    /* Where the relay is once this change is done. BEGIN: the position before the transaction, seq
     * 0. Row, truncate, transactional message: that lsn with seq = ordinal. COMMIT: {end_lsn, 0}.
     * MARK: {lsn, 0}. Non-transactional message: its own lsn field, outside the order. */
    struct position position;
    struct change_id id;    /* ordinal 0 for BEGIN and COMMIT; NONE outside a transaction */
    uint32_t xid;           /* 0 outside a transaction */
    int64_t commit_time_us; /* of the transaction, Unix epoch; 0 where unknown */
    int64_t sent_time_us;   /* the server's clock when it sent the change, Unix epoch; 0: unknown */
    uint64_t lsn;           /* of its own record in the WAL; 0: unknown */
    /* Of a transaction that was replicated into this database: the name of where it came from, and
     * its commit's place there. Absent and 0: it began here. */
    struct span origin;
    uint64_t origin_lsn;
    bool repeated; /* it is done already, and given only to be counted once more */
    const struct relation *relation; /* rows; of TRUNCATE the first relation */
    struct row before;               /* old row or key, where the server sent it */
    struct row after;
    struct {
        struct span prefix;
        struct span content;
        bool transactional;
        bool not_utf8;                      /* the content cannot be made UTF-8 */
        const struct sent_command *command; /* that it is of; NULL: it is of none */
    } message;
    struct {
        uint32_t count;
        const struct relation **relations;
        bool cascade;
        bool restart_identity;
    } truncate;
    uint64_t
        over_xid; /* COMMIT, MARK: whatever lower transaction ids wrote is behind; 0: unknown */
    bool urgent;  /* MARK: the server waits for a confirmation of this position now */
};

#endif
