/* model/recent: what has happened last, for people who look: the newest events, how the relay has
 * fared over the last minutes, the newest epochs, and the configuration in force.
 *
 * Everything is bounded and kept by value under one mutex of its own, so that nobody who looks can
 * hold the pipeline: a writer copies a few kilobytes at a Kafka commit and nothing at an event.
 * relay/ writes, admin/ copies and reads. What is cut is cut between two characters. */
#ifndef WALFERRY_MODEL_RECENT_H
#define WALFERRY_MODEL_RECENT_H

#include "base/buf.h"
#include "model/position.h"

#include <pthread.h>
#include <stdbool.h>

#define RECENT_EVENTS 20
#define RECENT_EPOCHS 10
/* Fifteen minutes. */
#define RECENT_SAMPLES 180
#define RECENT_SAMPLE_US (INT64_C(5) * 1000000)

/* The beginning of a text or of bytes. */
struct recent_text {
    bool absent;
    uint32_t whole_bytes; /* how long it was */
    uint16_t len;
    char bytes[122];
};

struct recent_event {
    uint64_t number; /* from 1, rising by one; of this process */
    char topic[250];
    char route[65];           /* a name has 64 at most */
    int32_t partition;        /* -1: not known */
    int64_t offset;           /* -1: not known */
    struct position position; /* once its change is done */
    struct recent_text key;
    struct recent_text type; /* absent: its route sends none */
    bool dead_letter;
    bool has_payload; /* false: payloads are not shown */
    struct {
        bool absent;          /* a tombstone */
        uint32_t whole_bytes; /* how long it was */
        uint16_t len;
        char bytes[480];
    } payload;
    int64_t committed_wall_us;
};

/* Counters are of the process, so that two samples give a rate. */
struct recent_sample {
    int64_t wall_us;
    int64_t lag_bytes;      /* -1: not known */
    int64_t retained_bytes; /* -1: not known */
    uint64_t events;
    uint64_t visible_count, visible_us; /* events' transactions, and the sum of their latencies */
};

struct recent_epoch {
    uint64_t number; /* from 1 */
    uint64_t generation;
    int64_t opened_wall_us;
    int64_t closed_wall_us; /* 0: it is open */
    char reason[48];        /* why it was closed */
};

/* Rings: entry n of a list is at (n - 1) modulo its size, n from 1 to the count. */
struct recent_lists {
    uint64_t event_count, sample_count, epoch_count;
    struct recent_event events[RECENT_EVENTS];
    struct recent_sample samples[RECENT_SAMPLES];
    struct recent_epoch epochs[RECENT_EPOCHS];
};

struct recent {
    pthread_mutex_t mutex;
    struct recent_lists lists;
    struct buf config; /* as `config show` prints it */
};

void recent_init(struct recent *recent);
void recent_fini(struct recent *recent);

/* The beginning of `from`; an absent span is an absent text. */
void recent_text_set(struct recent_text *text, struct span from);
/* All that is kept of a payload. */
void recent_payload_set(struct recent_event *event, struct span payload);

/* The writing side. What follows takes NULL for `recent` and then does nothing. */

/* In their order, at most RECENT_EVENTS; their numbers are given here. */
void recent_add_events(struct recent *recent, struct recent_event *events, uint32_t count);
void recent_forget_payloads(struct recent *recent);
/* True where the newest sample is RECENT_SAMPLE_US old. */
bool recent_wants_sample(struct recent *recent, int64_t wall_us);
void recent_add_sample(struct recent *recent, const struct recent_sample *sample);
void recent_open_epoch(struct recent *recent, uint64_t generation, int64_t wall_us);
void recent_close_epoch(struct recent *recent, const char *reason, int64_t wall_us);
void recent_set_config(struct recent *recent, struct span text);

/* The reading side. */
void recent_copy(struct recent *recent, struct recent_lists *lists);
void recent_copy_config(struct recent *recent, struct buf *out);

#endif
