/* relay/relay_internal: what one running relay consists of; private to this module. */
#ifndef WALFERRY_RELAY_RELAY_INTERNAL_H
#define WALFERRY_RELAY_RELAY_INTERNAL_H

#include "recover/recover.h"
#include "relay/config_wish.h"
#include "relay/lessons.h"
#include "relay/lookout.h"
#include "relay/reader.h"
#include "relay/relay.h"
#include "relay/retention_rule.h"
#include "relay/writer.h"

#include <pthread.h>

/* How long an orderly end may take before the relay leaves with the writer wherever it is. */
#define STOP_DRAIN_US (INT64_C(8) * 1000000)
#define STOP_CLOSE_US (INT64_C(1) * 1000000)

struct relay {
    struct relay_options o;
    char instance[33];    /* random, of this process */
    char application[64]; /* application_name of the stream: "walferry:<relay>" */
    pthread_t thread;     /* the lifecycle, and the reader's loop */
    pthread_t watch, follower;
    struct retention retention; /* its thread; its basis is under the mutex */
    atomic_bool stop;
    atomic_int_fast64_t stop_us;     /* monotonic time at which it was asked for; 0: not yet */
    int stop_fd, reload_fd, done_fd; /* eventfds; the first is readable from then on */
    int successor_fd; /* readable once another instance is known to have taken over */

    pthread_mutex_t mutex; /* config, next_config, asked, board, watch's part of the board */
    const struct config_relay *config;
    const struct config_relay *next_config;   /* reload_fd is readable as long as there is one */
    const struct config_relay *opened_config; /* of the last epoch that was opened; NULL: none */
    struct config_wish asked;
    uint64_t settings_number; /* of relay_settings(); under the mutex */
    bool hold_config;         /* next_config waits for the end of a split transaction */
    struct status board;
    uint64_t claimed_generation; /* of our newest claim; 0: none yet. Under the mutex */
    struct {
        char instance[40];
        uint64_t generation; /* 0: nobody has taken over */
    } successor;             /* under the mutex */

    /* Monotonic times; written by the loops, read by the watch. */
    atomic_int_fast64_t source_up_us;
    atomic_int_fast64_t publisher_up_us;
    /* The relay cannot begin, and not because the database refuses its credentials; for the watch,
     * which looks at the origin then, too. */
    atomic_bool kept_out;

    struct claimant claimant;
    bool worked; /* an epoch has been opened: credentials were good once */
    bool warned_weak, advised;
    struct lookout lookout;
    struct outcomes outcomes; /* of commands, until the watch has told them */
    struct errand errand;
    bool more_due;            /* an epoch has ended so that the next one can ask for more */
    uint64_t gone_lsn;        /* position from which the server finds no publication; 0: none */
    uint64_t gone_generation; /* of the progress there: a person's decision is another one */
    bool gone_changes;        /* it is that of change routes */
    uint64_t guard_lsn;       /* where the reader met a guard that was no false alarm; 0: nowhere */
    atomic_bool retrying;     /* from epoch.failed to the next epoch.opened */
    uint64_t until_lsn;       /* --until-caught-up; known from the first epoch on */
    struct refusals refused;  /* still ahead; while an epoch runs both of its threads read it */
    struct position refused_from; /* where the epoch began that had them first */
    struct refusals learnt;       /* by the epoch that runs, or ran last; its writer's */
    struct publish_suspect suspect;
    uint64_t suspect_lsn; /* as long as the position is not beyond it */
    struct kafka_memory *memory;
    struct pace pace;       /* how much the broker takes; the writer's while an epoch runs */
    struct lessons lessons; /* of the last epoch that was open */
    struct claim_trouble claim_trouble;
    struct finish_trouble finish_trouble;
    struct kept_config *kept_configs; /* configs.c; under the mutex */
    const struct config_relay *used_configs[CONFIG_USERS];
    struct error result;
    bool abandoned;
};

/* One connection to the database, one producer. */
struct epoch {
    struct relay *relay;
    const struct config_relay *config;
    struct arena arena;
    struct kafka_options kafka;
    struct ledger_kafka ledger;
    struct opening opening;
    struct source *source;
    struct router *router;
    struct encoders *encoders;
    struct claim_store *claims; /* NULL: no route wants it */
    struct circuit circuit;
    struct verdict_facts verdicts;
    struct quarantine quarantine;
    struct replay replay;          /* for the errand */
    struct letter_reader *letters; /* outlives the router, which remembers its relations */
    struct reader reader;
    struct writer writer;
    atomic_bool writer_stop;
    uint64_t type_failures; /* look-ups of types that were told of */
    bool made;              /* reader and writer are initialised */
    struct error writer_error;
};

/* errand.c: held keys, and letters that a command works on. note: behind an epoch. */
int errand_read(struct epoch *epoch, struct error *err);
void errand_note(struct epoch *epoch);
/* open.c: steps 0 to 6. On failure the epoch is left for epoch_close(). */
int epoch_open(struct epoch *epoch, struct error *err);
/* Step 0 alone: would an open be refused? Takes nothing over. */
int epoch_look(struct epoch *epoch, struct error *err);
void epoch_init(struct epoch *epoch, struct relay *relay, const struct config_relay *config);
/* Runs until something ends it: 1 in order, -1 with the reason. *abandoned as in relay_result(). */
int epoch_run(struct epoch *epoch, bool *abandoned, struct error *err);
void epoch_close(struct epoch *epoch);

/* board.c */
void board_state(struct relay *relay, enum relay_state state);
void board_epoch(struct epoch *epoch);    /* an epoch was opened */
void board_progress(struct epoch *epoch); /* positions of the running epoch */
void board_error(struct relay *relay, const struct error *err);
void board_origin(struct relay *relay, const struct found_origin *origin);
void board_ready(struct relay *relay, int64_t now_us);

/* hold.c. hold stays until a start may be tried again (true), or the relay is asked to end. */
bool hold_wanted(const struct relay *relay, const struct error *err);
bool hold(struct relay *relay, const struct error *err);

/* retention.c: its thread; and for the life's: an epoch was opened, has committed more, has ended.
 */
void *retention_main(void *relay);
void retention_begin(struct epoch *epoch);
void retention_note(struct epoch *epoch);
void retention_end(struct relay *relay);
void *successor_main(void *relay);
/* True where another instance has taken over; *err says who. */
bool successor_known(struct relay *relay, struct error *err);

/* watch.c */
void *watch_main(void *relay);

#endif
