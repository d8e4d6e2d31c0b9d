/* relay/outcomes: what became of commands, from the reader, which carries them out, to the watch,
 * which writes it into their rows.
 *
 * Nothing is told before Kafka has committed it. What an epoch has carried out and not committed
 * comes again in the next one and is forgotten. The topic has the answer for certain; this is the
 * copy. */
#ifndef WALFERRY_RELAY_OUTCOMES_H
#define WALFERRY_RELAY_OUTCOMES_H

#include "base/log.h"
#include "metrics/metrics.h"
#include "model/position.h"

#include <pthread.h>

/* More are not kept: their rows stay as they were sent. */
#define OUTCOMES_MAX 10000

struct outcome {
    uint64_t id;
    bool done;                /* else failed */
    struct position position; /* of the command's message */
    char *json;               /* as in the topic; owned */
};

struct outcomes {
    pthread_mutex_t mutex;
    struct outcome *items; /* in the order of positions */
    uint32_t count;
    uint32_t size;
    uint32_t committed; /* so many from the first on */
};

void outcomes_init(struct outcomes *outcomes);
void outcomes_fini(struct outcomes *outcomes);

/* The reader's. json is copied. */
void outcomes_add(struct outcomes *outcomes, uint64_t id, bool done, struct position position,
                  struct span json);
/* Kafka has committed up to there: counts and logs what is new. */
void outcomes_commit(struct outcomes *outcomes, struct position committed, struct metrics *metrics,
                     const struct log *log);
/* The epoch has ended. */
void outcomes_forget(struct outcomes *outcomes);

/* The watch's: the oldest that is committed; json is the caller's to free. False: there is none. */
bool outcomes_take(struct outcomes *outcomes, struct outcome *outcome);

#endif
