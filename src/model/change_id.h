/* model/change_id: the name of a change in its database, the same after any restart.
 *
 *   wal    <system identifier>-<16 hex digits: final LSN of BEGIN>-<ordinal>[.<n>]
 *   poll   <system identifier>-x<xid>-<seq>[.<n>]
 *          <system identifier>-x<xid>t<oid of the table>-<seq>[.<n>]
 *   claim  <system identifier>-k<key>[.<n>]
 *          <system identifier>-t<oid of the table>k<key>[.<n>]
 *
 * It goes out in the id header, into logs, and comes back through `walferry skip`. The ".<n>"
 * tells the second and further events of one change apart; it belongs to the event and not to
 * the id. An id of the WAL is a place: its ids are ordered as the changes are. One of polling
 * can only be told from others; each table numbers its rows by itself, so where several are
 * polled it names its own. A claimed row is named by its key: an integer, or a uuid as PostgreSQL
 * writes it, or any other text, whose bytes but A-Z a-z 0-9 - _ ~ are %XX ("%" alone is the empty
 * one). Formatting costs no printf: it runs once for every message. */
#ifndef WALFERRY_MODEL_CHANGE_ID_H
#define WALFERRY_MODEL_CHANGE_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum change_id_kind {
    CHANGE_ID_NONE, /* no change, or one outside any transaction */
    CHANGE_ID_WAL,
    CHANGE_ID_POLL,
    CHANGE_ID_NUMBER, /* a claimed row; from here on no id names a transaction */
    CHANGE_ID_UUID,
    CHANGE_ID_STRING
};

/* Of a key that is neither a number nor a uuid. It stands in the id, which is a value that outlives
 * rows, batches and epochs. */
#define CHANGE_ID_STRING_MAX 64

struct change_id {
    enum change_id_kind kind;
    uint32_t table; /* not WAL: its oid; 0 where one table alone is polled */
    union {
        struct {
            union {
                uint64_t final_lsn; /* WAL: Begin.final_lsn, the start of the commit record */
                uint64_t xid;       /* POLL */
                uint64_t high;      /* UUID: its first 8 bytes */
            };
            union {
                uint64_t ordinal; /* WAL: within the transaction, from 1; 0: it as such */
                uint64_t seq;     /* POLL */
                uint64_t low;     /* UUID: its last 8 bytes; NUMBER: an int64_t */
            };
        };
        char string[CHANGE_ID_STRING_MAX]; /* STRING: as PostgreSQL has it, without a NUL */
    };
    uint8_t string_len;
};

static inline struct change_id change_id_wal(uint64_t final_lsn, uint64_t ordinal)
{
    return (struct change_id){.kind = CHANGE_ID_WAL, .final_lsn = final_lsn, .ordinal = ordinal};
}

static inline struct change_id change_id_poll(uint64_t xid, uint32_t table, uint64_t seq)
{
    return (struct change_id){.kind = CHANGE_ID_POLL, .table = table, .xid = xid, .seq = seq};
}

static inline bool change_id_is_claimed(struct change_id id)
{
    return id.kind == CHANGE_ID_NUMBER || id.kind == CHANGE_ID_UUID || id.kind == CHANGE_ID_STRING;
}

/* Of a polling relay, whatever its strategy: then it is no place. */
static inline bool change_id_is_polled(struct change_id id)
{
    return id.kind == CHANGE_ID_POLL || change_id_is_claimed(id);
}

static inline bool change_id_is_none(struct change_id id)
{
    return id.kind == CHANGE_ID_NONE;
}

#define CHANGE_ID_KEY_MAX (3 * CHANGE_ID_STRING_MAX + 1)

bool change_id_same_string(const struct change_id *a, const struct change_id *b);

/* Here, because every row asks, and an id that is handed over by value costs as much as asking. */
static inline bool change_id_equal(struct change_id a, struct change_id b)
{
    if (a.kind != b.kind || a.table != b.table)
        return false;
    if (a.kind == CHANGE_ID_STRING)
        return change_id_same_string(&a, &b);
    return a.final_lsn == b.final_lsn && a.ordinal == b.ordinal;
}
/* <0, 0 or >0, as strcmp. Both of kind WAL: no other kind is ordered. */
int change_id_compare(struct change_id a, struct change_id b);

/* The key of a claimed row, as PostgreSQL writes it. What an integer of 64 bits is written as is
 * one, whatever the type of the column, and so is a uuid, so that a text names one id. table as
 * above. False where it is longer than CHANGE_ID_STRING_MAX bytes. */
bool change_id_of_key(const char *text, size_t len, uint32_t table, struct change_id *id);
/* The key alone, with its %XX. Returns its length; the NUL stands behind it. */
size_t change_id_format_key(struct change_id id, char text[CHANGE_ID_KEY_MAX]);
/* Reads what change_id_format_key printed, and nothing else. */
bool change_id_parse_key(const char *text, size_t len, uint32_t table, struct change_id *id);

/* 20 + 1 + 16 + 1 + 20 + 1 + 10 digits and dashes at most, and the NUL. Of polling 20 + 2 + 20 + 1
 * + 10 + 1 + 20 + 1 + 10; of a claimed row 20 + 2 + 10 + 1 + a key + 1 + 10. */
#define CHANGE_ID_TEXT_MAX (CHANGE_ID_KEY_MAX + 44)

/* Without the ".<n>" of a second event. id: not NONE. Returns text. */
const char *change_id_format(uint64_t system_identifier, struct change_id id,
                             char text[CHANGE_ID_TEXT_MAX]);
/* With ".<event>" where event (from 1) is above 1. Returns the length; the NUL stands behind it. */
size_t change_id_format_event(uint64_t system_identifier, struct change_id id, uint32_t event,
                              char text[CHANGE_ID_TEXT_MAX]);
/* What the ids of a transaction have in common, so that it is formatted once for all of them.
 * Begins as zeros, and is of one system identifier. */
struct change_id_prefix {
    uint64_t final_lsn;
    size_t len;
    char text[40]; /* 20 + 1 + 16 + 1 */
};
/* As change_id_format_event. */
size_t change_id_format_behind(struct change_id_prefix *prefix, uint64_t system_identifier,
                               const struct change_id *id, uint32_t event,
                               char text[CHANGE_ID_TEXT_MAX]);
/* Reads what change_id_format_event printed; false, and nothing set, where it is anything else.
 * event may be NULL: then an id with ".<n>" is something else, too. */
bool change_id_parse(const char *text, uint64_t *system_identifier, struct change_id *id,
                     uint32_t *event);

#endif
