/* sim/world: everything of one run: the model servers, the clock, and the epoch that runs on them.
 *
 * The parts: sim_source.c is the source, over the real stream; sim_epoch.c opens and closes as
 * relay/open does; world.c takes the steps; oracle.c judges what is in Kafka in the end. */
#ifndef WALFERRY_SIM_WORLD_H
#define WALFERRY_SIM_WORLD_H

#include "dump.h"
#include "model_kafka.h"
#include "model_pg.h"
#include "slow.h"

#include "relay/lessons.h"
#include "relay/reader.h"
#include "relay/writer.h"

#define SYSTEM_IDENTIFIER UINT64_C(7000000000000000001)
#define WALL_US INT64_C(1700000000000000) /* of the wall clock when the model's stands at 0 */

struct world {
    struct random random;
    struct model_pg pg;
    struct model_kafka kafka;
    struct slow slow;
    struct patience patience;
    struct pace pace; /* over all epochs */
    struct lessons lessons;
    struct claims claims; /* of the database, so it stays */
    struct claim_trouble claim_trouble;
    struct refusals refused; /* as struct relay has them, but few */
    struct refusals learnt;
    int64_t now_us;
    bool faults;
    bool holds;      /* keys with a dead letter are held, and letters sent again */
    uint64_t errand; /* a command that letters are to be read for; 0: none */
    char errand_text[60];
    uint32_t letter_at; /* next in the log, of what is read for it, */
    int64_t letters_until;
    struct letter_index letter_index; /* gone with a process */
    uint32_t sent_again;              /* letters, as the oracle has counted */
    char failure[600];
    char last_end[200]; /* why the last epoch ended */

    struct log log;
    struct metrics *metrics;
    struct config_routes routes;
    struct config_route route;

    bool open;
    struct arena arena;
    struct progress progress;
    struct publisher *publisher;
    struct source *source;
    struct router *router;
    struct encoders *encoders;
    struct circuit circuit;
    struct verdict_facts verdicts;
    struct quarantine quarantine;
    struct replay replay;
    struct letter_reader *letters;
    struct reader reader;
    struct writer writer;
    bool writer_done;
    uint32_t opens;
};

/* world.c */
void world_fail(struct world *w, const char *text); /* the first text stays */
void world_pass_time(struct world *w, int64_t us);
void world_step(struct world *w);

/* sim_source.c */
struct source *sim_source_open(struct world *w);

/* sim_epoch.c: deadline_us and abort_ms as for source_close() and publisher_close(). */
void sim_epoch_open(struct world *w);
void sim_epoch_close(struct world *w, int64_t source_deadline_us, int abort_ms);

/* sim_errand.c: after a read, whatever it said, comes a close. */
int sim_errand_read(struct world *w, struct error *err);
void sim_errand_note(struct world *w);
void sim_errand_close(struct world *w);
/* What the row of a command says. */
const char *sim_command_text(const struct world *w, uint32_t number, char text[60]);

/* oracle_held.c */
void oracle_held_check(struct world *w);

/* oracle.c */
bool oracle_drained(const struct world *w);
void oracle_check(struct world *w);
void oracle_dump(const struct world *w, struct dump *dump, uint64_t seed);

#endif
