/* webhook/webhook_judge: what there is to tell, by looks at the status. It reads no clock. */
#ifndef WALFERRY_WEBHOOK_WEBHOOK_JUDGE_H
#define WALFERRY_WEBHOOK_WEBHOOK_JUDGE_H

#include "config/config.h"
#include "model/status.h"

/* What may be wrong, each by itself. */
enum webhook_topic {
    WEBHOOK_LAG,          /* what the server wrote is not published after lag_limit_ms */
    WEBHOOK_SLOT,         /* what the server keeps for the relay is about to be lost */
    WEBHOOK_STUCK,        /* the relay does not get on */
    WEBHOOK_DEAD_LETTERS, /* changes go to the dead-letter topic */
    WEBHOOK_RELAY,        /* the process: ended by an error, or begun */
    WEBHOOK_TOPICS
};

/* Beside what went well again, that is. */
enum webhook_severity { WEBHOOK_OK, WEBHOOK_WARNING, WEBHOOK_CRITICAL };

struct webhook_look {
    int64_t now_us; /* monotonic, > 0 */
    const struct status *status;
    uint64_t keys_held;
};

struct webhook_news {
    enum webhook_topic topic;
    enum webhook_severity severity; /* OK: it is over */
    int64_t lasted_s;               /* where it is over: how long it was so */
    char detail[640];
};

/* An end of the log, and when it was there. */
struct webhook_mark {
    uint64_t lsn;
    int64_t at_us;
};

#define WEBHOOK_MARKS 32

struct webhook_judge {
    enum webhook_severity severity[WEBHOOK_TOPICS]; /* what was told */
    int64_t since_us[WEBHOOK_TOPICS];               /* since when, where that is not OK */
    struct webhook_mark marks[WEBHOOK_MARKS];       /* rising; what is not published yet */
    uint32_t mark_count;
    int64_t spacing_us;   /* between two marks */
    int64_t working_us;   /* when it last worked, or was seen first; 0: not seen yet */
    uint64_t letters;     /* seen */
    uint64_t letters_new; /* since the last time that it was quiet */
    int64_t letter_us;    /* when one was seen last */
    bool started;         /* it has been ready, and that was told */
};

/* Fills news[] and returns how many there are. */
uint32_t webhook_judge(struct webhook_judge *judge, const struct webhook_look *look,
                       const struct config_notify *config,
                       struct webhook_news news[WEBHOOK_TOPICS]);
/* How long ago the server wrote the oldest of what is not published; 0: nothing is known to wait.
 */
int64_t webhook_lag_us(const struct webhook_judge *judge, int64_t now_us);
const char *webhook_topic_name(enum webhook_topic topic);

#endif
