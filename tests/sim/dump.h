/* sim/dump: what a simulated Kafka has committed, as text that two programs can be compared by.
 *
 *   workload <hash>                                      what the database committed
 *   event <lsn>/<ordinal> <topic> <partition> <key> <value> <headers>     hashes of the last three
 *   part <n>                                             which event carries walferry-part
 *   commit <lsn>/<seq> <partial.final_lsn>/<done> after <n> events
 *   seed <n> events <n> <hash> boundaries <n> <hash>
 *
 * Events and workload are what must be equal between two programs. Where the transactions end (part
 * and commit) depends on how many steps each took for what, and only informs. The header
 * walferry-part is a boundary and no part of the event.
 *
 * It is small and has few hooks, so that same.sh can put it into an older simulator. */
#ifndef WALFERRY_SIM_DUMP_H
#define WALFERRY_SIM_DUMP_H

#include "model/message.h"
#include "progress/progress.h"
#include "workload.h"

#include <stdio.h>

#define DUMP_LINE_MAX 160

struct dump {
    FILE *file; /* NULL: nothing is written */
    bool whole; /* every line; else the last one of each seed */
    uint64_t events_hash;
    uint64_t boundaries_hash;
    uint32_t events;
    uint32_t boundaries;
};

/* The line of one message, without a newline; to be kept until its transaction has an outcome. */
void dump_line(const struct message *message, char line[DUMP_LINE_MAX]);

/* The calls for one seed, in this order; events and commits in the order of Kafka's log. */
void dump_begin(struct dump *dump, const struct workload *work);
void dump_event(struct dump *dump, const char *line, bool part);
void dump_commit(struct dump *dump, const struct progress *record);
void dump_end(struct dump *dump, uint64_t seed);

#endif
