/* relay/replay: which dead letters a command retry or drop works on.
 *
 * They are read before the relay goes on at the command (letters that lie behind it are none of its
 * business), by somebody else: here they are chosen. Two things bound them: so many and so many
 * bytes at once, the oldest first, for whatever is left another command is sent; and a look at the
 * topic keeps a window of ids alone, however many letters there are.
 *
 * What was sent again or dropped has a record of that in the letter topic, a mark, with the id and
 * the route of the letter; so a letter is open until its mark is there. A letter that fails again
 * stays as it lies: nothing is written anew, and the order of a key stays what it was. */
#ifndef WALFERRY_RELAY_REPLAY_H
#define WALFERRY_RELAY_REPLAY_H

#include "base/hash.h"
#include "publish/publish.h"
#include "relay/quarantine.h"

/* One of key, id and all. */
struct replay_wish {
    bool drop; /* else retry */
    bool all;
    bool keyed; /* `key` is given */
    struct span key, route;
    struct change_id id, after; /* after: what is older was looked at before */
};

struct replay_letter {
    struct change_id id;
    struct span route, key;
    struct span value; /* absent: it was left out, or is not wanted */
    bool foreign;      /* of another database */
    bool settled;      /* it is an event again, or dropped; a retry's own */
};

struct replay_limits {
    uint32_t letters_max;
    size_t bytes_max;    /* of values; one letter is always taken */
    uint32_t window_max; /* records of a look that are kept */
};

/* Between two epochs: the command for which the next one reads letters; 0: none. */
struct errand {
    uint64_t command;
    struct buf text;
};

/* Whatever gives all records of the letter topic, again and again. */
struct replay_source {
    void *of;
    int (*begin)(void *of, struct error *err);
    int (*next)(void *of, struct kafka_letter *letter, struct error *err); /* 1, 0, -1 */
};

struct replay {
    struct arena arena;
    uint64_t command; /* that these are for; 0: none were read */
    uint64_t system_identifier;
    struct replay_wish wish;
    struct replay_letter *letters; /* by id: as the changes were committed */
    uint32_t count;
    bool more;   /* there are others behind the last one */
    bool others; /* by id: there are others of its key */
};

void replay_init(struct replay *replay, uint64_t system_identifier);
void replay_fini(struct replay *replay);

/* What the command asks for. ERROR_DATA, "bad_value": it cannot be told. */
int replay_wish_read(struct span command, struct arena *arena, struct replay_wish *wish,
                     struct error *err);
/* Reads what the command is to work on. Groups of held keys of which an earlier letter stays are
 * blocked. -1: an error of the source. */
int replay_load(struct replay *replay, uint64_t command, struct span text,
                struct quarantine *quarantine, const struct replay_limits *limits,
                const struct replay_source *source, struct error *err);

#endif
