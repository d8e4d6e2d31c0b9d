/* sim/model_kafka: a Kafka with two transactional ids, and the publisher in front of it, which uses
 * them in turn.
 *
 * Outcomes that the real one has and that hurt: full queues, reports that come late, commits that
 * take several slices, that fail, that are fenced, and whose outcome is never learnt (the
 * transaction is then committed or aborted by the next init of its id, as the broker's log has it),
 * and an init that reaches the first id only. The handles may have to be made anew, and wait for a
 * claim. It checks I2, I5, I7, that the claim is on the first id, and that no event precedes a
 * claim.
 */
#ifndef WALFERRY_SIM_MODEL_KAFKA_H
#define WALFERRY_SIM_MODEL_KAFKA_H

#include "dump.h"
#include "kept.h"
#include "large.h"
#include "publish/publish.h"
#include "random.h"

/* An answer to a command is an event of this number and the command's. */
#define ANSWER_BASE 1000000

struct kafka_event {
    uint32_t event;
    uint32_t key;
    uint64_t final_lsn;
    uint64_t ordinal;
    uint32_t txn; /* number of the Kafka transaction */
    bool part;    /* carries walferry-part */
    bool letter;  /* a dead letter; event is 0 where its value is left out */
    enum large_as as;
    struct change_id replay_of; /* of the letter that it was; NONE: it was none */
    struct kept *kept;          /* of a topic that the relay reads itself; NULL: of no such */
    char line[DUMP_LINE_MAX];
};

struct kafka_record {
    char *json;
    size_t len;
    uint32_t events; /* in the log once it is committed */
};

/* A broker that takes its time; bytes_per_s 0: one that takes none. */
struct kafka_pace {
    int64_t bytes_per_s;
    int64_t latency_us;
    int64_t burst_us;   /* a quota: what it would take in that time passes at once */
    int64_t link_times; /* as fast as the link to it is, in multiples of bytes_per_s; 0: any */
    int64_t timeout_us; /* of transactions; a message is given up after three quarters of it */
};

/* What the broker knows of a transactional id. */
struct kafka_id {
    struct kafka_event *open; /* of its open transaction */
    uint32_t open_count;
    struct kafka_record pending; /* the same: its record */
    bool end_sent;               /* EndTxn reached the coordinator, its outcome is not known yet */
    int64_t begun_us;            /* 0: none is open */
    uint32_t epoch;
};

#define MODEL_IDS 2

struct model_kafka {
    struct random *random;
    struct kafka_pace pace;
    int64_t now_us;
    int64_t free_us;         /* when the broker has taken all that it was sent */
    int64_t link_us;         /* when the link has carried it */
    bool faults;             /* false: everything succeeds */
    bool wrong;              /* some events are refused (wrong.h) */
    struct claims *claims;   /* NULL: what is too large follows from its number, else its bytes */
    struct kafka_event *log; /* committed, in order */
    uint32_t log_count;
    struct kafka_id ids[MODEL_IDS];
    struct kafka_record *records; /* committed progress */
    uint32_t record_count;
    uint32_t txn;
    char violation[256]; /* of I2, I3, I5 or I7; empty: none */
};

void model_kafka_init(struct model_kafka *kafka, struct random *random);
void model_kafka_fini(struct model_kafka *kafka);
/* init_transactions of one id after the other: fences what was there, settles what is open. */
int model_publisher_open(struct model_kafka *kafka, struct publisher **publisher);
/* The position of the newest committed progress; lsn 0: none. */
struct position model_kafka_progress(const struct model_kafka *kafka);

#endif
