/* scripted_source: a source that hands on what a test has written down, one change a call.
 *
 * Positions, ordinals and xids are filled in as a real source does, so a test names LSNs only where
 * they matter. What the reader asks of it is counted. Everything is in model time. */
#ifndef WALFERRY_TESTS_SCRIPTED_SOURCE_H
#define WALFERRY_TESTS_SCRIPTED_SOURCE_H

#include "config/config.h"
#include "source/source.h"

#define SCRIPT_ITEMS_MAX 4096
#define SCRIPT_COLUMNS 5

struct script_item {
    struct change change;
    struct cell cells[SCRIPT_COLUMNS];
    char payload[32];
};

struct scripted_source {
    struct source base;
    struct script_item *items;
    uint32_t count;
    uint32_t next;
    uint64_t lsn; /* of the transaction before the one being written down */
    uint64_t final_lsn;
    uint64_t ordinal;
    uint32_t xid;
    int64_t commit_time_us; /* of what is written down next */
    int64_t sent_time_us;
    struct position confirmed;
    char resume[64]; /* of the last confirmation; "" where it was absent */
    uint32_t confirms;
    uint32_t ticks;
    uint32_t nexts;
    int fd;               /* given by wait; -1 */
    int64_t deadline_us;  /* given by wait */
    struct error failure; /* returned once the script is at its end, if it has a kind */
    struct error tick_failure;
};

void script_init(struct scripted_source *s, uint64_t start_lsn);
void script_fini(struct scripted_source *s);
void script_begin(struct scripted_source *s, uint64_t final_lsn);
/* A row of public.outbox; NULL for `topic` is a NULL aggregatetype. */
void script_row(struct scripted_source *s, enum change_op op, const char *topic,
                const char *payload);
/* An outbox row for topic outbox.event.shop. */
void script_insert(struct scripted_source *s, const char *payload);
/* A row of a table that no route takes. */
void script_other(struct scripted_source *s);
/* Outside a transaction of its own where it is not transactional. */
void script_message(struct scripted_source *s, const char *prefix, const char *content,
                    bool transactional);
/* The message of a command of relay "orders", with what the source has found for it. */
void script_command(struct scripted_source *s, const struct sent_command *command);
/* Ends at final_lsn + 0x10. */
void script_commit(struct scripted_source *s);
void script_mark(struct scripted_source *s, uint64_t lsn, bool urgent);
/* A whole transaction of `rows` rows. */
void script_transaction(struct scripted_source *s, uint64_t final_lsn, uint32_t rows);

/* A route "outbox" from public.outbox with Debezium's columns, on_error: stop. */
struct config_route script_route(void);
struct config_text script_text(const char *text);

#endif
