/* relay/life: what one running relay consists of; private to this room. */
#ifndef WALFERRY_RELAY_LIFE_H
#define WALFERRY_RELAY_LIFE_H

#include "relay/judge.h"
#include "relay/reader.h"
#include "relay/relay.h"
#include "relay/writer.h"

#include <pthread.h>

/* How long an orderly end may take before the relay leaves with the writer wherever it is. */
#define STOP_DRAIN_US (INT64_C(8) * 1000000)
#define STOP_CLOSE_US (INT64_C(1) * 1000000)

struct relay {
    struct relay_options o;
    char instance[33];    /* random, of this process */
    char application[64]; /* application_name of the stream: "walferry:<relay>" */
    pthread_t thread;     /* the life, and the reader's loop */
    pthread_t watch;
    atomic_bool stop;
    atomic_int_fast64_t stop_us; /* monotonic time at which it was asked for; 0: not yet */
    int stop_fd;                 /* eventfd, readable from then on */
    int reload_fd;
    int done_fd;

    pthread_mutex_t mutex; /* config, next_config, board, watch's part of the board */
    const struct config *config;
    const struct config *next_config;
    const struct config *opened_config; /* of the last epoch that was opened; NULL: none */
    bool hold_config;                   /* next_config waits for the end of a split transaction */
    struct status board;

    /* Monotonic times; written by the loops, read by the watch. */
    atomic_int_fast64_t source_up_us;
    atomic_int_fast64_t publisher_up_us;

    bool claimed; /* this process has written a claim */
    bool worked;  /* an epoch has been opened: credentials were good once */
    bool warned_weak;
    uint64_t until_lsn;                    /* --until-caught-up; known from the first epoch on */
    struct verdict verdicts[VERDICTS_MAX]; /* on changes that are still ahead */
    uint32_t verdict_count;
    struct publish_suspect suspect;

    struct error result;
    bool abandoned;
};

/* What is known before a relay is taken over. */
struct relay_facts {
    bool have_progress;
    struct progress progress;
    struct pg_system system;
    struct pg_slot slot;
};

/* One connection to the database, one producer. */
struct epoch {
    struct relay *relay;
    const struct config *config;
    struct arena arena;
    struct kafka_options kafka;
    struct relay_facts facts;           /* progress as looked at, recovered, then claimed */
    struct pg_replication *replication; /* until the source has taken it over */
    struct publisher *publisher;
    struct source *source;
    struct router *router;
    struct encoder_options encoding;
    struct encoder *encoder;
    struct circuit circuit;
    struct reader reader;
    struct writer writer;
    atomic_bool writer_stop;
    bool made; /* reader and writer are initialised */
    struct error writer_error;
};

/* open.c: steps 0 to 6. On failure the epoch is left for epoch_close(). */
int epoch_open(struct epoch *epoch, struct error *err);
/* epoch.c */
void epoch_init(struct epoch *epoch, struct relay *relay, const struct config *config);
/* Runs until something ends it: 1 in order, -1 with the reason. *abandoned as in relay_result(). */
int epoch_run(struct epoch *epoch, bool *abandoned, struct error *err);
void epoch_close(struct epoch *epoch);

/* board.c */
void board_state(struct relay *relay, enum relay_state state);
void board_epoch(struct epoch *epoch);    /* an epoch was opened */
void board_progress(struct epoch *epoch); /* positions of the running epoch */
void board_error(struct relay *relay, const struct error *err);
void board_slot(struct relay *relay, const struct pg_slot *slot);
void board_ready(struct relay *relay, int64_t now_us);

/* watch.c */
void *watch_main(void *relay);

/* open.c, shared with the commands: fills what both need. */
struct kafka_options relay_kafka_options(const struct config *config, const struct log *log,
                                         const atomic_bool *stop);
/* Reads and decodes the progress as far as the last stable offset. */
int relay_look(const struct kafka_options *kafka, struct arena *arena, struct progress *progress,
               bool *have_progress, bool *topic_exists, struct error *err);
/* The same once every transaction that is open in the topic has ended: what a refusal rests on. */
int relay_look_through(const struct kafka_options *kafka, struct arena *arena,
                       struct progress *progress, bool *have_progress, bool *topic_exists,
                       struct error *err);
/* Asks the server for system and slot, and for its history where timelines differ; then judges the
 * progress in *facts. Where that was only looked at (kafka not NULL) a relay may be running beside
 * us: it is read again, through to its end, before anything is refused. */
int relay_judge(struct pg_connection *sql, const struct config *config,
                const struct kafka_options *kafka, struct arena *arena, struct relay_facts *facts,
                struct error *err);
/* Takes over: new producer, recovery. *record is what the topic holds. */
int relay_take_over(const struct kafka_options *kafka, struct arena *arena,
                    struct publisher **publisher, struct progress *progress, bool *have_progress,
                    struct error *err);
/* Writes one record alone in its transaction; waits for the outcome. */
int relay_write_record(struct publisher *publisher, const struct progress *record,
                       const atomic_bool *stop, int64_t timeout_ms, struct error *err);
/* timeline.c: where `timeline` ended in the history of the server's present one; 0: not in it. */
int timeline_switch(struct pg_connection *sql, uint32_t present, uint32_t timeline, uint64_t *lsn,
                    struct error *err);
/* open.c: random hexadecimal, 32 digits. */
void relay_instance(char text[33]);
/* open.c: the mend of a refusal as one can paste it, with the file it is about. */
void relay_complete_hint(const struct config *config, struct error *err);
/* The router of a configuration, for an epoch and the commands alike. */
int relay_open_router(const struct config *config, struct router **router, struct error *err);
/* Checks and, where allowed, creates the literal topics of the routes. */
int relay_prepare_topics(const struct kafka_options *kafka, const struct router *router,
                         bool create_progress, struct buf *weak, struct error *err);

#endif
