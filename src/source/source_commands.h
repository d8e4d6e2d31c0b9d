/* source/source_commands: asks the database which command a message in the stream is of. Internal
 * to the module.
 *
 * A commit stands in the log before others see it, for long where it waits for a synchronous
 * standby. So that there is no row counts only once a snapshot has the transaction behind it. Until
 * then, and where the question fails, the epoch ends rather than a command be lost. */
#ifndef WALFERRY_SOURCE_SOURCE_COMMANDS_H
#define WALFERRY_SOURCE_SOURCE_COMMANDS_H

#include "pg/pg.h"
#include "source/source.h"

enum command_step {
    COMMAND_IDLE,   /* nothing is asked; the session may stand */
    COMMAND_TABLES, /* asking for the table */
    COMMAND_ROWS,   /* asking for the row */
    COMMAND_UNSEEN  /* the transaction is not over for others: to be asked again */
};

struct command_lookup {
    const char *connection; /* NULL: nothing is ever asked */
    const char *const *password_command;
    const char *relay;
    char application[80];
    int64_t bound_us;
    struct pg_question *question; /* NULL: there is no session */
    enum command_step step;
    bool readable;             /* the table, when this session looked */
    bool kept;                 /* the session answered before */
    int64_t since_us;          /* when the message at hand was met */
    int64_t deadline_us;       /* of the question */
    int64_t again_us;          /* UNSEEN: when it is asked again; IDLE: when the session goes */
    struct sent_command found; /* valid until the next one */
    struct buf text;
};

void command_lookup_init(struct command_lookup *lookup, const struct stream_options *options);
void command_lookup_fini(struct command_lookup *lookup);

/* 1: the change may go on; a message of a command points to it. 0: to be called again with the same
 * change, when command_lookup_wait() says. -1: ERROR_RETRY. beside: the session that streams. */
int command_lookup_step(struct command_lookup *lookup, const struct pg_replication *beside,
                        struct change *change, int64_t now_us, struct error *err);
static inline bool command_lookup_waits(const struct command_lookup *lookup)
{
    return lookup->step != COMMAND_IDLE;
}
void command_lookup_wait(const struct command_lookup *lookup, int *fd, int64_t *deadline_us);
/* Ends a session that nobody has asked for a while. */
void command_lookup_tick(struct command_lookup *lookup, int64_t now_us);

#endif
