/* base/log_ring: the newest lines of a log that say something is wrong, for people who look at a
 * page and not at the log.
 *
 * Bounded, kept by value, under a mutex of its own. What is said again and again is one entry with
 * a number. Secrets are in it as little as in the log. */
#ifndef WALFERRY_BASE_LOG_RING_H
#define WALFERRY_BASE_LOG_RING_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define LOG_RING_ENTRIES 20

struct log_kept {
    int64_t first_wall_us, last_wall_us; /* of one that was said more than once */
    uint64_t times;
    bool is_error; /* else a warning */
    char event[48];
    char reason[48]; /* empty: the line has none */
    char text[400];  /* its error or detail, else its pairs */
    char hint[400];  /* empty: none */
};

struct log_ring {
    pthread_mutex_t mutex;
    uint64_t count;                         /* of all that ever were */
    struct log_kept kept[LOG_RING_ENTRIES]; /* entry n is at (n - 1) modulo LOG_RING_ENTRIES */
};

void log_ring_init(struct log_ring *ring);
void log_ring_fini(struct log_ring *ring);
/* `line` says all but the times, which are set here. */
void log_ring_add(struct log_ring *ring, const struct log_kept *line, int64_t wall_us);
/* Newest first; returns how many. */
uint32_t log_ring_copy(struct log_ring *ring, struct log_kept kept[LOG_RING_ENTRIES]);

#endif
