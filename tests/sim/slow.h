/* sim/slow: parts that are slow and yet alive, and how long the relay may take to get on with them.
 *
 *   broker   takes so many bytes a second, after a burst perhaps, each answer has a latency; a
 *            record that waits for three quarters of the time-out is given up, a transaction that
 *            lasts for all of it is aborted
 *   link     bytes from the server arrive slowly, so that a large row is long on its way
 *   server   is silent at a place inside a transaction, always the same, but sends keepalives
 *
 * Nothing fails of itself here: no crash, no lost connection, no unknown outcome. So there must be
 * progress, a position or another change done of a split transaction, within three time-outs and
 * within five epochs; how long the server itself keeps silent at one place is added. What is chosen
 * could be mastered: one row takes the broker at most a quarter of the time-out, and the link at
 * most 0.6 of it. */
#ifndef WALFERRY_SIM_SLOW_H
#define WALFERRY_SIM_SLOW_H

#include "model/position.h"
#include "model_kafka.h"
#include "model_pg.h"

#define SLOW_TEXT_MAX 200

enum slow_kind { SLOW_NONE, SLOW_BROKER, SLOW_LINK, SLOW_SERVER };

struct slow {
    enum slow_kind kind;
    int64_t timeout_us; /* delivery.transaction_timeout_ms */
    uint64_t memory_limit;
    uint32_t batch_events;
    uint32_t transactions; /* in the backlog */
    struct kafka_pace broker;
    struct pg_pace server;
};

/* kind: "broker", "link", "server", or "any" for the seed's choice. False where it is none. */
bool slow_choose(struct slow *slow, const char *kind, uint64_t seed);
const char *slow_text(const struct slow *slow, char text[SLOW_TEXT_MAX]);

/* How long progress has stood still. */
struct patience {
    struct position position;
    int64_t since_us;
    uint32_t since_opens;
    uint32_t records; /* of which the position is known */
};

struct world;
/* Fails the run where there is something to do and patience is at its end. */
void patience_check(struct world *w);

#endif
