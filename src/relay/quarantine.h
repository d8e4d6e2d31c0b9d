/* relay/quarantine: which keys are held, because an event of theirs became a dead letter.
 *
 * Later events of the same key and route become letters, too, so that no event overtakes an earlier
 * one. What is held stands in the compacted topic walferry.<relay>.quarantine, written in the Kafka
 * transaction of the letter and read when an epoch opens, so a replay finds what it found before.
 * The reader's: it knows no more than what the epoch began with and what it did since.
 *
 * Keys that one change has together (a change of the key is two) are let go together: all of such a
 * group know its first one, under which the change's letter lies. A null key is never held. */
#ifndef WALFERRY_RELAY_QUARANTINE_H
#define WALFERRY_RELAY_QUARANTINE_H

#include "base/table.h"
#include "config/config.h"
#include "metrics/metrics.h"
#include "model/batch.h"
#include "model/topic_name.h"

/* Of a route, by its name, which may be no longer in the file. */
struct held_key {
    struct span route, key;
    struct held_key *group; /* the first of those that are held together; itself, where alone */
    struct span since;      /* the letter that it is held for */
    struct span letters;    /* the topic with its letters, where that is another one */
    bool held;              /* false: let go again */
    bool fresh;             /* of a group: a letter of it was made in this epoch */
    bool blocked;           /* of a group: an earlier letter of it stays; a replay's own, */
    bool remembered;        /* and that it is known of */
};

struct quarantine {
    bool on; /* false: keys are not held, and any that is from before is an error */
    char topic[TOPIC_NAME_QUARANTINE_MAX];
    const char *letters; /* the topic with the letters; NULL: it is not recorded and may be any */
    uint32_t keys_max;
    uint64_t system_identifier; /* for ids of letters; known once the open has looked */
    struct metrics *metrics;
    struct arena arena;
    struct table keys; /* route, NUL, key → struct held_key */
    uint32_t held;
    size_t bytes;
    struct buf scratch, value;
};

/* keys_max: of at most as many kilobytes together. */
void quarantine_init(struct quarantine *quarantine, bool on, const char *relay, uint32_t keys_max,
                     struct metrics *metrics);
void quarantine_fini(struct quarantine *quarantine);

/* A record of the topic, in its order. value absent: the key is let go. ERROR_STOP,
 * "quarantine_topic": it cannot be read. */
int quarantine_load(struct quarantine *quarantine, struct span key, struct span value,
                    struct error *err);
/* Behind the last record. routes: those of the file. ERROR_STOP: "keys_still_held", a key is held
 * whose later events would pass, because its route is not among them or nothing is held any more;
 * "letters_elsewhere", the letters of one lie in another topic, so that a retry would let go of it
 * without them. */
int quarantine_check(const struct quarantine *quarantine, const struct config_routes *routes,
                     struct error *err);

/* Is it held? False for NULL and for a key that is absent. */
bool quarantine_holds(struct quarantine *quarantine, const char *route, struct span key);
/* The same, the entry itself; NULL: it is not. */
struct held_key *quarantine_find(struct quarantine *quarantine, struct span route, struct span key);
/* Holds the key for the change's letter, together with *group (NULL: nobody yet), and adds records
 * of what is new to the batch. ERROR_STOP, "quarantine_full". An absent key is let through. */
int quarantine_hold(struct quarantine *quarantine, struct held_key **group, const char *route,
                    struct span key, const struct change *change, struct batch *batch,
                    struct error *err);
/* Lets go of all that are held together with the key, and adds records of that to the batch.
 * change: the command that asks for it. Returns how many. */
uint32_t quarantine_lift(struct quarantine *quarantine, struct held_key *group,
                         const struct change *change, struct batch *batch);

#endif
